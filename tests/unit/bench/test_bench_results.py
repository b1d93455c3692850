"""Results have one documented form; what is written is read again, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from cinescrub.bench import results
from cinescrub.bench.compare import Verdict, compare, machines_differ
from cinescrub.bench.machine import machine
from cinescrub.bench.page import html_page
from cinescrub.bench.plot import draw_result
from cinescrub.bench.results import SCHEMA, Figure, Result, Row, Scalar
from cinescrub.bench.table import Table, shown, table_of
from cinescrub.errors import ConfigError, OutputError

FORM = json.loads((Path(results.__file__).parent / "schema.json").read_text())
RECORDED = sorted((Path(__file__).resolve().parents[3] / "benchmarks" / "results").glob("*.json"))
KINDS = FORM["properties"]["kind"]["enum"]


def row(subject: str = "cinescrub", case: str = "a", frames: int = 30, **figures: float) -> Row:
    facts: dict[str, Scalar] = {
        "frames": frames,
        "rows": 480,
        "columns": 640,
        "syntax": "jpeg",
        "status": "ok",
    }
    return Row(subject, case, facts, {name: Figure((v,)) for name, v in figures.items()})


def result(*rows: Row, kind: str = "throughput", reference: str | None = None) -> Result:
    when = "2026-01-02T03:04:05+00:00"
    return Result(kind, when, machine(), {"repeat": 1}, rows, reference)


# --- form ------------------------------------------------------------------------------------


def test_the_form_is_named_for_its_version() -> None:
    jsonschema.Draft202012Validator.check_schema(FORM)
    assert FORM["$id"] == FORM["properties"]["schema"]["const"] == SCHEMA


def test_a_result_is_of_the_form_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = result(row(wall_s=1.5, peak_mib=700.25), replace(row(case="b"), error="refused"))

    written.save(tmp_path / "r.json")

    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), FORM)
    assert Result.load(tmp_path / "r.json").to_dict() == written.to_dict()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_results_are_of_the_form(path: Path) -> None:
    told = json.loads(path.read_text())
    if not path.stem.startswith("bench-"):
        assert "schema" not in told  # of another benchmark, with a form of its own
        return
    jsonschema.validate(told, FORM)
    assert Result.load(path).to_dict() == told


@pytest.mark.parametrize(
    "spoilt",
    [
        "not JSON",
        "[]",
        json.dumps({"schema": "cinescrub-bench-0"}),
        json.dumps({"schema": SCHEMA, "kind": "throughput"}),
        json.dumps(result(row()).to_dict() | {"rows": [{"subject": "x"}]}),
        json.dumps(result(row()).to_dict() | {"rows": 3}),
    ],
    ids=["no JSON", "list", "version", "no rows", "row", "rows"],
)
def test_what_is_no_result_is_refused(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "r.json").write_text(spoilt)

    with pytest.raises(ConfigError, match=r"r\.json"):
        Result.load(tmp_path / "r.json")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        result(row()).save(tmp_path / "none" / "r.json")


# --- compare ---------------------------------------------------------------------------------


def _of(*runs: float, name: str = "wall_s", kind: str = "throughput") -> Result:
    return result(Row("cinescrub", "a", {}, {name: Figure(runs)}), kind=kind)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((10.0,), (10.9,), Verdict.SAME),
        ((10.0,), (11.1,), Verdict.WORSE),
        ((11.1,), (10.0,), Verdict.BETTER),
        # One busy hour: the median is worse, the best run is not.
        ((10.0, 10.0, 10.0), (10.0, 20.0, 20.0), Verdict.SAME),
        ((10.0, 10.0, 30.0), (12.0, 12.0, 12.0), Verdict.WORSE),
    ],
)
def test_a_figure_is_worse_where_median_and_best_run_are(
    before: tuple[float, ...], after: tuple[float, ...], verdict: Verdict
) -> None:
    (change,) = compare(_of(*before), _of(*after), threshold=0.1)

    assert change.verdict is verdict


def test_of_a_rate_more_is_better() -> None:
    names = ("frames_per_s",)
    slow, fast = _of(5.0, name="frames_per_s"), _of(9.0, name="frames_per_s")

    assert compare(fast, slow, threshold=0.1, figures=names)[0].verdict is Verdict.WORSE
    assert compare(slow, fast, threshold=0.1, figures=names)[0].verdict is Verdict.BETTER


def test_a_case_that_fails_now_is_lost_and_one_that_is_new_is_nothing() -> None:
    before = result(row(wall_s=1.0))
    after = result(replace(row(wall_s=1.0), error="no memory"), row(case="new", wall_s=9.0))

    (change,) = compare(before, after, threshold=0.1)

    assert (change.verdict, change.after, change.times) == (Verdict.LOST, None, None)


def test_results_with_nothing_in_common_do_not_compare() -> None:
    with pytest.raises(ConfigError, match="no case and figure in common"):
        compare(result(row(wall_s=1.0)), result(row(case="b", wall_s=1.0)), threshold=0.1)
    with pytest.raises(ConfigError, match="don't compare"):
        compare(_of(1.0), _of(1.0, kind="floor"), threshold=0.1)


def test_another_processor_is_another_machine() -> None:
    here = result(row(wall_s=1.0))
    there = replace(here, machine={**here.machine, "processor": "abacus"})

    assert not machines_differ(here, here)
    assert machines_differ(here, there)


# --- tables, plots, pages --------------------------------------------------------------------


def test_multiples_are_of_the_reference_of_the_same_case() -> None:
    told = table_of(
        result(
            row(wall_s=3.0, cpu_s=6.0),
            row("floor", wall_s=2.0, cpu_s=2.0),
            row(case="b", wall_s=8.0),
            kind="floor",
            reference="floor",
        )
    )

    assert [line[3] for line in told.rows] == ["1.50 x", "1.00 x", ""]
    assert [line[5] for line in told.rows] == ["3.00 x", "1.00 x", ""]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, ""),
        (0.0, "0.00"),
        (0.00123456, "0.00123"),
        (12.345, "12.3"),
        (1234.5, "1234"),
        (Figure((1.0,)), "1.00"),
        (Figure((1.0, 2.0, 4.0)), "2.00 (1.00-4.00)"),
        (7, "7"),
    ],
)
def test_values_are_shown_in_three_digits(value: float | Figure | None, said: str) -> None:
    assert shown(value) == said


def test_an_error_is_in_the_table() -> None:
    told = table_of(result(row(wall_s=1.0), replace(row(case="b"), error="refused")))

    assert [line[-1] for line in told.rows] == ["", "refused"]


def test_a_table_is_text_markdown_and_html() -> None:
    table = Table(("a", "b|c"), (("1", "<&>"),))

    assert table.as_text() == "a  b|c\n1  <&>"
    assert table.as_markdown() == "| a | b\\|c |\n|---|---|\n| 1 | <&> |"
    assert "<td>&lt;&amp;&gt;</td>" in table.as_html()
    assert table.only("b|c") == Table(("b|c",), (("<&>",),))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_table_a_picture_and_a_page(kind: str) -> None:
    names = ("wall_s", "cpu_s", "peak_mib", "wall_item_ms", "cpu_item_ms")
    mine = replace(row(), figures=dict.fromkeys(names, Figure((2.0,))))
    told = result(mine, replace(mine, subject="other"), kind=kind)

    page = html_page(told)

    assert len(table_of(told).rows) == 2
    assert draw_result(told).std() > 0
    assert page.count("<table>") == 3
    assert 'src="data:image/png;base64,' in page
    assert "://" not in page  # it loads nothing; base64 has no colon
    assert "<script" not in page


def test_a_page_escapes_what_it_tells() -> None:
    told = result(replace(row(wall_s=1.0), case="<script>alert(1)</script>"))

    assert "<script>" not in html_page(told)


def test_frames_make_a_curve_and_a_longer_bar_is_a_larger_figure() -> None:
    bars = result(row(case="a", wall_s=1.0), row(case="b", wall_s=4.0))
    curve = result(row(frames=30, wall_s=1.0), row(case="b", frames=300, wall_s=4.0))
    blue = (46, 98, 168)

    picture = draw_result(bars)
    widths = [int((line == blue).all(axis=1).sum()) for line in picture]

    assert sorted({width for width in widths if width > 100})[-1] > 3 * min(
        width for width in widths if width > 100
    )
    assert draw_result(curve).shape[0] > picture.shape[0]
