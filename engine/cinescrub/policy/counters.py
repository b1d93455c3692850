"""Counters: whether what stands at one place counts the cine's frames, or its time from the start.

`00:01:23` is a time of day until it was seen to count. Owns the form of a counter and the proof;
it knows no places and no pixels: the caller says what was read there in which frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from typing import Final, TypeAlias

from cinescrub.policy import ocr

__all__ = ["counts", "has_form"]

_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,:](\d{1,3}))?")
_SECONDS: Final = re.compile(r"(\d{1,3})[.,](\d{1,3})\s?s(?:ec)?")
_FRAMES: Final = re.compile(
    r"(?:(?:frame|fr|img|image|f)\s?[:#.]?\s?)?(\d{1,4})(?:\s?/\s?(\d{1,4}))?"
)

_SEEN: Final = 4
"""Least number of frames that a counter must have been read in: two points are on a line anyway,
and a third may be by chance."""
_VALUES: Final = 3
"""Least number of different values among them: what stands still counts nothing."""
_MISREAD: Final = Fraction(1, 5)
"""Largest share of readings that may be off, or unreadable."""
_DRIFT: Final = Fraction(1, 10)
"""How far a time may run from the header's frame rate, which is often rounded or a mean."""

Observation: TypeAlias = tuple[int, str]
"""Number of the frame in the cine, from 0, and what was read there."""


def has_form(text: str) -> bool:
    """Tell whether a line has the form of a counter, which may be that of a time of day."""
    folded = ocr.fold(text).strip()
    return any(form.fullmatch(folded) for form in (_TIME, _SECONDS, _FRAMES))


def counts(observed: Sequence[Observation], *, rate: float | None = None) -> bool:
    """Tell whether the readings of one place count the cine's frames or its time from the start.

    Positive evidence only: at least four frames and three values; of the readings, at most a fifth
    may not fit. A number must rise or fall by one a frame; a time must be the frame's own, from
    zero at the cine's first frame: a clock runs as fast, but from another start.

    Parameters
    ----------
    observed : sequence of (int, str)
        Frame number from 0, and what was read there. One reading a frame: the likeliest one.
    rate : float, optional
        Frames a second of the cine as it was recorded. Without it nothing counts time.
    """
    if len({frame for frame, _ in observed}) < _SEEN:
        return False
    known = [(frame, ocr.fold(text).strip()) for frame, text in observed]
    if _fits(known, _frame_offsets):
        return True
    if rate is None or not 0 < rate < float("inf"):
        return False
    exact = Fraction(rate)
    return any(
        _fits(known, partial(_starts, rate=exact, read=read)) and _runs(known, exact, read)
        for read in (_clock, _clock_of_parts, _seconds)
    )


def _fits(observed: Sequence[Observation], keys: Callable[[int, str], Iterable[object]]) -> bool:
    """Tell whether enough readings share a key, and differ among themselves."""
    by_key: dict[object, list[str]] = {}
    for frame, text in observed:
        for key in set(keys(frame, text)):
            by_key.setdefault(key, []).append(text)
    return any(
        len(texts) >= _SEEN
        and len(set(texts)) >= _VALUES
        and len(observed) - len(texts) <= _MISREAD * len(observed)
        for texts in by_key.values()
    )


def _frame_offsets(frame: int, text: str) -> Iterable[object]:
    """Yield what stays the same while a number rises, or falls, by one a frame."""
    found = _FRAMES.fullmatch(text)
    if found is None:
        return ()
    number, of = int(found.group(1)), found.group(2)
    return (("up", number - frame, of), ("down", number + frame, of))


_Reading: TypeAlias = Callable[[str], tuple[Fraction, Fraction] | None]
"""Gives the seconds that a text means and the smallest step it can show, or None."""


def _starts(frame: int, text: str, *, rate: Fraction, read: _Reading) -> Iterable[object]:
    """Yield one key where the time shown is the frame's own."""
    meant = read(text)
    if meant is None:
        return ()
    shown, step = meant
    passed = frame / rate
    return ("start",) if abs(shown - passed) <= step + _DRIFT * passed else ()


def _runs(observed: Sequence[Observation], rate: Fraction, read: _Reading) -> bool:
    """Tell whether the last of the times that are their frames' own is as late as it has to be.

    Else 00:10:57 and 00:11:00, a clock's, may be 10.57 and 11.00 seconds, in frames of about then.
    """
    fitting = [
        (frame, *meant)
        for frame, text in observed
        if (meant := read(text)) is not None and any(_starts(frame, text, rate=rate, read=read))
    ]
    first, last = min(fitting), max(fitting)
    passed = (last[0] - first[0]) / rate
    return abs(last[1] - first[1] - passed) <= 2 * last[2] + _DRIFT * passed


def _clock(text: str) -> tuple[Fraction, Fraction] | None:
    """Read h:mm:ss or m:ss, with decimals."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    first, second, third, decimals = found.groups()
    seconds = int(first) * 60 + int(second)
    if third is not None:
        seconds = seconds * 60 + int(third)
    if decimals is None:
        return Fraction(seconds), Fraction(1)
    return seconds + Fraction(int(decimals), 10 ** len(decimals)), Fraction(1, 10 ** len(decimals))


def _clock_of_parts(text: str) -> tuple[Fraction, Fraction] | None:
    """Read m:ss:cc, the last pair in hundredths."""
    found = _TIME.fullmatch(text)
    if found is None or found.group(3) is None or found.group(4) is not None:
        return None
    seconds = int(found.group(1)) * 60 + int(found.group(2))
    return seconds + Fraction(int(found.group(3)), 100), Fraction(1, 100)


def _seconds(text: str) -> tuple[Fraction, Fraction] | None:
    found = _SECONDS.fullmatch(text)
    if found is None:
        return None
    decimals = found.group(2)
    step = Fraction(1, 10 ** len(decimals))
    return int(found.group(1)) + int(decimals) * step, step
