"""Build the ultrasound vocabulary of the policy.

Takes the words of pydicom's concept dictionaries (PS3.16) in the context groups of ultrasound,
echocardiography, obstetrics and anatomy, adds the hand-kept `vocabulary_settings.txt`, leaves out
the hand-kept `name_like.txt`, and writes `engine/cinescrub/policy/data/vocabulary.txt`. The same
inputs give the same bytes.

    python tools/make_vocabulary.py          writes the file
    python tools/make_vocabulary.py --check  fails if the file is not what would be written
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pydicom.sr.codedict import Collection

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "engine" / "cinescrub" / "policy" / "data" / "vocabulary.txt"

# PS3.16 context groups. Left out on purpose: 12012 to 12016 (equations, named after their authors),
# 12024, 12100, 12245, 12320 (report titles), 12030 (contrast agents, brand names), 12301 (reasons).
CONTEXT_GROUPS = (
    *(2, 4, 5, 6, 7, 19, 20, 27, 221, 244, 245, 246),  # anatomy, approach, orientation, laterality
    *(3015, 3019, 3453, 3472, 3486, 3612, 3613, 3614, 3615, 3617),  # heart, methods, phases
    *(3717, 3781, 3782, 3783, 3784, 3785, 3804, 3829, 3839, 3840),  # wall segments, vessels
    *(6064, 6151, 6152, 6154, 6157, 11003),  # breast, echo pattern, transducers
    *(12002, 12004, 12005, 12006, 12007, 12008, 12009, 12011),  # biometry
    *(12020, 12021, 12022, 12023, 12025, 12032, 12033, 12034, 12035),
    *range(12103, 12117),  # vessels
    *(12118, 12119, 12120, 12121, 12122, 12123, 12124, 12125, 12130, 12131, 12140, 12141),
    *(number for number in range(12200, 12244) if number not in (12213, 12225, 12230, 12231)),
    *(number for number in range(12250, 12295) if number not in (12256, 12278)),
    *(12300, 12303, 12304, 12305, 12306, 12307, 12308, 12309, 12311, 12322),
)

HEADER = """\
# Words that an ultrasound console prints and that say nothing of a person, folded. "~" behind a
# word: a name or an everyday word too, which counts in company only. Terms of several words count
# only together. Made by
# tools/make_vocabulary.py from the concept names of DICOM PS3.16 and tools/vocabulary_settings.txt,
# without tools/name_like.txt. Do not edit.
"""

_WORD = re.compile(r"[a-z0-9]+")
_SHORTEST = 3
"""Shorter words of concept names are codes and articles; those that consoles print are listed."""


def fold(text: str) -> str:
    """Return lower case without accents, as the policy reads text."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def listed(path: Path) -> Iterator[str]:
    """Yield the words of a hand-kept list."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield from line.partition("#")[0].split()


def concept_words() -> set[str]:
    """Return the words of all concept names in the context groups."""
    words: set[str] = set()
    for group in CONTEXT_GROUPS:
        for concept in Collection(f"CID{group}").concepts.values():
            meaning = fold(concept.meaning).replace("'s", " ").replace("'", "")
            words.update(_WORD.findall(meaning))
    return {w for w in words if len(w) >= _SHORTEST and not w[0].isdecimal()}


def build() -> str:
    """Return the text of the data file."""
    settings = {fold(word) for word in listed(HERE / "vocabulary_settings.txt")}
    terms = {word.replace("_", " ") for word in settings if "_" in word}
    settings -= {word for word in settings if "_" in word}
    weak = {word.removesuffix("~") for word in settings if word.endswith("~")}
    named = set(listed(HERE / "name_like.txt"))
    plain = {
        part
        for word in settings - {f"{w}~" for w in weak}
        for part in _WORD.findall(word)
        if len(part) > 1
    }
    strong = (concept_words() | plain) - named - weak
    lines = sorted([*strong, *terms, *(f"{word}~" for word in weak)])
    return HEADER + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the data file; return the exit code."""
    text = build()
    if "--check" in arguments:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
