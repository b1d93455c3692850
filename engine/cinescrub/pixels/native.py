"""Native frames: viewed as samples and filled in place, in the layout they are stored in.

No copy and no conversion: a frame may be a slice of a memory-mapped file. PS3.5 8.1, PS3.3
C.7.6.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer
from cinescrub.types import Boxes, CineInfo, Palette

__all__ = ["Colours", "fill", "fill_value", "paint", "samples", "snap_pairs"]

Colours: TypeAlias = Sequence[tuple[int, ...]]
"""One value a sample, for each rectangle."""


def fill_value(info: CineInfo, bits: int | None = None) -> tuple[int, ...]:
    """Return the stored samples of black.

    Parameters
    ----------
    info : CineInfo
        The header.
    bits : int, optional
        Bits of a sample, where a codestream has fewer than BitsStored.

    Returns
    -------
    tuple of int
        One value a sample. MONOCHROME2: the lowest; MONOCHROME1: the highest (it shows black);
        palette: the index of the darkest colour; RGB: 0; YBR: 0 and twice the middle.
    """
    depth = info.bits_stored if bits is None else min(bits, info.bits_stored)
    if info.photometric == "PALETTE COLOR" and info.palette is not None:
        return (_darkest(info.palette, depth),)
    if info.samples == 1:
        lowest = -(1 << (depth - 1)) if info.signed else 0
        return (lowest,) if info.photometric == "MONOCHROME2" else (lowest + (1 << depth) - 1,)
    if info.photometric in ("YBR_FULL", "YBR_FULL_422"):
        return (0, 1 << (depth - 1), 1 << (depth - 1))
    return (0, 0, 0)


def _darkest(palette: Palette, depth: int) -> int:
    """Return the darkest of the stored values that `depth` bits can hold."""
    low = max(0, -palette.first)
    reachable = palette.table[low : max(0, (1 << depth) - palette.first)]
    if not len(reachable):
        return 0  # every value shows the table's first or last colour
    return Palette(reachable, palette.first + low).darkest


def samples(frame: Buffer, info: CineInfo) -> npt.NDArray[Any]:
    """View a native frame as stored samples.

    Parameters
    ----------
    frame : Buffer
        Exactly `info.frame_bytes` bytes, borrowed; the view is writable where it is.
    info : CineInfo
        The header.

    Returns
    -------
    (H, W), (H, W, 3) or, for YBR_FULL_422, (H, W / 2, 4) array
        A view in the stored byte order. 4:2:2 packs Y1, Y2, Cb, Cr (PS3.3 C.7.6.3.1.2). For
        `info.words` a copy, with the byte pairs put right.

    Raises
    ------
    InputError
        The frame has another length than the header says.
    """
    flat = _flat(frame, info)
    if info.words:
        return _shaped(flat.reshape(-1, 2)[:, ::-1].reshape(-1), info)
    return _shaped(flat.view(info.dtype.newbyteorder("<" if info.little_endian else ">")), info)


def _flat(frame: Buffer, info: CineInfo) -> npt.NDArray[np.uint8]:
    if memoryview(frame).nbytes != info.frame_bytes:
        raise InputError("a native frame has another length than the header says")
    return np.frombuffer(frame, np.uint8)


def _shaped(view: npt.NDArray[Any], info: CineInfo) -> npt.NDArray[Any]:
    if info.photometric == "YBR_FULL_422":
        return view.reshape(info.rows, info.columns // 2, 4)
    if info.samples == 1:
        return view.reshape(info.rows, info.columns)
    if info.planar:
        return view.reshape(info.samples, info.rows, info.columns).transpose(1, 2, 0)
    return view.reshape(info.rows, info.columns, info.samples)


def snap_pairs(rectangles: Boxes) -> Boxes:
    """Return rectangles snapped outwards to the pixel pairs of 4:2:2, owned by the caller."""
    snapped = rectangles.copy()
    snapped[:, 0] -= snapped[:, 0] % 2
    snapped[:, 2] += snapped[:, 2] % 2
    return snapped


def fill(
    frame: bytearray | memoryview,
    info: CineInfo,
    rectangles: Boxes,
    colours: Colours | None = None,
) -> None:
    """Fill rectangles of a native frame, and clear its overlay bits, in place.

    Parameters
    ----------
    frame : writable Buffer
        Exactly `info.frame_bytes` bytes. Modified in place; nothing outside of the rectangles
        changes, but for the bits that `info.overlay_bits` names.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; what leaves the frame is ignored. 4:2:2: snapped
        outwards to pixel pairs.
    colours : sequence of tuples of int, optional
        Stored samples of each rectangle's fill; black where it is not given.

    Raises
    ------
    InputError
        The frame has another length than the header says, or can't be written to.
    """
    if memoryview(frame).readonly:
        raise InputError("a native frame is filled in a buffer that can be written to")
    values = [fill_value(info)] * len(rectangles) if colours is None else colours
    if info.words:
        _fill_words(frame, info, rectangles, values)
        return
    view = samples(frame, info)
    if info.overlay_bits:
        view &= np.array(~info.overlay_bits & ((1 << info.bits_allocated) - 1)).astype(view.dtype)
    if info.photometric == "YBR_FULL_422":
        rectangles = snap_pairs(rectangles)
        rectangles[:, [0, 2]] //= 2
        values = [(luma, luma, *chroma) for luma, *chroma in values]
    paint(view, values, rectangles)


def _fill_words(
    frame: bytearray | memoryview, info: CineInfo, rectangles: Boxes, values: Colours
) -> None:
    """Fill 8-bit samples whose byte pairs are swapped: sample i lies at byte i ^ 1."""
    stored = _flat(frame, info)
    numbers = _shaped(np.arange(stored.size), info)
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        at = numbers[y0:y1, x0:x1] ^ 1
        stored[at] = np.array(value if at.ndim == 3 else value[0]).astype(np.uint8)


def paint(target: npt.NDArray[Any], values: Colours, rectangles: Boxes) -> None:
    """Set each rectangle of an image to its value; where they overlap the last one holds.

    Parameters
    ----------
    target : (H, W) or (H, W, S) array
        Modified in place.
    values : sequence of tuples of int
        For each rectangle one value a sample, in the range of the dtype.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; clipped here.
    """
    samples = target.shape[2] if target.ndim == 3 else 1
    # By rows where samples lie side by side: NumPy is five times as slow at spreading triples.
    rows = target.reshape(target.shape[0], -1) if target.flags.c_contiguous else None
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        colour = np.array(value, target.dtype)
        if rows is not None:
            part = rows[y0:y1, x0 * samples : x1 * samples]
            uniform = len(set(value)) == 1
            part[:] = colour[0] if uniform else np.tile(colour, part.shape[1] // samples)
        elif target.ndim == 3:
            target[y0:y1, x0:x1] = colour
        else:
            target[y0:y1, x0:x1] = colour[0]
