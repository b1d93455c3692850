"""From words to lines, and which lines are text at all.

Detectors find too much, on purpose: at their low thresholds tissue, ticks and colour bars are words
as well. And one box may hold several rows. What is read and judged are lines: words of one row,
close together. A line that nobody can read is text if it looks drawn; redacting every echo that
some detector takes for a letter would cost the picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry, masks
from cinescrub.policy.readings import DIFFERING, Reading, agree, seen_shape
from cinescrub.text.strokes import GREATEST_PX, STRONG, Shape, Strokes
from cinescrub.types import Boxes

__all__ = [
    "LEGIBLE_PX",
    "LineSettings",
    "echoes",
    "filled",
    "hidden_words",
    "is_text",
    "join_words",
    "split_boxes",
]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How words are put together, and when a line is read."""

    line_gap: float = 0.8
    """Words closer than this many heights are one line, which is kept or redacted whole."""
    tallest_line: float = 1.6
    """A line is at most this many times as high as its tallest word: words lie less than half a
    height apart (`geometry.group_lines`)."""
    column_gap: float = 1.5
    """Ink further apart than this many heights is not of one line, even in one detected box. More
    than `line_gap`, as ink is narrower than boxes."""
    row_ratio: float = 2.0
    """A box is cut into rows only if one of them is this many times as long as it is high, in a
    high box of uneven rows the highest: else they may be the letters of a turned line."""
    read_from: float = 0.4
    """Two glyphs read with this confidence make text. Of 2215 detections in 39 made cines none
    over tissue, tick or bar was read so by mistake but three of 346; of 740 texts 681 were."""
    trace_from: float = 0.9
    """Confidence from which even what looks like a trace is text: an ECG was read as `JJJ` with
    0.6."""
    letter_from: float = 0.9
    """Confidence from which one glyph in a box of more than `LEGIBLE_PX` is a letter: a body mark
    was read as `0` with 0.81."""
    pair_from: float = 0.7
    """And from which two are: a body mark was read as `57` with 0.43, a fifth of a frame of tissue
    as `12` with 0.64."""
    symbol_from: float = 0.7
    """Confidence from which a reading without letters and digits says that there are none."""
    echo_from: float = 0.1
    """A reading with this confidence that may be a misreading of what a tighter box reads is of the
    same text."""
    inside: float = 0.9
    """Share of a word in a line from which it hides in it."""


LEGIBLE_PX: Final = 32
"""Letters of a greater height can be read, if they are any."""
_DEFAULTS: Final = LineSettings()
_LEAST_ROW_PX: Final = 4
"""Lower runs of ink are accents, dots or rules, and belong to the row that is nearest."""
_RULE_PX: Final = 3
"""Width of a rule between columns, at most. It crosses all of a row, margins included, which no
letter does."""
_ROOMY: Final = 2
"""Boxes of so many times the area of another hold more than its text."""
_CUT_SHARE: Final = 0.25
"""Share of a box's inked columns that its edge cuts through where it cuts a row of letters."""
_ROW_SHARE: Final = 0.4
"""So are runs lower than this share of the highest row."""
_UNEVEN: Final = 0.6
"""Height of the lowest to that of the highest of the letters of a turned line, or less; of the rows
of a column it is more, in two sizes of print as well."""
_MARGIN_PX: Final = 2
"""Rows of a box that are left around ink, for its soft edges."""
_SAME: Final = 0.8
"""A word of this share of a line's area is the line."""


def join_words(xyxy: Boxes, strokes: Strokes, settings: LineSettings = _DEFAULTS) -> Boxes:
    """Join the words of a frame to lines; words inside of other words are dropped first.

    Not so where the outer one could not be cut and is more than twice as large: what one detector
    finds around a label over tissue is read worse than the label that the other finds.

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
    words = _outermost(split_boxes(xyxy, strokes, settings), strokes)
    drawn = np.array([strokes.shape(word) is Shape.STROKES for word in words], np.bool_)
    lines = [*words[~drawn]]
    for members in geometry.group_lines(words[drawn], gap=settings.line_gap):
        words_of = words[drawn][members]
        low, high = words_of[:, :2].min(axis=0), words_of[:, 2:].max(axis=0)
        tallest = (words_of[:, 3] - words_of[:, 1]).max()
        if high[1] - low[1] <= settings.tallest_line * tallest:
            lines.append(np.concatenate([low, high]))
        else:
            lines.extend(words_of)
    return _outermost(geometry.as_boxes(lines), strokes)


def split_boxes(xyxy: Boxes, strokes: Strokes, settings: LineSettings = _DEFAULTS) -> Boxes:
    """Cut boxes that hold several rows, or words far apart, where there is no ink between them.

    The recursive cut of Nagy and Seth (ICPR 1984), one step each way. Over texture nothing is cut:
    there ink can't be told; neither are boxes with letters so large that their strokes are areas.
    All ink stays, with a margin.

    Parameters
    ----------
    xyxy : (n, 4) int32 array
        Detected boxes.
    strokes : Strokes
        Of the frame.
    settings : LineSettings
        Distances.

    Returns
    -------
    (m, 4) int32 array
        At least as many boxes.
    """
    return geometry.as_boxes([part for box in xyxy for part in _parts(box, strokes, settings)])


def is_text(
    box: npt.NDArray[np.int32],
    readings: Sequence[Reading],
    strokes: Strokes,
    *,
    doubted: bool,
    settings: LineSettings = _DEFAULTS,
) -> bool:
    """Return whether a line is text: read, or drawn.

    Parameters
    ----------
    box : (4,) int32 array
        The line.
    readings : sequence of Reading
        What the recognisers made of it.
    strokes : Strokes
        Of the frame.
    doubted : bool
        Whether it lies over tissue, and a detector that looked as well did not find it or it is so
        large that it could be read (`LEGIBLE_PX`): speckle and colour flow have strokes of their
        own, which one network takes for letters and the other does not. Then it is text only if it
        is plainly drawn: a script that no recogniser knows, over what gives no echo.
    settings : LineSettings
        Confidences.
    """
    said = [reading for reading in readings if not reading.confidence < settings.read_from]
    large = strokes.height(box) > LEGIBLE_PX
    worded = [
        one for one in said if _glyphs(one) > 1 + (large and one.confidence < settings.pair_from)
    ]
    if strokes.is_trace(box):
        return any(not each.confidence < settings.trace_from for each in worded)
    if worded:
        return True
    if strokes.shape(box) is not Shape.STROKES or (doubted and not strokes.is_drawn(box)):
        return False
    if large and not any(_glyphs(one) and one.confidence >= settings.letter_from for one in said):
        return False
    symbols = [reading for reading in said if reading.confidence >= settings.symbol_from]
    return not symbols or any(map(_glyphs, said))


def _glyphs(reading: Reading) -> int:
    """Return how many letters and digits a reading has."""
    return sum(map(str.isalnum, reading.text))


def hidden_words(line: npt.NDArray[np.int32], words: Boxes) -> Boxes:
    """Return the words inside of a line that is no text: they are to be judged by themselves.

    Each is smaller than the line, so that to look for words hidden in these in turn comes to an
    end; where several lie inside of one another, the largest first.
    """
    area = (words[:, 2:] - words[:, :2]).astype(np.int64).prod(axis=1)
    smaller = area < _SAME * int((line[2:] - line[:2]).astype(np.int64).prod())
    inside = geometry.covered_share(words, line[None]) >= _DEFAULTS.inside
    return geometry.merge_overlapping(words[smaller & inside])


def echoes(outer: Sequence[Reading], inner: Sequence[Reading]) -> bool:
    """Return whether a line says what a line inside of it says, and no more.

    Over tissue one detector finds a label, and another a larger place around it. What is tight
    around a text is read better, and costs less of the picture if it goes.
    """
    return any(
        own.confidence >= _DEFAULTS.echo_from
        and len(seen_shape(own.text)) <= len(seen_shape(other.text))
        and agree(other.text, own.text, edits=DIFFERING)
        for own in outer
        for other in inner
        if not other.confidence < _DEFAULTS.read_from
    )


def _outermost(boxes: Boxes, strokes: Strokes) -> Boxes:
    """Return boxes without those inside of another that is as good to read."""
    area = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64).prod(axis=1)
    kept: list[int] = []
    for i in np.argsort(-area, kind="stable"):
        around = (
            j
            for j in kept
            if (boxes[j, :2] <= boxes[i, :2]).all() and (boxes[j, 2:] >= boxes[i, 2:]).all()
        )
        if all(area[j] > _ROOMY * area[i] and _is_uncut(boxes[j], strokes) for j in around):
            kept.append(int(i))
    return boxes[np.sort(np.array(kept, np.intp))]


def filled(lines: Boxes, strokes: Strokes) -> Boxes:
    """Return what is filled where lines go: grown by the redaction margin.

    The margin is for ends of lines that a detector cut off. On a plain screen one can see whether
    there is anything, and where there is not, the line keeps its end.

    Parameters
    ----------
    lines : (n, 4) int32 array
        Inside of the frame.
    strokes : Strokes
        Of the frame.

    Returns
    -------
    (n, 4) int32 array
        In the order of the lines.
    """
    rows, columns = strokes.size
    grown = [masks.padded(line[None], rows=rows, columns=columns)[0] for line in lines]
    return geometry.as_boxes(
        [_without_blank_ends(g, line, strokes) for g, line in zip(grown, lines, strict=True)]
    )


def _without_blank_ends(
    grown: npt.NDArray[np.int32], line: npt.NDArray[np.int32], strokes: Strokes
) -> npt.NDArray[np.int32]:
    if _is_uncut(line, strokes):
        return grown
    along = int(line[3] - line[1] > line[2] - line[0])  # 1: the line is turned
    low, high = int(grown[along]), int(grown[along + 2])
    inked = low + np.flatnonzero(strokes.ink(grown).any(axis=along))
    first = min(line[along], inked.min(initial=high)) - _MARGIN_PX
    last = max(line[along + 2], inked.max(initial=low) + 1) + _MARGIN_PX
    ends = grown.copy()
    ends[along], ends[along + 2] = max(low, first), min(high, last)
    return ends


def _is_uncut(box: npt.NDArray[np.int32], strokes: Strokes) -> bool:
    """Return whether ink can't be told from what is around it, or letters are areas."""
    return bool(min(box[2] - box[0], box[3] - box[1]) > GREATEST_PX or strokes.is_textured(box))


def _parts(
    box: npt.NDArray[np.int32], strokes: Strokes, settings: LineSettings
) -> Iterator[npt.NDArray[np.int32]]:
    if _is_uncut(box, strokes):
        yield box
        return
    reach = int(box[3] - box[1])
    above, below = min(reach, int(box[1])), min(reach, strokes.size[0] - int(box[3]))
    ink = strokes.ink(box, above=above, below=below)
    strong = strokes.ink(box, share=STRONG, above=above, below=below)
    inside = (above, above + reach)
    for top, bottom in _rows(ink, strong, inside, settings):
        for left, right in _columns(ink[top:bottom], strong[top:bottom], settings):
            yield np.array(
                [box[0] + left, box[1] - above + top, box[0] + right, box[1] - above + bottom],
                np.int32,
            )


def _rows(
    ink: npt.NDArray[np.bool_],
    strong: npt.NDArray[np.bool_],
    inside: tuple[int, int],
    settings: LineSettings,
) -> list[tuple[int, int]]:
    """Return the rows of a box, `(top, bottom)` each: they meet in the middle of the gaps.

    `inside` is what of the ink is the box's; the rest is above and below. Of rows that reach into
    the box from there, small slices are left out: they are another box's. So are blank rows, which
    would cover those rows when they go. A slice of less than half of the box, of a row that lies
    outside for the most part, is given back whole: slices of letters read as anything.
    """
    first, last = inside
    runs = [
        (first + a, first + b) for a, b in geometry.runs(np.asarray(strong[first:last].any(axis=1)))
    ]
    tallest = max((end - start for start, end in runs), default=0)
    rows = [r for r in runs if r[1] - r[0] >= max(_LEAST_ROW_PX, _ROW_SHARE * tallest)]
    if not rows:
        return [inside]
    own = [run for run in runs if run[0] > first or run == rows[0]]
    own = [run for run in own if run[1] < last or run == rows[-1]]
    inked = [
        (first + a, first + b) for a, b in geometry.runs(np.asarray(ink[first:last].any(axis=1)))
    ]
    # With the faint edges of what is strong.
    top = max(first, max(start for start, _ in inked if start <= own[0][0]) - _MARGIN_PX)
    bottom = min(last, min(end for _, end in inked if end >= own[-1][1]) + _MARGIN_PX)
    cuts = [top]
    if len(rows) > 1 and _are_long(rows, strong, last - first, settings):
        cuts += [(end + start) // 2 for (_, end), (start, _) in itertools.pairwise(rows)]
    pieces = list(zip(cuts, [*cuts[1:], bottom], strict=True))
    whole = geometry.runs(np.asarray(strong.any(axis=1)))
    if 2 * (rows[0][1] - rows[0][0]) < last - first:
        pieces[0] = (_beginning(pieces[0][0], rows[0], whole, strong), pieces[0][1])
    if 2 * (rows[-1][1] - rows[-1][0]) < last - first:
        pieces[-1] = (pieces[-1][0], _ending(pieces[-1][1], rows[-1], whole, strong))
    return pieces


def _are_long(
    rows: Sequence[tuple[int, int]],
    strong: npt.NDArray[np.bool_],
    height: int,
    settings: LineSettings,
) -> bool:
    """Return whether the rows of a box are lines, and not the letters of a turned one.

    Narrow letters are long ones there (an `i`, an `l`), but of all letters not the widest.
    """
    heights = [end - start for start, end in rows]
    long = [_extent(strong[start:end]) >= settings.row_ratio * (end - start) for start, end in rows]
    uneven = min(heights) < _UNEVEN * max(heights)
    if uneven and height > strong.shape[1] and not long[heights.index(max(heights))]:
        return False
    return any(long)


def _beginning(
    top: int,
    row: tuple[int, int],
    whole: Sequence[tuple[int, int]],
    strong: npt.NDArray[np.bool_],
) -> int:
    """Return where a row begins: above its box, if most of it lies there."""
    start, end = next(run for run in whole if run[0] <= row[0] < run[1])
    if start and 2 * (row[0] - start) > end - start and _is_cut(strong, row[0]):
        return max(0, start - _MARGIN_PX)
    return top


def _ending(
    bottom: int,
    row: tuple[int, int],
    whole: Sequence[tuple[int, int]],
    strong: npt.NDArray[np.bool_],
) -> int:
    """Return where a row ends: below its box, if most of it lies there."""
    rows = len(strong)
    upturned = [(rows - end, rows - start) for start, end in whole]
    ends = (rows - row[1], rows - row[0])
    return rows - _beginning(rows - bottom, ends, upturned, strong[::-1])


def _is_cut(strong: npt.NDArray[np.bool_], row: int) -> bool:
    """Return whether an edge above a row cuts through letters, not through a speck."""
    through = int((strong[row - 1] & strong[row]).sum())
    return through >= max(1, _CUT_SHARE * int(strong[row:].any(axis=0).sum()))


def _columns(
    ink: npt.NDArray[np.bool_], strong: npt.NDArray[np.bool_], settings: LineSettings
) -> list[tuple[int, int]]:
    """Return the pieces of a row that stand apart, `(left, right)` each, without blank ends."""
    rules = _narrow(np.asarray(strong.all(axis=0)))
    runs = geometry.runs(strong.any(axis=0) & ~rules)
    if not runs:
        return [(0, ink.shape[1])]
    # Of most pieces, not of all: one may touch another row.
    height = int(np.median([_extent(strong[:, start:end].T) for start, end in runs]))
    margin = _MARGIN_PX + height // 4
    inked = np.flatnonzero(ink.any(axis=0))  # with the faint edges of what is strong
    pieces, left = [], max(0, int(inked[0]) - margin)
    for (_, end), (start, _) in itertools.pairwise(runs):
        if start - end > settings.column_gap * height:
            pieces.append((left, end + margin))
            left = start - margin
    return [*pieces, (left, min(ink.shape[1], int(inked[-1]) + 1 + margin))]


def _narrow(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the runs of marks that are as narrow as a rule between columns, `(n,)` bool."""
    rules = np.zeros(len(marked), np.bool_)
    for start, end in geometry.runs(marked):
        rules[start:end] = end - start <= _RULE_PX
    return rules


def _extent(ink: npt.NDArray[np.bool_]) -> int:
    columns = np.flatnonzero(ink.any(axis=0))
    return int(columns[-1] - columns[0] + 1) if len(columns) else 0
