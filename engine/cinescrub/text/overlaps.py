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
from cinescrub.text.lines import consists_of, crosses_rows, echoes
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes

__all__ = ["consisting", "crossing", "echoing"]


def echoing(lines: FrameLines, judge: Judge) -> npt.NDArray[np.bool_]:
    """Return which lines say what another inside of them says, and no more, `(n,)`."""
    echo = np.zeros(len(lines.boxes), np.bool_)
    for i in lines.told:
        inner = geometry.covered_share(lines.boxes, lines.boxes[i : i + 1]) >= 1.0
        echo[i] = any(
            echoes(judge.readings(lines.keys[i]), judge.readings(lines.keys[j]))
            for j in lines.told
            if inner[j] and not (lines.boxes[j] == lines.boxes[i]).all()
        )
    return echo


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
        around = (lines.boxes[:, :2] <= box[:2]).all(axis=1)
        around &= (lines.boxes[:, 2:] >= box[2:]).all(axis=1)
        others = lines.boxes[(legible | (area < area[i])) & ~around]
        none_new[i] = consists_of(box, np.concatenate([known(box), others]), strokes)
    return none_new
