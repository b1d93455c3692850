"""Keep or redact: the decision on the lines of one frame, with a reason each. Default: redact.

Fuses what the other modules of the room say of a text with its confidence, its place and its
neighbours. Pure: equal lines give equal decisions, in whatever order they come.

Evidence (identifier of this file, PHI pattern, model, a neighbouring label) is gathered first and
alike for every policy, so that `phi-only` redacts a part of what `default-deny` redacts, and that a
part of what `all-text` redacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from cinescrub.config import Policy
from cinescrub.errors import ConfigError
from cinescrub.policy import grammar, patterns
from cinescrub.policy.grammar import Clinical
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.types import Decisions, Reason

__all__ = ["DecisionSettings", "Line", "Policy", "decide"]

Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of read text."""

    text: str = field(repr=False)
    """As read; empty where nothing could be read. Never shown."""
    confidence: float
    """The recogniser's, 0 to 1."""
    box: Box
    """x0, y0, x1, y1 in pixels of the frame, x1 and y1 exclusive."""
    phi_score: float = 0.0
    """The token classifier's: the maximum over the tokens of 1 - P(not PHI), where labels that
    its contract maps to no PHI kind (a vendor) count as not PHI."""
    counter: bool = False
    """Whether the line was seen to count the cine's frames or its time from zero. Without that,
    00:01:23 is a time of day."""


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """Where the lines are drawn."""

    min_confidence: float = 0.1
    """Below, a reading is no reading. Low on purpose, by argument and not by measurement:
    english_g2 is unsure of small text that it reads right as well, and a wrong reading
    that happens to be clinical to its last glyph is rare whatever the confidence."""
    min_confidence_slight: float = 0.3
    """For lines of at most three letters a word, or bare numbers: there, one misread glyph makes
    a clinical word of initials."""
    phi_threshold: float = 0.5
    """Of `Line.phi_score`."""
    banner_top: float = 0.12
    """Share of the rows where banners live: in eleven real files of five vendors whose lines were
    read by hand, the lowest line of a top banner began at 10 % of the rows."""
    banner_bottom: float = 0.04
    """Share of the rows at the lower edge, where some consoles print the site."""
    label_reach: float = 6.0
    """How far a label speaks to its right, in heights of its line."""
    label_drop: float = 1.0
    """How far a label speaks downwards, in heights of its line."""
    slight_reach: float = 3.0
    """How far evidence speaks for a slight line in its row, in heights."""

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie between 0 and 1")
        for name in _REACHES:
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be a finite number, 0 or greater")


_SHARES: Final = (
    "min_confidence",
    "min_confidence_slight",
    "phi_threshold",
    "banner_top",
    "banner_bottom",
)
_REACHES: Final = ("label_reach", "label_drop", "slight_reach")
_DEFAULTS: Final = DecisionSettings()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A line with what its text says."""

    line: Line
    clinical: Clinical | None
    """None unless all of the text is clinical."""
    label: bool


def decide(
    lines: Sequence[Line],
    *,
    matcher: IdentifierMatcher,
    frame_size: tuple[int, int],
    policy: Policy = Policy.DEFAULT_DENY,
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
    settings : DecisionSettings
        Thresholds and reaches.

    Returns
    -------
    Decisions
        In the order of `lines`.
    """
    if policy is Policy.ALL_TEXT:
        return Decisions(np.ones(len(lines), np.bool_), (Reason.ALL_TEXT,) * len(lines))
    seen = [_look(line) for line in lines]
    evidence = [_evidence(one, matcher, settings) for one in seen]
    _spread(seen, evidence, settings)
    reasons = tuple(
        found or _without_evidence(one, frame_size, policy, settings)
        for one, found in zip(seen, evidence, strict=True)
    )
    redact = np.array([reason not in _KEPT for reason in reasons], np.bool_)
    return Decisions(redact, reasons)


_KEPT: Final = frozenset({Reason.CLINICAL, Reason.NOT_PHI})


def _look(line: Line) -> _Seen:
    if line.counter and patterns.is_counter(line.text):
        clinical: Clinical | None = Clinical(measures=1)
    else:
        clinical = grammar.parse(line.text)
    if clinical is not None and not clinical.sufficient:
        clinical = None
    return _Seen(line, clinical, patterns.is_label(line.text))


def _evidence(seen: _Seen, matcher: IdentifierMatcher, settings: DecisionSettings) -> Reason | None:
    """Return why a line is PHI on its own, or None. Only the model is vetoed by a clinical look."""
    line = seen.line
    if matcher.matches(line.text):
        return Reason.IDENTIFIER
    if seen.label or patterns.find(line.text, counter=line.counter) is not None:
        return Reason.PATTERN
    hit = not line.phi_score < settings.phi_threshold  # NaN is a hit
    return Reason.MODEL if hit and seen.clinical is None else None


def _spread(seen: list[_Seen], evidence: list[Reason | None], settings: DecisionSettings) -> None:
    """Extend evidence in place to the neighbours that it speaks for, until nothing changes.

    A label speaks for what stands right of or below it; a slight line (initials, a bare number)
    goes with evidence in its row. Measurements are no one's name or number.
    """
    sources = [i for i, found in enumerate(evidence) if found is not None]
    while sources:
        reached = [
            i
            for i, one in enumerate(seen)
            if evidence[i] is None and any(_reaches(seen[s], one, settings) for s in sources)
        ]
        for i in reached:
            evidence[i] = Reason.PATTERN
        sources = reached


def _reaches(source: _Seen, other: _Seen, settings: DecisionSettings) -> bool:
    if other.clinical is not None and other.clinical.measures:
        return False
    a, b = source.line.box, other.line.box
    height = max(a[3] - a[1], 1)
    if source.label and _is_right_of(a, b, settings.label_reach * height):
        return True
    if source.label and _is_below(a, b, settings.label_drop * height):
        return True
    if other.clinical is None or not other.clinical.slight:
        return False
    reach = settings.slight_reach * height
    return _is_right_of(a, b, reach) or _is_right_of(b, a, reach)


def _is_right_of(a: Box, b: Box, reach: float) -> bool:
    """Tell whether `b` stands in the row of `a`, right of its left edge, at most `reach` away."""
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    in_row = 2 * overlap >= min(a[3] - a[1], b[3] - b[1])
    return in_row and b[0] >= a[0] and b[0] - a[2] <= reach


def _is_below(a: Box, b: Box, reach: float) -> bool:
    """Tell whether `b` starts in the columns of `a`, under its top edge, at most `reach` away."""
    in_columns = min(a[2], b[2]) > max(a[0], b[0])
    return in_columns and b[1] > a[1] and b[1] - a[3] <= reach


def _without_evidence(
    seen: _Seen, frame_size: tuple[int, int], policy: Policy, settings: DecisionSettings
) -> Reason:
    if not _is_read(seen, settings):
        return Reason.UNREADABLE
    if policy is Policy.PHI_ONLY:
        return Reason.NOT_PHI
    if seen.clinical is None:
        return Reason.UNKNOWN
    if _in_banner(seen.line.box, frame_size[0], settings) and not seen.clinical.emphatic:
        return Reason.BANNER
    return Reason.CLINICAL


def _is_read(seen: _Seen, settings: DecisionSettings) -> bool:
    slight = seen.clinical is not None and seen.clinical.slight
    floor = settings.min_confidence_slight if slight else settings.min_confidence
    return bool(seen.line.text.strip()) and seen.line.confidence >= floor


def _in_banner(box: Box, rows: int, settings: DecisionSettings) -> bool:
    return box[1] < settings.banner_top * rows or box[3] > (1 - settings.banner_bottom) * rows
