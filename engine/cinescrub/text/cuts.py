"""Cutting boxes: detectors find several rows, or words far apart, as one.

The recursive cut of Nagy and Seth (ICPR 1984), one step each way. It knows ink, and no reading.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.pieces import GREATEST_PX
from cinescrub.text.strokes import STRONG, Strokes
from cinescrub.types import Boxes

__all__ = ["CutSettings", "is_uncut", "pieces_of", "runs_between", "split_boxes"]


@dataclass(frozen=True, slots=True)
class CutSettings:
    """Where boxes are cut."""

    column_gap: float = 1.5
    """Ink further apart than this many heights is not of one line, even in one detected box. More
    than `LineSettings.line_gap`, as ink is narrower than boxes."""
    piece_gap: float = 1.2
    """So far apart, ink of one line may be of two fields. More than a blank is, in print of one
    width as well: there it is a glyph's width and the room beside two."""
    cell_gap: float = 0.4
    """So far apart where a rule stands between."""
    row_ratio: float = 2.0
    """A box is cut into rows only if one of them is this many times as long as it is high, in a
    high box of uneven rows the highest: else they may be the letters of a turned line."""


_DEFAULTS: Final = CutSettings()
_LEAST_ROW_PX: Final = 4
"""Lower runs of ink are accents, dots or rules, and belong to the row that is nearest."""
_FAINT: Final = 0.15
"""Share of the strongest ink in a box below which ink is compression's: a dim line of 40 levels
beside a white one has more."""
_RULE_PX: Final = 3
"""Width of a rule between columns, at most. It crosses all of a row, margins included, which no
letter does."""
_RULED: Final = 0.85
"""Share of the rows that it has after compression."""
_CUT_SHARE: Final = 0.25
"""Share of a box's inked columns that its edge cuts through where it cuts a row of letters."""
_ROW_SHARE: Final = 0.4
"""So are runs lower than this share of the highest row."""
_UNEVEN: Final = 0.6
"""Height of the lowest to that of the highest of the letters of a turned line, or less; of the rows
of a column it is more, in two sizes of print as well."""
_MARGIN_PX: Final = 2
"""Rows of a box that are left around ink, for its soft edges."""


def split_boxes(xyxy: Boxes, strokes: Strokes, settings: CutSettings = _DEFAULTS) -> Boxes:
    """Cut boxes that hold several rows, or words far apart, where there is no ink between them.

    Over texture nothing is cut: there ink can't be told; neither are boxes with letters so large
    that their strokes are areas. All ink stays, with a margin.

    Parameters
    ----------
    xyxy : (n, 4) int32 array
        Detected boxes.
    strokes : Strokes
        Of the frame.
    settings : CutSettings
        Distances.

    Returns
    -------
    (m, 4) int32 array
        At least as many boxes.
    """
    return geometry.as_boxes([part for box in xyxy for part in _parts(box, strokes, settings)])


def pieces_of(
    line: npt.NDArray[np.int32], strokes: Strokes, settings: CutSettings = _DEFAULTS
) -> Boxes:
    """Return the pieces of a line that may be fields of their own, from left to right.

    Parameters
    ----------
    line : (4,) int32 array
        Of words joined.
    strokes : Strokes
        Of the frame.
    settings : CutSettings
        Distances.

    Returns
    -------
    (n, 4) int32 array
        One, the line, where it has no wide gap or its ink can't be told.
    """
    closer = replace(settings, column_gap=settings.piece_gap)
    pieces = geometry.as_boxes(list(_parts(line, strokes, closer)))
    in_row = len(pieces) > 1 and bool((np.diff(pieces[:, 0]) > 0).all())
    return pieces if in_row else geometry.as_boxes([line])


def runs_between(pieces: Boxes, out: Sequence[bool]) -> Boxes:
    """Return the boxes around the runs of neighbours that are not taken out.

    Parameters
    ----------
    pieces : (n, 4) int32 array
        Of one line, from left to right.
    out : sequence of n bool
        Which are taken out.
    """
    runs = geometry.runs(~np.array(out, np.bool_))
    return geometry.as_boxes(
        [[*pieces[a:b, :2].min(axis=0), *pieces[a:b, 2:].max(axis=0)] for a, b in runs]
    )


def is_uncut(box: npt.NDArray[np.int32], strokes: Strokes) -> bool:
    """Return whether ink can't be told from what is around it, or letters are areas.

    Parameters
    ----------
    box : (4,) int32 array
        Inside of the frame.
    strokes : Strokes
        Of the frame.
    """
    return bool(min(box[2] - box[0], box[3] - box[1]) > GREATEST_PX or strokes.is_textured(box))


def _parts(
    box: npt.NDArray[np.int32], strokes: Strokes, settings: CutSettings
) -> Iterator[npt.NDArray[np.int32]]:
    if is_uncut(box, strokes):
        yield box
        return
    reach = int(box[3] - box[1])
    above, below = min(reach, int(box[1])), min(reach, strokes.size[0] - int(box[3]))
    ink = strokes.ink(box, share=_FAINT, above=above, below=below)
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
    settings: CutSettings,
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
    # With the faint edges of what is strong, half-way to what is another box's at most: under JPEG
    # there is faint ink in each row.
    top = max(first, max(start for start, _ in inked if start <= own[0][0]) - _MARGIN_PX)
    bottom = min(last, min(end for _, end in inked if end >= own[-1][1]) + _MARGIN_PX)
    top = max([top, *((end + own[0][0]) // 2 for _, end in runs if end < own[0][0])])
    bottom = min(
        [bottom, *((own[-1][1] + start + 1) // 2 for start, _ in runs if start > own[-1][1])]
    )
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
    settings: CutSettings,
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
    ink: npt.NDArray[np.bool_], strong: npt.NDArray[np.bool_], settings: CutSettings
) -> list[tuple[int, int]]:
    """Return the pieces of a row that stand apart, `(left, right)` each, without blank ends."""
    rules = _rules(ink, strong)
    runs = geometry.runs(strong.any(axis=0) & ~rules)
    if not runs:
        return [(0, ink.shape[1])]
    # Of most pieces, not of all: one may touch another row.
    height = int(np.median([_extent(strong[:, start:end].T) for start, end in runs]))
    margin = _MARGIN_PX + height // 4
    inked = np.flatnonzero(ink.any(axis=0))  # with the faint edges of what is strong
    pieces, left = [], max(0, int(inked[0]) - margin)
    for (_, end), (start, _) in itertools.pairwise(runs):
        ruled = end + np.flatnonzero(rules[end:start])
        least = settings.cell_gap if len(ruled) else settings.column_gap
        if start - end > least * height:
            pieces.append((left, min([end + margin, *ruled[:1]])))
            left = max([start - margin, *(ruled[-1:] + 1)])
    return [*pieces, (left, min(ink.shape[1], int(inked[-1]) + 1 + margin))]


def _rules(ink: npt.NDArray[np.bool_], strong: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the columns of a rule between the columns of a row, `(n,)` bool.

    It is narrow and reaches over and under all that is written. A dim one is faint beside letters,
    and has gaps after compression.
    """
    rules = np.zeros(ink.shape[1], np.bool_)
    for start, end in geometry.runs(np.asarray(ink.mean(axis=0) >= _RULED)):
        rules[start:end] = end - start <= _RULE_PX
    written = np.flatnonzero((strong & ~rules).any(axis=1))
    if len(written):
        over = ink[: written[0]].sum(axis=0) >= min(_MARGIN_PX, written[0])
        under = ink[written[-1] + 1 :].sum(axis=0) >= min(_MARGIN_PX, len(ink) - 1 - written[-1])
        rules &= over & under
    return rules


def _extent(ink: npt.NDArray[np.bool_]) -> int:
    columns = np.flatnonzero(ink.any(axis=0))
    return int(columns[-1] - columns[0] + 1) if len(columns) else 0
