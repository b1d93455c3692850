"""Engines for a node's worker process: real headers and files, fake models; and faulty ones.

They travel to the process by name, so they are of a module of their own.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.conftest import make_engine

from cinescrub.node.worker import RunsFiles
from cinescrub.pipeline.engine import Observer, Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken

TRIGGER = b"FAULT^"
"""A file in which this stands befalls what stands behind it."""


@dataclass(frozen=True)
class FakeEngine:
    """The engine of fakes, which takes a tenth of a second for a small cine."""

    delay_s: float = 0.0

    def __call__(self) -> RunsFiles:
        return _Engine(self.delay_s)


class _Engine:
    def __init__(self, delay_s: float) -> None:
        self._engine = make_engine()
        self._delay_s = delay_s

    def run(
        self, path: Path, out: Targets, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        time.sleep(self._delay_s)
        _, found, rest = path.read_bytes().partition(TRIGGER)
        if found:
            return _FAULTS[rest[:4].decode()](path)
        return self._engine.run(path, out, token=token, observer=observer)

    def close(self) -> None:
        self._engine.close()


def _killed(path: Path) -> FileReport:
    os.kill(os.getpid(), signal.SIGSEGV)
    return _stuck(path)


def _stuck(path: Path) -> FileReport:
    time.sleep(3600)
    return FileReport(path, Status.FAILED)


def _quarantined(path: Path) -> FileReport:
    return FileReport(path, Status.QUARANTINED, reason="review this file")


def _failed(path: Path) -> FileReport:
    return FileReport(path, Status.FAILED, reason="no space left on the target")


_FAULTS = {"KILL": _killed, "HANG": _stuck, "QUAR": _quarantined, "FAIL": _failed}
