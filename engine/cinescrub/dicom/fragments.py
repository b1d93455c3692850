"""Encapsulated pixel data: which bytes of the file are which frame (PS3.5 A.4).

Works on a positional reader, so that finding 100,000 frames maps nothing and holds two integers
a fragment. Nothing is decoded; a few bytes at the ends of fragments are looked at, and only where
their number doesn't settle which belong together.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, pairwise
from typing import TypeAlias

from cinescrub.errors import InputError
from cinescrub.syntaxes import COMPRESSED, RLE

__all__ = ["Coding", "FrameIndex", "OffsetTable", "ReadAt", "coding_of", "index_frames"]

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""`read(offset, length)`; short at the end of the file."""

MAX_FRAGMENTS = 4_000_000
"""Fragments that are indexed: 64 MiB of offsets. Real files have one or a few a frame."""

_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_END = struct.pack("<HH", 0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF


class Coding(StrEnum):
    """How the start and end of a compressed frame can be told."""

    JPEG = "JPEG"
    """JPEG and JPEG-LS: SOI and the 0xFF of the next marker, EOI (ISO/IEC 10918-1 B.1.1.3)."""
    J2K = "JPEG 2000"
    """JPEG 2000 and HTJ2K: SOC and SIZ, EOC (ISO/IEC 15444-1 A.4)."""
    RLE = "RLE"
    """Each frame is exactly one fragment (PS3.5 A.4.2)."""
    OTHER = "other"
    """No marker that is known here."""


_STARTS = {Coding.JPEG: b"\xff\xd8\xff", Coding.J2K: b"\xff\x4f\xff\x51"}
_STOP = b"\xff\xd9"  # EOI and EOC are the same two bytes


def coding_of(transfer_syntax: str) -> Coding:
    """Return how frames of `transfer_syntax` (a UID) can be told apart."""
    if transfer_syntax == RLE:
        return Coding.RLE
    family, _, number = transfer_syntax.rpartition(".")
    if f"{family}." != COMPRESSED or not number.isdigit():
        return Coding.OTHER
    if 50 <= int(number) <= 81:
        return Coding.JPEG
    if 90 <= int(number) <= 93 or 201 <= int(number) <= 203:
        return Coding.J2K
    return Coding.OTHER


@dataclass(frozen=True, slots=True)
class OffsetTable:
    """The Extended Offset Table (7FE0,0001) and its lengths (7FE0,0002), PS3.3 C.7.6.3.1.8."""

    offsets: Sequence[int]
    lengths: Sequence[int]


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the fragments of each frame lie. Owns its arrays."""

    starts: Sequence[int]
    """Offset of each fragment's bytes in the file."""
    lengths: Sequence[int]
    """Length of each fragment as declared; there are no empty ones."""
    first: Sequence[int]
    """frames + 1 entries: the fragment that each frame begins with, and their number."""
    end: int
    """Offset after the last fragment."""
    notes: tuple[str, ...] = ()
    """What was tolerated; no PHI."""

    def __len__(self) -> int:
        return len(self.first) - 1

    def pieces(self, frame: int) -> list[tuple[int, int]]:
        """Return (offset, length) of the fragments of `frame`, in order."""
        held = range(self.first[frame], self.first[frame + 1])
        return [(self.starts[i], self.lengths[i]) for i in held]


@dataclass(frozen=True, slots=True)
class _Fragments:
    table: Sequence[int]
    """Entries of the Basic Offset Table; empty where it is."""
    starts: Sequence[int]
    lengths: Sequence[int]
    end: int
    closed: bool
    """Whether the sequence delimiter is there."""

    def __len__(self) -> int:
        return len(self.starts)


def index_frames(
    read: ReadAt,
    start: int,
    frames: int,
    coding: Coding,
    extended: OffsetTable | None = None,
) -> FrameIndex:
    """Find the fragments of every frame.

    One fragment a frame needs no table. Otherwise a table that fits the fragments decides, and
    without one the markers at the fragments' ends do. A table that doesn't fit is noted and not
    used: what is then ambiguous is refused.

    Parameters
    ----------
    read : callable
        Positional reader of the file.
    start : int
        Offset of the value of Pixel Data: its first item.
    frames : int
        As declared, at least 1.
    coding : Coding
        What the fragments hold.
    extended : OffsetTable, optional
        The Extended Offset Table, if the header has one.

    Raises
    ------
    InputError
        Truncated, not items, or fragments that don't match the declared frames.
    """
    found = _scan(read, start)
    table, notes = _table(found, frames, extended)
    if not found.closed:
        _refuse_cut_stream(read, found, coding)
        notes.append("no sequence delimiter after the last fragment")
    first = _group(read, found, frames, coding, table)
    return FrameIndex(found.starts, found.lengths, first, found.end, tuple(notes))


def _scan(read: ReadAt, start: int) -> _Fragments:
    """Step over all items; O(1) memory besides the offsets. Empty fragments are left out."""
    tag, length = _item(read, start)
    if tag != _ITEM:
        raise InputError("encapsulated pixel data has no items")
    if length > 4 * MAX_FRAGMENTS:
        raise InputError("truncated or wrong: the basic offset table is longer than any real one")
    raw = _whole(read, start + 8, length, "the basic offset table")
    table = struct.unpack(f"<{length // 4}L", raw) if length % 4 == 0 else ()
    starts, lengths = array("Q"), array("Q")
    at = start + 8 + length
    for number in count():
        tag, length = _item(read, at)
        if tag != _ITEM:
            break
        if length == _UNDEFINED:
            raise InputError(f"fragment {number} has undefined length")
        if number == MAX_FRAGMENTS:
            raise InputError(f"more than {MAX_FRAGMENTS} fragments: refused as a memory bomb")
        if length:
            _whole(read, at + 8 + length - 1, 1, f"fragment {number}")
            starts.append(at + 8)
            lengths.append(length)
        at += 8 + length
    if tag not in (_END, b""):
        raise InputError(f"truncated or wrong length: no item after fragment {number - 1}")
    return _Fragments(table, starts, lengths, at, closed=tag == _END)


def _item(read: ReadAt, at: int) -> tuple[bytes, int]:
    """Return tag and length of the item at `at`; an empty tag at the end of the file."""
    raw = read(at, 8)
    if not raw:
        return b"", 0
    if len(raw) < 8:
        raise InputError("truncated: the file ends inside the encapsulated pixel data")
    return raw[:4], int.from_bytes(raw[4:], "little")


def _whole(read: ReadAt, at: int, length: int, what: str) -> bytes:
    raw = read(at, length) if length else b""
    if len(raw) < length:
        raise InputError(f"truncated: the file ends inside {what}")
    return raw


def _table(
    found: _Fragments, frames: int, extended: OffsetTable | None
) -> tuple[list[int] | None, list[str]]:
    """Return the first fragment of each frame by the tables, if one fits, and what doesn't."""
    notes: list[str] = []
    if extended is not None:
        first = _resolve(found, frames, extended.offsets)
        if first is not None and _lengths_fit(found, first, extended.lengths):
            return first, notes
        notes.append("the extended offset table does not fit the fragments and was not used")
    if len(found.table):
        first = _resolve(found, frames, found.table)
        if first is not None:
            return first, notes
        notes.append("the basic offset table does not fit the fragments and was not used")
    return None, notes


def _resolve(found: _Fragments, frames: int, offsets: Sequence[int]) -> list[int] | None:
    """Return fragment numbers for `offsets`, None if one isn't the start of a fragment."""
    if len(offsets) != frames or not len(found) or offsets[0] != 0:
        return None
    origin = found.starts[0]
    first = []
    for offset in offsets:
        at = bisect_left(found.starts, origin + offset)
        if at == len(found) or found.starts[at] != origin + offset:
            return None
        first.append(at)
    if any(a >= b for a, b in pairwise(first)):
        return None
    return [*first, len(found)]


def _lengths_fit(found: _Fragments, first: list[int], lengths: Sequence[int]) -> bool:
    """Whether each frame is one fragment of the length stated, padded to even (PS3.5 A.4)."""
    if len(lengths) != len(first) - 1 or len(found) != len(lengths):
        return False
    return all(0 <= found.lengths[i] - length <= 1 for i, length in enumerate(lengths))


def _group(
    read: ReadAt, found: _Fragments, frames: int, coding: Coding, table: list[int] | None
) -> Sequence[int]:
    """Return the first fragment of each frame, and the number of fragments."""
    if len(found) == frames:
        return range(frames + 1)
    if len(found) < frames:
        raise InputError(
            f"fragments do not match frames: {len(found)} for {frames} declared frames"
        )
    if coding is Coding.RLE:
        raise InputError(
            f"fragments do not match frames: {len(found)} in RLE, which has one a frame,"
            f" for {frames} declared frames"
        )
    if coding in _STARTS:
        return _by_marker(read, found, frames, coding, table)
    if table is None and frames > 1:
        raise InputError("fragments do not match frames and there is no offset table that fits")
    return table if table is not None else [0, len(found)]


def _by_marker(
    read: ReadAt, found: _Fragments, frames: int, coding: Coding, table: list[int] | None
) -> list[int]:
    """Group fragments by the markers at their ends, in agreement with a table if there is one.

    A start marker behind an end marker starts a frame for certain. Behind a stream without its
    end it starts one if the table says so, or if that gives the declared number of frames.
    """
    start = _STARTS[coding]
    certain, likely = [], []
    tail = _STOP
    for i, (at, length) in enumerate(zip(found.starts, found.lengths, strict=True)):
        if read(at, min(length, len(start))) == start:
            likely.append(i)
            if _ends(tail):
                certain.append(i)
        elif i == 0:
            raise InputError(f"the first fragment does not start a {coding} stream")
        tail = (tail + read(at + max(length - 3, 0), min(length, 3)))[-3:]
    for first in (certain, likely) if table is None else (table[:-1],):
        if len(first) == frames and set(certain) <= set(first) <= set(likely):
            return [*first, len(found)]
    raise InputError(
        f"fragments do not match frames: {len(found)} fragments hold {len(certain)}"
        f" {coding} streams for {frames} declared frames"
    )


def _refuse_cut_stream(read: ReadAt, found: _Fragments, coding: Coding) -> None:
    """Refuse a file that ends without a delimiter and without the end of its last stream."""
    if len(found) and coding in _STARTS:
        at, length = found.starts[-1], found.lengths[-1]
        if not _ends(read(at + max(length - 3, 0), min(length, 3))):
            raise InputError("truncated: the last frame and the sequence delimiter are cut off")


def _ends(tail: bytes) -> bool:
    """Whether `tail`, the last bytes so far, is the end marker, one byte of padding allowed."""
    return tail.endswith(_STOP) or tail == _STOP + b"\0"
