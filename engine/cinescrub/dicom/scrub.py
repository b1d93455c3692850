"""The header without its identity: a profile applied to every element at every depth.

A dataset in, a new one out; the input is never changed. Elements that are kept reach the output
as the bytes that were read. Pixel data is not a part of it, and nothing is read or written.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cinescrub import __version__
from cinescrub.dicom import values
from cinescrub.dicom.claims import Claims, stamp
from cinescrub.dicom.dummies import dummy, empty
from cinescrub.dicom.identifiers import MAX_DEPTH, collect
from cinescrub.dicom.profile import Action, Profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.values import DEFAULT_CHARSET, Charset, Stored
from cinescrub.errors import InputError
from cinescrub.policy.identifiers import HeaderIdentifier

__all__ = ["Claims", "ScrubOutcome", "fresh_file_meta", "has_high_bit_overlays", "scrub"]

IMPLEMENTATION_CLASS_UID: Final = "2.25.322079837240431169353701865162251345762"
"""Ours (PS3.7 D.3.3.2), from a random UUID (PS3.5 B.2)."""
IMPLEMENTATION_VERSION: Final = f"CINESCRUB_{__version__}"[:16]

_CHARSET: Final = 0x00080005
_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_ISSUER: Final = 0x00100021
_SIGNED: Final = 0x00280103


@dataclass(frozen=True, slots=True)
class ScrubOutcome:
    """A scrubbed header, and what was done to get it."""

    dataset: Dataset = field(repr=False)
    """Owned by the caller."""
    counts: Mapping[Action, int]
    """Elements by action, at all depths; those inside of something removed aren't counted."""
    unfit: tuple[int, ...]
    """Tags of elements that would have been kept but whose value isn't of their VR."""
    identifiers: tuple[HeaderIdentifier, ...] = field(repr=False)
    """Of the input, for the audit of the output."""
    uids: frozenset[str] = field(repr=False)
    """UIDs of the input that were replaced, for the audit of the output."""

    @property
    def sop_instance_uid(self) -> str:
        """The new SOP Instance UID; nothing if the input had none."""
        return str(self.dataset.get(BaseTag(0x00080018), empty(0x00080018, "UI")).value or "")


def scrub(
    dataset: Dataset, *, profile: Profile, pseudonyms: Pseudonyms, claims: Claims
) -> ScrubOutcome:
    """Return `dataset` without what identifies.

    Parameters
    ----------
    dataset : Dataset
        The header, borrowed and not changed. Pixel data and file meta in it are left out.
    profile : Profile
        What happens to each element.
    pseudonyms : Pseudonyms
        Made with the site's key.
    claims : Claims
        What was done to the pixels; the output says no more than that.

    Returns
    -------
    ScrubOutcome
        Its dataset encodes as the input did, and shares no mutable value with it.

    Raises
    ------
    InputError
        A sequence can't be read, or sequences are nested deeper than `MAX_DEPTH`.
    """
    identifiers = collect(dataset)
    implicit, little = dataset.original_encoding
    scrubber = _Scrubber(
        profile,
        pseudonyms,
        IdentifierSearch(identifiers),
        signed=_is_signed(dataset),
        encoding=None if implicit is None or little is None else (implicit, little),
    )
    scrubbed = scrubber.level(dataset, DEFAULT_CHARSET, 0)
    stamp(scrubbed, claims, profile.edition)
    return ScrubOutcome(
        scrubbed,
        MappingProxyType(dict(scrubber.counts)),
        tuple(scrubber.unfit),
        identifiers,
        frozenset(scrubber.uids),
    )


@dataclass(slots=True)
class _Scrubber:
    """One scrub: what it works with, and what it has done so far."""

    profile: Profile
    pseudonyms: Pseudonyms
    search: IdentifierSearch
    signed: bool
    encoding: tuple[bool, bool] | None
    """Implicit VR and little endian, of the output; None for a dataset made in memory."""
    counts: Counter[Action] = field(default_factory=Counter)
    unfit: list[int] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)

    def level(self, source: Dataset, inherited: Charset, depth: int) -> Dataset:
        """Return one dataset, root or item, scrubbed."""
        if depth > MAX_DEPTH:
            raise InputError(f"malformed: sequences are nested deeper than {MAX_DEPTH}")
        charset = values.charset_of(source, inherited)
        result = Dataset(parent_encoding=list(inherited.codecs))
        if self.encoding is not None:  # then pydicom writes raw values as they are
            result.set_original_encoding(*self.encoding, list(charset.codecs))
        undefined = getattr(source, "is_undefined_length_sequence_item", False)
        result.is_undefined_length_sequence_item = undefined
        for key in sorted(source.keys()):
            action, element = self._element(source, int(key), charset, depth)
            self.counts[action] += 1
            if element is not None:
                result[key] = element
        return result

    def _element(
        self, source: Dataset, tag: int, charset: Charset, depth: int
    ) -> tuple[Action, Stored | None]:
        action = self.profile.action(tag)
        if action is Action.REMOVE:
            return action, None
        element = values.stored(source, tag)
        vr = values.representation(element, tag, signed=self.signed)
        if not vr:  # a VR that can hold something else than the attribute does
            return Action.REMOVE, None
        if tag == _CHARSET:
            return self._charset(source)
        if vr == "SQ":
            return self._sequence(element, tag, action, charset, depth)
        if action is Action.KEEP:
            return self._kept(element, tag, vr, charset)
        if action is Action.UID or vr == "UI":  # a dummy of a UID is a UID of ours
            return self._uid(element, tag, vr, charset)
        return action, self._replaced(source, element, tag, vr, action, charset)

    def _charset(self, source: Dataset) -> tuple[Action, Stored | None]:
        """Write the character set anew: as stored, it could hold anything."""
        terms = values.charset_of(source, DEFAULT_CHARSET).terms
        if not terms:
            return Action.REMOVE, None
        value = terms[0] if len(terms) == 1 else list(terms)
        return Action.KEEP, DataElement(_CHARSET, "CS", value)

    def _sequence(
        self, element: Stored, tag: int, action: Action, charset: Charset, depth: int
    ) -> tuple[Action, Stored | None]:
        if action is Action.EMPTY:
            return action, empty(tag, "SQ")
        items = [
            self.level(item, charset, depth + 1) for item in values.items(element, tag, charset)
        ]
        if action is Action.DUMMY:
            # A dummy of a sequence is one item in which every value is one.
            items = [_hollow(item) for item in items[:1]]
        sequence = DataElement(tag, "SQ", Sequence(items))
        # Lengths stay defined or undefined as they were: kept sequences are then the same bytes.
        sequence.is_undefined_length = getattr(element, "is_undefined_length", False)
        return action, sequence

    def _kept(
        self, element: Stored, tag: int, vr: str, charset: Charset
    ) -> tuple[Action, Stored | None]:
        if not (values.fits(element, vr, tag) and values.decoded(element, vr, charset)):
            self.unfit.append(tag)
            return Action.EMPTY, empty(tag, vr)
        if vr == "UI" and any(
            self.search.finds_in_uid(uid) and not is_registered(uid)
            for uid in values.texts(element, vr, charset)
        ):
            return self._uid(element, tag, vr, charset)
        if (
            vr != "UI"
            and vr in values.STRING_VRS
            and any(self.search.finds(text, vr, tag) for text in values.texts(element, vr, charset))
        ):
            return Action.CLEAN, empty(tag, vr) if vr in ("DS", "IS") else dummy(tag, vr)
        if vr in values.BULK_VRS and self.search.finds_in_bytes(values.data(element)):
            return Action.CLEAN, None
        return self._as_stored(element, tag, vr)

    def _as_stored(self, element: Stored, tag: int, vr: str) -> tuple[Action, Stored | None]:
        """Return the same value in an element of the output's encoding."""
        if not isinstance(element, RawDataElement):
            value = copy.deepcopy(element.value)
            return Action.KEEP, DataElement(tag, vr, value, already_converted=True)
        implicit, little = self.encoding or (element.is_implicit_VR, element.is_little_endian)
        swapped = element.is_little_endian != little or (element.VR == "UN" and not little)
        if swapped and vr not in values.STRING_VRS:
            # Numbers of a UN sequence in a big-endian file: the byte order is another, and of
            # the values of a sequence item nobody can say what they were.
            self.unfit.append(tag)
            return Action.EMPTY, empty(tag, vr)
        raw = element._replace(VR=vr, is_implicit_VR=implicit, is_little_endian=little)
        return Action.KEEP, raw

    def _uid(
        self, element: Stored, tag: int, vr: str, charset: Charset
    ) -> tuple[Action, Stored | None]:
        if vr != "UI":
            return Action.REMOVE, None
        old = [uid for uid in values.texts(element, vr, charset) if uid]
        new = [self.pseudonyms.uid(uid) for uid in old]
        self.uids.update(before for before, after in zip(old, new, strict=True) if before != after)
        if not new:
            return Action.UID, empty(tag, vr)
        return Action.UID, DataElement(tag, vr, new[0] if len(new) == 1 else new)

    def _replaced(
        self, source: Dataset, element: Stored, tag: int, vr: str, action: Action, charset: Charset
    ) -> DataElement:
        """Return a pseudonym, a dummy or nothing; what was empty stays empty."""
        value = "".join(values.texts(element, vr, charset)[:1])
        if tag in (_PATIENT_NAME, _PATIENT_ID):
            pseudonym = self._subject(source, tag, value, charset)
            return DataElement(tag, vr, pseudonym) if pseudonym else empty(tag, vr)
        if action is Action.EMPTY or values.is_empty(element, vr):
            return empty(tag, vr)
        return dummy(tag, vr)

    def _subject(self, source: Dataset, tag: int, value: str, charset: Charset) -> str:
        issuer = self._text(source, _ISSUER, charset)
        if tag == _PATIENT_ID:
            return self.pseudonyms.patient_id(value, issuer)
        identity = self._text(source, _PATIENT_ID, charset)
        return self.pseudonyms.name(value, patient_id=identity, issuer=issuer)

    def _text(self, source: Dataset, tag: int, charset: Charset) -> str:
        if tag not in source:
            return ""
        return "".join(values.texts(values.stored(source, tag), "LO", charset)[:1])


def _hollow(item: Dataset) -> Dataset:
    """Return an item whose every value is a dummy; UIDs are ours already."""
    hollow = Dataset()
    for key in sorted(item.keys()):
        element = values.stored(item, int(key))
        vr = str(element.VR)
        if vr == "SQ" and isinstance(element, DataElement):
            hollow[key] = DataElement(key, vr, Sequence([_hollow(i) for i in element.value[:1]]))
        elif vr == "UI" or int(key) == _CHARSET:
            hollow[key] = element
        else:
            hollow[key] = (
                empty(int(key), vr) if values.is_empty(element, vr) else dummy(int(key), vr)
            )
    return hollow


def _is_signed(dataset: Dataset) -> bool:
    if _SIGNED not in dataset:
        return False
    return values.integer(values.stored(dataset, _SIGNED)) == 1


def has_high_bit_overlays(dataset: Dataset) -> bool:
    """Whether an overlay lies in unused bits of the pixels (retired; PS3.5 8.1.2 note).

    The scrub can't reach those: the pixels have to be cleared above BitsStored, or refused.
    """
    for group in range(0x6000, 0x6100, 2):
        allocated, position, data = (group << 16 | element for element in (0x0100, 0x0102, 0x3000))
        if position in dataset and values.integer(values.stored(dataset, position)) != 0:
            return True
        if allocated in dataset and data not in dataset:
            return True
    return False


def fresh_file_meta(*, sop_class: str, sop_instance: str, transfer_syntax: str) -> FileMetaDataset:
    """Return file meta information with what PS3.10 7.1 requires and nothing else.

    The input's is not read: its application entity titles, presentation addresses and private
    information name the site.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta
