"""Seconds by stage and peak memory, for the report and the benchmark. Holds numbers only."""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["StageTimer", "peak_memory_bytes", "resident_bytes"]


def peak_memory_bytes() -> int:
    """Return the largest resident size that this process has had.

    Linux keeps `ru_maxrss` over `exec`, so that a small process started by a large one would show
    its parent's size; `VmHWM` begins anew with each program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, KiB elsewhere


def resident_bytes() -> int:
    """Return the resident size of this process; where the system doesn't tell, its largest."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return peak_memory_bytes()


class StageTimer:
    """Add up wall seconds by stage name; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block and add it to a stage, whether or not the block succeeds."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add seconds to a stage."""
        with self._lock:
            self._seconds[name] = self._seconds.get(name, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Return a copy of the sums, in the order in which the stages first ran."""
        with self._lock:
            return dict(self._seconds)
