"""Strokes: what in a frame has been drawn, told from echoes, areas and graphics by shape alone.

Whether there is text is the detectors' and the recognisers' to say. This is for what they are not
sure of: ink that no detector found (`ink`), and detections that nobody can read (`lines`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.text.ground import brighter, luma, surroundings
from cinescrub.text.pieces import (
    GREATEST_PX,
    LEAST_PX,
    STROKE_PX,
    Mask,
    Where,
    are_abreast,
    bends,
    is_cross,
    is_long,
    is_one_stroke,
    is_slim,
    pieces,
    stand_together,
)
from cinescrub.types import Boxes, Frame

__all__ = ["STRONG", "Shape", "Strokes", "stroke_levels"]

Levels: TypeAlias = npt.NDArray[np.uint8]

_AREA_PX: Final = 5
"""What dark strokes lie on is at least this wide somewhere near them."""
_STANDS_OUT: Final = 6.0
"""Median absolute deviations above the median of its surroundings from which ink stands out: four
standard deviations of normal noise. 4, 6 and 9 tell the same apart on the measured set."""
_STANDS_OUT_LEVELS: Final = 10.0
"""And by as many levels: above the rounding and ringing of JPEG, below dim text (40)."""
_TOP_SHARES: Final = (0.0, 0.3, 0.6)
"""Ink is looked for at these shares of the strongest in the box too: a panel behind bright letters
stands out itself, and at the least threshold they are one piece with it."""
_TEXTURE: Final = 2.0
"""Median absolute deviation, in levels, of the stroke levels around a box from which it lies over
tissue or noise. Measured on 39 made cines and 24 real stills: 0 on the screens of all, 3 and more
over tissue."""
_ONE_LEVEL: Final = 10
"""Levels within which letters are of one: what blur and compression leave in their middle."""
_RARE: Final = 8.0
"""Times as much of a box as of what is around it is of that level. Of 410 boxes around words in
scripts that nobody reads, of 26 to 40 px over tissue, 68 % are so (each word in one of eight
looks), and none of 155 of tissue; with 5 times it is 81 and 1.3 %."""
_BRIGHT: Final = 0.6
_BRIGHTEST: Final = 99.5
"""The level is looked for from this share of this percentile on."""
_LEVEL_SHARE: Final = 0.06
"""Share of a box that letters in it fill, at least."""
_LEVEL_HEIGHT: Final = 0.35
"""And their longer side in shorter ones of the box."""
_LEVEL_PX: Final = 24
"""Smaller words are found by both detectors. Marks of the body stand upright."""
_FURTHER_PX: Final = 80
"""How far what a box cuts off is followed: more than the longest letter."""
STRONG: Final = 0.3
"""Share of the strongest ink in a box from which ink is sure to be drawn."""
_SHARP: Final = 0.83
"""Sharpness of letters. Measured: 0.85 to 1.0 for letters of 8 to 40 px, 0.81 and more after JPEG
at quality 60; 0.81 at most for 80 places with echoes on dark ground that a detector took for
text."""
_PLAIN: Final = 3.0
"""Strongest ink in thresholds from which its edges can be judged."""
_FILLED: Final = 0.3
"""Share of its box that a coloured text takes: a third of the roomiest that a detector gave one."""
_STROKES_SHARE: Final = 0.3
"""Share of the colour in a box that its strokes have, at least: all but one of 2,297 boxes around
coloured texts of made cines have more, and 11 of 23 in colour flow, which is areas, have less."""
_INNER: Final = 0.6
_ONE_COLOUR: Final = 16.0
"""Median deviation, in levels of the channel that varies most, of the pixels with this share of the
strongest colour: 14 and less in text of 20 px after JPEG at quality 95, 8 over real tissue; in
colour flow that detectors took for text 21 and more."""
_RINGING: Final = 0.15
"""Share of the strongest ink in a box below which ink may be ringing, if strong ink is near: after
JPEG at quality 70 a tick is followed by 0.12 of it, for a block."""
_BLOCK_PX: Final = 8
_FRINGE_PX: Final = 7
"""Width of the square around strong ink in which faint ink is its fringe: of chroma at half of the
resolution, three pixels."""
_EDGE_PX: Final = 12
"""Height from which, and by which again, the edges of a letter are a pixel wider on both sides."""
_HOLLOW: Final = 0.5
"""Share of its box that a trace fills at most; a bar fills all."""
_SPAN: Final = 0.8
_MOST: Final = 0.85
"""Shares of a box's width and ink that a trace has at least."""


class Shape(Enum):
    """What the ink in a box looks like."""

    NOTHING = auto()
    """Nothing there stands out of what is around it."""
    MARK = auto()
    """Solid marks, one bar, or a trace: no letters."""
    STROKES = auto()
    """Strokes that bend or branch, or several bars: what letters are made of."""


@dataclass(frozen=True, slots=True, eq=False)
class _Around:
    """The surroundings of a box in one of the two stroke levels."""

    median: float
    deviation: float

    @property
    def threshold(self) -> float:
        return self.median + max(_STANDS_OUT * self.deviation, _STANDS_OUT_LEVELS)


class Strokes:
    """The strokes of one frame.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed for as long as this lives; C = 1 (gray) or 3 (R, G, B).
    filled : (n, 4) int32 array, optional
        What was redacted in it. It says nothing of what is around a box: beside a plain fill
        tissue would pass for a plain screen, and its echoes for what is drawn on one.
    """

    def __init__(self, frame: Frame, filled: Boxes | None = None) -> None:
        self._frame = frame
        self._shown: Mask | None = None
        if filled is not None and len(filled):
            self._shown = np.ones(frame.shape[:2], np.bool_)
            for x0, y0, x1, y1 in filled:
                self._shown[y0:y1, x0:x1] = False
        self._levels: tuple[Levels, Levels] | None = None
        self._colours: tuple[Levels, Levels] | None = None
        self._measured: dict[bytes, tuple[_Around, ...]] = {}

    @property
    def levels(self) -> tuple[Levels, Levels]:
        """How far bright and dark strokes stand out: two (H, W) uint8 arrays, borrowed."""
        if self._levels is None:
            self._levels = stroke_levels(self._frame)
        return self._levels

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the frame."""
        return self._frame.shape[0], self._frame.shape[1]

    def shape(self, box: npt.NDArray[np.int32]) -> Shape:
        """Return what the ink in a box `(4,)` looks like. Bright and dark ink count alike."""
        if min(box[2] - box[0], box[3] - box[1]) > GREATEST_PX:
            return self._shape_of_large(box)
        found = Shape.NOTHING
        inside, around_it = self._inside(box, box), self._around(box)
        tops = [float(np.percentile(part, 99)) if part.size else 0.0 for part in inside]
        if max(tops) < _RINGING * 255 and max(tops) < _RINGING * self._contrast(box):
            return Shape.MARK  # the steps of a bar that is an area
        for levels, part, around, top in zip(self.levels, inside, around_it, tops, strict=True):
            strong = part >= max(around.threshold, STRONG * top)
            for share in _TOP_SHARES:
                least = max(around.threshold, share * top)
                ink = part >= least
                if share < STRONG:
                    if _is_fringe(ink, strong, part < _RINGING * top):
                        continue  # of a tick after JPEG, which would bend
                    ink &= ~_beside_traces(part, levels, box, around.threshold, top)
                shape = _shape_of(ink, levels, box, least)
                if shape is Shape.STROKES:
                    return shape
                found = shape if found is Shape.NOTHING else found
        return found

    def is_textured(self, box: npt.NDArray[np.int32]) -> bool:
        """Return whether a box `(4,)` lies over tissue or noise, not on a plain screen."""
        return any(around.deviation >= _TEXTURE for around in self._around(box))

    def height(self, box: npt.NDArray[np.int32]) -> int:
        """Return the shorter side of what is drawn in a box `(4,)`.

        Over tissue, and where there is room for more than a line, it is that of the box.
        """
        sides = box[2:] - box[:2]
        if min(sides) <= GREATEST_PX and not self.is_textured(box):
            ink = self.ink(box, share=STRONG)
            drawn = [np.flatnonzero(ink.any(axis=axis)) for axis in (0, 1)]
            if all(map(len, drawn)):
                return min(int(each[-1] - each[0]) + 1 for each in drawn)
        return int(min(sides))

    def is_drawn(self, box: npt.NDArray[np.int32]) -> bool:
        """Return whether a box `(4,)` on plain ground holds two letters or more with sharp edges.

        An echo is brightest in its middle and fades; what a machine draws ends within a pixel or
        two, whoever can read it.
        """
        if self.is_textured(box):
            return False
        both = zip(self.levels, self._inside(box, box), self._around(box), strict=True)
        return any(
            len(_letters(levels, part, box, around, sharp=_SHARP)) > 1
            for levels, part, around in both
        )

    def is_of_one_level(self, box: npt.NDArray[np.int32]) -> bool:
        """Return whether a box `(4,)` holds bright letters of one level, which is rare around.

        What a machine draws over tissue has one level; echoes have all of them, and the brightest
        are no brighter inside of a box than beside it.
        """
        wide, high = (int(side) for side in box[2:] - box[:2])
        if high < _LEVEL_PX or wide < high:
            return False
        reach = high // 2
        rows, columns = self.size
        x0, y0 = np.maximum(box[:2] - reach, 0)
        part = self._frame[y0 : min(rows, box[3] + reach), x0 : min(columns, box[2] + reach)]
        gray = luma(part)
        left, top, right, bottom = (int(v) for v in box - np.tile([x0, y0], 2))
        inner = gray[top:bottom, left:right]
        bright = inner[inner >= _BRIGHT * np.percentile(inner, _BRIGHTEST)]
        often = np.convolve(np.bincount(bright, minlength=256), np.ones(_ONE_LEVEL + 3), "same")
        level = np.abs(gray.astype(np.int16) - int(often.argmax())) <= _ONE_LEVEL
        drawn = level[top:bottom, left:right].copy()
        level[top:bottom, left:right] = False
        beside = level.sum() / max(1, level.size - drawn.size)
        if drawn.mean() < max(_LEVEL_SHARE, _RARE * beside):
            return False
        least = _LEVEL_HEIGHT * min(drawn.shape)
        letters = (
            piece
            for piece, area, _ in pieces(drawn)
            if max(piece.shape) >= least and bends(piece, area)
        )
        return len([*islice(letters, 2)]) > 1

    def is_coloured(self, box: npt.NDArray[np.int32]) -> bool:
        """Return whether a box `(4,)` is about two letters or more of one colour, and else gray.

        They stand in one row. Tissue has no colour, and colour flow has many, in blots and areas.
        """
        sides = box[2:] - box[:2]
        if self._frame.shape[2] == 1 or min(sides) > GREATEST_PX:
            return False
        if self._colours is None:
            colour = self._frame.max(axis=2) - self._frame.min(axis=2)
            self._colours = colour, stroke_levels(colour[..., None])[0]
        colour, strokes = self._colours
        around = _measure(strokes, box, self._shown)
        part = _cut(strokes, box)
        letters = _letters(strokes, part, box, around, sharp=0.0)
        if around.deviation >= _TEXTURE or not are_abreast(letters):
            return False
        least = STRONG * np.percentile(part, 99)
        if (part >= least).sum() < _STROKES_SHARE * (_cut(colour, box) >= least).sum():
            return False
        low, high = np.min(letters, axis=0)[:2], np.max(letters, axis=0)[2:]
        if (high - low).prod() < _FILLED * sides.prod():
            return False
        inner = _cut(self._frame, box)[part >= _INNER * np.percentile(part, 99)]
        varies = np.median(np.abs(inner - np.median(inner, axis=0)), axis=0)
        return bool(varies.max() <= _ONE_COLOUR)

    def ink(
        self, box: npt.NDArray[np.int32], *, share: float = 0.0, above: int = 0, below: int = 0
    ) -> Mask:
        """Return which pixels of a box `(4,)` stand out, dark or bright: `(h, w)` bool, owned.

        Parameters
        ----------
        box : (4,) int32 array
            Inside of the frame.
        share : float
            Only what has this share of the strongest ink of the box: what compression leaves
            around letters has less than a fifth.
        above, below : int
            Rows over and under the box that are returned as well, inside of the frame. What stands
            out there is told by the box.
        """
        parts = self._inside(box, box)
        top = max((float(np.percentile(part, 99)) for part in parts if part.size), default=0.0)
        wide = box + np.array([0, -above, 0, below], np.int32)
        both = [
            part >= max(around.threshold, share * top)
            for part, around in zip(self._inside(box, wide), self._around(box), strict=True)
        ]
        return both[0] | both[1]

    def is_trace(self, box: npt.NDArray[np.int32]) -> bool:
        """Return whether nearly all ink in a box `(4,)` is one long line that never turns back.

        An ECG is read for letters at times, as `JJJ`. Gaps of a pixel or two count as closed, but
        not to tell whether it turns back: they are what is open in small letters that touch, of
        which cuts meet 1.45 strokes and more.
        """
        ink = self.ink(box, share=STRONG).astype(np.uint8)
        if ink.any() and not is_one_stroke(ink > 0):
            return False
        closed = np.asarray(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))
        whole = int(closed.sum())
        return any(
            is_long(piece)
            and area < _HOLLOW * piece.size
            and piece.shape[1] >= _SPAN * ink.shape[1]
            and area >= _MOST * whole
            for piece, area, _ in pieces(closed > 0)
        )

    def _shape_of_large(self, box: npt.NDArray[np.int32]) -> Shape:
        """Look at a box with larger letters from further away: their strokes would be areas."""
        rows, columns = self._frame.shape[:2]
        reach = int(min(box[2] - box[0], box[3] - box[1])) // 2
        x0, y0 = max(0, int(box[0]) - reach), max(0, int(box[1]) - reach)
        part = self._frame[y0 : min(rows, box[3] + reach), x0 : min(columns, box[2] + reach)]
        times = GREATEST_PX / 2 / min(box[2] - box[0], box[3] - box[1])
        size = (max(1, round(part.shape[1] * times)), max(1, round(part.shape[0] * times)))
        small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        inside = (box - np.array([x0, y0, x0, y0])) * np.array(
            [size[0] / part.shape[1], size[1] / part.shape[0]] * 2
        )
        return Strokes(small.reshape(size[1], size[0], -1)).shape(np.rint(inside).astype(np.int32))

    def _contrast(self, box: npt.NDArray[np.int32]) -> float:
        """Return how far the pixels of a box differ from its ground, in any channel, most of all.

        Of areas, too, which have no strokes.
        """
        ground = np.median(surroundings(self._frame, box, self._shown), axis=0)
        apart = np.abs(_cut(self._frame, box) - ground.astype(np.float32)).max(axis=2)
        return float(np.percentile(apart, 99))

    def _inside(
        self, box: npt.NDArray[np.int32], wide: npt.NDArray[np.int32]
    ) -> tuple[Levels, Levels]:
        """Return the stroke levels of a box and its surroundings: bright ones above the ground."""
        bright, dark = (_cut(levels, wide) for levels in self.levels)
        inked = dark >= self._around(box)[1].threshold
        if not inked.any():
            return bright, dark
        seen = brighter(self._frame, box, wide, inked, least=_STANDS_OUT_LEVELS)
        return bright * seen, dark

    def _around(self, box: npt.NDArray[np.int32]) -> tuple[_Around, ...]:
        """Return the surroundings of a box in both levels: measured once, asked for many times."""
        key = box.tobytes()
        if key not in self._measured:
            self._measured[key] = tuple(
                _measure(levels, box, self._shown) for levels in self.levels
            )
        return self._measured[key]


def _shape_of(ink: Mask, levels: Levels, box: npt.NDArray[np.int32], least: float) -> Shape:
    """Return what ink at one level looks like."""
    found, bars = Shape.NOTHING, []
    for piece, area, where in pieces(ink):
        found = Shape.MARK
        if is_long(piece) or is_cross(piece) or _goes_on(levels, box, where, least):
            continue
        if bends(piece, area):
            return Shape.STROKES
        if is_slim(piece):
            bars.append(where)
    return Shape.STROKES if stand_together(bars) else found


def stroke_levels(frame: Frame) -> tuple[Levels, Levels]:
    """Return how far bright and dark strokes stand out, in the channel where they do most.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed.

    Returns
    -------
    two (H, W) uint8 arrays
        White and black top-hat, owned.
    """
    wide = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    bright = cv2.morphologyEx(frame, cv2.MORPH_TOPHAT, wide)
    # Dark strokes lie on areas; what lies between two bright strokes on black is none.
    areas = cv2.morphologyEx(frame, cv2.MORPH_OPEN, np.ones((_AREA_PX, _AREA_PX), np.uint8))
    dark = cv2.subtract(cv2.morphologyEx(areas, cv2.MORPH_CLOSE, wide), frame.reshape(areas.shape))
    first, second = (
        np.asarray(hat, np.uint8).reshape(frame.shape).max(axis=2) for hat in (bright, dark)
    )
    return first, second


def _letters(
    levels: Levels, part: Levels, box: npt.NDArray[np.int32], around: _Around, *, sharp: float
) -> list[Where]:
    """Return what has a letter's form in a box, is strongly inked and as sharp as that.

    `part` is what of the levels is the box's.
    """
    top = float(np.percentile(part, 99)) if part.size else 0.0
    if top < _PLAIN * around.threshold:
        return []  # of few levels every step is sharp, and a little colour is compression's
    least = max(around.threshold, STRONG * top)
    return [
        where
        for piece, area, where in pieces(part >= least)
        if bends(piece, area)
        and not is_long(piece)
        and not _goes_on(levels, box, where, least)
        and _sharpness(part, piece, where) >= sharp
    ]


def _beside_traces(
    part: Levels, levels: Levels, box: npt.NDArray[np.int32], threshold: float, top: float
) -> Mask:
    """Return what is within a JPEG block of ink that is a part of a trace or a rule.

    A thin one is dimmer where compression thinned its colour.
    """
    traces = np.zeros(part.shape, np.uint8)
    for share in (STRONG, _RINGING):
        least = max(threshold, share * top)
        for piece, _, where in pieces(part >= least):
            if is_long(piece) or _goes_on(levels, box, where, least):
                x0, y0, x1, y1 = where
                traces[y0:y1, x0:x1] |= piece
    width = 2 * _BLOCK_PX + 1
    return np.asarray(cv2.dilate(traces, np.ones((width, width), np.uint8))) > 0


def _is_fringe(ink: Mask, strong: Mask, faint: Mask) -> bool:
    """Return whether all ink is what blur and compression leave around strong ink."""
    if not strong.any():
        return False
    beside, near = (
        cv2.dilate(strong.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
        for width in (_FRINGE_PX, 2 * _BLOCK_PX + 1)
    )
    return not (ink & ~beside & ~(near & faint)).any()


def _sharpness(levels: Levels, piece: Mask, where: Where) -> float:
    """Return how much of its height connected ink gains within an edge's width, 0 to 1."""
    x0, y0, x1, y1 = where
    width = 3 + 2 * min(3, max(0, (y1 - y0 - LEAST_PX) // _EDGE_PX))
    kernel = np.ones((width, width), np.uint8)
    reach = width // 2
    top, left = max(0, y0 - reach), max(0, x0 - reach)
    wide = levels[top : y1 + reach, left : x1 + reach]
    edges = np.asarray(cv2.morphologyEx(wide, cv2.MORPH_GRADIENT, kernel))
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    return float(edges[inside][piece].mean() / max(1, int(wide[inside][piece].max())))


def _goes_on(levels: Levels, box: npt.NDArray[np.int32], where: Where, least: float) -> bool:
    """Return whether a piece is cut off by its box, and is a part of a trace or a rule."""
    x0, y0, x1, y1 = where
    width, height = box[2] - box[0], box[3] - box[1]
    if min(x0, y0) > 0 and x1 < width and y1 < height:
        return False
    left, top = max(0, int(box[0]) - _FURTHER_PX), max(0, int(box[1]) - _FURTHER_PX)
    wide = levels[top : box[3] + _FURTHER_PX, left : box[2] + _FURTHER_PX] >= least
    _, found = cv2.connectedComponents(wide.astype(np.uint8))
    labels = np.asarray(found, np.int32)
    dx, dy = int(box[0]) - left, int(box[1]) - top
    inside = labels[dy + y0 : dy + y1, dx + x0 : dx + x1]
    if not inside.any():
        return False
    label = int(np.bincount(inside[inside > 0]).argmax())
    ys, xs = np.nonzero(labels == label)
    whole = labels[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] == label
    return is_long(whole)


def _cut(levels: Levels, box: npt.NDArray[np.int32]) -> Levels:
    x0, y0, x1, y1 = (int(v) for v in box)
    return levels[y0:y1, x0:x1]


def _measure(levels: Levels, box: npt.NDArray[np.int32], shown: Mask | None) -> _Around:
    """Measure what is around a box.

    Only what is `shown` counts, if any of it is.
    """
    around = surroundings(levels, box, shown)
    median = float(np.median(around))
    return _Around(median, float(np.median(np.abs(around - median))))
