"""Pieces of connected ink, and what their shape says: letters, bars, crosses, traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "GREATEST_PX",
    "LEAST_PX",
    "STROKE_PX",
    "Mask",
    "Where",
    "are_abreast",
    "bends",
    "is_cross",
    "is_long",
    "is_one_stroke",
    "is_slim",
    "pieces",
    "stand_together",
]

Mask: TypeAlias = npt.NDArray[np.bool_]
Where: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 of a piece, ends exclusive."""

STROKE_PX: Final = 15
"""Thicker strokes are areas: letters of 60 px have strokes of up to a fifth of that."""
LEAST_PX: Final = 5
GREATEST_PX: Final = 64
"""Height of a letter, soft edges included."""
_THIN_PX: Final = 3
"""What is thinner can't bend."""
_LEAST_INK_PX: Final = 8
_SOLID: Final = 0.9
"""Share of its convex hull that a solid mark fills: a bar, a tick, a dot, a triangle."""
_LONG: Final = 12.0
"""Length of a piece in heights from which it is a trace or a frame, not joined letters."""
_HAIRLINE: Final = 14.0
"""Height of a piece in thicknesses of its stroke from which it is an outline, as of a body mark:
letters of that size have strokes of a tenth."""
_CUTS: Final = 1.35
"""Strokes that a cut through joined letters meets, on average, at least; a trace has one."""
_SLIM: Final = 1.5
"""Lengths to widths of a solid mark from which it may be an `I`, an `l` or a dash."""
_BAR: Final = 0.8
_THIN: Final = 0.4
_OFF_MIDDLE: Final = 0.15
_HANGING: Final = 0.25
"""A cross: shares of its width that a bar fills, of its height that the bar takes at most, how far
from the middle it lies, and the share of its ink that may be no bar."""


def is_long(piece: Mask) -> bool:
    """Return whether connected ink `(h, w)` is a trace, a rule, a frame or an outline."""
    height, width = piece.shape
    longer, shorter = max(height, width), min(height, width)
    if longer <= GREATEST_PX:
        return False
    if shorter > _HAIRLINE * _thickness(piece):
        return True
    return bool(shorter < LEAST_PX or longer > _LONG * shorter or is_one_stroke(piece))


def is_one_stroke(piece: Mask) -> bool:
    """Return whether cuts across connected ink `(h, w)` meet one stroke, nearly always."""
    height, width = piece.shape
    along = piece if width >= height else piece.T
    strokes = (np.diff(along.astype(np.int8), axis=0, prepend=0) == 1).sum(axis=0)
    return bool(strokes[strokes > 0].mean() < _CUTS)


def _thickness(piece: Mask) -> float:
    """Return how thick the strokes of connected ink `(h, w)` are: area to half of the outline."""
    outlines, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    around = sum(cv2.arcLength(outline, closed=True) for outline in outlines)
    return 2.0 * float(piece.sum()) / max(around, 1.0)


def bends(piece: Mask, area: int) -> bool:
    """Return whether connected ink `(h, w)` of this area has a letter's size and is not solid."""
    height, width = piece.shape
    if area < _LEAST_INK_PX or max(height, width) < LEAST_PX or min(height, width) < _THIN_PX:
        return False
    outlines, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(piece.shape, np.uint8)
    cv2.fillConvexPoly(hull, np.asarray(cv2.convexHull(np.concatenate(outlines))), (1,))
    return bool(area < _SOLID * hull.sum())


def is_cross(piece: Mask) -> bool:
    """Return whether connected ink `(h, w)` is a caliper's cross: two bars through its middle.

    The end of a dotted line may hang on it. A `t` has its bar above the middle, and a foot.
    """
    height, width = piece.shape
    if min(height, width) < LEAST_PX:
        return False
    lying = piece.mean(axis=1) >= _BAR
    standing = piece.mean(axis=0) >= _BAR
    for bar in (lying, standing):
        marked = np.flatnonzero(bar)
        if not len(marked) or marked[-1] - marked[0] >= _THIN * len(bar):
            return False
        if abs(float(marked.mean()) - (len(bar) - 1) / 2) > _OFF_MIDDLE * len(bar):
            return False
    outside = piece & ~lying[:, None] & ~standing[None, :]
    return bool(outside.sum() <= _HANGING * piece.sum())


def is_slim(piece: Mask) -> bool:
    """Return whether connected ink `(h, w)` is a bar, if it is solid: an `I`, an `l` or a dash."""
    height, width = piece.shape
    longer, shorter = max(height, width), min(height, width)
    return bool(longer >= _SLIM * shorter and shorter <= STROKE_PX)


def stand_together(bars: Sequence[Where]) -> bool:
    """Return whether two bars are as near to each other as letters, unlike a colour bar's ends.

    The halves of a bar, end to end, are no letters either.
    """
    for i, a in enumerate(bars):
        for b in bars[:i]:
            apart = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])
            near = apart <= max(a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1])
            if near and not (_end_to_end(a, b, along=0) or _end_to_end(a, b, along=1)):
                return True
    return False


def are_abreast(letters: Sequence[Where]) -> bool:
    """Return whether any two letters stand in one row, or column: half of the smaller side by it.

    Blots of colour flow lie anywhere.
    """
    return any(
        2 * (min(a[axis + 2], b[axis + 2]) - max(a[axis], b[axis]))
        >= min(a[axis + 2] - a[axis], b[axis + 2] - b[axis])
        for i, a in enumerate(letters)
        for b in letters[:i]
        for axis in (0, 1)
    )


def _end_to_end(a: Where, b: Where, *, along: int) -> bool:
    """Return whether two bars are parts of one, along x (0) or y (1)."""
    across = 1 - along
    lengths = [bar[along + 2] - bar[along] for bar in (a, b)]
    widths = [bar[across + 2] - bar[across] for bar in (a, b)]
    shared = min(a[across + 2], b[across + 2]) - max(a[across], b[across])
    disjoint = max(a[along], b[along]) >= min(a[along + 2], b[along + 2])
    slim = any(length >= width for length, width in zip(lengths, widths, strict=True))
    return slim and disjoint and 2 * shared >= min(widths)


def pieces(ink: Mask) -> Iterator[tuple[Mask, int, Where]]:
    """Yield connected ink that is no speck, cut to its box, with its area and that box."""
    _, found, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    labels = np.asarray(found, np.int32)
    for label, (x, y, width, height, area) in enumerate(np.asarray(stats).tolist()):
        if label and area > LEAST_PX and max(width, height) >= LEAST_PX:
            cut = labels[y : y + height, x : x + width] == label
            yield cut, area, (x, y, x + width, y + height)
