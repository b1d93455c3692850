"""Small DICOM files written with pydicom, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

EXPLICIT = "1.2.840.10008.1.2.1"


class WriteInstance(Protocol):
    """Write a file and return its path."""

    def __call__(
        self,
        pixels: bytes | Sequence[bytes] | None,
        syntax: str = EXPLICIT,
        *,
        vr: str = "OB",
        table: bool = True,
        **attributes: object,
    ) -> Path:
        """Write an instance; attributes by keyword, None leaves one out."""
        ...


@pytest.fixture
def write_instance(tmp_path: Path) -> WriteInstance:
    """Write 4 x 6 MONOCHROME2 files of 8 bits; whatever differs is said by the test."""

    def write(
        pixels: bytes | Sequence[bytes] | None,
        syntax: str = EXPLICIT,
        *,
        vr: str = "OB",
        table: bool = True,
        **attributes: object,
    ) -> Path:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.3.1")
        meta.MediaStorageSOPInstanceUID = UID("2.25.1")
        meta.TransferSyntaxUID = UID(syntax)
        defaults: dict[str, object] = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1",
            "SOPInstanceUID": "2.25.1",
            "Modality": "US",
            "PatientName": "NIGHTINGALE^FLORENCE",
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "NumberOfFrames": 1,
            "Rows": 4,
            "Columns": 6,
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
        }
        dataset = Dataset()
        for keyword, value in {**defaults, **attributes}.items():
            if value is not None:
                setattr(dataset, keyword, value)
        if isinstance(pixels, bytes):
            dataset.add_new(0x7FE00010, vr, pixels)
        elif pixels is not None:
            dataset.add_new(0x7FE00010, "OB", encapsulate(list(pixels), has_bot=table))
            dataset["PixelData"].is_undefined_length = True
        dataset.file_meta = meta
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bin"
        dcmwrite(
            path,
            dataset,
            implicit_vr=syntax == "1.2.840.10008.1.2",
            little_endian=syntax != "1.2.840.10008.1.2.2",
            enforce_file_format=True,
        )
        return path

    return write
