"""Letters that a recogniser read nothing of.

A recogniser that does not know a script leaves it out and reads the rest of the line surely: behind
`LIVER` a name in Bengali is a blank to it. Each glyph of a reading has a place in the line (the
steps of CTC); letters where no glyph stands were not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.cuts import is_uncut
from cinescrub.text.pieces import pieces
from cinescrub.text.recognizer import crop_boxes
from cinescrub.text.strokes import STRONG, Strokes

__all__ = ["Letters", "has_unread", "letters_of"]

_HIGH: Final = 0.4
"""Ink of this share of a line's height may be a letter: ticks, dots and dashes are lower."""
_HOLLOW: Final = 0.15
"""What is longer than a line is high and has less ink than this share of its box is the frame of a
button: joined words of 20 scripts have 0.19 and more."""
_PANEL: Final = 3.0
_SOLID: Final = 0.6
"""What is so many times as long and has more ink than this is a panel, and letters on it can't be
told."""
_REACH: Final = 0.45
"""A glyph takes so many heights to either side of where it is read. With 0.35 and 0.4, 10 and 5 %
of 1,500 drawn clinical lines have letters that PP-OCRv6 left out; with 0.45 it is 0.3 %."""
_OF_PITCH: Final = 0.6
"""In a wide face, or spaced out, it takes this share of what lies between two glyphs of a word,"""
_MOST: Final = 0.8
"""up to so many heights."""
_WIDE: Final = frozenset("MWmw%@&©®∞–—")
_WIDER: Final = 1.33
"""These take so much more."""
_A_LETTER: Final = 0.4
_A_PART: Final = 0.25
"""Heights of ink that no glyph takes, together, in runs of so many each: letters, and no soft edges
of those that were read."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Where in a crop letters may stand."""

    columns: npt.NDArray[np.bool_]
    """(w,) which columns of the crop have ink that is high enough."""
    height: int
    """Rows of all ink, in pixels."""


def letters_of(box: npt.NDArray[np.int32], strokes: Strokes) -> Letters | None:
    """Return where letters of a line stand; None where ink can't be told or the line is high.

    Parameters
    ----------
    box : (4,) int32 array
        Inside of the frame.
    strokes : Strokes
        Of the frame.
    """
    x0, y0, x1, y1 = (int(v) for v in box)
    if y1 - y0 > x1 - x0 or is_uncut(box, strokes):
        return None
    ink = strokes.ink(box, share=STRONG)
    rows = np.flatnonzero(ink.any(axis=1))
    if not len(rows):
        return None
    height = int(rows[-1] - rows[0]) + 1
    left, _, right, _ = (int(v) for v in crop_boxes(box[None], *strokes.size)[0])
    columns = np.zeros(right - left, np.bool_)
    for piece, area, (a0, b0, a1, b1) in pieces(ink):
        heights, filled = (a1 - a0) / height, area / piece.size
        if b1 - b0 < _HIGH * height or (heights > 1 and filled < _HOLLOW):
            continue
        if heights > _PANEL and filled > _SOLID:
            return None
        columns[x0 - left + a0 : x0 - left + a1] = True
    return Letters(columns, height)


def _pitch(glyphs: npt.NDArray[np.float32], text: str) -> float:
    """Return the median distance of two glyphs of a word, in shares of the line, or 0."""
    centres = glyphs[:, :2].mean(axis=1)
    apart = [
        centres[i + 1] - centres[i]
        for i, (a, b) in enumerate(pairwise(text))
        if not a.isspace() and not b.isspace()
    ]
    return float(np.median(apart)) if apart else 0.0


def has_unread(letters: Letters | None, glyphs: npt.NDArray[np.float32], text: str) -> bool:
    """Return whether a line has letters that a reading says nothing of.

    Parameters
    ----------
    letters : Letters or None
        Of the line; None is not known.
    glyphs : (k, 3) float32 array
        Of the reading, as `types.Transcripts` has them.
    text : str
        The reading, k characters.
    """
    if text != text.strip():
        return True  # behind a blank there is something: of 1,500 drawn lines none ends so
    if letters is None or np.isnan(glyphs).any():
        return False
    left = letters.columns.copy()
    pitch = _pitch(glyphs, text) * len(left)
    usual = float(np.clip(_OF_PITCH * pitch, _REACH * letters.height, _MOST * letters.height))
    for (first, last, _), character in zip(glyphs, text, strict=True):
        if not character.isspace():
            reach = usual * (_WIDER if character in _WIDE else 1.0)
            start, end = first * len(left) - reach, last * len(left) + reach
            left[max(0, int(np.floor(start))) : int(np.ceil(end)) + 1] = False
    runs = [end - start for start, end in geometry.runs(left)]
    parts = (run for run in runs if run >= _A_PART * letters.height)
    return sum(parts) > _A_LETTER * letters.height
