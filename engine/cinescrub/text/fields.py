"""Fields of a line that stand apart in it: what of it stays though the line goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cinescrub.text.cuts import pieces_of, runs_between
from cinescrub.text.frame_lines import FrameLines
from cinescrub.text.judge import Judge
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes

__all__ = ["with_fields_apart"]


def with_fields_apart(
    lines: FrameLines,
    judge: Judge,
    strokes: Strokes,
    *,
    goes: Callable[[FrameLines, int], bool],
    read: Callable[[Boxes], FrameLines],
) -> FrameLines:
    """Return lines of which fields that stand apart in them are lines of their own.

    Words are joined over gaps as wide as those between two fields of a banner: a time and a depth.
    Where such a line is not kept, its measurements need not go with it, nor the machine's name.
    What is left of it on either side stays together and is read anew. Where what the
    pieces say identifies together, and none of them by itself, nothing is taken out: a height and a
    weight.

    Parameters
    ----------
    lines : FrameLines
        Of one frame, read.
    judge : Judge
        Of the cine.
    strokes : Strokes
        Of the frame.
    goes : callable
        Whether a line, by its index, is redacted as it stands.
    read : callable
        Reads boxes of the same frame.
    """
    apart: list[FrameLines] = []
    whole = np.ones(len(lines.boxes), np.bool_)
    for i in lines.told:
        if not lines.fresh[i] or not judge.may_hold_field(lines.keys[i]):
            continue  # reading pieces costs as much as reading the line
        pieces = pieces_of(lines.boxes[i], strokes)
        if len(pieces) < 2 or not goes(lines, i):
            continue
        found = read(pieces)
        told = found.told
        fields = [  # or judged before
            not found.fresh[j] or (j in told and judge.is_field(found.keys[j], pieces[j]))
            for j in range(len(pieces))
        ]
        if not any(fields):
            continue
        rest = read(runs_between(pieces, fields))
        together = len(told) == len(pieces) and judge.identifies([found.keys[j] for j in told])
        if together and not any(goes(rest, j) for j in rest.told):
            continue
        whole[i] = False
        apart += [found.only(np.array(fields, np.bool_)), rest]
    return FrameLines.joined([lines.only(whole), *apart])
