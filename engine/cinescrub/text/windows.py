"""Judgement of a window of frames: in which tiles of which of its frames there may be new text.

Pure: tile maps in, tile masks out. A window is some thirty frames; what is known of it are three
numbers a frame and tile (`text.tilemaps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["VISIBLE_STEP", "Judgement", "as_parts", "judge", "runs"]

VISIBLE_STEP: Final = 16
"""A tile without any step of this many levels holds nothing that a detector could see: dim text has
a contrast of 40, and its thinnest anti-aliased strokes half of that."""
_SETTLED_SHARE: Final = 0.35
"""A tile that shows a state it never had in more than this share of a window's frames isn't drawn
by the machine, or is drawn anew all the time."""
_TEXTURE_TILES: Final = 24
_TEXTURE_SIDE: Final = 4
"""Connected unsettled tiles are moving texture from this many on, and this many in both
directions. A clock, a counter or a scrolling line is smaller, and is looked at in each state."""
_ROBUST: Final = 6 * 1.4826
"""Median absolute deviations in six standard deviations of a normal distribution."""
_MARGINS: Final = ((3, 40, 1.0), (2, 64, 1.5), (1, 112, 2.0))
"""Evidence of text over texture: tiles in a row or column, levels above what is usual in the tile
at least, and how many times its spread. The fewer tiles, the more."""
_GREATEST_MARGIN: Final = 112
"""However restless a tile is, this far above its median is unusual."""
_BLIND: Final = 208
"""Where what is usual leaves text no room below 255, nothing can be told: each frame is new. One
such tile is told by its neighbours."""

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is new in a window."""

    new: _Mask
    """(frames, tile rows, tile columns)."""
    texture: _Mask
    """(tile rows, tile columns): moving texture, judged by what stands out of it; the states of
    these tiles were not all looked at."""


def judge(
    fresh: _Mask, sharp: npt.NDArray[np.uint8], step: npt.NDArray[np.uint8], was_texture: _Mask
) -> Judgement:
    """Tell what is new in a window.

    Parameters
    ----------
    fresh : (n, th, tw) bool array
        Where the pixels of a tile are in no state that it had before.
    sharp, step : (n, th, tw) uint8 array
        Sharpness of the frame, and of what changed since the one before.
    was_texture : (th, tw) bool array
        The texture of the window before.
    """
    share = fresh.mean(axis=0)
    restless = (share > _SETTLED_SHARE) | (was_texture & (share > 0))
    texture = _large(restless)
    new = fresh & ~texture & (sharp >= VISIBLE_STEP)
    # What was texture and now stands still shows a state that nobody looked at.
    new[0] |= was_texture & ~texture & (sharp[0] >= VISIBLE_STEP)
    if texture.any():
        new |= texture & _stands_out(sharp, step, texture)
    return Judgement(new, texture)


def _large(restless: _Mask) -> _Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(restless.astype(np.uint8))
    wide = np.minimum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= _TEXTURE_SIDE
    large = wide & (stats[:, cv2.CC_STAT_AREA] >= _TEXTURE_TILES)
    large[0] = False
    held: _Mask = large[labels]
    return held


def _stands_out(sharp: npt.NDArray[np.uint8], step: npt.NDArray[np.uint8], within: _Mask) -> _Mask:
    found = np.zeros(sharp.shape, np.bool_)
    blind = within.copy()
    for measure in (sharp, step):
        values = measure.astype(np.int16)
        usual = np.median(values, axis=0)
        spread = np.median(np.abs(values - usual), axis=0) * _ROBUST
        for length, least, factor in _MARGINS:
            margin = np.clip(spread * factor, least, max(_GREATEST_MARGIN, least))
            found |= runs((values > usual + margin) & within, length)
        blind &= usual + np.clip(spread, _MARGINS[0][1], _GREATEST_MARGIN) > _BLIND
    return found | runs(blind, 2)


def runs(mask: _Mask, length: int) -> _Mask:
    """Return the tiles that lie in a row or a column of `length` marked tiles.

    Parameters
    ----------
    mask : (..., th, tw) bool array
    length : int
        At least 1.
    """
    if length == 1:
        return mask
    found = np.zeros_like(mask)
    for axis in (-1, -2):
        size = mask.shape[axis] - length + 1
        if size < 1:
            continue
        moved = np.moveaxis(mask, axis, -1)
        starts = np.logical_and.reduce([moved[..., i : i + size] for i in range(length)])
        target = np.moveaxis(found, axis, -1)
        for i in range(length):
            target[..., i : i + size] |= starts
    return found


def as_parts(new: _Mask) -> list[tuple[int, int, int, int]]:
    """Return the rectangles of new tiles of one frame, in tiles; nearby ones are one."""
    joined = cv2.dilate(new.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined, None, 8)
    parts = []
    for label in range(1, count):
        y, x = np.nonzero(new & (labels == label))
        parts.append((int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1))
    return parts
