"""From words to lines.

One box of a detector may hold several rows, and a line lie in several boxes. What is read and
judged are lines: words of one row, close together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.cuts import CutSettings, is_uncut, split_boxes
from cinescrub.text.strokes import Shape, Strokes
from cinescrub.types import Boxes

__all__ = ["LineSettings", "consists_of", "crosses_rows", "hidden_words", "join_words"]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How words are put together."""

    line_gap: float = 0.8
    """Words closer than this many heights are one line, which is kept or redacted whole."""
    around_height: float = 1.2
    """So many times as high as the words in it a box is what a detector found around them, and no
    word of their line,"""
    around_span: float = 0.5
    """if they take this share of its length, from the first to the last."""
    tallest_line: float = 1.6
    """A line is at most this many times as high as its tallest word: words lie a third of a height
    apart (`geometry.group_lines`)."""
    several_rows: float = 1.5
    """What is so many times as high as each of the lines in it has several of their rows."""
    of_others: float = 0.98
    """Share of its ink in the boxes of lines from which a box is theirs alone: a dot of an `i` in a
    box of three letters is more than the rest."""
    inside: float = 0.9
    """Share of a word in a line from which it hides in it."""


_DEFAULTS: Final = LineSettings()
_CUTS: Final = CutSettings()
_ROOMY: Final = 2
"""Boxes of so many times the area of another hold more than its text."""
_SOFT_PX: Final = 2
"""Soft edges of ink stick out of its box by so much."""
_SAME: Final = 0.8
"""A word of this share of a line's area is the line."""


def join_words(xyxy: Boxes, strokes: Strokes, settings: LineSettings = _DEFAULTS) -> Boxes:
    """Join the words of a frame to lines; words inside of other words are dropped first.

    Not so where the outer one could not be cut and is more than twice as large: what one detector
    finds around a label over tissue is read worse than the label that the other finds. Such a box
    is a line of its own, or the label would be read in it after all.

    A chain of neighbours that is far taller than the tallest of them is no line: over tissue,
    where detectors see words here and there, such chains once grew to a third of the frame. Its
    words stay apart, and each is judged alone; so does what holds no strokes, as a tick beside a
    number.

    Parameters
    ----------
    xyxy : (n, 4) int32 array
        Words, of any detector.
    strokes : Strokes
        Of the frame.
    settings : LineSettings
        Distances.

    Returns
    -------
    (m, 4) int32 array
    """
    parts = split_boxes(xyxy, strokes)
    words = _outermost(parts[~_spanning(parts, strokes, settings)], strokes)
    drawn = np.array([strokes.shape(word) is Shape.STROKES for word in words], np.bool_)
    joined = drawn & ~_around_others(words, settings)
    lines = [*words[~joined]]
    for members in geometry.group_lines(words[joined], gap=settings.line_gap):
        words_of = words[joined][members]
        low, high = words_of[:, :2].min(axis=0), words_of[:, 2:].max(axis=0)
        tallest = (words_of[:, 3] - words_of[:, 1]).max()
        if high[1] - low[1] <= settings.tallest_line * tallest:
            lines.append(np.concatenate([low, high]))
        else:
            lines.extend(words_of)
    return _outermost(geometry.as_boxes(lines), strokes)


def hidden_words(line: npt.NDArray[np.int32], words: Boxes) -> Boxes:
    """Return the words inside of a line that is no text: they are to be judged by themselves.

    Each is smaller than the line, so that to look for words hidden in these in turn comes to an
    end; where several lie inside of one another, the largest first.
    """
    area = geometry.areas(words)
    smaller = area < _SAME * int((line[2:] - line[:2]).astype(np.int64).prod())
    inside = geometry.covered_share(words, line[None]) >= _DEFAULTS.inside
    return geometry.merge_overlapping(words[smaller & inside])


def crosses_rows(
    box: npt.NDArray[np.int32],
    read: Boxes,
    strokes: Strokes,
    settings: LineSettings = _DEFAULTS,
) -> bool:
    """Return whether a box cuts through rows of lines that were read, and holds nothing else.

    Detectors find such boxes now and then where the columns of a table begin. All of their ink is
    of lines that are judged by themselves. Over texture, where ink can't be told, there are none.

    Parameters
    ----------
    box : (4,) int32 array
        What may be no line.
    read : (n, 4) int32 array
        Other lines of the frame, that were read as two glyphs at least.
    strokes : Strokes
        Of the frame.
    settings : LineSettings
        Distances.
    """
    x0, y0, _, y1 = (int(v) for v in box)
    heights = read[:, 3] - read[:, 1]
    met = read[
        geometry.meets(box, read)
        & (settings.several_rows * heights <= y1 - y0)
        & (heights < read[:, 2] - read[:, 0])
    ]
    in_one_row = not len(met) or met[:, 1].max() < met[:, 3].min()
    if in_one_row or is_uncut(box, strokes):
        return False
    ink = strokes.ink(box)
    rest = ink.copy()
    for a0, b0, a1, b1 in met:
        rest[max(0, b0 - y0) : max(0, b1 - y0), max(0, a0 - x0) : max(0, a1 - x0)] = False
    return bool(ink.any() and rest.sum() <= (1 - settings.of_others) * ink.sum())


def consists_of(box: npt.NDArray[np.int32], known: Boxes, strokes: Strokes) -> bool:
    """Return whether a box has ink, and all of it lies in known places.

    Over texture, where ink can't be told, none does.

    Parameters
    ----------
    box : (4,) int32 array
        Inside of the frame.
    known : (n, 4) int32 array
        Places; ink may stick out of them by its soft edges.
    strokes : Strokes
        Of the frame.
    """
    met = known[geometry.meets(box, known)]
    if not len(met) or is_uncut(box, strokes):
        return False
    rest = strokes.ink(box)
    inked = bool(rest.any())
    x0, y0 = (int(v) for v in box[:2])
    for a0, b0, a1, b1 in met + np.array([-1, -1, 1, 1], np.int32) * _SOFT_PX:
        rest[max(0, b0 - y0) : max(0, b1 - y0), max(0, a0 - x0) : max(0, a1 - x0)] = False
    return inked and not rest.any()


def _spanning(words: Boxes, strokes: Strokes, settings: LineSettings) -> npt.NDArray[np.bool_]:
    """Return which words only take in rows that others hold, `(n,)`.

    Detectors find a `4` over a `5`, the ends of two lines, as one word, too narrow to be cut into
    rows, which would join the two lines.
    """
    sizes = words[:, 2:] - words[:, :2]
    long = sizes[:, 0] >= _CUTS.row_ratio * sizes[:, 1]
    spans = np.zeros(len(words), np.bool_)
    for i, word in enumerate(words):
        lower = settings.several_rows * sizes[:, 1] <= sizes[i, 1]
        met = np.flatnonzero(lower & geometry.meets(word, words))
        if len(met) and long[met].any() and words[met, 1].max() >= words[met, 3].min():
            spans[i] = consists_of(word, words[met], strokes)
    return spans


def _outermost(boxes: Boxes, strokes: Strokes) -> Boxes:
    """Return boxes without those inside of another that is as good to read."""
    area = geometry.areas(boxes)
    kept: list[int] = []
    for i in np.argsort(-area, kind="stable"):
        holds = geometry.around(boxes[i], boxes[kept])
        around = (j for j, held in zip(kept, holds, strict=True) if held)
        if all(area[j] > _ROOMY * area[i] and is_uncut(boxes[j], strokes) for j in around):
            kept.append(int(i))
    return boxes[np.sort(np.array(kept, np.intp))]


def _around_others(words: Boxes, settings: LineSettings) -> npt.NDArray[np.bool_]:
    """Return which boxes are around others, `(n,)`: with room above or below, and hardly longer."""
    around = np.zeros(len(words), np.bool_)
    if not len(words):
        return around
    inside = np.stack([geometry.around(word, words) for word in words], axis=1)
    np.fill_diagonal(inside, val=False)
    for i in np.flatnonzero(inside.any(axis=1)):
        held, sides = words[inside[i]], words[i, 2:] - words[i, :2]
        reach = held[:, 2:].max(axis=0) - held[:, :2].min(axis=0)
        along = int(sides[1] > sides[0])
        spans = reach[along] >= settings.around_span * sides[along]
        around[i] = spans and sides[1 - along] >= settings.around_height * reach[1 - along]
    return around
