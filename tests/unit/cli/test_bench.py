"""The `bench` commands in this process: what is asked for is measured, and published."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import jsonschema
import pytest

from cinescrub.bench import results
from cinescrub.bench.models import RunModel
from cinescrub.bench.trials import Attempt, Trial
from cinescrub.cli import bench
from cinescrub.errors import InferenceError
from cinescrub.stream import CancelToken
from cinescrub.testing.accuracy.peers.files import Given

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in, made

FORM = json.loads((Path(results.__file__).parent / "schema.json").read_text())
_SMALL = ("--frames", 2, "--size", "160x128")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fakes are in this process alone."""

    def directly(attempt: Attempt, token: CancelToken) -> Trial:
        token.check()
        return attempt(time.perf_counter())

    monkeypatch.setattr(bench, "in_own_process", directly)


@pytest.mark.parametrize("name", [(), ("speed",), ("throughput",)], ids=["bench", "speed", "name"])
def test_throughput_gives_medians_by_stage_and_leaves_nothing(
    cinescrub: Command, fake_models: Path, home: Path, name: tuple[str, ...]
) -> None:
    outcome = cinescrub(
        "bench", *name, "--json", "--models", fake_models, *_SMALL, "--dynamic", "frozen",
        "--repeat", 3,
    )  # fmt: skip

    told = json.loads(outcome.out)
    (row,) = told["rows"]
    jsonschema.validate(told, FORM)
    assert outcome.code == 0
    assert (told["kind"], row["subject"]) == ("throughput", "cinescrub")
    assert told["settings"]["precision"] == "auto"
    assert str(fake_models) not in outcome.out  # paths are nobody's business
    assert row["case"] == "160x128x2 jpeg frozen"
    assert (row["facts"]["status"], row["facts"]["frames"]) == ("ok", 2)
    assert {"wall_s", "cpu_s", "frames_per_s", "first_output_s", "peak_mib", "load_s"} <= set(
        row["figures"]
    )
    assert {"stage_inspect_s", "stage_verify_s", "stage_apply_s"} <= set(row["figures"])
    assert len(row["figures"]["wall_s"]["runs"]) == 3
    assert left_in(home) == []  # no key of the site's


@pytest.mark.parametrize("syntax", ["jpeg", "rle", "native", "jpegls", "j2k"])
def test_throughput_makes_cines_of_each_coding(
    cinescrub: Command, fake_models: Path, syntax: str
) -> None:
    outcome = cinescrub(
        "bench", "--models", fake_models, "--frames", 1, "--size", "96x96", "--syntax", syntax,
        "--repeat", 1,
    )  # fmt: skip

    assert outcome.code == 0
    assert f"96x96x1 {syntax} static  ok" in outcome.out
    assert "frames/s" in outcome.out


def test_a_file_that_is_refused_has_its_code_and_no_speed_and_is_told_by_number(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "ROE^RICHARD.dcm").write_bytes(b"\0" * 128 + b"DICM")
    made(tmp_path / "good.dcm")

    outcome = cinescrub(
        "bench", tmp_path / "good.dcm", tmp_path / "ROE^RICHARD.dcm", "--json",
        "--models", fake_models, "--repeat", 1,
    )  # fmt: skip

    rows = json.loads(outcome.out)["rows"]
    assert outcome.code == 4
    assert [(row["case"], row["facts"]["status"]) for row in rows] == [
        ("file 1", "ok"),
        ("file 2", "quarantined"),
    ]
    assert rows[0]["figures"]["frames_per_s"]["median"] > 0
    assert "frames_per_s" not in rows[1]["figures"]
    assert "cinescrub: file 2: " in outcome.err
    assert "ROE" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--syntax", "gif"], "jpeg, rle, native, jpegls, j2k"),
        (["--size", "97x96"], "even number of columns"),
        (["--size", "large"], "as 640x480"),
        (["--dynamic", "nosuch"], "choose of static"),
        (["{empty}"], "no input found"),
    ],
    ids=["syntax", "columns", "size", "dynamic", "empty-folder"],
)
def test_nothing_that_can_be_measured_is_an_error_of_usage(
    cinescrub: Command, tmp_path: Path, fake_models: Path, options: list[str], says: str
) -> None:
    (tmp_path / "empty").mkdir()

    outcome = cinescrub(
        "bench", *(o.format(empty=tmp_path / "empty") for o in options), "--models", fake_models
    )

    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err


def test_cines_side_by_side_have_figures_of_all_together(
    cinescrub: Command, fake_models: Path
) -> None:
    outcome = cinescrub(
        "bench", "--models", fake_models, *_SMALL, "--exam", 3, "--jobs", 2, "--repeat", 1, "--json"
    )

    (row,) = json.loads(outcome.out)["rows"]
    frames, wall = (row["figures"][name]["median"] for name in ("frames_per_s", "wall_s"))
    assert outcome.code == 0
    assert frames * wall == pytest.approx(6, rel=0.01)
    assert "later_wall_s" not in row["figures"]


def test_a_result_is_published_as_json_picture_and_page(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    saved, plot, page = (tmp_path / name for name in ("r.json", "r.png", "r.html"))

    outcome = cinescrub(
        "bench", "memory", "--models", fake_models, "--frames", 1, "--frames", 2,
        "--size", "96x96", "--save", saved, "--plot", plot, "--html", page,
    )  # fmt: skip

    told = json.loads(saved.read_text())
    jsonschema.validate(told, FORM)
    assert outcome.code == 0
    assert [row["facts"]["frames"] for row in told["rows"]] == [1, 2]
    assert "grown MiB" in outcome.out
    assert cv2.imread(str(plot)) is not None
    assert "grown MiB" in page.read_text()


def test_work_tells_the_share_of_pixels_that_was_looked_at(
    cinescrub: Command, fake_models: Path
) -> None:
    outcome = cinescrub(
        "bench", "work", "--models", fake_models, "--dynamic", "frozen", "--frames", 4,
        "--size", "96x96", "--json",
    )  # fmt: skip

    (row,) = json.loads(outcome.out)["rows"]
    assert outcome.code == 0
    assert 0 < row["facts"]["inspected_share"] < 1
    assert row["figures"]["stage_inspect_s"]["median"] > 0


def test_the_floor_is_what_others_are_multiples_of(cinescrub: Command, fake_models: Path) -> None:
    outcome = cinescrub("bench", "floor", "--models", fake_models, *_SMALL, "--exam", 2, "--json")

    told = json.loads(outcome.out)
    assert outcome.code == 0
    assert told["reference"] == "floor"
    assert [row["subject"] for row in told["rows"]] == ["cinescrub", "floor", "copy"]
    assert all(row["error"] is None for row in told["rows"])
    assert all("later_cpu_s" in row["figures"] for row in told["rows"])


def test_peers_are_scored_and_one_that_fails_is_a_result(
    cinescrub: Command, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Given):
        name = "broken"

        def redact(self, path: Path, target: Path) -> None:
            raise InferenceError("no memory for it")

    opened = {"broken": Broken([]), "blind": Given([])}
    opened["blind"].name = "blind"
    monkeypatch.setattr("cinescrub.bench.peers.open_file_peer", opened.__getitem__)

    outcome = cinescrub(
        "bench", "peers", "--peer", "broken", "--peer", "blind", "--models", fake_models, *_SMALL,
        "--json",
    )  # fmt: skip

    rows = {row["subject"]: row for row in json.loads(outcome.out)["rows"]}
    assert outcome.code == 0
    assert list(rows) == ["cinescrub", "pydicom", "broken", "blind"]
    assert rows["broken"]["error"] == "no memory for it"
    assert rows["blind"]["facts"]["strings_gone"] == 0
    assert rows["cinescrub"]["facts"]["strings"] == rows["blind"]["facts"]["strings"] > 0
    assert rows["cinescrub"]["facts"]["strings_gone"] > 0


def test_peers_that_are_not_there_are_said_and_left_out(
    cinescrub: Command, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinescrub.bench.peers.FILE_PEERS", ("nosuch",))

    every = cinescrub("bench", "peers", "--models", fake_models, *_SMALL, "--json")
    named = cinescrub("bench", "peers", "--peer", "nosuch", "--models", fake_models, *_SMALL)

    assert (every.code, named.code) == (0, 2)
    assert [row["subject"] for row in json.loads(every.out)["rows"]] == ["cinescrub", "pydicom"]
    assert "without nosuch: " in every.err


def test_models_are_run_in_every_way_that_is_asked_for(
    cinescrub: Command, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunModel] = []

    def ran(self: RunModel, _: float) -> Trial:
        asked.append(self)
        return Trial({"wall_ms": 2.0, "wall_item_ms": 2.0, "cpu_ms": 2.0, "cpu_item_ms": 2.0})

    monkeypatch.setattr(RunModel, "__call__", ran)

    outcome = cinescrub(
        "bench", "models", "--models", fake_models, "--model", "craft", "--batch", 1, "--batch", 4,
        "--threads", 1, "--threads", 2, "--provider", "cpu", "--size", "320x240", "--repeat", 1,
        "--json",
    )  # fmt: skip

    told = json.loads(outcome.out)
    jsonschema.validate(told, FORM)
    assert outcome.code == 0
    assert {(each.batch, each.threads) for each in asked} == {(1, 1), (1, 2), (4, 1), (4, 2)}
    assert {(each.rows, each.columns) for each in asked} == {(240, 320)}
    assert told["rows"][0]["case"] == "fp32, batch 1, threads 1, cpu"


def test_a_precision_that_the_bundle_lacks_is_an_error_of_usage(
    cinescrub: Command, fake_models: Path
) -> None:
    outcome = cinescrub("bench", "models", "--models", fake_models, "--precision", "int8")

    assert (outcome.code, outcome.out) == (2, "")
    assert "no such model" in outcome.err


# --- compare ---------------------------------------------------------------------------------


@pytest.fixture
def saved(cinescrub: Command, tmp_path: Path, fake_models: Path) -> Path:
    """A result, and the same with twice the seconds beside it."""
    cinescrub(
        "bench", "--models", fake_models, *_SMALL, "--repeat", 1, "--save", tmp_path / "a.json"
    )
    told = json.loads((tmp_path / "a.json").read_text())
    wall = told["rows"][0]["figures"]["wall_s"]
    wall["runs"] = [2 * run for run in wall["runs"]]
    (tmp_path / "b.json").write_text(json.dumps(told))
    return tmp_path


def test_compare_ends_with_9_where_something_is_worse(cinescrub: Command, saved: Path) -> None:
    slower = cinescrub("bench", "compare", saved / "a.json", saved / "b.json")
    faster = cinescrub("bench", "compare", saved / "b.json", saved / "a.json", "--json")
    lenient = cinescrub("bench", "compare", saved / "a.json", saved / "b.json", "--threshold", 120)

    verdicts = {row["figure"]: row["verdict"] for row in json.loads(faster.out)["changes"]}
    assert (slower.code, faster.code, lenient.code) == (9, 0, 0)
    assert "wall_s" in slower.out
    assert "worse" in slower.out
    assert slower.err.endswith("are worse by over 10 %\n")
    assert (verdicts["wall_s"], verdicts["cpu_s"]) == ("better", "same")


def test_compare_of_chosen_figures_looks_at_no_other(cinescrub: Command, saved: Path) -> None:
    outcome = cinescrub("bench", "compare", saved / "a.json", saved / "b.json", "--figure", "cpu_s")

    assert outcome.code == 0
    assert "wall_s" not in outcome.out


def test_compare_of_what_is_no_result_is_an_error_of_usage(
    cinescrub: Command, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("{}")

    outcome = cinescrub("bench", "compare", tmp_path / "a.json", tmp_path / "none.json")

    assert (outcome.code, outcome.out) == (2, "")
