"""Cut a node's power again and again: is anything lost that it had said to have?

    sudo python -m benchmarks.node_power --cuts 100 --json benchmarks/results/node-power.json

As `node_kill`, but what the node finds at its next start is what its disk held at the cut. The disk
is an ext4 file system in a file; at a cut its processes are frozen, the file is cloned (which
takes a moment and sees all or nothing of each write), and the node goes on from the clone. What was
written and never synced is gone, as its pages were in the memory of the file system above. A disk
that answers a flush before it is done is not tried. Linux, root, xfsprogs, e2fsprogs.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.node_kill import kill_rounds, told

from cinescrub.bench.machine import machine

_LOWER_MIB = 8192
_DISK_MIB = 4096
"""Both full of holes; with less free, the node would take nothing."""
_BUSY_S = 10.0
"""For the last process to let go of a file system."""


def _do(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


def _unmount(place: Path) -> None:
    deadline = time.monotonic() + _BUSY_S
    while subprocess.run(["umount", place], check=False, stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > deadline:
            raise SystemExit(f"{place} can't be unmounted")
        time.sleep(0.02)


@dataclass
class Disk:
    """A file system that loses what was not synced, each time that its power is cut."""

    lower: Path
    """Where its file lies: a file system that clones files."""
    place: Path
    """Where it is mounted."""

    def cut(self, process: subprocess.Popen[bytes]) -> None:
        """End a node as if it lost its power, and mount what its disk held."""
        os.killpg(process.pid, signal.SIGSTOP)
        _do("cp", "--reflink=always", self.lower / "disk", self.lower / "clone")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _unmount(self.place)
        (self.lower / "clone").rename(self.lower / "disk")
        self.mount()

    def mount(self) -> None:
        """Mount it; ext4 replays its journal."""
        _do("mount", "-o", "loop", self.lower / "disk", self.place)


@contextmanager
def opened(folder: Path) -> Iterator[Disk]:
    """Make a disk in a folder, and take it away."""
    disk = Disk(folder / "lower", folder / "disk")
    disk.lower.mkdir()
    disk.place.mkdir()
    with (folder / "lower.img").open("wb") as file:
        file.truncate(_LOWER_MIB << 20)
    _do("mkfs.xfs", "-q", "-m", "reflink=1", folder / "lower.img")
    _do("mount", "-o", "loop", folder / "lower.img", disk.lower)
    try:
        with (disk.lower / "disk").open("wb") as file:
            file.truncate(_DISK_MIB << 20)
        _do("mkfs.ext4", "-q", "-F", disk.lower / "disk")
        disk.mount()
        try:
            yield disk
        finally:
            _unmount(disk.place)
    finally:
        _unmount(disk.lower)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="node-power-") as scratch:
        folder = Path(scratch)
        with opened(folder) as disk:
            found = kill_rounds(folder, disk.place, options.cuts, options.seed, disk.cut)
    result = {"machine": machine(), "cuts": found.pop("kills"), **found}
    return told(result, options.json)


if __name__ == "__main__":
    sys.exit(main())
