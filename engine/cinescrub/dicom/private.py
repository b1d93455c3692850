"""Private elements that are known to be safe: by creator, element and VR (PS3.15 E.3.10).

Two lists as package data: Table E.3.10-1, and what The Cancer Imaging Archive keeps beyond it.
That an element is listed doesn't say that its value is kept.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from cinescrub.dicom.options import Option

__all__ = ["is_safe_creator", "safe_representation"]

# Bytes can't be checked, names have no business there, and of an unknown VR nothing is known.
_CHECKED: Final = frozenset(
    {
        *("AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "SH", "SL", "SQ"),
        *("SS", "ST", "SV", "TM", "UC", "UI", "UL", "US", "UT", "UV"),
    }
)
_ASKED: Final = frozenset({Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_TCIA_PRIVATE})


def safe_representation(
    creator: str, tag: int, stated: str | None, options: frozenset[Option]
) -> str:
    """Return the VR by which a safe private element is read; nothing if it isn't one.

    Parameters
    ----------
    creator : str
        Private creator of its block (PS3.5 7.8.1).
    tag : int
        Of the element.
    stated : str or None
        VR that the file states: it must be the list's, unless it is unknown (UN or implicit).
    options : frozenset of Option
        Which lists are asked for.
    """
    key = creator.strip("\0 "), tag >> 16, tag & 0xFF
    safe = ""
    if options & _ASKED:
        safe = _lists()["ps315"].get(key, "")
    if not safe and Option.RETAIN_TCIA_PRIVATE in options:
        safe = _lists()["tcia"].get(key, "")
    return safe if safe in _CHECKED and stated in (None, "UN", safe) else ""


def is_safe_creator(creator: str, group: int, options: frozenset[Option]) -> bool:
    """Whether a list that is asked for has an element of this creator in this group."""
    names = ["ps315"] if options & _ASKED else []
    names += ["tcia"] if Option.RETAIN_TCIA_PRIVATE in options else []
    wanted = creator.strip("\0 "), group
    return any(wanted == key[:2] for name in names for key in _lists()[name])


@cache
def _lists() -> dict[str, dict[tuple[str, int, int], str]]:
    lists: dict[str, dict[tuple[str, int, int], str]] = {"ps315": {}, "tcia": {}}
    text = (files("cinescrub.dicom") / "data" / "safe_private.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, group, element, vr, creator = line.split("\t")
            lists[name][creator.strip(), int(group, 16), int(element, 16)] = vr
    return lists
