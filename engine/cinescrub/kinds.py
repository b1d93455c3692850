"""Closed sets of words that settings and contracts use.

Imports nothing heavy, NumPy least of all: the command line's help lists them, and starts at once.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Fill", "PhiKind"]


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
