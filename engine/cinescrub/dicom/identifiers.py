"""The identifying values of a header, as plain strings with their kind.

The policy compares burned-in text with them, and the audit searches the output for them. Values
are collected from every depth and never shown. UIDs are apart: no machine prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from pydicom import Dataset

from cinescrub.dicom.values import (
    DEFAULT_CHARSET,
    STRING_VRS,
    Charset,
    Parsed,
    Stored,
    charset_of,
    dictionary_vr,
    items,
    representation,
    stored,
    texts,
)
from cinescrub.errors import InputError
from cinescrub.policy.identifiers import HeaderIdentifier
from cinescrub.types import PhiKind

__all__ = ["MAX_DEPTH", "collect", "collect_with_tags"]

MAX_DEPTH: Final = 32
"""Sequences in sequences. The deepest IODs of PS3.3 need about ten; more is a bomb."""

_PATIENT_NAMES: Final = frozenset(
    {0x00100010, 0x00100011, 0x00101001, 0x00101005, 0x00101060, 0x00102297}
)
"""Names of the patient, of the patient's mother and of the person responsible."""

# Elements of other VRs than PN, DA, DT, TM and AS that identify by their value. Free text is
# not among them: as a whole it is no identifier, and parts of it are everyday words.
_KINDS: Final = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(0x00100020, 0x00101000, 0x00101090, 0x00080050, 0x00200010, 0x00401001),
                *(0x00400009, 0x00400253, 0x00402016, 0x00402017, 0x00380010, 0x00380060),
                *(0x00120040, 0x00120042, 0x00120030, 0x00181000, 0x0018700A, 0x00181004),
                *(0x00181008, 0x00102295),
            ),
            PhiKind.IDENTIFIER,
        ),
        **dict.fromkeys(
            (0x00080080, 0x00081010, 0x00081040, 0x00100021, 0x00321033, 0x00400242, 0x00400243),
            PhiKind.INSTITUTION,
        ),
        **dict.fromkeys(
            (0x00080081, 0x00101040, 0x00102150, 0x00102152, 0x00080092, 0x00401102, 0x00380300),
            PhiKind.LOCATION,
        ),
        **dict.fromkeys((0x00102154, 0x00102155, 0x00080094, 0x00401103), PhiKind.CONTACT),
    }
)
_KINDS_BY_VR: Final = MappingProxyType(
    {
        "PN": PhiKind.STAFF,
        "DA": PhiKind.DATE,
        "DT": PhiKind.DATE,
        "TM": PhiKind.DATE,
        "AS": PhiKind.AGE,
    }
)
_FRAME_TIMES: Final = frozenset({0x00189074, 0x00189151})
"""Frame Acquisition and Frame Reference DateTime."""
_MOST: Final = 4000
"""Identifying values, each looked for in several forms: a millisecond and some kilobytes."""
_TEXT_OR_BYTES: Final = STRING_VRS | {"OB"}
_STATION: Final = 0x00081010
_MODEL: Final = (0x00080070, 0x00081090)
"""Make and model of the machine, which many sites leave as its station name."""


def collect(dataset: Dataset) -> tuple[HeaderIdentifier, ...]:
    """Collect this file's identifying values.

    Parameters
    ----------
    dataset : Dataset
        The header, borrowed and not changed.

    Returns
    -------
    tuple of HeaderIdentifier
        Without duplicates, in the order of the elements. A station that is named like its model
        isn't among them: that is printed by every machine of the kind.

    Raises
    ------
    InputError
        A sequence can't be read, the nesting is deeper than `MAX_DEPTH`, or there are more than
        `_MOST`.
    """
    return tuple(collect_with_tags(dataset))


def collect_with_tags(
    dataset: Dataset, parsed: Parsed | None = None
) -> dict[HeaderIdentifier, set[int]]:
    """Collect as `collect` does, each with the elements that it is in.

    `parsed` is filled with the items of sequences, for whoever walks the same dataset next.
    """
    machine: set[str] = set()
    found: dict[tuple[PhiKind, str], set[int]] = {}
    for tag, vr, element, charset in _interesting(dataset, DEFAULT_CHARSET, 0, parsed):
        if tag in _MODEL:
            machine.update(value.casefold() for value in texts(element, vr, charset))
        kind = _kind(tag, vr)
        if kind is None:
            continue
        for value in texts(element, vr, charset):
            for part in _parts(tag, vr, value):
                if part.strip("^ "):
                    found.setdefault((kind, part), set()).add(tag)
        if len(found) > _MOST:
            raise InputError(f"malformed: more than {_MOST} names, IDs and dates: no one's header")
    return {
        HeaderIdentifier(kind, value): tags
        for (kind, value), tags in found.items()
        if not (tags == {_STATION} and value.casefold() in machine)
    }


def _interesting(
    dataset: Dataset, charset: Charset, depth: int, parsed: Parsed | None
) -> Iterator[tuple[int, str, Stored, Charset]]:
    """Yield tag, VR, element and character set of what may identify; items depth first."""
    if depth > MAX_DEPTH:
        raise InputError(f"malformed: sequences are nested deeper than {MAX_DEPTH}")
    charset = charset_of(dataset, charset)
    found = [
        (tag, vr, element)
        for tag, element in ((int(key), element) for key, element in dataset.items())
        if (vr := _interest(tag, element.VR))
    ]
    found.sort(key=itemgetter(0))
    for tag, vr, element in found:
        held = stored(dataset, tag) if element.value is None else element
        if vr == "SQ":
            for item in items(held, tag, charset, parsed):
                yield from _interesting(item, charset, depth + 1, parsed)
        else:
            yield tag, vr, held, charset


@lru_cache(maxsize=1 << 14)
def _interest(tag: int, stated: str | None) -> str:
    """Return the VR of an element that is a sequence or may identify; nothing of all others."""
    if tag >> 16 & 1:
        return ""
    vr = representation(stated, tag, signed=False)
    if not vr and stated in _TEXT_OR_BYTES:  # it goes, but a name stated as LO is still a name
        vr = dictionary_vr(tag)
    return vr if vr == "SQ" or tag in _MODEL or _kind(tag, vr) is not None else ""


def _parts(tag: int, vr: str, value: str) -> list[str]:
    """Split a name into its groups (PS3.5 6.2.1.1); of a time that each frame has, keep the day.

    A cine of 3,000 frames would bring 3,000 identifiers that differ in fractions of a second.
    """
    if vr == "PN":
        return value.split("=")
    return [value[:8]] if tag in _FRAME_TIMES else [value]


def _kind(tag: int, vr: str) -> PhiKind | None:
    if vr == "PN":
        return PhiKind.PERSON if tag in _PATIENT_NAMES else PhiKind.STAFF
    return _KINDS.get(tag) or _KINDS_BY_VR.get(vr)
