"""What a scrub gives back: the header, what was done to it and why, and what leads back.

Values only: nothing here decides or reads a dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from pydicom import Dataset

from cinescrub.dicom.profile import Action
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.values import dictionary_vr
from cinescrub.policy.identifiers import HeaderIdentifier

__all__ = ["Done", "Links", "ScrubOutcome"]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to the elements of one tag, for one reason. Holds no value."""

    action: Action
    tag: str
    """`(gggg,eeee)`; of private and unknown elements no number, as in a broken file it can be
    letters of a value."""
    reason: str
    elements: int

    def to_dict(self) -> dict[str, str | int]:
        """Return it as plain values, for a report."""
        return {
            "tag": self.tag,
            "action": self.action.value,
            "reason": self.reason,
            "elements": self.elements,
        }


@dataclass(frozen=True, slots=True)
class Links:
    """What leads back from an output to its input: PHI, for a crosswalk and nothing else."""

    patient: tuple[str, str, str] = field(repr=False)
    """PatientID, IssuerOfPatientID, pseudonym; empty if the input has none."""
    instance: str = field(repr=False)
    """SOPInstanceUID of the input."""
    uids: Mapping[str, str] = field(repr=False)
    """New UIDs by old ones."""
    shift_seconds: int | None = field(default=None, repr=False)
    """How far dates were moved; None if they weren't."""

    def named(self, instance_uid: str) -> Links:
        """Return them for an output that got another SOP Instance UID than its scrub gave it."""
        return replace(self, uids={**self.uids, self.instance: instance_uid})


@dataclass(frozen=True, slots=True)
class ScrubOutcome:
    """A scrubbed header, and what was done to get it."""

    dataset: Dataset = field(repr=False)
    """Owned by the caller."""
    actions: Mapping[tuple[str, int, str], int] = field(repr=False)
    """Elements by action, tag and reason, at all depths; those inside of something removed aren't
    counted. Shown by `done`: a tag of a broken file can be letters of a value."""
    unfit: tuple[int, ...]
    """Tags of elements that would have been kept but whose value isn't of their VR."""
    printed: tuple[HeaderIdentifier, ...] = field(repr=False)
    """Identifiers of the input: no frame may show one."""
    identifiers: tuple[HeaderIdentifier, ...] = field(repr=False)
    """Those of them that the output's header must not hold: all that no option retains."""
    search: IdentifierSearch = field(repr=False)
    """For these, ready."""
    uids: frozenset[str] = field(repr=False)
    """UIDs of the input that the output must not hold either."""
    links: Links = field(repr=False)

    @property
    def counts(self) -> Mapping[Action, int]:
        """Elements by action."""
        counts: Counter[Action] = Counter()
        for (action, _, _), elements in self.actions.items():
            counts[Action(action)] += elements
        return MappingProxyType(dict(counts))

    @property
    def told(self) -> dict[str, int]:
        """Elements by the name of the action, for a report."""
        return {action.value: elements for action, elements in self.counts.items()}

    @property
    def done(self) -> tuple[Done, ...]:
        """What was done, by tag; tags that can't be named are counted together."""
        named: Counter[tuple[str, str, str]] = Counter()
        for (action, tag, reason), elements in self.actions.items():
            named[action, _label(tag), reason] += elements
        return tuple(
            Done(Action(action), label, reason, elements)
            for (action, label, reason), elements in sorted(named.items(), key=_by_tag)
        )


@lru_cache(maxsize=8192)
def _label(tag: int) -> str:
    if tag >> 16 & 1:
        return "private"
    known = bool(dictionary_vr(tag)) or tag & 0xFFFF == 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if known else "unknown"


def _by_tag(entry: tuple[tuple[str, str, str], int]) -> tuple[str, str, str]:
    action, label, reason = entry[0]
    return label, action, reason
