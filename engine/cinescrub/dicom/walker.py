"""An output read byte by byte by the standard's encoding rules alone (PS3.5 7, PS3.10 7).

It shares no reader with the rest: what pydicom or `structure` would pass over, this stops at. An
output is ours, so every rule is strict; what differs is an `UnaccountedError`. It judges no value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from cinescrub.dicom.charset import DEFAULT_CHARSET, Charset, charset_of_terms
from cinescrub.dicom.structure import Encoding, label
from cinescrub.dicom.values import CHARSET_TAG, Stored, dictionary_vr, texts
from cinescrub.errors import ScrubError

__all__ = ["PIXEL_DATA", "Cursor", "Level", "UnaccountedError", "Value", "Walker"]

PIXEL_DATA: Final = 0x7FE00010
UNDEFINED: Final = 0xFFFFFFFF
MAX_DEPTH: Final = 32
MAX_VALUE_BYTES: Final = 1 << 26
"""Longer values than 64 MiB aren't in a header of ours: `header.MAX_HEADER_BYTES`."""

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SHORT_VRS: Final = frozenset(
    {*("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO")}
    | {*("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")}
)
_LONG_VRS: Final = frozenset(
    ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]
)
"""VRs with a length of 32 bits after two zero bytes (PS3.5 table 7.1-1)."""
_SHORT: Final = {vr.encode(): vr for vr in _SHORT_VRS}
_LONG: Final = {vr.encode(): vr for vr in _LONG_VRS}


class UnaccountedError(ScrubError):
    """Bytes of an output that no rule accounts for. The message names the place, never a value."""


class Cursor(Protocol):
    """Bytes from front to end."""

    def tell(self) -> int:
        """Return the offset of the next byte."""

    def read(self, size: int, /) -> bytes:
        """Read `size` bytes; fewer at the end."""


class Value(NamedTuple):  # made for each element: several times as fast as a frozen class
    """An element with its bytes."""

    path: str
    """Tag path of the level, e.g. `(0018,6011)[0]`; nothing at the root."""
    tag: int
    parent: int
    """Tag of the sequence that holds it; 0 at the root."""
    element: Stored
    charset: Charset
    """That holds where the element stands."""
    creator: str = ""
    """Of a private element, the creator of its block (PS3.5 7.8.1); nothing if there is none."""

    @property
    def place(self) -> str:
        """Tag path, e.g. `(0018,6011)[0](0018,6012)`: safe to show: all tags are proven."""
        return _place(self.path, self.tag)


def _place(path: str, tag: int) -> str:
    return f"{path}{label(tag, proven=True)}"


@dataclass(slots=True)
class Level:
    """One dataset, root or item, while it is walked."""

    charset: Charset = DEFAULT_CHARSET
    parent: int = 0
    depth: int = 0
    path: str = ""
    creators: dict[int, str] = field(default_factory=dict)
    """Private creators seen so far, by the tag of their element."""

    def creator(self, tag: int) -> str:
        """Return the creator of a private element's block; nothing if there is none."""
        private = tag >> 16 & 1 and tag & 0xFFFF > 0xFF
        return self.creators.get(tag >> 16 << 16 | tag >> 8 & 0xFF, "") if private else ""

    def note(self, tag: int, element: Stored) -> None:
        """Take from an element what holds for those that follow."""
        if tag == CHARSET_TAG:
            self.charset = charset_of_terms(texts(element, "CS", DEFAULT_CHARSET))
        elif tag >> 16 & 1 and tag & 0xFFFF <= 0xFF:
            self.creators[tag] = "".join(texts(element, "LO", self.charset)[:1])

    def inner(self, tag: int, path: str) -> Level:
        """Return the level of an item of the sequence `tag`."""
        return Level(self.charset, tag, self.depth + 1, path)

    def place(self, tag: int) -> str:
        """Return the tag path of an element of this level."""
        return _place(self.path, tag)

    def value(self, tag: int, element: Stored) -> Value:
        """Return an element of this level."""
        creator = self.creator(tag) if tag >> 16 & 1 else ""
        return Value(self.path, tag, self.parent, element, self.charset, creator)


class Walker:
    """Steps over the elements of a dataset; at the root's pixel data it stops.

    Parameters
    ----------
    cursor : Cursor
        At the first element. Owned while the walk lasts.
    encoding : Encoding
        Of the dataset.
    private : callable, optional
        Returns the VR of a private element in an implicit encoding, given creator and tag.
    """

    def __init__(
        self,
        cursor: Cursor,
        encoding: Encoding,
        private: Callable[[str, int], str] = lambda _creator, _tag: "",
    ) -> None:
        self._private = private
        order = "<" if encoding.little else ">"
        self._cursor = cursor
        self._little = encoding.little
        self.implicit = encoding.implicit
        self._long = struct.Struct(f"{order}L")
        self._explicit = struct.Struct(f"{order}HH2xH")
        self.pixels: tuple[str, int] | None = None
        """VR and length of the root's Pixel Data, whose value is next to be read; None without."""

    def walk(self) -> Iterator[Value]:
        """Yield every element but sequences, at every depth, in the order of the bytes.

        Sequences come before their items, with an empty value.

        Raises
        ------
        UnaccountedError
            A byte is not where the standard has one.
        """
        yield from self._dataset(None, Level())

    def _dataset(self, stop: int | None, level: Level) -> Iterator[Value]:
        """Walk a root or an item, up to `stop` or to its delimiter."""
        if level.depth > MAX_DEPTH:
            raise UnaccountedError(f"{level.path}: sequences nest deeper than {MAX_DEPTH}")
        before = -1
        read, tell = self._cursor.read, self._cursor.tell
        while stop is None or tell() < stop:
            head = read(8)
            if not head and level.depth == 0:
                return
            tag, vr, length = self._head(head, level)
            if tag == _ITEM_END and level.depth and stop is None:
                self._zero(length, level.path)
                return
            if tag <= before:
                raise UnaccountedError(f"{level.path}{label(tag)} is out of order or there twice")
            before = tag
            if level.depth == 0 and tag == PIXEL_DATA:
                self.pixels = (vr, length)
                return
            if vr == "SQ":
                yield level.value(tag, self._raw(tag, vr, b""))
                yield from self._sequence(level.place(tag), tag, length, stop, level)
                continue
            self._check(length, stop, level, tag)
            element = self._raw(tag, vr, self._exactly(length, level, tag))
            if tag == CHARSET_TAG or tag >> 16 & 1:
                level.note(tag, element)
            yield level.value(tag, element)
        if self._cursor.tell() != stop:
            raise UnaccountedError(f"{level.path} has an element that leaves it")

    def _head(self, head: bytes, level: Level) -> tuple[int, str, int]:
        """Return tag, VR and length of an element whose first eight bytes are given."""
        if len(head) < 8:
            place = level.path or "the root"
            raise UnaccountedError(f"{place}: {len(head)} bytes after the last element")
        group, number, length = self._explicit.unpack(head)
        tag = group << 16 | number
        if group == 0xFFFE:
            return tag, "", self._long.unpack_from(head, 4)[0]
        if self.implicit:
            creator = level.creator(tag)
            stated = self._private(creator, tag) if creator else dictionary_vr(tag)
            vr = "US" if "US" in stated else stated[:2] or "UN"
            return tag, vr, self._long.unpack_from(head, 4)[0]
        short = _SHORT.get(head[4:6])
        if short is not None:
            return tag, short, length
        vr = _LONG.get(head[4:6], "")
        if not vr:
            raise UnaccountedError(
                f"{level.path}{label(tag)} has no value representation of the standard"
            )
        if length:
            raise UnaccountedError(f"{level.path}{label(tag)} has bytes in its reserved field")
        return tag, vr, self._long.unpack(self._exactly(4, level, tag))[0]

    def _check(self, length: int, stop: int | None, level: Level, tag: int) -> None:
        """Refuse a length that no value of ours has, or that leaves the item."""
        leaves = stop is not None and self._cursor.tell() + length > stop
        if not (leaves or length % 2 or length > MAX_VALUE_BYTES):
            return
        place = level.place(tag)
        if length == UNDEFINED:
            raise UnaccountedError(f"{place} has undefined length")
        if length % 2:
            raise UnaccountedError(f"{place} has an odd length")
        if length > MAX_VALUE_BYTES:
            raise UnaccountedError(f"{place} is longer than a header's value may be")
        raise UnaccountedError(f"{place} leaves its item")

    def _sequence(
        self, place: str, sequence: int, length: int, outer: int | None, level: Level
    ) -> Iterator[Value]:
        stop = None if length == UNDEFINED else self._cursor.tell() + length
        if stop is not None and outer is not None and stop > outer:
            raise UnaccountedError(f"{place} leaves its item")
        number = 0
        while stop is None or self._cursor.tell() < stop:
            item = level.inner(sequence, f"{place}[{number}]")
            tag, _, size = self._head(self._exactly(8, level, sequence), item)
            if tag == _SEQUENCE_END and stop is None:
                self._zero(size, place)
                return
            if tag != _ITEM:
                raise UnaccountedError(f"{place} has something else than items")
            end = None if size == UNDEFINED else self._cursor.tell() + size
            if end is not None and stop is not None and end > stop:
                raise UnaccountedError(f"{place} has an item that leaves it")
            yield from self._dataset(end, item)
            number += 1
        if self._cursor.tell() != stop:
            raise UnaccountedError(f"{place} has bytes after its last item")

    def _raw(self, tag: int, vr: str, data: bytes) -> RawDataElement:
        return RawDataElement(BaseTag(tag), vr, len(data), data, 0, self.implicit, self._little)

    def _exactly(self, size: int, level: Level, tag: int) -> bytes:
        data = self._cursor.read(size) if size else b""
        if len(data) < size:
            raise UnaccountedError(f"{level.place(tag)} ends with the file")
        return data

    @staticmethod
    def _zero(length: int, place: str) -> None:
        if length:
            raise UnaccountedError(f"{place} has a delimiter with a length")
