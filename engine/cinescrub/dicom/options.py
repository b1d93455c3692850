"""The options of PS3.15 E.3: their names here, their columns of Table E.1-1, their codes.

Names and codes only: what an option does to an element is the profile's, the work the scrub's.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cinescrub.errors import ConfigError

__all__ = ["BASIC", "CODES", "PIXELS", "Option", "parse_options"]


class Option(StrEnum):
    """An option that a profile may ask for."""

    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    """Private elements of PS3.15 Table E.3.10-1, by creator and VR."""
    RETAIN_TCIA_PRIVATE = "retain-tcia-private"
    """Those, and the further ones that The Cancer Imaging Archive keeps."""
    RETAIN_UIDS = "retain-uids"
    RETAIN_DEVICE = "retain-device-identity"
    RETAIN_INSTITUTION = "retain-institution-identity"
    RETAIN_PATIENT = "retain-patient-characteristics"
    RETAIN_FULL_DATES = "retain-full-dates"
    RETAIN_MODIFIED_DATES = "retain-modified-dates"
    """Dates and times moved by one keyed distance for each patient."""
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"


BASIC: Final = ("113100", "Basic Application Confidentiality Profile")
PIXELS: Final = ("113101", "Clean Pixel Data Option")
"""Not asked for: it is what `run` does, and is claimed if the pixels were verified."""

CODES: Final = MappingProxyType(
    {
        Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
        Option.CLEAN_STRUCTURED: ("113104", "Clean Structured Content Option"),
        Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
        Option.RETAIN_FULL_DATES: (
            "113106",
            "Retain Longitudinal Temporal Information Full Dates Option",
        ),
        Option.RETAIN_MODIFIED_DATES: (
            "113107",
            "Retain Longitudinal Temporal Information Modified Dates Option",
        ),
        Option.RETAIN_PATIENT: ("113108", "Retain Patient Characteristics Option"),
        Option.RETAIN_DEVICE: ("113109", "Retain Device Identity Option"),
        Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
        Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
        Option.RETAIN_TCIA_PRIVATE: ("113111", "Retain Safe Private Option"),
        Option.RETAIN_INSTITUTION: ("113112", "Retain Institution Identity Option"),
    }
)
"""Code and meaning of CID 7050 (PS3.16)."""


def parse_options(names: Iterable[str]) -> frozenset[Option]:
    """Return options by their names.

    Raises
    ------
    ConfigError
        A name is unknown, or both options on dates are asked for.
    """
    options: set[Option] = set()
    for name in names:
        try:
            options.add(Option(name))
        except ValueError:
            known = ", ".join(Option)
            raise ConfigError(f"unknown option {name!r}: known are {known}") from None
    if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= options:
        raise ConfigError("dates are kept or moved, not both: choose one of the two options")
    return frozenset(options)
