"""Write redactions into one frame, by transfer syntax: what a rectangle covers, and no more.

Native frames are filled in place (:mod:`cinescrub.pixels.native`); this module is for frames that
become new bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cinescrub.errors import InputError
from cinescrub.pixels import j2k_markers, jpeg, jpeg_markers, lossless, native, rle
from cinescrub.pixels.codecs import decode_raw, without_unused_bits
from cinescrub.pixels.codestream import Buffer, inspect_stream
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.fill import fill_colours
from cinescrub.pixels.registry import (
    Family,
    changes_all,
    output_photometric,
    output_syntax,
    syntax_of,
)
from cinescrub.types import Boxes, CineInfo, Fill

__all__ = ["clean", "fill_native", "has_unused_bits", "redact", "snap", "strip"]

_NO_BOXES: Final = np.empty((0, 4), np.int32)


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
    edges = np.array([info.columns, info.rows] * 2, np.int32)
    # Not `clip`: it looks up the limits of the dtype, at ten times the cost for a few boxes.
    clipped = np.minimum(np.maximum(rectangles.astype(np.int32), 0), edges)
    return clipped[(clipped[:, 0] < clipped[:, 2]) & (clipped[:, 1] < clipped[:, 3])]


def redact(frame: Buffer, info: CineInfo, rectangles: Boxes, fill: Fill = Fill.BLACK) -> Buffer:
    """Return a frame with `rectangles` filled, in :func:`output_syntax`.

    Parameters
    ----------
    frame : Buffer
        A frame as stored, borrowed.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; :func:`snap` says what of the frame changes. May
        be empty: then the frame changes only where :func:`registry.changes_all` says so.
    fill : Fill, optional
        With what; see :func:`cinescrub.pixels.fill.fill_colours`.

    Returns
    -------
    Buffer
        New bytes of even length; `frame` itself where there is nothing to change.

    Raises
    ------
    InputError
        The frame is corrupt, truncated, or can't be written in this syntax.
    RedactionError
        An encoder wrote samples of another kind than it was given.
    """
    jpeg_family = syntax_of(info.transfer_syntax).family is Family.JPEG
    if jpeg_family and fill is Fill.BLACK and len(rectangles):
        redacted = jpeg.redact(frame, info, rectangles)
        return frame if redacted is frame else _even(bytes(redacted))
    inside = _clipped(rectangles, info)
    if not len(inside) and not changes_all(info):
        return clean(frame, info)
    if info.native:
        copy = bytearray(frame)
        fill_native(copy, info, snap(frame, info, inside), fill)
        return copy
    if jpeg_family:
        return _even(_redact_jpeg(frame, info, inside, fill))
    return _even(lossless.recode(frame, info, inside, fill))


def fill_native(
    frames: bytearray | memoryview, info: CineInfo, rectangles: Boxes, fill: Fill = Fill.BLACK
) -> None:
    """Fill rectangles of native frames in place; as :func:`cinescrub.pixels.native.fill`.

    Parameters
    ----------
    frames : writable Buffer
        One or several that follow each other. Modified in place.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        Snapped, inside of the frame.
    fill : Fill, optional
        With what.
    """
    if fill is Fill.BLACK or not len(rectangles):
        native.fill(frames, info, rectangles)
        return
    view = memoryview(frames)
    for start in range(0, len(view), info.frame_bytes):
        frame = view[start : start + info.frame_bytes]
        colours = fill_colours(decode_stored(frame, info), info, rectangles, fill)
        native.fill(frame, info, rectangles, colours)


def _redact_jpeg(frame: Buffer, info: CineInfo, rectangles: Boxes, fill: Fill) -> bytes:
    """Fill each rectangle with a colour of its own."""
    rectangles = snap(frame, info, rectangles)
    stored = decode_stored(frame, info)
    colours = fill_colours(stored, info, rectangles, fill, jpeg.black(frame, info))
    redacted: Buffer = frame
    for colour in dict.fromkeys(colours):  # one pass a colour
        same = rectangles[[colour == other for other in colours]]
        redacted = jpeg.redact(redacted, info, same, colour)
    return bytes(redacted)


def clean(frame: Buffer, info: CineInfo) -> Buffer:
    """Return a frame without what can hide text beside its picture, its samples as they were.

    That is what :func:`strip` takes out, and bits above BitsStored: a frame that has some set is
    coded again without loss.

    Returns
    -------
    Buffer
        `frame` itself, not a copy, where nothing had to go. Else new bytes of even length.

    Raises
    ------
    InputError
        The frame is corrupt or truncated, or has unused bits that can't be cleared in its syntax.
    """
    if not has_unused_bits(frame, info):
        return strip(frame, info)
    if info.native:
        copy = bytearray(frame)
        native.fill(copy, info, _NO_BOXES)
        return copy
    syntax, photometric = output_syntax(info), output_photometric(info)
    if (syntax, photometric) != (info.transfer_syntax, info.photometric):
        name = syntax_of(info.transfer_syntax).name
        raise InputError(
            f"bits above BitsStored can't be cleared in {name}: convert the file first"
        )
    return _even(lossless.recode(frame, info, _NO_BOXES))


def strip(frame: Buffer, info: CineInfo) -> Buffer:
    """Return a frame without what can hold text beside its samples.

    JPEG and JPEG-LS: APPn, COM and bytes behind the end go, but for the markers that colours
    depend on. JPEG 2000: comments, JP2 boxes, bytes behind the end. RLE: unused
    offsets; bytes behind a plane are refused.

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
    cleaned: Buffer = frame
    if family in (Family.JPEG, Family.JPEG_LOSSLESS, Family.JPEG_LS):
        cleaned = jpeg_markers.clean(frame)
    elif family in (Family.J2K, Family.HTJ2K):
        cleaned = j2k_markers.clean(frame)
    elif family is Family.RLE:
        cleaned = rle.clean(frame, info)
    return frame if cleaned is frame else _even(bytes(cleaned))


def has_unused_bits(frame: Buffer, info: CineInfo) -> bool:
    """Whether a frame has bits set above BitsStored that aren't the extension of a sign.

    Most streams say in their head that they can't; the others are decoded.

    Raises
    ------
    InputError
        The frame is corrupt or truncated.
    """
    if info.bits_stored == info.bits_allocated:
        return False
    family = syntax_of(info.transfer_syntax).family
    if family in (Family.NATIVE, Family.RLE):
        samples = rle.decode(frame, info) if family is Family.RLE else native.samples(frame, info)
        return native.without_unused_bits(samples, info.bits_stored) is not samples
    if inspect_stream(frame, info).precision <= info.bits_stored:
        return False
    raw, stream = decode_raw(frame, info)
    return without_unused_bits(raw, info, stream) is not raw


def _even(frame: bytes) -> bytes:
    """Pad to even length (PS3.5 A.4)."""
    return frame + b"\0" if len(frame) % 2 else frame
