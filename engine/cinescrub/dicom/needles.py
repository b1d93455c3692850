"""Searching a file's raw bytes for its identifiers, at one cost however many there are.

What is searched for, and what isn't
------------------------------------
Bytes have no words, so chance decides what may count. A form is searched for if it has eight
bytes or more: in compressed pixel data each is there by chance once in 2^64 positions. It is the
value as stored, a name's components in either order with the separators that writers use, the
value without separators, words of a name that the standard itself doesn't use; in ASCII of any
case and without accents, as UTF-16, and in the encodings of its script. Dates are left out: eight
digits are in any UID. In uncompressed pixels grey levels *are* bytes, and a dark noisy area spells
every number: there a form needs twelve bytes. Characters that only rise or only fall (`12345678`)
are a palette's ramp. Shorter forms are the decoded values' to find (`cinescrub.dicom.search`), and
what is drawn in pixels is the inspection's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from functools import cached_property
from itertools import permutations
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.dicom.charset import readings
from cinescrub.dicom.dummies import PLACEHOLDERS
from cinescrub.dicom.standard import everyday_words
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.policy.ocr import fold
from cinescrub.types import PhiKind

__all__ = ["IN_NATIVE", "SHORTEST", "Needles"]

SHORTEST: Final = 8
IN_NATIVE: Final = 12
_LONGEST: Final = 64
"""Longer forms are cut: a PN component group has 64 characters (PS3.5 6.2)."""
_SEPARATORS: Final = ("", " ", "^", ", ", ",", "_", "-", ".")
_ENCODINGS: Final = (
    *("utf-8", "latin-1", "iso8859-2", "iso8859-5", "iso8859-7", "gb18030", "euc-kr"),
    *("shift_jis", "euc-jp", "big5", "utf-16-le", "utf-16-be"),
)


class Needles:
    """Forms of a file's identifiers as bytes.

    Parameters
    ----------
    identifiers : iterable of HeaderIdentifier
        From `identifiers.collect` of the input.
    shortest : int
        Bytes of the shortest form, at least `SHORTEST`.
    """

    def __init__(self, identifiers: Iterable[HeaderIdentifier], shortest: int = SHORTEST) -> None:
        texts = {
            text
            for identifier in identifiers
            for value in _spellings(identifier.value)
            for text in _printed(identifier.kind, value)
        }
        forms = frozenset(form[:_LONGEST] for text in texts for form in _encoded(text))
        self._choose(forms, shortest)
        self._pairs = _table(self._forms)

    def _choose(self, forms: frozenset[bytes], shortest: int) -> None:
        self._forms = frozenset(form for form in forms if len(form) >= shortest)
        # So many whole 16-bit words of a block lie in every form, wherever it starts.
        self._words = (shortest - 1) // 2
        self.overlap = max(map(len, self._forms), default=1) - 1
        """Bytes of the block before that a block has to start with, so that no form is cut."""

    def no_shorter_than(self, shortest: int) -> Needles:
        """Return those of the forms that have `shortest` bytes or more."""
        fewer = copy(self)  # with the tables of all: what they mark too often is compared
        fewer._choose(self._forms, shortest)
        return fewer

    def __len__(self) -> int:
        return len(self._forms)

    def occur_in(self, block: bytes | memoryview) -> bool:
        """Whether one of the forms is in a block, ASCII letters in any case.

        One look-up for each 16-bit word of the block says whether any form has these two bytes.
        Only where it has for as many words in a row as lie in every form, the bytes are compared.
        """
        if not self._forms or len(block) < SHORTEST:
            return False
        words = np.frombuffer(block, "<u2", len(block) // 2)
        if len(words) < self._words:
            return False
        hits: npt.NDArray[np.uint8] = cv2.LUT(words.reshape(1, -1), self._pairs)[0]
        last = len(hits) - self._words + 1
        in_a_row = hits[:last] & hits[1 : last + 1]
        for step in range(2, self._words):
            in_a_row &= hits[step : last + step]
        starts = 2 * in_a_row.nonzero()[0]
        if not len(starts):
            return False
        data = np.frombuffer(block, np.uint8)
        for first in range(0, len(starts), _AT_ONCE):
            some = starts[first : first + _AT_ONCE]
            if len(starts) > _FEW:
                some = some[self._begin(_keys_at(data, some))]
            for at in some.tolist():
                if self._in(bytes(block[max(0, at - self.overlap) : at + _KEY + self.overlap])):
                    return True
        return False

    def _begin(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Tell of each key whether one of the forms has it, at whatever place."""
        places = np.searchsorted(self._keys, keys)
        places[places == len(self._keys)] = 0
        known: npt.NDArray[np.bool_] = self._keys[places] == keys
        return known

    @cached_property
    def _keys(self) -> npt.NDArray[np.uint64]:
        whole = np.frombuffer(b"".join(self._forms), np.uint8)
        # Those across the border of two forms too: what is found is compared in the end.
        return np.sort(_keys_at(whole, np.arange(len(whole) - _KEY + 1)))

    def _in(self, data: bytes) -> bool:
        folded = data.lower()
        return any(map(folded.__contains__, self._forms))


def _keys_at(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return the six bytes at each start as a number, ASCII letters in lower case."""
    keys = np.zeros(len(starts), np.uint64)
    for at in range(_KEY):
        keys |= _LOWER[data[starts + at]].astype(np.uint64) << np.uint64(8 * at)
    return keys


_KEY: Final = 6
"""Bytes that are compared before a whole form is: three words, as the shortest form holds."""
_FEW: Final = 16
"""Candidates, as a header has them, that cost less to compare than keys do to make."""
_AT_ONCE: Final = 1 << 15
"""Candidates that are compared at once: a picture of letters' grey levels has one a word."""
_LOWER: Final = np.frombuffer(bytes(range(256)).lower(), np.uint8)


def _table(forms: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    """Mark every pair of neighbouring bytes of every form, letters in either case."""
    pairs = np.zeros(1 << 16, np.uint8)
    # Joined by what ends none of them: pairs across a border are marked too, and cost nothing.
    lower = b"\0".join(forms)
    both = [np.frombuffer(case, np.uint8).astype(np.uint16) for case in (lower, lower.upper())]
    lows, highs = [case[:-1] for case in both], [case[1:] << 8 for case in both]
    for low in lows:
        for high in highs:
            pairs[low | high] = 1
    return pairs


def _spellings(value: str) -> Iterator[str]:
    """Yield a value as it was read, and as it is written where only ASCII is at hand."""
    for reading in readings(value):
        yield reading
        if not reading.isascii():
            yield fold(reading)


def _printed(kind: PhiKind, value: str) -> Iterator[str]:
    """Yield the texts that a value may stand as among bytes."""
    plain = value.strip("\0 ")
    if kind in (PhiKind.PERSON, PhiKind.STAFF):
        yield from _names(plain)
    elif kind not in (PhiKind.DATE, PhiKind.AGE) and plain.casefold() not in everyday_words():
        yield plain
        yield "".join(c for c in plain if c.isalnum())


def _names(value: str) -> Iterator[str]:
    words = [word for word in value.replace("^", " ").split() if word.casefold() not in _IGNORED]
    for word in words:
        if word.casefold() not in everyday_words():
            yield word
    if len(words) < 2:
        return
    yield value
    for pair in permutations(words[:3], 2):
        for separator in _SEPARATORS:
            yield separator.join(pair)


_IGNORED: Final = PLACEHOLDERS


def _is_ramp(text: str) -> bool:
    """Whether characters only rise or only fall: a palette holds `12345678`, as bytes and words."""
    rising = "".join(sorted(text))
    return text in (rising, rising[::-1])


def _encoded(text: str) -> Iterator[bytes]:
    """Yield a text in every encoding that has it, ASCII letters in lower case.

    Nothing is yielded where its bytes are everyday ones.
    """
    if text.isascii():
        if len(text) < SHORTEST or _is_ramp(text):
            return
        plain = text.lower()
        yield plain.encode("ascii")
        yield "\0".join(plain).encode("ascii")  # in UTF-16 of either byte order
        return
    for encoding in _ENCODINGS:
        try:
            yield text.encode(encoding).lower()
        except UnicodeEncodeError:
            continue
