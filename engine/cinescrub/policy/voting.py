"""Voting: what the readings of one place over several frames say together.

The same line is drawn over other speckle in other frames and read a little differently each time.
Evidence in any frame still counts, so no text is dropped; what a clear majority contradicts, and no
recogniser was sure of, no longer speaks against keeping the line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from math import fsum, isnan
from typing import Final

from cinescrub.policy.readings import DIFFERING, Reading, agree

__all__ = ["vote"]

_MAJORITY: Final = 3
"""Least number of readings that must agree before they outvote one: two looks at least, since each
has two recognisers."""
_MINORITY: Final = 0.2
"""Share of the majority's confidences that a text may gather and still be outvoted."""
_SURE: Final = 0.3
"""What was read once with this confidence is never outvoted: another text may have stood there in
one frame."""


def vote(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """Fuse the readings of one place.

    Parameters
    ----------
    readings : sequence of Reading
        Of all recognisers in all frames that were read, in any order.

    Returns
    -------
    tuple of Reading
        One for each text, ordered by text, with the greatest confidence and PHI score it had, and
        how often it was read; outvoted ones are marked so.
    """
    heard: dict[str, Reading] = {}
    sure: dict[str, list[float]] = defaultdict(list)
    for reading in readings:
        known = heard.get(reading.text, reading)
        heard[reading.text] = replace(
            reading,
            times=len(sure[reading.text]) + 1,
            confidence=_greater(known.confidence, reading.confidence),
            phi_score=_greater(known.phi_score, reading.phi_score, broken=1.0),
        )
        sure[reading.text].append(_greater(reading.confidence, 0.0))
    texts = sorted(heard)
    gathered = dict.fromkeys(texts, (0, 0.0))
    for text in texts:
        alike = (sure[other] for other in texts if agree(text, other, edits=DIFFERING))
        votes = [*chain.from_iterable(alike)]
        gathered[text] = (len(votes), fsum(votes))  # exact, so that no order of frames matters
    most, many = max(((total, count) for count, total in gathered.values()), default=(0.0, 0))
    return tuple(
        replace(
            heard[text],
            outvoted=many >= _MAJORITY
            and heard[text].confidence < _SURE
            and gathered[text][1] <= _MINORITY * most,
        )
        for text in texts
    )


def _greater(a: float, b: float, *, broken: float = 0.0) -> float:
    """Return the greater of two shares, either of which may be NaN."""
    return max(broken if isnan(x) else x for x in (a, b))
