"""Numbers of a scale: each says how far along it stands; no other number in a picture does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub.policy import ocr
from cinescrub.policy.readings import Reading, has_foreign_letters
from cinescrub.policy.seen import Line
from cinescrub.policy.settings import DecisionSettings

__all__ = ["on_scale"]

_NUMBER: Final = re.compile(r"[\s.,;:*'\"|~]*([+-]{0,2})\s?(\d{1,3}(?:[.,]\d)?)[\s.,;:*'\"|~]*")
"""With the tick beside it, which is read as a sign."""
_LEAST: Final = 3
"""Numbers that make a scale: two lie on a straight line always."""
_SECONDED: Final = 2
"""Of these, so many were read as something by both recognisers: what one alone reads as numbers may
be Hangul, and on a page of names three are in line by chance."""
_ROOM: Final = 2.0
"""How much further apart the numbers of a scale stand than the digits of one number, be it spaced
out, upright or turned: from middle to middle."""


def on_scale(lines: Sequence[Line], settings: DecisionSettings) -> frozenset[int]:
    """Return which lines are numbers of a scale.

    Those are in the same print, in a column or in a row with room between, and the number that
    one was read as follows from where it stands between the others.

    Parameters
    ----------
    lines : sequence of Line
        Of one frame.
    settings : DecisionSettings
        Thresholds and reaches.
    """
    owner, values, seconded = [], [], []
    for i, line in enumerate(lines):
        for value in _values(line.readings, settings):
            owner.append(i)
            values.append(value)
            seconded.append(_is_read_by_all(line.readings))
    if len(set(owner)) < _LEAST:
        return frozenset()
    boxes = np.array([lines[i].box for i in owner], np.float64)
    members: set[int] = set()
    for along in (0, 1):
        members |= _members(
            np.array(owner), np.array(values), np.array(seconded), boxes, along, settings
        )
    return frozenset(members)


def _members(
    owner: npt.NDArray[np.intp],
    values: npt.NDArray[np.float64],
    seconded: npt.NDArray[np.bool_],
    boxes: npt.NDArray[np.float64],
    along: int,
    settings: DecisionSettings,
) -> set[int]:
    """Return the lines on scales along x (0) or y (1)."""
    across = 1 - along
    middle = (boxes[:, along] + boxes[:, along + 2]) / 2
    height = boxes[:, 3] - boxes[:, 1]
    members: set[int] = set()
    for first in range(len(owner)):
        shared = np.minimum(boxes[:, across + 2], boxes[first, across + 2]) - np.maximum(
            boxes[:, across], boxes[first, across]
        )
        width = boxes[:, across + 2] - boxes[:, across]
        print_of = np.maximum(height, height[first]) / np.minimum(height, height[first])
        near = (2 * shared >= np.minimum(width, width[first])) & (print_of <= settings.one_print)
        for second in np.flatnonzero(near & (owner > owner[first]) & (values != values[first])):
            step = (middle[second] - middle[first]) / (values[second] - values[first])
            apart = np.abs(middle - middle[first] - step * (values - values[first]))
            fits = near & (apart <= settings.scale_slack * height)
            on_it = set(owner[fits].tolist())
            spread = float(np.diff(np.sort(middle[fits])).min()) / float(height[first])
            apart_enough = spread >= _ROOM * settings.spaced_reach
            read = int(seconded[fits].sum()) >= _SECONDED
            if len(on_it) == int(fits.sum()) >= _LEAST and apart_enough and read:
                members |= on_it
    return members


def _values(readings: Sequence[Reading], settings: DecisionSettings) -> set[float]:
    """Return what number a line may be; whether a sign is one or a tick shows on the scale."""
    values = set()
    for reading in readings:
        found = _NUMBER.fullmatch(ocr.fold(reading.text))
        if found is not None and reading.confidence >= settings.min_confidence_slight:
            value = float(found[2].replace(",", "."))
            values |= {value, -value} if found[1] else {value}
    return values


def _is_read_by_all(readings: Sequence[Reading]) -> bool:
    """Tell whether each reading has glyphs, and none that english_g2 does not know."""
    return all(ocr.glyphs(one.text) and not has_foreign_letters(one.text) for one in readings)
