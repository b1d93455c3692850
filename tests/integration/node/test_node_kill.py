"""kill -9 at random moments; `benchmarks/node_kill.py` does it two hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.node_kill import kill_rounds

# pynetdicom's clients leave their sockets to the garbage collector when a peer is killed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_killed_node_loses_nothing_and_sends_nothing_wrong(tmp_path: Path) -> None:
    found = kill_rounds(tmp_path, kills=5, seed=3)

    assert found["faults"] == []
    assert found["acknowledged"] == found["in_folder"] == found["at_peer"] > 0
