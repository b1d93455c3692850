"""What is filled where a line goes: the line, and a margin for ends that a detector cut off.

The margin ends where nothing is, where several detectors end the line alike, and where another line
was read.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry, masks
from cinescrub.text.cuts import is_uncut
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes

__all__ = ["filled", "spared"]

_MARGIN_PX: Final = 2
"""What is left blank at the ends of a filled line."""
_SURE_MARGIN: Final = 0.1
"""Heights that are left at ends of which detectors are sure: as above and below the line."""
_EDGE: Final = 0.15
"""Share of a line's height by which its box may be larger than its ink, on each side."""
_SHARED_ROWS: Final = 0.4
"""Share of the lower of two rows by which their boxes may overlap."""
_BLANK: Final = 0.25
"""Mean level of a row between two lines, in those of theirs, that is left by the soft edges of
letters and by a rule across it."""


def filled(lines: Boxes, strokes: Strokes, sure_ends: npt.NDArray[np.bool_] | None = None) -> Boxes:
    """Return what is filled where lines go: grown by the redaction margin.

    The margin is for ends of lines that a detector cut off. Where several detectors end a line
    alike it ends there. On a plain screen one can see whether there is anything, and where there is
    not, the line keeps its end, and two pixels around its ink are enough above and below.

    Parameters
    ----------
    lines : (n, 4) int32 array
        Inside of the frame.
    strokes : Strokes
        Of the frame.
    sure_ends : (n, 2) bool array, optional
        As `Words.sure_ends` gives them; default: no end is sure.

    Returns
    -------
    (n, 4) int32 array
        In the order of the lines.
    """
    if sure_ends is None:
        sure_ends = np.zeros((len(lines), 2), np.bool_)
    rows, columns = strokes.size
    grown = [masks.padded(line[None], rows=rows, columns=columns)[0] for line in lines]
    for place, line, sure in zip(grown, lines, sure_ends, strict=True):
        _end(place, line, sure)
    return geometry.as_boxes(
        [_without_blanks(g, line, strokes) for g, line in zip(grown, lines, strict=True)]
    )


def _end(
    place: npt.NDArray[np.int32], line: npt.NDArray[np.int32], sure: npt.NDArray[np.bool_]
) -> None:
    """Take the margin back in place at the ends of a line that are sure."""
    along = int(line[3] - line[1] > line[2] - line[0])
    margin = max(_MARGIN_PX, int(np.ceil(_SURE_MARGIN * (line[2:] - line[:2]).min())))
    if sure[0]:
        place[along] = max(place[along], line[along] - margin)
    if sure[1]:
        place[along + 2] = min(place[along + 2], line[along + 2] + margin)


def spared(
    places: Boxes,
    lines: Boxes,
    kept: Boxes,
    strokes: Strokes,
) -> Boxes:
    """Return what is filled where lines go, without margins that reach into text beside them.

    The margin is for ends that a detector cut off. What was read there as another line, to its
    last glyph, is none. Where the boxes of the two overlap, as those of close rows do, the row
    between them with the least ink parts them. Margins are kept over texture, where lines are read
    less surely.

    Parameters
    ----------
    places : (n, 4) int32 array
        As `filled` gives them.
    lines : (n, 4) int32 array
        What goes.
    kept : (m, 4) int32 array
        What was read in the same frame and stays.
    strokes : Strokes
        Of the frame.

    Returns
    -------
    (n, 4) int32 array
        Never less than the ink of the lines.
    """
    inset = np.rint((kept[:, 3] - kept[:, 1]) * _EDGE).astype(np.int32)[:, None]
    inner = kept + inset * np.array([1, 1, -1, -1], np.int32)
    left = places.copy()
    for place, line in zip(left, lines, strict=True):
        for text in kept[geometry.meets(line, kept)]:
            _part_rows(place, line, text, strokes)
        if strokes.is_textured(line):
            continue
        for text in inner[geometry.meets(place, inner)]:
            _hold_off(place, line, text)
    return left


def _hold_off(
    place: npt.NDArray[np.int32], line: npt.NDArray[np.int32], text: npt.NDArray[np.int32]
) -> None:
    """Move in place the one edge of a line's place that a text lies beyond, if any."""
    for axis in (1, 0):
        if text[axis] >= line[axis + 2]:
            place[axis + 2] = min(place[axis + 2], text[axis])
            return
        if text[axis + 2] <= line[axis]:
            place[axis] = max(place[axis], text[axis + 2])
            return


def _part_rows(
    place: npt.NDArray[np.int32],
    line: npt.NDArray[np.int32],
    text: npt.NDArray[np.int32],
    strokes: Strokes,
) -> None:
    """Move in place the edge of a line's place to the blank between it and a row that it reaches.

    The ink of both is where their boxes do not overlap.
    """
    above = line[1] < text[1] and line[3] < text[3]
    if not above and not (text[1] < line[1] and text[3] < line[3]):
        return
    upper, lower = (line, text) if above else (text, line)
    first, last = int(lower[1]), int(upper[3])
    if last - first > _SHARED_ROWS * min(line[3] - line[1], text[3] - text[1]):
        return
    left, right = max(line[0], text[0]), min(line[2], text[2])
    inked = np.maximum(*strokes.levels)[upper[1] : lower[3], left:right].mean(axis=1)
    shared = inked[first - upper[1] : last - upper[1]]
    if shared.min() > _BLANK * np.median(inked):
        return
    if above:
        place[3] = min(place[3], last - int(shared[::-1].argmin()))
    else:
        place[1] = max(place[1], first + int(shared.argmin()))


def _without_blanks(
    grown: npt.NDArray[np.int32], line: npt.NDArray[np.int32], strokes: Strokes
) -> npt.NDArray[np.int32]:
    """Return what is filled without blank margins; never less than the line."""
    if is_uncut(line, strokes):
        return grown
    along = int(line[3] - line[1] > line[2] - line[0])  # 1: the line is turned
    ink = strokes.ink(grown)
    place = grown.copy()
    for axis in (0, 1):
        low, high = int(grown[axis]), int(grown[axis + 2])
        inked = low + np.flatnonzero(ink.any(axis=axis))
        room = _MARGIN_PX * (axis == along)
        first = min(line[axis] - room, inked.min(initial=high) - _MARGIN_PX)
        last = max(line[axis + 2] + room, inked.max(initial=low) + 1 + _MARGIN_PX)
        place[axis], place[axis + 2] = max(low, first), min(high, last)
    return place
