"""A scrubbed header as bytes, by the rules of PS3.5 7 and PS3.10 7.1. Decides nothing.

A header is for the most part elements that were kept, whose bytes are at hand, and short plain
texts of ours: these are written here. All else is pydicom's to encode, and so is a dataset whose
encoding or character set is another than the one it was read in. Both give the same bytes.
"""

from __future__ import annotations

import struct
from typing import Final

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, PersonName

from cinescrub.dicom.header import quiet
from cinescrub.dicom.values import Stored, is_empty
from cinescrub.errors import ScrubError

__all__ = ["encoded_dataset", "encoded_meta"]

_LONG: Final = frozenset(str(vr) for vr in EXPLICIT_VR_LENGTH_32)
_PLAIN: Final = frozenset(
    {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
"""VRs whose value, as pydicom holds it, is text as it is written."""
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_REQUIRED: Final = (0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012)
_MESSAGE: Final = "the scrubbed header can't be encoded: a value is not of its VR"

_Codecs = str | list[str]


def encoded_dataset(dataset: Dataset, *, implicit: bool, little: bool) -> bytes:
    """Encode a dataset.

    Parameters
    ----------
    dataset : Dataset
        Borrowed and not changed.
    implicit, little : bool
        The encoding.

    Raises
    ------
    ScrubError
        A value can't be encoded. pydicom's own messages hold values, so they are dropped.
    """
    try:
        with quiet():
            return _Encoder(implicit, little).dataset(dataset, default_encoding)
    except Exception:  # pydicom raises a dozen kinds
        raise ScrubError(_MESSAGE) from None


def encoded_meta(meta: FileMetaDataset) -> bytes:
    """Encode file meta information, with its group length (PS3.10 7.1).

    Raises
    ------
    ScrubError
        An element that the standard requires is missing, or a value can't be encoded.
    """
    held = {int(tag): element for tag, element in meta.items()}
    if any(tag not in held or is_empty(held[tag], str(held[tag].VR)) for tag in _REQUIRED):
        raise ScrubError("the file meta information lacks an element that the standard requires")
    body = encoded_dataset(meta, implicit=False, little=True)
    return struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(body)) + body


class _Encoder:
    """Encodes datasets at every depth in one encoding."""

    __slots__ = ("_implicit", "_little", "_long", "_short", "_tag")

    def __init__(self, implicit: bool, little: bool) -> None:
        order = "<" if little else ">"
        self._implicit, self._little = implicit, little
        self._tag = struct.Struct(f"{order}HHL")
        self._short = struct.Struct(f"{order}HH2sH")
        self._long = struct.Struct(f"{order}HH2sHL")

    def dataset(self, dataset: Dataset, inherited: _Codecs) -> bytes:
        # By plain numbers: pydicom's tags compare themselves, at many times the cost.
        elements = {int(key): element for key, element in dataset.items()}
        held = dataset._character_set
        as_read = (
            dataset.original_encoding == (self._implicit, self._little)
            and dataset.original_character_set == held
        )
        if not as_read and any(isinstance(e, RawDataElement) for e in elements.values()):
            return self._converted(dataset, inherited)
        codecs: _Codecs = held if 0x00080005 in elements else inherited
        parts = []
        for tag in sorted(elements):
            if tag & 0xFFFF == 0 and tag >> 16 > 6:
                continue  # group lengths are retired (PS3.5 7.2)
            element = elements[tag]
            if isinstance(element, RawDataElement) and element.value is None:  # left in its file
                element = dataset.get_item(BaseTag(tag))
            parts.append(self._element(tag, element, codecs))
        return b"".join(parts)

    def _converted(self, dataset: Dataset, inherited: _Codecs) -> bytes:
        buffer = self._buffer()
        write_dataset(buffer, dataset, inherited)
        return buffer.getvalue()

    def _buffer(self) -> DicomBytesIO:
        buffer = DicomBytesIO()
        buffer.is_implicit_VR, buffer.is_little_endian = self._implicit, self._little
        return buffer

    def _element(self, tag: int, element: Stored, codecs: _Codecs) -> bytes:
        vr = str(element.VR)
        if isinstance(element, RawDataElement):
            value = element.value if element.length != _UNDEFINED else None
        elif vr == "SQ":
            return self._sequence(tag, element, codecs)
        else:
            value = _plain(element, vr)
        # What is too long for a length of 16 bits becomes UN (PS3.5 6.2.2).
        if value is not None and (self._implicit or vr in _LONG or len(value) <= 0xFFFF):
            return self._head(tag, vr, len(value)) + value
        buffer = self._buffer()
        write_data_element(buffer, element, codecs)
        return buffer.getvalue()

    def _head(self, tag: int, vr: str, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if self._implicit:
            return self._tag.pack(group, number, length)
        code = vr.encode("ascii")
        if len(code) != 2:
            raise ScrubError(_MESSAGE)
        if vr in _LONG:
            return self._long.pack(group, number, code, 0, length)
        return self._short.pack(group, number, code, length)

    def _sequence(self, tag: int, element: DataElement, codecs: _Codecs) -> bytes:
        inner = convert_encodings(codecs)
        items = b"".join(self._item(item, inner) for item in element.value or ())
        if not element.is_undefined_length:
            return self._head(tag, "SQ", len(items)) + items
        return self._head(tag, "SQ", _UNDEFINED) + items + self._tag.pack(*_SEQUENCE_END, 0)

    def _item(self, item: Dataset, codecs: list[str]) -> bytes:
        body = self.dataset(item, codecs)
        if not item.is_undefined_length_sequence_item:
            return self._tag.pack(*_ITEM, len(body)) + body
        return self._tag.pack(*_ITEM, _UNDEFINED) + body + self._tag.pack(*_ITEM_END, 0)


def _plain(element: DataElement, vr: str) -> bytes | None:
    """Return an element's value as it is written; None if that isn't simply its text."""
    value = element.value
    if value is None or value == "":
        return b""
    if isinstance(value, PersonName):
        value = str(value)
    elif vr not in _PLAIN:
        return None
    if isinstance(value, MultiValue | list):
        if not all(isinstance(each, str) for each in value):
            return None
        value = "\\".join(value)
    if not isinstance(value, str) or not value.isascii():
        return None
    data = value.encode("ascii")
    return data + (b"\0" if vr == "UI" else b" ") if len(data) % 2 else data
