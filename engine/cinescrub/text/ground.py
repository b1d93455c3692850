"""The ground that a box of text lies on: what is around it."""

from __future__ import annotations

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.types import Frame

__all__ = ["brighter", "luma", "surroundings"]

Mask: TypeAlias = npt.NDArray[np.bool_]
Levels: TypeAlias = npt.NDArray[np.uint8]

_AROUND_PX: Final = 10


def luma(part: Frame) -> Levels:
    """Return the luma of a picture `(H, W, C)`; of a gray one a view of it."""
    if part.shape[2] == 1:
        return part[..., 0]
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.uint8)


def surroundings(picture: Levels, box: npt.NDArray[np.int32], shown: Mask | None = None) -> Levels:
    """Return the pixels around a box, as far as it is high, or wide where that is less.

    Parameters
    ----------
    picture : (H, W) or (H, W, C) uint8 array
        Borrowed.
    box : (4,) int32 array
        Inside of it.
    shown : (H, W) bool array, optional
        Only what is shown counts, if any of it is.

    Returns
    -------
    (n,) or (n, C) uint8 array
        Those of the box itself where there is nothing around it.
    """
    x0, y0, x1, y1 = (int(v) for v in box)
    reach = max(_AROUND_PX, min(x1 - x0, y1 - y0))
    left, top = max(0, x0 - reach), max(0, y0 - reach)
    around = (slice(top, y1 + reach), slice(left, x1 + reach))
    wide = picture[around]
    outside = np.ones(wide.shape[:2], np.bool_)
    outside[y0 - top : y1 - top, x0 - left : x1 - left] = False
    if shown is not None:
        unfilled = outside & shown[around]
        outside = unfilled if unfilled.any() else outside
    return wide[outside] if outside.any() else wide.reshape(-1, *wide.shape[2:])


def brighter(
    frame: Levels,
    box: npt.NDArray[np.int32],
    wide: npt.NDArray[np.int32],
    dark: Mask,
    *,
    least: float,
) -> Mask:
    """Return where bright ink may be: what has the ground's colour lies between dark letters.

    If anything darker than the ground is no ink, it may be anywhere: on such a panel letters may
    have the colour of the ground.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed.
    box, wide : (4,) int32 array
        What the ground is around, and where to look.
    dark : (h, w) bool array
        Dark ink there.
    least : float
        Levels by which ink differs from the ground, in any channel.

    Returns
    -------
    (h, w) bool array
    """
    ground = np.asarray(np.median(surroundings(frame, box), axis=0), np.uint8)
    x0, y0, x1, y1 = (int(v) for v in wide)
    part = frame[y0:y1, x0:x1]
    darker = (ground - np.minimum(part, ground)).max(axis=2) >= least
    if (darker & ~dark).any():
        return np.ones_like(dark)
    return np.asarray((np.maximum(part, ground) - ground).max(axis=2) >= least)
