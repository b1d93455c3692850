"""The header of a made cine: a valid Ultrasound (Multi-frame) Image that names nobody.

Nothing here knows of frames or encoders. Identifiers are `planting`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from cinescrub.testing.frames import Drawing
from cinescrub.testing.media import palette_tables
from cinescrub.testing.spec import CineSpec, Photometric, Syntax
from cinescrub.testing.truth import Planted

__all__ = ["Header", "plain_header"]

MULTIFRAME: Final = "1.2.840.10008.5.1.4.1.1.3.1"
"""Ultrasound Multi-frame Image Storage, PS3.4 B.5."""
STILL: Final = "1.2.840.10008.5.1.4.1.1.6.1"
"""Ultrasound Image Storage, PS3.4 B.5."""


@dataclass(slots=True)
class Header:
    """Everything of a made file but its pixel data element. Mutable while it is made."""

    meta: FileMetaDataset
    dataset: Dataset
    tail: Dataset
    """Elements behind the pixel data."""
    preamble: bytes
    jpeg_segments: tuple[tuple[int, bytes], ...]
    """Marker segments (code, payload) for the first and the last JPEG frame."""
    planted: list[Planted] = field(default_factory=list)


def plain_header(drawing: Drawing) -> Header:
    """Make the header of a drawing; the same drawing gives the same header."""
    spec = drawing.spec
    multiframe = spec.frames > 1
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    dataset.SOPClassUID = MULTIFRAME if multiframe else STILL
    dataset.SOPInstanceUID = _uid(spec, 1 + 100 * spec.take)
    dataset.StudyInstanceUID = _uid(spec, 2)
    dataset.SeriesInstanceUID = _uid(spec, 3)
    dataset.Modality = "US"
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = ""
    dataset.Manufacturer = dataset.ReferringPhysicianName = dataset.StudyID = ""
    dataset.PatientName = dataset.PatientID = dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.PatientOrientation = ""
    dataset.LossyImageCompression = "01" if spec.syntax is Syntax.JPEG_BASELINE else "00"
    if multiframe:
        dataset.NumberOfFrames = spec.frames
        dataset.FrameTime = f"{spec.frame_time_ms:g}"
        # AT of Frame Time, PS3.3 C.7.6.6.
        dataset.FrameIncrementPointer = Tag("FrameTime")
    _describe_pixels(dataset, spec)
    dataset.SequenceOfUltrasoundRegions = Sequence([_region(drawing)])
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(str(spec.syntax))
    meta.ImplementationClassUID = UID("2.25.95430672116404177466148913502178391347")
    meta.ImplementationVersionName = "CINESCRUB_MADE"
    return Header(meta, dataset, Dataset(), b"\0" * 128, ())


def _describe_pixels(dataset: Dataset, spec: CineSpec) -> None:
    gray = spec.photometric.gray or spec.photometric is Photometric.PALETTE
    bits = spec.palette_bits if spec.photometric is Photometric.PALETTE else 8
    dataset.SamplesPerPixel = 1 if gray else 3
    dataset.PhotometricInterpretation = str(spec.photometric)
    if not gray:
        dataset.PlanarConfiguration = spec.planar
    dataset.Rows, dataset.Columns = spec.rows, spec.columns
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    if spec.photometric is Photometric.PALETTE:
        _add_palette(dataset, spec)


def _add_palette(dataset: Dataset, spec: CineSpec) -> None:
    order = ">" if spec.syntax is Syntax.EXPLICIT_BIG else "<"
    tables = palette_tables(spec.palette_bits)
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        # 65536 entries are written as 0, PS3.3 C.7.6.3.1.5.
        descriptor = [len(table) % 65536, 0, 16]
        dataset.add(DataElement(Tag(f"{name}PaletteColorLookupTableDescriptor"), "US", descriptor))
        raw = table.astype(f"{order}u2").tobytes()
        dataset.add(DataElement(Tag(f"{name}PaletteColorLookupTableData"), "OW", raw))


def _region(drawing: Drawing) -> Dataset:
    """Describe the insonified rectangle, PS3.3 C.8.5.5."""
    x0, y0, x1, y1 = drawing.region
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 2
    region.RegionLocationMinX0, region.RegionLocationMinY0 = x0, y0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = x1 - 1, y1 - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.0317
    return region


def _uid(spec: CineSpec, purpose: int) -> str:
    words = np.random.default_rng([spec.seed, 9, purpose]).integers(0, 2**32, 4, np.uint64)
    value = sum(int(word) << (32 * index) for index, word in enumerate(words))
    return f"2.25.{value}"
