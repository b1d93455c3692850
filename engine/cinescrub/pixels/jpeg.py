"""Redact baseline and extended-sequential Huffman JPEG frames in the entropy-coded domain.

Only the MCUs that a rectangle covers change: to a flat black. Every quantised coefficient outside
of them is the same, because its bits are copied; no pixel is decoded and nothing is quantised
again. Refuses progressive, arithmetic, lossless, hierarchical and 12-bit streams by name.

Decoders that smooth subsampled chroma ("fancy upsampling") mix the chroma of neighbouring MCUs,
so pixels next to a covered MCU may decode to another colour though their coefficients are the
same. What was covered can't show through: its coefficients are gone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_core
from cinescrub.pixels.codestream import (
    Buffer,
    Stream,
    check_length,
    check_stream,
    inspect_stream,
    read_jpeg,
)
from cinescrub.pixels.huffman import EOB
from cinescrub.pixels.jpeg_head import Grid, State, read_parts, state_behind
from cinescrub.pixels.jpeg_markers import (
    APPLICATION,
    EOI,
    SOS,
    Head,
    Segment,
    clean,
    read_head,
    walk,
)
from cinescrub.pixels.jpeg_tables import TABLES
from cinescrub.pixels.jpeg_walk import Component
from cinescrub.types import Boxes, CineInfo

__all__ = ["black", "mcu_size", "redact", "stream_is_rgb"]

_MAX_CATEGORY: Final = 15
"""Bits of a DC difference (T.81 table F.6)."""
_MAX_QUANTISER: Final = 1024
"""8-bit samples have quantisers of 8 bits (T.81 B.2.4.1); decoders stay exact in their clamping
to four times the range of samples, so that a coarser one can't be used for a fill."""


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
            parts = read_parts(memoryview(frame)[segment.body : segment.end])
            return 8 * max(p.h for p in parts), 8 * max(p.v for p in parts)
    raise InputError("a JPEG stream has no frame header")


def redact(
    frame: Buffer, info: CineInfo, rectangles: Boxes, colour: tuple[int, ...] | None = None
) -> Buffer:
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
    Buffer
        The new frame, APPn, COM and unused tables dropped. Where no rectangle lies in it, what
        :func:`jpeg_markers.clean` gives.

    Raises
    ------
    InputError
        The frame is corrupt, truncated, or of a process that isn't handled.
    """
    view = memoryview(frame)
    head = read_head(view)
    # The cines' frames mostly share their head: what follows from it is worked out once.
    open_ = _opened if head.shared else _opened.__wrapped__
    opened = open_(head, info, np.asarray(rectangles, np.int32).tobytes(), colour)
    check_length(opened.stream, info, view.nbytes)
    if opened.scan is None:
        return clean(frame)
    state = opened.state.copy()
    scan: _Scan | None = opened.scan
    out: list[bytes | memoryview] = [head.kept]
    waiting: list[memoryview] = []
    extended = False
    for segment in walk(view, head):
        body = view[segment.body : segment.end]
        if segment.marker == SOS:
            scan = scan or _scan(body, state, opened.fills, info)
            out += waiting
            waiting.clear()
            tables, data = _written(view, segment, scan, state, opened.fills)
            out += [*tables, view[segment.start : segment.end], data]
            extended |= bool(tables)
            scan = None
        elif segment.marker not in APPLICATION and segment.marker != EOI:
            state.note(segment.marker, body, info.rows, info.columns, rectangles)
            piece = view[segment.start : segment.end]
            (waiting if segment.marker in TABLES else out).append(piece)  # a scan may use them
    if len(state.done) != opened.stream.components:
        raise InputError("a JPEG stream is truncated: a component has no scan")
    out.append(b"\xff\xd9")
    written = b"".join(out)
    return clean(written) if extended else written  # without the tables that were extended


class _Scan(NamedTuple):
    """What the header of a scan and the tables in front of it say."""

    chosen: tuple[tuple[int, int, int], ...]
    """Of its components: index, DC table, AC table."""
    components: tuple[Component, ...]
    units: Grid
    """(n,) which units are covered."""
    touched: bool
    """Whether any is."""


class _Opened(NamedTuple):
    """What follows from the head of a stream."""

    stream: Stream
    fills: tuple[int, ...]
    """Samples of the components as coded."""
    state: State
    """Behind the first scan's header. Shared: to be copied before it is changed."""
    scan: _Scan | None
    """The first; None where no rectangle lies in the frame."""


@lru_cache(maxsize=16)
def _opened(head: Head, info: CineInfo, boxes: bytes, colour: tuple[int, ...] | None) -> _Opened:
    stream = read_jpeg(head.raw)
    check_stream(stream, info)
    fills = _black_of(stream, info) if colour is None else colour
    rectangles = np.frombuffer(boxes, np.int32).reshape(-1, 4)
    state = state_behind(head, info.rows, info.columns, rectangles)
    if state.covered is None:
        raise InputError("a JPEG stream is corrupt: a scan before the frame header")
    if not state.covered.any():
        return _Opened(stream, fills, state, None)
    body = memoryview(head.raw)[head.scan.body : head.scan.end]
    scan = _scan(body, state, fills, info)
    return _Opened(stream, fills, state, scan)


def black(frame: Buffer, info: CineInfo) -> tuple[int, ...]:
    """Return black as samples of a frame's components, by what its stream says they are.

    Raises
    ------
    InputError
        The frame's head can't be read, or contradicts the header.
    """
    return _black_of(inspect_stream(frame, info), info)


def _black_of(stream: Stream, info: CineInfo) -> tuple[int, ...]:
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


def _scan(body: memoryview, state: State, fills: tuple[int, ...], info: CineInfo) -> _Scan:
    """Read the header of a scan; its components are done then."""
    if state.covered is None:
        raise InputError("a JPEG stream is corrupt: a scan before the frame header")
    chosen = _chosen(body, state)
    units = _units(state.covered, chosen, state, info)
    return _Scan(chosen, _components(chosen, state, fills), units, bool(units.any()))


def _written(
    view: memoryview, segment: Segment, scan: _Scan, state: State, fills: tuple[int, ...]
) -> tuple[list[bytes], bytes | memoryview]:
    """Return tables that a scan needs in front, and its data with covered units replaced."""
    data = view[segment.end : segment.stop]
    if not scan.touched:
        return [], data
    tables: list[bytes] = []
    new, needs = jpeg_core.rewrite(data, scan.components, scan.units, state.restart)
    if new is None:
        tables = _extend(scan.chosen, state, needs)
        components = _components(scan.chosen, state, fills)
        new, _ = jpeg_core.rewrite(data, components, scan.units, state.restart)
        if new is None:
            raise InputError("a JPEG Huffman table lacks a symbol that the fill needs")
    return tables, new


def _chosen(body: memoryview, state: State) -> tuple[tuple[int, int, int], ...]:
    """Return (component index, DC table, AC table) of a scan header (T.81 B.2.3)."""
    try:
        count = body[0]
        pairs = [(body[1 + 2 * i], body[2 + 2 * i]) for i in range(count)]
        spectral = bytes(body[1 + 2 * count :])
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
    return tuple(chosen)


def _units(
    covered: Grid, chosen: tuple[tuple[int, int, int], ...], state: State, info: CineInfo
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
    chosen: tuple[tuple[int, int, int], ...], state: State, fills: tuple[int, ...]
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
    chosen: tuple[tuple[int, int, int], ...], state: State, needs: tuple[int, ...]
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
