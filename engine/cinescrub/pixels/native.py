"""Native frames: viewed as samples and filled in place, in the layout they are stored in.

No copy and no conversion: a frame may be a slice of a memory-mapped file. PS3.5 8.1, PS3.3
C.7.6.3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer
from cinescrub.types import Boxes, CineInfo, Palette

__all__ = [
    "clear_unused_bits",
    "fill",
    "fill_value",
    "has_unused_bits",
    "paint",
    "samples",
    "snap_pairs",
    "without_unused_bits",
]


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
    return _shaped(_flat(frame, info), info)


def _flat(frame: Buffer, info: CineInfo) -> npt.NDArray[np.uint8]:
    if memoryview(frame).nbytes != info.frame_bytes:
        raise InputError("a native frame has another length than the header says")
    flat: npt.NDArray[np.uint8] = np.frombuffer(frame, np.uint8)
    return flat.reshape(-1, 2)[:, ::-1].reshape(-1) if info.words else flat


def _shaped(flat: npt.NDArray[np.uint8], info: CineInfo) -> npt.NDArray[Any]:
    view = flat.view(info.dtype.newbyteorder("<" if info.little_endian else ">"))
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


def fill(frame: bytearray | memoryview, info: CineInfo, rectangles: Boxes) -> None:
    """Fill rectangles of a native frame with black, in place.

    Parameters
    ----------
    frame : writable Buffer
        Exactly `info.frame_bytes` bytes. Modified in place; nothing outside of the rectangles
        changes.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; what leaves the frame is ignored. 4:2:2: snapped
        outwards to pixel pairs.

    Raises
    ------
    InputError
        The frame has another length than the header says, or can't be written to.
    """
    if memoryview(frame).readonly:
        raise InputError("a native frame is filled in a buffer that can be written to")
    if not len(rectangles):
        return
    flat = _flat(frame, info)
    view = _shaped(flat, info)
    value = fill_value(info)
    if info.photometric == "YBR_FULL_422":
        pairs = snap_pairs(rectangles)
        pairs[:, [0, 2]] //= 2
        paint(view, (value[0], *value), pairs)
        return
    paint(view, value, rectangles)
    if info.words:  # `flat` is a copy with its bytes put right
        stored: npt.NDArray[np.uint8] = np.frombuffer(frame, np.uint8)
        stored.reshape(-1, 2)[:] = flat.reshape(-1, 2)[:, ::-1]


def has_unused_bits(samples: npt.NDArray[Any], bits_stored: int) -> bool:
    """Whether samples have bits set above BitsStored that say more than their sign."""
    return bool((samples != _without_unused_bits(samples, bits_stored)).any())


def clear_unused_bits(frame: bytearray | memoryview, info: CineInfo) -> None:
    """Clear the bits above BitsStored of a native frame, in place.

    PS3.5 8.1.1 leaves them unspecified; overlays were kept there (retired), and anything may be.
    A signed sample keeps its sign in them where that is what they hold.
    """
    if info.bits_stored == info.bits_allocated:
        return
    samples: npt.NDArray[Any] = np.frombuffer(
        frame, info.dtype.newbyteorder("<" if info.little_endian else ">")
    )
    cleared = _without_unused_bits(samples, info.bits_stored)
    if not np.array_equal(cleared, samples):  # pages of a mapped file that stay aren't written
        samples[:] = cleared


def without_unused_bits(samples: npt.NDArray[Any], info: CineInfo) -> npt.NDArray[Any]:
    """Return stored samples without bits above BitsStored; the same array where all are in use."""
    if info.bits_stored >= 8 * samples.dtype.itemsize:
        return samples
    return _without_unused_bits(samples, info.bits_stored)


def _without_unused_bits(samples: npt.NDArray[Any], bits_stored: int) -> npt.NDArray[Any]:
    mask = (1 << bits_stored) - 1
    plain: npt.NDArray[Any] = samples & samples.dtype.type(mask)
    if samples.dtype.kind == "u":
        return plain
    sign = samples.dtype.type(1 << (bits_stored - 1))
    extended = (plain ^ sign) - sign
    return np.asarray(np.where(samples == plain, plain, extended))


def paint(target: npt.NDArray[Any], value: tuple[int, ...], rectangles: Boxes) -> None:
    """Set rectangles of an image to one value.

    Parameters
    ----------
    target : (H, W) or (H, W, S) array
        Modified in place.
    value : tuple of int
        One value a sample, in the range of the dtype.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive; clipped here.
    """
    colour = np.array(value, target.dtype) if target.ndim == 3 else np.array(value[0], target.dtype)
    for x0, y0, x1, y1 in np.maximum(rectangles, 0).tolist():
        target[y0:y1, x0:x1] = colour
