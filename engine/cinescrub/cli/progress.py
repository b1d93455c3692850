"""Progress for people on a terminal; nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cinescrub.kinds import Location

__all__ = ["Quiet", "TerminalCount", "TerminalProgress", "progress"]


def progress(jobs: int = 1) -> Quiet:
    """Return the observer that fits: a bar if stderr is a terminal, else silence."""
    # Python sets stderr to None where it is closed
    if sys.stderr is None or not sys.stderr.isatty():
        return Quiet()
    return TerminalProgress() if jobs == 1 else TerminalCount()


class Quiet:
    """An observer that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def begins(self, source: Location) -> None:
        """Hear that an input begins."""

    def frames(self, stage: str, done: int, total: int) -> None:
        """Hear how many frames of a stage are done."""


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} frames/s" if speed else "")


class _Terminal(Quiet):
    """What owns the terminal's last line, on stderr, until it ends."""

    def __init__(self, *columns: ProgressColumn) -> None:
        self._bar = Progress(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        )
        self._number = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class TerminalProgress(_Terminal):
    """A bar for the cine in work: stage, frames, frames/s."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.fields[number]}"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _FramesPerSecond(),
        )
        self._task = self._bar.add_task("open", total=None, number="", visible=False)
        self._stage = ""
        self._shown = 0.0

    def begins(self, source: Location) -> None:
        """Show a new input by its number: its path can hold a name."""
        self._number += 1
        self._stage = ""

    def frames(self, stage: str, done: int, total: int) -> None:
        """Move the bar, at most ten times a second."""
        if stage != self._stage:
            self._stage = stage
            self._bar.reset(
                self._task, description=stage, total=total, number=f"#{self._number}", visible=True
            )
        now = time.monotonic()
        if done == total or now - self._shown > 0.1:
            self._shown = now
            self._bar.update(self._task, completed=done)


class TerminalCount(_Terminal):
    """How many inputs were begun, where several are in work."""

    def __init__(self) -> None:
        super().__init__(TextColumn("{task.description}"))
        self._task = self._bar.add_task("", total=None)
        self._lock = Lock()

    def begins(self, source: Location) -> None:
        """Count an input; called from several threads."""
        with self._lock:
            self._number += 1
            self._bar.update(self._task, description=f"#{self._number}")
