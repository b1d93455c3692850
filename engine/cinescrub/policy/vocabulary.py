"""The ultrasound vocabulary: which words a console prints that say nothing of a person.

Owns the look-up, exact and as recognisers misread it. The words are data (`data/vocabulary.txt`,
built by `tools/make_vocabulary.py`); whether a line of them is kept is for `grammar` and `decide`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from cinescrub.errors import ConfigError
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
        One term a line; `~` behind it makes it weak; `#` starts a comment. A term of several words,
        or with signs in it, counts only where all of it stands together.
    """

    __slots__ = ("_bones", "_devices", "_phrases", "_words")

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: dict[str, Strength] = {}
        phrases: set[tuple[str, ...]] = set()
        for line in lines:
            entry = line.partition("#")[0].strip()
            words = tuple(ocr.fold(entry.removesuffix(WEAK_MARK)).split())
            if len(words) == 1 and ocr.words(words[0]) == [*words]:
                self._words[words[0]] = _strength(words[0], weak=entry.endswith(WEAK_MARK))
            elif words:
                phrases.add(words)
        self._phrases = _any_of(phrases) if phrases else None
        self._devices: re.Pattern[str] | None = None
        self._bones: dict[str, str] = {}
        for word in self._words:
            if len(word) > _SHORT:
                self._bones.setdefault(ocr.skeleton(word), word)

    def __contains__(self, word: str) -> bool:
        """Tell whether a folded word is in the vocabulary exactly as it stands."""
        return word in self._words

    def __len__(self) -> int:
        return len(self._words)

    @classmethod
    def with_terms(cls, path: Path) -> Vocabulary:
        """Return the package's vocabulary with a site's own terms added.

        Parameters
        ----------
        path : Path
            UTF-8, one term a line, as in `Vocabulary`. A word that the package counts as weak
            stays weak.

        Raises
        ------
        ConfigError
            The file can't be read, is not UTF-8, or a line is no term: it holds control characters
            or no letter, or is longer than 80 characters. The error names the line's number only.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError("the vocabulary file is not UTF-8: save it as such") from error
        except OSError as error:
            raise ConfigError("the vocabulary file can't be read: check --vocabulary") from error
        terms = text.splitlines()
        for number, line in enumerate(terms, 1):
            entry = line.partition("#")[0].strip()
            if entry and not _is_term(entry):
                raise ConfigError(
                    f"line {number} of the vocabulary file is no term: give words of letters, "
                    f"digits and signs, at most {_LONGEST} characters"
                )
        return cls([*terms, *_own_terms()])

    def of_device(self, names: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of one file, which knows what its machine calls itself.

        Parameters
        ----------
        names : iterable of str
            As in the header. Consoles print all of them or some of their words: Philips of Philips
            Medical Systems, Voluson over S8.
        """
        parts = [part for name in names for part in (name, *name.split(), *_LETTERS.findall(name))]
        forms = {_device_form(part) for part in parts}
        # Each has a letter: 5000 alone may be anything's number. Words in everyday use say nothing.
        known = sorted((form for form in forms if form), key=lambda form: (-len(form), form))
        if not known:
            return self
        own = Vocabulary(())
        own._words, own._bones, own._phrases = self._words, self._bones, self._phrases
        own._devices = re.compile(rf"(?:{'|'.join(known)})(?![^\W_])")
        return own

    def device_end(self, folded: str, position: int) -> int:
        """Return where the machine's own name that starts at `position` ends, or `position`."""
        found = self._devices.match(folded, position) if self._devices is not None else None
        return found.end() if found is not None else position

    def names_device(self, text: str) -> bool:
        """Tell whether a text names the machine somewhere."""
        return self._devices is not None and self._devices.search(ocr.fold(text)) is not None

    def phrase_end(self, folded: str, position: int) -> int:
        """Return where a term of several words that starts at `position` ends, or `position`."""
        found = self._phrases.match(folded, position) if self._phrases is not None else None
        return found.end() if found is not None else position

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


_LONGEST: Final = 80


def _is_term(entry: str) -> bool:
    return (
        len(entry) <= _LONGEST and entry.isprintable() and any(c.isalpha() for c in ocr.fold(entry))
    )


def _any_of(phrases: set[tuple[str, ...]]) -> re.Pattern[str]:
    """Return a pattern of all phrases, longest first, that ends where a word does.

    A word may be printed short, with a point behind it: Dyn. Range.
    """
    listed = sorted(phrases, key=lambda words: (-len(words), words))
    spelled = (r"(?:\.\s*|\s+)".join(map(re.escape, words)) for words in listed)
    return re.compile(rf"(?:{'|'.join(spelled)})(?![^\W_])")


_GENERIC: Final = frozenset(
    ocr.words(
        "medical systems system healthcare health care corporation corp company co inc ltd gmbh ag "
        "kk technologies technology electric electronics general ultrasound imaging the of and for "
        "unknown other none research"
    )
)
"""Words of manufacturers' names that hospitals' have too, or that name none."""


_PLACES: Final = frozenset(
    ocr.words("hospital hospitals hosp clinic clinics university center centre institute")
)
"""What has one of these in the place of a manufacturer is none."""
_LETTERS: Final = re.compile(r"[^\W\d_]{4,}")
"""A part of a model that stands alone: LOGIQ of LOGIQ700."""


def _device_form(name: str) -> str:
    """Return a pattern of a machine's name, with blanks or without: LOGIQ700, LOGIQ 700.

    Empty where it has no letter, is one glyph, or a word of many names.
    """
    folded = ocr.fold(name).strip(" .,")
    parts = re.findall(r"[^\W\d_]+|\d+", folded)
    names_one = any(part.isalpha() and part not in _GENERIC for part in parts)
    if not names_one or len("".join(parts)) < 2 or not _PLACES.isdisjoint(parts):
        return ""
    return r"[\s-]?".join(map(re.escape, parts))


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
    return Vocabulary(_own_terms())


def _own_terms() -> list[str]:
    text = resources.files("cinescrub.policy").joinpath("data/vocabulary.txt")
    return text.read_text(encoding="utf-8").splitlines()
