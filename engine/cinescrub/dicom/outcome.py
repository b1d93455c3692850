"""What a scrub gives back: the header, what was done to it and why, and what leads back.

Values only: nothing here decides or reads a dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydicom import Dataset
from pydicom.tag import BaseTag

from cinescrub.dicom.dummies import empty
from cinescrub.dicom.profile import Action
from cinescrub.dicom.values import dictionary_vr
from cinescrub.policy.identifiers import HeaderIdentifier

__all__ = ["Done", "Links", "ScrubOutcome", "summed"]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to the elements of one tag, for one reason. Holds no value."""

    action: Action
    tag: str
    """`(gggg,eeee)`; of private and unknown elements no number, as in a broken file it can be
    letters of a value."""
    reason: str
    elements: int


@dataclass(frozen=True, slots=True)
class Links:
    """What leads back from an output to its input: PHI, for a crosswalk and nothing else."""

    patient: tuple[str, str, str] = field(repr=False)
    """PatientID, IssuerOfPatientID, pseudonym; empty if the input has none."""
    uids: Mapping[str, str] = field(repr=False)
    """New UIDs by old ones."""
    shift_seconds: int | None = field(default=None, repr=False)
    """How far dates were moved; None if they weren't."""


@dataclass(frozen=True, slots=True)
class ScrubOutcome:
    """A scrubbed header, and what was done to get it."""

    dataset: Dataset = field(repr=False)
    """Owned by the caller."""
    done: tuple[Done, ...]
    """At all depths; elements inside of something removed aren't counted."""
    unfit: tuple[int, ...]
    """Tags of elements that would have been kept but whose value isn't of their VR."""
    identifiers: tuple[HeaderIdentifier, ...] = field(repr=False)
    """Of the input: no frame may show them."""
    hidden: tuple[HeaderIdentifier, ...] = field(repr=False)
    """Those of them that the output's header must not hold: all that no option retains."""
    links: Links = field(repr=False)

    @property
    def counts(self) -> Mapping[Action, int]:
        """Elements by action."""
        counts: Counter[Action] = Counter()
        for done in self.done:
            counts[done.action] += done.elements
        return MappingProxyType(dict(counts))

    @property
    def uids(self) -> frozenset[str]:
        """UIDs of the input that were replaced, for the audit of the output."""
        return frozenset(self.links.uids)

    @property
    def sop_instance_uid(self) -> str:
        """The new SOP Instance UID; nothing if the input had none."""
        return str(self.dataset.get(BaseTag(0x00080018), empty(0x00080018, "UI")).value or "")


def summed(done: Mapping[tuple[Action, int, str], int]) -> tuple[Done, ...]:
    """Return what was done, by tag; tags that can't be named are counted together.

    Parameters
    ----------
    done : mapping
        Elements by action, tag and reason.
    """
    named: Counter[tuple[Action, str, str]] = Counter()
    for (action, tag, reason), elements in done.items():
        named[action, _label(tag), reason] += elements
    return tuple(Done(*key, elements) for key, elements in sorted(named.items(), key=_by_tag))


def _label(tag: int) -> str:
    if tag >> 16 & 1:
        return "private"
    known = bool(dictionary_vr(tag)) or tag & 0xFFFF == 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if known else "unknown"


def _by_tag(entry: tuple[tuple[Action, str, str], int]) -> tuple[str, str, str]:
    action, label, reason = entry[0]
    return label, action, reason
