"""Voting: what the readings of one place say together, in one look and over several frames.

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

from cinescrub.policy import ocr
from cinescrub.policy.readings import DIFFERING, Reading, agree, is_same_print, seen_shape
from cinescrub.policy.settings import DecisionSettings

__all__ = ["compare", "vote"]

_MAJORITY: Final = 3
"""Least number of readings that must agree before they outvote one: two looks at least, since each
has two recognisers."""
_MINORITY: Final = 0.2
"""Share of the majority's confidences that a text may gather and still be outvoted."""
_SURE: Final = 0.3
"""What was read once with this confidence is never outvoted: another text may have stood there in
one frame."""
_BOTH: Final = 2
_MORE: Final = 2
"""So many glyphs more are text that the other recogniser left out; one may be dust. PP-OCR leaves
out Hangul, which english_g2 reads as digits."""
_PLENTY: Final = 8
"""Four looks: so many say what an average of them can only blend."""


def compare(look: Sequence[Reading], settings: DecisionSettings) -> tuple[Reading, ...]:
    """Mark the readings of one look by what they say of each other.

    Parameters
    ----------
    look : sequence of Reading
        One of each recogniser, of the same pixels.
    settings : DecisionSettings
        Confidences.

    Returns
    -------
    tuple of Reading
        In the order of `look`, with `agreed`, `cut` and `alone`. What one of them read all of has
        no unread letters for those that read it alike.
    """
    if len(look) < _BOTH:
        return tuple(look)
    confidences = [reading.confidence for reading in look]
    sure = max(confidences) >= settings.certain and min(confidences) >= settings.doubtful
    agreed = sure and len({ocr.glyphs(reading.text) for reading in look}) == 1
    read = [len(seen_shape(r.text)) for r in look if not r.confidence < settings.min_confidence]
    most, least = max(read, default=0), min((count for count in read if count), default=0)
    return tuple(
        replace(
            reading,
            agreed=agreed,
            cut=most - len(seen_shape(reading.text)) >= _MORE,
            alone=bool(least) and len(seen_shape(reading.text)) - least >= _MORE,
            unread=all(one.unread for one in look if is_same_print(one.text, reading.text)),
        )
        for reading in look
    )


def vote(readings: Sequence[Reading], averaged: Sequence[Reading] = ()) -> tuple[Reading, ...]:
    """Fuse the readings of one place.

    Parameters
    ----------
    readings : sequence of Reading
        Of all recognisers in all frames that were read, in any order.
    averaged : sequence of Reading
        Of averages of frames: what was read there alone, and has no more glyphs than what a
        majority of the frames says, is outvoted however sure, as no text stands in an average only.

    Returns
    -------
    tuple of Reading
        One for each text, ordered by text, with the greatest confidence and PHI score it had, and
        how often it was read; outvoted ones are marked so.
    """
    heard: dict[str, Reading] = {}
    sure: dict[str, list[float]] = defaultdict(list)
    for reading in (*readings, *averaged):
        known = heard.get(reading.text, reading)
        heard[reading.text] = replace(
            reading,
            times=len(sure[reading.text]) + 1,
            confidence=_greater(known.confidence, reading.confidence),
            phi_score=_greater(known.phi_score, reading.phi_score, broken=1.0),
            agreed=known.agreed or reading.agreed,
            cut=known.cut and reading.cut,
            alone=known.alone and reading.alone,
            weakest=_greater(known.weakest, reading.weakest),
            unread=known.unread or reading.unread,
        )
        sure[reading.text].append(_greater(reading.confidence, 0.0))
    texts = sorted(heard)
    gathered = dict.fromkeys(texts, (0, 0.0))
    for text in texts:
        alike = (sure[other] for other in texts if agree(text, other, edits=DIFFERING))
        votes = [*chain.from_iterable(alike)]
        gathered[text] = (len(votes), fsum(votes))  # exact, so that no order of frames matters
    most, many, said = max(((*gathered[text][::-1], text) for text in texts), default=(0.0, 0, ""))
    blends = {reading.text for reading in averaged} - {reading.text for reading in readings}
    return tuple(
        replace(
            heard[text],
            outvoted=many >= _MAJORITY
            and gathered[text][1] <= _MINORITY * most
            and (
                heard[text].confidence < _SURE
                or (many >= _PLENTY and text in blends and _is_no_longer(text, said))
            ),
        )
        for text in texts
    )


def _is_no_longer(text: str, than: str) -> bool:
    return len(ocr.glyphs(text)) <= len(ocr.glyphs(than))


def _greater(a: float, b: float, *, broken: float = 0.0) -> float:
    """Return the greater of two shares, either of which may be NaN."""
    return max(broken if isnan(x) else x for x in (a, b))
