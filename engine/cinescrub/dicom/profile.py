"""What happens to each element: PS3.15 Table E.1-1, and a rule for everything it doesn't list.

Tables in, actions out: nothing here reads a dataset. The rule is fail closed. An element that
neither the table nor the data dictionary knows is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from pydicom.datadict import get_entry

__all__ = ["Action", "Profile", "Row", "basic_profile", "resolve"]

GROUP_LENGTH: Final = 0x0000
"""Element number of a group length (PS3.5 7.2): retired, and wrong after a scrub."""


class Action(StrEnum):
    """An action of PS3.15 E.1.1, with the letters of Table E.1-1."""

    DUMMY = "D"
    """A value without meaning that is valid for the VR."""
    EMPTY = "Z"
    """Zero length, or a pseudonym."""
    REMOVE = "X"
    KEEP = "K"
    """Kept as stored; a sequence is kept and its items are scrubbed."""
    CLEAN = "C"
    """Kept text in which an identifier of this file was found: replaced by a dummy."""
    UID = "U"
    """A UID of our own, the same for the same input everywhere."""


_COMPOUND: Final = MappingProxyType(
    {
        # Which of the letters is right depends on the attribute's type in the IOD of the object.
        # Without the IOD the choice is the one that is valid for every type: Z is for what may
        # be type 2 (present, perhaps empty), D for what may be type 1 (present with a value).
        "X/Z": Action.EMPTY,
        "X/D": Action.DUMMY,
        "Z/D": Action.DUMMY,
        "X/Z/D": Action.DUMMY,
        # Sequences of references. U keeps the items, scrubs them and replaces their UIDs, so
        # that the links within what was scrubbed with one key still hold.
        "X/Z/U*": Action.UID,
    }
)

# The compound rows that are sequences of persons, institutions, steps and annotations
# ((0008,0082), (0008,1072), (0008,1111), (0040,B020)). They are type 3 or conditional in the IODs
# that hold an image (PS3.3 A.1.4), so removing them is valid, and a dummy item would say
# something of a person or step that doesn't exist.
_SEQUENCES_REMOVED: Final = frozenset({0x00080082, 0x00081072, 0x00081111, 0x0040B020})

# Groups that go whole, the rows of the table within them included.
_GROUPS_REMOVED: Final = frozenset(
    {
        0x0000,  # command (PS3.7): never part of a stored dataset
        0x0002,  # file meta: written anew
        0x0004,  # directory
        0x0400,  # signatures, original and encrypted attributes: broken by a change, or PHI
        0x4FFE,  # MAC parameters of those signatures
        0x5400,  # waveforms: ECG with channel labels, in a group that no rule of ours cleans yet
        0x7FE0,  # pixel data and offset tables: not a part of the header
        0xFFFA,  # digital signatures
        0xFFFC,  # data set trailing padding
    }
)
_REPEATING_REMOVED: Final = frozenset({0x50, 0x60})
"""High byte of the curve and overlay groups. The table removes curves, overlay data and overlay
comments; label, description and geometry of an overlay without data are removed with them."""

# Groups that belong to worlds other than the images of a modality: in one of those their text
# has no business, and it isn't required there either.
_GROUPS_FOREIGN: Final = frozenset(
    {0x0012, 0x0014, 0x0016, 0x0032, 0x0038, 0x0044, 0x0068, 0x0072, 0x0074, 0x0076, 0x0078}
    | {0x0082, 0x0100, 0x2000, 0x2010, 0x2020, 0x2030, 0x2040, 0x2050, 0x2100, 0x2110, 0x2120}
    | {0x2130, 0x2200, 0x4008, 0x4010}
)
_PATIENT: Final = 0x0010

_TEXT: Final = frozenset({"LO", "SH", "LT", "ST", "UT", "UC", "AE", "UR"})
_DATES: Final = frozenset({"DA", "TM", "DT", "AS"})
_NUMBERS: Final = frozenset(
    {"AT", "CS", "DS", "FD", "FL", "IS", "OD", "OF", "OL", "SL", "SS", "SV", "UL", "US", "UV"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Table E.1-1."""

    pattern: str
    """Eight hexadecimal digits; `x` stands for any digit, `o` for an odd one."""
    action: str
    """As printed, e.g. `X/Z/D`."""
    name: str


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Application Level Confidentiality Profile, and our rule beyond its table."""

    edition: str
    """Of the standard, e.g. `2026c`."""
    rows: tuple[Row, ...] = field(repr=False)
    table: Mapping[int, Action] = field(repr=False)
    """Rows that name one tag, resolved."""
    beyond: Mapping[int, Action] = field(repr=False)
    """Elements outside of the table where we depart from the rule for their VR."""

    def action(self, tag: int) -> Action:
        """Return what happens to an element.

        Parameters
        ----------
        tag : int
            Group and element, e.g. 0x00100010.

        Returns
        -------
        Action
            Never a compound one; `CLEAN` is decided by value and isn't returned here.
        """
        group = tag >> 16
        if group & 1 or tag & 0xFFFF == GROUP_LENGTH:
            return Action.REMOVE
        if group in _GROUPS_REMOVED or group >> 8 in _REPEATING_REMOVED:
            return Action.REMOVE
        listed = self.table.get(tag) or self.beyond.get(tag)
        return listed if listed is not None else _by_representation(tag)


def resolve(row: Row) -> Action:
    """Return the one action that a row stands for, where no IOD is at hand."""
    if row.pattern in {f"{tag:08x}" for tag in _SEQUENCES_REMOVED}:
        return Action.REMOVE
    return _COMPOUND.get(row.action) or Action(row.action)


@cache
def basic_profile() -> Profile:
    """Load the profile from the package data; later calls return the same value."""
    data = files("cinescrub.dicom") / "data"
    head, rows = _read((data / "e1_1.tsv").read_text(encoding="utf-8"))
    parsed = tuple(Row(*fields) for fields in rows)
    _, beyond = _read((data / "beyond_e1_1.tsv").read_text(encoding="utf-8"))
    return Profile(
        edition=head["edition"],
        rows=parsed,
        table=MappingProxyType(
            {int(row.pattern, 16): resolve(row) for row in parsed if "x" not in row.pattern}
        ),
        beyond=MappingProxyType({int(tag, 16): Action(action) for tag, action, _ in beyond}),
    )


def _read(text: str) -> tuple[dict[str, str], list[list[str]]]:
    """Split a data file into its `# key<tab>value` lines and its rows."""
    lines = [line.split("\t") for line in text.splitlines()]
    head = {line[0].removeprefix("# "): line[-1] for line in lines if line[0].startswith("#")}
    return head, [line for line in lines if not line[0].startswith("#")]


@cache
def _by_representation(tag: int) -> Action:
    """Return what happens to an element outside of the tables, by what its VR can hold.

    PS3.15 E.1 keeps what the table doesn't list. Measured values and codes are therefore kept.
    Text, names and dates are not: real files hold PHI in them, whatever the attribute is for.
    Those get a dummy, which is valid where the attribute is required, and nothing where the
    attribute is foreign to an image or retired.
    """
    try:
        representation, _, _, retired, _ = get_entry(tag)
    except KeyError:
        return Action.REMOVE
    representations = set(representation.split(" or "))
    foreign = tag >> 16 in _GROUPS_FOREIGN or bool(retired)
    if representation == "SQ":
        return Action.KEEP
    if representation == "UI":
        return Action.UID
    if representation == "PN":
        return Action.EMPTY
    if representations <= _TEXT:
        return Action.REMOVE if foreign else Action.DUMMY
    if representations <= _DATES:
        return Action.REMOVE
    if representations <= _NUMBERS | {"OW"} and representations != {"OW"}:
        # What says something of the patient and is not in the table (species, breed codes, ...)
        return Action.REMOVE if tag >> 16 == _PATIENT else Action.KEEP
    return Action.REMOVE  # OB, OW, OV, UN: anything at all fits in, so only named ones are kept
