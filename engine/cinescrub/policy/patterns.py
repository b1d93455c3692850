"""Positive evidence of PHI in the form of a line: dates, times, numbers, labels, honorifics.

Owns what holds whoever the patient is; `identifiers` owns what is this file's. A pattern is never
vetoed by a clinical look: "LV 12.03.2021" goes.
"""

from __future__ import annotations

import re
from typing import Final

from cinescrub.policy import counters, grammar, ocr
from cinescrub.policy.forms import MONTHS
from cinescrub.policy.grammar import UNIT
from cinescrub.policy.vocabulary import vocabulary
from cinescrub.types import PhiKind

__all__ = ["find", "is_label"]

# Month names that are settings or anatomy as well (Italian "gen" and "set", German "sep" and "dez",
# "mag" for zoom, "out"): they need more than a day beside them.
_AMBIGUOUS: Final = frozenset(ocr.words("gen set out mag sep dec may mar dic ago lis sty lip"))
_NOT_A_SIZE: Final = rf"(?!\d|[.,]\d|\s*{UNIT}(?![a-z]))"


def _names(*, ambiguous: bool) -> str:
    chosen = {n for month in MONTHS for n in month if (n in _AMBIGUOUS) is ambiguous}
    return "|".join(sorted(chosen, key=lambda name: (-len(name), name)))


_MONTH: Final = _names(ambiguous=False)
_MAYBE: Final = _names(ambiguous=True)
_DAY: Final = r"(?<![\d.,])\d{1,2}(?:st|nd|rd|th|\.)?"
_GAP: Final = r"[\s.,/_'-]{0,3}"
_YEAR: Final = r"(?:19|20)\d\d"
_ROMAN: Final = r"(?:[i1l|]{1,3}|[i1l|]v|v[i1l|]{0,3}|[i1l|]x|x[i1l|]{0,2})"
"""A month as it is written in Italy, Hungary, Poland; an I is read as a 1 or an l."""

_DATE: Final = re.compile(
    "|".join(
        (
            # Three groups with one separator, one of which has the digits of a year; a year with
            # any two. Esaote's PRC 16/4/1 is a setting.
            r"(?<![\d.,])(?<!prc )\d{2,4}\s?([./:;,_-])\s?\d{1,2}\s?\1\s?\d{1,4}(?!\d)",
            r"(?<![\d.,])\d{1,2}\s?([./:;,_-])\s?\d{1,2}\s?\2\s?\d{2,4}(?!\d)",
            rf"(?<!\d)\d{{1,2}}\s?[./:;,\s_-]\s?\d{{1,2}}\s?[./:;,\s_-]\s?{_YEAR}(?!\d)",
            rf"(?<!\d){_YEAR}\s?[./:;,\s_-]\s?\d{{1,2}}\s?[./:;,\s_-]\s?\d{{1,2}}(?!\d)",
            rf"(?<!\d)(?:0?[1-9]|1[0-2])\s?[/-]\s?{_YEAR}(?!\d)",
            rf"(?<!\d){_YEAR}\s?[/-]\s?(?:0?[1-9]|1[0-2])(?!\d)",
            rf"{_DAY}{_GAP}(?:{_MONTH})(?![a-z])",
            rf"(?<![a-z])(?:{_MONTH}){_GAP}(?:\d{{1,2}}(?:st|nd|rd|th)?{_NOT_A_SIZE}|{_YEAR}(?!\d))",
            rf"(?<![a-z])(?:{_MONTH}){_GAP}\d{{1,2}}{_GAP}{_YEAR}(?!\d)",
            rf"{_DAY}{_GAP}(?:{_MAYBE})(?:{_GAP}\d{{2,4}}(?![\d.])|$)",
            # 24 Dec PLAX; a month has no more than 31 days.
            rf"(?<![\d.,])(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?{_GAP}(?:{_MAYBE})(?![a-z])",
            # Dec 24 PLAX, Dec/24, Dec_3, Mag-24.
            rf"(?<![a-z])(?:sep|dec|may|mar|dez|dic)[\s.,/_-]{{1,3}}\d{{1,2}}{_NOT_A_SIZE}",
            rf"(?<![a-z])(?:{_MAYBE})\s?[.,/_-]\s?\d{{2}}{_NOT_A_SIZE}",
            # Aug.3.24, Dec 3,57.
            rf"(?<![a-z])(?:{_MONTH})[\s.,/_-]{{1,3}}\d{{1,2}}\s?[.,/_-]\s?\d{{2,4}}{_NOT_A_SIZE}",
            rf"(?<![a-z])(?:{_MAYBE})(?:([./,_-])\s?\d{{1,2}}\s?\3|\s\d{{1,2}},)\s?\d\d{_NOT_A_SIZE}",
            rf"(?<![a-z])(?:{_MAYBE}){_GAP}\d{{1,2}}(?:st|nd|rd|th)?{_GAP}{_YEAR}",
            rf"(?<![a-z])(?:{_MAYBE}){_GAP}{_YEAR}(?!\d)",
            # A day and a month as they are printed in German and Czech, the dot behind both.
            r"(?<![\d.,])(?:(?:0[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])|[1-9]\.(?:0?[1-9]|1[0-2]))\.(?!\d)",
            # A year without its century: '44.
            r"(?<=\S\s)['’]\d\d(?![\w.,])|^\s*['’]\d\d(?:\s(?=\s*\w)|\s*$)",
            # 3 V 24, 14-IV-24, 3/VIII/24; III.3.24, V 14 24; IV.24.
            rf"(?<![\w.,])(?:0?[1-9]|[12]\d|3[01])\.?(?P<r1>[\s./-])\s?{_ROMAN}\.?(?P=r1)\s?'?(?:{_YEAR}|\d\d){_NOT_A_SIZE}",
            rf"(?<![\w.,])(?=[^\W\d]){_ROMAN}(?P<r2>[\s./-])\s?\d{{1,2}}(?P=r2)\s?'?(?:{_YEAR}|\d\d){_NOT_A_SIZE}",
            rf"(?<![\w.,])(?=[^\W\d]){_ROMAN}[./-](?:{_YEAR}|\d\d)(?![\w.,])",
            # A month alone, its day and year printed beside it.
            rf"^\W*(?:{_MONTH}|mar|may|dez|dic|ago)\W*$",
            r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
            r"\b(?:lun|mar|mercre|jeu|vendre|same)di\b|\b(?:mon|diens|donners|frei|sams|sonn)tag\b",
            # A year alone, unless a unit makes it a number.
            rf"(?<![\d.,+-])(?:19[2-9]\d|20[0-4]\d){_NOT_A_SIZE}",
        )
    )
)
_GROUPS: Final = re.compile(
    r"(?<!\w)(?:(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])([./-])"
    r"(?:0?[1-9]|[12]\d|3[01]))(?:\1|\2)(?:19|20)?\d\d(?!\w)"
)
"""A whole date in numbers, for texts of which every letter may be a digit."""
_TIME: Final = re.compile(
    # Not 3:00 N+4 and 10:30 5 cm FN, which are places on a breast.
    r"(?<!\d)\d{1,2}\s?[:;]\s?\d{2}(?!\s?(?:n\s?\+|\d{1,2}(?:[.,]\d)?\s?cm\s?f\s?n\b))"
    r"(?:(?!\d)|(?=\d{1,3}(?:[.,]\d|\s?[a-z])))|(?<![\d.,])\d{1,2}\s?[ap]\.?m\b"
    r"|(?<![\d.,])\d{1,2}\s?h\s?\d{2}(?!\d)"
)
_CLOCK: Final = re.compile(r"\W*(?:[01]?\d|2[0-3])\s?[:;]\s?[0-5]\d\W*")
"""A whole line that is a time once its letters are digits."""
_NUMBER: Final = re.compile(
    "|".join(
        (
            r"\d{5,}",
            # Letters and digits without a break, as IDs are; not PRF6250Hz.
            rf"(?<![a-z])(?!ust-)[a-z]{{1,8}}[-#_]?\d{{4,}}{_NOT_A_SIZE}",
            rf"(?<![\d.,])(?:\d{{2,}}[-_#]\d{{3,}}|\d{{3,}}[-_#]\d{{2,}}){_NOT_A_SIZE}",
            r"\d{2,}[-_#]\d{2,}[-_#]\d{2,}",
            # Not 630P630: LOGIQ's label between the settings of two pictures, if they are equal.
            r"(?<![a-z\d.,])(?!(?P<own>\d{2,3})(?:cg|dr|[fgp])(?P=own)\b)(?:[a-z_#-]{0,24}+\d){5,}",
            rf"\d{{4,}}(?!{UNIT}\b)[a-z]{{1,3}}\b",
            rf"\bid\s+\d{{3,}}{_NOT_A_SIZE}",
            rf"\b(?:nr|no|ward|room|rm|bed|bay|case)\.?\s?\d{{1,4}}{_NOT_A_SIZE}",
            r"\b(?:id|nr|no|acc|accn|ref|order|case|chart|file|visit|encounter|ward|room|bed)\s?[:#]",
        )
    )
)
_CONTACT: Final = re.compile(
    "|".join(
        (
            r"\(\d{2,4}\)\s?\d{2,4}[-. ]?\d{3,4}|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b",
            r"\+\d{1,3}[ -]\d[\d -]{5,}|\b\d{2,5}(?:[ -]\d{2,5}){2}\b(?<=\d\D\d\d\d)",
            r"\b(?:tel|phone|fax|mobile|telefon|ph)\b\s?[.:]?\s?[+(]?\d",
            r"\S@\S{1,254}\.\w|https?:|\bwww\.|\w\.(?:com|org|net|edu|gov|info)\b",
        )
    )
)
_AGE: Final = re.compile(
    # In parentheses, as behind a name.
    r"\(\s?\d{2,3}\s?\)|"
    r"(?<![\d.,])\d{1,3}\s?(?:y(?:rs?|o|/o|ears?(?:\sold)?)?|ans|jahre)\b|\bage\b"
    # In Polish; what is lateral has its number behind it.
    r"|(?<![\w.,])(?:[2-9]\d|1[01]\d)\s?lat\b(?!\W*\d)"
    r"|(?<![\w.,])[1-9]\d\s?j\b|(?<![\w.,])(?:1[01])?\d{2}\s?[/,]?\s?[mf]\b(?!/)|(?<!map\s)\b[mf]\s?/\s?[1-9]\d{0,2}\b(?![.,]\d)"
    # So tall and heavy is a patient: size and weight go from the header too (PS3.15 E.1-1).
    r"|\b(?:height|ht|size)\s?[:=]?\s?(?:[12]\d\d(?:[.,]\d)?\s?cm|[12][.,]\d\d?\s?m|\d\s?(?:ft|'))(?!\w)"
    r"|\b(?:weight|wt)\s?[:=]?\s?\d{1,3}(?:[.,]\d{1,2})?\s?(?:kg|lbs?)\b|\bbmi\b"
    # Without a label: nothing that is scanned is half a metre long, or weighs ten kilograms.
    r"|^\W*(?:h\s?)?(?:[5-9]\d(?![.,])|(?:1\d|2[0-4])\d(?:[.,]\d)?)\s?cm(?![\w/])"
    r"|^\W*(?:1[.,][3-9]|2[.,]0)\d\s?m\W*$"
    # A recogniser may see a blank in it.
    r"|(?<![\d.,])(?:[1-9](?:\s?\d){1,2}|(?<!efw)(?<!efw\W)\d(?=[.,]))(?:[.,]\d{1,2})?\s?(?:kg|lbs?)(?![\w/])"
)
_PERSON: Final = re.compile(
    "|".join(
        (
            # A caret between blanks is a misread sign, unless the line begins with it.
            r"[^\W_]\s?\^|\^[^\W_]|^\W*\^\s?[^\W_]",
            r"\b(?:name|surname|forename|vorname|nachname|prenom|nombre|apellido|cognome|naam)\b",
            r"\bpatient|\bpaciente|\bpaziente|\bpt\.?\s?(?:name|id|no|[:#])|\bpid\b",
            r"\bssn\s?[:#\d]|\b(?:mrn|dob|d\.o\.b|nhs|birth|born|geb|sex|gender)\b|\bmrn|\bdob\d",
            r"\b(?:med\.?\s?rec|medical record|accession|accn)\b",
            r"\b(?:phys|physician|doctor|sonographer|operator|technician|technologist|attending"
            r"|referring|interpreting|surgeon|consultant|nurse|arzt|untersucher)\b",
            r"\b(?:ref|tech|sono|[o0]p|oper|perf|user|initials?)\s?[.:]",
            r"\b(?:tech|op|oper|sono)\s[a-z]{1,3}$|\b(?:perf(?:ormed)?|read|done)\sby\b",
            r"\b(?:rdcs|rdms|rvt|rcs|frcr|frcp)\b|[a-z][,.]?\s(?:m\.?d|ph\.?d)\b\.?$",
            r"\b(?:prof|herr|frau|mme|dott|dra|mrs)\b\.?\s",
            r"\b(?:mr|ms|dr)\.\s?[a-z]",
        )
    )
)
_PLACE: Final = re.compile(
    "|".join(
        (
            r"\b(?:hospital|hosp|clinics?|clinica|clinique|klini|medical|medizin|medicin|medcare)",
            r"\b(?:krankenhaus|spital|ospedal|hopital|univ|institut|praxis|laborator|foundation)",
            r"(?:klinikum|spital|sykehus|sjukhus|ziekenhuis|szpital)\b",
            r"\b(?:health|healthcare|center|centre|centro|zentrum|cent(?:er|re)s|labs?|chu|nhs)\b",
            r"\bmed\.?\s?(?:ctr|cent)|\bctr\b|\bdept\b|\b(?:department|radiology|cardiolog|imaging)",
            r"\bst\.\s?[a-z]{3}|\bsaint\b|\bsankt\b|\b(?:general|memorial|associates|partners)\b",
            r"\b(?:street|avenue|boulevard|blvd|road|drive|lane|strasse|piazza|plaza)\b|strasse\b",
            r"\b\d+\s+[a-z]+\s+(?:st|ave|rd|dr|ln|str)\b",
            r"\b(?:rue|calle|via|avenida)\s+[a-z]{3}|\b[a-z]{2}\s\d{5}\b",
        )
    )
)
_EXAMINED: Final = (
    r"(?:abdomen|abdominal|abd|tissue|imaging|ob|gyn|vascular|pelvis|thyroid|breast|msk)"
)
_CLOCK_FACE: Final = re.compile(r"(?<![\d:.,])(?:1[0-2]|[1-9])\s?[:;]\s?[03]0(?![\d:;.,])")
_BREAST: Final = re.compile(r"\b(?:breast|brust|mamma|sein|seno|mama|rad|antirad|arad)\b")
"""What a place on the face of a clock is of: LT BREAST 3:00, 2:30 RAD."""
_PRESET: Final = re.compile(rf"\b{_EXAMINED}\W{{0,3}}general\b|\bgeneral\W{{0,3}}{_EXAMINED}\b")
"""Presets are general, as hospitals are."""
_BY_KIND: Final = (
    (PhiKind.DATE, _DATE),
    (PhiKind.DATE, _TIME),
    (PhiKind.CONTACT, _CONTACT),
    (PhiKind.IDENTIFIER, _NUMBER),
    (PhiKind.AGE, _AGE),
    (PhiKind.PERSON, _PERSON),
    (PhiKind.INSTITUTION, _PLACE),
)

_HONORIFIC: Final = re.compile(r"\b(mr|ms|dr|miss)\s+([a-z][a-z'-]+)")
_INITIALLED: Final = re.compile(
    r"^\W*(?:[a-z]{2,}(?:[,;]\s?[a-z]\.?|\s(?![lr])[a-z]\.)|(?![alrmnv])[a-z]\.\s?[a-z]{3,})\W*$"
)
"""A name with an initial. L. and R. are sides of the body, A., M., N. and V. what anatomists call
arteries, muscles, nerves and veins."""
_LEVELS: Final = frozenset(ocr.words("auto low lo med mid medium high hi max min on off opt"))
"""What a dynamic range is set to."""
_INVERTED: Final = re.compile(r"^\W*([a-z][a-z' -]+),\s?([a-z][a-z'. -]*)\W*$")
_TITLE: Final = re.compile(r"\b(?:Mr|Ms|Dr|Mrs|Miss|Prof)\s[A-Z]")
"""As it is written: nobody writes mitral regurgitation so."""
_LETTERS: Final = re.compile(r"[a-z]+")
_LABEL: Final = re.compile(
    r"\W*(?:(?:pt|pat|patient|first|last|birth|study|exam|sur|fore)?\s?(?:name|id|no|date|number)"
    r"|patient|pt|pat|pid|mrn|dob|d\.o\.b\.?|bd|sex|gender|age|acc(?:ession|n)?|ref(?:erring)?|dr|phys"
    r"(?:ician)?|doctor|operator|op(?:er)?|tech|sono(?:grapher)?|user|by|perf(?:ormed)? by|site"
    r"|hospital|institution|dept|ward|room|bed|birth|born|geb|nom|vorname|tel|phone|initials?"
    # What describes a patient in the cells of a table, in the languages of consoles.
    r"|height|ht|weight|wt|bmi|bsa|gravida|para|lmp|edd|edc|dol|date|datum|fecha|data|alter|edad|eta|idade|leeftijd"
    r"|sexo|sesso|sexe|geschlecht|geslacht|groe?sse|gewicht|peso|talla|altezza|altura|taille|poids|lengte)\W*|ssn\W+"
)


def find(text: str, *, counter: bool = False) -> PhiKind | None:
    """Return the kind of the first PHI pattern in a line.

    Parameters
    ----------
    text : str
        As read. Letters that may be digits are tried as such as well.
    counter : bool
        The line was seen to count the cine's frames or time: a bare counter is no time of day.

    Returns
    -------
    PhiKind or None
        None where there is no pattern, which is no proof that there is no PHI.
    """
    folded = ocr.fold(text)
    if counter and counters.has_form(text):
        return None
    kind = _search(folded)
    # What is clinical as it was read is no number: L12-4s is a probe, not 112-45.
    restored = ocr.restore_digits(folded)
    if kind is None and restored != folded and grammar.parse_as_read(folded) is None:
        kind = _search(restored)
    digits = ocr.as_digits(folded)
    clock = folded.lstrip()[:1].isdecimal() and _CLOCK.fullmatch(digits) is not None
    if kind is None and (clock or _GROUPS.search(digits)):
        kind = PhiKind.DATE
    addressed = _TITLE.search(text) is not None or _addresses_someone(folded)
    return kind or (PhiKind.PERSON if addressed else None)


def is_label(text: str) -> bool:
    """Tell whether a line is nothing but the label of a field that identifies."""
    return _LABEL.fullmatch(ocr.fold(text)) is not None


def _search(line: str) -> PhiKind | None:
    folded = _PRESET.sub(" ", line)
    if _BREAST.search(folded):
        folded = _CLOCK_FACE.sub(" ", folded)
    for kind, pattern in _BY_KIND:
        if pattern.search(folded):
            return kind
    return None


def _addresses_someone(folded: str) -> bool:
    """Tell whether a line is an honorific with a name, or a name inverted by a comma.

    MR and MS are mitral regurgitation and milliseconds where a clinical word follows, DR a dynamic
    range where a level does.
    """
    known = vocabulary()
    honoured = _HONORIFIC.search(folded)
    if honoured is not None:
        title, name = honoured.groups()
        if name not in (_LEVELS if title == "dr" else known):
            return True
    if _INITIALLED.search(folded):
        return True
    inverted = _INVERTED.match(folded)
    return inverted is not None and not any(
        word in known for word in _LETTERS.findall(inverted.group(1))
    )
