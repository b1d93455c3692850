"""The node as a process: kill -9 at random moments (`benchmarks/node_kill.py`: 200), and memory."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest
from benchmarks.node_kill import free_port, kill_rounds, settings, start, until_started
from pydicom import dcmread
from tests.integration.node.conftest import faulty_cine, send

# pynetdicom's clients leave their sockets to the garbage collector when a peer is killed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_killed_node_loses_nothing_and_sends_nothing_wrong(tmp_path: Path) -> None:
    found = kill_rounds(tmp_path, kills=5, seed=3)

    assert found["faults"] == []
    assert found["acknowledged"] == found["in_folder"] == found["at_peer"] > 0


def test_a_large_instance_is_never_whole_in_the_memory_of_the_node(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    faulty_cine(path, "QUAR")  # the engine leaves it at once
    dataset = dcmread(path)
    dataset.add_new(0x00091010, "OB", bytes(96 << 20))
    dataset.save_as(path)
    port = free_port()
    process = start(settings(tmp_path, port, peer=1), tmp_path / "log")
    try:
        until_started(process, tmp_path / "log")
        before = psutil.Process(process.pid).memory_info().rss

        assert send(port, path) == [0]

        assert _most_resident(process.pid) - before < 32 << 20
    finally:
        process.kill()
        process.wait()


def _most_resident(pid: int) -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) * 1024
