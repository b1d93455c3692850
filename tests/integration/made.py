"""Files with one bright block of "text" in each frame, in any syntax and with any fragments."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from cinescrub import masks
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.dicom.source import open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline.apply import write_pixels
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import registry
from cinescrub.pixels.apply import snap
from cinescrub.stream import CancelToken
from cinescrub.types import Fill

ROOT = "1.2.840.10008.1.2"
ROWS, COLUMNS = 64, 96
TEXT = (slice(16, 32), slice(16, 64))
"""Where the fake detector sees text: rows, columns."""


def picture(seed: int = 0, *, colour: bool = False) -> npt.NDArray[np.uint8]:
    """Return (ROWS, COLUMNS) or (ROWS, COLUMNS, 3) uint8: dark noise and a bright block."""
    shape = (ROWS, COLUMNS, 3) if colour else (ROWS, COLUMNS)
    image = np.random.default_rng(seed).integers(10, 90, shape, np.uint8)
    image[TEXT] = 255
    return image


def items(*fragments: bytes, table: bytes = b"") -> bytes:
    """Encode a Basic Offset Table and fragments as items, with a sequence delimiter."""
    out = [struct.pack("<HHL", 0xFFFE, 0xE000, len(table)) + table]
    out += [struct.pack("<HHL", 0xFFFE, 0xE000, len(f)) + f for f in fragments]
    return b"".join([*out, struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)])


OVERLAY = {0x60000100: ("US", 16), 0x60000102: ("US", 12)}
"""An overlay in bit 12 of 16-bit samples (retired)."""


def header(
    syntax: str,
    frames: int,
    elements: Mapping[int, tuple[str, object]] | None = None,
    **attributes: object,
) -> Dataset:
    """Return a header of 8-bit MONOCHROME2; what differs is said by the test."""
    dataset = Dataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.3.1")
    meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta = meta
    values: dict[str, object] = {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1",
        "SOPInstanceUID": "2.25.1",
        "StudyInstanceUID": "2.25.2",
        "SeriesInstanceUID": "2.25.3",
        "Modality": "US",
        "PatientName": "NIGHTINGALE^FLORENCE",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "NumberOfFrames": frames,
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    } | attributes
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    for tag, (vr, value) in (elements or {}).items():
        dataset.add_new(tag, vr, value)
    return dataset


def write(
    path: Path,
    syntax: str,
    pixels: bytes | Sequence[bytes],
    *,
    frames: int | None = None,
    vr: str = "OB",
    elements: Mapping[int, tuple[str, object]] | None = None,
    **attributes: object,
) -> Path:
    """Write a file and return its path.

    `pixels`: the encoded items as bytes, or native pixels, or frames to make one item of each.
    """
    native = syntax in (ROOT, ROOT + ".1", ROOT + ".2")
    if isinstance(pixels, bytes):
        value = pixels
    else:
        even = [bytes(f) + bytes(len(f) % 2) for f in pixels]
        value = b"".join(pixels) if native else items(*even)
    count = frames if frames is not None else (1 if isinstance(pixels, bytes) else len(pixels))
    dcmwrite(path, header(syntax, count, elements, **attributes), enforce_file_format=True)
    length = len(value) + len(value) % 2 if native else 0xFFFFFFFF
    order = ">" if syntax == ROOT + ".2" else "<"
    head = (
        struct.pack("<HHL", 0x7FE0, 0x0010, length)
        if syntax == ROOT
        else struct.pack(f"{order}HH2sHL", 0x7FE0, 0x0010, vr.encode(), 0, length)
    )
    with path.open("ab") as file:
        file.write(head + value + bytes(len(value) % 2 if native else 0))
    return path


def redacted(path: Path, target: Path, box: Sequence[int], fill: Fill = Fill.BLACK) -> Path:
    """Write `target`: the file with one rectangle filled in every frame, checked, without models.

    The header is scrubbed as the pipeline does it.
    """
    token = CancelToken()
    with open_source(path) as source:
        info = source.info
        registry.check(info)
        boxes = snap(source.frame(0), info, np.array([box], np.int32).reshape(-1, 4))
        plan = masks.with_rectangles(info, boxes)
        header = scrub(
            source.header,
            profile=basic_profile(),
            pseudonyms=Pseudonyms(bytes(32)),
            claims=Claims(),
        ).dataset
        header.PhotometricInterpretation = registry.output_photometric(info)
        meta = fresh_file_meta(
            sop_class=str(header.SOPClassUID),
            sop_instance=str(header.SOPInstanceUID),
            transfer_syntax=registry.output_syntax(info),
        )
        with OutputFile(target) as output:
            output.write_header(meta, header)
            write_pixels(output, source, plan, fill=fill, token=token, tell=lambda _: None)
            output.finish()
            with open_source(output.path) as written:
                compare_frames(source, written, plan, token, fill=fill)
            output.commit()
    return target
