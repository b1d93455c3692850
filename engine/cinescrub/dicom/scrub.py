"""The header without its identity: a profile applied to every element at every depth.

A dataset in, a new one out; the input is never changed. Elements that are kept reach the output
as the bytes that were read. Pixel data is not a part of it, and nothing is read or written.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pydicom import Dataset

from cinescrub.dicom import values
from cinescrub.dicom.claims import Claims, stamp
from cinescrub.dicom.cleaning import Cleaning
from cinescrub.dicom.dates import DateShift
from cinescrub.dicom.descriptors import Descriptors, NameModel
from cinescrub.dicom.header import quiet
from cinescrub.dicom.identifiers import collect_with_tags
from cinescrub.dicom.iods import ROOT
from cinescrub.dicom.options import Option
from cinescrub.dicom.outcome import Done, Links, ScrubOutcome
from cinescrub.dicom.profile import Action, Profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrubber import Scrubber
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.values import DEFAULT_CHARSET, Charset
from cinescrub.policy.identifiers import IdentifierMatcher

__all__ = ["Claims", "Done", "Links", "ScrubOutcome", "scrub"]

_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_ISSUER: Final = 0x00100021
_SOP_CLASS: Final = 0x00080016
_INSTANCE: Final = 0x00080018
_STUDY: Final = 0x0020000D
_SIGNED: Final = 0x00280103

_TEXT_OPTIONS: Final = frozenset(
    {Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED, Option.CLEAN_GRAPHICS}
)
"""Options that keep text: they run only where a model reads it."""


def scrub(
    dataset: Dataset,
    *,
    profile: Profile,
    pseudonyms: Pseudonyms,
    claims: Claims,
    names: NameModel | None = None,
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
    names : NameModel, optional
        Scores text for Clean Descriptors. Without it no descriptor is kept, nor the option claimed.

    Returns
    -------
    ScrubOutcome
        Its dataset encodes as the input did, and shares no mutable value with it.

    Raises
    ------
    InputError
        A sequence can't be read, or sequences are nested deeper than `MAX_DEPTH`.
    """
    with quiet():  # once, rather than for each value that pydicom reads
        return _scrub(dataset, profile, pseudonyms, claims, names)


def _scrub(
    dataset: Dataset,
    profile: Profile,
    pseudonyms: Pseudonyms,
    claims: Claims,
    names: NameModel | None,
) -> ScrubOutcome:
    parsed: values.Parsed = {}
    found = collect_with_tags(dataset, parsed)
    charset = values.charset_of(dataset, DEFAULT_CHARSET)
    rules = profile.for_object(values.first_text(dataset, _SOP_CLASS, charset))
    hidden = tuple(
        identifier
        for identifier, tags in found.items()
        if not any(rules.decide(tag, None).action is Action.KEEP for tag in tags)
    )
    implicit, little = dataset.original_encoding
    patient = _identity(dataset, charset)
    search = IdentifierSearch(hidden)
    moves = Option.RETAIN_MODIFIED_DATES in profile.options
    shift = DateShift(pseudonyms.shift(*patient)) if moves else None
    cleans = names is not None and bool(profile.options & _TEXT_OPTIONS)
    descriptors = None
    if names is not None and cleans:
        descriptors = Descriptors(search, IdentifierMatcher(hidden), names, shift)
    cleaning = Cleaning(pseudonyms, shift, descriptors)
    renamed: frozenset[str] = frozenset()
    while True:
        scrubber = Scrubber(
            rules,
            profile.options,
            pseudonyms,
            search,
            cleaning,
            parsed,
            renamed,
            signed=_is_signed(dataset),
            encoding=None if implicit is None or little is None else (implicit, little),
        )
        scrubbed = scrubber.level(dataset, DEFAULT_CHARSET, 0, ROOT)
        # A class named by a UID that stands for an instance elsewhere is no class: once more.
        clashing = scrubber.classes & scrubber.uids.keys()
        if not clashing or Option.RETAIN_UIDS in profile.options:
            break
        renamed |= clashing
    stamp(scrubbed, claims, profile, profile.options - (set() if cleans else _TEXT_OPTIONS))
    absent = cleaning.still_hidden(hidden)
    return ScrubOutcome(
        scrubbed,
        MappingProxyType(scrubber.done),
        tuple(scrubber.unfit),
        tuple(found),
        absent,
        search if absent is hidden else IdentifierSearch(absent),
        # With UIDs retained, one that is replaced somewhere may well be kept elsewhere.
        frozenset() if Option.RETAIN_UIDS in profile.options else frozenset(scrubber.uids),
        Links(
            (patient[0], patient[1], pseudonyms.patient_id(*patient[:2])),
            values.first_text(dataset, _INSTANCE, charset),
            MappingProxyType(scrubber.uids),
            int(shift.distance.total_seconds()) if shift is not None else None,
        ),
    )


def _identity(dataset: Dataset, charset: Charset) -> tuple[str, str, str]:
    """Return what tells patients apart: ID and issuer; of one without ID, name or study."""
    identity, issuer, name, study = (
        values.first_text(dataset, tag, charset)
        for tag in (_PATIENT_ID, _ISSUER, _PATIENT_NAME, _STUDY)
    )
    name = name or study
    return identity, issuer, "" if identity else name.casefold()


def _is_signed(dataset: Dataset) -> bool:
    if _SIGNED not in dataset:
        return False
    return values.integer(values.stored(dataset, _SIGNED)) == 1
