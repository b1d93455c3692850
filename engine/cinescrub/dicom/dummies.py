"""Values that say nothing and are valid for their VR (PS3.15 E.1.1, actions Z and D)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

__all__ = ["DATE", "PLACEHOLDERS", "TEXT", "dummy", "empty", "is_dummy"]

TEXT: Final = "ANONYMIZED"
"""Ten characters of the CS repertoire: short enough for SH, AE and CS (16, PS3.5 6.2)."""
DATE: Final = "19000101"

PLACEHOLDERS: Final = frozenset({TEXT.casefold(), "subject"})
"""Our own words: in a file that was scrubbed before they identify nobody."""

_DUMMIES: Final = MappingProxyType(
    {
        **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), TEXT),
        "AS": "000Y",
        "DA": DATE,
        "DT": f"{DATE}000000",
        "TM": "000000",
        "UR": "about:blank",  # a valid URI that leads nowhere (RFC 6694)
        **dict.fromkeys(("DS", "IS"), "0"),
        **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), b"\0" * 8),
        **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), 0),
        "AT": 0,
    }
)


_CONVERTED: Final = frozenset({"AT", "DS", "IS", "PN"})
"""VRs of whose values pydicom makes a type of its own."""


def dummy(tag: int, vr: str) -> DataElement:
    """Return a new element with a value without meaning; `vr` is neither SQ nor UI."""
    return DataElement(BaseTag(tag), vr, _DUMMIES[vr], already_converted=vr not in _CONVERTED)


def is_dummy(text: str, vr: str) -> bool:
    """Whether a value is the dummy of its VR, as it is for everybody."""
    return text == _DUMMIES.get(vr)


def empty(tag: int, vr: str) -> DataElement:
    """Return a new element of zero length."""
    value = Sequence() if vr == "SQ" else None
    return DataElement(BaseTag(tag), vr, value, already_converted=True)
