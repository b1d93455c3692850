"""UIDs of transfer syntaxes (PS3.6 table A-1); `pixels.registry` says what each can do."""

from __future__ import annotations

from typing import Final

__all__ = [
    "COMPRESSED",
    "DEFLATED",
    "EXPLICIT_BIG",
    "EXPLICIT_LITTLE",
    "IMPLICIT_LITTLE",
    "NATIVE",
    "RLE",
    "ROOT",
]

ROOT: Final = "1.2.840.10008.1.2"
IMPLICIT_LITTLE: Final = ROOT
EXPLICIT_LITTLE: Final = f"{ROOT}.1"
DEFLATED: Final = f"{ROOT}.1.99"
EXPLICIT_BIG: Final = f"{ROOT}.2"
RLE: Final = f"{ROOT}.5"
COMPRESSED: Final = f"{ROOT}.4."
"""What JPEG, its successors and video begin with."""
NATIVE: Final = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG})
"""Without encapsulation (PS3.5 A.1 to A.3, A.5)."""
