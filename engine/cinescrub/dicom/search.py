"""Whether a value of the header holds an identifier of this file.

How values are judged
---------------------
- Case, accents and separators don't count: `DOE^JANE`, `Jane Doe` and `doe-jane` are one.
- A form of eight significant characters or more is found anywhere in a text, as a part of a
  word too. One of four to seven counts only between the edges of words or numbers ("anna" is
  found in `Anna1`, not in `hannah`). Shorter ones aren't searched for: an ID of `1` or the
  initials of a physician are in every header. They still count within a longer form (the
  whole name). An ideograph or syllable block counts as two characters.
- In codes and defined terms (VR CS, code sequences) a single word of a name that the standard
  itself uses is not searched for: a patient called LEFT doesn't make `Left ventricle` an
  identifier. The whole name still is, and in other text the word still is.
- Numbers (DS, IS) are compared whole, and only with forms of six digits or more; numbers in
  binary (UL, FD) are not.
- Of an institution or an address the words count that name this one and are no clinical term,
  but in the names of the machine and its maker.
- Dates are searched for in the forms in which they are printed.
- Text in UTF-8 that was declared as Latin-1 is searched as both.
- Raw bytes are searched for in `cinescrub.dicom.needles`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise, permutations
from typing import Final

from cinescrub.dicom.charset import readings
from cinescrub.dicom.dummies import DATE, PLACEHOLDERS
from cinescrub.dicom.needles import Needles
from cinescrub.dicom.standard import everyday_words
from cinescrub.policy.forms import printed_dates
from cinescrub.policy.identifiers import HeaderIdentifier, words_of_place
from cinescrub.policy.ocr import fold
from cinescrub.types import PhiKind

__all__ = ["IdentifierSearch"]

SHORTEST: Final = 4
"""Three letters are a unit, a view or an article far more often than a name."""
ANYWHERE: Final = 8
"""26^8 is 2 * 10^11: by chance such a form is in no header."""
NUMBER: Final = 6
_SUBSCRIBER: Final = 10
"""Digits of a telephone number without its country's code, in most countries."""
JOINED: Final = 5
"""So many neighbouring words and numbers are tried as one: `17 Jan 2026` is three."""
_WHOLE_ORDERS: Final = 4
"""Names of more words than this (24 orders) are searched for in their own order only."""
_WIDE: Final = 0x2E80
"""From here on Unicode holds ideographs, kana and Hangul: a word in one or two characters."""
_EARLIEST: Final = "1850"
"""Dates before are placeholders of some system, and ours."""

_PIECES: Final = re.compile(r"[^\W\d_]+|\d+")
_LOWER: Final = bytes(range(256)).lower()
_NEITHER: Final = bytes(c for c in range(256) if not chr(c).isascii() or not chr(c).isalnum())
"""Bytes that are no letters or digits: separators, and the zeros of UTF-16."""
_REMEMBERED: Final = 4096
_REMEMBERED_LENGTH: Final = 256
"""Texts whose answer is kept, and how long they may be: most of a header, and no bulk."""
_MACHINE: Final = frozenset({0x00080070, 0x00081090})
"""Manufacturer and model: sites have their names in theirs."""
_CODED: Final = frozenset(
    {
        *(0x00080100, 0x00080101, 0x00080102, 0x00080103, 0x00080104, 0x00080105, 0x00080112),
        *(0x00080119, 0x00080120, 0x00080122),
    }
)
"""The elements of a code (PS3.3 section 8.8), besides all of VR CS."""


class IdentifierSearch:
    """The forms of a file's identifiers, ready to be searched for.

    Parameters
    ----------
    identifiers : iterable of HeaderIdentifier
        From `identifiers.collect` of the input.
    """

    def __init__(self, identifiers: Iterable[HeaderIdentifier]) -> None:
        forms: set[str] = set()
        words: set[str] = set()
        places: set[str] = set()
        self._identifiers = tuple(identifiers)
        self._needles: Needles | None = None  # made when bytes are first to be searched
        self._known: dict[tuple[str, bool, bool, bool], bool] = {}
        for identifier in self._identifiers:
            for value in readings(identifier.value):
                whole, single = _forms_of(identifier.kind, value)
                forms |= whole
                words |= single
                places |= _place_words(identifier.kind, value)
        self._forms = _weighing(SHORTEST, forms - PLACEHOLDERS)
        self._words = _weighing(SHORTEST, words - PLACEHOLDERS)
        self._places = _weighing(SHORTEST, places - PLACEHOLDERS - everyday_words())
        both = self._forms | self._words | self._places
        self._long = _weighing(ANYWHERE, self._forms | self._words)
        self._least = min(map(len, self._long), default=ANYWHERE)
        self._shortest = min(map(len, both), default=0)
        everyday = self._words & everyday_words()
        self._wanted_in_codes = self._words - everyday
        self._long_in_codes = self._long - (everyday - self._forms)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset(f for f in self._forms if len(f) >= NUMBER and f.isdecimal())

    @cached_property
    def _bytes(self) -> tuple[bytes, ...]:
        return tuple(f.encode("ascii") for f in self._long if f.isascii())

    @property
    def needles(self) -> Needles:
        """The forms as bytes."""
        if self._needles is None:
            self._needles = Needles(self._identifiers)
        return self._needles

    def finds(self, text: str, vr: str, tag: int = 0) -> bool:
        """Whether a text holds an identifier.

        Parameters
        ----------
        text : str
            One value, decoded.
        vr, tag : str, int
            Of its element; they say how it is judged.
        """
        number = vr in ("DS", "IS")
        coded = not number and (vr == "CS" or tag in _CODED)
        # Folding never makes an ASCII text longer: one that is shorter than every form holds none.
        if text.isascii() and (len(text) < self._shortest or not self._shortest):
            return False
        placed = tag not in _MACHINE
        key = text, number, coded, placed
        found = self._known.get(key)
        if found is None:  # the scrub asks and the audit asks again
            found = any(
                self._finds(each, number=number, coded=coded, placed=placed)
                for each in readings(text)
            )
            if len(text) <= _REMEMBERED_LENGTH and len(self._known) < _REMEMBERED:
                self._known[key] = found
        return found

    def _finds(self, text: str, *, number: bool, coded: bool, placed: bool) -> bool:
        pieces = _pieces(text)
        if number:
            return any(piece in self._numbers for piece in pieces)
        squeezed = "".join(pieces)
        if self._holds_long(squeezed, self._long_in_codes if coded else self._long):
            return True
        wanted = self._wanted_in_codes if coded else self._words
        if placed and not self._places.isdisjoint(pieces):
            return True
        return any(
            form in wanted or form in self._forms
            for joined in _joined(pieces)
            for form in ((joined, joined.lstrip("0")) if joined[0] == "0" else (joined,))
        )

    def finds_long(self, text: str) -> bool:
        """Whether a text holds a form that doesn't occur by chance, however random the text."""
        return self._holds_long("".join(_pieces(text)), self._long)

    def _holds_long(self, squeezed: str, forms: frozenset[str]) -> bool:
        # Most values of a header are shorter than any long form.
        return len(squeezed) >= self._least and any(map(squeezed.__contains__, forms))

    def finds_in_uid(self, uid: str) -> bool:
        """Whether a component of a UID is a number that identifies, or an ID is a part of it.

        Some machines make both of the time: an ID `20170302.172449` is in their UIDs as it is.
        """
        if any(component in self._numbers for component in uid.split(".")):
            return True
        return self.needles.occur_in(uid.encode("utf-8", "replace"))

    def finds_in_bytes(self, data: bytes) -> bool:
        """Whether binary data holds a long form as text, in whatever encoding."""
        if self.needles.occur_in(data):
            return True
        if not self._bytes:
            return False
        folded = data.translate(_LOWER, _NEITHER)
        return any(map(folded.__contains__, self._bytes))


def _pieces(text: str) -> list[str]:
    """Split a text into folded runs of letters and runs of digits."""
    folded = fold(text)
    # NFKD takes Hangul syllables apart; together again they are letters to compare.
    return _PIECES.findall(folded if folded.isascii() else unicodedata.normalize("NFC", folded))


def _joined(pieces: list[str]) -> Iterable[str]:
    """Yield each run of up to `JOINED` neighbouring pieces as one string."""
    for start in range(len(pieces)):
        joined = ""
        for piece in pieces[start : start + JOINED]:
            joined += piece
            yield joined


def _weighing(least: int, forms: Iterable[str]) -> frozenset[str]:
    return frozenset({f for f in forms if len(f) >= least or _weight(f) >= least})


def _weight(form: str) -> int:
    return len(form) if form.isascii() else sum(2 if ord(c) >= _WIDE else 1 for c in form)


def _forms_of(kind: PhiKind, value: str) -> tuple[set[str], set[str]]:
    """Return the forms of a whole value, and single words of it."""
    if kind in (PhiKind.PERSON, PhiKind.STAFF):
        whole, single = _name_forms(value)
        spelt = value if value.isascii() else value.translate(_SPELT_OUT)
        if spelt != value:
            more, words = _name_forms(spelt)
            whole, single = whole | more, single | words
        return whole, single
    if kind is PhiKind.DATE:
        return (printed_dates(value) if _is_date(value) else set()), set()
    if kind is PhiKind.AGE:
        return set(), set()
    squeezed = "".join(_pieces(value))
    digits = "".join(c for c in squeezed if c.isdecimal())
    whole = {squeezed, squeezed.lstrip("0")}
    if len(digits) >= NUMBER and kind is PhiKind.IDENTIFIER:
        whole |= {digits, digits.lstrip("0")}
    if len(digits) >= ANYWHERE and kind is PhiKind.CONTACT:
        whole |= {digits[-count:] for count in (_SUBSCRIBER, ANYWHERE)}
    return whole, set()


def _place_words(kind: PhiKind, value: str) -> set[str]:
    if kind not in (PhiKind.INSTITUTION, PhiKind.LOCATION):
        return set()
    return {"".join(_pieces(word)) for word in words_of_place(value) if not word.isdecimal()}


_SPELT_OUT: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "đ": "dj"}
    | {"Ä": "AE", "Ö": "OE", "Ü": "UE", "Å": "AA", "Ø": "OE", "Æ": "AE", "Đ": "DJ"}
)
"""How letters are written where only ASCII is at hand (passports: ICAO 9303 part 3, 6.A; the last
by custom), besides without their marks."""


def _name_forms(value: str) -> tuple[set[str], set[str]]:
    """Return the forms of a whole name, and its single words."""
    components = [_pieces(component) for component in value.split("^")]
    words = [word for component in components[:3] for word in component]
    joined = ["".join(component) for component in components[:3]]
    whole = {"".join(words)}
    if len(words) <= _WHOLE_ORDERS:
        whole |= {"".join(order) for order in permutations(words)}
    family = joined[0]
    for first, second in pairwise(filter(None, joined)):
        whole |= {first + second, second + first}
    if family and len(words) > 1 and len(family) >= SHORTEST - 1:
        initials = "".join(word[0] for word in words[len(components[0]) :])
        for some in {initials[:1], initials} - {""}:
            whole |= {family + some, some + family}
    single = {*words, *joined}
    if len(words) <= 1:
        whole = (
            set()
        )  # a name of one word is that word: everyday in a code, an identifier elsewhere
    return whole, single


def _is_date(value: str) -> bool:
    """Whether a date or time says when something was, rather than that nothing is known."""
    digits = "".join(c for c in value if c.isdecimal())
    if len(digits) >= len(DATE):
        return digits[:4] >= _EARLIEST and not digits.startswith(DATE)
    return bool(digits.strip("0"))
