"""Where blocks start in entropy-coded JPEG data, and how they are rewritten, without decoding.

Works on the data of one restart interval, byte stuffing removed. Quantised coefficients are never
computed, except DC levels, because each is coded as the difference to the one before it. ITU-T
T.81 annex F.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.huffman import (
    ENDS_BLOCK,
    EOB,
    Table,
    ac_lookup,
    block_lookup,
    dc_lookup,
)

__all__ = ["Component", "Interval", "Layout", "walk"]

Bits: TypeAlias = npt.NDArray[np.uint8]
Levels: TypeAlias = list[npt.NDArray[np.int64]]
_TRUNCATED = "a JPEG frame is corrupt or truncated: its coded data ends too early"


@dataclass(frozen=True)
class Component:
    """One component of a scan."""

    dc: Table
    ac: Table
    fill: int
    """DC level of a covered block."""
    blocks: int
    """Blocks in a unit of the scan (T.81 A.2: H x V where scans interleave, else 1)."""


@dataclass(frozen=True)
class Layout:
    """How the units (MCUs) of a scan are made up: the components in order."""

    components: tuple[Component, ...]

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """Component index of each block of a unit."""
        return tuple(i for i, c in enumerate(self.components) for _ in range(c.blocks))

    @cached_property
    def flat(self) -> Bits:
        """A covered unit behind a covered unit: no DC difference, no AC coefficient."""
        return _bits("".join(self.difference(i, 0) + self.end_of_block(i) for i in self.slots))

    def difference(self, component: int, value: int) -> str:
        """Return the bits of a DC difference (T.81 F.1.2.1)."""
        size = abs(value).bit_length()
        code = self._dc_codes[component].get(size)
        if code is None:
            raise InputError("a JPEG Huffman table lacks a symbol that the fill needs")
        magnitude = value if value >= 0 else value + (1 << size) - 1
        return f"{code[0]:0{code[1]}b}" + (f"{magnitude:0{size}b}" if size else "")

    def end_of_block(self, component: int) -> str:
        """Return the bits of EOB."""
        return self._ends[component]

    @cached_property
    def _dc_codes(self) -> tuple[dict[int, tuple[int, int]], ...]:
        return tuple(component.dc.codes() for component in self.components)

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        codes = (component.ac.codes()[EOB] for component in self.components)
        return tuple(f"{code:0{length}b}" for code, length in codes)


@dataclass(frozen=True, eq=False)
class Interval:
    """A restart interval, walked: where its blocks start and what their DC levels are."""

    data: bytes
    """Entropy-coded, byte stuffing removed."""
    covered: npt.NDArray[np.bool_]
    """(units,) which units are replaced."""
    at: npt.NDArray[np.int64]
    """(units x blocks + 1,) bit position of each block, and the end of the last."""
    levels: Levels
    """For each component (units, blocks): DC levels."""
    totals: Levels
    """As `levels`: bits of the DC code and its difference."""

    def changes(self, layout: Layout) -> list[set[int]]:
        """Return the DC differences that the fill needs, for each component."""
        hit = self.covered
        enters = hit & ~np.concatenate(([False], hit[:-1]))
        leaves = ~hit & np.concatenate(([False], hit[:-1]))
        needed = []
        for component, level in zip(layout.components, self.levels, strict=True):
            before = np.concatenate(([0], level[:-1, -1]))[enters]
            after = level[leaves, 0]
            needed.append(
                {0, *(component.fill - before).tolist(), *(after - component.fill).tolist()}
            )
        return needed

    def rewritten(self, layout: Layout) -> bytes:
        """Return the data with the covered units replaced, without byte stuffing.

        The bits of all other units are the same, but for the DC differences of the first unit
        behind each covered run, whose level is the same.

        Parameters
        ----------
        layout : Layout
            The scan's units; its tables may be extensions of those the data is coded with.

        Raises
        ------
        InputError
            A table lacks a code.
        """
        bits = np.unpackbits(np.frombuffer(self.data, np.uint8), count=int(self.at[-1]))
        merged = np.concatenate(list(_pieces(bits, self, layout)))
        # The last byte is padded with ones (T.81 F.1.2.3).
        padding = np.ones(-len(merged) % 8, np.uint8)
        return np.packbits(np.concatenate((merged, padding))).tobytes()


def walk(data: bytes, layout: Layout, covered: npt.NDArray[np.bool_]) -> Interval:
    """Find the blocks of a restart interval.

    Parameters
    ----------
    data : bytes
        Entropy-coded data of the interval, byte stuffing removed.
    layout : Layout
        The scan's units, with the tables that the data is coded with.
    covered : (n,) bool array
        Which of the interval's units are to be replaced. Borrowed.

    Raises
    ------
    InputError
        The data is corrupt or truncated.
    """
    windows = _windows(data)
    starts = _index(windows, layout, len(covered))
    if starts[-1] > len(data) * 8:
        raise InputError(_TRUNCATED)
    at = np.array(starts, np.int64)
    levels, totals = _levels(np.asarray(windows), at, layout)
    return Interval(data, covered, at, levels, totals)


def _windows(data: bytes) -> memoryview:
    """Return the 16 bits that follow each bit position, zeros behind the end."""
    raw = np.frombuffer(data + bytes(8), np.uint8).astype(np.uint32)
    three = raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:]
    shifts = np.arange(8, 0, -1, dtype=np.uint32)
    windows = (three[:, None] >> shifts).astype(np.uint16)
    return memoryview(windows.reshape(-1).data)


def _index(windows: memoryview, layout: Layout, units: int) -> list[int]:
    """Return the bit position of every block and the end of the last.

    The loop takes several codes a step: `huffman` joins what fits in 16 bits. Where joined steps
    run over the block's end, `_slowly` walks that block again, code by code.
    """
    plan = []
    for i in layout.slots:
        component = layout.components[i]
        ac = ac_lookup(component.ac)
        dc = dc_lookup(component.dc)
        whole = block_lookup(component.dc, component.ac)
        plan.append((whole, dc.total, ac.totals, ac.advances, component.ac))
    starts: list[int] = []
    append = starts.append
    position = 0
    try:
        for _ in range(units):
            for whole, dc_total, totals, advances, table in plan:
                append(position)
                window = windows[position]
                bits = whole[window]
                if bits:
                    position += bits
                    continue
                position = first = position + dc_total[window]
                k = 1
                while k < 64:
                    window = windows[position]
                    position += totals[window]
                    k += advances[window]
                # 129 .. 191: EOB at an index below 64.
                if k != 64 and not ENDS_BLOCK < k < 192:
                    position = _slowly(windows, first, table)
    except IndexError:
        raise InputError(_TRUNCATED) from None
    append(position)
    return starts


def _slowly(windows: memoryview, position: int, table: Table) -> int:
    """Walk the AC coefficients of one block code by code; return the position behind it."""
    lookup = ac_lookup(table)
    k = 1
    while k < 64:
        window = windows[position]
        bits = lookup.total[window]
        if not bits:
            raise InputError("a JPEG frame is corrupt: its coded data holds an unknown code")
        position += bits
        k += lookup.advance[window]
    if k > 64 and not ENDS_BLOCK < k < 192:
        raise InputError("a JPEG frame is corrupt: a block holds too many coefficients")
    return position


def _levels(
    windows: npt.NDArray[np.uint16], at: npt.NDArray[np.int64], layout: Layout
) -> tuple[Levels, Levels]:
    """Return DC levels (units, blocks) and bits of their codes, for each component."""
    per_unit = at[:-1].reshape(-1, len(layout.slots))
    levels, totals = [], []
    slots = np.array(layout.slots)
    for i, component in enumerate(layout.components):
        where = per_unit[:, slots == i]
        lookup = dc_lookup(component.dc)
        head = windows[where]
        length = lookup.length[head].astype(np.int64)
        if not length.all():
            raise InputError("a JPEG frame is corrupt: its coded data holds an unknown code")
        size = lookup.size[head].astype(np.int64)
        raw = windows[where + length].astype(np.int64) >> (16 - size)
        negative = raw < (1 << size >> 1)
        difference = np.where(negative, raw - (1 << size) + 1, raw)
        levels.append(difference.reshape(-1).cumsum().reshape(where.shape))
        totals.append(length + size)
    return levels, totals


def _pieces(bits: Bits, walked: Interval, layout: Layout) -> Iterator[Bits]:
    """Yield the new interval as runs of bits."""
    unit_at = walked.at[:: len(layout.slots)]
    cursor = 0
    unit = 0
    for hit, group in groupby(walked.covered.tolist()):
        length = len(list(group))
        if hit:
            yield bits[cursor : unit_at[unit]]
            before = [int(level[unit - 1, -1]) if unit else 0 for level in walked.levels]
            yield _first_covered(layout, before)
            yield np.tile(layout.flat, length - 1)
            cursor = int(unit_at[unit + length])
        elif unit:
            for i, component in enumerate(layout.components):
                start = int(walked.at[unit * len(layout.slots) + layout.slots.index(i)])
                yield bits[cursor:start]
                yield _bits(layout.difference(i, int(walked.levels[i][unit, 0]) - component.fill))
                cursor = start + int(walked.totals[i][unit, 0])
        unit += length
    yield bits[cursor:]


def _first_covered(layout: Layout, before: list[int]) -> Bits:
    """Return a covered unit behind a kept one, whose last DC levels are `before`."""
    text = ""
    seen: set[int] = set()
    for i in layout.slots:
        change = 0 if i in seen else layout.components[i].fill - before[i]
        seen.add(i)
        text += layout.difference(i, change) + layout.end_of_block(i)
    return _bits(text)


def _bits(text: str) -> Bits:
    return np.frombuffer(text.encode("ascii"), np.uint8) & np.uint8(1)
