"""Native frames: viewed as samples and filled in place, in the layout they are stored in.

No copy and no conversion: a frame may be a slice of a memory-mapped file. PS3.5 8.1, PS3.3
C.7.6.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer
from cinescrub.types import Boxes, CineInfo, Palette

__all__ = ["Colours", "fill", "fill_value", "paint", "samples", "snap_pairs", "without_unused_bits"]

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
    return _shaped(flat.view(_stored_dtype(info)), info)


def _stored_dtype(info: CineInfo) -> np.dtype[Any]:
    return info.dtype.newbyteorder("<" if info.little_endian else ">")


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
    frames: bytearray | memoryview,
    info: CineInfo,
    rectangles: Boxes,
    colours: Colours | None = None,
) -> None:
    """Fill rectangles of native frames, and clear their unused bits, in place.

    Parameters
    ----------
    frames : writable Buffer
        One frame or several that follow each other, of `info.frame_bytes` bytes each. Modified in
        place; nothing outside of the rectangles changes, but for bits above BitsStored.
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
        The frames have another length than the header says, or can't be written to.
    """
    view = memoryview(frames)
    if view.readonly:
        raise InputError("a native frame is filled in a buffer that can be written to")
    if not view.nbytes or view.nbytes % info.frame_bytes:
        raise InputError("a native frame has another length than the header says")
    values = [fill_value(info)] * len(rectangles) if colours is None else colours
    if info.photometric == "YBR_FULL_422":
        rectangles = snap_pairs(rectangles)
        rectangles[:, [0, 2]] //= 2
        values = [(luma, luma, *chroma) for luma, *chroma in values]
    flat = np.frombuffer(view, np.uint8).reshape(-1, info.frame_bytes)
    stored = flat if info.words else flat.view(_stored_dtype(info))
    cleared = without_unused_bits(stored, info.bits_stored)
    if cleared is not stored:
        stored[:] = cleared
    for plane, at in _planes(stored, info):
        part = [value[at] for value in values]
        if not info.words:
            _paint_rows(plane, part, rectangles)
        elif plane.shape[-1] % 2 == 0:
            _paint_pairs(plane, part, rectangles)
        else:
            _paint_pairs_by_address(stored, plane, part, rectangles)


def _planes(stored: npt.NDArray[Any], info: CineInfo) -> Iterator[tuple[npt.NDArray[Any], slice]]:
    """Yield views (frames, rows, samples of a row), and which samples of a pixel lie in them."""
    count = len(stored)
    if info.planar and info.samples > 1:
        planes = stored.reshape(count, info.samples, info.rows, info.columns)
        for i in range(info.samples):
            yield planes[:, i], slice(i, i + 1)
    else:
        yield stored.reshape(count, info.rows, -1), slice(None)


def _paint_rows(rows: npt.NDArray[Any], values: Colours, rectangles: Boxes) -> None:
    """Fill rectangles of rows, (..., H, samples of a row), whose pixels' samples lie together."""
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        step = len(value)
        part = rows[..., y0:y1, x0 * step : x1 * step]
        # A row of samples at a time: NumPy is five times as slow at spreading triples.
        part[:] = value[0] if len(set(value)) == 1 else _row(value, part)


def _row(value: tuple[int, ...], part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.tile(np.array(value).astype(part.dtype), part.shape[-1] // len(value))


def _paint_pairs(rows: npt.NDArray[np.uint8], values: Colours, rectangles: Boxes) -> None:
    """As :func:`_paint_rows` where byte pairs are swapped: sample i of a row lies at byte i ^ 1.

    Rows have even lengths.
    """
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        start = min(x0 * len(value), rows.shape[-1])
        stop = max(start, min(x1 * len(value), rows.shape[-1]))
        row = _row(value, rows[..., start:stop])
        part = rows[..., y0:y1, :]
        first, last = start + start % 2, stop - stop % 2
        if start < first and start < stop:
            part[..., start - 1] = row[0]
        if last < stop and first <= last:
            part[..., last + 1] = row[-1]
        pairs = row[first - start : last - start].reshape(-1, 2)
        part[..., first:last] = pairs[:, ::-1].reshape(-1)


def _paint_pairs_by_address(
    stored: npt.NDArray[np.uint8],
    plane: npt.NDArray[np.uint8],
    values: Colours,
    rectangles: Boxes,
) -> None:
    """As :func:`_paint_pairs` for rows of odd lengths, whose pairs reach from row to row."""
    base = plane[0].__array_interface__["data"][0] - stored.__array_interface__["data"][0]
    _, high, wide = plane.shape
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        step = len(value)
        columns = np.arange(min(x0 * step, wide), min(x1 * step, wide))
        at = base + np.arange(y0, min(y1, high))[:, None] * wide + columns
        stored[:, at ^ 1] = np.tile(np.array(value).astype(np.uint8), len(columns) // step)


def without_unused_bits(samples: npt.NDArray[Any], bits_stored: int) -> npt.NDArray[Any]:
    """Return samples with nothing above BitsStored but the extension of a sign.

    PS3.5 8.1.1 says nothing of these bits, and text or a picture may be hidden there. In signed
    samples they repeat the sign, in all others they are zero.

    Parameters
    ----------
    samples : integer array
        Stored samples in any byte order, borrowed.
    bits_stored : int
        1 to the bits of the dtype.

    Returns
    -------
    array of the same shape
        `samples` itself where no bit is to change, else owned by the caller.
    """
    unused = 8 * samples.itemsize - bits_stored
    if unused <= 0:
        return samples
    cleared = (samples << unused) >> unused
    return cleared if (cleared != samples).any() else samples


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
    if target.flags.c_contiguous:
        _paint_rows(target.reshape(target.shape[0], -1), values, rectangles)
        return
    for (x0, y0, x1, y1), value in zip(np.maximum(rectangles, 0).tolist(), values, strict=True):
        target[y0:y1, x0:x1] = np.array(value, target.dtype) if target.ndim == 3 else value[0]
