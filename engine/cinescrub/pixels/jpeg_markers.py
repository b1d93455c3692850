"""The marker layer of JPEG and JPEG-LS streams: split, drop what can hold text, join.

Reads and copies segments; looks at no entropy-coded bit. ITU-T T.81 annex B, T.87 annex C.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_tables
from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.jpeg_core import scan_end

__all__ = [
    "APP0",
    "APP14",
    "APPLICATION",
    "DHT",
    "DRI",
    "EOI",
    "SOI",
    "SOS",
    "Head",
    "Segment",
    "clean",
    "read_head",
    "split",
    "walk",
]

SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
DHT: Final = 0xC4
DNL: Final = 0xDC
DRI: Final = 0xDD
APP0: Final = 0xE0
APP8: Final = 0xE8
APP14: Final = 0xEE
COM: Final = 0xFE

APPLICATION: Final = frozenset({*range(0xE0, 0xF0), COM})
"""APPn and COM: what can hold anything."""
_TABLES: Final = frozenset({*range(0xC0, 0xD0), SOS, 0xDB, DNL, DRI, 0xF7, 0xF8})
"""SOFn, DHT, DAC, SOS, DQT, DNL, DRI; JPEG-LS SOF55 and LSE."""

_END_OF_LS_SCAN: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""JPEG-LS stuffs a bit in coded data: what follows 0xFF is below 0x80 (T.87 A.1)."""


class Segment(NamedTuple):
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


class Head(NamedTuple):
    """A stream up to the end of its first scan's header. The frames of a cine mostly share it."""

    raw: bytes
    """The bytes themselves."""
    segments: tuple[Segment, ...]
    """In front of the scan."""
    scan: Segment
    """Its header; no data."""
    kept: bytes
    """What stays in front of the scan: SOI and the segments that hold no text."""
    intact: bool
    """Whether all of them stay, as they are."""
    jpeg_ls: bool

    @property
    def shared(self) -> bool:
        """Whether it is short enough to be remembered from frame to frame."""
        return len(self.raw) <= _MAX_SHARED_BYTES


_MAX_SHARED_BYTES: Final = 4096
"""All tables take 1.5 kB; what is longer holds a thumbnail or a profile and isn't remembered."""


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


def walk(frame: Buffer, head: Head | None = None) -> Iterator[Segment]:
    """Yield the segments of a stream one by one, so that its head can be read without the rest.

    The last one is EOI; where it is missing, an empty one at the frame's end.

    Parameters
    ----------
    frame : Buffer
        One JPEG or JPEG-LS frame, borrowed.
    head : Head, optional
        The frame's own: then the first scan comes first.

    Raises
    ------
    InputError
        As :func:`split`.
    """
    view = memoryview(frame)
    if bytes(view[:2]) != b"\xff\xd8":
        raise InputError("a frame is not a JPEG stream")
    position = 2 if head is None else head.scan.start
    jpeg_ls = head is not None and head.jpeg_ls
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
        segment = _segment(view, start, marker, jpeg_ls=jpeg_ls)
        jpeg_ls |= marker == 0xF7
        seen_scan |= marker == SOS
        yield segment
        position = segment.stop


def read_head(frame: Buffer) -> Head:
    """Read a stream up to the end of its first scan's header; the rest is not looked at.

    Raises
    ------
    InputError
        The stream is corrupt or truncated.
    """
    view = memoryview(frame)
    start = bytes(view[:_MAX_SHARED_BYTES])
    # Mostly the first bytes that look like SOS are it: then nothing is parsed that is known.
    at = start.find(b"\xff\xda")
    if at > 0 and at + 4 <= len(start):
        end = at + 2 + (start[at + 2] << 8 | start[at + 3])
        head = _remembered(start[:end])
        if head is not None:
            return head
    return _read_head(view)


@lru_cache(maxsize=16)
def _remembered(start: bytes) -> Head | None:
    """Return the head of a stream that starts so; None where it ends elsewhere."""
    try:
        return _read_head(memoryview(start))
    except InputError:
        return None


def _read_head(view: memoryview) -> Head:
    segments: list[Segment] = []
    for segment in walk(view):
        if segment.marker == SOS:
            raw = bytes(view[: segment.end])
            scan = segment._replace(stop=segment.end)
            stays = list(_kept(raw, segments, scan))
            kept = [raw[s.start : s.end] if r is None else r for s, r in stays]
            intact = len(kept) == len(segments) and all(r is None for _, r in stays)
            jpeg_ls = any(s.marker == 0xF7 for s in segments)
            start = b"".join([raw[:2], *kept])
            return Head(raw, tuple(segments), scan, start, intact, jpeg_ls)
        segments.append(segment)
    raise InputError("a JPEG stream has no scan")


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


def _segment(view: memoryview, start: int, marker: int, *, jpeg_ls: bool) -> Segment:
    if marker not in APPLICATION and marker not in _TABLES:
        raise InputError(f"a JPEG stream is corrupt or of an unknown kind: marker 0x{marker:02X}")
    body = start + 4
    if body > len(view):
        raise InputError("a JPEG stream is truncated in a segment")
    end = start + 2 + (view[start + 2] << 8 | view[start + 3])
    if end < body or end > len(view):
        raise InputError("a JPEG stream is corrupt: a segment leaves the frame")
    if marker == DNL and end != body + 2:
        raise InputError("a JPEG stream is corrupt: a DNL segment holds more than a number")
    stop = end
    if marker == SOS and jpeg_ls:
        found = _END_OF_LS_SCAN.search(view, end)
        stop = found.start() if found else len(view)
    elif marker == SOS:
        stop = scan_end(view, end)
    return Segment(marker, start, body, end, stop)


def _kept(
    frame: bytes, segments: Sequence[Segment], scan: Segment
) -> Iterator[tuple[Segment, bytes | None]]:
    """Say of the segments in front of a scan what stays of them.

    APPn and COM can hold text (names, dates, thumbnails) and go; what decoders need of them stays,
    cut to its fixed fields: one JFIF header without its thumbnail, one Adobe marker, the JPEG-LS
    colour transform. Tables that nothing refers to can hold text as well, and go.

    Yields
    ------
    segment : Segment
        In order; dropped ones are left out.
    replacement : bytes or None
        None: it stays as it is.
    """
    seen: set[int] = set()
    tables = jpeg_tables.in_use(frame, segments, scan)
    for segment in segments:
        stored = frame[segment.start : segment.end]
        whole = tables.get(segment.start, stored)
        if segment.marker in APPLICATION:
            short = _essential(segment.marker, frame[segment.body : segment.end])
            if short is None or segment.marker in seen:
                continue
            seen.add(segment.marker)
            whole = struct.pack(">BBH", 0xFF, segment.marker, len(short) + 2) + short
        if whole:
            yield segment, None if whole == stored else whole


def _essential(marker: int, body: bytes) -> bytes | None:
    """Return what decoding needs of an APPn segment, or None where it needs nothing."""
    if marker == APP0 and body[:5] == b"JFIF\0" and len(body) >= 14:
        return body[:12] + b"\0\0"  # thumbnail 0 x 0
    if marker == APP14 and body[:5] == b"Adobe" and len(body) >= 12:
        return body[:12]
    if marker == APP8 and body[:4] == b"mrfx" and len(body) >= 5:
        return body[:5]  # HP colour transform of JPEG-LS streams
    return None


def clean(frame: Buffer) -> Buffer:
    """Drop what can hold text beside the picture: APPn, COM, unused tables, bytes behind EOI.

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
    head = read_head(view)
    pieces: list[bytes | memoryview] = [head.kept]
    changed = not head.intact
    waiting: list[memoryview] = []
    for segment in walk(view, head):
        piece = view[segment.start : segment.stop]
        if segment.marker == EOI:
            changed |= bool(waiting)  # tables that no scan follows
            changed |= segment.stop < len(view) and bytes(view[segment.stop :]) != b"\0"
        elif segment.marker in APPLICATION:  # decoders look for those in front of scans only
            changed = True
        elif segment.marker in jpeg_tables.TABLES:
            waiting.append(piece)
        else:
            pieces += [*waiting, piece]
            waiting.clear()
    if not changed:
        return frame
    pieces.append(b"\xff\xd9")
    return b"".join(pieces)
