"""What rectangles are filled with: black, or the mean of what surrounds them.

Stored samples in, stored samples out. Nothing of what a rectangle covers enters its fill.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinescrub.pixels.native import fill_value
from cinescrub.types import Boxes, CineInfo, Fill

__all__ = ["RING_PX", "fill_colours"]

RING_PX: Final = 8
"""How far around a rectangle its surroundings reach: a block of JPEG, about a letter's height."""

Samples = npt.NDArray[Any]


def fill_colours(
    stored: Samples,
    info: CineInfo,
    rectangles: Boxes,
    fill: Fill,
    black: tuple[int, ...] | None = None,
) -> list[tuple[int, ...]]:
    """Return the fill of each rectangle of a frame.

    Parameters
    ----------
    stored : (H, W) or (H, W, 3) array
        The frame as stored samples, as `decode.decode_stored` gives them. Borrowed.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive, inside of the frame.
    fill : Fill
        MEAN: each sample's mean, rounded, over the pixels that are at most `RING_PX` outside of
        the rectangle, in rows and in columns, and that no rectangle of the frame covers; black
        where there are none. Palette colour: the stored value whose colour is nearest to the mean
        of their colours.
    black : tuple of int, optional
        Black as these samples hold it; by the header where it is not given.

    Returns
    -------
    list of tuple of int
        One value a sample, for each rectangle.
    """
    if black is None:
        black = fill_value(info)
    if fill is Fill.BLACK or not len(rectangles):
        return [black] * len(rectangles)
    free = np.ones((info.rows, info.columns), np.bool_)
    boxes = rectangles.tolist()
    for x0, y0, x1, y1 in boxes:
        free[y0:y1, x0:x1] = False
    out = []
    for x0, y0, x1, y1 in boxes:
        rows = slice(max(0, y0 - RING_PX), y1 + RING_PX)
        columns = slice(max(0, x0 - RING_PX), x1 + RING_PX)
        seen = stored[rows, columns][free[rows, columns]]
        out.append(_mean(seen, info) if len(seen) else black)
    return out


def _mean(seen: Samples, info: CineInfo) -> tuple[int, ...]:
    """Return the mean of samples, (n,) or (n, 3), as one value a sample."""
    if info.photometric == "PALETTE COLOR" and info.palette is not None:
        values = np.arange(1 << info.bits_stored)
        entries = np.clip(values - info.palette.first, 0, len(info.palette.table) - 1)
        colours = info.palette.table[entries].astype(np.int64)
        mean = colours[seen & (len(values) - 1)].mean(axis=0)
        return (int(((colours - mean) ** 2).sum(axis=1).argmin()),)
    mean = seen.reshape(len(seen), -1).mean(axis=0, dtype=np.float64)
    return tuple(int(value) for value in np.rint(mean))
