"""Values that an option lets stay in a changed form: dates moved, text searched, titles renamed.

Strings in, strings out, for one file. What happens to a value that can't be cleaned is the
scrub's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cinescrub.dicom.dates import DateShift
from cinescrub.dicom.descriptors import Descriptors
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.types import PhiKind

__all__ = ["DATE_VRS", "DESCRIPTOR_VRS", "Cleaning"]

DATE_VRS: Final = frozenset({"DA", "DT", "TM"})
DESCRIPTOR_VRS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})


@dataclass(slots=True)
class Cleaning:
    """What cleans the values of one file, and which dates it has written."""

    pseudonyms: Pseudonyms
    shift: DateShift | None
    """None: dates can't be cleaned."""
    descriptors: Descriptors | None = field(repr=False)
    """None: nothing reads text, so none can be cleaned."""
    _written: set[tuple[str, str]] = field(default_factory=set, repr=False)
    """Moved dates and times, with their VR."""

    @property
    def reads_text(self) -> bool:
        """Whether text can be cleaned."""
        return self.descriptors is not None

    def cleaned(
        self, texts: Sequence[str], vr: str, tag: int, clocks: Sequence[str] = ()
    ) -> list[str | None]:
        """Return values cleaned; None for one that can't be, nothing where none can.

        Parameters
        ----------
        texts : sequence of str
            The values of one element.
        vr, tag : str, int
            Of the element.
        clocks : sequence of str
            Of a DA, the times that belong to its values.
        """
        if vr in DATE_VRS:
            moved = self._moved(texts, vr, clocks)
            self._written.update((text, vr) for text in moved if text)
            return moved
        if vr == "AE":
            return [self.pseudonyms.title(text) for text in texts]
        if self.descriptors is not None and vr in DESCRIPTOR_VRS:
            return [self.descriptors.cleaned(text, vr, tag) for text in texts]
        return []

    def still_hidden(
        self, identifiers: tuple[HeaderIdentifier, ...]
    ) -> tuple[HeaderIdentifier, ...]:
        """Return those of a file's identifiers that its moved dates don't hold by chance.

        A date that was moved can be another date of the input: then it is no leak.
        """
        if not self._written:
            return identifiers
        dates = [i for i in identifiers if i.kind is PhiKind.DATE]
        if not self._holds(dates):
            return identifiers
        chance = {date for date in dates if self._holds([date])}
        return tuple(i for i in identifiers if i not in chance)

    def _holds(self, identifiers: list[HeaderIdentifier]) -> bool:
        search = IdentifierSearch(identifiers)
        return any(search.finds(text, vr) for text, vr in self._written)

    def _moved(self, texts: Sequence[str], vr: str, clocks: Sequence[str]) -> list[str | None]:
        if self.shift is None:
            return []
        if vr == "TM":
            return [self.shift.move_time(text) if text else "" for text in texts]
        if vr == "DT":
            return [self.shift.move_datetime(text) if text else "" for text in texts]
        paired = [*clocks, *[""] * len(texts)]
        return [
            self.shift.move_date(text, clock) if text else ""
            for text, clock in zip(texts, paired, strict=False)
        ]
