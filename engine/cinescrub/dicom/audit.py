"""A last look at a scrubbed header: nothing the profile removes, no identifier of the input.

It reads the output as it is, trusting nothing that the scrub says, and stops the file at the
first hit. A message names the element, never the value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydicom import Dataset

from cinescrub.dicom.claims import STAMPED, own_texts
from cinescrub.dicom.dummies import is_dummy
from cinescrub.dicom.identifiers import walk
from cinescrub.dicom.iods import ROOT
from cinescrub.dicom.private import may_stay
from cinescrub.dicom.profile import Action, Profile, Rules
from cinescrub.dicom.pseudonym import is_pseudonym
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.structure import label
from cinescrub.dicom.values import (
    BULK_VRS,
    DEFAULT_CHARSET,
    STRING_VRS,
    Charset,
    Stored,
    charset_of,
    data,
    first_text,
    items,
    representation,
    stored,
    texts,
)
from cinescrub.errors import ScrubError
from cinescrub.policy.identifiers import HeaderIdentifier

__all__ = ["audit"]

_PSEUDONYMS: Final = frozenset({0x00100010, 0x00100020})
_SOP_CLASS: Final = 0x00080016
_OURS: Final = "2.25."


def audit(
    dataset: Dataset,
    identifiers: Iterable[HeaderIdentifier],
    *,
    profile: Profile,
    uids: frozenset[str] = frozenset(),
) -> int:
    """Search a scrubbed header for what must not be in it.

    Parameters
    ----------
    dataset : Dataset
        The output's header, best as read back from the written file; borrowed.
    identifiers : iterable of HeaderIdentifier
        Of the input. How each is judged is said in `cinescrub.dicom.search`.
    profile : Profile
        That the scrub applied.
    uids : frozenset of str
        UIDs of the input that were replaced.

    Returns
    -------
    int
        How many values were searched.

    Raises
    ------
    ScrubError
        An element is there that the profile removes, or a value holds an identifier.
    InputError
        The dataset can't be read.
    """
    rules = profile.for_object(first_text(dataset, _SOP_CLASS))
    _structure(dataset, profile, rules, ROOT)
    search = IdentifierSearch(identifiers)
    own = own_texts(profile.edition)
    searched = 0
    for tag, vr, element, charset in walk(dataset):
        for text in _texts(element, vr, charset):
            searched += 1
            ours = text in own or is_dummy(text, vr)
            if not ours and _leaks(text, tag, vr, search, uids):
                raise ScrubError(
                    f"an identifier of this file is still in {label(tag, proven=True)}: not written"
                )
        if vr in BULK_VRS and search.finds_in_bytes(data(element)):
            raise ScrubError(
                f"an identifier of this file is in the bytes of {label(tag, proven=True)}"
            )
    return searched


def _structure(
    dataset: Dataset,
    profile: Profile,
    rules: Rules,
    parent: int,
    inherited: Charset = DEFAULT_CHARSET,
) -> None:
    """Refuse elements, at any depth, that the profile removes or doesn't know."""
    charset = charset_of(dataset, inherited)
    for key in sorted(dataset.keys()):
        tag = int(key)
        if tag >> 16 & 1 and may_stay(dataset, tag, profile.options):
            continue
        stamped = parent == ROOT and tag in STAMPED
        if rules.decide(tag, parent).action is Action.REMOVE and not stamped:
            raise ScrubError(f"{label(tag, proven=True)} is still there, which the profile removes")
        element = stored(dataset, tag)
        vr = representation(element, tag, signed=False)
        if not vr:
            raise ScrubError(
                f"{label(tag, proven=True)} has a value representation that can hold anything"
            )
        if vr == "SQ":
            for item in items(element, tag, charset):
                _structure(item, profile, rules, tag, charset)


def _texts(element: Stored, vr: str, charset: Charset) -> tuple[str, ...]:
    return texts(element, vr, charset) if vr in STRING_VRS else ()


def _leaks(text: str, tag: int, vr: str, search: IdentifierSearch, uids: frozenset[str]) -> bool:
    if vr == "UI":
        if text in uids:
            return True
        kept = text and not is_registered(text) and not text.startswith(_OURS)
        return bool(kept) and search.finds_in_uid(text)
    if tag in _PSEUDONYMS and is_pseudonym(text):
        return search.finds_long(text)  # four letters occur in a random token by chance
    return search.finds(text, vr, tag)
