"""Peak memory: of this process, and of the programs that it starts."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from cinescrub.telemetry import peak_memory_bytes

__all__ = ["ChildPeak", "peak_mib"]

_PROC: Final = Path("/proc")
_PERIOD_S: Final = 0.02
"""Between looks: a program that ends sooner is missed, and one that grows at its end, in part."""
_PARENT: Final = 1
"""Field of `/proc/PID/stat` behind the name (proc(5)): state, parent."""


def peak_mib() -> float:
    """Return the largest resident size that this process has had, in MiB."""
    return peak_memory_bytes() / 2**20


class ChildPeak:
    """The largest resident size of any program that this process starts in a block.

    What the kernel tells of ended children (`RUSAGE_CHILDREN`) begins with the size of who started
    them: `true`, started by a process of 300 MiB, has had 314 MiB by it. So their status is looked
    at while they run. Where there is no `/proc`, nothing is known and the peak is 0.
    """

    def __init__(self) -> None:
        self.mib = 0.0
        self._strangers: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if _PROC.is_dir():
            # What is there already is no program of ours; what comes is looked at once to know.
            self._strangers.update(os.listdir(_PROC))
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_PERIOD_S):
            for name in os.listdir(_PROC):
                if name not in self._strangers:
                    with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
                        self._look_at(name)

    def _look_at(self, name: str) -> None:
        stat = (_PROC / name / "stat").read_text(encoding="ascii", errors="replace")
        if int(stat.rpartition(")")[2].split()[_PARENT]) != os.getpid():
            self._strangers.add(name)
            return
        for line in (_PROC / name / "status").read_text("ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                self.mib = max(self.mib, int(line.split()[1]) / 1024)
