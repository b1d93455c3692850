"""Free text that may stay: searched for this file's identifiers, for patterns and by a model.

All or nothing: a text in which anything was found goes as a whole, since what was overlooked
stands beside what was found. Strings in, strings out; what is done instead is the scrub's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cinescrub.dicom.dates import DateShift
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.policy import patterns
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.settings import DecisionSettings

__all__ = ["Descriptors", "NameModel"]

NameModel: TypeAlias = Callable[[Sequence[str]], Iterable[float]]
"""How likely each line holds PHI, 0 to 1: `text.deidentifier.Deidentifier.score`."""

_THRESHOLD: Final = DecisionSettings().phi_threshold
"""As for burned-in lines."""
_LONGEST: Final = 1 << 16
"""Characters of a text that is searched; six times what LT holds (PS3.5 6.2). Unlimited text (UT)
would take a second for each further 50,000."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What text of one file is searched for.

    Parameters
    ----------
    search, matcher : IdentifierSearch, IdentifierMatcher
        Of this file's identifiers: as stored, and as they are misspelt.
    model : NameModel
        The token classifier.
    shift : DateShift or None
        Moves the dates in a text; without it a text with a date goes.
    """

    search: IdentifierSearch = field(repr=False)
    matcher: IdentifierMatcher = field(repr=False)
    model: NameModel
    shift: DateShift | None = None

    def cleaned(self, text: str, vr: str, tag: int) -> str | None:
        """Return the text that may stay, or None; none stays that is too long to be searched.

        Parameters
        ----------
        text : str
            One value, decoded; undecodable bytes are U+FFFD.
        vr, tag : str, int
            Of its element.
        """
        if len(text) > _LONGEST:
            return None
        moved, rest = (text, text) if self.shift is None else self.shift.move_text(text)
        lines = [line for line in rest.splitlines() if line.strip()]
        found = "\ufffd" in text or any(
            self.search.finds(line, vr, tag)
            or self.matcher.matches(line)
            or patterns.find(line) is not None
            for line in lines
        )
        # The whole at once as well: a name may be broken over two lines.
        whole = " ".join(lines)
        if found or self.search.finds(whole, vr, tag) or self.matcher.matches(whole):
            return None
        asked = list(dict.fromkeys([*lines, whole]))
        scores = list(self.model(asked))
        # The other way round a score that is no number, or is missing, would keep the text.
        clear = len(scores) == len(asked) and all(score < _THRESHOLD for score in scores)
        return moved if clear else None
