"""The ink rule: text-sized strokes outside of the sector that nothing explains.

Letters are told from graphics by shape: a letter is a stroke that bends or branches, of a letter's
size, with sharp edges; ticks, rules and bars are solid rectangles, focus marks are convex, traces
and frames are long, echoes fade. What can't be told apart counts as text: a lost mark is better
than a name that stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes, Frame

__all__ = ["unexplained_ink"]

_Mask: TypeAlias = npt.NDArray[np.bool_]
_Levels: TypeAlias = npt.NDArray[np.uint8]

_STROKE_PX: Final = 15
"""Thicker strokes are areas: letters of 60 px have strokes of up to a fifth of that."""
_AREA_PX: Final = 5
"""What dark strokes lie on is at least this wide somewhere near them."""
_CONTRAST: Final = 20
"""Levels between ink and its surroundings: dim text has 40, its thin strokes less."""
_LEAST_PX: Final = 5
_GREATEST_PX: Final = 64
"""Height of a letter, soft edges included."""
_LEAST_INK_PX: Final = 8
_SOLID: Final = 0.9
"""Share of its convex hull that a solid mark fills: a bar, a tick, a dot, a triangle."""
_EDGE: Final = 0.22
"""How far what surrounds a letter stands out, as a share of its own height, at most."""
_EDGE_PX: Final = 25
"""Within half of this of the sector a single letter is taken for an echo."""
_LONG: Final = 12.0
"""Length of a piece in heights from which it is a trace or a frame, not joined letters."""
_CUTS: Final = 1.35
"""Strokes that a cut through joined letters meets, on average, at least; a trace has one."""
_BELONGS: Final = 0.5
"""Share of a piece's box in explained boxes, or in the sector, from which it belongs there."""
_GAP: Final = 0.8
"""Letters closer than this many heights are one line."""


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
    edge = np.asarray(
        cv2.dilate(sector_mask.astype(np.uint8), np.ones((_EDGE_PX, _EDGE_PX))), np.uint8
    )
    lines: list[Boxes] = [geometry.as_boxes()]
    for hat in _hats(frame):
        pieces = _pieces(hat, sector_mask)
        open_ = geometry.covered_share(pieces.boxes, explained) < _BELONGS
        boxes, letters = pieces.boxes[open_], pieces.letters[open_]
        members = geometry.group_lines(boxes, gap=_GAP)
        found = [(_around(boxes[m]), int(letters[m].sum())) for m in members]
        lines.append(
            geometry.as_boxes(
                [box for box, count in found if count > 1 or (count and not _is_at(edge, box))]
            )
        )
    return geometry.merge_overlapping(np.concatenate(lines))


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Connected ink of one polarity."""

    boxes: Boxes
    letters: _Mask
    """(n,): may be a letter; the others may belong to one: dots, bars, an `l`."""


def _hats(frame: Frame) -> tuple[_Levels, _Levels]:
    """Return how far bright and dark strokes stand out, in the channel where they do most."""
    wide = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = cv2.morphologyEx(frame, cv2.MORPH_TOPHAT, wide)
    # Dark strokes lie on areas; what lies between two bright strokes on black is none.
    areas = cv2.morphologyEx(frame, cv2.MORPH_OPEN, np.ones((_AREA_PX, _AREA_PX), np.uint8))
    dark = cv2.subtract(cv2.morphologyEx(areas, cv2.MORPH_CLOSE, wide), frame.reshape(areas.shape))
    first, second = (
        np.asarray(hat, np.uint8).reshape(frame.shape).max(axis=2) for hat in (bright, dark)
    )
    return first, second


def _pieces(hat: _Levels, sector_mask: _Mask) -> _Pieces:
    ink = (hat >= _CONTRAST) & ~sector_mask
    _, found, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    labels = np.asarray(found, np.int32)
    boxes: list[tuple[int, int, int, int]] = []
    letters: list[bool] = []
    for label, (x, y, width, height, area) in enumerate(np.asarray(stats).tolist()):
        if not label or min(width, height) > _GREATEST_PX or area < 2:
            continue
        cut = labels[y : y + height, x : x + width] == label
        if _is_long(cut):
            continue
        boxes.append((x, y, x + width, y + height))
        letters.append(_is_letter(cut, area) and _is_sharp(hat, ink, labels, label, boxes[-1]))
    return _Pieces(geometry.as_boxes(boxes), np.array(letters, dtype=np.bool_))


def _is_long(cut: _Mask) -> bool:
    """Return whether a piece is a trace, a rule or a frame."""
    height, width = cut.shape
    longer, shorter = max(height, width), min(height, width)
    if longer <= _GREATEST_PX:
        return False
    along = cut if width >= height else cut.T
    strokes = (np.diff(along.astype(np.int8), axis=0, prepend=0) == 1).sum(axis=0)
    return bool(
        shorter < _LEAST_PX or longer > _LONG * shorter or strokes[strokes > 0].mean() < _CUTS
    )


def _is_letter(cut: _Mask, area: int) -> bool:
    """Return whether a piece has a letter's size and is no solid mark."""
    height, width = cut.shape
    if area < _LEAST_INK_PX or max(height, width) < _LEAST_PX or min(height, width) < 3:
        return False
    outlines, _ = cv2.findContours(cut.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(cut.shape, np.uint8)
    cv2.fillConvexPoly(hull, np.asarray(cv2.convexHull(np.concatenate(outlines))), (1,))
    return bool(area < _SOLID * hull.sum())


def _is_sharp(
    hat: _Levels,
    ink: _Mask,
    labels: npt.NDArray[np.int32],
    label: int,
    box: tuple[int, int, int, int],
) -> bool:
    """Return whether a piece ends within three pixels, as what is drawn does; echoes fade."""
    x0, y0, x1, y1 = box
    around = (slice(max(0, y0 - 3), y1 + 3), slice(max(0, x0 - 3), x1 + 3))
    piece = (labels[around] == label).astype(np.uint8)
    edge = np.asarray(cv2.dilate(piece, np.ones((3, 3), np.uint8)))
    ring = (np.asarray(cv2.dilate(piece, np.ones((7, 7), np.uint8))) > edge) & ~ink[around]
    if not ring.any():
        return True
    return bool(hat[around][ring].mean() < _EDGE * hat[around][piece > 0].mean())


def _is_at(edge: _Levels, box: Boxes) -> bool:
    """Return whether most of a box lies in the sector or close to it: an echo, by itself."""
    x0, y0, x1, y1 = box
    return bool(edge[y0:y1, x0:x1].mean() > _BELONGS)


def _around(boxes: Boxes) -> Boxes:
    around: Boxes = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    return around
