"""Doing a case again and again, each time in a process of its own, the cases in turn.

A new process each time is what makes every run cold: no cache, no warm allocator, no arena of the
run before. Its peak of memory is the case's own.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final, Self, TypeAlias

from cinescrub.bench.results import Figure, Row, Scalar
from cinescrub.errors import CancelledError, CinescrubError, InferenceError, origin_of
from cinescrub.stream import CancelToken

__all__ = [
    "Attempt",
    "Case",
    "Isolate",
    "Say",
    "Stopwatch",
    "Trial",
    "in_own_process",
    "measure",
]

_WAIT_S: Final = 0.2
"""How long a signal waits to be seen."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run of a case took."""

    figures: Mapping[str, float]
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    error: str | None = None
    """Why its figures don't count."""


Attempt: TypeAlias = Callable[[float], Trial]
"""Does a case once. Gets the clock (`time.perf_counter`) of when its process was started; can be
pickled."""
Isolate: TypeAlias = Callable[[Attempt, CancelToken], Trial]
"""Runs an attempt where it disturbs nobody."""
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured."""

    subject: str
    name: str
    attempt: Attempt
    facts: Mapping[str, Scalar] = field(default_factory=dict)


class Stopwatch:
    """Wall and CPU seconds of a block; those of child processes that ended in it count."""

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self._wall
        self.cpu = _cpu_seconds() - self._cpu


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(
    cases: Sequence[Case], rounds: int, *, isolate: Isolate, token: CancelToken, say: Say
) -> list[Row]:
    """Do all cases in turn, `rounds` times, and return a row for each.

    A case that fails is not tried again: its row tells why.

    Raises
    ------
    CancelledError
        The token was set.
    """
    trials: list[list[Trial]] = [[] for _ in cases]
    errors: dict[int, CinescrubError] = {}
    for turn in range(rounds):
        for index, case in enumerate(cases):
            if index in errors:
                continue
            say(f"{turn + 1}/{rounds} {case.subject}: {case.name}")
            try:
                trials[index].append(isolate(case.attempt, token))
            except CancelledError:
                raise
            except CinescrubError as error:
                errors[index] = error
    return [
        _row(case, done, errors.get(index))
        for index, (case, done) in enumerate(zip(cases, trials, strict=True))
    ]


def _row(case: Case, done: Sequence[Trial], error: CinescrubError | None) -> Row:
    facts, names = dict(case.facts), list[str]()
    if done:
        facts |= done[-1].facts
        # What every run measured: a stage that only some had has no median of all.
        names = [name for name in done[0].figures if all(name in t.figures for t in done)]
    if error is not None:
        facts["exit_code"] = error.exit_code
    figures = {name: Figure(tuple(trial.figures[name] for trial in done)) for name in names}
    told = next((trial.error for trial in done if trial.error), None)
    return Row(case.subject, case.name, facts, figures, error.message if error else told)


def in_own_process(attempt: Attempt, token: CancelToken) -> Trial:
    """Run an attempt in a new interpreter, which ends with it, or with the token.

    Raises
    ------
    CinescrubError
        What the attempt raised; `InferenceError` for anything else, or if its process was killed.
    CancelledError
        The token was set.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(sender, attempt, time.perf_counter()), daemon=True
    )
    process.start()
    sender.close()
    try:
        while not receiver.poll(_WAIT_S):
            token.check()
        ended = receiver.recv()
    except EOFError:
        process.join()
        code = process.exitcode
        raise InferenceError(f"its process ended with {code}: out of memory?") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(ended, CinescrubError):
        raise ended
    assert isinstance(ended, Trial)  # noqa: S101  # `_work` sends nothing else
    return ended


def _work(sender: Connection, attempt: Attempt, begun: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends us
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # stdout is the machine's, and what peers and libraries say can hold PHI
        os.dup2(silent, stream)
    ended: Trial | CinescrubError
    try:
        ended = attempt(begun)
    except CinescrubError as error:
        ended = error
    except Exception as error:  # whatever a peer raises; its message can hold PHI
        ended = InferenceError(f"{type(error).__name__} in {origin_of(error)}")
    sender.send(ended)
