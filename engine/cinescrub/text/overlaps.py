"""Lines of a frame that are none of their own: all that they hold is of others, or is known.

Detectors find larger boxes around lines that they find as well, and boxes across rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.frame_lines import FrameLines
from cinescrub.text.judge import Judge
from cinescrub.text.legible import echoes, includes, is_unread
from cinescrub.text.lines import consists_of, crosses_rows
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes

__all__ = ["consisting", "crossing", "echoing"]

_LARGER = 1.25
"""Ratio of the areas of two boxes around one line from which the smaller one is read better."""


def echoing(lines: FrameLines, judge: Judge) -> npt.NDArray[np.bool_]:
    """Return which lines only say what another says around or inside of them, `(n,)`.

    Of two that say the same the inner one is held to be the line, unless they are of one size, else
    the one that says more. A part of a row that nobody reads says nothing of its own. What goes
    already says its part, too, if it was read.
    """
    said = {i: read for i, key in enumerate(lines.keys) if (read := judge.readings(key))}
    boxes = lines.boxes
    pairs = [
        (i, int(j))
        for i in said
        for j in np.flatnonzero(geometry.meets(boxes[i], boxes))
        if int(j) in said and (boxes[i] != boxes[j]).any()
    ]
    area = geometry.areas(boxes)
    holds = {j: geometry.around(boxes[j], boxes) for j in said}
    echo = np.zeros(len(boxes), np.bool_)
    for i, j in pairs:
        around = holds[j][i] or _is_looser(boxes[i], boxes[j])
        if around and area[i] >= _LARGER * area[j]:
            echo[i] |= echoes(said[i], said[j])
    part = np.zeros(len(boxes), np.bool_)
    for i, j in pairs:
        if not echo[i] and holds[j][i]:
            unread = is_unread(said[j]) and _are_one_row(boxes[i], boxes[j])
            same = area[i] < _LARGER * area[j] and echoes(said[i], said[j])
            part[j] |= unread or same or includes(said[i], said[j])
    return (echo | part) & lines.was_read


def _is_looser(box: npt.NDArray[np.int32], line: npt.NDArray[np.int32]) -> bool:
    """Return whether all of a line's height lies in a box that is hardly longer at either end."""
    along = int(line[3] - line[1] > line[2] - line[0])
    across = 1 - along
    reach = (box[across + 2] - box[across]) // 2
    ends = line[along] - reach <= box[along] and box[along + 2] <= line[along + 2] + reach
    return bool(ends and box[across] <= line[across] and line[across + 2] <= box[across + 2])


def _are_one_row(box: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> bool:
    return len(geometry.group_lines(np.stack([box, other]), gap=0.0)) == 1


def crossing(lines: FrameLines, judge: Judge, strokes: Strokes) -> npt.NDArray[np.bool_]:
    """Return which lines only cut through rows of others, judged by themselves, `(n,)`."""
    known = np.array([judge.is_legible(key) for key in lines.keys], np.bool_)
    legible = known | ~lines.fresh
    crossed = np.zeros(len(lines.boxes), np.bool_)
    for i in lines.told:
        others = legible.copy()
        others[i] = False
        crossed[i] = crosses_rows(lines.boxes[i], lines.boxes[others], strokes)
    return crossed


def consisting(
    lines: FrameLines,
    judge: Judge,
    strokes: Strokes,
    known: Callable[[npt.NDArray[np.int32]], Boxes],
) -> npt.NDArray[np.bool_]:
    """Return which lines that nobody reads consist of what is judged by itself, `(n,)`.

    That is what is `known` of a box, `(m, 4)`: where lines of other looks were read, if their
    pixels are the same here, and what is redacted; and other lines of this look that were read or
    are smaller. Around several of these, or between two, detectors draw boxes in one frame and not
    in another, which say nothing against what was read. What lies in one other line of this look
    may be what its reading missed.
    """
    legible = np.array([judge.is_legible(key) for key in lines.keys], np.bool_)
    area = geometry.areas(lines.boxes)
    none_new = np.zeros(len(lines.boxes), np.bool_)
    for i in lines.told:
        if legible[i]:
            continue
        box = lines.boxes[i]
        around = geometry.around(box, lines.boxes)
        others = lines.boxes[(legible | (area < area[i])) & ~around]
        none_new[i] = consists_of(box, np.concatenate([known(box), others]), strokes)
    return none_new
