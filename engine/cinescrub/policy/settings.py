"""Where the lines of a decision are drawn: confidences, shares, distances, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cinescrub.errors import ConfigError
from cinescrub.policy.readings import DIFFERING

__all__ = ["DecisionSettings"]

_SHARES: Final = (
    "min_confidence",
    "min_confidence_slight",
    "sure",
    "least_glyph",
    "doubtful",
    "doubtful_share",
    "doubtful_measure",
    "certain",
    "clear",
    "differing",
    "phi_threshold",
    "banner_top",
    "banner_bottom",
)
_REACHES: Final = (
    "widest_glyph",
    "label_reach",
    "label_drop",
    "spaced_reach",
    "slight_reach",
    "value_reach",
    "value_drop",
    "list_drop",
    "list_slack",
    "row_reach",
    "table_drop",
    "one_print",
    "scale_slack",
)


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
    sure: float = 0.4
    """From here on a reading is sure: two of them relax the rule for banners."""
    least_glyph: float = 0.8
    """Probability of each glyph, in the reading of one recogniser: of 1,500 drawn clinical lines
    0.3 % have one that is less sure; of 170 lines that were kept with a name in a script that none
    knows, 55 %."""
    doubtful: float = 0.3
    doubtful_share: float = 0.5
    """Below, what another recogniser made of a line need only be about as long; beside a reading
    that is `certain`, or clear and the same in three looks, also below this share of its
    confidence, unless it is `sure` itself."""
    doubtful_measure: float = 0.75
    """Beside a `clear` measurement the share is this, for what has digits too: small units are
    misread often, and a number that identifies is evidence."""
    certain: float = 0.9
    clear: float = 0.6
    """A measurement that is read so surely explains a reading of the same shape that looks like
    PHI: `20669 dB` beside `2D G 69 dB`."""
    differing: float = DIFFERING
    """Share of glyphs that may differ between two readings of one line."""
    widest_glyph: float = 1.2
    """Width of a glyph in heights of its line, at most, blanks counted: of the drawn lines of
    `benchmarks/lines.py` the widest has 1.06, but for single dot-matrix glyphs."""
    phi_threshold: float = 0.5
    """Of `Reading.phi_score`."""
    banner_top: float = 0.12
    """Share of the rows where banners live: in eleven real files of five vendors whose lines were
    read by hand, the lowest line of a top banner began at 10 % of the rows."""
    banner_bottom: float = 0.04
    """Share of the rows at the lower edge, where some consoles print the site."""
    label_reach: float = 6.0
    """How far a label speaks to its right, in heights of its line."""
    label_drop: float = 1.0
    """How far a label speaks downwards, in heights of its line."""
    spaced_reach: float = 1.5
    """How far apart the digits of one number may stand, in heights."""
    slight_reach: float = 3.0
    """How far evidence speaks for a slight line in its row, in heights."""
    value_reach: float = 1.5
    """How far right of its label a measured value stands, in heights: a wide blank."""
    value_drop: float = 0.6
    """How far below."""
    list_drop: float = 1.5
    """How far below the one before a line of a list stands: lists have blank lines."""
    list_slack: float = 0.5
    """How far its left or right edge may lie from that of the one before."""
    row_reach: float = 20.0
    """How far right of its label a value of a table stands."""
    table_drop: float = 4.0
    """How far below the one before a row of a table stands."""
    one_print: float = 1.5
    """Ratio of the heights of a label and its value, at most."""
    scale_slack: float = 0.25
    """How far from its place a number of a scale stands: boxes are roomy."""

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie between 0 and 1")
        for name in _REACHES:
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be a finite number, 0 or greater")
