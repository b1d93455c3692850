"""The node as a process: kill -9 at random moments (`benchmarks/node_kill.py`: 200), and memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from benchmarks.node_kill import free_port, kill, kill_rounds, settings, start, until_started
from pydicom import dcmread
from tests.integration.node.conftest import faulty_cine, send, small_cine, until

# pynetdicom's clients leave their sockets to the garbage collector when a peer is killed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_killed_node_loses_nothing_and_sends_nothing_wrong(tmp_path: Path) -> None:
    found = kill_rounds(tmp_path, tmp_path, kills=4, seed=3, end=kill)

    assert found["faults"] == []
    assert found["acknowledged"] == found["in_folder"] == found["at_peer"] > 0


@contextmanager
def _process(tmp_path: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A node in a process, and its port."""
    port = free_port()
    process = start(settings(tmp_path, tmp_path, port, peer=1), tmp_path / "log")
    try:
        until_started(process, tmp_path / "log")
        yield psutil.Process(process.pid), port
    finally:
        process.kill()
        process.wait()


def _large(path: Path, size: int) -> Path:
    """An instance that the engine leaves at once, with so many bytes."""
    faulty_cine(path, "QUAR")
    dataset = dcmread(path)
    dataset.add_new(0x00091010, "OB", bytes(size))
    dataset.save_as(path)
    return path


def test_a_large_instance_is_never_whole_in_the_memory_of_the_node(tmp_path: Path) -> None:
    path = _large(tmp_path / "large.dcm", 96 << 20)
    with _process(tmp_path) as (process, port):
        before = process.memory_info().rss

        assert send(port, path) == [0]

        assert _most_resident(process.pid) - before < 32 << 20


def test_a_disk_that_fills_up_on_the_way_is_told_and_nothing_stays(tmp_path: Path) -> None:
    path = _large(tmp_path / "large.dcm", 12 << 20)
    small_cine(tmp_path / "small.dcm", seed=5)
    with _process(tmp_path) as (process, port):
        process.rlimit(psutil.RLIMIT_FSIZE, (4 << 20, 4 << 20))  # a write beyond it fails

        assert send(port, path) == [0xA700]
        assert list((tmp_path / "spool" / "in").iterdir()) == []
        assert send(port, tmp_path / "small.dcm") == [0]
        until(lambda: len(list((tmp_path / "out").rglob("*.dcm"))) == 1)


def _most_resident(pid: int) -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) * 1024
