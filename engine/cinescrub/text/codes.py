"""Bar codes and matrix codes: what no recogniser reads, and any phone does.

A label's bar code is a patient's number. Detectors of text pass codes over, or find pieces of them,
and the ink rule takes bars for ticks. So they are found by what all of them are: two levels with
sharp steps between, about as much dark as bright, and no row (of a matrix: and no column) without
steps, as there is between and beside letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.ground import luma
from cinescrub.text.parts import whole_frame
from cinescrub.types import Boxes, Frame

__all__ = ["MARGIN_PX", "find_codes"]

_Map: TypeAlias = npt.NDArray[np.float32]
_Mask: TypeAlias = npt.NDArray[np.bool_]

_GRID_PX: Final = 4
"""Windows are measured around each fourth row and column."""
MARGIN_PX: Final = _GRID_PX
"""What is around a code in its box: it may reach on to the next point of the grid."""
_CONTRAST: Final = 48.0
"""Levels between dark and bright: paper on a screen has 150 and more."""
_SCATTER: Final = 0.18
"""Deviation within either level, as a share of what lies between both. Measured: all made codes are
found with 0.12 too, after JPEG at quality 60 as well; speckle has 0.3 to 0.45."""
_PAPER: Final = 120.0
_DIM_SCATTER: Final = 0.1
"""Levels between dark and bright of what may be a blurred matrix on paper. What has less is taken
for one if this deviation is not exceeded: made ones have 0.04 and less, of JPEG at quality 60 too,
the corner between two sectors of handheld footage 0.15."""
_BALANCE: Final = (0.22, 0.78)
"""Share of bright pixels. Rulers have less; text has 0.1 to 0.3."""
_SHARP: Final = 0.4
"""A step between two neighbours is drawn if it is this share of what lies between the levels."""
_SHARP_STEPS: Final = 0.8
"""Share of the steps that are, at least: echoes fade over several pixels."""
_CROSS: Final = (0.12, 0.6)
"""Steps along bars as a share of those across: of bars, and of rows of bars above one another."""
_IN_ROW: Final = (2, 3)
"""Steps in a row of a window that count as some: of matrices and bars, and of rows of bars."""
_ROWS: Final = 0.9
_BAR_ROWS: Final = 0.95
"""Share of the rows of a window with so many steps: two lines of text leave a fifth of them out."""
_STEPPED: Final = 0.8
"""Share of the rows of a whole code with steps: below bars stands their number."""
_EDGE: Final = 0.6
"""Share of the rows that a straight edge steps in, at least."""
_LETTERS: Final = 0.5
"""Least share of the rows that letters of a line have steps in: of 647 panels drawn 99 % have."""
_REGULAR: Final = 0.2
"""Deviation of the widths of bars, and of gaps, as a share of their mean: 0.3 or so in codes."""
_LEAST_PX: Final = (20, 30)
"""Height of the box of bars, and of rows of bars: what is marked and 4 px around it."""
_LONG_PX: Final = 56
_LONG_STEPS: Final = 12
"""Length of bars in a row, and the steps in it: a digit of the densest code takes four."""
_MATRIX_PX: Final = 32
"""Side of the box of a matrix: the smallest has 10 modules of 2 px, or nobody reads it."""
_MORE_PX: Final = 12
"""How much larger than the window its box is: one window alone fits into a large letter."""
_MOVES: Final = 0.5
"""What moves with more of it is none."""


_EXPLAINED: Final = 0.5
"""Share of a code that known places cover, from which it is what they are."""
_FILLED: Final = 0.2
"""Share of a code in a written file that was blacked out, from which its bars are that."""
_LARGEST: Final = 3
"""Windows are a third of the frame's shorter side at most: in a tiny frame larger ones hold tissue,
text and all."""
_AROUND_PX: Final = 32
"""Side of the square whose mean parts dark from bright."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A square that is measured, for codes at least as large as it."""

    side: int
    """Pixels, a multiple of the grid."""
    matrix: float
    bars: float
    """Steps that it holds in each row, on average, at least."""


_WINDOWS: Final = (
    _Window(16, 2.5, 2),
    _Window(24, 2.5, 3),
    _Window(32, 3, 4),
    _Window(48, 4, 5),
    _Window(64, 5, 6),
)


def find_codes(
    frame: Frame,
    *,
    parts: Boxes | None = None,
    explained: Boxes | None = None,
    filled: Boxes | None = None,
    moving: _Mask | None = None,
) -> Boxes:
    """Find bar codes and matrix codes, upright or turned by a quarter.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed; R, G, B or gray.
    parts : (n, 4) int32 array, optional
        Where to look; default: everywhere.
    explained : (n, 4) int32 array, optional
        Lines that were read and stay: they are no code.
    filled : (n, 4) int32 array, optional
        What was blacked out, in a written file: on a bright page that makes bars. A code that is
        half of that was looked for before.
    moving : (H, W) bool array, optional
        Where the picture moves: no code does, and colour flow and M-mode look like one.

    Returns
    -------
    (n, 4) int32 array
        Disjoint boxes, one a code, or one around several that are close; inside the frame.
    """
    rows, columns = frame.shape[:2]
    found = [geometry.as_boxes()]
    for x0, y0, x1, y1 in (whole_frame(rows, columns) if parts is None else parts).tolist():
        moves = None if moving is None else moving[y0:y1, x0:x1]
        codes = _codes(luma(frame[y0:y1, x0:x1]), moves, min(rows, columns) // _LARGEST)
        found.append(codes + np.array([x0, y0, x0, y0], np.int32))
    codes = geometry.as_boxes(np.concatenate(found))
    for known, share in ((explained, _EXPLAINED), (filled, _FILLED)):
        if known is not None:
            codes = geometry.as_boxes(codes[geometry.covered_share(codes, known) < share])
    return codes


def _codes(luma: npt.NDArray[np.uint8], moving: _Mask | None, largest: int) -> Boxes:
    picture = _Picture.of(luma)
    found = [geometry.as_boxes()]
    for window in _WINDOWS:
        if window.side <= min(*luma.shape, largest):
            view = _View.of(picture, window)
            found += [_matrices(view, luma), _bars(view, luma)]
    boxes = geometry.clip(np.concatenate(found), *luma.shape)
    if moving is not None:
        boxes = boxes[~np.array([_moves(luma, moving, box) for box in boxes], np.bool_)]
    return geometry.disjoint(boxes)


def _moves(luma: npt.NDArray[np.uint8], moving: _Mask, box: npt.NDArray[np.int32]) -> bool:
    """Tell whether most of the steps in a box move; what is black beside them does not count."""
    x0, y0, x1, y1 = box
    part = luma[y0:y1, x0:x1].astype(np.int16)
    dark, light = np.percentile(part, (10, 90))
    across, down = (np.abs(np.diff(part, axis=axis)) for axis in (1, 0))
    steps = np.maximum(across[1:], down[:, 1:]) >= _SHARP * (light - dark) / 2
    where = moving[y0 + 1 : y1, x0 + 1 : x1][steps]
    return bool(where.size) and float(where.mean()) > _MOVES


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Steps between dark and bright from left to right."""

    by_row: _Map
    """(H, w): of each row, on average in the columns of a point of the grid."""
    drawn: _Map
    """(h, w): those that are drawn, on average around a point of the grid."""

    @classmethod
    def of(cls, levels: _Map, bright: _Mask, apart: _Map) -> _Edges:
        """Find them. `apart`: what lies between the levels, at each pixel."""
        stepped = np.zeros(levels.shape, np.float32)
        stepped[:, 1:] = bright[:, 1:] != bright[:, :-1]
        height = np.zeros(levels.shape, np.float32)
        height[:, 1:] = np.abs(levels[:, 1:] - levels[:, :-1])
        # A step may take two pixels, of which either is the one where the levels meet.
        height = np.asarray(cv2.dilate(height, np.ones((1, 3), np.uint8)), np.float32)
        drawn = stepped * (height >= _SHARP * apart)
        return cls(_pooled(stepped, 1, _GRID_PX), _pooled(drawn, _GRID_PX, _GRID_PX))


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture measured on the grid: the mean around each of its points."""

    bright: _Map
    """Share of bright pixels."""
    sums: tuple[_Map, _Map]
    """Of the levels of bright and of dark pixels, divided by the number of all."""
    squares: _Map
    """Of the levels of all."""
    across: _Edges
    down: _Edges
    """In the transposed picture."""

    @classmethod
    def of(cls, luma: npt.NDArray[np.uint8]) -> _Picture:
        rows, columns = luma.shape
        whole = cv2.copyMakeBorder(
            luma, 0, -rows % _GRID_PX, 0, -columns % _GRID_PX, cv2.BORDER_REPLICATE
        )
        levels = np.asarray(whole, np.float32)
        bright = levels > np.asarray(cv2.blur(levels, (_AROUND_PX, _AROUND_PX)))
        light = _pooled(levels * bright, _GRID_PX, _GRID_PX)
        sums = light, _pooled(levels, _GRID_PX, _GRID_PX) - light
        squares = _pooled(levels * levels, _GRID_PX, _GRID_PX)
        share = _pooled(bright.astype(np.float32), _GRID_PX, _GRID_PX)
        around = _AROUND_PX // _GRID_PX
        high, low = _levels(_mean(share, around), *(_mean(each, around) for each in sums))
        apart = np.asarray(cv2.resize(high - low, levels.shape[::-1]), np.float32)
        across = _Edges.of(levels, bright, apart)
        down = _Edges.of(
            np.ascontiguousarray(levels.T),
            np.ascontiguousarray(bright.T),
            np.ascontiguousarray(apart.T),
        )
        return cls(share, sums, squares, across, down)


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Steps one way in the window around each point of the grid."""

    count: _Map
    """In a row of the window, on average."""
    are_drawn: _Mask
    """Whether they are, most of them."""
    some: tuple[_Map, _Map]
    """Share of the rows that hold as many as `_IN_ROW` says."""

    @classmethod
    def of(cls, edges: _Edges, window: _Window) -> _Steps:
        side = window.side // _GRID_PX
        in_row = np.asarray(cv2.blur(edges.by_row, (side, 1))) * window.side
        count = _mean(_pooled(edges.by_row, _GRID_PX, 1), side) * window.side
        drawn = _mean(edges.drawn, side) * window.side
        some = [_pooled((in_row >= n - 0.5).astype(np.float32), _GRID_PX, 1) for n in _IN_ROW]
        least, more = (np.asarray(cv2.blur(each, (1, side)), np.float32) for each in some)
        return cls(count, drawn >= _SHARP_STEPS * count, (least, more))

    def turned(self) -> _Steps:
        """Return the same of the transposed picture."""
        return _Steps(self.count.T, self.are_drawn.T, (self.some[0].T, self.some[1].T))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture seen through windows of one size."""

    window: _Window
    two_level: _Mask
    across: _Steps
    down: _Steps

    @classmethod
    def of(cls, picture: _Picture, window: _Window) -> _View:
        side = window.side // _GRID_PX
        share = _mean(picture.bright, side)
        high, low = _levels(share, *(_mean(each, side) for each in picture.sums))
        scatter = _mean(picture.squares, side) - share * high**2 - (1 - share) * low**2
        apart = high - low
        two_level = (apart >= _CONTRAST) & (scatter <= (_SCATTER * apart) ** 2)
        two_level &= (share >= _BALANCE[0]) & (share <= _BALANCE[1])
        across, down = _Steps.of(picture.across, window), _Steps.of(picture.down, window)
        return cls(window, two_level, across, down.turned())


def _matrices(view: _View, luma: npt.NDArray[np.uint8]) -> Boxes:
    """Return the codes with steps in all rows and columns."""
    held = view.two_level
    for steps in (view.across, view.down):
        held = held & steps.are_drawn & (steps.some[0] >= _ROWS)
        held &= steps.count >= view.window.matrix
    boxes, _ = _around(held, view.across.count, view.window)
    least = max(_MATRIX_PX, view.window.side + _MORE_PX)
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=1 << 30) >= least
    by_rows = _tightened(geometry.as_boxes(boxes[large]), luma)
    tight = _tightened(by_rows[:, [1, 0, 3, 2]], luma.T)[:, [1, 0, 3, 2]]
    printed = [_is_printed(luma[y0:y1, x0:x1]) for x0, y0, x1, y1 in tight.tolist()]
    return geometry.as_boxes(tight[np.array(printed, np.bool_)])


def _is_printed(part: npt.NDArray[np.uint8]) -> bool:
    """Tell whether a matrix is as bright as paper, or has two levels as a whole.

    Each window of tissue at the edge of a sector may have two, but they are not the same two.
    """
    levels = part.astype(np.float32)
    bright = levels > np.percentile(levels, (10, 90)).mean()
    if not bright.any():
        return False
    high, low = float(levels[bright].mean()), float(levels[~bright].mean())
    scatter = float(np.std(levels - np.where(bright, high, low)))
    return high - low >= _PAPER or scatter <= _DIM_SCATTER * (high - low)


def _bars(view: _View, luma: npt.NDArray[np.uint8]) -> Boxes:
    """Return bars side by side, and rows of them, standing and lying."""
    across, down = view.across, view.down
    standing = _standing(view.two_level, across, down, view.window)
    lying = _standing(view.two_level.T, down.turned(), across.turned(), view.window)
    found = [_irregular(standing, luma), _irregular(lying, luma.T)[:, [1, 0, 3, 2]]]
    return geometry.as_boxes(np.concatenate(found))


def _irregular(boxes: Boxes, luma: npt.NDArray[np.uint8]) -> Boxes:
    """Return standing bars that are no ruler, without what is above and below them."""
    tight = _tightened(boxes, luma, bars=True)
    regular = [_is_regular(luma[(y0 + y1) // 2, x0:x1]) for x0, y0, x1, y1 in tight.tolist()]
    return tight[~np.array(regular, np.bool_)]


def _tightened(boxes: Boxes, luma: npt.NDArray[np.uint8], *, bars: bool = False) -> Boxes:
    """Return boxes, inside of the picture, without what is around the steps of a code in its rows.

    What has none in more than a fifth of the rows between is no code, and of `bars` what has them
    in panels below each other only.
    """
    tight = []
    for x0, y0, x1, y1 in geometry.clip(boxes, *luma.shape).tolist():
        part = luma[y0:y1, x0:x1].astype(np.int16)
        dark, light = np.percentile(part, (10, 90))
        bright = part > (dark + light) / 2
        sharp = np.abs(np.diff(part, axis=1)) >= _SHARP * (light - dark) / 2
        steps = (bright[:, 1:] != bright[:, :-1]) & sharp
        rows = np.flatnonzero(steps.sum(axis=1) >= _IN_ROW[0])
        if not len(rows) or len(rows) < _STEPPED * (rows[-1] - rows[0] + 1):
            continue
        if bars and _are_panels(steps[rows[0] : rows[-1] + 1]):
            continue
        columns = np.flatnonzero(steps.any(axis=0))
        left, right = x0 + columns[0] - MARGIN_PX, x0 + columns[-1] + 2 + MARGIN_PX
        top, bottom = y0 + rows[0] - MARGIN_PX, y0 + rows[-1] + 1 + MARGIN_PX
        tight.append([max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)])
    return geometry.as_boxes(tight)


def _are_panels(steps: _Mask) -> bool:
    """Tell whether steps in rows, `(h, w)`, are the ends of panels and letters between them.

    Straight edges through all of the rows are bars, if they are many. If they are few, all modules
    of a code stand between two of them, in nearly all rows; of panels each holds a line of letters,
    with gaps between them.
    """
    edges = np.flatnonzero(steps.mean(axis=0) >= _EDGE)
    if not 0 < len(edges) < _LONG_STEPS:
        return False
    between = np.split(steps, edges, axis=1)
    held = [(part[:, 1:].sum(axis=1) >= _IN_ROW[0]).mean() for part in between]
    return bool(_LETTERS <= max(held) < _ROWS)


def _standing(two_level: _Mask, across: _Steps, along: _Steps, window: _Window) -> Boxes:
    found = []
    for cross, some, least, high in zip(
        _CROSS, across.some, (window.bars, window.matrix), _LEAST_PX, strict=True
    ):
        held = two_level & across.are_drawn & (across.count >= least) & (some >= _BAR_ROWS)
        held &= along.count <= cross * across.count
        boxes, density = _around(held, across.count, window)
        length, height = (boxes[:, 2:] - boxes[:, :2]).T
        steps = length * density / window.side
        found.append(boxes[(height >= high) & (length >= _LONG_PX) & (steps >= _LONG_STEPS)])
    return geometry.as_boxes(np.concatenate(found))


def _is_regular(row: npt.NDArray[np.uint8]) -> bool:
    """Return whether bars, cut across, follow each other in equal steps.

    So do the ticks of a ruler and the lines of a grid, which say nothing.
    """
    bright = row > row.mean()
    widths = np.diff(np.flatnonzero(bright[1:] != bright[:-1]))
    both = [widths[::2], widths[1::2]]
    return all(len(each) and each.std() < _REGULAR * each.mean() for each in both)


def _around(held: _Mask, count: _Map, window: _Window) -> tuple[Boxes, npt.NDArray[np.float64]]:
    """Return boxes around connected windows, which may reach beyond the picture, and their means.

    The boxes are in pixels; the means are of `count` in the windows that hold.
    """
    side = window.side // _GRID_PX // 2 + 1
    closed = cv2.morphologyEx(held.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(np.asarray(closed, np.uint8))
    x, y, width, height = np.asarray(stats)[1:, :4].T * _GRID_PX
    # A window of an even number of points reaches one less after its own; one more on each side for
    # what lies between them.
    after = window.side // 2
    before = after + MARGIN_PX
    boxes = np.stack([x - before, y - before, x + width + after, y + height + after], axis=1)
    inside = np.asarray(labels)[held]
    sums = np.bincount(inside, weights=count[held], minlength=len(stats))
    means = sums / np.maximum(np.bincount(inside, minlength=len(stats)), 1)
    return geometry.as_boxes(boxes), means[1:]


def _levels(share: _Map, bright: _Map, dark: _Map) -> tuple[_Map, _Map]:
    """Return the mean of the bright and of the dark pixels; 0 where there are none."""
    least = np.float32(1e-6)
    return (
        np.divide(bright, np.maximum(share, least), dtype=np.float32),
        np.divide(dark, np.maximum(1 - share, least), dtype=np.float32),
    )


def _pooled(values: _Map, rows: int, columns: int) -> _Map:
    """Return the mean of each block of so many rows and columns."""
    high, wide = values.shape
    size = (wide // columns, high // rows)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _mean(values: _Map, side: int) -> _Map:
    """Return the mean of the square around each point of the grid."""
    return np.asarray(cv2.blur(values, (side, side)), np.float32)
