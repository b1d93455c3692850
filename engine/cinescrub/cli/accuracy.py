"""`bench accuracy`: what a run leaves of burned-in and planted identifiers, on made cines."""

from __future__ import annotations

import json as jsonlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import typer

from cinescrub import __version__
from cinescrub.bench.machine import machine
from cinescrub.cli.models import say
from cinescrub.errors import ConfigError, OutputError
from cinescrub.testing.accuracy import (
    Subject,
    make_cases,
    measure_peer,
    measure_tool,
    summarise,
    table,
)
from cinescrub.testing.accuracy.peers import installed_peers, open_peer
from cinescrub.testing.accuracy.plot import draw_figures
from cinescrub.testing.suite import Case, accuracy_suite

__all__ = ["Choice", "Targets", "measure_accuracy"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are measured."""

    seeds: int
    frames: int
    rows: int
    columns: int
    groups: tuple[str, ...] = ()
    """Names, or patterns such as `jpeg-*`; all where empty."""
    faces: tuple[Path, ...] = ()
    """Font files, each a group of its own."""

    def cases(self) -> list[Case]:
        """Return the cases.

        Raises
        ------
        ConfigError
            A pattern fits no group of the suite.
        """
        suite = accuracy_suite(
            self.seeds,
            frames=self.frames,
            rows=self.rows,
            columns=self.columns,
            faces=self.faces,
        )
        for pattern in self.groups:
            if not any(fnmatch(case.group, pattern) for case in suite):
                known = ", ".join(dict.fromkeys(case.group for case in suite))
                raise ConfigError(f"--group {pattern}: choose of {known}")
        patterns = self.groups or ("*",)
        return [case for case in suite if any(fnmatch(case.group, each) for each in patterns)]


@dataclass(frozen=True, slots=True)
class Targets:
    """Where results and scratch files go."""

    json: Path | None = None
    plot: Path | None = None
    work: Path | None = None
    """Parent of the scratch folder; the system's where None."""
    keep: bool = False
    """Whether the scratch folder stays."""


def measure_accuracy(
    choice: Choice,
    peers: Sequence[str],
    run_options: Sequence[str],
    targets: Targets,
    *,
    explain: bool,
) -> int:
    """Measure, print the table, write JSON and plot, and return the exit code.

    A leak is a result, not a failure: the code is 0 whatever was found.
    """
    cases = choice.cases()
    opened = installed_peers() if "all" in peers else [open_peer(name) for name in peers]
    settings = asdict(choice) | {
        "faces": [face.name for face in choice.faces],
        "run_options": list(run_options),
        "machine": machine(),
    }
    folder = Path(tempfile.mkdtemp(prefix="cinescrub-accuracy-", dir=targets.work))
    try:
        made = make_cases(cases, folder / "in", say)
        tool = folder / "cinescrub"
        subjects = [
            measure_tool(made, tool, run_options, version=__version__, explain=explain, say=say)
        ]
        _publish(subjects, settings, targets)
        for peer in opened:
            subjects.append(measure_peer(made, peer, say))
            _publish(subjects, settings, targets)
    finally:
        if targets.keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    typer.echo(table(subjects))
    return 0


def _publish(subjects: Sequence[Subject], settings: Mapping[str, Any], targets: Targets) -> None:
    """Write what is known so far: a peer that fails, late, costs nothing that was measured."""
    if targets.json is not None:
        told = jsonlib.dumps(summarise(subjects, settings), indent=1, ensure_ascii=False)
        _write(targets.json, f"{told}\n".encode())
    if targets.plot is not None:
        _, picture = cv2.imencode(".png", draw_figures(subjects)[..., ::-1])
        _write(targets.plot, picture.tobytes())


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} can't be written") from error
