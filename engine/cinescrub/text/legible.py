"""What is text: what somebody reads, or what looks drawn.

Detectors find too much, on purpose, and a line that nobody can read is text if it looks drawn:
redacting every echo that some detector takes for a letter would cost the picture. What two boxes
around one another read tells which of them is the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub.policy import ocr
from cinescrub.policy.readings import DIFFERING, Reading, agree, seen_shape
from cinescrub.text.pieces import GREATEST_PX
from cinescrub.text.strokes import Shape, Strokes
from cinescrub.text.tilted import may_hold_tilted

__all__ = [
    "LEGIBLE_PX",
    "LegibleSettings",
    "echoes",
    "glyphs_of",
    "includes",
    "is_read",
    "is_text",
    "is_unread",
    "is_written_in_colour",
]


@dataclass(frozen=True, slots=True)
class LegibleSettings:
    """When a line is read, and when it looks drawn."""

    read_from: float = 0.4
    """Two glyphs read with this confidence make text. Of 2215 detections in 39 made cines none
    over tissue, tick or bar was read so by mistake but three of 346; of 740 texts 681 were."""
    trace_from: float = 0.9
    """Confidence from which even what looks like a trace is text, whatever it reads: an ECG was
    read as `JJJ` with 0.6."""
    trace_glyphs: int = 3
    """So is what is read as so many different glyphs, or alike by two recognisers: joined letters
    are one long line, too."""
    letter_from: float = 0.9
    """Confidence from which one glyph in a box of more than `LEGIBLE_PX` is a letter: a body mark
    was read as `0` with 0.81."""
    longest_glyph: float = 3.0
    """Sides of a box around one large glyph, at most: an ECG of 256 x 56 px was read as `L`."""
    largest_letter: float = 1.5
    """Sides of a box around a large letter, in greatest heights of one (`pieces.GREATEST_PX`)."""
    largest_line: float = 1.7
    """Height of a line, in the same. What is higher is a picture, unless a tilted line is read in
    it: peaks of a Doppler spectrum were read as `AMMA` by one recogniser, as `MMA` by the other, a
    chamber as `9` by both."""
    pair_from: float = 0.7
    """And from which two are: a body mark was read as `57` with 0.43, a fifth of a frame of tissue
    as `12` with 0.64."""
    plain_px: int = 20
    """Two letters of a greater height that one recogniser reads, all do: colour flow was read as
    `44` with 0.93 by one, and as nothing by the other."""
    symbol_from: float = 0.7
    """Confidence from which a reading without letters and digits says that there are none."""
    echo_from: float = 0.1
    """A reading with this confidence that may be a misreading of what a tighter box reads is of the
    same text."""


LEGIBLE_PX: Final = 32
"""Letters of a greater height can be read, if they are any."""
_DEFAULTS: Final = LegibleSettings()
_PAIR: Final = 2


def is_text(
    box: npt.NDArray[np.int32],
    readings: Sequence[Reading],
    strokes: Strokes,
    *,
    doubted: bool,
    settings: LegibleSettings = _DEFAULTS,
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
        is plainly drawn: a script that no recogniser knows, over what gives no echo, or in one gray
        level over what does.
    settings : LegibleSettings
        Confidences.
    """
    said = [reading for reading in readings if not reading.confidence < settings.read_from]
    height = strokes.height(box)
    large = height > LEGIBLE_PX
    worded = [
        one for one in said if glyphs_of(one) > 1 + (large and one.confidence < settings.pair_from)
    ]
    oversized = height > settings.largest_line * GREATEST_PX
    if oversized and not (worded and may_hold_tilted((box[2:] - box[:2]).tolist())):
        return False
    if strokes.is_trace(box):
        return _is_spelled(worded, readings, settings)
    pair = doubted and _is_one_readers_pair(worded, readings)
    if worded and not (
        pair and (large or _is_unseen_by_others(worded, readings, height, settings))
    ):
        return True
    if strokes.shape(box) is not Shape.STROKES:
        return False
    if doubted and not strokes.is_drawn(box):
        return _is_letter(box, readings, settings) or strokes.is_of_one_level(box)
    sides = box[2:] - box[:2]
    long = sides.max() > settings.longest_glyph * sides.min()
    if large and (long or not any(_is_sure(one, settings) for one in said)):
        return not doubted and strokes.is_drawn(box) and _is_several(readings, settings)
    if height > GREATEST_PX and len({seen_shape(one.text) for one in readings}) > 1:
        return False  # an organ is a 4 to one reader, and a body mark a square to another
    symbols = [reading for reading in said if reading.confidence >= settings.symbol_from]
    return not symbols or any(map(glyphs_of, said))


def _is_spelled(
    worded: Sequence[Reading], readings: Sequence[Reading], settings: LegibleSettings
) -> bool:
    """Return whether what looks like a trace is read as no trace is."""
    legible = [
        one
        for one in readings
        if not one.confidence < settings.echo_from
        and glyphs_of(one) >= settings.trace_glyphs
        and _different(one) > 1  # lll
    ]
    alike = any(
        agree(one.text, other.text, edits=DIFFERING)
        for i, one in enumerate(legible)
        for other in legible[:i]
    )
    return alike or any(
        not one.confidence < settings.trace_from or _different(one) >= settings.trace_glyphs
        for one in worded
    )


def _is_several(readings: Sequence[Reading], settings: LegibleSettings) -> bool:
    """Return whether any reader sees several glyphs, however unsure.

    Of scripts that they don't know they read something: Hangul of 40 px as `2014` (0.3).
    """
    return any(glyphs_of(one) > 1 and not one.confidence < settings.echo_from for one in readings)


def _is_sure(reading: Reading, settings: LegibleSettings) -> bool:
    return bool(glyphs_of(reading)) and reading.confidence >= settings.letter_from


def _is_letter(
    box: npt.NDArray[np.int32], readings: Sequence[Reading], settings: LegibleSettings
) -> bool:
    """Return whether several readers read one and the same glyph, and all of them surely.

    Of the echoes and organs of 50 made cines three were read as one glyph by both: a bladder of
    133 px as `C`, an edge of 77 px as `L` (0.98, 0.57), colour flow as `E` (0.62, 0.96).
    """
    sides = box[2:] - box[:2]
    if sides.max() > settings.largest_letter * GREATEST_PX:
        return False
    alike = {seen_shape(one.text) for one in readings}
    least = settings.letter_from if sides.min() > LEGIBLE_PX else settings.pair_from
    sure = all(one.confidence >= least for one in readings)
    return sure and len(readings) > 1 and len(alike) == 1 and len(min(alike)) == 1


def _different(reading: Reading) -> int:
    return len({*filter(str.isalnum, reading.text.casefold())})


def _is_one_readers_pair(worded: Sequence[Reading], readings: Sequence[Reading]) -> bool:
    """Return whether nothing but two glyphs were read, and by one of several readers alone.

    Large letters are read by all; speckle of that size is `WA` to one of them.
    """
    return all(glyphs_of(one) == _PAIR for one in worded) and not all(
        agree(one.text, other.text, edits=DIFFERING) for one in worded for other in readings
    )


def _is_unseen_by_others(
    worded: Sequence[Reading], readings: Sequence[Reading], height: int, settings: LegibleSettings
) -> bool:
    """Return whether no other reader sees anything in what is as high as any can read."""
    others = [one for one in readings if one not in worded]
    return height > settings.plain_px and all(one.confidence < settings.echo_from for one in others)


def is_written_in_colour(box: npt.NDArray[np.int32], strokes: Strokes) -> bool:
    """Return whether a line looks written, in colour over gray."""
    return strokes.is_coloured(box) and strokes.shape(box) is Shape.STROKES


def is_read(reading: Reading, settings: LegibleSettings = _DEFAULTS) -> bool:
    """Return whether a reading is of two glyphs and more, with some confidence."""
    return not reading.confidence < settings.read_from and glyphs_of(reading) > 1


def is_unread(readings: Sequence[Reading], settings: LegibleSettings = _DEFAULTS) -> bool:
    """Return whether no reading has a glyph, with some confidence."""
    return not any(glyphs_of(one) and not one.confidence < settings.read_from for one in readings)


def glyphs_of(reading: Reading) -> int:
    """Return how many letters and digits a reading has."""
    return sum(map(str.isalnum, reading.text))


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


def includes(outer: Sequence[Reading], inner: Sequence[Reading]) -> bool:
    """Return whether a line says all that a line inside of it says, and more.

    Over tissue one detector finds a line, and another a word of it, or its end.
    """
    legible = [one for one in outer if not one.confidence < _DEFAULTS.read_from]
    parts = [one for one in inner if not one.confidence < _DEFAULTS.read_from]
    return any(_is_part(one, of, exact=True) for one in parts for of in legible) and all(
        any(_is_part(one, of) for of in legible) for one in parts
    )


def _is_part(reading: Reading, of: Reading, *, exact: bool = False) -> bool:
    part, whole = seen_shape(reading.text), seen_shape(of.text)
    edits = 0 if exact else int(DIFFERING * len(part))
    return 1 < len(part) < len(whole) and ocr.substring_edits(part, whole, edits)
