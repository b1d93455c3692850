"""The ink rule: text-sized strokes outside of the sector that nothing explains.

Letters are told from graphics by shape: a letter is a stroke that bends or branches, of a letter's
size; ticks, rules and bars are solid rectangles, focus marks are convex, traces and frames are
long. What can't be told apart counts as text: a lost mark is better than a name that stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes, Frame

__all__ = ["unexplained_ink"]

_STROKE_PX: Final = 15
"""Thicker strokes are areas: letters of 60 px have strokes of up to a fifth of that."""
_CONTRAST: Final = 28
"""Levels between ink and its surroundings: dim text has 40, its thin strokes less."""
_LEAST_PX: Final = 5
_GREATEST_PX: Final = 64
"""Height of a letter in pixels, marks and soft edges included."""
_LEAST_INK_PX: Final = 8
_SOLID: Final = 0.9
"""Share of its convex hull that a solid mark fills: a bar, a tick, a dot, a triangle."""
_LONG: Final = 12.0
"""Length of a piece in heights, from which it is a trace or a frame, unless it is as dense as joined
letters are."""
_RUNS_A_COLUMN: Final = 1.35
"""Strokes that a vertical cut through joined letters meets, on average, at least; a trace has one."""
_EXPLAINED: Final = 0.5
_OUTSIDE: Final = 0.5
"""Share of a piece's box that lies in explained boxes, or in the sector, if it belongs to them."""
_GAP: Final = 0.8
"""Letters closer than this many heights are one line."""

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Connected ink of one polarity."""

    boxes: Boxes
    letters: _Mask
    """(n,): may be a letter; the others may belong to one: dots, bars, an `l`."""


def unexplained_ink(frame: Frame, explained: Boxes, sector_mask: _Mask) -> Boxes:
    """Find lines of text-sized ink outside of the sector that no explained box covers.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed; C = 1 (gray) or 3 (R, G, B).
    explained : (n, 4) int32 array
        Boxes of what is known: kept, redacted or found by a detector.
    sector_mask : (H, W) bool array
        The insonified part.

    Returns
    -------
    (n, 4) int32 array
        One box a line.
    """
    rows, columns = frame.shape[:2]
    lines: list[Boxes] = []
    for ink in _ink(frame):
        pieces = _pieces(ink & ~sector_mask)
        boxes = pieces.boxes
        if not len(boxes):
            continue
        open_ = geometry.covered_share(boxes, explained) < _EXPLAINED
        open_ &= _share_in(boxes, sector_mask) < _OUTSIDE
        boxes, letters = boxes[open_], pieces.letters[open_]
        if letters.any():
            lines.append(_lines(boxes, letters))
    found = np.concatenate([geometry.as_boxes(), *lines])
    return geometry.clip(geometry.merge_overlapping(found), rows, columns)


def _ink(frame: Frame) -> tuple[_Mask, _Mask]:
    """Return where bright and where dark strokes are, in any channel."""
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    masks = []
    for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        hat = np.asarray(cv2.morphologyEx(frame, way, kernel)).reshape(frame.shape)
        masks.append(np.asarray(hat.max(axis=2) >= _CONTRAST))
    return masks[0], masks[1]


def _pieces(ink: _Mask) -> _Pieces:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), None, None, 8)
    boxes: list[tuple[int, int, int, int]] = []
    letters: list[bool] = []
    for label in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[label])
        if min(width, height) > _GREATEST_PX or area < 2:
            continue
        cut = labels[y : y + height, x : x + width] == label
        if _is_long(cut):
            continue
        boxes.append((x, y, x + width, y + height))
        letters.append(_is_letter(cut, area))
    return _Pieces(geometry.as_boxes(boxes), np.array(letters, dtype=np.bool_))


def _is_long(cut: _Mask) -> bool:
    """Return whether a piece is a trace, a rule or a frame."""
    height, width = cut.shape
    longer, shorter = max(height, width), min(height, width)
    if longer <= _GREATEST_PX:
        return False
    along = cut if width >= height else cut.T
    starts = np.diff(along.astype(np.int8), axis=0, prepend=0) == 1
    per_column = starts.sum(axis=0)
    strokes = per_column[per_column > 0].mean()
    return bool(shorter < _LEAST_PX or longer > _LONG * shorter or strokes < _RUNS_A_COLUMN)


def _is_letter(cut: _Mask, area: int) -> bool:
    height, width = cut.shape
    if area < _LEAST_INK_PX or max(height, width) < _LEAST_PX + 1 or min(height, width) < 3:
        return False
    outlines, _ = cv2.findContours(cut.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(outlines)
    hull = np.zeros(cut.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return bool(area < _SOLID * hull.sum())


def _share_in(boxes: Boxes, mask: _Mask) -> npt.NDArray[np.float64]:
    sums = cv2.integral(mask.astype(np.uint8))
    x0, y0, x1, y1 = boxes.T
    held = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    share: npt.NDArray[np.float64] = held / ((x1 - x0) * (y1 - y0))
    return share


def _lines(boxes: Boxes, letters: _Mask) -> Boxes:
    """Join pieces to lines; a line has a letter in it."""
    members = geometry.group_lines(boxes, gap=_GAP)
    return geometry.as_boxes(
        [
            np.concatenate([boxes[m, :2].min(axis=0), boxes[m, 2:].max(axis=0)])
            for m in members
            if letters[m].any()
        ]
    )
