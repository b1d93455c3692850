"""The structure of an encoded dataset: which elements it has and where, proved without values.

Every length is checked against what is there before anything is read or allocated, so that what
the DICOM reader is given afterwards is known to be whole. Nothing here interprets a value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from cinescrub.errors import InputError

__all__ = [
    "ITEM",
    "PIXEL_TAGS",
    "UNDEFINED",
    "Element",
    "Encoding",
    "elements",
    "label",
    "meta_elements",
]

UNDEFINED = 0xFFFFFFFF
"""The value length that stands for "until the delimiter" (PS3.5 7.1.1)."""

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, Double Float and plain Pixel Data: the header ends before the first of them."""

MAX_DEPTH = 32
"""Nesting that is followed. Structured reports reach about 15; Python's own recursion limit is
far above what this costs."""

MAX_ELEMENTS = 1_000_000
"""Elements at all depths. A 3,000-frame enhanced object with per-frame groups has 150,000."""

ITEM = 0xFFFEE000
"""The tag of a sequence item. In a root it is stray: its sequence's own header is missing."""

_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset(str(vr) for vr in EXPLICIT_VR_LENGTH_32)
_KNOWN = {str(vr).encode(): str(vr) for vr in VR if len(str(vr)) == 2}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a dataset is encoded (PS3.5 annex A)."""

    implicit: bool
    little: bool


class Element(NamedTuple):  # made for each element: several times as fast as a frozen class
    """One element of the root dataset."""

    tag: int
    vr: str
    """Two letters; in implicit encodings the dictionary's, and `UN` for what it doesn't know."""
    length: int
    """Bytes of the value, or `UNDEFINED`."""
    start: int
    """Offset of the tag."""
    value: int
    """Offset of the value."""


@lru_cache(maxsize=1 << 16)
def label(tag: int, *, proven: bool = False) -> str:
    """Return `(gggg,eeee) Keyword`, which is safe to show: it holds no value.

    Of a tag that the dictionary doesn't know nothing is shown unless the structure around it is
    proven: in a malformed file its four bytes can be letters of a value that lies where a tag was
    expected.
    """
    keyword = keyword_for_tag(tag)
    if not keyword and not proven:
        return "an unknown element"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}".rstrip()


def elements(file: BinaryIO, encoding: Encoding, end: int | None) -> Iterator[Element]:
    """Yield the elements of the dataset at the position of `file`, up to and with the pixel data.

    A value is skipped, with everything in it checked, before the next element is yielded.

    Parameters
    ----------
    file : binary file
        Positioned at the first element. Seeks forward only.
    encoding : Encoding
        Encoding of the root.
    end : int or None
        Where the file ends; None where only reading tells (a deflated stream, whose `seek`
        refuses to pass its end).

    Raises
    ------
    InputError
        A length leaves its container, a value representation isn't one, nesting is too deep.
    """
    walker = _Walker(file, encoding.little, end)
    while (element := walker.header(encoding.implicit, end)) is not None:
        yield element
        if element.tag in PIXEL_TAGS:
            return
        walker.skip(element, encoding.implicit, end, depth=0)


def meta_elements(file: BinaryIO, end: int) -> Iterator[Element]:
    """Yield the elements of group 0002, which has an encoding of its own (PS3.10 7.1).

    Parameters
    ----------
    file : binary file
        Positioned at the first one. Seeks forward only.
    end : int
        Where the file ends.

    Raises
    ------
    InputError
        As by `elements`.
    """
    walker = _Walker(file, little=True, end=end)
    while walker.ahead(2) == b"\x02\x00":
        element = walker.header(False, end)
        if element is None:
            return
        yield element
        walker.skip(element, False, end, depth=0)


_WINDOW = 1 << 13
"""Bytes that are read at a time, of a header of as many: a call for each element costs more."""

_ORDERS = {
    little: tuple(struct.Struct(("<" if little else ">") + code) for code in ("HH", "HH2xH", "L"))
    for little in (False, True)
}


class _Walker:
    """Steps over elements, items and fragments. `limit` is the end of the container, if known.

    It reads ahead, and of a stream whose end isn't known no more than an element's header. The
    file's position is its own: only forward, and for a caller to change between two elements.
    """

    def __init__(self, file: BinaryIO, little: bool, end: int | None) -> None:
        self._file = file
        self._end = end
        self._count = 0
        self._tag, self._head, self._long = _ORDERS[little]
        self._at = self._base = file.tell()
        self._window = b""
        self._ahead = 0 if end is None else _WINDOW

    def _take(self, size: int) -> bytes:
        """Read `size` bytes; fewer at the end."""
        start = self._at - self._base
        raw = self._window[start : start + size]
        if len(raw) < size:
            held = self._window[start:]
            self._file.seek(self._at + len(held))
            self._window = held + self._file.read(max(size - len(held), self._ahead))
            self._base = self._at
            raw = self._window[:size]
        self._at += len(raw)
        return raw

    def ahead(self, size: int) -> bytes:
        """Return the next bytes without passing them."""
        raw = self._take(size)
        self._at -= len(raw)
        return raw

    def header(self, implicit: bool, limit: int | None) -> Element | None:
        """Read tag, VR and length; None at the end of the container."""
        start = self._at
        if limit is not None and start >= limit:
            return None
        raw = self._take(8)
        if not raw and limit is None:
            return None
        if len(raw) < 8:
            raise InputError("truncated: the file ends inside an element's header")
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise InputError(f"more than {MAX_ELEMENTS} elements: refused as a memory bomb")
        group, element, length = self._head.unpack(raw)
        tag = group << 16 | element
        if implicit or group == 0xFFFE:  # items and delimiters have no VR in any encoding
            return Element(
                tag, _dictionary_vr(tag), self._long.unpack_from(raw, 4)[0], start, start + 8
            )
        vr = _KNOWN.get(raw[4:6])
        if vr is None:
            raise InputError(f"{label(tag)} has no valid value representation: not as declared")
        if vr not in _LONG:
            return Element(tag, vr, length, start, start + 8)
        more = self._take(4)
        if len(more) < 4:
            raise InputError("truncated: the file ends inside an element's header")
        return Element(tag, vr, self._long.unpack(more)[0], start, start + 12)

    def skip(self, element: Element, implicit: bool, limit: int | None, depth: int) -> None:
        """Pass the value of `element`, checking what it contains."""
        stray = element.tag == ITEM and depth == 0 and element.length != UNDEFINED
        if element.tag >> 16 == 0xFFFE and not stray:
            raise InputError(f"{label(element.tag)} outside of a sequence")
        if element.length != UNDEFINED:  # a stray item too: the caller leaves it out
            inner = self._at + element.length
            if limit is None or inner > limit:
                inner = self._within(element.tag, element.length, limit)
            if element.vr == "SQ":
                self._sequence(inner, implicit, depth + 1)
            else:
                self._at = inner
        elif element.vr in ("SQ", "UN"):
            # UN of undefined length is a sequence: PS3.5 6.2.2 note 4
            self._sequence(None, implicit, depth + 1)
        else:
            self._fragments(element.tag)

    def _within(self, tag: int, length: int, limit: int | None) -> int:
        """Return where a value of `length` ends, if that is inside of `limit`."""
        stop = self._at + length
        bound = self._end if limit is None else limit
        if bound is not None and stop > bound:
            left = bound - self._at
            # The number is shown of known elements only, for the same reason as in `label`.
            declared = f"{length} bytes" if keyword_for_tag(tag) else "more"
            raise InputError(f"truncated: {label(tag)} declares {declared}, {left} are left")
        return stop

    def _item(self) -> tuple[int, int]:
        raw = self._take(8)
        if len(raw) < 8:
            raise InputError("truncated: the file ends inside a sequence")
        group, element = self._tag.unpack_from(raw)
        return group << 16 | element, self._long.unpack_from(raw, 4)[0]

    def _sequence(self, stop: int | None, implicit: bool, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InputError(f"sequences nest deeper than {MAX_DEPTH} levels: refused")
        while stop is None or self._at < stop:
            tag, length = self._item()
            if tag == _SEQUENCE_END:
                break
            if tag != ITEM:
                raise InputError(f"{label(tag)} where a sequence item should start")
            inner = None if length == UNDEFINED else self._within(tag, length, stop)
            self._dataset(inner, implicit or self._looks_implicit(), stop, depth)
        if stop is not None and self._at != stop:
            raise InputError("a sequence item is longer than its sequence")

    def _looks_implicit(self) -> bool:
        """Whether the next item of an explicit dataset is implicit, as in UN (PS3.5 6.2.2)."""
        raw = self.ahead(6)
        is_delimiter = raw[:4] in (self._tag.pack(0xFFFE, 0xE00D), self._tag.pack(0xFFFE, 0xE000))
        return len(raw) == 6 and not is_delimiter and not raw[4:6].isalpha()

    def _dataset(self, stop: int | None, implicit: bool, outer: int | None, depth: int) -> None:
        limit = outer if stop is None else stop
        while stop is None or self._at < stop:
            element = self.header(implicit, limit)
            if element is None:
                raise InputError("truncated: a sequence item has no end")
            if element.tag == _ITEM_END:
                break
            self.skip(element, implicit, limit, depth)
        if stop is not None and self._at != stop:
            raise InputError("an element is longer than its sequence item")

    def _fragments(self, tag: int) -> None:
        """Pass an encapsulated value that is not the root's pixel data, such as an icon's."""
        while True:
            found, length = self._item()
            if found == _SEQUENCE_END:
                return
            if found != ITEM or length == UNDEFINED:
                raise InputError(f"{label(tag)} has undefined length and no items")
            self._at = self._within(tag, length, None)


@lru_cache(maxsize=1 << 16)
def _dictionary_vr(tag: int) -> str:
    """Return the dictionary's VR; of several that are possible the first, `UN` if there is none."""
    if tag >> 16 & 1 or not dictionary_has_tag(tag):
        return "UN"
    return dictionary_VR(tag)[:2]
