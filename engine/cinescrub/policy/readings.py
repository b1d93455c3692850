"""What recognisers read at one place, and whether two readings may be of one text.

Owns `Reading` and the comparison. It knows no vocabulary and no pattern: `decide` says what a
reading means.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Final

from cinescrub.policy import ocr

__all__ = [
    "DIFFERING",
    "Reading",
    "agree",
    "has_foreign_letters",
    "has_other_signs",
    "is_reread",
    "is_same_print",
    "seen_shape",
]

DIFFERING: Final = 0.34
"""Share of glyphs in which readings of one text differ, at most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a line, by one recogniser in one frame."""

    text: str = field(repr=False)
    """As read; empty where nothing could be read. Never shown."""
    confidence: float
    """The recogniser's, 0 to 1."""
    phi_score: float = 0.0
    """The token classifier's: the maximum over the tokens of 1 - P(not PHI), where labels that
    its contract maps to no PHI kind (a vendor) count as not PHI."""
    times: int = 1
    """How many recognisers and frames gave this text."""
    outvoted: bool = False
    """Whether the place was read otherwise in most frames (`voting`): then it is evidence, if it
    holds any, and no reason to doubt the others."""
    agreed: bool = False
    """Whether all recognisers read it alike in one look, and one of them certainly: then it is no
    misreading of what other looks show."""
    cut: bool = False
    """Whether in each look that gave it another recogniser read two glyphs more."""
    alone: bool = False
    """Whether in each look that gave it another recogniser read two glyphs less."""
    weakest: float = 1.0
    """Probability of the glyph that the recogniser is least sure of: of scripts that it does not
    know it reads something."""
    unread: bool = False
    """Whether in a look that gave it letters stand where the recogniser read nothing."""


def has_foreign_letters(text: str) -> bool:
    """Tell whether a text has letters that english_g2 does not know: neither Latin nor Greek."""
    return any(
        one.isalpha() and not unicodedata.name(one, "").startswith(("LATIN", "GREEK", "MICRO"))
        for one in text
    )


_SIGNS: Final = frozenset(".:;^/'’()")
"""What makes times, dates, ages and components of names of glyphs that say nothing else."""


def has_other_signs(text: str, than: str) -> bool:
    """Tell whether a text has signs that another lacks, and that shapes and scores leave out."""
    return not _SIGNS & {*text} <= {*than}


def seen_shape(text: str) -> str:
    """Return what texts share that recognisers may make of one another, blanks and case aside."""
    return ocr.shape(ocr.glyphs(text))


def is_same_print(one: str, other: str) -> bool:
    """Tell whether texts are the same but for blanks and case: `@` may be another's letter."""
    a, b = ("".join(text.casefold().split()) for text in (one, other))
    return a == b


_GLYPHS: Final = 5
"""So many make a word that one misread glyph leaves what it is."""


def is_reread(meant: str, read: str) -> bool:
    """Tell whether `read` has the glyphs of `meant`, or of five and more all but one."""
    glyphs, shape = ocr.glyphs(meant), seen_shape(meant)
    if ocr.glyphs(read) == glyphs:
        return True
    return len(shape) >= _GLYPHS and ocr.edits(shape, seen_shape(read), 1)


def agree(meant: str, read: str, *, edits: float, doubtful: bool = False) -> bool:
    """Tell whether `read` may be a misreading of `meant`, or of the most of it.

    Parameters
    ----------
    meant, read : str
        Two readings of one place.
    edits : float
        Share of the longer one's glyphs that may differ, confusions of `ocr.shape` apart; of two
        glyphs and more one always may.
    doubtful : bool
        The recogniser hardly believes `read`: then only its length counts, but of single glyphs.
        Half of the glyphs are enough, as it is more glyphs that would speak of more text.
    """
    whole, part = ocr.glyphs(meant), ocr.glyphs(read)
    if 1 < len(part) <= len(whole) <= 2 * len(part) and part in whole:
        return True  # a box that cut the ends of the line off
    a, b = seen_shape(meant), seen_shape(read)
    longest = max(len(a), len(b))
    limit = max(int(longest > 1), int(edits * longest))
    if doubtful and longest > 1 and len(a) <= 2 * len(b) and len(b) - len(a) <= limit:
        return True
    return ocr.edits(a, b, limit)
