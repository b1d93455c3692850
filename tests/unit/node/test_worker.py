"""The engine's process: what it can't start with, and what it says when it ends."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.node.conftest import small_cine
from tests.integration.node.engines import FakeEngine

from cinescrub.errors import CancelledError, ConfigError, ModelError
from cinescrub.node.worker import RunsFiles, Task, Worker
from cinescrub.report import Status


@dataclass(frozen=True)
class Refuses:
    error: Exception

    def __call__(self) -> RunsFiles:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (ConfigError("no such profile"), ConfigError, "no such profile"),
        (ModelError("craft is missing"), ModelError, "craft is missing"),
        (ValueError("DOE^JANE"), ModelError, "unexpected ValueError"),
    ],
    ids=["config", "model", "fault"],
)
def test_why_no_engine_can_be_begun_is_told(
    error: Exception, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        Worker(Refuses(error), 10).start()

    assert "JANE" not in str(caught.value)


def test_inputs_one_after_the_other_and_a_stop(tmp_path: Path) -> None:
    small_cine(tmp_path / "cine.dcm")
    stopping = threading.Event()
    with Worker(FakeEngine(), 30) as worker:
        first = worker.run(Task(tmp_path / "cine.dcm", tmp_path / "one", alone=False), stopping)
        alone = worker.run(Task(tmp_path / "cine.dcm", tmp_path / "two", alone=True), stopping)
        none = worker.run(Task(tmp_path / "none.dcm", tmp_path / "three", alone=False), stopping)

    assert first.status is alone.status is Status.OK
    assert first.output is not None
    assert alone.output is not None
    assert first.output.name != alone.output.name
    assert none.status is Status.QUARANTINED
    assert worker.starts == 1


def test_work_stops_at_once(tmp_path: Path) -> None:
    small_cine(tmp_path / "cine.dcm")
    stopping = threading.Event()
    with Worker(FakeEngine(delay_s=3600), 3600) as worker:
        threading.Timer(0.2, stopping.set).start()
        began = time.monotonic()
        with pytest.raises(CancelledError):
            worker.run(Task(tmp_path / "cine.dcm", tmp_path / "out", alone=False), stopping)

    assert time.monotonic() - began < 10
