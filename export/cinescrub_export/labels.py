"""Which kind of PHI a token classifier's label stands for.

Label sets differ by model; the contract maps each of its labels. Fail closed: a label that is not
known here counts as an identifier, so that a new model's findings are redacted, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cinescrub.types import PhiKind

__all__ = ["OUTSIDE", "is_known", "phi_kinds"]

OUTSIDE: Final = "O"
"""The label of tokens that are in no entity."""

_PREFIX: Final = re.compile(r"^[BILUSE][-_]")
"""Position in the entity, in the BIO, BILUO and BIOES schemes."""

_KINDS: Final = {
    PhiKind.NONE: {
        "O",
        "VENDOR",  # maker of the scanner: on every banner, identifies nobody
    },
    PhiKind.PERSON: {"PATIENT", "GIVEN_NAME", "SURNAME", "NAME", "PER", "PERSON"},
    PhiKind.STAFF: {"HCW", "DOCTOR", "STAFF"},
    PhiKind.INSTITUTION: {"HOSPITAL", "ORG", "ORGANIZATION", "PATORG"},
    PhiKind.LOCATION: {
        "BUILDING_NUMBER", "STREET_NAME", "SECONDARY_ADDRESS", "CITY", "STATE", "ZIP_CODE",
        "LOC", "LOCATION", "ADDRESS", "STREET", "ZIP", "COUNTRY",
    },
    PhiKind.DATE: {"DATE", "DATE_TIME", "TIME"},
    PhiKind.IDENTIFIER: {
        "ID", "TAX_ID", "BANK_ACCOUNT", "ROUTING_NUMBER", "GOVERNMENT_ID", "PASSPORT",
        "DRIVERS_LICENSE", "MEDICALRECORD", "SSN", "IDNUM",
    },
    PhiKind.CONTACT: {"PHONE", "EMAIL", "URL", "FAX"},
    PhiKind.AGE: {"AGE"},
}  # fmt: skip
_BY_NAME: Final = {name: kind for kind, names in _KINDS.items() for name in names}


def _base(label: str) -> str:
    return _PREFIX.sub("", label.upper())


def is_known(label: str) -> bool:
    """Return whether the label's kind is known, rather than assumed."""
    return _base(label) in _BY_NAME


def phi_kinds(labels: Sequence[str]) -> dict[str, PhiKind]:
    """Map every label to its kind; an unknown one is an identifier."""
    return {label: _BY_NAME.get(_base(label), PhiKind.IDENTIFIER) for label in labels}
