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
    _written: set[str] = field(default_factory=set, repr=False)
    """Digits of moved dates and times."""

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
            for text in moved:
                digits = _digits(text or "")
                self._written |= {digits, digits[:8], digits[8:14]} - {""}
            return moved
        if vr == "AE":
            return [self.pseudonyms.title(text) for text in texts]
        if self.descriptors is not None and vr in DESCRIPTOR_VRS:
            return [self.descriptors.cleaned(text, vr, tag) for text in texts]
        return []

    def wrote(self, value: str) -> bool:
        """Whether a date or time of the input is one that was written for another one."""
        digits = _digits(value)
        forms = {digits, digits[:8], digits[8:14]} - {""}
        return not self._written.isdisjoint(forms)

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


def _digits(value: str) -> str:
    """Return the digits of a date or time without fractions of a second."""
    whole = value if value.count(".") == 2 else value.partition(".")[0]
    return "".join(c for c in whole if c.isdecimal())
