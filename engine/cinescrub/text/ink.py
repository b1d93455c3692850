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
from cinescrub.text.pieces import GREATEST_PX, bends, is_long
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes

__all__ = ["unexplained_ink"]

_Mask: TypeAlias = npt.NDArray[np.bool_]
_Levels: TypeAlias = npt.NDArray[np.uint8]

_CONTRAST: Final = 20
"""Levels between ink and its surroundings: dim text has 40, its thin strokes less."""
_EDGE: Final = 0.22
"""How far what surrounds a letter stands out, as a share of its own height, at most."""
_EDGE_PX: Final = 25
"""Within half of this of the sector a single letter is taken for an echo."""
_LONE_PX: Final = 7
"""Height of a single letter, at least: a capital of 8 px. Ticks that compression blurs bend too."""
_BELONGS: Final = 0.5
"""Share of a piece's box in explained boxes, or in the sector, from which it belongs there."""
_GAP: Final = 0.8
"""Letters closer than this many heights are one line."""


def unexplained_ink(strokes: Strokes, explained: Boxes, sector_mask: _Mask) -> Boxes:
    """Find lines of text-sized ink outside of the sector that no explained box covers.

    Parameters
    ----------
    strokes : Strokes
        Of the frame.
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
    for hat in strokes.levels:
        pieces = _pieces(hat, sector_mask)
        open_ = geometry.covered_share(pieces.boxes, explained) < _BELONGS
        boxes, letters = pieces.boxes[open_], pieces.letters[open_]
        found = [(_around(boxes[m]), int(letters[m].sum())) for m in _lines(boxes)]
        lines.append(
            geometry.as_boxes(
                [box for box, count in found if count > 1 or (count and _may_be_lone(box, edge))]
            )
        )
    return geometry.merge_overlapping(np.concatenate(lines))


def _lines(boxes: Boxes) -> list[npt.NDArray[np.intp]]:
    """Group pieces to lines: along rows, and what stays alone there along columns."""
    rows = geometry.group_lines(boxes, gap=_GAP)
    alone = np.array([row[0] for row in rows if len(row) == 1], np.intp)
    turned = geometry.group_lines(boxes[alone][:, [1, 0, 3, 2]], gap=_GAP)
    return [row for row in rows if len(row) > 1] + [alone[column] for column in turned]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Connected ink of one polarity."""

    boxes: Boxes
    letters: _Mask
    """(n,): may be a letter; the others may belong to one: dots, bars, an `l`."""


def _pieces(hat: _Levels, sector_mask: _Mask) -> _Pieces:
    ink = (hat >= _CONTRAST) & ~sector_mask
    _, found, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    labels = np.asarray(found, np.int32)
    boxes: list[tuple[int, int, int, int]] = []
    letters: list[bool] = []
    for label, (x, y, width, height, area) in enumerate(np.asarray(stats).tolist()):
        if not label or min(width, height) > GREATEST_PX or area < 2:
            continue
        cut = labels[y : y + height, x : x + width] == label
        if is_long(cut):
            continue
        boxes.append((x, y, x + width, y + height))
        letters.append(bends(cut, area) and _is_sharp(hat, ink, labels, label, boxes[-1]))
    return _Pieces(geometry.as_boxes(boxes), np.array(letters, dtype=np.bool_))


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


def _may_be_lone(box: Boxes, edge: _Levels) -> bool:
    """Return whether a box may hold a single letter: it is high enough, and no echo."""
    height, width = box[3] - box[1], box[2] - box[0]
    return bool(
        max(height, width) >= _LONE_PX and 2 * min(height, width) >= _LONE_PX
    ) and not _is_at(edge, box)


def _is_at(edge: _Levels, box: Boxes) -> bool:
    """Return whether most of a box lies in the sector or close to it: an echo, by itself."""
    x0, y0, x1, y1 = box
    return bool(edge[y0:y1, x0:x1].mean() > _BELONGS)


def _around(boxes: Boxes) -> Boxes:
    around: Boxes = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    return around
