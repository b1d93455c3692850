"""Identifiers of the file at hand, and whether a line of read text holds one of them.

`dicom/` collects the values from a header; this module knows the forms in which machines print
them and how recognisers misread them. It reads no dataset and never shows a value.

How values are judged
---------------------
- Folded for case and accents, and compared by their *skeleton* (`ocr`): 0/O, 1/I/l, 5/S, 8/B,
  2/Z, 6/G, rn/m, cl/d, vv/w never tell two texts apart.
- A word of a person's name, or an ID, of **two characters or more counts wherever it stands as a
  whole token**, everyday word or not: a patient called LEFT costs the clinical lines with "left"
  of that file. In words under five characters at most half of the characters may be confused.
- **Five characters or more**: one edit is forgiven as a token, two from nine on; a part of the
  line (lost spaces, glued labels) counts from five characters on, with edits from seven on.
- A token of four characters or more that begins or ends a name's word counts (cut names), and an
  ID that lost up to two characters at an end.
- **One character** (ID "1", an initial) counts only if it is the whole line; so do the initials
  of a person.
- Words of an institution or address that are everyday or clinical ("heart", "medical") count only
  together: the whole value, or two neighbouring words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Final

from cinescrub.policy import ocr
from cinescrub.policy.forms import printed_ages, printed_dates
from cinescrub.policy.grammar import UNIT
from cinescrub.policy.vocabulary import vocabulary
from cinescrub.types import PhiKind

__all__ = ["HeaderIdentifier", "IdentifierMatcher", "words_of_place"]

_FUZZY: Final = 5
"""Shortest value that is found as a part of a line, or with an edit."""
_FUZZY_PART: Final = 7
"""Shortest value that is found as a part of a line with an edit: five letters with one wrong
occur in clinical words ("marin" in "margin")."""
_TWO_EDITS: Final = 9
_JOINED: Final = 3
_INITIALS: Final = 2
_DIGITS: Final = frozenset("0123456789")
_CUT: Final = 4
"""Shortest beginning or end of a name that counts: "ANT" of ANTONIO is a view, "ANTO" is not."""
_CUT_ID: Final = 3
"""Shortest beginning or end of an ID that counts, when at most two glyphs are lost."""

# Parts of person names that are everyday on their own: titles (PN components 4 and 5 of PS3.5
# 6.2.1) and particles. They still count within the whole name.
_PARTICLES: Final = frozenset(
    ocr.words(
        "mr mrs ms miss dr prof md phd rn do jr sr ii iii iv baby boy girl de da di do dos du "
        "del della der den des van von vom zu zur la le les lo el al bin ibn ben abu mc mac "
        "st san santa y e of the and"
    )
)

# Words that name kinds of institutions or places rather than one of them.
_GENERIC: Final = frozenset(
    ocr.words(
        "hospital hospitals hosp clinic clinics clinical medical medicine med center centre "
        "ctr health healthcare care system systems university univ general institute "
        "department dept radiology cardiology obstetrics gynecology imaging diagnostic "
        "diagnostics ultrasound echo echocardiography lab laboratory unit ward room office "
        "street road avenue north south east west city county state regional community "
        "memorial national international saint group associates practice"
    )
)


@dataclass(frozen=True, slots=True)
class HeaderIdentifier:
    """One identifying value of a header."""

    kind: PhiKind
    value: str = field(repr=False)
    """As stored: a PN with its carets, a DA as YYYYMMDD. Never shown in `repr`."""


@dataclass(frozen=True, slots=True)
class _Forgiven:
    edits: int
    pieces: tuple[str, ...]
    """A text within the edits holds one of these: most texts are dismissed by a plain search."""

    @classmethod
    def of(cls, folded: str, bones: str) -> _Forgiven:
        edits = 2 if len(folded) >= _TWO_EDITS else 1
        return cls(edits, ocr.pieces(bones, edits))

    def may_hold(self, text: str) -> bool:
        return any(piece in text for piece in self.pieces)


@dataclass(slots=True)
class _Forms:
    """The forms of all identifiers, as skeletons, by the way in which they count."""

    tokens: dict[str, set[str]] = field(default_factory=dict)
    """Skeleton of a whole token, or of two neighbours joined, to the folded texts behind it."""
    fuzzy: dict[str, _Forgiven] = field(default_factory=dict)
    """Skeleton of a whole token to the edits forgiven."""
    exact_parts: set[str] = field(default_factory=set)
    """Skeletons that may be any part of the compact line."""
    parts: dict[str, _Forgiven] = field(default_factory=dict)
    """Skeleton that may be any part of the compact line, to the edits forgiven."""
    cuts: set[str] = field(default_factory=set)
    """Skeletons of beginnings and ends of names."""
    lines: set[str] = field(default_factory=set)
    """Skeletons that count as the whole compact line."""
    glyphs: set[str] = field(default_factory=set)
    """Single letters that count so, as they are: 5 on a scale is no initial S."""
    wholes: list[str] = field(default_factory=list)
    """Compact IDs, of which a token may be a piece."""

    def add_token(self, folded: str) -> None:
        """Count `folded`, letters and digits only, as a token; as a line if it is one letter."""
        bones = ocr.skeleton(folded)
        if len(folded) < 2:
            self.glyphs |= {*folded} - _DIGITS  # one digit identifies nobody
            return
        self.tokens.setdefault(bones, set()).add(folded)
        if len(folded) >= _FUZZY:
            self.fuzzy[bones] = _Forgiven.of(folded, bones)

    def add_part(self, folded: str, *, exact: bool = False) -> None:
        """Count `folded`, letters and digits only, as part of a line; as a token if short."""
        if len(folded) < _FUZZY:
            self.add_token(folded)
            return
        bones = ocr.skeleton(folded)
        self.exact_parts.add(bones)
        if not exact and len(folded) >= _FUZZY_PART:
            self.parts[bones] = _Forgiven.of(folded, bones)


class IdentifierMatcher:
    """Tells whether read text holds an identifier of one file.

    Parameters
    ----------
    identifiers : iterable of HeaderIdentifier
        Values of the header; empty ones are ignored.
    """

    __slots__ = ("_forms",)

    def __init__(self, identifiers: Iterable[HeaderIdentifier] = ()) -> None:
        self._forms = _Forms()
        for identifier in identifiers:
            _ADD[identifier.kind](self._forms, identifier.value)

    def matches(self, text: str) -> bool:
        """Tell whether `text`, as a recogniser read it, holds an identifier of the file."""
        folded = ocr.fold(text)
        if _SIGNED.fullmatch(folded):
            return False
        if any(map(self._is_unlettered, _UNLETTERED.findall(folded))):
            return True
        if _SIGNS.search(folded) is None:
            return self._holds(folded)
        # A stroke or sign stands for a glyph, or for nothing.
        return self._holds(folded.translate(_AS_GLYPHS)) or self._holds(_SIGNS.sub(" ", folded))

    def _holds(self, folded: str) -> bool:
        tokens = ocr.words(_DECIMAL.sub(" ", folded))
        whole = ocr.compact(folded)
        line = ocr.skeleton(whole)
        if not line:
            return False
        forms = self._forms
        if line in forms.lines or whole in forms.glyphs or self._is_form(whole):
            return True
        if any(part in line for part in forms.exact_parts):
            return True
        # Two tokens that are one: J DOE. Of two digits, 1.0 is no ID 10.
        joined = (a + b for a, b in pairwise(tokens) if len(a) + len(b) >= _JOINED)
        return (
            any(map(self._is_token, ocr.words(_DECIMAL.sub(" ", _MEASURED.sub(" ", folded)))))
            or any(map(self._is_form, joined))
            or self._holds_nearly(line, tokens)
        )

    def _is_unlettered(self, token: str) -> bool:
        """Tell whether a token with `?` for letters that a recogniser lacks is one of the forms."""
        if 2 * token.count("?") > len(token):
            return False
        spelled = re.compile(
            ".{1,2}".join(re.escape(ocr.skeleton(part)) for part in token.split("?"))
        )
        return any(spelled.fullmatch(form) for form in self._forms.tokens)

    def _holds_nearly(self, line: str, tokens: list[str]) -> bool:
        """Tell whether a part of the line is a form but for the edits forgiven."""
        forms = self._forms
        if any(
            near.may_hold(line) and ocr.substring_edits(part, line, near.edits)
            for part, near in forms.parts.items()
        ):
            return True
        likely = [(word, near) for word, near in forms.fuzzy.items() if near.may_hold(line)]
        bones = [ocr.skeleton(token) for token in tokens if len(token) >= _CUT] if likely else []
        return any(ocr.edits(word, b, near.edits) for word, near in likely for b in bones)

    def _is_form(self, token: str) -> bool:
        """Tell whether a token is one of the exact forms, confusions apart."""
        behind = self._forms.tokens.get(ocr.skeleton(token), ())
        return any(_alike(token, form) for form in behind)

    def _is_token(self, token: str) -> bool:
        if self._is_form(token):
            return True
        bones = ocr.skeleton(token)
        if bones in self._forms.cuts:
            return True
        return len(token) >= _FUZZY and any(bones in whole for whole in self._forms.wholes)


# In 10.5 the 10 is no ID; longer parts of a decimal may be a date's or an ID's.
_DECIMAL: Final = re.compile(r"(?<![\w.,])\d{1,3}[.,]\d{1,3}(?![.,]?\w)")


_MEASURED: Final = re.compile(rf"(?<=\d)\s{UNIT}(?![\w/])")
"""A unit behind a number: `189 ms` names no operator MS."""
_UNLETTERED: Final = re.compile(r"(?<![\w?])(?=[\w?]*\?)(?=[\w?]*[^\W_])[^\W_?]*(?:\?[^\W_?]*)+")
_SIGNED: Final = re.compile(r"\s*(?:[+~-]{1,2}\s?\d{1,2}|\d{1,2}\s?[~-]{1,2})\s*")
"""A number of a scale with its tick, which english_g2 reads as `~`. A Study ID may be `10`, which
is on every scale and identifies nobody; an age has no sign."""
_SIGNS: Final = re.compile(r"[|!$]")
_AS_GLYPHS: Final = str.maketrans({"|": "l", "!": "l", "$": "s"})


def _alike(token: str, form: str) -> bool:
    """Tell whether two texts of one skeleton are alike enough to be one, when they are short."""
    if len(form) >= _FUZZY or len(token) != len(form):
        return True
    return sum(a != b for a, b in zip(token, form, strict=True)) <= max(1, len(form) // 2)


def _add_person(forms: _Forms, value: str) -> None:
    spelled = {value, value.translate(_TRANSLITERATED)}
    # Alphabetic, ideographic, phonetic: PS3.5 6.2.1.2.
    for group in (part for one in spelled for part in one.split("=")):
        parts = ocr.words(ocr.fold(group))
        names = [part for part in parts if part not in _PARTICLES] or parts
        for name in names:
            forms.add_token(name)
            for end in range(_CUT, len(name)):
                forms.cuts |= {ocr.skeleton(name[:end]), ocr.skeleton(name[-end:])}
        forms.add_part("".join(parts), exact=len(parts) == 1)
        for component in group.split("^"):  # van der Berg is printed VANDERBERG too
            together = ocr.glyphs(component)
            if together not in _PARTICLES:
                forms.add_part(together, exact=True)
        _add_orders(forms, names[:_ORDERED])


# Letters as passports and consoles without them spell them (ICAO 9303 part 3).
_TRANSLITERATED: Final = str.maketrans(
    {
        letter: plain
        for small, plain in {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}.items()
        for letter in (small, small.upper())
    }
)
_ACRONYM: Final = 3
"""Shortest initials of an institution that count, everyday words included: RVH, CCHS."""
_ORDERED: Final = 4
"""Words of a name whose orders are all tried: surname, given, middle and one more."""


def _add_orders(forms: _Forms, names: list[str]) -> None:
    """Add two names in either order, initial and surname, and the initials of two or more."""
    for a, b in permutations(names, 2):
        for form in (a + b, a[0] + b, a + b[0]):
            if len(form) == _INITIALS and form.isascii():
                forms.lines.add(ocr.skeleton(form))  # of Adams^Mary^V: AV Vmax
            else:
                forms.add_part(form)
    for count in range(2, len(names) + 1):
        for order in permutations(names, count):
            forms.lines.add(ocr.skeleton("".join(name[0] for name in order)))


def _add_id(forms: _Forms, value: str) -> None:
    folded = ocr.fold(value)
    whole = ocr.compact(folded)
    digits = "".join(c for c in whole if c.isdecimal())
    stripped = {whole.lstrip("0"), digits.lstrip("0")}
    forms.lines |= {ocr.skeleton(form) for form in stripped if len(form) > 1}
    for form in {whole, *(form for form in stripped if len(form) >= _CUT)} - {""}:
        forms.add_part(form)
        forms.add_token(form)
    for end in range(max(_CUT_ID, len(whole) - 2), len(whole)):
        forms.cuts |= {ocr.skeleton(whole[:end]), ocr.skeleton(whole[-end:])}
    if len(whole) >= _FUZZY:
        forms.wholes.append(ocr.skeleton(whole))
    for part in ocr.words(folded):
        if len(part) >= _FUZZY or (len(part) > 2 and not part.isdecimal()):
            forms.add_token(part)


def words_of_place(value: str) -> list[str]:
    """Return the words of an institution or address that name this one, folded.

    Parameters
    ----------
    value : str
        As stored.
    """
    everyday = vocabulary()
    return [
        word
        for word in ocr.words(ocr.fold(value))
        if len(word) > 2 and word not in _GENERIC | _PARTICLES and word not in everyday
    ]


def _add_place(forms: _Forms, value: str) -> None:
    parts = ocr.words(ocr.fold(value))
    forms.add_part("".join(parts), exact=True)
    for word in words_of_place(value):
        forms.add_token(word)
    for a, b in pairwise(parts):
        forms.add_part(a + b, exact=True)
    initials = "".join(part[0] for part in parts)
    if len(initials) >= _ACRONYM:
        forms.add_token(initials)


def _add_date(forms: _Forms, value: str) -> None:
    printed = printed_dates(value)
    for form in printed:
        forms.add_part(form, exact=True)
    if not printed:
        _add_id(forms, value)


def _add_age(forms: _Forms, value: str) -> None:
    for form in printed_ages(value):
        forms.add_token(form)


def _add_contact(forms: _Forms, value: str) -> None:
    digits = "".join(c for c in value if c.isdecimal())
    if len(digits) >= _FUZZY_PART:
        forms.add_part(digits)
        forms.add_part(digits[-_FUZZY_PART:])  # the number without its area
    if len(digits) < _FUZZY_PART or "@" in value:
        forms.add_part(ocr.glyphs(value))


_ADD: Final[dict[PhiKind, Callable[[_Forms, str], None]]] = {
    PhiKind.PERSON: _add_person,
    PhiKind.STAFF: _add_person,
    PhiKind.INSTITUTION: _add_place,
    PhiKind.LOCATION: _add_place,
    PhiKind.DATE: _add_date,
    PhiKind.IDENTIFIER: _add_id,
    PhiKind.CONTACT: _add_contact,
    PhiKind.AGE: _add_age,
    PhiKind.NONE: _add_id,  # the collector says it identifies, so it does
}
