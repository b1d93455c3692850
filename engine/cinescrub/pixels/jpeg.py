"""Redact baseline and extended-sequential Huffman JPEG frames in the entropy-coded domain.

Only the MCUs that a rectangle covers change: to a flat black. Every quantised coefficient outside
of them is the same, because its bits are copied; no pixel is decoded and nothing is quantised
again. Refuses progressive, arithmetic, lossless, hierarchical and 12-bit streams by name.

Decoders that smooth subsampled chroma ("fancy upsampling") mix the chroma of neighbouring MCUs,
so pixels next to a covered MCU may decode to another colour though their coefficients are the
same. What was covered can't show through: its coefficients are gone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_core
from cinescrub.pixels.codestream import PROCESS_NAMES, Buffer, Stream, inspect_stream
from cinescrub.pixels.huffman import EOB, Table
from cinescrub.pixels.jpeg_markers import DHT, DRI, SOS, Segment, kept, split, walk
from cinescrub.pixels.jpeg_walk import Component
from cinescrub.types import Boxes, CineInfo

__all__ = ["mcu_size", "redact", "stream_is_rgb"]

Grid: TypeAlias = npt.NDArray[np.bool_]

_DQT: Final = 0xDB
_MAX_CATEGORY: Final = 15
"""Bits of a DC difference (T.81 table F.6)."""
_MAX_QUANTISER: Final = 1024
"""8-bit samples have quantisers of 8 bits (T.81 B.2.4.1); decoders stay exact in their clamping
to four times the range of samples, so that a coarser one can't be used for a fill."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A component of the frame header."""

    identifier: int
    h: int
    v: int
    quantiser: int


@dataclass(slots=True)
class _State:
    """Tables as they stand at a point of the stream."""

    dc: dict[int, Table] = field(default_factory=dict)
    ac: dict[int, Table] = field(default_factory=dict)
    first_quantiser: dict[int, int] = field(default_factory=dict)
    """Quantiser of the DC coefficient, by table number."""
    mean: bool = False
    restart: int = 0
    parts: tuple[_Part, ...] = ()
    covered: Grid | None = None
    """(MCU rows, MCU columns)."""
    done: set[int] = field(default_factory=set)
    """Components whose scan was seen."""


def stream_is_rgb(stream: Stream, info: CineInfo) -> bool:
    """Whether three components are R, G, B rather than Y, Cb, Cr.

    What the stream says of itself (Adobe or JFIF marker, identifiers) is what decoders go by and
    comes first; a silent stream is what the header calls it.
    """
    return info.photometric == "RGB" if stream.rgb is None else stream.rgb


def mcu_size(frame: Buffer, info: CineInfo) -> tuple[int, int]:
    """Return width and height of the MCUs of a frame, in pixels.

    Raises
    ------
    InputError
        The frame is not a JPEG stream that :func:`redact` takes.
    """
    inspect_stream(frame, info)
    for segment in walk(frame):
        if 0xC0 <= segment.marker <= 0xC1:
            parts = _parts(memoryview(frame)[segment.body : segment.end])
            return 8 * max(p.h for p in parts), 8 * max(p.v for p in parts)
    raise InputError("a JPEG stream has no frame header")


def redact(
    frame: Buffer,
    info: CineInfo,
    rectangles: Boxes,
    colour: tuple[int, ...] | None = None,
    *,
    mean: bool = False,
) -> bytes:
    """Replace every MCU that a rectangle touches by black, or another flat colour.

    Parameters
    ----------
    frame : Buffer
        One JPEG frame, borrowed.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; snapped outwards to MCUs here.
    colour : tuple of int, optional
        Samples of the components as coded, 0 to 255; black where it is not given.

    Returns
    -------
    bytes
        The new frame, APPn and COM segments dropped as :func:`jpeg_markers.clean` does.

    Raises
    ------
    InputError
        The frame is corrupt, truncated, or of a process that isn't handled.
    """
    stream = inspect_stream(frame, info)
    view = memoryview(frame)
    segments, _ = split(view)
    state = _State(mean=mean)
    fills = _black(stream, info) if colour is None else colour
    out: list[bytes | memoryview] = [b"\xff\xd8"]
    for segment, replacement in kept(view, segments):
        if replacement is not None:
            out.append(replacement)
            continue
        body = view[segment.body : segment.end]
        if segment.marker == SOS:
            out.extend(_scan(view, segment, state, fills, info))
            continue
        _note(segment.marker, body, state, info, rectangles)
        out.append(view[segment.start : segment.end])
    if len(state.done) != stream.components:
        raise InputError("a JPEG stream is truncated: a component has no scan")
    out.append(b"\xff\xd9")
    return b"".join(out)


def _black(stream: Stream, info: CineInfo) -> tuple[int, ...]:
    """Return the samples of black."""
    if stream.components == 1:
        return (255,) if info.photometric == "MONOCHROME1" else (0,)
    return (0, 0, 0) if stream_is_rgb(stream, info) else (0, 128, 128)


def _level(sample: int, quantiser: int) -> int:
    """Return the DC level that decodes to a flat sample, within half a step of the quantiser.

    A flat block's samples are level x quantiser / 8 + 128 (T.81 A.3.3), clamped to 0 .. 255: 0
    and 255 are reached or passed.
    """
    if quantiser > _MAX_QUANTISER:
        raise InputError("a JPEG quantiser is too coarse for 8-bit samples")
    if sample <= 0:
        return 1024 // -quantiser
    if sample >= 255:
        return -(-1016 // quantiser)
    return round((sample - 128) * 8 / quantiser)


def _note(marker: int, body: memoryview, state: _State, info: CineInfo, boxes: Boxes) -> None:
    """Take the tables and sizes of a segment into `state`."""
    try:
        if marker == DHT:
            _note_huffman(body, state)
        elif marker == _DQT:
            _note_quantisers(body, state)
        elif marker == DRI:
            (state.restart,) = struct.unpack(">H", body)
        elif marker in (0xC0, 0xC1):
            if state.parts:
                raise InputError("a JPEG stream is corrupt: two frame headers")
            state.parts = _parts(body)
            state.covered = _cover(state.parts, info, boxes)
        elif marker < 0xE0:
            name = PROCESS_NAMES.get(marker, f"JPEG with marker 0x{marker:02X}")
            raise InputError(f"{name} can't be redacted: convert the file first")
    except (IndexError, struct.error):
        raise InputError("a JPEG stream is corrupt: a segment is too short") from None


def _note_huffman(body: memoryview, state: _State) -> None:
    for slot, table in _tables(bytes(body)):
        (state.ac if slot >> 4 else state.dc)[slot & 3] = table


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


def _note_quantisers(body: memoryview, state: _State) -> None:
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        size = 128 if wide else 64
        if wide > 1 or number > 3 or len(body) < 1 + size:
            raise InputError("a JPEG quantisation table is corrupt")
        first = body[1] << 8 | body[2] if wide else body[1]
        if not first:
            raise InputError("a JPEG quantisation table is corrupt: a zero")
        state.first_quantiser[number] = first
        body = body[1 + size :]


def _parts(body: memoryview) -> tuple[_Part, ...]:
    """Read the components of a frame header (T.81 B.2.2)."""
    count = body[5]
    parts = tuple(
        _Part(body[i], body[i + 1] >> 4, body[i + 1] & 15, body[i + 2])
        for i in range(6, 6 + 3 * count, 3)
    )
    if not all(1 <= p.h <= 4 and 1 <= p.v <= 4 for p in parts):
        raise InputError("a JPEG frame header is corrupt: sampling factors")
    if len({p.identifier for p in parts}) != len(parts):
        raise InputError("a JPEG frame header is corrupt: component identifiers")
    # A single component is never interleaved, so that its factors mean nothing (T.81 A.2.2).
    return (replace(parts[0], h=1, v=1),) if count == 1 else parts


def _cover(parts: tuple[_Part, ...], info: CineInfo, boxes: Boxes) -> Grid:
    """Return which MCUs the rectangles touch, (MCU rows, MCU columns)."""
    width, height = 8 * max(p.h for p in parts), 8 * max(p.v for p in parts)
    grid = np.zeros((-(-info.rows // height), -(-info.columns // width)), np.bool_)
    for x0, y0, x1, y1 in boxes.tolist():  # NumPy's own clip costs more than a frame's header
        x0, y0 = max(x0, 0), max(y0, 0)
        if x0 < min(x1, info.columns) and y0 < min(y1, info.rows):
            grid[y0 // height : -(-y1 // height), x0 // width : -(-x1 // width)] = True
    return grid


def _scan(
    view: memoryview, segment: Segment, state: _State, fills: tuple[int, ...], info: CineInfo
) -> list[bytes | memoryview]:
    """Return a scan with its covered units replaced, tables that it needs in front."""
    if state.covered is None:
        raise InputError("a JPEG stream is corrupt: a scan before the frame header")
    chosen = _chosen(view[segment.body : segment.end], state)
    units = _units(state.covered, chosen, state, info)
    head, data = view[segment.start : segment.end], view[segment.end : segment.stop]
    if not units.any():
        return [head, data]
    tables: list[bytes] = []
    components = _components(chosen, state, fills)
    new, needs = jpeg_core.rewrite(data, components, units, state.restart, mean=state.mean)
    if new is None:
        tables = _extend(chosen, state, needs)
        components = _components(chosen, state, fills)
        new, _ = jpeg_core.rewrite(data, components, units, state.restart, mean=state.mean)
        if new is None:
            raise InputError("a JPEG Huffman table lacks a symbol that the fill needs")
    return [*tables, head, new]


def _chosen(body: memoryview, state: _State) -> list[tuple[int, int, int]]:
    """Return (component index, DC table, AC table) of a scan header (T.81 B.2.3)."""
    try:
        count = body[0]
        pairs = [(body[1 + 2 * i], body[2 + 2 * i]) for i in range(count)]
        spectral = bytes(body[1 + 2 * count : 4 + 2 * count])
    except IndexError:
        raise InputError("a JPEG scan header is too short") from None
    if spectral != b"\x00\x3f\x00":
        raise InputError("a JPEG scan header is not that of a sequential scan")
    index = {part.identifier: i for i, part in enumerate(state.parts)}
    chosen = []
    for identifier, slots in pairs:
        i = index.get(identifier)
        if i is None or i in state.done:
            raise InputError("a JPEG scan header is corrupt: its components")
        state.done.add(i)
        chosen.append((i, slots >> 4, slots & 15))
    blocks = sum(state.parts[i].h * state.parts[i].v for i, _, _ in chosen)
    if not chosen or (len(chosen) > 1 and blocks > 10):
        raise InputError("a JPEG scan header is corrupt: blocks in an MCU")
    return chosen


def _units(
    covered: Grid, chosen: list[tuple[int, int, int]], state: _State, info: CineInfo
) -> Grid:
    """Return which units of the scan are covered, (n,)."""
    if len(chosen) > 1:
        return covered.reshape(-1)
    # A scan of one component has its blocks as units, without those that only pad an MCU.
    part = state.parts[chosen[0][0]]
    rows = -(-info.rows * part.v // max(p.v for p in state.parts))
    columns = -(-info.columns * part.h // max(p.h for p in state.parts))
    y = np.arange(-(-rows // 8)) // part.v
    x = np.arange(-(-columns // 8)) // part.h
    return covered[y[:, None], x].reshape(-1)


def _components(
    chosen: list[tuple[int, int, int]], state: _State, fills: tuple[int, ...]
) -> tuple[Component, ...]:
    """Return the components of the scan, with their tables as they stand."""
    components = []
    for i, dc, ac in chosen:
        part = state.parts[i]
        if dc not in state.dc or ac not in state.ac or part.quantiser not in state.first_quantiser:
            raise InputError("a JPEG stream is corrupt: a scan refers to a missing table")
        if max(state.dc[dc].symbols, default=0) > _MAX_CATEGORY:
            raise InputError("a JPEG Huffman table is corrupt: a DC category above 15")
        level = _level(fills[i], state.first_quantiser[part.quantiser])
        blocks = part.h * part.v if len(chosen) > 1 else 1
        components.append(Component(state.dc[dc], state.ac[ac], level, blocks))
    return tuple(components)


def _extend(
    chosen: list[tuple[int, int, int]], state: _State, needs: tuple[int, ...]
) -> list[bytes]:
    """Give the scan's tables the codes that the fill needs; return their DHT segments.

    Tables made for one picture may lack them. Existing codes are unchanged.
    """
    changed: set[tuple[int, int]] = set()
    for (_, dc, ac), mask in zip(chosen, needs, strict=True):
        sizes = {size for size in range(_MAX_CATEGORY + 1) if mask >> size & 1}
        for kind, tables, slot, symbols in ((0, state.dc, dc, sizes), (1, state.ac, ac, {EOB})):
            new = tables[slot].with_symbols(symbols)
            if new is not tables[slot]:
                tables[slot] = new
                changed.add((kind, slot))
    return [
        (state.ac if kind else state.dc)[slot].segment(kind << 4 | slot)
        for kind, slot in sorted(changed)
    ]
