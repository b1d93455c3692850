"""A spool in a fresh folder, whose clock the test turns, and instances to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cinescrub.node.backoff import Backoff
from cinescrub.node.entry import Accepted
from cinescrub.node.spool import Spool

SECRET = bytes(range(32))
BACKOFF = Backoff(first_s=5.0, most_s=900.0, days=2)


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Reopen = Callable[[], Spool]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path, clock: Clock) -> Iterator[Spool]:
    with Spool.open(folder, BACKOFF, SECRET, clock=clock) as opened:
        yield opened


def put(
    spool: Spool, content: bytes = b"pixels", uid: str = "1.2.3", peer: str = ""
) -> tuple[Accepted, str]:
    """Have an instance arrive and be accepted."""
    arrival = spool.arrival()
    arrival.begin(b"head", "1.2.840.10008.1.2.1")
    arrival.write(content)
    return spool.accept(arrival, uid, peer)


def scrub(spool: Spool, content: bytes = b"clean") -> Path:
    """Do what the engine does with the oldest instance: write an output and say so."""
    entry = spool.claim()
    assert entry is not None
    output = spool.output_folder(entry) / "2.25.1" / "2.25.2" / f"2.25.{int(entry.id, 16)}.dcm"
    output.parent.mkdir(parents=True)
    output.write_bytes(content)
    spool.scrubbed(entry, output, "0" * 64, ("a", "b"))
    return output


def files_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())
