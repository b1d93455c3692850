"""Profiles as TOML: reading them strictly, the ready ones, and what tells two of them apart.

A misspelt key or element is an error, never ignored: a rule that doesn't hold must not seem to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from cinescrub.dicom.options import parse_options
from cinescrub.dicom.profile import FULLY_REMOVED, Profile, Rule, basic_profile, resolve
from cinescrub.errors import ConfigError

__all__ = ["READY", "Line", "lines", "load_profile"]

READY: Final = ("basic", "research-echo", "public-release")
"""Profiles that the package brings."""

_KEYS: Final = frozenset({"about", "extends", "name", "options", "rule", "unlisted"})
_RULE_KEYS: Final = frozenset({"action", "element", "reason"})
_UNLISTED: Final = ("remove", "table")
_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_REQUIRED: Final = 1


@dataclass(frozen=True, slots=True)
class Line:
    """What a profile does with one element, to be read by people."""

    element: str
    """`(gggg,eeee)`, with x for any digit."""
    name: str
    action: str
    """Letters of Table E.1-1, perhaps a compound action: then the IOD decides."""
    reason: str


def load_profile(name: str, options: tuple[str, ...] = ()) -> Profile:
    """Return a profile by its name or file, with further options.

    Parameters
    ----------
    name : str
        One of `READY`, or the path of a TOML file.
    options : tuple of str
        Names of options that are added to the profile's own.

    Raises
    ------
    ConfigError
        There is no such profile, its file can't be read, or something in it is unknown.
    """
    if name in READY:
        source = files("cinescrub.dicom") / "data" / "profiles" / f"{name}.toml"
        text, place = source.read_text(encoding="utf-8"), name
    else:
        text, place = _text_of(Path(name)), name
    profile = _parsed(text, place)
    return profile.with_options(parse_options([*profile.options, *options]))


def lines(profile: Profile) -> Iterator[Line]:
    """Yield what a profile does, by element: rules, the table's rows, and what is beyond it."""
    named = set(profile.table) | set(profile.beyond) | set(profile.rules)
    for tag in sorted(named):
        decided = [profile.decide(tag, kind) for kind in (1, 2, 3)]
        letters = "/".join(dict.fromkeys(d.action.value for d in reversed(decided)))
        row = profile.table.get(tag)
        yield Line(
            f"({tag >> 16:04X},{tag & 0xFFFF:04X})",
            row.name if row is not None else keyword_for_tag(tag),
            letters,
            decided[-1].reason.partition(", type ")[0],
        )
    for row in profile.rows:
        if "x" in row.pattern:
            kept = [o for o in profile.options if o in row.options and "gggg" in row.name.lower()]
            yield Line(
                f"({row.pattern[:4]},{row.pattern[4:]})",
                row.name,
                row.action,
                f"E.1-1 {row.action}" + (f", {kept[0]}" if kept else ""),
            )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"profile {path} can't be read: give a file or one of {', '.join(READY)}"
        ) from None


def _parsed(text: str, place: str) -> Profile:
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"profile {place} is not TOML: {error}") from None
    _known(said, _KEYS, f"profile {place}")
    name = _string(said, "name", place)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"profile {place}: `name` is letters, digits, dots and dashes, up to 64")
    _string(said, "about", place)
    base = _base(said, place)
    unlisted = said.get("unlisted", "remove" if base.allow_list else "table")
    if unlisted not in _UNLISTED:
        raise ConfigError(f"profile {place}: `unlisted` is one of {', '.join(_UNLISTED)}")
    options = said.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ConfigError(f"profile {place}: `options` is a list of names")
    rules = said.get("rule", [])
    if not isinstance(rules, list):
        raise ConfigError(f"profile {place}: write rules as [[rule]]")
    return replace(
        base,
        name=name,
        options=parse_options([*base.options, *options]),
        rules=MappingProxyType({**base.rules, **_rules(rules, place)}),
        allow_list=unlisted == "remove",
    )


def _base(said: dict[str, Any], place: str) -> Profile:
    extended = said.get("extends")
    if extended is None:
        return basic_profile()
    if extended not in READY or extended == said.get("name"):
        raise ConfigError(f"profile {place}: `extends` is one of {', '.join(READY)}")
    return load_profile(extended)


def _rules(said: list[Any], place: str) -> dict[int, Rule]:
    rules: dict[int, Rule] = {}
    for number, entry in enumerate(said, 1):
        where = f"profile {place}, rule {number}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: write rules as [[rule]]")
        _known(entry, _RULE_KEYS, where)
        action, reason = _string(entry, "action", where), _string(entry, "reason", where)
        try:
            resolve(action, _REQUIRED)
        except ValueError:
            raise ConfigError(
                f"{where}: {action!r} is no action: give D, Z, X, K, C, U or one like X/Z/D"
            ) from None
        for element in _elements(entry, where):
            tag = _tag(element, where)
            if tag in rules:
                raise ConfigError(f"{where}: {element} has a rule already")
            rules[tag] = Rule(action, reason)
    return rules


def _elements(entry: dict[str, Any], where: str) -> list[str]:
    named = entry.get("element")
    elements = [named] if isinstance(named, str) else named
    if (
        not isinstance(elements, list)
        or not elements
        or not all(isinstance(element, str) for element in elements)
    ):
        raise ConfigError(f"{where}: `element` is a keyword, a tag, or a list of them")
    return elements


def _tag(element: str, where: str) -> int:
    match = _TAG.fullmatch(element.strip())
    tag = int(match.group(1) + match.group(2), 16) if match else tag_for_keyword(element)
    # The table is newer than the dictionary, which lacks some of its rows.
    if tag is None or not (keyword_for_tag(tag) or tag in basic_profile().table):
        raise ConfigError(f"{where}: {element!r} is no element of the data dictionary")
    if tag >> 16 in FULLY_REMOVED:
        raise ConfigError(f"{where}: {element} always goes: {FULLY_REMOVED[tag >> 16]}")
    return tag


def _string(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: `{key}` is missing: give a text")
    return " ".join(value.split())


def _known(entry: dict[str, Any], keys: frozenset[str], where: str) -> None:
    if unknown := sorted(set(entry) - keys):
        raise ConfigError(
            f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(keys))}"
        )
