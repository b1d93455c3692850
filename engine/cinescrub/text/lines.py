"""From words to lines, and which lines are text at all.

Detectors find too much, on purpose: at their low thresholds tissue, ticks and colour bars are words
as well. And one box may hold several rows. What is read and judged are lines: words of one row,
close together. A line that nobody can read is text if it looks drawn; redacting every echo that
some detector takes for a letter would cost the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry, masks
from cinescrub.policy import ocr
from cinescrub.policy.readings import DIFFERING, Reading, agree, seen_shape
from cinescrub.text.cuts import CutSettings, is_uncut, split_boxes
from cinescrub.text.pieces import GREATEST_PX
from cinescrub.text.strokes import Shape, Strokes
from cinescrub.types import Boxes

__all__ = [
    "LEGIBLE_PX",
    "LineSettings",
    "consists_of",
    "crosses_rows",
    "echoes",
    "filled",
    "glyphs_of",
    "hidden_words",
    "includes",
    "is_read",
    "is_text",
    "is_unread",
    "is_written_in_colour",
    "join_words",
    "spared",
]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How words are put together, and when a line is read."""

    line_gap: float = 0.8
    """Words closer than this many heights are one line, which is kept or redacted whole."""
    around_height: float = 1.2
    """So many times as high as the words in it a box is what a detector found around them, and no
    word of their line,"""
    around_span: float = 0.5
    """if they take this share of its length, from the first to the last."""
    tallest_line: float = 1.6
    """A line is at most this many times as high as its tallest word: words lie a third of a height
    apart (`geometry.group_lines`)."""
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
    pair_from: float = 0.7
    """And from which two are: a body mark was read as `57` with 0.43, a fifth of a frame of tissue
    as `12` with 0.64."""
    symbol_from: float = 0.7
    """Confidence from which a reading without letters and digits says that there are none."""
    echo_from: float = 0.1
    """A reading with this confidence that may be a misreading of what a tighter box reads is of the
    same text."""
    edge: float = 0.15
    """Share of a line's height by which its box may be larger than its ink, on each side."""
    several_rows: float = 1.5
    """What is so many times as high as each of the lines in it has several of their rows."""
    of_others: float = 0.98
    """Share of its ink in the boxes of lines from which a box is theirs alone: a dot of an `i` in a
    box of three letters is more than the rest."""
    inside: float = 0.9
    """Share of a word in a line from which it hides in it."""


LEGIBLE_PX: Final = 32
"""Letters of a greater height can be read, if they are any."""
_DEFAULTS: Final = LineSettings()
_CUTS: Final = CutSettings()
_PAIR: Final = 2
_ROOMY: Final = 2
"""Boxes of so many times the area of another hold more than its text."""
_MARGIN_PX: Final = 2
"""What is left blank at the ends of a filled line."""
_SURE_MARGIN: Final = 0.1
"""Heights that are left at ends of which detectors are sure: as above and below the line."""
_SHARED_ROWS: Final = 0.4
"""Share of the lower of two rows by which their boxes may overlap."""
_BLANK: Final = 0.25
"""Mean level of a row between two lines, in those of theirs, that is left by the soft edges of
letters and by a rule across it."""
_SAME: Final = 0.8
"""A word of this share of a line's area is the line."""


def join_words(xyxy: Boxes, strokes: Strokes, settings: LineSettings = _DEFAULTS) -> Boxes:
    """Join the words of a frame to lines; words inside of other words are dropped first.

    Not so where the outer one could not be cut and is more than twice as large: what one detector
    finds around a label over tissue is read worse than the label that the other finds. Such a box
    is a line of its own, or the label would be read in it after all.

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
    parts = split_boxes(xyxy, strokes)
    words = _outermost(parts[~_spanning(parts, strokes, settings)], strokes)
    drawn = np.array([strokes.shape(word) is Shape.STROKES for word in words], np.bool_)
    joined = drawn & ~_around_others(words, settings)
    lines = [*words[~joined]]
    for members in geometry.group_lines(words[joined], gap=settings.line_gap):
        words_of = words[joined][members]
        low, high = words_of[:, :2].min(axis=0), words_of[:, 2:].max(axis=0)
        tallest = (words_of[:, 3] - words_of[:, 1]).max()
        if high[1] - low[1] <= settings.tallest_line * tallest:
            lines.append(np.concatenate([low, high]))
        else:
            lines.extend(words_of)
    return _outermost(geometry.as_boxes(lines), strokes)


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
        own, which one network takes for letters and the other does not. Then it is text only if it
        is plainly drawn: a script that no recogniser knows, over what gives no echo.
    settings : LineSettings
        Confidences.
    """
    said = [reading for reading in readings if not reading.confidence < settings.read_from]
    height = strokes.height(box)
    large = height > LEGIBLE_PX
    worded = [
        one for one in said if glyphs_of(one) > 1 + (large and one.confidence < settings.pair_from)
    ]
    if strokes.is_trace(box):
        return _is_spelled(worded, readings, settings)
    if worded and not (large and doubted and _is_one_readers_pair(worded, readings)):
        return True
    if strokes.shape(box) is not Shape.STROKES:
        return False
    if doubted and not strokes.is_drawn(box):
        return _is_letter(box, readings, settings)
    sides = box[2:] - box[:2]
    long = sides.max() > settings.longest_glyph * sides.min()
    if large and (long or not any(_is_sure(one, settings) for one in said)):
        return not doubted and strokes.is_drawn(box) and _is_several(readings, settings)
    if height > GREATEST_PX and len({seen_shape(one.text) for one in readings}) > 1:
        return False  # an organ is a 4 to one reader, and a body mark a square to another
    symbols = [reading for reading in said if reading.confidence >= settings.symbol_from]
    return not symbols or any(map(glyphs_of, said))


def _is_spelled(
    worded: Sequence[Reading], readings: Sequence[Reading], settings: LineSettings
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


def _is_several(readings: Sequence[Reading], settings: LineSettings) -> bool:
    """Return whether any reader sees several glyphs, however unsure.

    Of scripts that they don't know they read something: Hangul of 40 px as `2014` (0.3).
    """
    return any(glyphs_of(one) > 1 and not one.confidence < settings.echo_from for one in readings)


def _is_sure(reading: Reading, settings: LineSettings) -> bool:
    return bool(glyphs_of(reading)) and reading.confidence >= settings.letter_from


def _is_letter(
    box: npt.NDArray[np.int32], readings: Sequence[Reading], settings: LineSettings
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


def is_written_in_colour(box: npt.NDArray[np.int32], strokes: Strokes) -> bool:
    """Return whether a line looks written, in colour over gray."""
    return strokes.is_coloured(box) and strokes.shape(box) is Shape.STROKES


def is_read(reading: Reading, settings: LineSettings = _DEFAULTS) -> bool:
    """Return whether a reading is of two glyphs and more, with some confidence."""
    return not reading.confidence < settings.read_from and glyphs_of(reading) > 1


def is_unread(readings: Sequence[Reading], settings: LineSettings = _DEFAULTS) -> bool:
    """Return whether no reading has a glyph, with some confidence."""
    return not any(glyphs_of(one) and not one.confidence < settings.read_from for one in readings)


def glyphs_of(reading: Reading) -> int:
    """Return how many letters and digits a reading has."""
    return sum(map(str.isalnum, reading.text))


def hidden_words(line: npt.NDArray[np.int32], words: Boxes) -> Boxes:
    """Return the words inside of a line that is no text: they are to be judged by themselves.

    Each is smaller than the line, so that to look for words hidden in these in turn comes to an
    end; where several lie inside of one another, the largest first.
    """
    area = geometry.areas(words)
    smaller = area < _SAME * int((line[2:] - line[:2]).astype(np.int64).prod())
    inside = geometry.covered_share(words, line[None]) >= _DEFAULTS.inside
    return geometry.merge_overlapping(words[smaller & inside])


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


def crosses_rows(
    box: npt.NDArray[np.int32],
    read: Boxes,
    strokes: Strokes,
    settings: LineSettings = _DEFAULTS,
) -> bool:
    """Return whether a box cuts through rows of lines that were read, and holds nothing else.

    Detectors find such boxes now and then where the columns of a table begin. All of their ink is
    of lines that are judged by themselves. Over texture, where ink can't be told, there are none.

    Parameters
    ----------
    box : (4,) int32 array
        What may be no line.
    read : (n, 4) int32 array
        Other lines of the frame, that were read as two glyphs at least.
    strokes : Strokes
        Of the frame.
    settings : LineSettings
        Distances.
    """
    x0, y0, _, y1 = (int(v) for v in box)
    heights = read[:, 3] - read[:, 1]
    met = read[
        geometry.meets(box, read)
        & (settings.several_rows * heights <= y1 - y0)
        & (heights < read[:, 2] - read[:, 0])
    ]
    in_one_row = not len(met) or met[:, 1].max() < met[:, 3].min()
    if in_one_row or is_uncut(box, strokes):
        return False
    ink = strokes.ink(box)
    rest = ink.copy()
    for a0, b0, a1, b1 in met:
        rest[max(0, b0 - y0) : max(0, b1 - y0), max(0, a0 - x0) : max(0, a1 - x0)] = False
    return bool(ink.any() and rest.sum() <= (1 - settings.of_others) * ink.sum())


def consists_of(box: npt.NDArray[np.int32], known: Boxes, strokes: Strokes) -> bool:
    """Return whether a box has ink, and all of it lies in known places.

    Over texture, where ink can't be told, none does.

    Parameters
    ----------
    box : (4,) int32 array
        Inside of the frame.
    known : (n, 4) int32 array
        Places; ink may stick out of them by its soft edges.
    strokes : Strokes
        Of the frame.
    """
    met = known[geometry.meets(box, known)]
    if not len(met) or is_uncut(box, strokes):
        return False
    rest = strokes.ink(box)
    inked = bool(rest.any())
    x0, y0 = (int(v) for v in box[:2])
    for a0, b0, a1, b1 in met + np.array([-1, -1, 1, 1], np.int32) * _MARGIN_PX:
        rest[max(0, b0 - y0) : max(0, b1 - y0), max(0, a0 - x0) : max(0, a1 - x0)] = False
    return inked and not rest.any()


def _spanning(words: Boxes, strokes: Strokes, settings: LineSettings) -> npt.NDArray[np.bool_]:
    """Return which words only take in rows that others hold, `(n,)`.

    Detectors find a `4` over a `5`, the ends of two lines, as one word, too narrow to be cut into
    rows, which would join the two lines.
    """
    sizes = words[:, 2:] - words[:, :2]
    long = sizes[:, 0] >= _CUTS.row_ratio * sizes[:, 1]
    spans = np.zeros(len(words), np.bool_)
    for i, word in enumerate(words):
        lower = settings.several_rows * sizes[:, 1] <= sizes[i, 1]
        met = np.flatnonzero(lower & geometry.meets(word, words))
        if len(met) and long[met].any() and words[met, 1].max() >= words[met, 3].min():
            spans[i] = consists_of(word, words[met], strokes)
    return spans


def _outermost(boxes: Boxes, strokes: Strokes) -> Boxes:
    """Return boxes without those inside of another that is as good to read."""
    area = geometry.areas(boxes)
    kept: list[int] = []
    for i in np.argsort(-area, kind="stable"):
        holds = geometry.around(boxes[i], boxes[kept])
        around = (j for j, held in zip(kept, holds, strict=True) if held)
        if all(area[j] > _ROOMY * area[i] and is_uncut(boxes[j], strokes) for j in around):
            kept.append(int(i))
    return boxes[np.sort(np.array(kept, np.intp))]


def _around_others(words: Boxes, settings: LineSettings) -> npt.NDArray[np.bool_]:
    """Return which boxes are around others, `(n,)`: with room above or below, and hardly longer."""
    around = np.zeros(len(words), np.bool_)
    if not len(words):
        return around
    inside = np.stack([geometry.around(word, words) for word in words], axis=1)
    np.fill_diagonal(inside, val=False)
    for i in np.flatnonzero(inside.any(axis=1)):
        held, sides = words[inside[i]], words[i, 2:] - words[i, :2]
        reach = held[:, 2:].max(axis=0) - held[:, :2].min(axis=0)
        along = int(sides[1] > sides[0])
        spans = reach[along] >= settings.around_span * sides[along]
        around[i] = spans and sides[1 - along] >= settings.around_height * reach[1 - along]
    return around


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
    settings: LineSettings = _DEFAULTS,
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
    settings : LineSettings
        Distances.

    Returns
    -------
    (n, 4) int32 array
        Never less than the ink of the lines.
    """
    inset = np.rint((kept[:, 3] - kept[:, 1]) * settings.edge).astype(np.int32)[:, None]
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
