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

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from cinescrub.config import Policy
from cinescrub.policy import grammar, layout, ocr, patterns
from cinescrub.policy.companions import in_company
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.layout import Box
from cinescrub.policy.readings import Reading, has_other_signs, seen_shape
from cinescrub.policy.scales import on_scale
from cinescrub.policy.seen import Line, Seen, is_read, look
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.tables import in_tables
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.types import Decisions, Reason

__all__ = ["Line", "Policy", "Reading", "decide", "is_field", "is_plainly_clinical"]


_DEFAULTS: Final = DecisionSettings()


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
    seen = [look(line, vocabulary, settings) for line in lines]
    evidence = [_evidence(one, matcher, settings) for one in seen]
    placed = on_scale(lines, settings) | in_company(seen, settings)
    placed |= in_tables(seen, evidence, vocabulary, settings)
    for i in placed:  # where it stands says more than what else was read
        evidence[i] = evidence[i] if evidence[i] is Reason.IDENTIFIER else None
    _spell(seen, evidence, settings)
    _answer(seen, evidence, settings, but=placed)
    _spread(seen, evidence, settings)
    measured = _labelled(seen, evidence, settings) | _tabled(seen, evidence, settings)
    listed = _listed(seen, evidence, settings)
    reasons = tuple(
        found
        or _without_evidence(
            one,
            frame_size,
            policy,
            settings,
            placed=i in placed,
            measured=i in measured,
            listed=i in listed,
        )
        for i, (one, found) in enumerate(zip(seen, evidence, strict=True))
    )
    redact = np.array([reason.redacts for reason in reasons], np.bool_)
    return Decisions(redact, reasons)


def is_field(
    line: Line,
    *,
    matcher: IdentifierMatcher,
    vocabulary: Vocabulary | None = None,
    settings: DecisionSettings = _DEFAULTS,
) -> bool:
    """Tell whether a line is measurements or names of machines, read surely twice.

    Such a line is no one's name or number, and no label's value, whatever stands beside it.

    Parameters
    ----------
    line : Line
        As for `decide`, like the rest.
    """
    seen = look(line, vocabulary, settings)
    return seen.technical and seen.sure > 1 and _evidence(seen, matcher, settings) is None


def is_plainly_clinical(
    line: Line,
    *,
    matcher: IdentifierMatcher,
    vocabulary: Vocabulary | None = None,
    slight: bool = False,
    settings: DecisionSettings = _DEFAULTS,
) -> bool:
    """Tell whether what one recogniser read is clinical, and longer than initials are.

    Parameters
    ----------
    line : Line
        Of that one reading; the rest as for `decide`.
    slight : bool
        Whether it may be as short as they.
    """
    seen = look(line, vocabulary, settings)
    legible = any(reading.confidence >= settings.doubtful for reading in seen.vouchers)
    long = slight or not seen.slight
    return legible and long and _evidence(seen, matcher, settings) is None


def _evidence(seen: Seen, matcher: IdentifierMatcher, settings: DecisionSettings) -> Reason | None:
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


def _clear(seen: Seen, settings: DecisionSettings) -> list[Reading]:
    """Return the readings that are measurements, surely, and hold no pattern."""
    return [
        reading
        for clinical, reading in zip(seen.vouching, seen.vouchers, strict=True)
        if clinical.measures
        and reading.confidence >= settings.clear
        and patterns.find(reading.text, counter=seen.line.counter) is None
    ]


def _is_explained(reading: Reading, clear: Sequence[Reading], settings: DecisionSettings) -> bool:
    """Tell whether a reading has the shape of a clear one, and no sign that makes a date or name.

    Shapes leave signs out, and 18:34 is no 18.34. A reading that is doubtful may be a glyph off,
    and one that is less sure than a certain one may lack one: `44m` beside `4.4cm`. No recogniser
    is certain of glyphs that are not there.
    """
    edits = int(reading.confidence < settings.sure)
    shape = seen_shape(reading.text)
    return any(
        not has_other_signs(reading.text, one.text)
        and (
            ocr.edits(shape, seen_shape(one.text), edits)
            or (
                one.confidence >= settings.certain > reading.confidence
                and ocr.lacks_one(shape, seen_shape(one.text))
            )
        )
        for one in clear
    )


def _spell(seen: list[Seen], evidence: list[Reason | None], settings: DecisionSettings) -> None:
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


def _answer(
    seen: list[Seen],
    evidence: list[Reason | None],
    settings: DecisionSettings,
    *,
    but: frozenset[int],
) -> None:
    """Mark the next slight line in the row of a label in place, as far off as tables have it.

    `Age` at the left and `63` at a tab are one field; a measurement is no answer. `but`: what is no
    label where it stands.
    """
    for k, label in enumerate(seen):
        if not label.label or k in but:
            continue
        box = label.line.box
        reach = settings.row_reach * max(box[3] - box[1], 1)
        row = [
            i
            for i, one in enumerate(seen)
            if one is not label and layout.is_right_of(box, one.line.box, reach)
        ]
        if row:
            i = min(row, key=lambda i: seen[i].line.box[0])
            if seen[i].slight and not seen[i].coded and evidence[i] is None:
                evidence[i] = Reason.PATTERN


def _spread(seen: list[Seen], evidence: list[Reason | None], settings: DecisionSettings) -> None:
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


def _is_legible(seen: Seen, settings: DecisionSettings) -> bool:
    """Tell whether two glyphs of a line are read with some confidence."""
    return any(
        is_read(reading, settings.min_confidence_slight) and len(ocr.glyphs(reading.text)) > 1
        for reading in seen.line.readings
    )


def _reaches(source: Seen, other: Seen, settings: DecisionSettings) -> bool:
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
    seen: Sequence[Seen], evidence: Sequence[Reason | None], settings: DecisionSettings
) -> frozenset[int]:
    """Return which lines are labels of measured values and these values, printed apart.

    `MI` is as short as initials; beside or over `0.9` it is a label, and both are a measurement.
    Both have to be read surely twice, and nothing may speak against either.
    """
    pairs = _label_pairs(seen, evidence, settings, layout.is_value_of)
    return frozenset(i for pair in pairs for i in pair)


def _tabled(
    seen: Sequence[Seen], evidence: Sequence[Reason | None], settings: DecisionSettings
) -> frozenset[int]:
    """Return which lines are labels and values in a table: two rows at least, aligned.

    In one row `HC` far left of `31.2 cm` may be who signed; with `AC` below it and `29.8 cm` below
    that, they are rows of measurements.
    """
    pairs = _label_pairs(seen, evidence, settings, layout.is_row_of)
    rows = [(one, other) for one in pairs for other in pairs if one != other]
    return frozenset(
        i
        for one, other in rows
        if all(
            layout.is_below_in_column(seen[a].line.box, seen[b].line.box, settings)
            for a, b in zip(one, other, strict=True)
        )
        for i in (*one, *other)
    )


def _label_pairs(
    seen: Sequence[Seen],
    evidence: Sequence[Reason | None],
    settings: DecisionSettings,
    stand_together: Callable[[Box, Box, DecisionSettings], bool],
) -> list[tuple[int, int]]:
    """Return labels and their measured values, both read surely twice and without evidence."""
    sure = [i for i, one in enumerate(seen) if evidence[i] is None and one.sure > 1]
    return [
        (i, j)
        for i in sure
        for j in sure
        if i != j and stand_together(seen[i].line.box, seen[j].line.box, settings)
        if any(
            grammar.labels(label.text, value.text)
            for label in seen[i].vouchers
            for value in seen[j].vouchers
        )
    ]


def _listed(
    seen: Sequence[Seen], evidence: Sequence[Reason | None], settings: DecisionSettings
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
    seen: Seen,
    frame_size: tuple[int, int],
    policy: Policy,
    settings: DecisionSettings,
    *,
    placed: bool,
    measured: bool,
    listed: bool,
) -> Reason:
    if not seen.read:
        return Reason.UNREADABLE
    if policy is Policy.PHI_ONLY:
        return Reason.NOT_PHI
    if placed:
        return Reason.CLINICAL
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
