"""Through the engine: whatever fails around it, no instance is left to nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.node.conftest import Clock, put

from cinescrub.errors import CancelledError, ModelError, OutputError
from cinescrub.node.desk import Desk
from cinescrub.node.entry import Entry, State
from cinescrub.node.observe import Metrics
from cinescrub.node.scrubbing import Scrubbing
from cinescrub.node.spool import Spool
from cinescrub.node.worker import Result, RunsFiles, Task, Worker, WorkerDied
from cinescrub.report import Status

_NEVER = threading.Event()


class Stub(Worker):
    """A worker without a process, which does what it is told."""

    def __init__(self, does: Callable[[Task], Result]) -> None:
        super().__init__(_no_engine, 1)
        self._does = does

    def run(self, task: Task, stopping: threading.Event) -> Result:
        assert task.source.read_bytes() == b"headpixels"
        return self._does(task)


def _no_engine() -> RunsFiles:
    raise AssertionError("there is none")


def _good(task: Task) -> Result:
    path = task.out / "1" / "2" / "3.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"clean")
    return Result(Status.OK, None, path, "0" * 64, 1.0)


def _raises(error: Exception) -> Callable[[Task], Result]:
    def does(_task: Task) -> Result:
        raise error

    return does


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def _scrubbing(spool: Spool, work: Path, does: Callable[[Task], Result]) -> Scrubbing:
    return Scrubbing(spool, Stub(does), work, ("a",), 3, Metrics(spool))


def _only(spool: Spool) -> Entry:
    (entry,) = Desk(spool.folder, spool.database).entries(*State)
    return entry


@pytest.mark.parametrize(
    ("does", "state", "reason"),
    [
        (_good, State.WORKING, None),
        (lambda _: Result(Status.QUARANTINED, "review"), State.HELD, "review"),
        (lambda _: Result(Status.SKIPPED, "not DICOM"), State.HELD, "not DICOM"),
        (lambda _: Result(Status.FAILED, "no space"), State.FAILED, "no space"),
        (_raises(ModelError("craft is missing")), State.FAILED, "craft is missing"),
        (_raises(WorkerDied("signal 9")), State.RECEIVED, "signal 9"),
    ],
    ids=["ok", "quarantined", "skipped", "failed", "no-engine", "died"],
)
def test_how_the_engine_ends_decides_where_it_stands(
    spool: Spool, work: Path, does: Callable[[Task], Result], state: State, reason: str | None
) -> None:
    put(spool)

    assert _scrubbing(spool, work, does).one(_NEVER)

    entry = _only(spool)
    assert entry.state is state
    assert reason is None or reason in str(entry.reason)
    assert list(work.iterdir()) == []


def test_what_was_stopped_is_as_it_was(spool: Spool, work: Path) -> None:
    put(spool)

    with pytest.raises(CancelledError):
        _scrubbing(spool, work, _raises(CancelledError("stop"))).one(_NEVER)

    assert _only(spool).state is State.RECEIVED
    assert list(work.iterdir()) == []


def test_what_could_not_be_written_down_is_taken_up_again(
    spool: Spool, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spool)
    scrubbing = _scrubbing(spool, work, _good)

    def full(*_: object) -> None:
        raise OutputError("SQLITE_FULL")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "scrubbed", full)
        with pytest.raises(OutputError):
            scrubbing.one(_NEVER)
    assert _only(spool).state is State.WORKING

    assert scrubbing.one(_NEVER)

    assert _only(spool).output == "1/2/3.dcm"


def test_without_room_for_the_decrypted_original_it_waits(
    spool: Spool, work: Path, clock: Clock
) -> None:
    put(spool)
    scrubbing = _scrubbing(spool, work / "gone", _good)

    assert scrubbing.one(_NEVER)

    entry = _only(spool)
    assert entry.state is State.FAILED
    assert "work folder" in str(entry.reason)
    assert not scrubbing.one(_NEVER)
    clock.now += 5
    assert scrubbing.one(_NEVER)
