"""Keep or redact: the decision on the lines of one frame, with a reason each. Default: redact.

Fuses what the other modules of the room say of the readings of a line with their confidence, its
place and its neighbours. Pure: equal lines give equal decisions, in whatever order they and their
readings come.

No recogniser is trusted alone: evidence in any reading redacts; a line is kept when one reading is
clinical from end to end, confident, and could be what all the others are misreadings of.

Evidence (identifier of this file, PHI pattern, model, a neighbouring label) is gathered first and
alike for every policy, so that `phi-only` redacts a part of what `default-deny` redacts, and that a
part of what `all-text` redacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cinescrub.config import Policy
from cinescrub.policy import counters, grammar, layout, ocr, patterns
from cinescrub.policy.grammar import Clinical
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.layout import Box
from cinescrub.policy.readings import Reading, agree, seen_shape
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.types import Decisions, Reason

__all__ = ["Line", "Policy", "Reading", "decide", "is_measurement"]


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


_GLYPHS: Final = 5
_DEFAULTS: Final = DecisionSettings()


@dataclass(frozen=True, slots=True)
class _Seen:
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
        return bool(self.vouching) and all(one.measures for one in self.vouching)

    @property
    def slight(self) -> bool:
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


def decide(
    lines: Sequence[Line],
    *,
    matcher: IdentifierMatcher,
    frame_size: tuple[int, int],
    policy: Policy = Policy.DEFAULT_DENY,
    vocabulary: Vocabulary | None = None,
    settings: DecisionSettings = _DEFAULTS,
) -> Decisions:
    """Decide which lines of a frame are redacted.

    Parameters
    ----------
    lines : sequence of Line
        All lines that are known of the frame: neighbours count.
    matcher : IdentifierMatcher
        The identifiers of this file's header.
    frame_size : (rows, columns)
        In pixels.
    policy : Policy
        `default-deny` keeps a line only if all of it is clinical and nothing speaks against it;
        `phi-only` redacts on evidence, and what can't be read; `all-text` redacts every line.
    vocabulary : Vocabulary, optional
        Clinical terms; default: the package's own. It vouches for lines and never weighs against
        evidence.
    settings : DecisionSettings
        Thresholds and reaches.

    Returns
    -------
    Decisions
        In the order of `lines`.
    """
    if policy is Policy.ALL_TEXT:
        return Decisions(np.ones(len(lines), np.bool_), (Reason.ALL_TEXT,) * len(lines))
    seen = [_look(line, vocabulary, settings) for line in lines]
    evidence = [_evidence(one, matcher, settings) for one in seen]
    _spell(seen, evidence, settings)
    _spread(seen, evidence, settings)
    measured = _labelled(seen, evidence, settings)
    listed = _listed(seen, evidence, settings)
    reasons = tuple(
        found
        or _without_evidence(
            one, frame_size, policy, settings, measured=i in measured, listed=i in listed
        )
        for i, (one, found) in enumerate(zip(seen, evidence, strict=True))
    )
    redact = np.array([reason.redacts for reason in reasons], np.bool_)
    return Decisions(redact, reasons)


def is_measurement(
    line: Line,
    *,
    matcher: IdentifierMatcher,
    vocabulary: Vocabulary | None = None,
    settings: DecisionSettings = _DEFAULTS,
) -> bool:
    """Tell whether a line is measurements, read surely twice, whatever stands beside it.

    Such a line is no one's name or number, and no label's value.

    Parameters
    ----------
    line : Line
        As for `decide`, like the rest.
    """
    seen = _look(line, vocabulary, settings)
    return seen.measures and seen.sure > 1 and _evidence(seen, matcher, settings) is None


def _look(line: Line, vocabulary: Vocabulary | None, settings: DecisionSettings) -> _Seen:
    found = [_clinical(reading, line.counter, vocabulary, settings) for reading in line.readings]
    vouching = [
        (clinical, reading)
        for clinical, reading in zip(found, line.readings, strict=True)
        if clinical is not None
        and _fills(reading, line.box, settings)
        and _is_shared(reading, line, settings, measures=bool(clinical.measures))
    ]
    if any(clinical.slight for clinical, _ in vouching):
        # Of a few glyphs each is worth a name: MIN LI may be read as MIN II, less surely. Blanks
        # are no glyphs.
        glyphs = {ocr.glyphs(reading.text) for _, reading in vouching}
        doubts = [
            reading.confidence
            for reading, clinical in zip(line.readings, found, strict=True)
            if clinical is None and not reading.outvoted and ocr.glyphs(reading.text) not in glyphs
        ]
        if max(doubts, default=0.0) > max(reading.confidence for _, reading in vouching):
            vouching = []
    return _Seen(
        line,
        tuple(clinical for clinical, _ in vouching),
        tuple(reading for _, reading in vouching),
        any(patterns.is_label(reading.text) for reading in line.readings),
        any(_is_read(reading, settings.min_confidence) for reading in line.readings),
        bool(vouching)
        and (
            all(clinical.emphatic for clinical, _ in vouching)
            or any(c.emphatic and r.confidence >= settings.sure for c, r in vouching)
        ),
        _sure_of([reading for _, reading in vouching], line, settings),
        any(reading.confidence >= settings.certain for _, reading in vouching),
    )


def _sure_of(vouchers: Sequence[Reading], line: Line, settings: DecisionSettings) -> int:
    """Count how often a line was read so that it vouches, and surely.

    Beside a certain reading others count that are less sure of the same glyphs, or of five and more
    of which one is another.
    """
    best = max(vouchers, key=lambda one: one.confidence, default=None)
    if best is None or best.confidence < settings.certain:
        return sum(one.times for one in vouchers if one.confidence >= settings.sure)
    glyphs, meant = ocr.glyphs(best.text), seen_shape(best.text)
    return sum(
        one.times
        for one in line.readings
        if one.confidence >= settings.min_confidence
        and (
            ocr.glyphs(one.text) == glyphs
            or (len(meant) >= _GLYPHS and ocr.edits(meant, seen_shape(one.text), 1))
        )
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
    return clinical if _is_read(reading, floor) else None


def _fills(reading: Reading, box: Box, settings: DecisionSettings) -> bool:
    """Tell whether a reading has glyphs enough for its box: else part of the line was lost."""
    x0, y0, x1, y1 = box
    short, long = sorted((x1 - x0, y1 - y0))  # a turned line is high
    glyphs = len(reading.text.strip()) + 1
    return long <= glyphs * settings.widest_glyph * short


def _is_shared(reading: Reading, line: Line, settings: DecisionSettings, *, measures: bool) -> bool:
    """Tell whether all other readings of the line could be misreadings of this one."""
    doubtful = settings.doubtful
    if reading.confidence >= settings.certain:
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


def _is_read(reading: Reading, floor: float) -> bool:
    return bool(reading.text.strip()) and reading.confidence >= floor


def _evidence(seen: _Seen, matcher: IdentifierMatcher, settings: DecisionSettings) -> Reason | None:
    """Return why a line is PHI on its own, or None. Only the model is vetoed by a clinical look."""
    line = seen.line
    if any(matcher.matches(reading.text) for reading in line.readings):
        return Reason.IDENTIFIER
    clear = _clear(seen, settings)
    told = [one for one in line.readings if not _is_explained(one, clear, settings)]
    found = (patterns.find(one.text, counter=line.counter) for one in told)
    if seen.label or any(kind is not None for kind in found):
        return Reason.PATTERN
    hit = any(not one.phi_score < settings.phi_threshold for one in line.readings)  # NaN hits
    return Reason.MODEL if hit and not seen.vouching else None


def _clear(seen: _Seen, settings: DecisionSettings) -> list[Reading]:
    """Return the readings that are measurements, surely, and hold no pattern."""
    return [
        reading
        for clinical, reading in zip(seen.vouching, seen.vouchers, strict=True)
        if clinical.measures
        and reading.confidence >= settings.clear
        and patterns.find(reading.text, counter=seen.line.counter) is None
    ]


def _is_explained(reading: Reading, clear: Sequence[Reading], settings: DecisionSettings) -> bool:
    """Tell whether a reading has the shape of a clear one.

    One that is doubtful may be a glyph off, and one that is less sure than a certain one may lack
    one: `44m` beside `4.4cm`. No recogniser is certain of glyphs that are not there.
    """
    edits = int(reading.confidence < settings.sure)
    shape = seen_shape(reading.text)
    return any(
        ocr.edits(shape, seen_shape(one.text), edits)
        or (
            one.confidence >= settings.certain > reading.confidence
            and ocr.lacks_one(shape, seen_shape(one.text))
        )
        for one in clear
    )


def _spell(seen: list[_Seen], evidence: list[Reason | None], settings: DecisionSettings) -> None:
    """Mark bare numbers in place that stand close together in a row: a number spaced out.

    A scale's stand far apart, or one below the other.
    """
    numbers = [i for i, one in enumerate(seen) if one.bare and evidence[i] is None]
    while numbers:
        row, members = [numbers.pop()], set[int]()
        while row:
            here = row.pop()
            members.add(here)
            box, reach = seen[here].line.box, settings.spaced_reach
            near = {i for i in numbers if layout.is_beside(box, seen[i].line.box, reach)}
            numbers = [i for i in numbers if i not in near]
            row += near
        if len(members) >= _SPELLED:
            for i in members:
                evidence[i] = Reason.PATTERN


_SPELLED: Final = 3


def _spread(seen: list[_Seen], evidence: list[Reason | None], settings: DecisionSettings) -> None:
    """Extend evidence in place to the neighbours that it speaks for, until nothing changes.

    A label speaks for what stands right of or below it; a slight line (initials, a bare number)
    goes with evidence in its row. Measurements are no one's name or number. What a model makes of
    a glyph that is hardly read, an echo as a rule, speaks for no neighbour.
    """
    sources = [
        i
        for i, found in enumerate(evidence)
        if found is not None and (found is not Reason.MODEL or _is_legible(seen[i], settings))
    ]
    while sources:
        reached = [
            i
            for i, one in enumerate(seen)
            if evidence[i] is None and any(_reaches(seen[s], one, settings) for s in sources)
        ]
        for i in reached:
            evidence[i] = Reason.PATTERN
        sources = reached


def _is_legible(seen: _Seen, settings: DecisionSettings) -> bool:
    """Tell whether two glyphs of a line are read with some confidence."""
    return any(
        _is_read(reading, settings.min_confidence_slight) and len(ocr.glyphs(reading.text)) > 1
        for reading in seen.line.readings
    )


def _reaches(source: _Seen, other: _Seen, settings: DecisionSettings) -> bool:
    if other.measures:
        return False
    a, b = source.line.box, other.line.box
    height = max(a[3] - a[1], 1)
    if source.label and layout.is_right_of(a, b, settings.label_reach * height):
        return True
    if source.label and layout.is_below(a, b, settings.label_drop * height):
        return True
    if not other.slight or other.coded:
        return False
    # Of the lower line: what a detector takes for one high line is hardly text.
    reach = settings.slight_reach * max(1, min(height, b[3] - b[1]))
    return layout.is_right_of(a, b, reach) or layout.is_right_of(b, a, reach)


def _labelled(
    seen: Sequence[_Seen], evidence: Sequence[Reason | None], settings: DecisionSettings
) -> frozenset[int]:
    """Return which lines are labels of measured values and these values, printed apart.

    `MI` is as short as initials; beside or over `0.9` it is a label, and both are a measurement.
    Both have to be read surely twice, and nothing may speak against either.
    """
    sure = [i for i, one in enumerate(seen) if evidence[i] is None and one.sure > 1]
    return frozenset(
        k
        for i in sure
        for j in sure
        if i != j and layout.is_value_of(seen[i].line.box, seen[j].line.box, settings)
        if any(
            grammar.labels(label.text, value.text)
            for label in seen[i].vouchers
            for value in seen[j].vouchers
        )
        for k in (i, j)
    )


def _listed(
    seen: Sequence[_Seen], evidence: Sequence[Reason | None], settings: DecisionSettings
) -> frozenset[int]:
    """Return which lines as short as initials stand between two of a list of settings.

    `CW` between a gain and a frame rate is a mode. What stands above and below are measurements
    or settings that were read surely twice, in the same print and aligned.
    """
    sure = [i for i, one in enumerate(seen) if evidence[i] is None and one.sure > 1]
    known = [seen[i].line.box for i in sure if seen[i].measures or seen[i].confirmed]
    return frozenset(
        i
        for i in sure
        if seen[i].initials
        if any(layout.follows(above, seen[i].line.box, settings) for above in known)
        if any(layout.follows(seen[i].line.box, below, settings) for below in known)
    )


def _without_evidence(
    seen: _Seen,
    frame_size: tuple[int, int],
    policy: Policy,
    settings: DecisionSettings,
    *,
    measured: bool,
    listed: bool,
) -> Reason:
    if not seen.read:
        return Reason.UNREADABLE
    if policy is Policy.PHI_ONLY:
        return Reason.NOT_PHI
    if not seen.vouching:
        return Reason.UNKNOWN
    if measured:
        return Reason.CLINICAL
    weighty = seen.emphatic or seen.confirmed
    if _in_banner(seen.line.box, frame_size[0], settings) and not weighty:
        return Reason.BANNER
    if seen.initials and seen.line.beside and not listed:
        return Reason.BANNER
    return Reason.CLINICAL


def _in_banner(box: Box, rows: int, settings: DecisionSettings) -> bool:
    return box[1] < settings.banner_top * rows or box[3] > (1 - settings.banner_bottom) * rows
