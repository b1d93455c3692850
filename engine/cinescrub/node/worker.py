"""The engine in a process of its own, under a watchdog: what kills or blocks it holds up nothing.

The process is begun anew (not forked: models and threads don't survive that) and ends with its
parent, however that ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from cinescrub.config import EngineConfig
from cinescrub.dicom.source import Source
from cinescrub.errors import (
    CancelledError,
    CinescrubError,
    ConfigError,
    InferenceError,
    ModelError,
    OutputError,
    origin_of,
)
from cinescrub.kinds import Location
from cinescrub.pipeline.engine import Engine, Observer
from cinescrub.pipeline.targets import Target, Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken

__all__ = ["EngineFactory", "Result", "RunsFiles", "Task", "Worker", "WorkerDied", "open_engine"]

logger = logging.getLogger(__name__)

_START_S: Final = 300.0
"""For loading the models, on a slow disk."""
_POLL_S: Final = 0.5
_STOP_S: Final = 10.0
"""For the frame in work to end, when the node stops."""
_TELL_EVERY_S: Final = 1.0


class RunsFiles(Protocol):
    """What is needed of an engine."""

    def run(
        self, path: Path, out: Targets, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        """De-identify one file."""

    def close(self) -> None:
        """Let the models go."""


EngineFactory = Callable[[], RunsFiles]
"""Opens the engine in the worker's process; it travels there, so it is of a module's own."""


@dataclass(frozen=True, slots=True)
class Task:
    """One input for the engine."""

    source: Path
    out: Path
    """Folder of its output alone."""
    alone: bool
    """Whether the output is an instance of its own, though its UID is another's too."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the engine ended with an input: what of its report the node needs."""

    status: Status
    reason: str | None = None
    output: Path | None = None
    sha256: str | None = None
    seconds: float = 0.0


class WorkerDied(Exception):  # noqa: N818  # nobody's fault that an exit code tells
    """The process ended, or told of nothing for too long and was ended.

    Parameters
    ----------
    reason : str
        In a few words.
    """

    @property
    def reason(self) -> str:
        """In a few words."""
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """The factory of the real engine."""

    config: EngineConfig

    def __call__(self) -> RunsFiles:
        """Load the models."""
        return Engine.open(self.config)


def open_engine(config: EngineConfig) -> EngineFactory:
    """Return what opens the real engine."""
    return OpenEngine(config)


class Worker:
    """One such process. A context manager; one thread uses it.

    Parameters
    ----------
    factory : EngineFactory
        Opens the engine.
    stuck_after_s : float
        The process is ended if it tells of no progress for so long.
    """

    def __init__(self, factory: EngineFactory, stuck_after_s: float) -> None:
        self._factory = factory
        self._stuck_after_s = stuck_after_s
        self._process: Any = None
        self._pipe: Connection | None = None
        self.starts = 0
        """How often a process was begun."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin the process, and wait until its engine is loaded.

        Raises
        ------
        ConfigError
            The engine's settings can't be.
        ModelError
            A model is missing or differs, or nothing was loaded in time.
        OutputError
            A folder of the engine's can't be written.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_main, args=(theirs, self._factory), name="engine", daemon=False
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self.starts += 1
        try:
            told = ours.recv() if ours.poll(_START_S) else None
        except (EOFError, OSError):
            raise ModelError(f"the engine's process ended while it loaded: {self._end()}") from None
        if told == "ready":
            return
        self._end()
        if told is None:
            raise ModelError("the engine did not load its models in time")
        kind, message = told
        raise _ERRORS.get(kind, ModelError)(message)

    def run(self, task: Task, stopping: threading.Event) -> Result:
        """De-identify one input.

        Parameters
        ----------
        task : Task
            The input.
        stopping : Event
            Ends the work; nothing half-written is left.

        Raises
        ------
        CancelledError
            It was stopped.
        WorkerDied
            The process ended, or was ended because it was stuck. The next `run` begins another.
        ConfigError, ModelError, OutputError
            Another could not be begun.
        """
        if self._pipe is None or not self._process.is_alive():
            self._end()
            self.start()
        pipe = self._pipe
        assert pipe is not None  # noqa: S101  # it was started
        try:
            pipe.send(task)
            return self._result(pipe, stopping)
        except (EOFError, OSError):
            raise WorkerDied(self._end()) from None

    def close(self) -> None:
        """End the process. May be called twice."""
        if self._pipe is not None:
            self._pipe.close()  # which it hears
            self._pipe = None
            self._process.join(_STOP_S)
        self._end()

    def _result(self, pipe: Connection, stopping: threading.Event) -> Result:
        heard = time.monotonic()
        while True:
            if pipe.poll(_POLL_S):
                told = pipe.recv()
                heard = time.monotonic()
                if isinstance(told, Result):
                    return told
            if stopping.is_set():
                self.close()
                raise CancelledError("the node stops")
            if time.monotonic() - heard > self._stuck_after_s:
                self._end()
                raise WorkerDied(f"no progress for {self._stuck_after_s:.0f} s")

    def _end(self) -> str:
        """See that the process is gone; return how it ended."""
        process, self._process = self._process, None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if process is None:
            return "ended"
        process.join(_POLL_S)
        if process.is_alive():
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


_ERRORS: Final[dict[str, type[CinescrubError]]] = {
    error.__name__: error for error in (ConfigError, ModelError, OutputError, InferenceError)
}


class _Alone(Targets):
    """Targets that give an instance the UID of its content, as the other of its UID has its own."""

    def take(
        self, source: Source, *, study_uid: str, series_uid: str, uids: tuple[str, str]
    ) -> Target:
        _, own = uids
        return super().take(source, study_uid=study_uid, series_uid=series_uid, uids=(own, own))


class _Teller:
    """Tells the parent of progress, once a second at most."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._next = 0.0

    def begins(self, source: Location) -> None:
        """Say nothing: the parent knows."""

    def frames(self, stage: str, done: int, total: int) -> None:
        """Say that frames are done."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            self._pipe.send(done)


def _main(pipe: Connection, factory: EngineFactory) -> None:
    """Work in the child process until the pipe closes."""
    # The node is told to stop, and tells us: a terminal or service manager may signal all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        engine = factory()
    except CinescrubError as error:
        pipe.send((type(error).__name__, error.message))
        return
    except Exception as error:
        pipe.send(("", f"unexpected {type(error).__name__} in {origin_of(error)}"))
        return
    pipe.send("ready")
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    # A daemon, as it waits for a parent that may never say more.
    threading.Thread(target=_listen, args=(pipe, tasks), name="parent", daemon=True).start()
    while True:
        pipe.send(_work(engine, tasks.get(), _Teller(pipe)))


def _listen(pipe: Connection, tasks: queue.SimpleQueue[Task]) -> None:
    """Hand tasks on. When the parent is gone or wants no more, end at once.

    What is half-written is aside, and what it is made of is the parent's: the next start clears it.
    """
    try:
        while True:
            tasks.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)


def _work(engine: RunsFiles, task: Task, teller: _Teller) -> Result:
    kind = _Alone if task.alone else Targets
    began = time.monotonic()
    try:
        targets = kind.open(task.out, [task.source])
        report = engine.run(task.source, targets, token=CancelToken(), observer=teller)
    except CinescrubError as error:
        return Result(Status.FAILED, error.message)
    except MemoryError:
        return Result(Status.FAILED, "not enough memory")
    except Exception as error:  # a fault of ours, whose traceback could hold values
        where = f"unexpected {type(error).__name__} in {origin_of(error)}"
        return Result(Status.QUARANTINED, f"{where}: report this")
    return Result(
        report.status,
        report.reason,
        report.output,
        report.sha256_out,
        time.monotonic() - began,
    )
