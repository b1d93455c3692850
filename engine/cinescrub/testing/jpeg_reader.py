"""Read the quantised coefficients of a sequential Huffman JPEG stream, slowly and plainly.

What redaction promises is about coefficients, so tests need them from a reader that shares no line
with `cinescrub.pixels`. It follows the text of ITU-T T.81 (annexes B and F), trusts its input and
knows no damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import numpy.typing as npt

__all__ = ["Component", "read_coefficients"]

_ONE_LEVEL = {0xC0, 0xC1}


@dataclass(slots=True)
class Component:
    """A component and its coefficients."""

    h: int
    v: int
    """Sampling factors."""
    blocks: npt.NDArray[np.int32]
    """(block rows, block columns, 64): quantised, in zigzag order, padded to whole MCUs."""


@dataclass(slots=True)
class _Tables:
    huffman: dict[int, dict[str, int]] = field(default_factory=dict)
    """By the byte that DHT names a table with: code, as a string of 0 and 1, to symbol."""
    restart: int = 0


def read_coefficients(frame: bytes) -> tuple[Component, ...]:
    """Return the components of a baseline or extended sequential stream, in their order."""
    tables = _Tables()
    components: dict[int, Component] = {}
    size = (0, 0)
    at = 2
    while at < len(frame):
        while frame[at + 1] == 0xFF:
            at += 1
        marker = frame[at + 1]
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", frame, at + 2)
        body = frame[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in _ONE_LEVEL:
            size = struct.unpack_from(">HH", body, 1)
            components = _components(body, *size)
        elif marker == 0xC4:
            _read_huffman(body, tables)
        elif marker == 0xDD:
            (tables.restart,) = struct.unpack(">H", body)
        elif marker == 0xDA:
            at = _read_scan(frame, at, body, components, tables, *size)
    return tuple(components.values())


def _components(body: bytes, rows: int, columns: int) -> dict[int, Component]:
    factors = {body[i]: (body[i + 1] >> 4, body[i + 1] & 15) for i in range(6, len(body), 3)}
    if len(factors) == 1:  # never interleaved: its factors mean nothing (A.2.2)
        factors = dict.fromkeys(factors, (1, 1))
    widest, highest = max(h for h, _ in factors.values()), max(v for _, v in factors.values())
    wide, high = -(-columns // (8 * widest)), -(-rows // (8 * highest))
    return {
        name: Component(h, v, np.zeros((high * v, wide * h, 64), np.int32))
        for name, (h, v) in factors.items()
    }


def _read_huffman(body: bytes, tables: _Tables) -> None:
    while body:
        counts, symbols = body[1:17], iter(body[17:])
        codes: dict[str, int] = {}
        code = 0
        for length, count in enumerate(counts, 1):  # C.2: codes of a length follow each other
            for _ in range(count):
                codes[f"{code:0{length}b}"] = next(symbols)
                code += 1
            code *= 2
        tables.huffman[body[0]] = codes
        body = body[17 + sum(counts) :]


class _Bits:
    """Coded data of a restart interval, as a string of 0 and 1."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\xff\x00", b"\xff")
        self._bits = "".join(f"{byte:08b}" for byte in plain)
        self._at = 0

    def symbol(self, codes: dict[str, int]) -> int:
        for length in range(1, 17):
            found = codes.get(self._bits[self._at : self._at + length])
            if found is not None:
                self._at += length
                return found
        raise ValueError("no code")

    def value(self, size: int) -> int:
        """Read `size` bits as F.2.2.1 says: those below the half are negative."""
        if not size:
            return 0
        raw = int(self._bits[self._at : self._at + size], 2)
        self._at += size
        return raw if raw >= 1 << (size - 1) else raw - (1 << size) + 1


def _read_scan(
    frame: bytes,
    at: int,
    body: bytes,
    components: dict[int, Component],
    tables: _Tables,
    rows: int,
    columns: int,
) -> int:
    """Read the scan whose data begins at `at` into its components; return where it ends."""
    chosen = [(components[body[1 + 2 * i]], body[2 + 2 * i]) for i in range(body[0])]
    end, intervals = _intervals(frame, at)
    units = list(_units([c for c, _ in chosen], list(components.values()), rows, columns))
    size = tables.restart or len(units)
    for k, data in enumerate(intervals):
        bits = _Bits(data)
        levels = [0] * len(chosen)
        for unit in units[k * size : (k + 1) * size]:
            for i, y, x in unit:
                component, slots = chosen[i]
                block = component.blocks[y, x]
                levels[i] += bits.value(bits.symbol(tables.huffman[slots >> 4]))
                block[0] = levels[i]
                _read_ac(bits, tables.huffman[0x10 | slots & 15], block)
    return end


def _read_ac(bits: _Bits, codes: dict[str, int], block: npt.NDArray[np.int32]) -> None:
    k = 1
    while k < 64:
        run, size = divmod(bits.symbol(codes), 16)
        if not size and run < 15:  # EOB
            return
        k += run
        block[k] = bits.value(size)
        k += 1


def _intervals(frame: bytes, at: int) -> tuple[int, list[bytes]]:
    """Return the end of a scan's data and its restart intervals."""
    intervals: list[bytes] = []
    start = at
    while True:
        at = frame.find(b"\xff", at)
        if at < 0 or at + 1 == len(frame):
            return len(frame), [*intervals, frame[start:]]
        following = frame[at + 1]
        if 0xD0 <= following <= 0xD7:
            intervals.append(frame[start:at])
            start = at + 2
        elif following not in (0, 0xFF):
            return at, [*intervals, frame[start:at]]
        at += 1 if following == 0xFF else 2


def _units(
    chosen: list[Component], every: list[Component], rows: int, columns: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the blocks of each unit of a scan: component, block row, block column (A.2)."""
    widest, highest = max(c.h for c in every), max(c.v for c in every)
    if len(chosen) == 1:
        (only,) = chosen
        high = ceil(ceil(rows * only.v / highest) / 8)
        wide = ceil(ceil(columns * only.h / widest) / 8)
        for y in range(high):
            for x in range(wide):
                yield [(0, y, x)]
        return
    for top in range(-(-rows // (8 * highest))):
        for left in range(-(-columns // (8 * widest))):
            yield [
                (i, top * c.v + y, left * c.h + x)
                for i, c in enumerate(chosen)
                for y in range(c.v)
                for x in range(c.h)
            ]
