"""The file meta information of an output: ours, and no more than the standard requires."""

from __future__ import annotations

from typing import Final

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cinescrub import __version__

__all__ = ["IMPLEMENTATION_CLASS_UID", "fresh_file_meta"]

IMPLEMENTATION_CLASS_UID: Final = "2.25.322079837240431169353701865162251345762"
"""Ours (PS3.7 D.3.3.2), from a random UUID (PS3.5 B.2)."""
IMPLEMENTATION_VERSION: Final = f"CINESCRUB_{__version__}"[:16]


def fresh_file_meta(*, sop_class: str, sop_instance: str, transfer_syntax: str) -> FileMetaDataset:
    """Return file meta information with what PS3.10 7.1 requires and nothing else.

    The input's is not read: its application entity titles, presentation addresses and private
    information name the site.
    """
    uids = {
        0x00020002: sop_class,
        0x00020003: sop_instance,
        0x00020010: transfer_syntax,
        0x00020012: IMPLEMENTATION_CLASS_UID,
    }
    elements: list[tuple[int, str, object]] = [
        (0x00020001, "OB", b"\x00\x01"),
        *((tag, "UI", UID(uid, validation_mode=config.IGNORE)) for tag, uid in uids.items()),
        (0x00020013, "SH", IMPLEMENTATION_VERSION),
    ]
    made = [DataElement(BaseTag(t), vr, v, already_converted=True) for t, vr, v in elements]
    return FileMetaDataset({element.tag: element for element in made})
