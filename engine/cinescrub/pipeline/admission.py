"""How much memory an input takes, and when there is room for it.

What is taken besides the models depends on the size of the frames, never on their number: a
detector's activations, bounded by its tiles, and what is held of a frame in pixels of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Self

from cinescrub.bundle import Precision, Slot
from cinescrub.errors import ConfigError, InputError
from cinescrub.pipeline.assembly import SIZES
from cinescrub.pipeline.job import Job
from cinescrub.stream import Room
from cinescrub.telemetry import resident_bytes
from cinescrub.text.tiles import Tiling
from cinescrub.types import CineInfo

__all__ = ["Admission", "need_bytes"]

_MIB: Final = 1 << 20
_SMALLEST: Final = (240, 320)
"""Rows and columns: a limit that has no room for these has room for nothing."""

# Measured with large blocks given back as they are freed, an eighth or more added
# (`docs/design/008-cost.md`, Memory).
_FRAME_BYTES: Final = 80
"""A pixel of the frame: it and its like decoded, averages, strokes, score maps."""
_BY_PRECISION: Final = {Precision.INT8: (72 * _MIB, 300)}
_AS_PUBLISHED: Final = (128 * _MIB, 450)
"""Whatever the size: readers, classifier, header, what networks take at once; and a pixel that
CRAFT sees at once. In its 8-bit form, and in all others."""
_ENLARGED: Final = max(*SIZES[Slot.CRAFT].plain, *SIZES[Slot.CRAFT].detail) ** 2
"""Pixels that its largest look sees for one of the frame."""


def need_bytes(rows: int, columns: int, precision: Precision) -> int:
    """Return the most memory that an input takes besides the models, whatever its frames show."""
    pixels = rows * columns
    seen = min(_ENLARGED * pixels, Tiling().tile_px ** 2)
    always, by_seen = _BY_PRECISION.get(precision, _AS_PUBLISHED)
    return always + _FRAME_BYTES * pixels + int(by_seen * seen)


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets inputs in while what they need together fits; shared by all inputs of an engine."""

    room: Room
    """Bytes."""
    precision: Precision
    """Of CRAFT."""

    @classmethod
    def within(cls, max_memory_mib: int, precision: Precision) -> Self:
        """Share what the limit leaves beside what this process takes now, its models loaded.

        Raises
        ------
        ConfigError
            That is too little for any input.
        """
        taken = resident_bytes()
        least = taken + need_bytes(*_SMALLEST, precision)
        if max_memory_mib * _MIB < least:
            raise ConfigError(
                f"max_memory_mib is {max_memory_mib}, the models take {-(-taken // _MIB)}:"
                f" give {-(-least // _MIB)} at least"
            )
        return cls(Room(max_memory_mib * _MIB - taken), precision)

    @contextmanager
    def held(self, job: Job, info: CineInfo) -> Iterator[None]:
        """Wait until there is room for a cine, and keep it while the block runs.

        Raises
        ------
        InputError
            There will never be.
        CancelledError
            The job's token was set.
        """
        need = need_bytes(info.rows, info.columns, self.precision)
        if need > self.room.size:
            raise InputError(
                f"frames of {info.columns} x {info.rows} take up to {-(-need // _MIB)} MiB, where"
                f" the memory limit leaves {self.room.size // _MIB}: raise it for this file"
            )
        with ExitStack() as stack:
            with job.timer.stage("wait"):
                stack.enter_context(self.room.taken(need, job.token))
            yield
