"""Starts `cinescrub run` as a user does, and reads its report. Knows nothing of truth or scores."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["NOT_AN_OPTION", "ToolRun", "inspected_share", "run_tool"]

NOT_AN_OPTION: Final = 2
"""Exit code of a run whose options are wrong (`ConfigError`)."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run over a folder."""

    code: int
    seconds: float
    """Wall time of the whole process, loading of the models included."""
    lines: dict[str, dict[str, Any]]
    """Report lines by the name of their input."""

    def output(self, name: str) -> Path | None:
        """Return the output of an input; None where there is none."""
        told = self.lines.get(name, {}).get("output")
        path = Path(told) if told else None
        return path if path is not None and path.exists() else None


def run_tool(
    inputs: Sequence[Path], folder: Path, options: Sequence[str], *, quiet: bool = False
) -> ToolRun:
    """Run the main job.

    Parameters
    ----------
    inputs : sequence of Path
        Files and folders.
    folder : Path
        Made new; outputs, report and key go here.
    options : sequence of str
        More options of `cinescrub run`.
    quiet : bool
        Whether what the run tells people is dropped.

    Returns
    -------
    ToolRun
        A run that quarantines ends with a code of its own: that is told, not raised.
    """
    folder.mkdir()
    report = folder / "report.jsonl"
    command = [sys.executable, "-m", "cinescrub", "run", *map(str, inputs)]
    command += ["--out", str(folder / "out"), "--report", str(report)]
    command += ["--key", str(folder / "key"), *options]
    started = time.perf_counter()
    finished = subprocess.run(  # noqa: S603  our own command, with what its user gave it
        command,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if quiet else None,
    )
    return ToolRun(finished.returncode, time.perf_counter() - started, _report(report))


def inspected_share(line: Mapping[str, Any]) -> float | None:
    """Return the share of an input's pixels that a detector ran on, by its report line.

    Engines that count frames only have looked at whole ones. None where the line tells neither.
    """
    if line.get("inspected_share") is not None:
        return float(line["inspected_share"])
    return line["inspected"] / line["frames"] if line.get("frames") else None


def _report(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {Path(line["source"]).name: line for line in lines if line.get("source")}
