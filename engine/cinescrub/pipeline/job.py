"""One input on its way: what is known of it becomes its report, however it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from cinescrub.errors import (
    CancelledError,
    CinescrubError,
    ClusterError,
    ConfigError,
    DuplicateError,
    InputError,
    ModelError,
    NotDicomError,
    OutputError,
    origin_of,
)
from cinescrub.kinds import Location
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken
from cinescrub.telemetry import StageTimer

__all__ = ["Job", "Nobody", "Observer"]

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Who is told of progress. Called from the threads that run the engine, one an input."""

    def begins(self, source: Location) -> None:
        """Hear that an input begins."""

    def frames(self, stage: str, done: int, total: int) -> None:
        """Hear how many frames of a stage are done."""


class Nobody:
    """An observer that hears nothing."""

    def begins(self, source: Location) -> None:
        """Ignore it."""

    def frames(self, stage: str, done: int, total: int) -> None:
        """Ignore it."""


@dataclass(slots=True)
class Job:
    """The work on one input, and its report so far."""

    path: Path
    token: CancelToken
    observer: Observer
    timer: StageTimer = field(default_factory=StageTimer)
    report: FileReport = field(init=False)

    def __post_init__(self) -> None:
        self.report = FileReport(self.path, Status.FAILED)

    def note(self, **facts: object) -> None:
        """Put facts into the report, by the names of its fields."""
        self.report = replace(self.report, **facts)  # type: ignore[arg-type]  # `replace` checks

    def told(self, stage: str, total: int) -> Callable[[int], None]:
        """Return a function that tells the observer how many frames of a stage are done."""
        return lambda done: self.observer.frames(stage, done, total)

    def ended(self, work: Callable[[Job], None]) -> FileReport:
        """Do the work and turn however it ends into the report.

        Raises
        ------
        CancelledError
            The token was set: there is nothing to report.
        """
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            work(self)
            self.note(status=Status.OK)
        except CancelledError:
            raise
        except Exception as error:
            self.note(**_ending(error))
        cores = (time.process_time() - cpu) / max(time.perf_counter() - wall, 1e-6)
        self.note(seconds=self.timer.seconds(), cores=cores)
        return self.report


def _ending(error: Exception) -> dict[str, object]:
    """Return status, reason and exit code of an input that ended with an error."""
    if isinstance(error, NotDicomError | DuplicateError):
        return {"status": Status.SKIPPED, "reason": error.message}
    if isinstance(error, CinescrubError):
        surroundings = isinstance(error, ClusterError | ConfigError | ModelError | OutputError)
        return {
            "status": Status.FAILED if surroundings else Status.QUARANTINED,
            "reason": error.message,
            "exit_code": error.exit_code,
        }
    if isinstance(error, MemoryError):
        return {
            "status": Status.QUARANTINED,
            "reason": "not enough memory for this file's frames",
            "exit_code": InputError.exit_code,
        }
    # A fault of ours: the batch goes on, and what is said holds names of code, not of people.
    name = type(error).__name__
    logger.debug("unexpected %s", name)
    return {
        "status": Status.QUARANTINED,
        "reason": f"unexpected {name} in {origin_of(error)}: report this file",
        "exit_code": CinescrubError.exit_code,
    }
