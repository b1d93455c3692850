"""Where the bytes of each frame lie: checks against the file, and views of its map.

Nothing is decoded and no more than one frame is copied.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import Protocol

from cinescrub.dicom.fragments import FrameIndex, OffsetTable, coding_of, index_frames
from cinescrub.dicom.inflate import MAX_RATIO
from cinescrub.dicom.structure import UNDEFINED, Element, Encoding
from cinescrub.errors import InputError
from cinescrub.types import CineInfo

__all__ = [
    "Encapsulated",
    "Frames",
    "Native",
    "Swapped",
    "check_pixels",
    "encapsulated_frames",
    "native_frames",
    "native_vr",
]


class Frames(Protocol):
    """Where frames come from."""

    def frame(self, k: int) -> memoryview:
        """Return the bytes of frame `k`."""

    def close(self) -> None:
        """Drop what is held of the map."""


@dataclass(frozen=True, slots=True)
class Native:
    """Frames that lie in the map as they are."""

    view: memoryview
    frame_bytes: int

    def frame(self, k: int) -> memoryview:
        """Return a view of frame `k`, borrowed."""
        return self.view[k * self.frame_bytes : (k + 1) * self.frame_bytes]

    def close(self) -> None:
        """Drop the view."""
        self.view.release()


@dataclass(frozen=True, slots=True)
class Swapped:
    """8-bit samples in big endian words, put in order: only where frames have an odd length.

    Their pairs then straddle frames, so that a view of one frame can't be had.
    """

    view: memoryview
    frame_bytes: int

    def frame(self, k: int) -> memoryview:
        """Return frame `k` in order, owned by the caller."""
        start, stop = k * self.frame_bytes, (k + 1) * self.frame_bytes
        pairs = bytearray(self.view[start & ~1 : stop + (stop & 1)])
        pairs[0::2], pairs[1::2] = pairs[1::2], pairs[0::2]
        return memoryview(bytes(pairs))[start & 1 :][: self.frame_bytes]

    def close(self) -> None:
        """Drop the view."""
        self.view.release()


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed frames."""

    view: memoryview
    index: FrameIndex

    def frame(self, k: int) -> memoryview:
        """Return frame `k`: a view if it is one fragment, else its fragments joined."""
        pieces = self.index.pieces(k)
        if len(pieces) == 1:
            start, length = pieces[0]
            return self.view[start : start + length]
        return memoryview(b"".join(self.view[at : at + length] for at, length in pieces))

    def close(self) -> None:
        """Drop the view."""
        self.view.release()


def check_pixels(info: CineInfo, pixels: Element, size: int, *, deflated: bool) -> None:
    """Compare what is declared with what is there, before anything is allocated."""
    if not info.native:
        if pixels.length != UNDEFINED:
            raise InputError("compressed pixel data is not encapsulated: not as declared")
        if info.frames * 8 > size - pixels.value:  # an item's header each
            raise InputError(f"truncated: {info.frames} frames are declared, too few bytes follow")
        return
    if pixels.length == UNDEFINED:
        raise InputError("encapsulated pixel data in an uncompressed transfer syntax")
    needed = info.frame_bytes * info.frames
    if needed >= UNDEFINED:
        raise InputError(
            f"{needed} bytes of uncompressed pixels are declared: over 4 GiB (PS3.5 7.1.1)"
        )
    left = size * MAX_RATIO if deflated else size - pixels.value
    if min(pixels.length, needed) > left:
        raise InputError(
            f"truncated: {needed} bytes of pixel data are declared, {left} can be left"
        )
    # one byte of padding to even length is the standard's (PS3.5 8.1.1); more is unexplained
    if pixels.length not in (needed, needed + needed % 2):
        raise InputError(
            f"pixel data is {pixels.length} bytes long, its description needs {needed}"
        )
    if pixels.length > left:
        raise InputError("truncated: the last byte of the pixel data is missing")
    if info.photometric == "YBR_FULL_422" and (info.columns % 2 or info.planar):
        raise InputError("YBR_FULL_422 with odd columns or by plane has no defined layout")


def native_frames(info: CineInfo, pixels: Element, mapped: mmap.mmap) -> Native | Swapped:
    """Return the frames of uncompressed pixel data, already checked to be whole.

    Raises
    ------
    InputError
        Big endian, and what its bytes mean isn't settled by the standard.
    """
    if not info.little_endian and (
        pixels.vr not in ("OB", "OW")
        or (info.bits_allocated == 16 and pixels.vr == "OB")
        or info.bits_allocated == 32
    ):
        raise InputError("the byte order of this big endian pixel data is ambiguous: refused")
    view = memoryview(mapped)[pixels.value : pixels.value + pixels.length]
    if info.words and info.frame_bytes % 2:
        if len(view) % 2:
            raise InputError("pixel data in 16-bit words has an odd length")
        return Swapped(view, info.frame_bytes)
    return Native(view, info.frame_bytes)


def encapsulated_frames(
    info: CineInfo,
    pixels: Element,
    mapped: mmap.mmap,
    descriptor: int,
    extended: OffsetTable | None,
) -> Encapsulated:
    """Return the frames of compressed pixel data.

    Parameters
    ----------
    info : CineInfo
        What is declared.
    pixels : Element
        Pixel Data, of undefined length.
    mapped : mmap
        The file. Borrowed.
    descriptor : int
        The same file, to be read by position. Borrowed.
    extended : OffsetTable or None
        The header's Extended Offset Table.

    Raises
    ------
    InputError
        Truncated, or fragments that don't match the declared frames.
    """
    index = index_frames(
        # by position, not over the map: the pages around each item's header would become resident
        lambda at, length: os.pread(descriptor, length, at),
        pixels.value,
        info.frames,
        coding_of(info.transfer_syntax),
        extended,
    )
    return Encapsulated(memoryview(mapped), index)


def native_vr(info: CineInfo, encoding: Encoding, stored: str) -> str:
    """Return the VR that fits the bytes of native frames as they are yielded (PS3.5 A.1 to A.4)."""
    if not info.native:
        return "OB"
    if encoding.implicit or info.bits_allocated > 8:
        return "OW"
    if not encoding.little:
        return "OW" if info.words else "OB"
    return stored if stored in ("OB", "OW") else "OB"
