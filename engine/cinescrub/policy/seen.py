"""A line with what its readings say, before anything around it is asked.

Which readings vouch for it, that is, are clinical from end to end, confident, and could be what all
the others are misreadings of; and how surely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cinescrub.policy import counters, grammar, ocr, patterns
from cinescrub.policy.grammar import Clinical
from cinescrub.policy.layout import Box
from cinescrub.policy.readings import (
    Reading,
    agree,
    has_foreign_letters,
    is_reread,
    is_same_print,
    seen_shape,
)
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.vocabulary import Vocabulary

__all__ = ["Line", "Seen", "is_read", "look"]


_SIGNS: Final = frozenset("+-.,")
"""Of numbers that no Hangul was read as."""
_REPEATED: Final = 3
"""Readings that are the same and clear are worth a certain one, if they are so many: over tissue
each frame is another chance to misread a glyph. Two recognisers on one frame are too few."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of read text."""

    readings: tuple[Reading, ...]
    """Of each recogniser, at least one each; of several frames, as many as `voting` leaves. None
    at all is an unread line."""
    box: Box
    """x0, y0, x1, y1 in pixels of the frame, x1 and y1 exclusive."""
    counter: bool = False
    """Whether the line was seen to count the cine's frames or its time from zero
    (`counters.counts`). Without that, 00:01:23 is a time of day."""
    beside: bool = False
    """Whether it does not lie on the insonified part of the picture, as far as is known."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A line with what its readings say."""

    line: Line
    vouching: tuple[Clinical, ...]
    """What the line is by each reading that vouches for it: clinical from end to end."""
    vouchers: tuple[Reading, ...]
    """Those readings."""
    label: bool
    """Whether any reading is the label of an identifying field."""
    read: bool
    """Whether any reading is text with some confidence."""
    emphatic: bool
    """Whether a sure reading that vouches is emphatic, or all of them are."""
    sure: int
    """How often it was read so that it vouches, and surely: by another recogniser, or again."""
    certain: bool
    """Whether one of those readings is certain."""

    @property
    def measures(self) -> bool:
        """Whether it is measurements, by all readings that vouch."""
        return bool(self.vouching) and all(one.measures for one in self.vouching)

    @property
    def technical(self) -> bool:
        """Whether it is measurements or the name of a machine or transducer, by all of them."""
        return bool(self.vouching) and all(one.measures or one.probes for one in self.vouching)

    @property
    def slight(self) -> bool:
        """Whether it is a few letters a word, or a bare number, by a reading that vouches."""
        return any(one.slight for one in self.vouching)

    @property
    def bare(self) -> bool:
        """Whether it is a bare number of up to two digits by a reading that vouches."""
        return any(one.bare for one in self.vouching)

    @property
    def initials(self) -> bool:
        """Whether it is as short as the initials of an operator, by any reading that vouches."""
        return any(one.brief for one in self.vouching)

    @property
    def coded(self) -> bool:
        """Whether it is surely a view by letters and a digit: A4C."""
        return self.certain and self.sure > 1 and all(one.coded for one in self.vouching)

    @property
    def confirmed(self) -> bool:
        """Whether two sure readings vouch for a line with clinical words or settings."""
        return self.sure > 1 and all(one.worded for one in self.vouching)


def look(line: Line, vocabulary: Vocabulary | None, settings: DecisionSettings) -> Seen:
    """Return what the readings of a line say of it."""
    found = [_clinical(reading, line.counter, vocabulary, settings) for reading in line.readings]
    vouching = [
        (clinical, reading)
        for clinical, reading in zip(found, line.readings, strict=True)
        if clinical is not None
        and _fills(reading, line.box, settings)
        and _is_shared(reading, line, settings, measures=bool(clinical.measures))
        and not _is_left_out(clinical, reading, settings)
        and not _is_replaced(reading, line, found)
        and not reading.unread
        and _is_plainly_read(reading, line, settings)
    ]
    if any(clinical.slight for clinical, _ in vouching):
        # Of a few glyphs each is worth a name: MIN LI may be read as MIN II, less surely. Blanks
        # are no glyphs.
        glyphs = {ocr.glyphs(reading.text) for _, reading in vouching}
        # But the letter of a setting is read as one more digit: G 60 as 6 60, which is nothing.
        plain = {seen_shape(reading.text) for clinical, reading in vouching if clinical.plain}
        doubts = [
            reading.confidence
            for reading, clinical in zip(line.readings, found, strict=True)
            if clinical is None and not reading.outvoted and ocr.glyphs(reading.text) not in glyphs
            if seen_shape(reading.text) not in plain or any(map(str.isalpha, reading.text))
        ]
        limit = max(reading.confidence for _, reading in vouching)
        if any(clinical.bare for clinical, _ in vouching):
            limit = min(limit, settings.clear)  # a letter with a dot is read as a digit: Z. as 2
        if max(doubts, default=0.0) > limit:
            vouching = []
    if _is_one_readers(line, vouching, settings):
        vouching = []
    return Seen(
        line,
        tuple(clinical for clinical, _ in vouching),
        tuple(reading for _, reading in vouching),
        any(patterns.is_label(reading.text) for reading in line.readings),
        any(is_read(reading, settings.min_confidence) for reading in line.readings),
        bool(vouching)
        and (
            all(clinical.emphatic for clinical, _ in vouching)
            or any(c.emphatic and r.confidence >= settings.sure for c, r in vouching)
        ),
        _sure_of([reading for _, reading in vouching], line, settings),
        any(reading.confidence >= settings.certain for _, reading in vouching),
    )


def _is_left_out(clinical: Clinical, reading: Reading, settings: DecisionSettings) -> bool:
    """Tell whether a recogniser left text out in all looks that gave a reading.

    It may be this one, or the other, if this one isn't certain or ends in a number: 478 behind
    HR 72bpm was a Korean name.
    """
    longer = reading.confidence >= settings.certain and not clinical.numbers
    return reading.cut or (reading.alone and not longer)


def _is_replaced(reading: Reading, line: Line, found: Sequence[Clinical | None]) -> bool:
    """Tell whether the place was read as something else, which is not clinical, beyond doubt.

    Where LT KIDNEY stands in one frame and LT SIDNEY in another, neither is a misreading.
    """
    return any(
        other.agreed and clinical is None and seen_shape(other.text) != seen_shape(reading.text)
        for other, clinical in zip(line.readings, found, strict=True)
    )


def _is_plainly_read(reading: Reading, line: Line, settings: DecisionSettings) -> bool:
    """Tell whether any recogniser is sure of each glyph of a reading."""
    alike = (one.weakest for one in line.readings if is_same_print(one.text, reading.text))
    return max(alike) >= settings.least_glyph


def _is_one_readers(
    line: Line, vouching: Sequence[tuple[Clinical, Reading]], settings: DecisionSettings
) -> bool:
    """Tell whether one of two recognisers alone reads what may be of another script.

    That is where any reading has letters of one, and of a whole number: english_g2 knows no Hangul
    and reads it as digits, which PP-OCR reads as nothing or as Chinese. Signs and decimals it did
    not read so. Every look has a reading of each, so that what more than half of them say was read
    by both.
    """
    if not vouching:
        return False
    read = [one for one in line.readings if one.confidence >= settings.min_confidence]
    foreign = any(has_foreign_letters(one.text) for one in read)
    whole = all(one.bare and not _SIGNS & {*reading.text} for one, reading in vouching)
    if not foreign and not whole:
        return False
    meant = {seen_shape(reading.text) for _, reading in vouching}
    alike = sum(one.times for one in line.readings if seen_shape(one.text) in meant)
    return len(line.readings) > 1 and 2 * alike <= sum(one.times for one in line.readings)


def _sure_of(vouchers: Sequence[Reading], line: Line, settings: DecisionSettings) -> int:
    """Count how often a line was read so that it vouches, and surely.

    Beside a certain reading others count that are less sure of the same glyphs, or of five and more
    of which one is another.
    """
    best = max(vouchers, key=lambda one: one.confidence, default=None)
    if best is None or best.confidence < settings.certain:
        return sum(one.times for one in vouchers if one.confidence >= settings.sure)
    return sum(
        one.times
        for one in line.readings
        if one.confidence >= settings.min_confidence and is_reread(best.text, one.text)
    )


def _clinical(
    reading: Reading, counter: bool, vocabulary: Vocabulary | None, settings: DecisionSettings
) -> Clinical | None:
    """Return what a reading is made of, or None unless it is clinical and confident."""
    if reading.outvoted:
        return None
    if counter and counters.has_form(reading.text):
        clinical: Clinical | None = Clinical(measures=1)
    else:
        clinical = grammar.parse(reading.text, vocabulary)
    if clinical is None or not clinical.sufficient:
        return None
    slight = clinical.slight
    floor = settings.min_confidence_slight if slight else settings.min_confidence
    return clinical if is_read(reading, floor) else None


def _fills(reading: Reading, box: Box, settings: DecisionSettings) -> bool:
    """Tell whether a reading has glyphs enough for its box: else part of the line was lost."""
    x0, y0, x1, y1 = box
    short, long = sorted((x1 - x0, y1 - y0))  # a turned line is high
    glyphs = len(reading.text.strip()) + 1
    return long <= glyphs * settings.widest_glyph * short


def _is_shared(reading: Reading, line: Line, settings: DecisionSettings, *, measures: bool) -> bool:
    """Tell whether all other readings of the line could be misreadings of this one."""
    doubtful = settings.doubtful
    repeated = reading.times >= _REPEATED and reading.confidence >= settings.clear
    if reading.confidence >= settings.certain or repeated:
        doubtful = max(doubtful, min(settings.sure, settings.doubtful_share * reading.confidence))
    clear = measures and reading.confidence >= settings.clear
    measure_from = settings.doubtful_measure * reading.confidence if clear else 0.0
    return all(
        agree(
            reading.text,
            other.text,
            edits=settings.differing,
            doubtful=not other.confidence >= doubtful
            or (measure_from > other.confidence and any(map(str.isdigit, other.text))),
        )
        for other in line.readings
        if not other.outvoted and not _is_nothing(other, reading, settings)
    )


def _is_nothing(other: Reading, reading: Reading, settings: DecisionSettings) -> bool:
    """Tell whether a reading is none beside one that is sure."""
    return other.confidence < settings.min_confidence and reading.confidence >= settings.clear


def is_read(reading: Reading, floor: float) -> bool:
    """Tell whether a reading is text, with this confidence at least."""
    return bool(reading.text.strip()) and reading.confidence >= floor
