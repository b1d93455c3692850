"""Palette colour look-up tables of a header, scaled to 8 bit (PS3.3 C.7.6.3.1.5, C.7.9.2).

Works on the raw bytes of the elements: their VR is ambiguous (US or SS) in implicit encodings and
often wrong in explicit ones, and pydicom would have to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.tag import BaseTag

from cinescrub.dicom.header import raw_element
from cinescrub.dicom.structure import label
from cinescrub.errors import InputError
from cinescrub.types import Palette

__all__ = ["read_palette"]

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2

Words = npt.NDArray[np.int64]


def read_palette(header: Dataset, *, little: bool, signed: bool) -> Palette:
    """Return the palette of a PALETTE COLOR image.

    Parameters
    ----------
    header : Dataset
        Raw elements as read from the file.
    little : bool
        Byte order that they are encoded in.
    signed : bool
        Whether stored pixels are, which the descriptor's first value follows (US or SS).

    Raises
    ------
    InputError
        No tables (a palette by UID is one of these), or tables that contradict each other.
    """
    entries, first, bits = _descriptor(header, little=little, signed=signed)
    channels = [
        _channel(header, plain, segmented, entries, bits, little=little)
        for plain, segmented in zip(_TABLES, _SEGMENTED, strict=True)
    ]
    # Many 16-bit tables hold 8-bit values. All three channels decide together, as a dark picture's
    # blue may alone be low.
    wide = max(int(channel.max()) for channel in channels) > 0xFF
    table = np.stack(channels, axis=1) >> (8 if wide else 0)
    return Palette(np.ascontiguousarray(table.astype(np.uint8)), first)


def _descriptor(header: Dataset, *, little: bool, signed: bool) -> tuple[int, int, int]:
    """Return entries, first stored value mapped and bits of the entries."""
    order = "<" if little else ">"
    found = set()
    for tag in _DESCRIPTORS:
        raw = _bytes(header, tag)
        if len(raw) != 6:
            raise InputError(f"{label(tag)} has to hold three values: no palette")
        entries, first, bits = (int(value) for value in np.frombuffer(raw, f"{order}u2"))
        if signed and first > 0x7FFF:
            first -= 0x10000
        found.add((entries or 0x10000, first, bits))  # 0 stands for 65,536
    if len(found) != 1:
        raise InputError("the palette's descriptors differ between the channels: unsupported")
    entries, first, bits = found.pop()
    if bits not in (8, 16):
        raise InputError(f"the palette's descriptors say {bits} bits: 8 or 16 are allowed")
    return entries, first, bits


def _channel(
    header: Dataset, plain: int, segmented: int, entries: int, bits: int, *, little: bool
) -> Words:
    """Return one channel, (entries,) int64 as stored."""
    if BaseTag(plain) in header:
        raw = _bytes(header, plain)
        if len(raw) > 2 * entries:
            raise InputError(f"{label(plain)} is longer than its descriptor says")
        if len(raw) == 2 * entries:
            values = np.frombuffer(raw, "<u2" if little else ">u2", count=entries)
        elif entries <= len(raw) <= entries + 1 and bits == 8:
            values = np.frombuffer(_eight_bit(header, plain, raw, little=little), "u1", entries)
        else:
            raise InputError(f"{label(plain)} is shorter than its descriptor says")
        return values.astype(np.int64)
    if BaseTag(segmented) not in header:
        raise InputError("PALETTE COLOR without palette tables in the header: unsupported")
    raw = _bytes(header, segmented)
    if bits == 8:
        data: Sequence[int] = _eight_bit(header, segmented, raw, little=little)
    else:
        data = np.frombuffer(raw[: len(raw) & ~1], "<u2" if little else ">u2").tolist()
    values = _expand(data, bits, entries)
    if len(values) != entries:
        raise InputError(f"{label(segmented)} expands to another length than its descriptor says")
    return values


def _bytes(header: Dataset, tag: int) -> bytes:
    element = raw_element(header, tag)
    if element is not None and isinstance(element.value, bytes):
        return element.value
    raise InputError(f"{label(tag)} is missing or empty: no palette")


def _eight_bit(header: Dataset, tag: int, raw: bytes, *, little: bool) -> bytes:
    """Return 8-bit entries in order: in big endian words (VR OW) they are swapped in pairs."""
    element = raw_element(header, tag)
    if little or (element is not None and element.VR == "OB"):
        return raw
    return np.frombuffer(raw[: len(raw) & ~1], ">u2").astype("<u2").tobytes()


@dataclass(slots=True)
class _Curve:
    """A segmented table as lines from value to value; a discrete value is one of length 1."""

    entries: int
    """Values that the table has to have."""
    stops: list[int] = field(default_factory=list)
    """Last value of each line. It starts after the one before."""
    lengths: list[int] = field(default_factory=list)
    total: int = 0

    def add(self, stops: Sequence[int], length: int) -> None:
        if length:
            self.stops += stops
            self.lengths += [length] * len(stops)
            self.total += length * len(stops)

    def values(self) -> Words:
        """Return all values, (total,), rounded to even where they lie between (C.7.9.2.2)."""
        stops, lengths = np.array(self.stops, np.int64), np.array(self.lengths, np.int64)
        starts = np.concatenate([stops[:1], stops[:-1]])
        step = np.arange(1, self.total + 1) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rise = np.repeat(stops - starts, lengths) * step / np.repeat(lengths, lengths)
        return np.rint(np.repeat(starts, lengths) + rise).astype(np.int64)


def _expand(data: Sequence[int], bits: int, entries: int) -> Words:
    """Expand a segmented table, never to more than one segment over `entries` (C.7.9.2)."""
    curve = _Curve(entries)
    _segments(data, 0, None, bits, curve, indirect=True)
    return curve.values()


def _segments(
    data: Sequence[int], at: int, count: int | None, bits: int, out: _Curve, *, indirect: bool
) -> None:
    """Append `count` segments (None: all) from index `at` to `out`."""
    while (count is None or count > 0) and at + 1 < len(data):
        # the table ends at its descriptor's length: what follows is padding to even
        if out.total >= out.entries:
            return
        code, length = data[at], data[at + 1]
        if code == _DISCRETE:
            out.add(data[at + 2 : at + 2 + length], 1)
            at += 2 + length
        elif code == _LINEAR and out.stops and at + 2 < len(data):
            out.add((data[at + 2],), length)
            at += 3
        elif code == _INDIRECT and indirect:
            target, at = _offset(data, at + 2, bits)
            _segments(data, target, length, bits, out, indirect=False)
        else:
            raise InputError("a segmented palette table holds a segment that is not one")
        count = None if count is None else count - 1


def _offset(data: Sequence[int], at: int, bits: int) -> tuple[int, int]:
    """Return the index that an indirect segment points to, and where it ends (C.7.9.2.3).

    The offset is in bytes from the table's start, least significant part first: two 16-bit words
    or four bytes.
    """
    parts = 2 if bits == 16 else 4
    words = data[at : at + parts]
    if len(words) < parts:
        raise InputError("a segmented palette table ends inside a segment")
    offset = sum(word << (bits * i) for i, word in enumerate(words))
    return (offset // 2 if bits == 16 else offset), at + parts
