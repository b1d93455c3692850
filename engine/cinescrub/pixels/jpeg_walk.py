"""Rewrite the entropy-coded data of a sequential Huffman scan, covered units replaced.

In Python and NumPy: what runs where `_jpeg` was not compiled, and what it is tested against, byte
for byte. Quantised coefficients are never computed, except DC levels, because each is coded as the
difference to the one before it. ITU-T T.81 annex F.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.huffman import (
    ENDS_BLOCK,
    EOB,
    Table,
    ac_lookup,
    block_lookup,
    dc_lookup,
)

__all__ = ["Component", "Covered", "Rewritten", "rewrite"]

Bits: TypeAlias = npt.NDArray[np.uint8]
Covered: TypeAlias = npt.NDArray[np.bool_]
Levels: TypeAlias = list[npt.NDArray[np.int64]]

# As in _jpeg_module.c.
_ENTROPY: Final = "a JPEG frame is corrupt or truncated: its coded data can't be read"
_INTERVALS: Final = (
    "a JPEG frame is corrupt or truncated: its restart intervals are not as declared"
)
_ORDER: Final = "a JPEG frame is corrupt: restart markers are out of order"
_RANGE: Final = "a JPEG frame is corrupt: its levels are beyond those of 8-bit samples"

_MAX_CATEGORY: Final = 15
"""Bits of a DC difference that a code can announce (T.81 table F.6, 12-bit samples)."""
_MARKER: Final = re.compile(rb"(?<!\xff)\xff++[^\x00]")
"""Fill bytes (T.81 B.1.1.2) and a marker; possessive and from the first 0xFF only, so that long
runs of 0xFF take linear time."""
_FILL_BYTES: Final = re.compile(rb"\xff+")


@dataclass(frozen=True)
class Component:
    """One component of a scan."""

    dc: Table
    ac: Table
    fill: int
    """DC level of a covered block."""
    blocks: int
    """Blocks in a unit of the scan (T.81 A.2: H x V where scans interleave, else 1)."""


class Rewritten(NamedTuple):
    """What became of a scan."""

    data: bytes | None
    """The new entropy-coded data, restart markers included; None: a table lacks a code."""
    needs: tuple[int, ...]
    """For each component, bit n: the fill needs the code of DC category n. It always needs EOB."""


def rewrite(
    data: Buffer,
    components: tuple[Component, ...],
    covered: Covered,
    restart: int,
    *,
    mean: bool = False,
) -> Rewritten:
    """Replace the covered units of a scan.

    The bits of all other units are the same, but for the DC differences of the first unit behind
    each covered run, whose level is the same. Restart intervals without a covered unit are copied
    and not looked into, unless a mean is asked for.

    Parameters
    ----------
    data : Buffer
        From behind the scan's header to its end, restart markers included. Borrowed.
    components : tuple of Component
        In the scan's order, with the tables that the data is coded with. 10 blocks at most.
    covered : (n,) bool array
        Which units of the scan are replaced. Borrowed, in C order.
    restart : int
        Units in a restart interval; 0: there are no restart markers.
    mean : bool
        Fill each component with the mean DC level of its blocks that stay, rounded to nearest,
        instead of its `fill`. (That of no block, where none stays.)

    Raises
    ------
    InputError
        The data is corrupt or truncated.
    """
    layout = Layout(components)
    parts = list(_parts(data, layout, covered, restart, mean=mean))
    fills = _means(layout, parts) if mean else tuple(c.fill for c in components)
    needs = _needs(layout, parts, fills)
    for component, mask in zip(components, needs, strict=True):
        wanted = {size for size in range(_MAX_CATEGORY + 1) if mask >> size & 1}
        if not wanted <= set(component.dc.symbols) or EOB not in component.ac.symbols:
            return Rewritten(None, needs)
    return Rewritten(b"".join(_written(part, layout, fills) for part in parts), needs)


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
        code, length = self._dc_codes[component][size]
        magnitude = value if value >= 0 else value + (1 << size) - 1
        return f"{code:0{length}b}" + (f"{magnitude:0{size}b}" if size else "")

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
    covered: Covered
    """(units,) which units are replaced."""
    at: npt.NDArray[np.int64]
    """(units x blocks + 1,) bit position of each block, and the end of the last."""
    levels: Levels
    """For each component (units, blocks): DC levels."""
    totals: Levels
    """As `levels`: bits of the DC code and its difference."""


class Part(NamedTuple):
    """A restart interval and the marker behind it."""

    raw: memoryview
    """As it was, with the marker."""
    marker: memoryview
    """RSTn (T.81 B.1.1.2), without fill bytes; empty behind the last interval."""
    walked: Interval | None
    """None: none of it is replaced, and nothing had to be known."""


def _parts(
    data: Buffer, layout: Layout, covered: Covered, restart: int, *, mean: bool
) -> Iterator[Part]:
    """Cut a scan's data into restart intervals, and walk what has to be known."""
    view = memoryview(data)
    size = restart or len(covered)
    cuts = _cuts(view, -(-len(covered) // size) - 1)
    start = 0
    for k, (stop, following) in enumerate([*cuts, (len(view), len(view))]):
        units = covered[k * size : (k + 1) * size]
        walked = None
        if mean or units.any():
            walked = _walk(_unstuffed(view[start:stop]), layout, units)
        marker = view[max(following - 2, stop) : following]
        yield Part(view[start:following], marker, walked)
        start = following


def _cuts(view: memoryview, expected: int) -> list[tuple[int, int]]:
    """Return start and end of each restart marker, fill bytes in front of it included."""
    if 2 * expected > len(view):
        raise InputError(_INTERVALS)
    cuts: list[tuple[int, int]] = []
    for match in _MARKER.finditer(view):
        code = view[match.end() - 1]
        if not 0xD0 <= code <= 0xD7:
            raise InputError(_ENTROPY)
        if len(cuts) == expected:
            raise InputError(_INTERVALS)
        if code & 7 != len(cuts) % 8:
            raise InputError(_ORDER)
        cuts.append(match.span())
    if len(cuts) != expected:
        raise InputError(_INTERVALS)
    return cuts


def _unstuffed(data: memoryview) -> bytes:
    """Return entropy-coded data without the zero behind each 0xFF (T.81 B.1.1.5)."""
    raw = bytes(data)
    if b"\xff\xff" in raw:
        raw = _FILL_BYTES.sub(b"\xff", raw)  # in front of a marker or a stuffed zero
    return raw.removesuffix(b"\xff").replace(b"\xff\x00", b"\xff")


def _means(layout: Layout, parts: Sequence[Part]) -> tuple[int, ...]:
    """Return the mean DC level of the blocks that stay, for each component."""
    means = []
    for i, component in enumerate(layout.components):
        total = count = 0
        for part in parts:
            if part.walked is not None:
                kept = part.walked.levels[i][~part.walked.covered]
                total, count = total + int(kept.sum()), count + kept.size
        means.append((2 * total + count) // (2 * count) if count else component.fill)
    return tuple(means)


def _needs(layout: Layout, parts: Sequence[Part], fills: Sequence[int]) -> tuple[int, ...]:
    """Return which DC categories the fill needs, for each component."""
    needs = [1] * len(layout.components)
    for i, fill in enumerate(fills):
        for part in parts:
            if part.walked is None:
                continue
            hit, levels = part.walked.covered, part.walked.levels[i]
            enters = hit & ~np.concatenate(([False], hit[:-1]))
            leaves = ~hit & np.concatenate(([False], hit[:-1]))
            before = np.concatenate(([0], levels[:-1, -1]))[enters]
            for difference in (*(fill - before).tolist(), *(levels[leaves, 0] - fill).tolist()):
                size = abs(difference).bit_length()
                if size > _MAX_CATEGORY:
                    raise InputError(_RANGE)
                needs[i] |= 1 << size
    return tuple(needs)


def _written(part: Part, layout: Layout, fills: Sequence[int]) -> bytes | memoryview:
    """Return an interval with its covered units replaced, and its marker."""
    walked = part.walked
    if walked is None or not walked.covered.any():
        return part.raw
    bits = np.unpackbits(np.frombuffer(walked.data, np.uint8), count=int(walked.at[-1]))
    merged = np.concatenate(list(_pieces(bits, walked, layout, fills)))
    # The last byte is padded with ones (T.81 F.1.2.3).
    padding = np.ones(-len(merged) % 8, np.uint8)
    packed = np.packbits(np.concatenate((merged, padding))).tobytes()
    return packed.replace(b"\xff", b"\xff\x00") + part.marker


def _walk(data: bytes, layout: Layout, covered: Covered) -> Interval:
    """Find the blocks of a restart interval, byte stuffing removed."""
    windows = _windows(data)
    starts = _index(windows, layout, len(covered))
    if starts[-1] > len(data) * 8:
        raise InputError(_ENTROPY)
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
        raise InputError(_ENTROPY) from None
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
            raise InputError(_ENTROPY)
        position += bits
        k += lookup.advance[window]
    if k > 64 and not ENDS_BLOCK < k < 192:
        raise InputError(_ENTROPY)
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
            raise InputError(_ENTROPY)
        size = lookup.size[head].astype(np.int64)
        raw = windows[where + length].astype(np.int64) >> (16 - size)
        negative = raw < (1 << size >> 1)
        difference = np.where(negative, raw - (1 << size) + 1, raw)
        levels.append(difference.reshape(-1).cumsum().reshape(where.shape))
        totals.append(length + size)
    return levels, totals


def _pieces(bits: Bits, walked: Interval, layout: Layout, fills: Sequence[int]) -> Iterator[Bits]:
    """Yield the new interval as runs of bits."""
    unit_at = walked.at[:: len(layout.slots)]
    cursor = 0
    unit = 0
    for hit, group in groupby(walked.covered.tolist()):
        length = len(list(group))
        if hit:
            yield bits[cursor : unit_at[unit]]
            before = [int(level[unit - 1, -1]) if unit else 0 for level in walked.levels]
            yield _first_covered(layout, before, fills)
            yield np.tile(layout.flat, length - 1)
            cursor = int(unit_at[unit + length])
        elif unit:
            for i, fill in enumerate(fills):
                start = int(walked.at[unit * len(layout.slots) + layout.slots.index(i)])
                yield bits[cursor:start]
                yield _bits(layout.difference(i, int(walked.levels[i][unit, 0]) - fill))
                cursor = start + int(walked.totals[i][unit, 0])
        unit += length
    yield bits[cursor:]


def _first_covered(layout: Layout, before: list[int], fills: Sequence[int]) -> Bits:
    """Return a covered unit behind a kept one, whose last DC levels are `before`."""
    text = ""
    seen: set[int] = set()
    for i in layout.slots:
        change = 0 if i in seen else fills[i] - before[i]
        seen.add(i)
        text += layout.difference(i, change) + layout.end_of_block(i)
    return _bits(text)


def _bits(text: str) -> Bits:
    return np.frombuffer(text.encode("ascii"), np.uint8) & np.uint8(1)
