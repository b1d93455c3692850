"""What is wrong with one element of an output, by the profile and the input's identifiers.

It sees an element as it was written and knows nothing of what the scrub did. What it says names
the element, never the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from cinescrub.dicom.claims import METHOD_CODES, STAMPED, is_claim, own_texts
from cinescrub.dicom.dummies import is_dummy
from cinescrub.dicom.iods import ROOT
from cinescrub.dicom.private import is_safe_creator, safe_representation
from cinescrub.dicom.profile import Action, Profile, Rules
from cinescrub.dicom.pseudonym import is_own_uid, is_pseudonym
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.values import (
    BULK_VRS,
    CHARSET_TAG,
    NUMBER_VRS,
    STRING_VRS,
    checked_texts,
    data,
    fits,
    is_empty,
    representation,
    texts,
)
from cinescrub.dicom.walker import Value

__all__ = ["Judge"]

_PSEUDONYMS: Final = frozenset({0x00100010, 0x00100020})


class _Expected(NamedTuple):
    """What an element may be, wherever the same attribute has the same representation."""

    fault: str
    """Why there may be none, or nothing."""
    vr: str
    action: Action
    any_value: bool
    """Whether the profile leaves its value as it was."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Says of each element of one output what is wrong with it."""

    profile: Profile
    rules: Rules
    search: IdentifierSearch
    uids: frozenset[str]
    own: frozenset[str]
    """What we write ourselves."""

    @classmethod
    def of(
        cls, profile: Profile, sop_class: str, search: IdentifierSearch, uids: frozenset[str]
    ) -> Judge:
        """Return a judge of an object.

        Parameters
        ----------
        profile : Profile
            That the scrub applied.
        sop_class : str
            UID of the object's class.
        search : IdentifierSearch
            For the input's identifiers.
        uids : frozenset of str
            UIDs of the input that were replaced.
        """
        rules, own = profile.for_object(sop_class), own_texts(profile.edition)
        return cls(profile, rules, search, uids, own)

    def private_representation(self, creator: str, tag: int) -> str:
        """Return the VR of a private element that an option keeps; nothing of another."""
        return safe_representation(creator, tag, None, self.profile.options)

    def faults(self, value: Value) -> Sequence[str]:
        """Return what is wrong with an element, a line each; nothing if it is as it should be."""
        tag, element = value.tag, value.element
        if tag >> 16 & 1:
            return self._private_faults(value)
        fault, vr, action, any_value = _expected(self.rules, tag, value.parent, element.VR)
        if fault:
            return (f"{value.place} {fault}",)
        if vr == "SQ" or (vr in NUMBER_VRS and fits(element, vr, tag)):
            return ()
        found, faults = self._value_faults(value, vr)
        if not (any_value or self._is_as_told(action, value, vr, found)):
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
            return (f"{value.place} {_REMOVED}",)
        return () if safe == "SQ" else self._value_faults(value, safe)[1]

    def _value_faults(self, value: Value, vr: str) -> tuple[tuple[str, ...], list[str]]:
        """Return a value's texts, if it has some, and what is wrong with it."""
        tag, element = value.tag, value.element
        faults: list[str] = []
        found: tuple[str, ...] = ()
        if vr in STRING_VRS:
            found, valid = checked_texts(element, vr, tag, value.charset)
        else:
            valid = fits(element, vr, tag)
        if not valid:
            faults.append(f"{value.place} has a value that isn't one of its representation")
        for text in found:
            if self._leaks(text, tag, vr) and text not in self.own and not is_dummy(text, vr):
                faults.append(f"an identifier of this file is still in {value.place}")
                break
        if vr in BULK_VRS and self.search.finds_in_bytes(data(element)):
            faults.append(f"an identifier of this file is in the bytes of {value.place}")
        return found, faults

    def _is_as_told(self, action: Action, value: Value, vr: str, found: tuple[str, ...]) -> bool:
        """Whether a value is what the profile's action makes of any, or what we write ourselves."""
        if _is_stamped(value.tag, value.parent) and vr != "SQ":
            return all(is_claim(value.tag, text) for text in found)
        if value.tag == CHARSET_TAG or is_empty(value.element, vr):
            return True
        if vr == "UI" and action not in (Action.KEEP, Action.CLEAN):
            return all(not uid or is_own_uid(uid) or is_registered(uid) for uid in found)
        if action not in (Action.EMPTY, Action.DUMMY):
            return True
        if value.tag in _PSEUDONYMS:
            return all(is_pseudonym(text) for text in found)
        return all(is_dummy(text, vr) for text in found)

    def _leaks(self, text: str, tag: int, vr: str) -> bool:
        if vr == "UI":
            if text in self.uids:
                return True
            ours = not text or is_own_uid(text) or is_registered(text)
            return not ours and self.search.finds_in_uid(text)
        if tag in _PSEUDONYMS and is_pseudonym(text):
            return self.search.finds_long(text)  # four letters occur in a random token by chance
        return self.search.finds(text, vr, tag)


_REMOVED: Final = "is still there, which the profile removes"
_ANYTHING: Final = "has a value representation that can hold anything"


@lru_cache(maxsize=1 << 14)
def _expected(rules: Rules, tag: int, parent: int, stated: str | None) -> _Expected:
    """Return what an element in the items of `parent` may be, given its stated VR."""
    stamped = _is_stamped(tag, parent)
    action = rules.decide(tag, parent).action
    vr = representation(stated, tag, signed=stated == "SS")
    fault = "" if vr else _ANYTHING
    if action is Action.REMOVE and not stamped:
        fault = _REMOVED
    kept = action is Action.KEEP and vr != "UI" and not stamped
    return _Expected(fault, vr, action, kept)


def _is_stamped(tag: int, parent: int) -> bool:
    return parent == METHOD_CODES or (tag in STAMPED and parent == ROOT)
