"""Write redactions into one frame, by transfer syntax: what a rectangle covers, and no more.

Native frames are filled in place (:mod:`cinescrub.pixels.native`); this module is for frames that
become new bytes.
"""

from __future__ import annotations

import numpy as np

from cinescrub.errors import InputError
from cinescrub.pixels import j2k_markers, jpeg, jpeg_markers, lossless, native, rle
from cinescrub.pixels.codestream import Buffer, inspect_stream
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.registry import Family, output_syntax, syntax_of
from cinescrub.types import Boxes, CineInfo

__all__ = ["clean", "has_unused_bits", "redact", "reencode", "snap"]


def snap(frame: Buffer, info: CineInfo, rectangles: Boxes) -> Boxes:
    """Return what of the frame changes when `rectangles` are redacted.

    Parameters
    ----------
    frame : Buffer
        A frame as stored, borrowed; only its head is read.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive.

    Returns
    -------
    (m, 4) int32 array
        Snapped outwards (lossy JPEG: to MCUs; native YBR_FULL_422: to pixel pairs), clipped to
        the frame, empty ones left out. Owned by the caller.

    Raises
    ------
    InputError
        The frame's head can't be read.
    """
    snapped = _clipped(rectangles, info)
    if syntax_of(info.transfer_syntax).family is Family.JPEG:
        width, height = jpeg.mcu_size(frame, info)
        step = np.array([width, height, width, height], np.int32)
        snapped[:, :2] = snapped[:, :2] // step[:2] * step[:2]
        snapped[:, 2:] = -(-snapped[:, 2:] // step[2:]) * step[2:]
    elif info.native and info.photometric == "YBR_FULL_422":
        snapped = native.snap_pairs(snapped)
    return _clipped(snapped, info)


def _clipped(rectangles: Boxes, info: CineInfo) -> Boxes:
    """Return what of the rectangles lies in the frame, empty ones left out."""
    clipped = rectangles.astype(np.int32)
    np.clip(clipped[:, 0::2], 0, info.columns, out=clipped[:, 0::2])
    np.clip(clipped[:, 1::2], 0, info.rows, out=clipped[:, 1::2])
    return clipped[(clipped[:, 0] < clipped[:, 2]) & (clipped[:, 1] < clipped[:, 3])]


def redact(frame: Buffer, info: CineInfo, rectangles: Boxes) -> Buffer:
    """Return a frame with `rectangles` filled with black, in :func:`output_syntax`.

    Parameters
    ----------
    frame : Buffer
        A frame as stored, borrowed.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; :func:`snap` says what of the frame changes.

    Returns
    -------
    Buffer
        New bytes of even length; `frame` itself where there is nothing to change.

    Raises
    ------
    InputError
        The frame is corrupt, truncated, or can't be written in this syntax.
    RedactionError
        What was written doesn't decode to what was meant.
    """
    if output_syntax(info) != info.transfer_syntax:
        return reencode(frame, info, rectangles)
    if not len(snap(frame, info, rectangles)):
        return clean(frame, info)
    if info.native:
        copy = bytearray(frame)
        native.fill(copy, info, rectangles)
        return copy
    if syntax_of(info.transfer_syntax).family is Family.JPEG:
        return _even(jpeg.redact(frame, info, rectangles))
    return _even(lossless.recode(frame, info, rectangles))


def reencode(frame: Buffer, info: CineInfo, rectangles: Boxes) -> bytes:
    """Return a frame without loss in the output syntax, `rectangles` (or none) filled.

    For every frame of an object whose :func:`output_syntax` is not its own.

    Raises
    ------
    InputError, RedactionError
        As :func:`redact`.
    """
    return _even(lossless.recode(frame, info, rectangles))


def clean(frame: Buffer, info: CineInfo) -> Buffer:
    """Return a frame without what can hold text beside its picture.

    JPEG and JPEG-LS: APPn, COM and bytes behind the end go, but for the markers that colours
    depend on. JPEG 2000: comments, JP2 boxes, bytes behind the end. RLE: bytes that make no pixel.
    A frame with bits above BitsStored is coded anew, without loss and without them.

    Returns
    -------
    Buffer
        `frame` itself, not a copy, where nothing had to go. Else new bytes of even length.

    Raises
    ------
    InputError
        The frame is corrupt or truncated.
    """
    family = syntax_of(info.transfer_syntax).family
    if has_unused_bits(frame, info) or (family is Family.RLE and not rle.is_exact(frame, info)):
        if output_syntax(info) != info.transfer_syntax:
            # A frame of its own kind can't be made without a second generation of loss.
            raise InputError("bits above BitsStored in a lossy syntax: convert the file first")
        return reencode(frame, info, np.empty((0, 4), np.int32))
    cleaned: Buffer = frame
    if family in (Family.JPEG, Family.JPEG_LOSSLESS, Family.JPEG_LS):
        cleaned = jpeg_markers.clean(frame)
    elif family in (Family.J2K, Family.HTJ2K):
        cleaned = j2k_markers.clean(frame)
    return frame if cleaned is frame else _even(bytes(cleaned))


def has_unused_bits(frame: Buffer, info: CineInfo) -> bool:
    """Whether an encapsulated frame has bits set above BitsStored.

    Most streams say in their head that they can't; the others are decoded.

    Raises
    ------
    InputError
        The frame is corrupt or truncated.
    """
    if info.bits_stored == info.bits_allocated:
        return False
    if syntax_of(info.transfer_syntax).family is not Family.RLE:
        stream = inspect_stream(frame, info)
        if stream.precision <= info.bits_stored or stream.signed:
            return False
    stored = decode_stored(frame, info)
    return native.has_unused_bits(stored, info.bits_stored)


def _even(frame: bytes) -> bytes:
    """Pad to even length (PS3.5 A.4)."""
    return frame + b"\0" if len(frame) % 2 else frame
