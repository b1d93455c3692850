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

from cinescrub import geometry
from cinescrub.policy.readings import Reading
from cinescrub.text.strokes import GREATEST_PX, STRONG, Shape, Strokes
from cinescrub.types import Boxes

__all__ = ["LEGIBLE_PX", "LineSettings", "hidden_words", "is_text", "join_words", "split_boxes"]


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
    """A box is cut into rows only if one of them is this many times as long as it is high: else
    its rows may be the letters of a turned line."""
    read_from: float = 0.4
    """Two glyphs read with this confidence make text. Of 2215 detections in 39 made cines none
    over tissue, tick or bar was read so by mistake but three of 346; of 740 texts 681 were."""
    trace_from: float = 0.9
    """Confidence from which even what looks like a trace is text: an ECG was read as `JJJ` with
    0.6."""
    symbol_from: float = 0.7
    """Confidence from which a reading without letters and digits says that there are none."""
    inside: float = 0.9
    """Share of a word in a line from which it hides in it."""


LEGIBLE_PX: Final = 32
"""Letters in a box of a greater height can be read, if they are any."""
_DEFAULTS: Final = LineSettings()
_LEAST_ROW_PX: Final = 4
"""Lower runs of ink are accents, dots or rules, and belong to the row that is nearest."""
_ROW_SHARE: Final = 0.4
"""So are runs lower than this share of the highest row."""
_MARGIN_PX: Final = 2
"""Rows of a box that are left around ink, for its soft edges."""
_SAME: Final = 0.8
"""A word of this share of a line's area is the line."""


def join_words(xyxy: Boxes, strokes: Strokes, settings: LineSettings = _DEFAULTS) -> Boxes:
    """Join the words of a frame to lines; words inside of other words are dropped first.

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
    words = geometry.merge_overlapping(split_boxes(xyxy, strokes, settings))
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
    return geometry.as_boxes(lines)


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
        own, which one network takes for letters and the other does not.
    settings : LineSettings
        Confidences.
    """
    said = [reading for reading in readings if not reading.confidence < settings.read_from]
    worded = [reading for reading in said if sum(map(str.isalnum, reading.text)) > 1]
    if strokes.is_trace(box):
        return any(not each.confidence < settings.trace_from for each in worded)
    if worded:
        return True
    if doubted or strokes.shape(box) is not Shape.STROKES:
        return False
    symbols = [reading for reading in said if reading.confidence >= settings.symbol_from]
    return not symbols or any(map(str.isalnum, "".join(reading.text for reading in said)))


def hidden_words(line: npt.NDArray[np.int32], words: Boxes) -> Boxes:
    """Return the words inside of a line that is no text: they are to be judged by themselves.

    Each is smaller than the line, so that to look for words hidden in these in turn comes to an
    end; where several lie inside of one another, the largest first.
    """
    area = (words[:, 2:] - words[:, :2]).astype(np.int64).prod(axis=1)
    smaller = area < _SAME * int((line[2:] - line[:2]).astype(np.int64).prod())
    inside = geometry.covered_share(words, line[None]) >= _DEFAULTS.inside
    return geometry.merge_overlapping(words[smaller & inside])


def _parts(
    box: npt.NDArray[np.int32], strokes: Strokes, settings: LineSettings
) -> Iterator[npt.NDArray[np.int32]]:
    if min(box[2] - box[0], box[3] - box[1]) > GREATEST_PX or strokes.is_textured(box):
        yield box
        return
    ink, strong = strokes.ink(box), strokes.ink(box, share=STRONG)
    for top, bottom in _rows(ink, strong, settings):
        for left, right in _columns(strong[top:bottom], settings):
            yield box + np.array([left, top, right - ink.shape[1], bottom - ink.shape[0]], np.int32)


def _rows(
    ink: npt.NDArray[np.bool_], strong: npt.NDArray[np.bool_], settings: LineSettings
) -> list[tuple[int, int]]:
    """Return the rows of a box, `(top, bottom)` each: they meet in the middle of the gaps.

    What reaches into the box from the row above or below is left out: it is that row's. So are
    blank rows, which would cover that row when they go.
    """
    whole = [(0, ink.shape[0])]
    runs = geometry.runs(np.asarray(strong.any(axis=1)))
    tallest = max((end - start for start, end in runs), default=0)
    rows = [r for r in runs if r[1] - r[0] >= max(_LEAST_ROW_PX, _ROW_SHARE * tallest)]
    if not rows:
        return whole
    own = [run for run in runs if run[0] > 0 or run == rows[0]]
    own = [run for run in own if run[1] < ink.shape[0] or run == rows[-1]]
    inked = geometry.runs(np.asarray(ink.any(axis=1)))  # with the faint edges of what is strong
    top = max(0, max(start for start, _ in inked if start <= own[0][0]) - _MARGIN_PX)
    bottom = min(end for _, end in inked if end >= own[-1][1]) + _MARGIN_PX
    bottom = min(ink.shape[0], bottom)
    whole = [(top, bottom)]
    if len(rows) < 2 or not any(
        _extent(strong[start:end]) >= settings.row_ratio * (end - start) for start, end in rows
    ):
        return whole
    cuts = [top]
    for (_, end), (start, _) in itertools.pairwise(rows):
        cuts.append((end + start) // 2)
    return list(zip(cuts, [*cuts[1:], bottom], strict=True))


def _columns(ink: npt.NDArray[np.bool_], settings: LineSettings) -> list[tuple[int, int]]:
    """Return the pieces of a row that stand apart, `(left, right)` each."""
    runs = geometry.runs(np.asarray(ink.any(axis=0)))
    if len(runs) < 2:
        return [(0, ink.shape[1])]
    # Of most pieces, not of all: one may be a rule between columns, or touch another row.
    height = int(np.median([_extent(ink[:, start:end].T) for start, end in runs]))
    margin = 1 + height // 4
    pieces, left = [], 0
    for (_, end), (start, _) in itertools.pairwise(runs):
        if start - end > settings.column_gap * height:
            pieces.append((left, end + margin))
            left = start - margin
    return [*pieces, (left, ink.shape[1])]


def _extent(ink: npt.NDArray[np.bool_]) -> int:
    columns = np.flatnonzero(ink.any(axis=0))
    return int(columns[-1] - columns[0] + 1) if len(columns) else 0
