"""The accuracy benchmark counts what a run leaves, and what it doesn't write at all."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cinescrub.testing.suite import TIERS, accuracy_suite

_SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "accuracy.py"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy_benchmark", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "accuracy_benchmark", module)
    spec.loader.exec_module(module)
    return module


def _copies_the_first_only(work: Path, _options: list[str]) -> tuple[float, int]:
    """Stand in for a run that does nothing to one file and refuses the others."""
    lines = []
    for index, source in enumerate(sorted((work / "in").iterdir())):
        output = work / f"out-{index}.dcm"
        if index == 0:
            shutil.copy(source, output)
        lines.append(
            {
                "source": str(source),
                "output": str(output) if index == 0 else None,
                "status": "ok" if index == 0 else "quarantined",
                "reason": "" if index == 0 else "review required",
            }
        )
    (work / "report.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return 1.0, 6


def test_a_run_that_changes_nothing_leaks_and_a_refused_file_is_missing(
    accuracy: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = tmp_path / "figures.json"
    arguments = ["accuracy.py", "--group", "clean", "--group", "flash", "--frames", "2"]
    arguments += [
        "--rows",
        "240",
        "--columns",
        "320",
        "--json",
        str(result),
        "--work",
        str(tmp_path),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(accuracy, "_run", _copies_the_first_only)

    code = accuracy.main()

    figures = json.loads(result.read_text())
    assert code == 0
    assert figures["total"]["cines"] == 2
    assert figures["total"]["missing"] == 1
    assert figures["total"]["item_recall"] == 0.0
    assert figures["total"]["changed_elsewhere"] == 0.0
    assert figures["groups"]["clean"]["kept"] == 1.0
    assert figures["groups"]["flash"]["kept"] == 0.0
    assert len(figures["header_leaks"]) >= 40
    assert figures["no_output"][0]["reason"] == "review required"
    assert "flash" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"figures.json"}


def test_the_suite_covers_every_tier_and_names_each_case_once() -> None:
    cases = accuracy_suite(3)

    assert {tier.name for tier in TIERS} <= {case.group for case in cases}
    assert len({case.name for case in cases}) == len(cases)
    assert len({case.spec.seed for case in cases}) == len(cases)
    assert len({case.spec.look for case in cases}) == 5
