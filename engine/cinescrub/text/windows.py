"""Judgement of a window of frames: in which tiles of which of its frames there may be new text.

Pure: tile maps in, tile masks out. A window is some thirty frames; what is known of it are a few
numbers a frame and tile (`text.tilemaps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.types import Boxes

__all__ = [
    "VISIBLE_STEP",
    "find_texture",
    "grown",
    "is_visible",
    "rectangles",
    "runs",
    "stands_out",
]

_Mask: TypeAlias = npt.NDArray[np.bool_]
_Levels: TypeAlias = npt.NDArray[np.uint8]

VISIBLE_STEP: Final = 16
"""A tile without any step of this many levels holds nothing that a detector could see: dim text
has a contrast of 40, and its thinnest anti-aliased strokes half of that."""
_SETTLED_SHARE: Final = 0.35
"""A tile that shows a state it never had in more than this share of a window's frames isn't drawn
by the machine, or is drawn anew all the time."""
_FRINGE_SHARE: Final = 0.1
"""Tiles at the edge of texture are part of it from here on: a banner there changes only once."""
_TEXTURE_TILES: Final = 24
_TEXTURE_SIDE: Final = 4
"""Connected unsettled tiles are moving texture from this many on, and this many in both
directions. A clock, a counter or a scrolling line is smaller, and is looked at in each state."""
_ROBUST: Final = 6 * 1.4826
"""Median absolute deviations in six standard deviations of a normal distribution."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """How far tiles in a row or column must stand out together."""

    tiles: int
    least: int
    """Levels above what is usual in the tile."""
    spreads: float
    """Six standard deviations above what is usual, times this."""
    most: int
    """However restless a tile is, this many levels above its median are unusual."""


_EVIDENCE: Final = (
    _Evidence(3, 28, 1.0, 112),
    _Evidence(2, 48, 1.5, 128),
    _Evidence(1, 112, 2.0, 160),
)
"""The fewer tiles, the more each of them has to stand out: two letters of 10 px lie in one or two,
a moving wall often crosses one."""
_WEAK_LEVELS: Final = 20
_WEAK_SPREADS: Final = 0.5
"""What is unusual by this much belongs to the text that it hangs together with."""
_DRAWN: Final = 128
"""Where steps of this height are usual, and usually change, sharp things move, and one more of them
can't be told: each frame is new. One such tile is told by its neighbours."""


def find_texture(fresh: _Mask, was_texture: _Mask) -> _Mask:
    """Return where moving texture is, (th, tw).

    Parameters
    ----------
    fresh : (n, th, tw) bool array
        Where the pixels of a tile are in no state that it had before.
    was_texture : (th, tw) bool array
        The texture of the window before.
    """
    share = fresh.mean(axis=0)
    core = _large((share > _SETTLED_SHARE) | (was_texture & (share > 0)))
    return grown(core, share > _FRINGE_SHARE) if core.any() else core


def is_visible(sharp: _Levels) -> _Mask:
    """Return where a tile, or one beside it, holds a step that can be seen, (n, th, tw)."""
    around = np.ones((3, 3), np.uint8)
    visible = (np.asarray(cv2.dilate(frame, around)) >= VISIBLE_STEP for frame in sharp)
    return np.stack(list(visible))


def _large(restless: _Mask) -> _Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(restless.astype(np.uint8))
    sides = np.asarray(stats)[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    area = np.asarray(stats)[:, cv2.CC_STAT_AREA]
    large = (sides.min(axis=1) >= _TEXTURE_SIDE) & (area >= _TEXTURE_TILES)
    large[0] = False
    held: _Mask = large[np.asarray(labels)]
    return held


def stands_out(measures: Sequence[tuple[_Levels, _Levels]], within: _Mask) -> _Mask:
    """Return where something sharper than usual is in moving texture, (n, th, tw).

    Parameters
    ----------
    measures : sequence of two (n, th, tw) uint8 arrays
        Sharpness of the frame, and of what changed since the one before: of its channels, then,
        where they are three, of its luma, which colour flow leaves less restless.
    within : (th, tw) bool array
        The texture.
    """
    found = np.zeros(measures[0][0].shape, np.bool_)
    weak = np.zeros(found.shape, np.bool_)
    drawn = within.copy()
    for measure in (values for pair in measures for values in pair):
        usual = np.median(measure, axis=0).astype(np.int16)
        above = measure - usual
        spread = np.median(np.abs(above), axis=0) * _ROBUST
        for evidence in _EVIDENCE:
            margin = np.clip(spread * evidence.spreads, evidence.least, evidence.most)
            found |= runs((above > margin) & within, evidence.tiles)
        weak |= (above > np.maximum(spread * _WEAK_SPREADS, _WEAK_LEVELS)) & within
        drawn &= usual > _DRAWN
    for k in np.flatnonzero(found.any(axis=(1, 2))):
        found[k] = grown(found[k], weak[k])
    return found | runs(drawn, 2)


def grown(core: _Mask, weak: _Mask) -> _Mask:
    """Return what is marked in `core`, and all that hangs together with it in `weak`, (th, tw)."""
    _, labels = cv2.connectedComponents((core | weak).astype(np.uint8))
    labels = np.asarray(labels)
    joined: _Mask = np.isin(labels, np.unique(labels[core]))
    return joined


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
        along = np.moveaxis(mask, axis, -1)
        starts = np.logical_and.reduce([along[..., i : i + size] for i in range(length)])
        target = np.moveaxis(found, axis, -1)
        for i in range(length):
            target[..., i : i + size] |= starts
    return found


def rectangles(new: _Mask) -> Boxes:
    """Return the rectangles around new tiles of one frame, in tiles; nearby ones are one.

    Parameters
    ----------
    new : (th, tw) bool array

    Returns
    -------
    (n, 4) int32 array
        x0, y0, x1, y1 of each, in tiles.
    """
    joined = cv2.dilate(new.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(np.asarray(joined, np.uint8))
    found = np.zeros((count - 1, 4), np.int32)
    for label in range(1, count):
        y, x = np.nonzero(new & (np.asarray(labels) == label))
        found[label - 1] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return found
