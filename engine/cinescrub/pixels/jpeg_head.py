"""What a JPEG stream declares in front of its coded data: tables, sizes, which MCUs are covered.

Reads marker segments; looks at no entropy-coded bit. ITU-T T.81 annex B.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import PROCESS_NAMES
from cinescrub.pixels.huffman import Table
from cinescrub.pixels.jpeg_markers import APPLICATION, DHT, DRI, Head
from cinescrub.types import Boxes

__all__ = ["Grid", "Part", "State", "read_parts", "state_behind"]

Grid: TypeAlias = npt.NDArray[np.bool_]

_DQT: Final = 0xDB


@dataclass(frozen=True, slots=True)
class Part:
    """A component of the frame header."""

    identifier: int
    h: int
    v: int
    quantiser: int


@dataclass(slots=True)
class State:
    """Tables as they stand at a point of the stream."""

    dc: dict[int, Table] = field(default_factory=dict)
    ac: dict[int, Table] = field(default_factory=dict)
    first_quantiser: dict[int, int] = field(default_factory=dict)
    """Quantiser of the DC coefficient, by table number."""
    restart: int = 0
    parts: tuple[Part, ...] = ()
    covered: Grid | None = None
    """(MCU rows, MCU columns)."""
    done: set[int] = field(default_factory=set)
    """Components whose scan was seen."""

    def copy(self) -> State:
        """Return a state that can be changed on its own."""
        tables = dict(self.dc), dict(self.ac), dict(self.first_quantiser)
        return State(*tables, self.restart, self.parts, self.covered, set(self.done))

    def note(self, marker: int, body: memoryview, rows: int, columns: int, boxes: Boxes) -> None:
        """Take the tables and sizes of a segment.

        Raises
        ------
        InputError
            The segment is corrupt, or of a process that isn't handled.
        """
        try:
            if marker == DHT:
                for slot, table in _tables(bytes(body)):
                    (self.ac if slot >> 4 else self.dc)[slot & 3] = table
            elif marker == _DQT:
                self.first_quantiser |= _quantisers(body)
            elif marker == DRI:
                (self.restart,) = struct.unpack(">H", body)
            elif marker in (0xC0, 0xC1):
                if self.parts:
                    raise InputError("a JPEG stream is corrupt: two frame headers")
                self.parts = read_parts(body)
                self.covered = _cover(self.parts, rows, columns, boxes)
            elif marker < 0xE0:
                name = PROCESS_NAMES.get(marker, f"JPEG with marker 0x{marker:02X}")
                raise InputError(f"{name} can't be redacted: convert the file first")
        except (IndexError, struct.error):
            raise InputError("a JPEG stream is corrupt: a segment is too short") from None


def state_behind(head: Head, rows: int, columns: int, boxes: Boxes) -> State:
    """Return the tables as they stand in front of the first scan.

    Parameters
    ----------
    head : Head
        Of the stream.
    rows, columns : int
        Of the picture.
    boxes : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive.

    Raises
    ------
    InputError
        As :meth:`State.note`.
    """
    view = memoryview(head.raw)
    state = State()
    for segment in head.segments:
        if segment.marker not in APPLICATION:
            state.note(segment.marker, view[segment.body : segment.end], rows, columns, boxes)
    return state


@lru_cache(maxsize=64)
def _tables(body: bytes) -> tuple[tuple[int, Table], ...]:
    """Read a DHT segment (T.81 B.2.4.2). The frames of a cine mostly share theirs."""
    tables = []
    while body:
        slot, counts = body[0], body[1:17]
        end = 17 + sum(counts)
        if len(counts) != 16 or end > len(body) or slot & 0xEC:
            raise InputError("a JPEG Huffman table is corrupt")
        tables.append((slot, Table(counts, body[17:end])))
        body = body[end:]
    return tuple(tables)


def _quantisers(body: memoryview) -> dict[int, int]:
    """Return the DC quantisers of a DQT segment (T.81 B.2.4.1), by table number."""
    quantisers = {}
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        size = 128 if wide else 64
        if wide > 1 or number > 3 or len(body) < 1 + size:
            raise InputError("a JPEG quantisation table is corrupt")
        first = body[1] << 8 | body[2] if wide else body[1]
        if not first:
            raise InputError("a JPEG quantisation table is corrupt: a zero")
        quantisers[number] = first
        body = body[1 + size :]
    return quantisers


def read_parts(body: memoryview) -> tuple[Part, ...]:
    """Read the components of a frame header (T.81 B.2.2)."""
    count = body[5]
    if len(body) != 6 + 3 * count:
        raise InputError("a JPEG frame header is corrupt: its length")
    parts = tuple(
        Part(body[i], body[i + 1] >> 4, body[i + 1] & 15, body[i + 2])
        for i in range(6, 6 + 3 * count, 3)
    )
    if not all(1 <= p.h <= 4 and 1 <= p.v <= 4 for p in parts):
        raise InputError("a JPEG frame header is corrupt: sampling factors")
    if len({p.identifier for p in parts}) != len(parts):
        raise InputError("a JPEG frame header is corrupt: component identifiers")
    # A single component is never interleaved, so that its factors mean nothing (T.81 A.2.2).
    return (replace(parts[0], h=1, v=1),) if count == 1 else parts


def _cover(parts: tuple[Part, ...], rows: int, columns: int, boxes: Boxes) -> Grid:
    """Return which MCUs the rectangles touch, (MCU rows, MCU columns)."""
    width, height = 8 * max(p.h for p in parts), 8 * max(p.v for p in parts)
    grid = np.zeros((-(-rows // height), -(-columns // width)), np.bool_)
    for x0, y0, x1, y1 in boxes.tolist():  # NumPy's own clip costs more than a frame's header
        x0, y0 = max(x0, 0), max(y0, 0)
        if x0 < min(x1, columns) and y0 < min(y1, rows):
            grid[y0 // height : -(-y1 // height), x0 // width : -(-x1 // width)] = True
    return grid
