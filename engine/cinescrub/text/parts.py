"""Parts of a frame: rectangles around tiles that are new, with context for a detector."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.tilemaps import TILE_PX, StepGauge, greatest, padded_to_tiles
from cinescrub.text.windows import is_visible, rectangles
from cinescrub.types import Boxes, Frame

__all__ = ["differing", "parts_around", "whole_frame"]

_CONTEXT_PX: Final = 48
"""What is looked at around new tiles: three heights of usual text, so that the detector sees the
word that a letter belongs to. Not less than `LookSettings.context_px`."""
_WHOLE_SHARE: Final = 0.5
"""Parts that make up this share of a frame cost as much as the whole of it."""


def differing(frame: Frame, known: Frame, moving: npt.NDArray[np.bool_]) -> Boxes:
    """Return the parts of a frame that show what another one does not, beside what moves.

    Parameters
    ----------
    frame, known : (H, W, C) uint8 array
        Of one size; borrowed.
    moving : (h, w) bool array
        Tiles in which the first one moves (`Novelty.moving_at`).

    Returns
    -------
    (n, 4) int32 array
        As in `Novelty.looks`: with context, and one part of the frame's size where parts would
        make up most of it.
    """
    rows, columns, channels = frame.shape
    high, wide = moving.shape
    picture = np.zeros((high * TILE_PX, wide * TILE_PX, channels), np.uint8)
    other = picture.copy()
    padded_to_tiles(frame, picture)
    padded_to_tiles(known, other)
    changed = greatest(np.asarray(cv2.absdiff(picture, other), np.uint8)) > 0
    visible = is_visible(StepGauge(picture.shape).sharpness(picture)[None])[0]
    return parts_around(changed & visible & ~moving, rows, columns)


def parts_around(new: npt.NDArray[np.bool_], rows: int, columns: int) -> Boxes:
    """Return rectangles around new tiles of a frame, or one that is the whole of it.

    Parameters
    ----------
    new : (h, w) bool array
        Tiles.
    rows, columns : int
        Of the frame, in pixels.

    Returns
    -------
    (n, 4) int32 array
        Disjoint, in pixels inside of the frame, with context.
    """
    boxes = rectangles(new) * np.int32(TILE_PX)
    boxes += np.array([-_CONTEXT_PX, -_CONTEXT_PX, _CONTEXT_PX, _CONTEXT_PX], np.int32)
    boxes = geometry.disjoint(geometry.clip(boxes, rows, columns))
    area = geometry.areas(boxes).sum()
    return whole_frame(rows, columns) if area > _WHOLE_SHARE * rows * columns else boxes


def whole_frame(rows: int, columns: int) -> Boxes:
    """Return the part that is all of a frame, `(1, 4)`."""
    return geometry.as_boxes([[0, 0, columns, rows]])
