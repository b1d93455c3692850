"""The forms in which machines print a date, a time and an age, without separators.

Owns the month names, which `patterns` shares. It recognises nothing.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MONTHS", "printed_ages", "printed_dates"]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Abbreviation and name by month, folded: English, German, French, Spanish, Italian, Portuguese,
# Dutch, Swedish, Polish. Consoles print the locale's own; three letters are the rule.
MONTHS: Final[tuple[tuple[str, ...], ...]] = (
    _listed("jan january januar janvier enero ene gennaio gen janeiro januari styczen sty"),
    _listed("feb february februar fevrier fev febrero febbraio fevereiro februari luty"),
    _listed("mar march marz mrz mars marzo marco maart mrt marzec"),
    _listed("apr april avril avr abril abr aprile kwiecien kwi"),
    _listed("may mai mayo maggio mag maio mei maj"),
    _listed("jun june juni juin junio giugno giu junho czerwiec cze"),
    _listed("jul july juli juillet juil julio luglio lug julho lipiec lip"),
    _listed("aug august aout agosto ago augustus augusti sierpien sie"),
    _listed("sep sept september septembre septiembre settembre setembro set wrzesien wrz"),
    _listed("oct october oktober okt octobre octubre ottobre ott outubro out pazdziernik"),
    _listed("nov november novembre noviembre novembro listopad lis"),
    _listed("dec december dezember dez decembre diciembre dic dicembre dezembro grudzien"),
)

_ROMAN: Final = _listed("i ii iii iv v vi vii viii ix x xi xii")
_ORDINALS: Final = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}

_DATE: Final = 8
_TIME: Final = 6
# Under six glyphs ("1126" for 1 January 2026) a form is a measurement's; `patterns` finds these
# by their separators.
_SHORTEST: Final = 6


def printed_dates(value: str) -> set[str]:
    """Return the compact forms of a DA (YYYYMMDD), TM (HHMMSS.F) or DT value.

    Parameters
    ----------
    value : str
        As stored (PS3.5 6.2), also with the separators of old writers.

    Returns
    -------
    set of str
        Folded, letters and digits only; empty where the value is none of the three.
    """
    digits = "".join(c for c in value.partition(".")[0] if c.isascii() and c.isdigit())
    if "." in value and len(digits) < _TIME:  # 2002.05.26, the form of ACR-NEMA
        digits = "".join(c for c in value if c.isascii() and c.isdigit())
    forms: set[str] = set()
    if len(digits) == _TIME:
        forms |= _times(digits)
    if len(digits) >= _DATE:
        forms |= _dates(digits[:_DATE])
        forms |= _times(digits[_DATE : _DATE + _TIME])
    return {form for form in forms if len(form) >= _SHORTEST}


def printed_ages(value: str) -> set[str]:
    """Return the compact forms of an AS value: `045Y` is also 45y, 45yr, 45years, 45yo."""
    digits, unit = value.strip()[:-1], value.strip()[-1:].lower()
    if not digits.isdecimal() or unit not in "ymwd":
        return set()
    endings = {"y": ("y", "yr", "yrs", "yo", "year", "years"), "m": ("m", "mo", "months")}
    spellings = endings.get(unit, (unit,))
    return {number + end for number in (digits, str(int(digits))) for end in spellings}


def _dates(digits: str) -> set[str]:
    year, month, day = digits[:4], digits[4:6], digits[6:]
    if not 1 <= int(month) <= len(MONTHS):
        return {digits}
    days, months = {day, str(int(day))}, {month, str(int(month))}
    forms: set[str] = set()
    for y in (year, year[2:]):
        for d in days:
            for m in months:
                forms |= {y + m + d, d + m + y, m + d + y}
            for name in (*MONTHS[int(month) - 1], _ROMAN[int(month) - 1]):
                forms |= {d + name + y, name + d + y, y + name + d}
    nth = str(int(day)) + _ORDINALS.get(int(day), "th")
    for name in MONTHS[int(month) - 1][:2]:  # the English ones
        forms |= {nth + name + year, nth + "of" + name + year, name + nth + year}
    for in_year, in_month in ("年月", "년월"):  # Chinese and Japanese, Korean
        forms |= {f"{year}{in_year}{m}{in_month}{d}" for m in months for d in days}
    return forms


def _times(digits: str) -> set[str]:
    if len(digits) < _TIME or int(digits[:2]) > 23:
        return set()
    hour, rest = int(digits[:2]), digits[2:]
    twelve = hour % 12 or 12
    half = "am" if hour < 12 else "pm"
    return {digits} | {h + rest + half for h in (str(twelve), f"{twelve:02d}")}
