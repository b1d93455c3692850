"""Anchored grammars: what a console prints about its picture, parsed to the last glyph.

Owns the pieces (measurements with units, settings with values, probe names, view names, bare
numbers) and their composition: a line is clinical only when pieces and separators are all of it.
It judges no position, confidence or identifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from cinescrub.policy import ocr
from cinescrub.policy.vocabulary import Strength, Vocabulary, vocabulary

__all__ = ["SPECKS", "UNIT", "Clinical", "labels", "parse", "parse_as_read"]

UNIT: Final = (
    r"(?:mm2|mm3|mm/s2?|mm|cm2|cm3|cm/s2?|cm|ml/m2|ml/min|ml/s|ml|cc|l/min(?:/m2)?|m/s2?"
    r"|mmhg(?:/s)?|mhz|khz|hz|db/cm/mhz|db/m|dbm?|%|bpm|/min|msec|ms|secs?|us|fps|kpa|mpa|mw/cm2|mw|g/m2|kg/m2|kg|oz"
    r"|gr?|mj|deg|°c?|wks?|weeks?|days?|px|/s|1/s|s-1|s)\??"
)
"""Units as consoles print them (UCUM where it is followed); a recogniser without raised digits
reads them as `?`. Not `m`, `f` and `y` after a whole
number: with those, two digits are an age and a sex."""

# No leading zeros: 01 is a month.
_N: Final = r"[+-]?(?:0|[1-9]\d{0,3})(?:[.,]\d{1,3})?|[+-]?\.\d{1,3}"
_NUMBER: Final = rf"(?:{_N})"
_DECIMAL: Final = r"\d{1,2}[.,]\d"
_UNITLESS: Final = r"(?:\d[.,]\d{1,3}|[1-9]\d{1,2}(?:[.,]\d)?|\d)"
"""What a label alone makes a number: without a unit, 14.05 is a day and a month."""
_END: Final = r"(?![^\W_]|[.,]\d|\^)"

# Labels whose number says what it is even without a unit.
_LABELS: Final = (
    r"m[il1|]|im|it[mobc]|ti|t[il1|][sbc58]|hr|bpm|fr|fps|gn|gain|2d gain|2dg|comp|dr|dynr|dyn|prf"
    r"|wf|wmf|map|pers?|persist|smooth|dyn r|fr[eq]q?|ef|efw|ga|bpd|ofd|hc|ac|fl|hl|crl|nt|afi"
    r"|mvp|ri|pi|s/d|e/a|e/e'|psv|edv|md?v|ivc|tapse|vmax|vmin|pg|mg|vti|pht|ava|mva|dist|area"
    r"|vol|circ|angle|depth|zoom|thi|sri|cri|xres|avg|qual|har|enh|sv|svd|co|ci|fs|lvef|rimp"
    r"|tei|qp/qs|pat t|tee t|temp|difft|fa|[ao][o0]%?|fsi|sci|ip|xv|prs|pst|bg|dva|th|ap|edge"
    r"|base|accel|foc(?:us)?|pwr|hpf"
)

# What no such label measures without a unit; more than 100 %, a circumference of half a metre.
_IMPOSSIBLE: Final = (
    r"(?:m[il1|]|t[il1|][sbc58]?)\W*[1-9]\d{1,2}(?![\d.,])|(?:lvef|ef|fs)\W*[1-9]\d\d|(?:fr|fps|hr|bpm)\W*[3-9]\d\d"
    r"|(?:ac|hc|bpd|ofd|fl|crl|sv)\W*(?:4[5-9]|[5-9]\d)\d"
)

_TALL: Final = r"(?:\d{3,4}(?:[.,]\d+)?\s?cm(?![\w/])|\d{4}\s?mm(?![\w/]))"
"""Nothing in a body is a metre long."""
_OLD: Final = r"(?<![±+-])(?<![±+-]\s)\d{1,3}\s?(?:wks?|weeks?|days?)\b"

_MEASURE: Final = "measures"
_CODE: Final = "codes"
_PROBE: Final = "probes"
_PLAIN: Final = "plain"
_NUMBERS: Final = "numbers"
_LETTERS: Final = "initials"
_PIECES: Final[tuple[tuple[str, str], ...]] = (
    # Without a label no time has thousands of seconds, and no weight that is glued to its unit;
    # whole weeks and days are an age, unless a sign says that a gestational age may be off by them.
    (
        _MEASURE,
        rf"(?:{_LABELS})\s*[:=<>]?\s*{_NUMBER}\s*{UNIT}"
        rf"|(?!\d{{4}}\s?s(?:ecs?)?\b|\d{{4}}gr?\b|\d{{3}}s\b|{_TALL}|{_OLD}){_NUMBER}\s*{UNIT}",
    ),
    # H3.5MHz, D 15.0cm, E' 8 cm/s. Glued to one digit it may be a misread name (TIMM, t1mm).
    (
        _MEASURE,
        rf"(?![a-ce-km-z]\W*{_TALL})(?:[a-z]'?\s?[:=\s]\s?{_NUMBER}|[a-z](?:[1-9]\d{{1,2}}|\d{{1,2}}[.,]\d{{1,2}}))\s*"
        r"(?:cm/s|cm[23]?|mm|m/s|mhz|khz|hz|db|%|ms)",
    ),
    (
        _MEASURE,
        r"zoom\s*[:=]?\s*(?:\d(?:[.,]\d{1,2})?|[1-9]\d(?:[.,]\d)?)\s?x?|\d{1,2}[.,]\d{1,2}\s?x",
    ),
    # 1.7/3.4 MHz, 2.3 x 1.4 x 3.0 cm, 120/80 mmHg: one-letter units would make m/d pairs pass.
    (_MEASURE, rf"[a-z]?{_NUMBER}(?:\s*[x×/-]\s*{_NUMBER}){{1,2}}\s*(?!x)(?!s\b){UNIT}"),
    # Glued to its label a number has two digits or a decimal: GAB is read as GA8.
    (
        _MEASURE,
        rf"(?!a0\d|{_IMPOSSIBLE})(?:{_LABELS})(?:\s?[:=<>\s]\s?[+-]?{_UNITLESS}|[1-9]\d|\d[.,]\d{{1,2}})",
    ),
    # Glued, with three digits: HR and frames a second up to 299, filters and repetition rates.
    # ML217 and HC966 are IDs.
    (_MEASURE, r"(?:hr|bpm|fr|fps|dr|dynr|gn|gain)[12]\d\d|(?:prf|wm?f)[1-9]\d\d"),
    # RI, PI: an I is read as a 1.
    (_MEASURE, r"[rp][il1|]\s?[:=]?\s?\d[.,]\d{1,2}"),
    # E/A: to a recogniser the stroke is a letter.
    (_MEASURE, r"e[/il1|]a\s*[:=]?\s*\d[.,]\d{1,2}"),
    (_MEASURE, rf"(?:pat|tee)\s?t\s?:?\s?{_NUMBER}\s?°?[cf]"),
    (_MEASURE, r"sr[il1|]\s?[il1|]{1,3}\s?\d(?:\s?/\s?cr[il1|]\s?\d)?"),
    (_MEASURE, r"prf\s?[:=]?\s?\d{1,2}(?:[.,]\d{1,2})?\s?k|mix\s?\d{1,3}/\d{1,3}"),
    (
        _MEASURE,
        r"(?:ga\s*[:=]?\s*)?[±+-]?\s*\d{1,2}\s?w(?:ks?)?\s?\d\s?d(?:ays?)?|ga\s*\d{1,2}\s?w",
    ),
    # Hitachi and Canon print megahertz so. 83.5 M and 12.04 F are an age, or a day, and a sex.
    (_MEASURE, r"[+-]?\d{1,3}[.,]\d{1,3}\s*(?:c|l)|(?:f\s)?(?:\d[.,]\d{1,3}|1\d[.,]\d)\s*m"),
    (_CODE, r"bd:[1-9]\d"),  # Hitachi's beam density; BD 51 is a year of birth
    (
        _MEASURE,
        r"(?:frame|loop|image|img|im|clip|beat|page)\s*[:#_]?\s*\d{1,3}(?:\s*/\s*\d{1,3})?",
    ),
    # Esaote's processing, Philips's and ACME's likewise: PRC 16/4/1, PRC 10-B-L, PROC 2/0/E/B/B.
    (_MEASURE, r"(?:prc|proc)\s?[\da-f]{1,2}(?:\s?[-./]\s?[\da-z]){1,4}|cine\s?\d{3,4}"),
    # LOGIQ prints the label behind the number, and the second picture's number behind that: the
    # same one, as 33P19 is an ID.
    (
        _MEASURE,
        r"(?P<own>[1-9]\d{1,2})(?:cg|dr|g|p)(?:(?P=own))?|(?P<rate>\d{2,3})f(?P=rate)|\d{1,2}cm\d{1,2}cm",
    ),
    (_MEASURE, r"power\s?[:=]?\s?[+-]?\d{1,3}\s?(?:%|db)"),
    # A caliper's number, glued to the letter of its distance: 1D 11.42 cm.
    (_MEASURE, rf"[1-9][dla]\s{_NUMBER}\s?(?:cm|mm)"),
    # Where a breast is scanned: on the face of a clock, so far from the nipple.
    (
        _MEASURE,
        r"(?:(?:1[0-2]|[1-9])\s?(?:[:;]\s?[03]0|o'?\s?clock)\s?)?(?:n\s?\+\s?\d(?:\s?cm)?|\d{1,2}(?:[.,]\d)?\s?cm\s?f\s?n)",
    ),
    (_MEASURE, r"(?:1[0-2]|[1-9])\s?o'?\s?clock"),
    # Alone, or beside anything but a breast, it is a time (`patterns`).
    (_CODE, r"(?:1[0-2]|[1-9])\s?[:;]\s?[03]0"),
    (_MEASURE, r"[abv]?\d{1,3}(?:[.,]\d)?\s?°"),
    (_MEASURE, rf"\(?{_DECIMAL}\s?-\s?{_DECIMAL}\)?"),
    # Ratios of waves and volumes, and tissue velocities.
    (_CODE, r"(?:[eas]'?/[eas]'?|s/d|qp/qs|la/ao|ao/la|hc/ac|fl/ac|fl/bpd|i/d)"),
    (
        _CODE,
        r"(?:[mab]\s?-?\s?mode|[eas]\s?-?wave|[eas]'|[ab]-lines?|(?:[bs]|hd)-flow|r-r|d-thi|b?\s?res-[a-z])",
    ),
    (_CODE, r"[pcgt]\s+(?:[li1]ow|med|high|off|on|max|gen|pen|res)|p(?:[li1]ow|med|high|max)"),
    (_CODE, r"(?:low|mid|high|peak)\s?dose|(?:peak|post|at)\s(?:stress|exercise|rest)"),
    (_CODE, r"(?:thi|sri|cri|har|tei|xres|xbr|comp|zoom|map|cfm|pw|cw|mb)\s(?:on|off)"),
    (_CODE, r"stage\s?[1-9]|(?:lv|rv|pla|psa|ap)\s?[2-5]\s?ch"),
    (
        _CODE,
        r"ob\s[123]/[123]|[123]/[123]\s?trim(?:ester)?|1st|2nd|3rd"
        r"|(?:har|gen|pen|res|thi)[\s-](?:[hlm]|[li1]ow|mid|high)",
    ),
    (_CODE, r"(?:ti|bi|li)-?rads\s?[0-6][abc]?"),  # scores of the American College of Radiology
    (_CODE, r"tac\s?[1-3]"),  # tissue aberration correction
    (_CODE, r"m/s|mhz|khz|bpm|kpa"),
    ("strong", r"cm/s|mmhg"),  # nobody's initials
    # Transducers: array letters, band in MHz (at most 30), family suffix: C5-1, L12-3, RAB4-8-D,
    # EC9-5/10, M5Sc-D, 9L-D, 6Tc-RS, 4V1c, CA1-7A, SC5-1U.
    (
        _PROBE,
        r"(?:(?:la|sl|ml|vfx?|hfl|hst|l)[1-3]?\d-[12]?\d"  # only linear arrays go beyond 19 MHz
        r"|(?:ec|ev|endo|rab|ric|rm|rna|rsp|ca|pa|cv|sc|sd|sp|vr|ch|er|cf|bp|ip|ea|pe|pm|pn|de|el|mc"
        r"|[csxpvmd])1?\d-1?\d)(?:/\d{1,2})?(?:[a-z]{1,2})?(?:-(?:d|rs|ob|sc))?",
    ),
    (_PROBE, r"(?:ra[bm]|ri[c]|rm|rna|rsp|ic)\d{1,2}(?:-\d{1,2})?-(?:d|rs)"),
    (_PROBE, r"[cl]\d-\d{1,2}-(?:d|rs|vn)|(?:m|s|l|c|v)?\d{1,2}[clstv][1-4]?[cpt]?-(?:d|rs)"),
    (
        _PROBE,
        # Siemens and Samsung: the band's upper end before the letter. No such array has 23V5.
        r"m\d{1,2}s?c?-(?:d|rs)|(?:[2-9]|1[0-2])[cvp][1-7](?:[acw]|hd)?|(?:[5-9]|1\d|2[0-4])l[1-9]\d?(?:[acw]|hd)?"
        r"|i\d[a-z]{2}\d|m[3-6]sc?|m\d{1,2}l",
    ),
    # Fujifilm's by the footprint in millimetres, Esaote's by number: C60x, HFL38xi, LA523.
    (
        _PROBE,
        r"(?:hfl|hsl|sla|slt|rp|rc|[clpd])\d{2}(?:xi|xp|xn|[xnv])(?:/\d{1,2}-\d)?|ic[at]x|(?:ca|la|pa)\d{3}",
    ),
    (_PROBE, r"(?:ust|eup)-[a-z]?\d{2,4}(?:-\d)?[a-z]?"),  # Hitachi, Aloka
    (_PROBE, r"p[cehlsv][tuxi]-\d{2,4}[a-z]{1,3}"),  # Canon: PVT-375BT, PLT-704SBT
    # Who made the table of a gestational age; some are surnames, which stand in parentheses then.
    (_CODE, r"(?:hadlock|(?<=\()(?:jeanty|hansmann|rempen))\s?(?:\d|[789]\d)?"),
    (_PLAIN, r"[acdeghjknpqrtuvxy][1-9]\d?|[mfw][1-9]"),
    (_CODE, r"(?:[bcd]\s)?(?:f\s?)?h\d{1,2}[.,]\d"),
    # C 50, G:62, P 3, F 2.5. Not M 45 and F 45, which are a sex and an age, and no letter that a
    # digit is read as: 1234 cut short is Z34. Aloka's and Hitachi's B behind a colon only.
    (_PLAIN, r"[acdeghknpqrtuvxy]\s?[:=\s]\s?[1-9]\d?|w\s?[:=\s]\s?[1-9]"),
    # b 18.05 is a birthday, T 9.40 a time.
    (_CODE, r"[a-z]\s?[:=]?\s?(?:(?:0|[1-9]\d?)[.,]\d|[0-3][.,]\d\d)"),
    (_CODE, r"[abgp]\s?:\s?(?:\d{1,2}|100%?)|map\s?(?:[a-z]/\d|[a-h])"),
    (_CODE, r"p\s?1/2\s?t"),  # a pressure's half time
    (_MEASURE, r"efw\s?\(?hadlock\s?\d?\)?\s?[1-9]\d{2,3}\s?g"),
    # GE, Siemens and Esaote set two under one label; alone or behind a word, 6/1 is a day.
    (_CODE, r"(?:[slrx]/[apms]|map|cri|sri)\s?[:=]?\s?\d{1,2}(?:/\d{1,2})?"),
    # Voluson and others pair settings: C7 / M7, P6 / E3; Philips sets three: 3/3/4, F/2/3.
    (_CODE, r"[\dfc]\s?/\s?\d\s?/\s?\d"),
    # Two settings of one decimal each: no date, age or number of anyone has two points so.
    (_CODE, rf"{_DECIMAL}(?:\s+{_DECIMAL}){{1,2}}"),
    # The band of a transducer, with its focus: 3.5/2.7-L.
    (_CODE, rf"{_DECIMAL}\s?/\s?{_DECIMAL}(?:\s?-\s?[a-z])?"),
    # Two signs: a scale's tick before the sign of its number. A tick behind it is a separator.
    (_NUMBERS, rf"(?:[+-]|--)?{_UNITLESS}"),
    # B, H, V stand for modes. Not M and F, which are a sex.
    # Nor letters that stand for nothing here.
    (_LETTERS, r"[a-eghilnpr-tvxz]"),
)
_COMPILED: Final = tuple((kind, re.compile(rf"(?:{p}){_END}")) for kind, p in _PIECES)
_WORD: Final = re.compile(r"\d{0,2}[^\W\d_](?:[^\W_]|'(?=[^\W_]))*")
_SEPARATORS: Final = re.compile(r"""[\s~,;:=()\[\]{}/+*<>&%"'.|±@÷_\-–—]+""")
_FOREIGN: Final = re.compile(r"(?<!\S)[%&@]$")
"""Signs that no word begins with, but what letters of other scripts are read as: `LIVER %4`."""
_GLUED: Final = 2
"""Words longer than this may have digits glued to their end."""
_DATED: Final = re.compile(r"\d[.,]\d+$|^\d(?:st|nd|rd)$")
"""A setting with a decimal, or what is counted: b 26.01, 3rd. With a number behind it a day."""
_GLUED_LEVEL: Final = re.compile(r"(?<=[a-z])[1-9]$")
_LOOSE: Final = re.compile(rf"{_NUMBER}\s*\D")
"""A number with one glyph for a unit: behind a number it may be one more group of digits."""
_GLUED_MEASURES: Final = re.compile(
    r"(?<=\d(?:hz|cm|mm|db))(?=\d)|(?<=\dbpm)(?=\d)|(?<=\d)(?=(?:m[i1l]|t[i1l][sbc5])\d)"
)
"""Where a recogniser lost the blank between two measures: 13hz17.0cm, tis1.5mi0.9."""
_GLUED_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where it lost one between two words: OptPen, MedV."""
_GLUED_SIDE: Final = re.compile(r"(?:[rl][tk]|right|left)(?=[a-z]{4,}$)")
"""Where it lost one behind the side of the body: RTKIDNEY."""
_QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "\u2032": "'"})
_BRACKETED: Final = re.compile(r"\[(?:[a-z]|[pc]w|cf)\]")
"""A mode's letter as Samsung prints it before the mode's settings: `[C] 48`."""
_VALUED: Final = frozenset(":=")
SPECKS: Final = " .,;:*'\"|~"
"""What is read into dust beside a number."""
_ZERO: Final = re.compile(r"[\s.,;:*'\"|]*(?:[+~-]{1,2}\s?0|0\s?[~-]{1,2})[\s.,;:*'\"|~]*")
"""A scale's zero with its tick, which english_g2 reads as `~`: unlike a bare number, no age and no
letter. Dust may be read around it."""
_LABELLED: Final = re.compile(
    rf"(?:{_LABELS})\s(?:[+-]?(?:0|[1-9]\d{{0,3}})(?:[.,]\d{{1,3}})?\s*{UNIT}|\d{{1,3}}[.,]\d{{1,2}})"
)
"""A label, and what says by its unit or its decimal that it is measured: an age has neither."""
_LONG: Final = re.compile(r"(?<![\d.,])\d{3}(?![\d.,])")
_SCALE: Final = re.compile(r"(?:[+-]|--)?(?:[1-9]\d{0,2}|0)(?:[.,]\d)?(?:\s?-{1,2})?|0[.,]\d{2}")
"""The number of a scale, with its tick on either side; a ratio in the cell of a table."""


@dataclass(frozen=True, slots=True)
class Clinical:
    """What a line that parsed to its end is made of."""

    measures: int = 0
    """Numbers with a unit or a label that says what they are."""
    probes: int = 0
    """Names of transducers, and of the machine."""
    codes: int = 0
    """Ratios, modes, settings with a decimal or a colon."""
    plain: int = 0
    """A letter and a number: a setting, or a room."""
    numbers: int = 0
    """Bare numbers."""
    strong: int = 0
    """Vocabulary words of four letters and more that are hardly names."""
    short: int = 0
    """Vocabulary words of up to three letters."""
    initials: int = 0
    """Single letters: modes, axes, and the length of an initial."""
    weak: int = 0
    """Vocabulary words that are names or everyday words too."""
    letters: int = 0
    """Letters of the strong and short words together."""
    longest: int = 0
    """Letters of the longest strong word."""
    digits: bool = False
    """Whether any of those words has more than letters: 2D, A4C."""

    @property
    def sufficient(self) -> bool:
        """Whether the pieces make a clinical line: words that are names too need company.

        So do single letters, of words that are hardly initials themselves (Umb A PI 0.9).
        """
        firm = self.strong + self.measures + self.probes
        if self.weak > firm + self.short:
            return False
        measured = bool(self.short and (self.measures or self.probes))
        return self.initials <= max(self.strong + self.short // 2, measured)

    @property
    def emphatic(self) -> bool:
        """Whether it is clinical even where banners live.

        A measurement or a probe is; so are two words of six letters together, more than initials
        have, and one word of seven ("carotid"). One short word may be a name or a ward.
        """
        if self.measures or self.probes:
            return True
        together = self.strong + self.short >= 2 and self.letters >= _TOGETHER
        return together or self.longest >= _ALONE

    @property
    def brief(self) -> bool:
        """Whether it is one or two letters and nothing else: PR, RR, RA are operators too."""
        others = self.numbers or self.codes or self.plain or self.weak or self.digits
        return self.slight and not others and self.letters + self.initials < _SHORTEST

    @property
    def bare(self) -> bool:
        """Whether it is a number and nothing else."""
        return (
            bool(self.numbers)
            and self.slight
            and not (self.codes or self.plain or self.short or self.weak or self.initials)
        )

    @property
    def coded(self) -> bool:
        """Whether it is one short word with a digit in it: A4C. No initials, and no number."""
        others = self.numbers or self.codes or self.plain or self.weak or self.initials
        return self.digits and self.short == 1 and self.letters >= _SHORTEST and not others

    @property
    def worded(self) -> bool:
        """Whether it has a clinical word that is hardly a name, or a setting.

        Less than emphatic: of 10,000 surnames of the US census three pass. Words of two letters
        and bare numbers don't, which may be initials and ages, but a word with a digit does (2D);
        of the initials of three letters that there may be, 275 of 17,576 are words.
        """
        if self.weak:
            return False
        words = self.strong or self.letters > _INITIALS * self.short or self.digits
        return bool(words or self.codes or self.plain)

    @property
    def slight(self) -> bool:
        """Whether it is as short as initials, or a bare number: a neighbour may decide.

        Three settings in a row (5.0 R15 G66 C6) are more than that.
        """
        row = self.codes + self.plain >= _SETTINGS
        return not (self.measures or self.probes or self.strong or row)


_SETTINGS: Final = 3
_SHORTEST: Final = 3
_INITIALS: Final = 2
_TOGETHER: Final = 6
_ALONE: Final = 7


def parse(text: str, known: Vocabulary | None = None) -> Clinical | None:
    """Parse a whole line as clinical pieces.

    Parameters
    ----------
    text : str
        As read; case, accents and letters read for digits don't matter.
    known : Vocabulary, optional
        The words that are clinical; default: the package's own.

    Returns
    -------
    Clinical or None
        None unless every glyph belongs to a piece or stands between two, and bare numbers stand
        beside words ("17 01 26" is no scale) or are a scale's alone.
    """
    folded = ocr.fold(text)
    known = vocabulary() if known is None else known
    found = parse_as_read(folded, known)
    if found is not None and found.sufficient:
        return found
    parted = ocr.fold(_GLUED_WORDS.sub(" ", text))
    for other in (ocr.restore_digits(folded), _GLUED_MEASURES.sub(" ", folded), parted):
        again = parse_as_read(other, known) if other != folded else None
        if again is not None and again.sufficient:
            return again
    bare = folded.strip()
    side = _GLUED_SIDE.match(bare)
    if side is not None:
        again = parse_as_read(bare[side.end() :], known)
        if again is not None and again.strong:
            return replace(again, short=again.short + 1, letters=again.letters + side.end())
    return found


def labels(label: str, value: str) -> bool:
    """Tell whether one text is the label of a measurement, and another its value.

    Parameters
    ----------
    label, value : str
        Two whole lines as read. A value has a unit or a decimal.
    """
    return _LABELLED.fullmatch(f"{ocr.fold(label).strip()} {ocr.fold(value).strip()}") is not None


def parse_as_read(folded: str, known: Vocabulary | None = None) -> Clinical | None:
    """Parse folded text as `parse` does, without turning letters back into digits."""
    plain = _BRACKETED.sub(" 2d ", folded.translate(_QUOTES)).strip()
    return _compose(plain, vocabulary() if known is None else known)


def _compose(folded: str, known: Vocabulary) -> Clinical | None:
    if _ZERO.fullmatch(folded):
        return Clinical(codes=1)
    counts = dict.fromkeys((*(kind for kind, _ in _PIECES), *_OF_WORDS.values()), 0)
    letters = longest = 0
    digits = False
    after_number = unitless = after_value = after_plain = terse = False
    after_day = after_device = False
    ended = position = _skip(folded, 0)
    while position < len(folded):
        kind, end = _piece(folded, position, known)
        piece = folded[position:end]
        between = folded[ended:position]
        glued = _is_glued(between)
        one_more = kind == _NUMBERS and (
            after_number
            or unitless
            or after_day  # b 26.01 89
            or (after_device and len(piece) > 1)  # Siemens 52
            or after_plain  # E96-16, J18 18
            or (after_value and glued)
            or (terse and glued and not _VALUED & {*between})  # LA-45, not MAG:1.0
        )
        dated = kind in (_PLAIN, _LETTERS) and after_number  # 3 V24, 25 a, 61/D
        if (
            not kind
            or one_more
            or dated
            or _FOREIGN.search(between)
            or (after_number and _LOOSE.fullmatch(piece))
        ):
            return None
        if kind == _MEASURE and len(ocr.compact(piece)) < _SHORTEST and piece.isalnum():
            kind = _LETTERS  # 0s, 5g: as short as initials, and read for them
        counts[kind] += 1
        if kind in ("strong", "short"):
            letters += end - position
            digits |= not piece.isalpha()
            longest = max(longest, end - position)
        leveled = kind in _OF_WORDS.values() and _GLUED_LEVEL.search(piece) is not None
        after_number = leveled or kind == _NUMBERS
        unitless = kind == _MEASURE and piece[-1].isdecimal()
        after_value = kind in (_MEASURE, _PROBE)
        after_plain = kind == _PLAIN
        after_day = kind == _CODE and _DATED.search(piece) is not None
        after_device = known.device_end(folded, position) == end
        terse = kind in ("short", _LETTERS)
        ended, position = end, _skip(folded, end)
        if end < len(folded) and position == end:
            return None
    clinical = Clinical(letters=letters, longest=longest, digits=digits, **counts)
    return clinical if _has_body(clinical, folded) else None


def _is_glued(between: str) -> bool:
    """Tell whether signs without a blank stand between two pieces: C5-1/14/3 holds a day."""
    return bool(between) and not between.isspace() and between == between.strip()


def _has_body(clinical: Clinical, folded: str) -> bool:
    """Tell whether there is more than separators, and numbers have company or a scale's form."""
    words = clinical.strong + clinical.short + clinical.weak
    if clinical.numbers and not clinical.measures and _LONG.search(folded):
        return words == 0 and _SCALE.fullmatch(folded.strip(SPECKS)) is not None  # LIVER 924
    if clinical.numbers > 1 and not (words or clinical.measures or clinical.probes):
        return False  # 17/D1/26
    if words or clinical.measures or clinical.probes or clinical.codes or clinical.plain:
        return True
    return clinical.numbers == 1 and _SCALE.fullmatch(folded.strip(SPECKS)) is not None


def _piece(folded: str, position: int, known: Vocabulary) -> tuple[str, int]:
    """Return kind and end of the longest piece that starts at `position`, or an empty kind."""
    end = known.device_end(folded, position)
    if end > position:
        return _PROBE, end
    kind, end = "", known.phrase_end(folded, position)
    if end > position:
        return "strong", end
    word = _WORD.match(folded, position)
    if word is not None:
        spelled = word.group().removesuffix("'s")
        # Qual high2, WMF low1: a level is glued to its word.
        bare = _GLUED_LEVEL.sub("", spelled)
        strength = known.lookup(spelled)
        if strength is None and len(bare) > _GLUED and bare in known:
            strength = known.lookup(bare)
        if strength is not None:
            kind, end = _OF_WORDS[strength], word.end()
    for name, pattern in _COMPILED:
        found = pattern.match(folded, position)
        if found is not None and found.end() > end:
            kind, end = name, found.end()
    return kind, end


def _skip(folded: str, position: int) -> int:
    found = _SEPARATORS.match(folded, position)
    return found.end() if found is not None else position


_OF_WORDS: Final = {
    Strength.STRONG: "strong",
    Strength.SHORT: "short",
    Strength.WEAK: "weak",
}
