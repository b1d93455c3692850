"""Puts cases through what is measured and scores what comes out. Draws and prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from cinescrub.errors import ConfigError
from cinescrub.testing.accuracy.causes import Cause, causes_of
from cinescrub.testing.accuracy.peers import Box, Peer
from cinescrub.testing.accuracy.peers.files import fill
from cinescrub.testing.accuracy.tool import ToolRun, inspected_share, run_tool
from cinescrub.testing.cine import make_cine
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames
from cinescrub.testing.score import CineScore, score_frames, score_missing
from cinescrub.testing.suite import Case
from cinescrub.testing.truth import CineTruth

__all__ = ["Made", "Outcome", "Say", "Subject", "make_cases", "measure_peer", "measure_tool"]

Say: TypeAlias = Callable[[str], None]
"""Told what goes on, one line a time."""


@dataclass(frozen=True, slots=True)
class Made:
    """A case as a file."""

    case: Case
    path: Path
    truth: CineTruth


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case."""

    case: Case
    score: CineScore
    status: str = "ok"
    reason: str = ""
    header_leaks: tuple[str, ...] | None = ()
    """Places of planted identifiers that the output still holds; None of what has no header."""
    causes: Mapping[str, Cause] = field(default_factory=dict)
    """Why a string was missed, by its name."""
    inspected_share: float | None = None
    """Pixels that a detector ran on, of what it takes to run it once on every frame."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by stage."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that was measured, with all its outcomes."""

    name: str
    version: str
    seconds: float
    """Wall time of all cases."""
    outcomes: tuple[Outcome, ...]
    exit_code: int = 0


def make_cases(cases: Sequence[Case], folder: Path, say: Say) -> list[Made]:
    """Write the cines into `folder`, which is made new."""
    folder.mkdir()
    made: list[Made] = []
    for index, case in enumerate(cases, start=1):
        say(f"making {index}/{len(cases)}: {case.name}")
        path = folder / f"{case.name}.dcm"
        made.append(Made(case, path, make_cine(case.spec, path)))
    return made


def measure_tool(
    made: Sequence[Made],
    folder: Path,
    options: Sequence[str],
    *,
    version: str,
    explain: bool,
    say: Say,
) -> Subject:
    """Run `cinescrub run` on all cases, in one process, and score its outputs.

    Parameters
    ----------
    made : sequence of Made
        The cases.
    folder : Path
        Scratch; made new.
    options : sequence of str
        More options of `cinescrub run`.
    version : str
        Of cinescrub, for the result.
    explain : bool
        Whether to find out why a string was missed: up to two more runs of its cine.
    say : callable
        Told of the progress.

    Raises
    ------
    ConfigError
        The run reported nothing at all: its options or its models are wrong.
    """
    folder.mkdir()
    say(f"cinescrub run: {len(made)} cines")
    run = run_tool([each.path for each in made], folder / "run", options)
    if not run.lines:
        raise ConfigError(f"`cinescrub run` reported nothing and ended with {run.code}: see above")
    outcomes: list[Outcome] = []
    for index, each in enumerate(made, start=1):
        outcome = _outcome(each, run)
        if explain and outcome.score.misses:
            say(f"why was it missed: {each.case.name} ({len(outcome.score.misses)} strings)")
            causes = causes_of(
                outcome.score, each.truth, each.path, folder / f"again-{index}", options
            )
            outcome = replace(outcome, causes=causes)
        outcomes.append(outcome)
    return Subject("cinescrub", version, run.seconds, tuple(outcomes), run.code)


def measure_peer(made: Sequence[Made], peer: Peer, say: Say) -> Subject:
    """Fill what a peer finds in the cases' decoded frames, and score them as outputs."""
    outcomes: list[Outcome] = []
    started = time.perf_counter()
    for index, each in enumerate(made, start=1):
        say(f"{peer.name} {index}/{len(made)}: {each.case.name}")
        begun = time.perf_counter()
        boxes = peer.boxes(read_frames(each.path), each.truth.frames)
        seconds = time.perf_counter() - begun
        score = score_frames(read_frames(each.path), _filled(each.path, boxes), each.truth)
        outcomes.append(Outcome(each.case, score, header_leaks=None, seconds={"inspect": seconds}))
    elapsed = time.perf_counter() - started
    return Subject(peer.name, peer.version, elapsed, tuple(outcomes))


def _filled(path: Path, boxes: Sequence[list[Box]]) -> Iterator[Canvas]:
    for original, found in zip(read_frames(path), boxes, strict=True):
        frame = original.copy()
        fill(frame, found)
        yield frame


def _outcome(made: Made, run: ToolRun) -> Outcome:
    line: dict[str, Any] = run.lines.get(made.path.name, {})
    output = run.output(made.path.name)
    status, reason = str(line.get("status", "absent")), str(line.get("reason") or "")
    if output is None:
        return Outcome(made.case, score_missing(made.truth), status, reason)
    try:
        score = score_frames(read_frames(made.path), read_frames(output), made.truth)
    except Exception as error:  # whatever another decoder makes of it: it is no output
        reason = f"not the source's frames, or unreadable: {type(error).__name__}"
        return Outcome(made.case, score_missing(made.truth), status, reason)
    return Outcome(
        case=made.case,
        score=score,
        status=status,
        reason=reason,
        header_leaks=tuple(plant.place for plant in find_leaks(output, made.truth.planted)),
        inspected_share=inspected_share(line),
        seconds=line.get("seconds", {}),
    )
