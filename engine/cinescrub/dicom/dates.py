"""Dates and times moved by one distance: DA, TM and DT together, across midnight, and in text.

All of a patient's dates move by the same amount, so that the time between any two of them stays
what it was (PS3.15 E.3.6, modified dates). Strings in, strings out: nothing here reads a dataset
or knows a patient. What can't be read as a date is None, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

__all__ = ["DateShift", "time_of"]

_DA: Final = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})\.(\d{2})\.(\d{2})")
"""Also the form of ACR-NEMA (PS3.5 6.2, DA)."""
_TM: Final = re.compile(r"(\d{2})(?:(:?)(\d{2})(?:\2(\d{2})(\.\d{1,6})?)?)?")
_DT: Final = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?"
)

# Dates as text has them. A four-digit year is wanted: of 03/04/05 nobody can say what is what.
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_WRITTEN: Final = re.compile(
    r"(?<![\d.])(?:"
    r"(?P<y1>(?:19|20)\d{2})(?P<s1>[-./]?)(?P<m1>\d{2})(?P=s1)(?P<d1>\d{2})"
    r"|(?P<a2>\d{1,2})(?P<s2>[-./])(?P<b2>\d{1,2})(?P=s2)(?P<y2>(?:19|20)\d{2})"
    r"|(?P<d3>\d{1,2})(?P<s3>[-. ])(?P<m3>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?P=s3)(?P<y3>(?:19|20)\d{2})"
    r")(?![\d.]?\d)",
    re.IGNORECASE,
)
_NOON: Final = time(12)
"""A date without a time is moved as if it was noon: it is then at most half a day off, and the
days between two such dates stay exact."""


@dataclass(frozen=True, slots=True)
class DateShift:
    """How far the dates of one patient move.

    Parameters
    ----------
    distance : timedelta
        Whole seconds; negative ones move into the past.
    """

    distance: timedelta

    def move_date(self, value: str, clock: str = "") -> str | None:
        """Return a DA moved, in the form that it had.

        Parameters
        ----------
        value : str
            A DA.
        clock : str
            The TM that belongs to it, if any: moved together, they may cross midnight.

        Returns
        -------
        str or None
            None if it is no date, or would leave the calendar.
        """
        day = _day(value)
        if day is None:
            return None
        moved = self._moved(datetime.combine(day, _clock(clock) or _NOON))
        if moved is None:
            return None
        return moved.strftime("%Y.%m.%d") if "." in value else _da(moved.date())

    def move_time(self, value: str) -> str | None:
        """Return a TM moved, of the precision that it had; over midnight it begins anew."""
        match = _TM.fullmatch(value)
        clock = _clock(value)
        if match is None or clock is None:
            return None
        moved = datetime.combine(date(2000, 1, 2), clock) + self.distance
        _, colon, minute, second, fraction = match.groups()
        parts = [f"{moved.hour:02d}"]
        parts += [f"{moved.minute:02d}"] if minute else []
        parts += [f"{moved.second:02d}"] if second else []
        return (colon or "").join(parts) + (fraction or "")

    def move_datetime(self, value: str) -> str | None:
        """Return a DT moved, of the precision and with the time zone that it had."""
        match = _DT.fullmatch(value)
        if match is None:
            return None
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        # What isn't stated is taken from the middle, as noon is of a day.
        start = int(year), int(month or 7), int(day or 15)
        try:
            moment = datetime(
                *start, int(hour or 12), int(minute or 30), min(int(second or 30), 59)
            )
        except ValueError:
            return None
        moved = self._moved(moment)
        if moved is None:
            return None
        length = len("".join(part for part in (year, month, day, hour, minute, second) if part))
        return f"{moved.year:04d}{moved:%m%d%H%M%S}"[:length] + (fraction or "") + (zone or "")

    def move_text(self, value: str) -> tuple[str, str]:
        """Move the dates in a text.

        Returns
        -------
        moved : str
            The text with its dates moved.
        rest : str
            The text without them, to be searched for what else it holds.
        """
        rest: list[str] = []
        end = 0

        def put(match: re.Match[str]) -> str:
            nonlocal end
            moved = self._written(match)
            if moved is None:
                return match.group()
            rest.append(value[end : match.start()])
            end = match.end()
            return moved

        moved = _WRITTEN.sub(put, value)
        return moved, " ".join([*rest, value[end:]])

    def _written(self, match: re.Match[str]) -> str | None:
        """Return a date of a text moved; None where day and month can't be told apart."""
        part = match.groupdict()
        if part["y1"]:
            day = _calendar(part["y1"], part["m1"], part["d1"])
            form = f"%Y{part['s1']}%m{part['s1']}%d"
        elif part["y3"]:
            day = _calendar(part["y3"], str(_MONTHS.index(part["m3"].lower()) + 1), part["d3"])
            form = f"%d{part['s3']}@{part['s3']}%Y"
        else:
            first, second, separator = int(part["a2"]), int(part["b2"]), part["s2"]
            if first <= 12 and second <= 12 and first != second and separator != ".":
                return None  # dots are day first; of dashes and strokes nobody knows
            american = second > 12
            month, number = (part["a2"], part["b2"]) if american else (part["b2"], part["a2"])
            day = _calendar(part["y2"], month, number)
            form = separator.join(("%m", "%d", "%Y") if american else ("%d", "%m", "%Y"))
        if day is None or (moved := self._moved(datetime.combine(day, _NOON))) is None:
            return None
        month = _MONTHS[moved.month - 1]  # %b would be the locale's
        named = part["m3"] or ""
        month = month.upper() if named.isupper() else month.title() if named.istitle() else month
        return moved.strftime(form).replace("@", month)

    def _moved(self, moment: datetime) -> datetime | None:
        try:
            return moment + self.distance
        except OverflowError:
            return None


@cache
def time_of(tag: int) -> int | None:
    """Return the tag of the TM that belongs to a DA, by their names; None if there is none."""
    keyword = keyword_for_tag(tag)
    partner = tag_for_keyword(keyword.replace("Date", "Time"))
    if partner is None or partner == tag or dictionary_VR(partner) != "TM":
        return None
    return partner


def _day(value: str) -> date | None:
    match = _DA.fullmatch(value)
    if match is None:
        return None
    year, month, day = (part for part in match.groups() if part is not None)
    return _calendar(year, month, day)


def _calendar(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _da(day: date) -> str:
    return f"{day.year:04d}{day:%m%d}"  # %Y has no leading zeros on every platform


def _clock(value: str) -> time | None:
    """Return the time of a TM; what isn't stated is taken from the middle."""
    match = _TM.fullmatch(value)
    if match is None:
        return None
    hour, _, minute, second, _ = match.groups()
    try:
        # A leap second (60) is the last one of its minute.
        return time(int(hour), int(minute or 30), min(int(second or 30), 59))
    except ValueError:
        return None
