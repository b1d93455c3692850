"""Headers as the DICOM JSON Model (PS3.18 annex F), in which other programs hand them on.

Converts, both ways; what a header may keep is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Self

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from cinescrub.dicom.encode import encoded_dataset
from cinescrub.dicom.header import guarded, quiet
from cinescrub.dicom.outcome import ScrubOutcome
from cinescrub.errors import InputError, ScrubError

__all__ = ["JsonHeader", "header_to_json", "scrubbed_json"]

_CHARSET: Final = 0x00080005
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_NO_HEADER: Final = frozenset({0x0002, 0x7FE0, 0xFFFC})
"""Groups of file meta information, pixel data and padding."""
_NO_MODEL: Final = "the metadata is not of the DICOM JSON Model (PS3.18 annex F)"


def header_to_json(header: Dataset) -> dict[str, Any]:
    """Return a header as plain values: tags in eight hexadecimal digits, each with VR and value.

    Parameters
    ----------
    header : Dataset
        Borrowed. Elements whose value isn't of their VR are left out.
    """
    model: dict[str, Any] = {}
    with quiet():
        # One by one: pydicom's own for all of a dataset logs the values that it can't convert.
        for tag in header.keys():  # noqa: SIM118 - a Dataset iterates over elements
            with suppress(Exception):
                model[f"{tag:08X}"] = _element(header[tag])
    return model


def _element(element: DataElement) -> dict[str, Any]:
    if element.VR == "SQ":
        return {"vr": "SQ", "Value": [header_to_json(item) for item in element.value or []]}
    told: dict[str, Any] = element.to_json_dict(None, 0)
    return told


def scrubbed_json(outcome: ScrubOutcome) -> dict[str, Any]:
    """Return a scrubbed header as `header_to_json` does, after a last look at its bytes.

    Parameters
    ----------
    outcome : ScrubOutcome
        Of the scrub. A file's header is audited where it was written; this one isn't.

    Raises
    ------
    ScrubError
        An identifier of the input is still in it.
    """
    encoded = encoded_dataset(outcome.dataset, implicit=False, little=True)
    if outcome.search.finds_in_bytes(encoded):
        raise ScrubError("an identifier survived in the metadata: review this file")
    return header_to_json(outcome.dataset)


@dataclass(frozen=True, slots=True)
class JsonHeader:
    """A header that is no file's."""

    header: Dataset = field(repr=False)
    """As if it had been read from a file; not to be changed."""

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Self:
        """Read a JSON Model.

        Parameters
        ----------
        model : mapping
            Tags in eight hexadecimal digits. Pixel data, padding and file meta information in it
            are left out.

        Raises
        ------
        InputError
            It is no such model. What is wrong isn't said, since it could be a value.
        """
        with guarded(_NO_MODEL):
            told = Dataset.from_json(dict(model))
            for tag in [tag for tag in told.keys() if tag >> 16 in _NO_HEADER]:  # noqa: SIM118 - a Dataset iterates over elements
                del told[tag]
            told.add_new(BaseTag(_CHARSET), "CS", "ISO_IR 192")  # text is text, whatever it was
            # As bytes and back, so that a scrub meets what it meets in a file: values as stored.
            try:
                encoded = BytesIO(encoded_dataset(told, implicit=False, little=True))
            except ScrubError:
                raise InputError(_NO_MODEL) from None
            return cls(read_dataset(encoded, is_implicit_VR=False, is_little_endian=True))

    def require_size(self, rows: int, columns: int) -> None:
        """Refuse frames of another size: turned ones would be looked at from the side.

        Raises
        ------
        InputError
            The header tells another size, or one that can't be read.
        """
        for tag, size in ((_ROWS, rows), (_COLUMNS, columns)):
            with guarded("the metadata's Rows and Columns can't be read"):
                differs = BaseTag(tag) in self.header and self.header[tag].value != size
            if differs:
                raise InputError(
                    f"frames are {rows} x {columns}, which is not what the metadata's Rows and"
                    " Columns say: give them upright and before any other change"
                )
