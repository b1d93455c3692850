"""The marker layer of JPEG and JPEG-LS streams: split, drop what can hold text, join.

Reads and copies segments; looks at no entropy-coded bit. ITU-T T.81 annex B, T.87 annex C.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer

__all__ = [
    "APP0",
    "APP14",
    "DHT",
    "DRI",
    "EOI",
    "SOI",
    "SOS",
    "Segment",
    "clean",
    "kept",
    "split",
    "walk",
]

SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
DHT: Final = 0xC4
DRI: Final = 0xDD
APP0: Final = 0xE0
APP8: Final = 0xE8
APP14: Final = 0xEE
COM: Final = 0xFE

_APPLICATION: Final = frozenset({*range(0xE0, 0xF0), COM})
_TABLES: Final = frozenset({*range(0xC0, 0xD0), SOS, 0xDB, 0xDC, DRI, 0xF7, 0xF8})
"""SOFn, DHT, DAC, SOS, DQT, DNL, DRI; JPEG-LS SOF55 and LSE."""

_END_OF_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In JPEG entropy-coded data 0xFF is followed by 0x00; restart markers stay in the scan."""
_END_OF_LS_SCAN: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""JPEG-LS stuffs a bit instead: what follows 0xFF is below 0x80 (T.87 A.1)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker segment and, behind SOS, its entropy-coded data."""

    marker: int
    start: int
    """Offset of the marker's 0xFF."""
    body: int
    """Offset of the parameters, behind the length."""
    end: int
    """End of the parameters."""
    stop: int
    """End of the segment: `end`, or the end of the entropy-coded data of a scan."""


def split(frame: Buffer) -> tuple[list[Segment], int]:
    """Split a stream into segments, SOI and EOI left out.

    Parameters
    ----------
    frame : Buffer
        One JPEG or JPEG-LS frame, borrowed.

    Returns
    -------
    segments : list of Segment
        In order, up to EOI.
    end : int
        Offset behind EOI, or the frame's length where EOI is missing.

    Raises
    ------
    InputError
        The stream is corrupt or truncated.
    """
    *segments, end = walk(frame)
    return segments, end.stop


def walk(frame: Buffer) -> Iterator[Segment]:
    """Yield the segments of a stream one by one, so that its head can be read without the rest.

    The last one is EOI; where it is missing, an empty one at the frame's end.

    Raises
    ------
    InputError
        As :func:`split`.
    """
    view = memoryview(frame)
    if bytes(view[:2]) != b"\xff\xd8":
        raise InputError("a frame is not a JPEG stream")
    position = 2
    scan_end = _END_OF_SCAN
    seen_scan = False
    while True:
        start, marker = _marker(view, position)
        if marker is None and not seen_scan:
            raise InputError("a JPEG stream ends before its pixels: truncated")
        if marker is None:
            yield Segment(EOI, *4 * (len(view),))
            return
        if marker == EOI:
            if not seen_scan:
                raise InputError("a JPEG stream has no scan")
            yield Segment(EOI, start, *3 * (start + 2,))
            return
        segment = _segment(view, start, marker, scan_end)
        if marker == 0xF7:
            scan_end = _END_OF_LS_SCAN
        seen_scan |= marker == SOS
        yield segment
        position = segment.stop


def _marker(view: memoryview, position: int) -> tuple[int, int | None]:
    """Return offset and code of the marker at `position`, fill bytes (T.81 B.1.1.2) skipped."""
    size = len(view)
    if position >= size or (position == size - 1 and view[position] == 0):
        return position, None  # a pad byte where EOI is missing
    if view[position] != 0xFF:
        raise InputError("a JPEG stream is corrupt: no marker where one must be")
    while position + 1 < size and view[position + 1] == 0xFF:
        position += 1
    if position + 1 >= size:
        return position, None
    return position, view[position + 1]


def _segment(view: memoryview, start: int, marker: int, scan_end: re.Pattern[bytes]) -> Segment:
    if marker not in _APPLICATION and marker not in _TABLES:
        raise InputError(f"a JPEG stream is corrupt or of an unknown kind: marker 0x{marker:02X}")
    body = start + 4
    if body > len(view):
        raise InputError("a JPEG stream is truncated in a segment")
    end = start + 2 + (view[start + 2] << 8 | view[start + 3])
    if end < body or end > len(view):
        raise InputError("a JPEG stream is corrupt: a segment leaves the frame")
    stop = end
    if marker == SOS:
        found = scan_end.search(view, end)
        stop = found.start() if found else len(view)
    return Segment(marker, start, body, end, stop)


def kept(frame: Buffer, segments: list[Segment]) -> Iterator[tuple[Segment, bytes | None]]:
    """Say of each segment what stays of it.

    APPn and COM can hold text (names, dates, thumbnails) and go; what decoders need of them stays,
    cut to its fixed fields: one JFIF header without its thumbnail, one Adobe marker, the JPEG-LS
    colour transform.

    Yields
    ------
    segment : Segment
        In order; dropped ones are left out.
    replacement : bytes or None
        None: copy the segment as it is.
    """
    view = memoryview(frame)
    seen: set[int] = set()
    for segment in segments:
        if segment.marker not in _APPLICATION:
            yield segment, None
            continue
        short = _essential(segment.marker, view[segment.body : segment.end])
        if short is None or segment.marker in seen:
            continue
        seen.add(segment.marker)
        whole = struct.pack(">BBH", 0xFF, segment.marker, len(short) + 2) + short
        yield segment, None if whole == view[segment.start : segment.stop] else whole


def _essential(marker: int, body: memoryview) -> bytes | None:
    """Return what decoding needs of an APPn segment, or None where it needs nothing."""
    if marker == APP0 and bytes(body[:5]) == b"JFIF\0" and len(body) >= 14:
        return bytes(body[:12]) + b"\0\0"  # thumbnail 0 x 0
    if marker == APP14 and bytes(body[:5]) == b"Adobe" and len(body) >= 12:
        return bytes(body[:12])
    if marker == APP8 and bytes(body[:4]) == b"mrfx" and len(body) >= 5:
        return bytes(body[:5])  # HP colour transform of JPEG-LS streams
    return None


def clean(frame: Buffer) -> Buffer:
    """Drop what can hold text beside the picture: APPn, COM, bytes behind EOI.

    Parameters
    ----------
    frame : Buffer
        One JPEG or JPEG-LS frame, borrowed.

    Returns
    -------
    Buffer
        `frame` itself where nothing had to go, else new bytes. One zero byte behind EOI
        (the padding to even length, PS3.5 A.4) is nothing.
    """
    view = memoryview(frame)
    segments, end = split(view)
    pieces: list[bytes | memoryview] = [view[:2]]
    changed = bytes(view[end:]) not in (b"", b"\0")
    total = 0
    for segment, replacement in kept(view, segments):
        pieces.append(view[segment.start : segment.stop] if replacement is None else replacement)
        changed |= replacement is not None
        total += 1
    if not changed and total == len(segments):
        return frame
    pieces.append(b"\xff\xd9")
    return b"".join(pieces)
