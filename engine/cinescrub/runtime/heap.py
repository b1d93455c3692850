"""The C library's heap: whether it keeps what was freed, for the next time, or gives it back."""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["give_back_freed"]

_M_MMAP_THRESHOLD: Final = -3
"""mallopt(3), of glibc's malloc.h."""
_LARGE_BYTES: Final = 1 << 20
"""Activations of the models and decoded frames are larger, what Python holds is smaller."""


def give_back_freed() -> bool:
    """Let the memory of large blocks go back to the system as they are freed, from now on.

    Left alone, glibc raises its threshold to the largest block that was freed, up to 32 MiB: then
    models' activations come from a heap that is only ever cut at its end, and a process stays as
    large as it once was, or grows in steps. Costs page faults (`docs/design/008-cost.md`).

    Returns
    -------
    bool
        False where the C library has no such setting (musl, macOS, Windows): nothing was done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; no such handle on Windows
        return False
    return bool(mallopt(ctypes.c_int(_M_MMAP_THRESHOLD), ctypes.c_int(_LARGE_BYTES)))
