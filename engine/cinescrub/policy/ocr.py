"""How text looks after a recogniser had it: folding, and the skeleton that confusions leave alone.

Owns the table of glyphs that recognisers mistake for each other, and bounded edit distance. It
decides nothing: `identifiers` and `vocabulary` say what a resemblance means.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

__all__ = [
    "alike",
    "as_digits",
    "compact",
    "edits",
    "fold",
    "glyphs",
    "lacks_one",
    "pieces",
    "restore_digits",
    "shape",
    "skeleton",
    "substring_edits",
    "words",
]

# Letters that have no decomposition in Unicode but are printed and read as a base letter.
_UNDECOMPOSED: Final = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
        "×": "x", "\N{GREEK SMALL LETTER MU}": "u",
    }
)  # fmt: skip

# Each glyph maps to what it shares with those it is mistaken for. Two glyphs for one (rn/m, cl/d,
# vv/w) map by expansion of the single one: a plain homomorphism, so that the skeleton of a text
# with a confusion is the skeleton of the text, wherever the confusion stands.
_SKELETON: Final = str.maketrans(
    {
        "0": "o",
        "1": "l",
        "i": "l",
        "|": "l",
        "!": "l",
        "5": "s",
        "$": "s",
        "8": "b",
        "2": "z",
        "6": "g",
        "9": "g",
        "m": "rn",
        "d": "cl",
        "w": "vv",
    }
)

_ALIKE: Final = {glyph: one for glyph, one in _SKELETON.items() if len(one) == 1}

# Coarser, for telling whether two recognisers read one line: what either of them may make of it.
_SHAPES: Final = str.maketrans(
    {
        **dict.fromkeys("0odq", "o"),
        **dict.fromkeys("1iljt|!", "l"),
        **dict.fromkeys("5s$", "s"),
        **dict.fromkeys("8b3", "b"),
        **dict.fromkeys("2z7", "z"),
        **dict.fromkeys("6g9", "g"),
        **dict.fromkeys("uvy", "v"),
    }
)
_PAIRS: Final = (("rn", "m"), ("cl", "d"), ("vv", "w"), ("iv", "n"), ("lv", "n"))

_WORD: Final = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return `text` in lower case without accents or compatibility forms (NFKD, case folded)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.casefold().translate(_UNDECOMPOSED)


def skeleton(folded: str) -> str:
    """Return what is left of folded text when glyphs that are mistaken for each other are one.

    Covers 0/O, 1/I/l/|/!, 5/S/$, 8/B, 2/Z, 6/G, 9/g, rn/m, cl/d and vv/w.
    """
    return folded.translate(_SKELETON)


def alike(folded: str) -> str:
    """Return folded text, as long, in which 0/O, 1/I/l/|/!, 5/S/$, 8/B, 2/Z and 6/G/9 are one."""
    return folded.translate(_ALIKE)


def shape(folded: str) -> str:
    """Return folded text with glyphs that look alike made one, a glyph for each that was read.

    Coarser than `skeleton`, and pairs contract (rn is m), so that lengths compare.
    """
    for pair, one in _PAIRS:
        folded = folded.replace(pair, one)
    return folded.translate(_SHAPES)


def compact(folded: str) -> str:
    """Return folded text without anything but letters and digits."""
    return "".join(_WORD.findall(folded))


def glyphs(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return compact(fold(text))


def words(folded: str) -> list[str]:
    """Return the runs of letters and digits in folded text."""
    return _WORD.findall(folded)


def edits(a: str, b: str, limit: int) -> bool:
    """Tell whether `a` becomes `b` by at most `limit` insertions, deletions, substitutions."""
    if a == b:
        return True
    if limit <= 0 or abs(len(a) - len(b)) > limit:
        return False
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            cost = diagonal + (left != right)
            diagonal = row[j]
            row[j] = min(cost, row[j] + 1, row[j - 1] + 1)
        if min(row) > limit:
            return False
    return row[-1] <= limit


def lacks_one(part: str, whole: str) -> bool:
    """Tell whether `part` is `whole` without one of its glyphs."""
    return len(part) + 1 == len(whole) and edits(part, whole, 1)


def substring_edits(pattern: str, text: str, limit: int) -> bool:
    """Tell whether some part of `text` is within `limit` edits of `pattern` (Sellers 1980)."""
    row = list(range(len(pattern) + 1))
    for read in text:
        diagonal = row[0]
        for j, wanted in enumerate(pattern, 1):
            cost = diagonal + (read != wanted)
            diagonal = row[j]
            row[j] = min(cost, row[j] + 1, row[j - 1] + 1)
        if row[-1] <= limit:
            return True
    return pattern in text


def pieces(pattern: str, limit: int) -> tuple[str, ...]:
    """Cut a pattern so that a text within `limit` edits of it holds one piece unchanged."""
    cuts = [len(pattern) * i // (limit + 1) for i in range(limit + 2)]
    return tuple(pattern[a:b] for a, b in pairwise(cuts))


# A run of digits, points between them, and letters that are read for digits; not the s2 of m/s2.
_DIGIT_RUN: Final = re.compile(r"(?<![^\W\d_])(?!s2\b)[\doil|sbz]+(?:[.,][\doil|sbz]+)*")
_DIGITS: Final = str.maketrans("oil|sbz", "0111582")
# Letters beside a point that a digit is at the other side of: the o of tiso.4 and of 2.omhz, or one
# more such letter, if they end a word or an index is what they are: tiso.o, mi o.o. Else b.o. are
# initials.
_BY_POINT: Final = re.compile(
    r"[oil|sbz](?=[.,]\d)|(?:(?<=\w)|(?<=mi )|(?<=ti[sbc] ))[oil|sbz](?=[.,][oil|sbz](?![a-z]))"
    r"|(?<=(?:mi|i[sbc]) [oil|sbz][.,])[oil|sbz](?![a-z])"
    r"|(?<=\d[.,])[oil|sbz](?=m?hz|[ck]?m|\W|\d|$)"
)


def restore_digits(folded: str) -> str:
    """Return folded text with letters read for digits turned back, in runs that are half digits.

    `l7.o1.2o26` becomes `17.01.2026`, `tiso.4` becomes `tis0.4`; `tis0.8` and `72bpm` stay: the
    letters belong to a word.
    """
    pointed = _BY_POINT.sub(lambda glyph: glyph.group().translate(_DIGITS), folded)
    return _DIGIT_RUN.sub(_restored, pointed)


_ANY_DIGITS: Final = str.maketrans("oqdil|!jsbzg", "000111115826")


def as_digits(folded: str) -> str:
    """Return folded text with every letter that looks like a digit turned into it."""
    return folded.translate(_ANY_DIGITS)


def _restored(run: re.Match[str]) -> str:
    text, follows = run.group(), run.string[run.end() : run.end() + 1]
    tail = ""
    if follows.isalpha():
        head = text.rstrip("oil|sbz")
        text, tail = head, text[len(head) :]
    digits = sum(c.isdecimal() for c in text)
    glyphs = sum(c.isalnum() or c == "|" for c in text)
    return (text.translate(_DIGITS) if digits < glyphs <= 2 * digits else text) + tail
