"""Whether there is room for another instance: on the disk and in memory."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Resources", "available_memory", "free_space"]

_MIB: Final = 1 << 20
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
"""Names our control group (cgroups(7))."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The least that has to be free."""

    folder: Path
    """On the disk in question."""
    min_free_mib: int
    min_free_memory_mib: int

    def lacking(self) -> str | None:
        """Return what there is too little of, in a word; None while there is enough."""
        if free_space(self.folder) < self.min_free_mib * _MIB:
            return "disk"
        memory = available_memory() if self.min_free_memory_mib else None
        if memory is not None and memory < self.min_free_memory_mib * _MIB:
            return "memory"
        return None


def free_space(folder: Path) -> int:
    """Return bytes that this user may still write; 0 if that can't be told.

    Raises nothing: a disk that can't be asked has no room.
    """
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def available_memory() -> int | None:
    """Return bytes of memory that can be had without swapping, within our control groups too.

    None where the system doesn't tell (it is not Linux).
    """
    known = [known for known in (_system(), _group()) if known is not None]
    return min(known) if known else None


def _system() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _group() -> int | None:
    """Return what the tightest of our control groups (version 2) leaves; None without a limit."""
    with suppress(OSError, ValueError, IndexError):
        own = _OWN.read_text(encoding="utf-8").split("0::", 1)[1].strip()
        place = _CGROUPS / own.lstrip("/")
        rooms = [
            _left(group) for group in (place, *place.parents) if _CGROUPS in {group, *group.parents}
        ]
        return min((room for room in rooms if room is not None), default=None)
    return None


def _left(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return None
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    # What is only cached of files is given up first, so it counts as available.
    cached = dict(zip(stat[::2], stat[1::2], strict=False)).get("inactive_file", "0")
    return max(0, int(limit) - used + int(cached))
