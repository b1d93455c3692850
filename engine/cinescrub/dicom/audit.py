"""A last look at an output: every byte accounted for, nothing in it that identifies.

It reads what was written as it is, trusting nothing that the scrub says. `audit_file` walks a
file from its first byte to its last; `audit` judges a header in memory by the same rules. What is
found names the element, never the value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom import Dataset

from cinescrub.dicom import values
from cinescrub.dicom.audit_pixels import EXTENDED_TABLES, audit_pixels, image_of
from cinescrub.dicom.claims import STAMPED, own_texts
from cinescrub.dicom.cursor import SearchedCursor, file_blocks, inflated_blocks
from cinescrub.dicom.dummies import is_dummy
from cinescrub.dicom.header import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE, syntax_name
from cinescrub.dicom.iods import ROOT
from cinescrub.dicom.needles import IN_NATIVE, Needles
from cinescrub.dicom.private import is_safe_creator, safe_representation
from cinescrub.dicom.profile import Action, Profile, Rules
from cinescrub.dicom.pseudonym import is_pseudonym
from cinescrub.dicom.scrub import IMPLEMENTATION_CLASS_UID
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.structure import Encoding, label
from cinescrub.dicom.values import (
    BULK_VRS,
    CHARSET_TAG,
    NUMBER_VRS,
    STRING_VRS,
    charset_of,
    data,
    decoded,
    first_text,
    fits,
    is_empty,
    items,
    representation,
    stored,
    texts,
)
from cinescrub.dicom.walker import Level, UnaccountedError, Value, Walker
from cinescrub.errors import InputError, ScrubError
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.types import CineInfo

__all__ = ["audit", "audit_file"]

_PSEUDONYMS: Final = frozenset({0x00100010, 0x00100020})
_SOP_CLASS: Final = 0x00080016
_OURS: Final = "2.25."
_CLASS, _INSTANCE, _SYNTAX, _IMPLEMENTATION, _VERSION = (
    0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013,
)  # fmt: skip
_META: Final = (0x00020000, 0x00020001, _CLASS, _INSTANCE, _SYNTAX, _IMPLEMENTATION, _VERSION)
"""The file meta information that an output has, and all of it (PS3.10 7.1)."""


def audit(
    dataset: Dataset,
    identifiers: Iterable[HeaderIdentifier] | IdentifierSearch,
    *,
    profile: Profile,
    uids: frozenset[str] = frozenset(),
) -> int:
    """Search a scrubbed header for what must not be in it.

    Parameters
    ----------
    dataset : Dataset
        The output's header; borrowed.
    identifiers : iterable of HeaderIdentifier, or IdentifierSearch
        Of the input. How each is judged is said in `cinescrub.dicom.search`.
    profile : Profile
        That the scrub applied.
    uids : frozenset of str
        UIDs of the input that were replaced.

    Returns
    -------
    int
        How many elements were judged.

    Raises
    ------
    ScrubError
        An element is there that the profile removes, or a value holds an identifier.
    InputError
        The dataset can't be read.
    """
    judge = _Judge.of(profile, first_text(dataset, _SOP_CLASS), _search_of(identifiers), uids)
    judged = 0
    for value in _held(dataset, Level()):
        for fault in judge.faults(value):
            raise ScrubError(fault)
        judged += 1
    return judged


def _search_of(identifiers: Iterable[HeaderIdentifier] | IdentifierSearch) -> IdentifierSearch:
    if isinstance(identifiers, IdentifierSearch):
        return identifiers
    return IdentifierSearch(identifiers)


def _held(dataset: Dataset, level: Level) -> Iterator[Value]:
    """Yield the elements of a dataset as a walk over its bytes would."""
    level.charset = charset_of(dataset, level.charset)
    for key in sorted(dataset.keys()):
        tag = int(key)
        place = f"{level.path}{label(tag, proven=True)}"
        element = stored(dataset, tag)
        level.note(tag, element)
        value = level.value(place, tag, element)
        yield value
        if element.VR == "SQ" or representation(element, tag, signed=False) == "SQ":
            for number, item in enumerate(items(element, tag, level.charset)):
                yield from _held(item, level.inner(tag, f"{place}[{number}]"))


def audit_file(
    path: Path,
    identifiers: Iterable[HeaderIdentifier] | IdentifierSearch = (),
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
    identifiers : iterable of HeaderIdentifier, or IdentifierSearch
        Of the input, where it is at hand; or the search for them, where there is one.
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
    auditor = _Auditor(profile, _search_of(identifiers), uids)
    found: list[str] = []
    with path.open("rb") as file:
        try:
            found.extend(auditor.findings(file.fileno()))
        except (UnaccountedError, InputError) as error:
            found.append(error.message)
    return tuple(dict.fromkeys(found))


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
    """First values of the root's string elements."""
    numbers: dict[int, int] = field(default_factory=dict)
    """First values of the root's US elements."""

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
        judge = _Judge.of(self.profile, self.meta.get(_CLASS, ""), self.search, self.uids)
        walker = Walker(cursor, encoding, judge.private_representation)
        tables = []
        for value in walker.walk():
            if value.tag in EXTENDED_TABLES and value.parent == ROOT:
                tables.append(values.data(value.element))
                continue
            self._remember(value)
            yield from judge.faults(value)
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
        if not self.meta.get(_VERSION, "").startswith("CINESCRUB_"):
            yield f"{label(_VERSION)} is not ours"
        if syntax_name(self.meta.get(_SYNTAX, "")) == "private or unknown UID":
            yield f"{label(_SYNTAX)} is not one of the standard"

    def _identity(self) -> Iterator[str]:
        for tag, of_root in ((_CLASS, 0x00080016), (_INSTANCE, 0x00080018)):
            if self.meta.get(tag) != self.texts.get(of_root):
                yield f"{label(tag)} is not that of the dataset"

    def _remember(self, value: Value) -> None:
        if value.parent != ROOT:
            return
        if value.element.VR == "US":
            self.numbers[value.tag] = values.integer(value.element) or 0
        elif value.element.VR in ("CS", "IS", "UI"):
            self.texts[value.tag] = _texts_of(value)[0]


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says of one element what is wrong with it."""

    profile: Profile
    rules: Rules
    search: IdentifierSearch
    uids: frozenset[str]
    own: frozenset[str]
    """What we write ourselves."""

    @classmethod
    def of(
        cls,
        profile: Profile,
        sop_class: str,
        search: IdentifierSearch,
        uids: frozenset[str],
    ) -> _Judge:
        rules, own = profile.for_object(sop_class), own_texts(profile.edition)
        return cls(profile, rules, search, uids, own)

    def private_representation(self, creator: str, tag: int) -> str:
        return safe_representation(creator, tag, None, self.profile.options)

    def faults(self, value: Value) -> Sequence[str]:
        tag, element, parent = value.tag, value.element, value.parent
        if tag >> 16 & 1:
            return self._private_faults(value)
        stamped = tag in STAMPED and parent == ROOT
        action = self.rules.decide(tag, parent).action
        if action is Action.REMOVE and not stamped:
            return (f"{value.place} is still there, which the profile removes",)
        vr = representation(element, tag, signed=element.VR == "SS")
        if not vr:
            return (f"{value.place} has a value representation that can hold anything",)
        if vr == "SQ" or (vr in NUMBER_VRS and fits(element, vr, tag)):
            return ()
        found = texts(element, vr, value.charset) if vr in STRING_VRS else ()
        faults = self._value_faults(value, vr, found)
        if not (stamped or self._is_as_told(action, value, vr, found)):
            faults.insert(0, f"{value.place} has a value that the profile replaces")
        return faults

    def _private_faults(self, value: Value) -> Sequence[str]:
        """Judge a private element: a safe one by its list, or the creator of such."""
        tag, element, options = value.tag, value.element, self.profile.options
        if tag & 0xFFFF <= 0xFF:
            name = "".join(texts(element, "LO", value.charset)[:1])
            safe = "LO" if is_safe_creator(name, tag >> 16, options) else ""
        else:
            stated = None if element.VR is None else str(element.VR)
            safe = safe_representation(value.creator, tag, stated, options)
        if not safe:
            return (f"{value.place} is still there, which the profile removes",)
        if safe == "SQ":
            return ()
        found = texts(element, safe, value.charset) if safe in STRING_VRS else ()
        return self._value_faults(value, safe, found)

    def _value_faults(self, value: Value, vr: str, found: tuple[str, ...]) -> list[str]:
        tag, element = value.tag, value.element
        faults: list[str] = []
        if not (fits(element, vr, tag) and decoded(element, vr, value.charset)):
            faults.append(f"{value.place} has a value that isn't one of its representation")
        for text in found:
            if text not in self.own and self._leaks(text, tag, vr):
                faults.append(f"an identifier of this file is still in {value.place}")
                break
        if vr in BULK_VRS and self.search.finds_in_bytes(data(element)):
            faults.append(f"an identifier of this file is in the bytes of {value.place}")
        return faults

    def _is_as_told(self, action: Action, value: Value, vr: str, found: tuple[str, ...]) -> bool:
        """Whether a value is what the profile's action makes of any."""
        if action is Action.KEEP and vr != "UI":
            return True
        if value.tag == CHARSET_TAG or is_empty(value.element, vr):
            return True
        if vr == "UI" and action not in (Action.KEEP, Action.CLEAN):
            return all(not uid or uid.startswith(_OURS) or is_registered(uid) for uid in found)
        if action not in (Action.EMPTY, Action.DUMMY):
            return True
        if value.tag in _PSEUDONYMS:
            return all(is_pseudonym(text) for text in found)
        return all(is_dummy(text, vr) for text in found)

    def _leaks(self, text: str, tag: int, vr: str) -> bool:
        if is_dummy(text, vr):
            return False
        if vr == "UI":
            if text in self.uids:
                return True
            kept = text and not is_registered(text) and not text.startswith(_OURS)
            return bool(kept) and self.search.finds_in_uid(text)
        if tag in _PSEUDONYMS and is_pseudonym(text):
            return self.search.finds_long(text)  # four letters occur in a random token by chance
        return self.search.finds(text, vr, tag)


def _texts_of(value: Value) -> tuple[str, ...]:
    vr = str(value.element.VR)
    return texts(value.element, vr, value.charset) if vr in STRING_VRS else ()
