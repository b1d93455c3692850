"""What happens to each element: PS3.15 Table E.1-1, its options, and a rule for all others.

Tables in, actions out: nothing here reads a dataset. The rule is fail closed. An element that
neither the table nor the data dictionary knows is removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Self

from pydicom.datadict import get_entry

from cinescrub.dicom.iods import OPTIONAL, REQUIRED, ROOT, AttributeTypes, types_of
from cinescrub.dicom.options import Option

__all__ = [
    "FULLY_REMOVED",
    "Action",
    "Decision",
    "Profile",
    "Row",
    "Rule",
    "Rules",
    "basic_profile",
    "resolve",
]

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
    """By an option: dates are moved, text is searched and kept only if nothing was found. Without
    one: kept text in which an identifier of this file was found, replaced by a dummy."""
    UID = "U"
    """A UID of our own, the same for the same input everywhere."""


# Groups that go whole, the rows of the table within them included, and why.
FULLY_REMOVED: Final = MappingProxyType(
    {
        0x0000: "command (PS3.7): never part of a stored dataset",
        0x0002: "file meta: written anew",
        0x0004: "directory",
        0x0400: "signatures, original and encrypted attributes: broken by a change, or PHI",
        0x4FFE: "MAC parameters of signatures",
        0x5400: "waveforms: channel labels in a group that no rule cleans",
        0x7FE0: "pixel data and offset tables: not a part of the header",
        0xFFFA: "digital signatures",
        0xFFFC: "data set trailing padding",
        # The table removes curves, overlay data and overlay comments; label, description and
        # geometry of an overlay without data go with them.
        **dict.fromkeys(range(0x5000, 0x5100, 2), "E.1-1 (50xx,xxxx) X"),
        **dict.fromkeys(range(0x6000, 0x6100, 2), "E.1-1 (60xx,3000) X, and what describes it"),
    }
)

_PATIENT: Final = 0x0010

_TEXT: Final = frozenset({"LO", "SH", "LT", "ST", "UT", "UC", "AE", "UR"})
_DATES: Final = frozenset({"DA", "TM", "DT", "AS"})
_NUMBERS: Final = frozenset(
    {"AT", "CS", "DS", "FD", "FL", "IS", "OD", "OF", "OL", "SL", "SS", "SV", "UL", "US", "UV"}
)
_EXPOSES: Final = MappingProxyType({Action.CLEAN: 1, Action.KEEP: 2})
"""How much of a value is left, where anything is."""
_CONTENT_TEXT: Final = frozenset({0x0040A160})
"""Text Value: the text of a content item (PS3.3 table C.18.3-1), which the table doesn't list."""
_BY_TYPE: Final = "X/Z/D"
"""Gone where that is allowed, else empty where that is, else a dummy."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Table E.1-1."""

    pattern: str
    """Eight hexadecimal digits; `x` stands for any digit, `o` for an odd one."""
    action: str
    """As printed, e.g. `X/Z/D`."""
    name: str
    options: Mapping[Option, str] = field(default_factory=dict)
    """Actions of the option columns, K or C."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a profile for one element, before everything else."""

    action: str
    """As in a row of the table, also a compound one."""
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to an element and why."""

    action: Action
    """Never a compound one."""
    reason: str
    """For the report: the row, option or rule; no value of any file."""
    otherwise: Action = Action.REMOVE
    """For `CLEAN`: what happens to a value that can't be cleaned."""
    kind: int = OPTIONAL
    """Type of the attribute (PS3.5 7.4), where it is known."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Application Level Confidentiality Profile with options and rules of a site."""

    name: str
    edition: str
    """Of the standard, e.g. `2026c`."""
    rows: tuple[Row, ...] = field(repr=False)
    table: Mapping[int, Row] = field(repr=False)
    """Rows that name one tag."""
    beyond: Mapping[int, Rule] = field(repr=False)
    """Elements outside of the table where we depart from the rule for their VR."""
    options: frozenset[Option] = frozenset()
    rules: Mapping[int, Rule] = field(default_factory=dict, repr=False)
    allow_list: bool = False
    """Elements without a rule go, but those that the IOD requires: they follow the table."""
    tables: str = ""
    """SHA-256 of the package data behind rows and `beyond`."""
    _objects: dict[str, Rules] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )
    _exceptions: list[tuple[int, ...]] = field(
        default_factory=list, init=False, repr=False, compare=False, hash=False
    )

    @property
    def sha256(self) -> str:
        """Hash of all that changes what is done: of two profiles with one hash, neither differs."""
        said = {
            "tables": self.tables,
            "options": sorted(self.options),
            "rules": {f"{t:08x}": [r.action, r.reason] for t, r in sorted(self.rules.items())},
            "allow_list": self.allow_list,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def exceptions(self) -> tuple[int, ...]:
        """Tags that a rule keeps although the standard, with the options, would not.

        An output made with one doesn't follow the Basic Profile, and doesn't say that it does.
        """
        if not self._exceptions:
            plain = replace(self, rules={}, allow_list=False)
            found = tuple(
                tag
                for tag in sorted(self.rules)
                if _EXPOSES.get(self.action(tag), 0) > _EXPOSES.get(plain.action(tag), 0)
            )
            self._exceptions.append(found)
        return self._exceptions[0]

    def with_options(self, options: frozenset[Option], name: str = "") -> Self:
        """Return the profile with further options, under a name that says that there are some."""
        if options <= self.options:
            return self
        added = "+".join(sorted(options - self.options))
        return replace(self, name=name or f"{self.name}+{added}", options=self.options | options)

    def for_object(self, sop_class: str) -> Rules:
        """Return the decisions for objects of one SOP class; kept, so that they are made once."""
        types = types_of(sop_class)
        key = sop_class if types.known else ""
        if key not in self._objects:
            self._objects[key] = Rules(self, types)
        return self._objects[key]

    def action(self, tag: int) -> Action:
        """Return the action where the object isn't known: `REMOVE` only if it is that in all.

        Parameters
        ----------
        tag : int
            Group and element, e.g. 0x00100010.
        """
        return self.for_object("").decide(tag, None).action

    def decide(self, tag: int, kind: int) -> Decision:
        """Return what happens to an attribute of type `kind` (PS3.5 7.4)."""
        group = tag >> 16
        if group & 1:
            return Decision(Action.REMOVE, "E.1-1 (gggg,eeee) where gggg is odd X")
        if tag & 0xFFFF == GROUP_LENGTH:
            return Decision(Action.REMOVE, "group length: retired")
        if group in FULLY_REMOVED:
            return Decision(Action.REMOVE, FULLY_REMOVED[group])
        if rule := self.rules.get(tag):
            return _ruled(rule, kind, f"profile {self.name}: {rule.reason}", tag)
        # What the IOD requires is treated by the Basic Profile: a dummy of a defined term or of a
        # scale would not be conformant either.
        if self.allow_list and kind != REQUIRED:
            return _resolved(_BY_TYPE, kind, f"profile {self.name}: not in its list", tag)
        if row := self.table.get(tag):
            return self._listed(row, kind, tag)
        if rule := self.beyond.get(tag):
            return _resolved(rule.action, kind, rule.reason, tag)
        return self._unlisted(tag, kind)

    def _listed(self, row: Row, kind: int, tag: int) -> Decision:
        """Apply a row: what retains is stronger than what cleans, but moved dates stay moved."""
        basic = _resolved(row.action, kind, "E.1-1", tag)
        asked = [(o, letter) for o, letter in row.options.items() if o in self.options]
        asked.sort(key=lambda pair: (pair[0] is not Option.RETAIN_MODIFIED_DATES, pair[1] != "K"))
        for option, letter in asked[:1]:
            return Decision(Action(letter), f"E.1-1 {option} {letter}", basic.action)
        return basic

    def _unlisted(self, tag: int, kind: int) -> Decision:
        """Return what happens to an element outside of the tables, by what its VR can hold.

        PS3.15 E.1 keeps what the table doesn't list. Measured values and codes are therefore
        kept. Text, names and dates are not: real files hold PHI in them, whatever the attribute
        is for.
        """
        representation = _dictionary(tag)
        if representation is None:
            return Decision(Action.REMOVE, "not in the data dictionary")
        representations = set(representation.split(" or "))
        if representation == "SQ":
            return Decision(Action.KEEP, "not listed: a sequence, its items are scrubbed")
        if representation == "UI":
            kept = Option.RETAIN_UIDS in self.options
            return Decision(
                Action.KEEP if kept else Action.UID,
                f"not listed: UID{', retain-uids' if kept else ''}",
            )
        if representations <= _DATES:
            basic = _resolved(_BY_TYPE, kind, "not listed: date", tag)
            if Option.RETAIN_MODIFIED_DATES in self.options and representation != "AS":
                return Decision(Action.CLEAN, "not listed: date, moved", basic.action)
            if Option.RETAIN_FULL_DATES in self.options and representation != "AS":
                return Decision(Action.KEEP, "not listed: date, retain-full-dates")
            return basic
        if (
            representations <= _NUMBERS | {"OW"}
            and representations != {"OW"}
            # What says something of the patient and is not in the table (species, breed codes)
            and tag >> 16 != _PATIENT
        ):
            return Decision(Action.KEEP, "not listed: number or defined term")
        # Text and names; OB, OW, OV, UN: anything at all fits in.
        basic = _resolved(_BY_TYPE, kind, f"not listed: {representation}", tag)
        cleaned = Option.CLEAN_DESCRIPTORS in self.options or (
            Option.CLEAN_STRUCTURED in self.options and tag in _CONTENT_TEXT
        )
        if cleaned and representations <= _TEXT - {"AE", "UR"}:
            return Decision(Action.CLEAN, f"not listed: {representation}, cleaned", basic.action)
        return basic


class Rules:
    """The decisions of a profile for objects of one kind, each made once.

    Parameters
    ----------
    profile : Profile
        Borrowed.
    types : AttributeTypes
        Of the object.
    """

    __slots__ = ("_made", "_profile", "_types")

    def __init__(self, profile: Profile, types: AttributeTypes) -> None:
        self._profile = profile
        self._types = types
        self._made: dict[tuple[int, int | None], Decision] = {}

    def decide(self, tag: int, parent: int | None = ROOT) -> Decision:
        """Return what happens to an element, at the root or in the items of `parent`."""
        key = tag, parent
        made = self._made.get(key)
        if made is None:
            kind = self._types.of(tag, parent)
            made = replace(self._profile.decide(tag, kind), kind=kind)
            if _dictionary(tag) is None:
                return made  # there are 2^32 tags, and a broken file may hold any of them
            self._made[key] = made
        return made


def resolve(action: str, kind: int, representation: str = "") -> Action:
    """Return the one action that a printed one stands for.

    PS3.15 E.1.1: of a compound action, the first letter that leaves the object conformant. An
    attribute that the IOD requires is never dropped, whatever a row says.

    Parameters
    ----------
    action : str
        E.g. `X/Z/D`.
    kind : int
        Type of the attribute: 1, 2 or 3.
    representation : str
        VR; a dummy of a UID is a UID.

    Raises
    ------
    ValueError
        A letter is none of the table's.
    """
    letters = [Action(letter.rstrip("*")) for letter in action.split("/")]
    if Action.UID in letters:
        # U keeps the items of a sequence of references, scrubs them and replaces their UIDs, so
        # that the links within what was scrubbed with one key still hold, of whatever type.
        return Action.UID
    chosen = letters[0]
    if kind == REQUIRED:
        chosen = letters[-1]
        if chosen in (Action.REMOVE, Action.EMPTY):
            chosen = Action.DUMMY
    elif kind != OPTIONAL and chosen is Action.REMOVE:
        chosen = Action.DUMMY if letters[1:2] == [Action.DUMMY] else Action.EMPTY
    return Action.UID if chosen is Action.DUMMY and representation == "UI" else chosen


def _ruled(rule: Rule, kind: int, why: str, tag: int) -> Decision:
    if rule.action == Action.CLEAN:
        otherwise = resolve(_BY_TYPE, kind, _dictionary(tag) or "")
        return Decision(Action.CLEAN, f"{why} C", otherwise)
    return _resolved(rule.action, kind, why, tag)


def _resolved(action: str, kind: int, why: str, tag: int) -> Decision:
    chosen = resolve(action, kind, _dictionary(tag) or "")
    typed = "" if action == chosen else f", type {kind}: {chosen}"
    return Decision(chosen, f"{why} {action}{typed}", chosen)


@cache
def basic_profile() -> Profile:
    """Load the Basic Profile from the package data; later calls return the same value."""
    data = files("cinescrub.dicom") / "data"
    listed = (data / "e1_1.tsv").read_text(encoding="utf-8")
    further = (data / "beyond_e1_1.tsv").read_text(encoding="utf-8")
    head, fields = read_table(listed)
    rows = tuple(_row(*line) for line in fields)
    return Profile(
        name="basic",
        edition=head["edition"],
        rows=rows,
        table=MappingProxyType({int(r.pattern, 16): r for r in rows if "x" not in r.pattern}),
        beyond=MappingProxyType(
            {int(tag, 16): Rule(action, why) for tag, action, why in read_table(further)[1]}
        ),
        tables=hashlib.sha256(f"{listed}\0{further}".encode()).hexdigest(),
    )


def read_table(text: str) -> tuple[dict[str, str], list[list[str]]]:
    """Split a data file into its `# key<tab>value` lines and its rows."""
    lines = [line.split("\t") for line in text.splitlines()]
    head = {line[0].removeprefix("# "): line[-1] for line in lines if line[0].startswith("#")}
    return head, [line for line in lines if not line[0].startswith("#")]


def _row(pattern: str, action: str, options: str, name: str) -> Row:
    pairs = (pair.split("=") for pair in options.split(",") if pair)
    return Row(pattern, action, name, MappingProxyType({Option(o): letter for o, letter in pairs}))


@cache
def _dictionary(tag: int) -> str | None:
    """Return the VR that the data dictionary states; None if it doesn't know the tag."""
    try:
        return get_entry(tag)[0]
    except KeyError:
        return None
