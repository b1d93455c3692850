"""The accuracy benchmark counts what a run leaves, what it doesn't write at all, and says why."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest

from cinescrub.errors import ConfigError
from cinescrub.testing import CineSpec, plan_drawing
from cinescrub.testing.accuracy import (
    Subject,
    make_cases,
    measure_tool,
    summarise,
    table,
)
from cinescrub.testing.accuracy.causes import Cause
from cinescrub.testing.accuracy.measure import Made
from cinescrub.testing.suite import TIERS, Case, accuracy_suite

_SPEC = CineSpec(seed=5, frames=2, rows=240, columns=320)


class StandIn:
    """Stands in for the command: writes outputs in which some strings are painted over."""

    def __init__(self) -> None:
        self.made: dict[str, Made] = {}
        self.leave: set[str] = set()
        """Names of strings that are left as they are."""
        self.leave_unless: dict[str, str] = {}
        """Names of strings that go only if this option is given."""
        self.half: set[str] = set()
        """Names of strings of which only the left half is painted over."""
        self.refuse: set[str] = set()
        self.unknown_options: set[str] = set()
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        self.commands.append(command)
        if self.unknown_options & set(command):
            return subprocess.CompletedProcess(command, 2)
        folder = Path(command[command.index("--out") + 1])
        folder.mkdir()
        sources = [Path(word) for word in command if word.endswith(".dcm")]
        lines = [self._line(source, folder, command) for source in sources]
        report = Path(command[command.index("--report") + 1])
        report.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return subprocess.CompletedProcess(command, 6 if self.refuse else 0)

    def _line(self, source: Path, folder: Path, command: list[str]) -> dict[str, Any]:
        line: dict[str, Any] = {"source": str(source), "status": "ok", "frames": 2, "inspected": 1}
        if source.stem in self.refuse:
            return line | {"status": "quarantined", "reason": "review required", "output": None}
        output = folder / source.name
        shutil.copy(source, output)
        self._paint(output, source.stem, command)
        return line | {"output": str(output), "seconds": {"inspect": 0.5}}

    def _paint(self, path: Path, name: str, command: list[str]) -> None:
        truth = self.made[name].truth
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array.copy()
        for item in truth.phi:
            without = self.leave_unless.get(item.name)
            if item.name in self.leave or (without is not None and without not in command):
                continue
            x0, y0, x1, y1 = item.box
            end = (x0 + x1) // 2 if item.name in self.half else x1
            pixels[item.frames[0] : item.frames[1], y0:y1, x0:end] = 0
        dataset.PixelData = pixels.tobytes()
        dataset.save_as(path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr(subprocess, "run", stand_in)
    return stand_in


def _measured(
    command: StandIn, folder: Path, cases: Sequence[Case], *options: str, explain: bool = True
) -> Subject:
    made = make_cases(cases, folder / "in", lambda _: None)
    command.made = {each.case.name: each for each in made}
    return measure_tool(
        made, folder / "run", options, version="1", explain=explain, say=lambda _: None
    )


def _strings(*cases: Case) -> list[str]:
    return [item.name for case in cases for item in plan_drawing(case.spec).truth.phi]


def test_a_run_that_redacts_all_identifying_text_has_full_marks(
    command: StandIn, tmp_path: Path
) -> None:
    subject = _measured(command, tmp_path, [Case("one", "clean", _SPEC)])

    total = summarise([subject], {})["subjects"][0]["total"]
    assert total["item_recall"] == total["item_frame_recall"] == total["ink_recall"] == 1.0
    assert total["kept"] == total["precision"] == total["pixel_precision"] == 1.0
    assert total["changed_elsewhere"] == 0.0
    assert total["changed"]["identifying"] > 0
    assert total["inspected_share"] == 0.5
    assert len(command.commands) == 1


def test_a_refused_cine_leaks_everything_and_is_listed_with_its_reason(
    command: StandIn, tmp_path: Path
) -> None:
    command.refuse = {"two"}

    subject = _measured(
        command, tmp_path, [Case("one", "clean", _SPEC), Case("two", "flash", _SPEC)]
    )

    told = summarise([subject], {"seeds": 1})
    (figures,) = told["subjects"]
    assert figures["exit_code"] == 6
    assert figures["total"]["missing"] == 1
    assert figures["groups"]["clean"]["item_recall"] == 1.0
    assert figures["groups"]["flash"]["item_recall"] == figures["groups"]["flash"]["kept"] == 0.0
    assert figures["no_output"] == [
        {"case": "two", "status": "quarantined", "reason": "review required"}
    ]
    assert told["settings"] == {"seeds": 1}


def test_planted_identifiers_that_are_left_are_listed_by_place(
    command: StandIn, tmp_path: Path
) -> None:
    subject = _measured(command, tmp_path, [Case("one", "clean", _SPEC)])

    (figures,) = summarise([subject], {})["subjects"]
    assert figures["total"]["header_leaks"] == len(figures["header_leaks"]) >= 40


def test_each_miss_has_its_cause(command: StandIn, tmp_path: Path) -> None:
    case = Case("one", "clean", _SPEC)
    tight, unseen, decided, skipped = _strings(case)[:4]
    command.half = {tight}
    command.leave = {unseen}
    command.leave_unless = {decided: "all-text", skipped: "every-frame"}

    subject = _measured(command, tmp_path, [case], "--threads", "1")

    (figures,) = summarise([subject], {})["subjects"]
    assert {miss["name"]: miss["cause"] for miss in figures["misses"]} == {
        tight: Cause.TIGHT,
        unseen: Cause.NOT_DETECTED,
        decided: Cause.DECIDED_CLINICAL,
        skipped: Cause.NOT_LOOKED_AT,
    }
    assert figures["causes"] == {str(cause): 1 for cause in Cause if cause is not Cause.UNKNOWN}
    assert all("--threads" in each for each in command.commands)


def test_a_cause_that_cannot_be_told_is_unknown(command: StandIn, tmp_path: Path) -> None:
    case = Case("one", "clean", _SPEC)
    unseen = _strings(case)[0]
    command.leave = {unseen}
    command.unknown_options = {"--inspect"}

    subject = _measured(command, tmp_path, [case])

    assert subject.outcomes[0].causes == {unseen: Cause.UNKNOWN}


def test_without_causes_nothing_runs_twice(command: StandIn, tmp_path: Path) -> None:
    case = Case("one", "clean", _SPEC)
    command.leave = set(_strings(case))

    subject = _measured(command, tmp_path, [case], explain=False)

    assert len(command.commands) == 1
    assert subject.outcomes[0].causes == {}


def test_a_run_that_reports_nothing_is_an_error_and_no_result(
    command: StandIn, tmp_path: Path
) -> None:
    command.unknown_options = {"--no-such"}

    with pytest.raises(ConfigError, match="ended with 2"):
        _measured(command, tmp_path, [Case("one", "clean", _SPEC)], "--no-such")


def test_the_table_has_a_row_a_group_and_one_for_all(command: StandIn, tmp_path: Path) -> None:
    cases = [Case("one", "clean", _SPEC), Case("two", "flash", _SPEC)]

    rows = table([_measured(command, tmp_path, cases)]).splitlines()

    assert [row.split()[0] for row in rows[1:]] == ["clean", "flash", "cinescrub"]
    assert "frame %" in rows[0]
    assert len({len(row) for row in rows}) == 1


def test_the_suite_covers_every_tier_and_names_each_case_once() -> None:
    cases = accuracy_suite(3)

    assert {tier.name for tier in TIERS} <= {case.group for case in cases}
    assert len({case.name for case in cases}) == len(cases)
    assert len({case.spec.seed for case in cases}) == len(cases)
    assert len({case.spec.look for case in cases}) == 5


def test_the_suite_is_the_same_each_time() -> None:
    assert accuracy_suite(2, frames=3) == accuracy_suite(2, frames=3)
