"""Words that settings and contracts use, closed sets of them, and what a place is.

Imports nothing heavy, NumPy least of all: the command line's help lists them, and starts at once.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

__all__ = ["Fill", "Location", "PhiKind", "Url"]


class Url(str):
    """Where an object lies in a store, or under which prefix many do."""

    __slots__ = ()


Location: TypeAlias = Path | Url
"""Where an input lies or outputs go. It can hold a name: it is in reports, never in messages."""


class PhiKind(StrEnum):
    """What kind of identifier a token label or a pattern stands for."""

    NONE = "none"
    PERSON = "person"
    STAFF = "staff"
    INSTITUTION = "institution"
    LOCATION = "location"
    DATE = "date"
    IDENTIFIER = "identifier"
    CONTACT = "contact"
    AGE = "age"


class Fill(StrEnum):
    """What a rectangle is filled with."""

    BLACK = "black"
    """What a viewer shows as black."""
    MEAN = "mean"
    """The mean of what surrounds the rectangle in its frame (`pixels.fill`)."""
