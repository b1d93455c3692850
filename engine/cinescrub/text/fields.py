"""Fields of a line that stand apart in it: what of it stays though the line goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cinescrub.text.cuts import pieces_of, runs_between
from cinescrub.text.frame_lines import FrameLines
from cinescrub.text.judge import Judge
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes, Reason

__all__ = ["with_fields_apart"]

_EVIDENCE = frozenset({Reason.IDENTIFIER, Reason.PATTERN})


def with_fields_apart(
    lines: FrameLines,
    judge: Judge,
    strokes: Strokes,
    *,
    why: Callable[[FrameLines, int], Reason],
    read: Callable[[Boxes], FrameLines],
) -> FrameLines:
    """Return lines of which fields that stand apart in them are lines of their own.

    Words are joined over gaps as wide as those between two fields of a banner: a time and a depth.
    Where such a line is not kept, its measurements need not go with it, nor the machine's name.
    What is left of it on either side stays together and is read anew. Where the line says what
    identifies, and none of its parts does, it says so as a whole: a height and a weight.

    Parameters
    ----------
    lines : FrameLines
        Of one frame, read.
    judge : Judge
        Of the cine.
    strokes : Strokes
        Of the frame.
    why : callable
        What is decided on a line, by its index, as it stands.
    read : callable
        Reads boxes of the same frame.
    """
    apart: list[FrameLines] = []
    whole = np.ones(len(lines.boxes), np.bool_)
    for i in lines.told:
        if not lines.fresh[i] or not judge.may_hold_field(lines.keys[i]):
            continue  # reading pieces costs as much as reading the line
        pieces = pieces_of(lines.boxes[i], strokes)
        reason = why(lines, i)
        if len(pieces) < 2 or not reason.redacts:
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
        if reason in _EVIDENCE and not any(why(rest, j).redacts for j in rest.told):
            continue
        whole[i] = False
        apart += [found.only(np.array(fields, np.bool_)), rest]
    return FrameLines.joined([lines.only(whole), *apart])
