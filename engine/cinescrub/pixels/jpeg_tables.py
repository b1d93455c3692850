"""Which tables of a JPEG stream its scan refers to: in all others anything can be written.

ITU-T T.81 B.2.4.1 (quantisation), B.2.4.2 (Huffman), B.2.4.3 (arithmetic conditioning, which has no
meaning in the Huffman-coded streams that are handled).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cinescrub.errors import InputError

if TYPE_CHECKING:
    from cinescrub.pixels.jpeg_markers import Segment

__all__ = ["TABLES", "in_use"]

_DHT, _DAC, _DQT = 0xC4, 0xCC, 0xDB
_LOSSLESS: Final = 0xC3
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {_DHT, _DAC, 0xC8}
TABLES: Final = frozenset({_DHT, _DAC, _DQT})


def in_use(frame: bytes, segments: Sequence[Segment], scan: Segment) -> Mapping[int, bytes]:
    """Return what stays of each segment of tables in front of a scan.

    A table stays if the frame's or the scan's header names it and no later one takes its place.
    Huffman tables of a stream whose components are spread over several scans all stay.

    Parameters
    ----------
    frame : bytes
        The stream up to the end of the scan's header.
    segments : sequence of Segment
        In front of the scan.
    scan : Segment
        Its header.

    Returns
    -------
    mapping of int to bytes
        By the offset of the segment: the whole segment as it should be, nothing if it goes.

    Raises
    ------
    InputError
        A segment of tables isn't one.
    """
    wanted = _wanted(frame, segments, scan)
    stays: dict[int, bytes] = {}
    defined: set[tuple[int, int]] = set()
    for segment in reversed([s for s in segments if s.marker in TABLES]):
        kept: list[bytes] = []
        tables = list(_tables(segment.marker, frame[segment.body : segment.end]))
        for key, table in reversed(tables):
            named = (segment.marker, key)
            if named not in defined and (wanted is None or named in wanted):
                kept.insert(0, table)
            defined.add(named)
        body = b"".join(kept)
        head = struct.pack(">BBH", 0xFF, segment.marker, len(body) + 2)
        stays[segment.start] = head + body if kept else b""
    return stays


def _wanted(
    frame: bytes, segments: Sequence[Segment], scan: Segment
) -> set[tuple[int, int]] | None:
    """Return marker and number of the tables that are referred to; None if any may be."""
    named = [s for s in segments if s.marker in _FRAMES]
    if not named:
        return set()  # JPEG-LS has neither
    header, selectors = frame[named[0].body : named[0].end], frame[scan.body : scan.end]
    if len(named) > 1 or len(header) < 6 or not selectors or selectors[0] != header[5]:
        return None
    if len(header) < 6 + 3 * header[5] or len(selectors) < 1 + 2 * selectors[0]:
        return None
    chosen = [selectors[2 + 2 * i] for i in range(selectors[0])]
    wanted = {(_DHT, both >> 4) for both in chosen}
    if named[0].marker != _LOSSLESS:  # which quantises nothing and has no AC coefficients
        wanted |= {(_DHT, 0x10 | both & 15) for both in chosen}
        wanted |= {(_DQT, header[8 + 3 * i]) for i in range(header[5])}
    return wanted


def _tables(marker: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield class and number of each table of a segment, with its bytes."""
    if marker == _DAC:
        return
    at = 0
    while at < len(body):
        if marker == _DQT:
            key, size = body[at] & 15, 1 + (128 if body[at] >> 4 else 64)
        else:
            key, size = body[at], 17 + sum(body[at + 1 : at + 17])
        if at + size > len(body):
            raise InputError("a JPEG stream is corrupt: a table is longer than its segment")
        yield key, body[at : at + size]
        at += size
