"""`crosswalk`: read back what leads from pseudonyms to patients, for who holds the key."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path

import typer

from cinescrub.cli.models import say
from cinescrub.dicom.crosswalk import Entry, read_crosswalk
from cinescrub.dicom.pseudonym import Pseudonyms, load_key

__all__ = ["read_back"]


def read_back(path: Path, key: Path | None, *, find: str | None, json: bool) -> int:
    """Print a crosswalk's pairs: PHI, on stdout and nowhere else.

    Returns
    -------
    int
        0, or 1 if something was asked for and not found.

    Raises
    ------
    ConfigError
        The file or the key can't be read, or don't belong together.
    """
    damaged = 0
    count = 0
    for entry in read_crosswalk(path, Pseudonyms(load_key(key))):
        if entry is None:
            damaged += 1
        elif find is None or find in (entry.old, entry.new):
            count += 1
            typer.echo(_line(entry, json=json))
    if damaged:
        say(f"{damaged} lines were cut off or changed and can't be read")
    if find is not None and not count:
        say("not found")
        return 1
    return 0


def _line(entry: Entry, *, json: bool) -> str:
    fields = {"kind": entry.kind, "old": entry.old, "issuer": entry.issuer, "new": entry.new}
    if json:
        return jsonlib.dumps(fields)
    return "\t".join(_printable(value) for value in fields.values())


def _printable(value: str) -> str:
    """Return a value as one cell that steers no terminal."""
    return value if value.isprintable() else ascii(value)
