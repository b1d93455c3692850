"""Tells how much of a string's ink can still be seen after a change. Pure: pixels in, counts out.

Nothing here knows of files, frames' order or figures.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.graphics import Canvas
from cinescrub.testing.truth import TextItem

__all__ = ["standing_ink"]

_STAND_LEVELS: Final = 8.0
_STAND_SHARE: Final = 0.3
_SEEN_SHARE: Final = 0.25

_Plane = npt.NDArray[np.float32]
_PLANES: Final = np.array(
    # Luma, and two colour differences, so that text of its background's luma is seen, too.
    [[0.299, 0.587, 0.114], [0.701, -0.587, -0.114], [-0.299, -0.587, 0.886]],
    np.float32,
)


def standing_ink(before: Canvas, after: Canvas, item: TextItem) -> tuple[int, int]:
    """Count the visible ink of an item and how much of it still stands out.

    Parameters
    ----------
    before, after : (H, W, 3) uint8 array
        One frame, R, G, B; borrowed.
    item : TextItem
        Visible in that frame.

    Returns
    -------
    visible, standing : int
        Pixels; (0, 0) where the item can't be seen in `before`.
    """
    ink, old, new = _patches(before, after, item)
    background = ~np.asarray(cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)
    if not background.any():
        background = ~ink
    radius = max(3, min(ink.shape) // 4)
    contrasts = [_contrast(plane, background, radius)[ink] for plane in old]
    chosen = int(np.argmax([np.median(np.abs(contrast)) for contrast in contrasts]))
    was = contrasts[chosen]
    least = max(_STAND_LEVELS, _STAND_SHARE * float(np.median(np.abs(was))))
    visible = np.abs(was) >= least
    count = int(visible.sum())
    if count < _SEEN_SHARE * ink.sum():
        return 0, 0
    now = _contrast(new[chosen], background, radius)[ink]
    stands = (np.abs(now) >= least) & visible
    moved = np.abs(new[chosen][ink] - old[chosen][ink])
    same = stands & (moved <= 0.25 * np.abs(was) + 4.0) & (np.sign(now) == np.sign(was))
    silhouette = abs(int((np.sign(now) * np.sign(was))[stands].sum()))
    return count, max(int(same.sum()), silhouette)


def _patches(
    before: Canvas, after: Canvas, item: TextItem
) -> tuple[npt.NDArray[np.bool_], list[_Plane], list[_Plane]]:
    """Cut an item's box out of both frames, as luma and colour differences.

    A string that fills its box (`I`, `-`) gets a rim of two pixels, so that it has a background.
    """
    rim = 2 if float(item.ink.mean()) > 0.6 else 0
    x0, y0, x1, y1 = item.box
    height, width = before.shape[:2]
    top, left = max(0, y0 - rim), max(0, x0 - rim)
    bottom, right = min(height, y1 + rim), min(width, x1 + rim)
    ink = np.pad(item.ink, ((y0 - top, bottom - y1), (x0 - left, right - x1)))
    old, new = (
        [np.asarray(frame[top:bottom, left:right] @ weights, np.float32) for weights in _PLANES]
        for frame in (before, after)
    )
    return ink, old, new


def _contrast(plane: _Plane, background: npt.NDArray[np.bool_], radius: int) -> _Plane:
    """Return how far each pixel is from the mean of the background pixels around it; 0 if none."""
    size = (2 * radius + 1, 2 * radius + 1)
    weight = background.astype(np.float32)
    summed = cv2.boxFilter(
        plane * weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    count = cv2.boxFilter(weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    mean = np.divide(summed, count, out=plane.copy(), where=count > 0.5)
    return np.asarray(plane - mean, np.float32)
