"""The pixel data of an output, every byte accounted for: lengths, tables, streams, unused bits.

Reads blocks and frames by position, never the whole. Pictures are not judged here.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from cinescrub.dicom.walker import UNDEFINED, Cursor, UnaccountedError
from cinescrub.errors import InputError
from cinescrub.pixels import apply, native
from cinescrub.types import CineInfo

__all__ = ["EXTENDED_TABLES", "IMAGE_TAGS", "audit_pixels", "image_of"]

_PLACE: Final = "(7FE0,0010) PixelData"
_ITEM, _END = struct.pack("<HH", 0xFFFE, 0xE000), struct.pack("<HH", 0xFFFE, 0xE0DD)
_BLOCK: Final = 1 << 20
EXTENDED_TABLES: Final = (0x7FE00001, 0x7FE00002)
"""Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8), instead of the Basic one."""

_TAGS: Final = MappingProxyType(
    {
        **{0x00280002: "samples", 0x00280010: "rows", 0x00280011: "columns"},
        **{0x00280100: "allocated", 0x00280101: "stored", 0x00280103: "signed"},
        0x00280006: "planar",
    }
)
_OPTIONAL: Final = frozenset({0x00280006})
_PHOTOMETRIC, _FRAMES, _HIGH_BIT = 0x00280004, 0x00280008, 0x00280102
IMAGE_TAGS: Final = frozenset({*_TAGS, _PHOTOMETRIC, _FRAMES, _HIGH_BIT})
"""Root elements that `image_of` is made of."""


def image_of(numbers: Mapping[int, int], texts: Mapping[int, str], syntax: str) -> CineInfo:
    """Put together what root elements say of the pixels.

    Parameters
    ----------
    numbers : mapping of int to int
        First values of US elements of the root, by tag.
    texts : mapping of int to str
        First values of string elements of the root, by tag.
    syntax : str
        Transfer syntax UID.

    Raises
    ------
    UnaccountedError
        One of them is missing.
    """
    missing = [tag for tag in _TAGS if tag not in numbers and tag not in _OPTIONAL]
    if missing:
        raise UnaccountedError("the image's description is incomplete")
    frames = texts.get(_FRAMES, "").strip() or "1"
    if not frames.isdecimal():
        raise UnaccountedError("(0028,0008) NumberOfFrames is not a number")
    values = {name: numbers.get(tag, 0) for tag, name in _TAGS.items()}
    return CineInfo(
        transfer_syntax=syntax,
        frames=int(frames),
        rows=values["rows"],
        columns=values["columns"],
        samples=values["samples"],
        photometric=texts.get(_PHOTOMETRIC, ""),
        bits_allocated=values["allocated"],
        bits_stored=values["stored"],
        high_bit=numbers.get(_HIGH_BIT, values["stored"] - 1),
        signed=values["signed"] == 1,
        planar=values["planar"],
    )


def audit_pixels(
    cursor: Cursor,
    pixels: tuple[str, int] | None,
    info: CineInfo,
    *,
    implicit: bool,
    extended: tuple[bytes, ...] = (),
) -> Iterator[str]:
    """Read the pixel data to its end and yield what is wrong with it.

    Parameters
    ----------
    cursor : Cursor
        At the first byte of the value.
    pixels : (str, int) or None
        VR and length of Pixel Data.
    info : CineInfo
        What the same file says of its pixels.
    implicit : bool
        Whether the dataset is Implicit VR.
    extended : tuple of bytes
        Values of the Extended Offset Table and of its lengths, if the file has one of them.

    Yields
    ------
    str
        One finding.

    Raises
    ------
    UnaccountedError
        What follows can't be read any further.
    """
    if pixels is None:
        raise UnaccountedError(f"{_PLACE} is missing")
    vr, length = pixels
    if not implicit and vr not in ("OB", "OW"):
        yield f"{_PLACE} has a value representation that isn't one of pixels"
    if info.native:
        if extended:
            yield f"{_PLACE} has an offset table and no fragments"
        yield from _native(cursor, length, info)
        return
    if length != UNDEFINED:
        raise UnaccountedError(f"{_PLACE} is compressed and has a length")
    yield from _encapsulated(cursor, info, extended)


def _native(cursor: Cursor, length: int, info: CineInfo) -> Iterator[str]:
    needed = info.frame_bytes * info.frames
    if length != needed + needed % 2:
        raise UnaccountedError(f"{_PLACE} has {length} bytes where its description needs {needed}")
    check = _unused_bits(info)
    left = needed
    dirty = False
    while left:
        # Whole samples of up to 4 bytes: a block is a multiple of that.
        block = cursor.read(min(_BLOCK, left))
        if not block:
            raise UnaccountedError(f"{_PLACE} ends with the file")
        dirty = dirty or check(block)
        left -= len(block)
    if dirty:
        yield f"{_PLACE} has bits set above BitsStored"
    if needed % 2 and cursor.read(1) != b"\0":
        yield f"{_PLACE} has padding that is not zero"


def _unused_bits(info: CineInfo) -> Callable[[bytes], bool]:
    """Return a function that tells whether samples have bits above BitsStored."""
    if info.bits_stored == info.bits_allocated:
        return lambda _: False
    dtype = info.dtype.newbyteorder("<" if info.little_endian else ">")

    def check(block: bytes) -> bool:
        samples = np.frombuffer(block, dtype)
        return native.without_unused_bits(samples, info.bits_stored) is not samples

    return check


def _encapsulated(cursor: Cursor, info: CineInfo, extended: tuple[bytes, ...]) -> Iterator[str]:
    table = _table(cursor)
    start = cursor.tell()
    offsets, lengths = array("Q"), array("Q")
    dirty = hidden = False
    while (length := _fragment(cursor)) is not None:
        offsets.append(cursor.tell() - 8 - start)
        lengths.append(length)
        frame = cursor.read(length)
        if len(frame) < length or length % 2 or not length:
            raise UnaccountedError(f"{_PLACE}: fragment {len(offsets) - 1} is cut, odd or empty")
        hidden = hidden or _has_more_than_pixels(frame, info)
        dirty = dirty or _has_unused_bits(frame, info)
    if len(offsets) != info.frames:
        yield f"{_PLACE} has {len(offsets)} fragments for {info.frames} frames"
    if not _fits(table, extended, offsets, lengths):
        yield f"{_PLACE} has an offset table that isn't that of its fragments"
    if hidden:
        yield f"{_PLACE} has a frame with comments, application data or bytes behind its end"
    if dirty:
        yield f"{_PLACE} has bits set above BitsStored"


def _fits(
    basic: bytes, extended: tuple[bytes, ...], offsets: array[int], lengths: array[int]
) -> bool:
    """Whether there is one offset table, and it is that of the fragments."""
    if extended:
        right = tuple(struct.pack(f"<{len(values)}Q", *values) for values in (offsets, lengths))
        return not basic and extended == right
    return basic == struct.pack(f"<{len(offsets)}L", *(o & 0xFFFFFFFF for o in offsets))


def _fragment(cursor: Cursor) -> int | None:
    """Return the length of the fragment that comes next, None at the delimiter."""
    head = cursor.read(8)
    if len(head) < 8:
        raise UnaccountedError(f"{_PLACE} ends with the file")
    length = int.from_bytes(head[4:], "little")
    if head[:4] == _END and length:
        raise UnaccountedError(f"{_PLACE} has a delimiter with a length")
    if head[:4] not in (_ITEM, _END) or length == UNDEFINED:
        raise UnaccountedError(f"{_PLACE} has something else than fragments")
    return length if head[:4] == _ITEM else None


def _table(cursor: Cursor) -> bytes:
    head = cursor.read(8)
    length = int.from_bytes(head[4:], "little")
    if head[:4] != _ITEM or length % 4:
        raise UnaccountedError(f"{_PLACE} doesn't start with an offset table")
    raw = cursor.read(length)
    if len(raw) < length:
        raise UnaccountedError(f"{_PLACE} ends with the file")
    return raw


def _has_more_than_pixels(frame: bytes, info: CineInfo) -> bool:
    try:
        return apply.strip(frame, info) is not frame
    except InputError:
        raise UnaccountedError(f"{_PLACE} has a frame that is no stream of its syntax") from None


def _has_unused_bits(frame: bytes, info: CineInfo) -> bool:
    try:
        return apply.has_unused_bits(frame, info)
    except InputError:
        raise UnaccountedError(f"{_PLACE} has a frame that can't be decoded") from None
