"""The ultrasound vocabulary: which words a console prints that say nothing of a person.

Owns the look-up, exact and as recognisers misread it. The words are data (`data/vocabulary.txt`,
built by `tools/make_vocabulary.py`); whether a line of them is kept is for `grammar` and `decide`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from importlib import resources
from typing import Final

from cinescrub.policy import ocr

__all__ = ["WEAK_MARK", "Strength", "Vocabulary", "vocabulary"]

WEAK_MARK: Final = "~"
"""Stands behind a word of the data file that is a name as well as a clinical word."""

_SHORT: Final = 3
"""Words of this length are the length of initials, and are never found as misread: one glyph of
three makes OBI of "obl" and CUI of "cul"."""
_LONG: Final = 6
"""From here on two letters may be mistaken for each other; below, a name may come of it (Ali for
"all", Lena for "iena"), and only digits and strokes read for letters are forgiven."""


class Strength(Enum):
    """How much a word says for its line being clinical."""

    STRONG = "strong"
    """A clinical word that is hardly a name."""
    SHORT = "short"
    """Up to three letters: clinical, and the length of initials."""
    WEAK = "weak"
    """A clinical word that is a common name too, or an everyday one: counts in company only."""


class Vocabulary:
    """Words with their strength.

    Parameters
    ----------
    lines : iterable of str
        One word a line, folded; `~` behind it makes it weak; `#` starts a comment.
    """

    __slots__ = ("_bones", "_words")

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: dict[str, Strength] = {}
        for line in lines:
            entry = line.partition("#")[0].strip()
            if entry:
                word = ocr.fold(entry.removesuffix(WEAK_MARK))
                self._words[word] = _strength(word, weak=entry.endswith(WEAK_MARK))
        self._bones: dict[str, str] = {}
        for word in self._words:
            if len(word) > _SHORT:
                self._bones.setdefault(ocr.skeleton(word), word)

    def __contains__(self, word: str) -> bool:
        """Tell whether a folded word is in the vocabulary exactly as it stands."""
        return word in self._words

    def __len__(self) -> int:
        return len(self._words)

    def lookup(self, word: str) -> Strength | None:
        """Return the strength of a folded word, or of the word it was misread from.

        Parameters
        ----------
        word : str
            Folded, without spaces.

        Returns
        -------
        Strength or None
            None where the word is unknown.
        """
        return self._words.get(word) or self._misread(word)

    def _misread(self, word: str) -> Strength | None:
        if len(word) <= _SHORT:
            return None
        meant = self._bones.get(ocr.skeleton(word))
        if meant is None or not _forgiven(word, meant):
            return None
        return self._words[meant]


def _strength(word: str, *, weak: bool) -> Strength:
    if weak:
        return Strength.WEAK
    return Strength.SHORT if len(word) <= _SHORT else Strength.STRONG


def _forgiven(word: str, meant: str) -> bool:
    """Tell whether `word` may pass for `meant`, of whose skeleton it is."""
    if len(word) != len(meant):  # rn/m and its like
        return len(meant) >= _LONG and abs(len(word) - len(meant)) == 1
    differing = [(read, wanted) for read, wanted in zip(word, meant, strict=True) if read != wanted]
    letters = sum(read.isalpha() and wanted.isalpha() for read, wanted in differing)
    if letters and len(meant) < _LONG:
        return False
    return len(differing) <= (2 if len(meant) >= _LONG else 1)


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the vocabulary of the package, read once."""
    text = resources.files("cinescrub.policy").joinpath("data/vocabulary.txt")
    return Vocabulary(text.read_text(encoding="utf-8").splitlines())
