"""Huffman tables of JPEG: parsed, looked up by 16-bit windows, extended by missing symbols.

Knows codes and symbols, no scans. ITU-T T.81 annexes C and F.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError

__all__ = ["EOB", "AcLookup", "DcLookup", "Table", "ac_lookup", "block_lookup", "dc_lookup"]

EOB: Final = 0x00
"""End of block (T.81 F.1.2.2.1)."""
ZRL: Final = 0xF0
"""A run of 16 zero coefficients."""
ENDS_BLOCK: Final = 128
"""Added to the coefficient index by a step that holds EOB: above any index, so one compare ends
the block."""
INVALID: Final = 255
_WINDOWS: Final = 1 << 16

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Table:
    """A Huffman table as DHT stores it; codes are canonical (T.81 annex C)."""

    counts: bytes
    """16 bytes: number of codes of length 1 .. 16."""
    symbols: bytes
    """In order of their codes."""

    def __post_init__(self) -> None:
        code = 0
        for length, count in enumerate(self.counts, 1):
            code += count
            if code > 1 << length:
                raise InputError("a JPEG Huffman table is corrupt: too many codes")
            code <<= 1
        if len(self.counts) != 16 or sum(self.counts) != len(self.symbols):
            raise InputError("a JPEG Huffman table is corrupt: its counts don't fit its symbols")

    def codes(self) -> dict[int, tuple[int, int]]:
        """Return symbol to (code, length); the first where a symbol has two."""
        return _codes(self)

    def with_symbols(self, needed: Iterable[int]) -> Table:
        """Return a table that also has `needed`, every existing code unchanged.

        New symbols get the codes that follow the last one, at the shortest length that has room
        for all of them, the all-ones code (reserved, T.81 annex C) left free.

        Raises
        ------
        InputError
            The code space is full.
        """
        missing = sorted(set(needed) - set(self.symbols))
        if not missing:
            return self
        code, last = 0, 0
        for length, count in enumerate(self.counts, 1):
            code = (code << 1) + count
            if count:
                last = length
        # `code` is now the first free code of length 16.
        for length in range(max(last, 1), 17):
            free = (1 << length) - 1 - (code >> (16 - length))
            if free >= len(missing):
                counts = bytearray(self.counts)
                counts[length - 1] += len(missing)
                return Table(bytes(counts), self.symbols + bytes(missing))
        raise InputError("a JPEG Huffman table has no room for the fill: convert the file first")

    def segment(self, slot: int) -> bytes:
        """Return a DHT marker segment that defines this table in `slot` (class << 4 | number)."""
        body = bytes([slot]) + self.counts + self.symbols
        return struct.pack(">BBH", 0xFF, 0xC4, len(body) + 2) + body


@lru_cache(maxsize=64)
def _codes(table: Table) -> dict[int, tuple[int, int]]:
    codes: dict[int, tuple[int, int]] = {}
    code, index = 0, 0
    for length, count in enumerate(table.counts, 1):
        for symbol in table.symbols[index : index + count]:
            codes.setdefault(symbol, (code, length))
            code += 1
        index += count
        code <<= 1
    return codes


@dataclass(frozen=True, slots=True)
class DcLookup:
    """What a DC code says, for each window of 16 bits."""

    length: U8
    """(65536,) bits of the code; 0: no code."""
    size: U8
    """(65536,) bits of the difference that follows."""
    total: bytes
    """Their sum, as bytes: indexing those is the fastest look-up that Python has."""


@dataclass(frozen=True, slots=True)
class AcLookup:
    """What AC codes say, for each window of 16 bits."""

    total: bytes
    """Bits of one code and its value; 0: no code."""
    advance: bytes
    """Coefficients it moves on; `ENDS_BLOCK` for EOB, `INVALID` for no code."""
    totals: bytes
    """As `total`, for as many whole codes as the window holds."""
    advances: bytes
    """As `advance`; never more than 64, + `ENDS_BLOCK` where the last one is EOB."""


@lru_cache(maxsize=64)
def _single(table: Table) -> tuple[U8, U8]:
    """Return code length (0: none) and symbol of each window."""
    length = np.zeros(_WINDOWS, np.uint8)
    symbol = np.zeros(_WINDOWS, np.uint8)
    lengths = np.repeat(np.arange(1, 17, dtype=np.uint8), np.frombuffer(table.counts, np.uint8))
    spans = np.int64(1) << (16 - lengths.astype(np.int64))
    used = int(spans.sum())
    length[:used] = np.repeat(lengths, spans)
    symbol[:used] = np.repeat(np.frombuffer(table.symbols, np.uint8), spans)
    return length, symbol


@lru_cache(maxsize=32)
def dc_lookup(table: Table) -> DcLookup:
    """Return the look-up of a DC table.

    Raises
    ------
    InputError
        A category is above 15 bits.
    """
    if table.symbols and max(table.symbols) > 15:
        raise InputError("a JPEG Huffman table is corrupt: a DC category above 15")
    length, size = _single(table)
    return DcLookup(length, size, (length + size).tobytes())


@lru_cache(maxsize=32)
def ac_lookup(table: Table) -> AcLookup:
    """Return the look-up of an AC table."""
    length, symbol = _single(table)
    run, size = symbol >> 4, symbol & 15
    # A size of 0 is EOB or ZRL in sequential scans; the other runs belong to progressive ones.
    valid = (length > 0) & ((size > 0) | (symbol == EOB) | (symbol == ZRL))
    total = np.where(valid, length + size, 0).astype(np.uint8)
    advance = np.where(symbol == EOB, ENDS_BLOCK, run + 1).astype(np.uint8)
    advance[~valid] = INVALID
    totals, advances = _grouped(total, advance)
    return AcLookup(total.tobytes(), advance.tobytes(), totals.tobytes(), advances.tobytes())


def _grouped(total: U8, advance: U8) -> tuple[U8, U8]:
    """Join to each window's first code those that follow whole in the window."""
    window = np.arange(_WINDOWS, dtype=np.uint32)
    totals, advances = total.astype(np.uint32), advance.astype(np.uint32)
    active = np.flatnonzero((totals < 16) & (advances < ENDS_BLOCK))
    while active.size:
        rest = (window[active] << totals[active]) & 0xFFFF
        more, step = total[rest], advance[rest]
        bits = totals[active] + more
        # What was shifted in is zeros, not the stream: a code that uses them is not whole.
        index = advances[active] + np.where(step == ENDS_BLOCK, 0, step)
        whole = (more > 0) & (bits <= 16) & (index <= 64)
        active, bits, step = active[whole], bits[whole], step[whole]
        totals[active] = bits
        advances[active] += step
        active = active[(bits < 16) & (step != ENDS_BLOCK)]
    return totals.astype(np.uint8), advances.astype(np.uint8)


@lru_cache(maxsize=32)
def block_lookup(dc: Table, ac: Table) -> bytes:
    """Return, for each window, the bits of a whole block where the window holds one, else 0.

    Flat blocks (a DC difference and EOB) are most of a picture with a black background.
    """
    head = np.frombuffer(dc_lookup(dc).total, np.uint8).astype(np.uint32)
    lookup = ac_lookup(ac)
    totals = np.frombuffer(lookup.totals, np.uint8)
    advances = np.frombuffer(lookup.advances, np.uint8)
    rest = (np.arange(_WINDOWS, dtype=np.uint32) << np.minimum(head, 16)) & 0xFFFF
    bits = head + totals[rest]
    step = advances[rest]
    whole = (dc_lookup(dc).length > 0) & (bits <= 16) & (step >= ENDS_BLOCK) & (step < 191)
    return np.where(whole, bits, 0).astype(np.uint8).tobytes()
