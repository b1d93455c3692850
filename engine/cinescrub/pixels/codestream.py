"""What the head of a codestream says: size, samples, precision; checked against the header.

Read before any decoder allocates: a stream that declares another image than its header is
refused here. Parses markers only, decodes nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, cast

from cinescrub.errors import InputError
from cinescrub.pixels.registry import Family, syntax_of
from cinescrub.types import CineInfo

__all__ = [
    "Buffer",
    "Stream",
    "check_length",
    "check_stream",
    "inspect_stream",
    "j2k_start",
    "read_j2k",
    "read_jpeg",
    "readable",
]

Buffer = bytes | bytearray | memoryview
"""Bytes of a frame: often a slice of a mapped file, never copied to be read."""

SOC: Final = b"\xff\x4f\xff\x51"
"""Start of codestream, then always SIZ (ISO/IEC 15444-1 A.3)."""
JP2: Final = b"\x00\x00\x00\x0cjP  "
"""Signature box of the JP2 file format (ISO/IEC 15444-1 I.5.1)."""
_PIXELS_PER_BYTE: Final = {
    # 64 pixels take two Huffman codes of at least one bit each; without loss, one code a pixel.
    Family.JPEG: 256,
    Family.JPEG_LOSSLESS: 8,
}
"""No frame can hold more: a few bytes must not make a decoder allocate what they declare."""
MAX_TILES: Final = 65_535
"""ISO/IEC 15444-1 B.3: a tile index has 16 bits."""

_SOF: Final = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7})
"""Start of frame markers (ITU-T T.81 table B.1; 0xF7 is JPEG-LS, T.87)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a codestream declares."""

    process: int
    """JPEG family: the second byte of the SOF marker. JPEG 2000: 0x51."""
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    subsampled: bool = False
    transform: int | None = None
    """JPEG: the Adobe marker's transform (0 none, 1 YCbCr), None without one.
    JPEG 2000: 1 where the codestream has a component transform (MCT), else 0."""
    sampling: bytes = b""
    """JPEG: sampling factors of each component, H in the upper four bits, V in the lower."""
    jfif: bool = False
    """JPEG: a JFIF marker, which makes three components YCbCr."""
    identifiers: bytes = b""
    """JPEG: component identifiers."""
    start: int = 0
    """JPEG 2000: offset of the codestream, behind a JP2 file header where there is one."""

    @property
    def full_resolution(self) -> tuple[bool, ...]:
        """JPEG: whether each component has a sample for every pixel."""
        h, v = max(s >> 4 for s in self.sampling), max(s & 15 for s in self.sampling)
        return tuple(s >> 4 == h and s & 15 == v for s in self.sampling)

    @property
    def rgb(self) -> bool | None:
        """JPEG: whether the stream itself says its components are R, G, B; None: it is silent."""
        if self.transform is not None:
            return self.transform == 0
        if self.jfif:
            return False
        return True if self.identifiers == b"RGB" else None


def inspect_stream(frame: Buffer, info: CineInfo) -> Stream:
    """Read the head of an encapsulated frame and compare it with the header.

    Parameters
    ----------
    frame : Buffer
        One encapsulated frame of a JPEG family or JPEG 2000 family syntax, borrowed.
    info : CineInfo
        The header.

    Raises
    ------
    InputError
        The stream is no stream of that family, or declares another image than the header.
    """
    family = syntax_of(info.transfer_syntax).family
    stream = read_j2k(frame) if family in (Family.J2K, Family.HTJ2K) else read_jpeg(frame)
    check_stream(stream, info)
    check_length(stream, info, memoryview(frame).nbytes)
    return stream


def check_stream(stream: Stream, info: CineInfo) -> None:
    """Compare what a stream declares with the header.

    Raises
    ------
    InputError
        It is of another family, or declares another image.
    """
    family = syntax_of(info.transfer_syntax).family
    if stream.process not in _PROCESSES[family]:
        name = PROCESS_NAMES.get(stream.process, "unknown process")
        raise InputError(f"the frames are coded as {name}: not what the transfer syntax says")
    if (stream.rows, stream.columns) != (info.rows, info.columns):
        raise InputError(
            f"a frame is coded as {stream.columns} x {stream.rows} pixels, "
            f"the header says {info.columns} x {info.rows}"
        )
    if stream.components != info.samples:
        raise InputError(
            f"a frame is coded with {stream.components} components, the header says {info.samples}"
        )
    if not 1 <= stream.precision <= info.bits_allocated:
        raise InputError("a frame is coded with more bits than the header allocates")
    if family is Family.JPEG and stream.precision != 8:
        raise InputError(f"lossy JPEG of {stream.precision} bits is not supported")
    if family is not Family.JPEG and stream.subsampled:
        raise InputError("subsampled components are not supported in this transfer syntax")


def check_length(stream: Stream, info: CineInfo, length: int) -> None:
    """Refuse a stream of `length` bytes that declares more pixels than they can hold.

    Raises
    ------
    InputError
        It does.
    """
    family = syntax_of(info.transfer_syntax).family
    if stream.rows * stream.columns > length * _PIXELS_PER_BYTE.get(family, stream.rows << 16):
        raise InputError("a frame is truncated: it is too short for the pixels that it declares")


PROCESS_NAMES: Final = {
    0xC0: "JPEG baseline",
    0xC1: "JPEG extended sequential",
    0xC2: "progressive JPEG",
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xC9: "arithmetic-coded JPEG",
    0xCA: "arithmetic-coded progressive JPEG",
    0xCB: "arithmetic-coded lossless JPEG",
    0xF7: "JPEG-LS",
    0x51: "JPEG 2000",
}

_PROCESSES: Final[dict[Family, frozenset[int]]] = {
    Family.JPEG: frozenset({0xC0, 0xC1}),
    Family.JPEG_LOSSLESS: frozenset({0xC3}),
    Family.JPEG_LS: frozenset({0xF7}),
    Family.J2K: frozenset({0x51}),
    Family.HTJ2K: frozenset({0x51}),
}


def readable(frame: Buffer) -> bytes:
    """Return `frame` itself, typed as codecs declare their input.

    They take any buffer; their declarations leave out `memoryview`.
    """
    return cast("bytes", frame)


def read_jpeg(frame: Buffer) -> Stream:
    """Read the head of a JPEG or JPEG-LS stream, up to its frame header.

    Raises
    ------
    InputError
        It isn't one, or ends before its frame header.
    """
    view = memoryview(frame)
    if bytes(view[:2]) != b"\xff\xd8":
        raise InputError("a frame is not a JPEG stream")
    position = 2
    transform: int | None = None
    jfif = False
    try:
        while True:
            marker, position, end = _segment(view, position)
            body = view[position:end]
            if marker in _SOF:
                return _frame_header(marker, body, transform, jfif)
            if marker == 0xEE and bytes(body[:5]) == b"Adobe" and len(body) >= 12:
                transform = body[11]
            elif marker == 0xE0 and bytes(body[:5]) == b"JFIF\0":
                jfif = True
            elif marker in (0xD9, 0xDA):
                raise InputError("a JPEG stream has no frame header")
            position = end
    except (IndexError, struct.error):
        raise InputError("a JPEG stream ends in its head: truncated") from None


def _segment(view: memoryview, position: int) -> tuple[int, int, int]:
    """Return marker, start and end of the parameters of the segment at `position`."""
    if view[position] != 0xFF:
        raise InputError("a JPEG stream is corrupt: no marker where one must be")
    while view[position] == 0xFF:
        position += 1
    marker = view[position]
    (length,) = struct.unpack_from(">H", view, position + 1)
    end = position + 1 + length
    if length < 2 or end > len(view):
        raise InputError("a JPEG stream is corrupt: a segment leaves the frame")
    return marker, position + 3, end


def _frame_header(marker: int, body: memoryview, transform: int | None, jfif: bool) -> Stream:
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    if len(body) < 6 + 3 * components:
        raise InputError("a JPEG frame header is too short")
    sampling = bytes(body[7 : 6 + 3 * components : 3])
    return Stream(
        process=marker,
        rows=rows,
        columns=columns,
        components=components,
        precision=precision,
        subsampled=len(set(sampling)) > 1,
        sampling=sampling,
        transform=transform,
        jfif=jfif,
        identifiers=bytes(body[6 : 6 + 3 * components : 3]),
    )


def j2k_start(frame: Buffer) -> int:
    """Return the offset of the codestream: 0, or behind the boxes of a JP2 file.

    PS3.5 A.4.4 wants the bare codestream; files with a JP2 header exist.

    Raises
    ------
    InputError
        There is no codestream.
    """
    view = memoryview(frame)
    if bytes(view[:4]) == SOC:
        return 0
    if bytes(view[:8]) != JP2:
        raise InputError("a frame is not a JPEG 2000 codestream")
    position = 0
    try:
        while True:
            length, kind = struct.unpack_from(">I4s", view, position)
            head = 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", view, position + 8)
                head = 16
            if kind == b"jp2c":
                break
            if length < head:
                raise InputError("a JP2 file in a frame is corrupt: a box has no length")
            position += length
    except struct.error:
        raise InputError("a JP2 file in a frame has no codestream") from None
    if bytes(view[position + head : position + head + 4]) != SOC:
        raise InputError("a frame is not a JPEG 2000 codestream")
    return position + head


def read_j2k(frame: Buffer) -> Stream:
    """Read SIZ and COD of a JPEG 2000 codestream (ISO/IEC 15444-1 A.5.1, A.6.1).

    Raises
    ------
    InputError
        It isn't one, is truncated, or declares what can't be.
    """
    start = j2k_start(frame)
    view = memoryview(frame)[start:]
    try:
        length, _, x1, y1, x0, y0, tw, th, tx, ty, count = struct.unpack_from(">HH8IH", view, 4)
        sizes = bytes(view[42 : 42 + 3 * count])
    except struct.error:
        raise InputError("a JPEG 2000 codestream is truncated") from None
    if length != 38 + 3 * count or len(sizes) != 3 * count or not count:
        raise InputError("a JPEG 2000 codestream is corrupt: its size segment has a wrong length")
    if not (x0 < x1 and y0 < y1 and tw and th and tx <= x0 and ty <= y0):
        raise InputError("a JPEG 2000 codestream is corrupt: its sizes contradict each other")
    if -(-(x1 - tx) // tw) * -(-(y1 - ty) // th) > MAX_TILES:
        raise InputError("a JPEG 2000 codestream is corrupt: it declares too many tiles")
    depth = set(sizes[0::3])
    if len(depth) > 1:
        raise InputError("JPEG 2000 components of different depths are not supported")
    return Stream(
        process=0x51,
        rows=y1 - y0,
        columns=x1 - x0,
        components=count,
        precision=(sizes[0] & 0x7F) + 1,
        signed=bool(sizes[0] & 0x80),
        subsampled=any(step != 1 for i, step in enumerate(sizes) if i % 3),
        transform=_mct(view, 4 + length),
        start=start,
    )


def _mct(view: memoryview, position: int) -> int:
    """Return the component transform that COD says: 0 or 1."""
    try:
        while True:
            marker, length = struct.unpack_from(">HH", view, position)
            if marker == 0xFF52:
                return int(view[position + 8])
            if marker == 0xFF90 or length < 2:
                raise InputError("a JPEG 2000 codestream is corrupt: no coding style in its head")
            position += 2 + length
    except (struct.error, IndexError):
        raise InputError("a JPEG 2000 codestream is truncated") from None
