"""A last look at an output: every byte accounted for, nothing in it that identifies.

It reads what was written as it is, from the first byte to the last, trusting nothing that the
scrub says. What is found names the element, never the value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from cinescrub.dicom import values
from cinescrub.dicom.audit_pixels import EXTENDED_TABLES, IMAGE_TAGS, audit_pixels, image_of
from cinescrub.dicom.cursor import SearchedCursor, file_blocks, inflated_blocks
from cinescrub.dicom.file_meta import IMPLEMENTATION_CLASS_UID
from cinescrub.dicom.iods import ROOT
from cinescrub.dicom.judge import Judge
from cinescrub.dicom.needles import IN_NATIVE, Needles
from cinescrub.dicom.profile import Profile
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.structure import Encoding, label
from cinescrub.dicom.walker import UnaccountedError, Value, Walker
from cinescrub.errors import InputError
from cinescrub.syntaxes import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE
from cinescrub.types import CineInfo

__all__ = ["audit_file"]

_CLASS, _INSTANCE, _SYNTAX, _IMPLEMENTATION, _VERSION = (
    0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013,
)  # fmt: skip
_OF_ROOT: Final = ((_CLASS, 0x00080016), (_INSTANCE, 0x00080018))
"""What file meta information repeats of the dataset, and where it is there."""
_REMEMBERED: Final = IMAGE_TAGS | {tag for _, tag in _OF_ROOT}
_META: Final = (0x00020000, 0x00020001, _CLASS, _INSTANCE, _SYNTAX, _IMPLEMENTATION, _VERSION)
"""The file meta information that an output has, and all of it (PS3.10 7.1)."""


def audit_file(
    path: Path,
    search: IdentifierSearch,
    *,
    profile: Profile,
    uids: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Walk a written file from byte 0 to its end.

    What is checked: a zero preamble; file meta information with our implementation and nothing
    beyond what the standard requires; every element known to the profile and what the profile
    makes of it; no byte between or after elements; in the pixel data offset table, fragments,
    streams without comments, application data or bytes behind their end, bits above BitsStored,
    padding. Identifiers are searched in every decoded value and in the raw bytes.

    Parameters
    ----------
    path : Path
        A file of ours, finished; only read.
    search : IdentifierSearch
        For the input's identifiers, where it is at hand.
    profile : Profile
        That the scrub applied.
    uids : frozenset of str
        UIDs of the input that were replaced.

    Returns
    -------
    tuple of str
        What was found, a line each; empty for a clean file. After bytes that can't be read no
        further ones are.
    """
    auditor = _Auditor(profile, search, uids)
    found: list[str] = []
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ("not a regular file",)
        found.extend(auditor.findings(descriptor))
    except (UnaccountedError, InputError) as error:
        found.append(error.message)
    finally:
        os.close(descriptor)
    return tuple(dict.fromkeys(found))


_OUR_VERSION: Final = re.compile(r"CINESCRUB_\d[\d.abrcdevpost]{0,5}")
"""What of a version fits into the 16 characters of an SH."""
_NOTHING: Final = Needles(())
MAX_META_BYTES: Final = 1024
"""Three UIDs of ours, two of the standard and a version are under 400 bytes."""


@dataclass(slots=True)
class _Auditor:
    """One file's audit, and what of it is known so far."""

    profile: Profile
    search: IdentifierSearch
    uids: frozenset[str]
    meta: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    """First values of string elements of the root that say what its pixels are."""
    numbers: dict[int, int] = field(default_factory=dict)
    """First values of US elements of the same kind."""

    def findings(self, descriptor: int) -> Iterator[str]:
        header = self.search.needles
        cursor = SearchedCursor(file_blocks(descriptor), header)
        yield from self._container(cursor)
        syntax = self.meta.get(_SYNTAX, "")
        encoding = Encoding(syntax == IMPLICIT_LITTLE, syntax != EXPLICIT_BIG)
        if syntax == DEFLATED:
            if cursor.take_hit(header):
                yield "the raw bytes of the file meta information hold an identifier"
            start, end = cursor.tell(), os.fstat(descriptor).st_size
            if (end - start) % 2:
                yield "the deflated dataset has an odd length"
            cursor = SearchedCursor(inflated_blocks(descriptor, start), header)
        judge = Judge.of(self.profile, self.meta.get(_CLASS, ""), self.search, self.uids)
        walker = Walker(cursor, encoding, judge.private_representation)
        tables = []
        for value in walker.walk():
            if value.tag in EXTENDED_TABLES and value.parent == ROOT:
                tables.append(values.data(value.element))
                continue
            if value.tag in _REMEMBERED and value.parent == ROOT:
                self._remember(value)
            if faults := judge.faults(value):
                yield from faults
        yield from self._identity()
        info = image_of(self.numbers, self.texts, syntax)
        in_pixels = header.no_shorter_than(IN_NATIVE) if info.native else header
        if cursor.take_hit(in_pixels):
            yield "the raw bytes before the pixel data hold an identifier of this file"
        yield from self._pixels(cursor, walker, info, tuple(tables))

    def _pixels(
        self, cursor: SearchedCursor, walker: Walker, info: CineInfo, tables: tuple[bytes, ...]
    ) -> Iterator[str]:
        implicit = walker.implicit
        yield from audit_pixels(cursor, walker.pixels, info, implicit=implicit, extended=tables)
        if cursor.read(1):
            yield "bytes follow the pixel data"
        if cursor.take_hit(_NOTHING):
            yield "the raw bytes of the pixel data hold an identifier of this file"

    def _container(self, cursor: SearchedCursor) -> Iterator[str]:
        head = cursor.read(132)
        if head[128:] != b"DICM":
            raise UnaccountedError("the file has no DICOM prefix")
        if head[:128] != bytes(128):
            yield "the preamble is not zero"
        length = cursor.read(12)
        if length[:8] != b"\x02\0\0\0UL\x04\0":
            raise UnaccountedError("the file meta information has no group length")
        size = int.from_bytes(length[8:], "little")
        if size > MAX_META_BYTES:
            raise UnaccountedError("the file meta information is longer than any of ours")
        walk = Walker(BytesIO(length + cursor.read(size)), Encoding(implicit=False, little=True))
        for value in walk.walk():
            if value.tag in _META[2:]:
                self.meta[value.tag] = "".join(_texts_of(value))
            if value.tag not in _META:
                yield f"{value.place} is in the file meta information"
        yield from self._origin()

    def _origin(self) -> Iterator[str]:
        if self.meta.get(_IMPLEMENTATION) != IMPLEMENTATION_CLASS_UID:
            yield "the file meta information is not of this implementation"
        if not _OUR_VERSION.fullmatch(self.meta.get(_VERSION, "")):
            yield f"{label(_VERSION)} is not ours"
        if not is_registered(self.meta.get(_SYNTAX, "")):
            yield f"{label(_SYNTAX)} is not one of the standard"

    def _identity(self) -> Iterator[str]:
        for tag, of_root in _OF_ROOT:
            if self.meta.get(tag) != self.texts.get(of_root):
                yield f"{label(tag)} is not that of the dataset"

    def _remember(self, value: Value) -> None:
        if value.element.VR == "US":
            self.numbers[value.tag] = values.integer(value.element) or 0
        elif value.element.VR in ("CS", "IS", "UI"):
            self.texts[value.tag] = "".join(_texts_of(value)[:1])


def _texts_of(value: Value) -> tuple[str, ...]:
    vr = str(value.element.VR)
    return values.texts(value.element, vr, value.charset) if vr in values.STRING_VRS else ()
