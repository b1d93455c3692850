"""Writes a made cine as a DICOM file, frame by frame, and returns the truth about it.

The file is valid, and is written straight into its place: it is test data, not output of the
engine, which it shares no code with.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info

from cinescrub.testing.frames import draw_frames, plan_drawing
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.header import Header, plain_header
from cinescrub.testing.media import encode_frame, insert_jpeg_segments, to_stored
from cinescrub.testing.planting import plant
from cinescrub.testing.spec import CineSpec, Photometric, Syntax
from cinescrub.testing.truth import CineTruth

__all__ = ["make_cine"]

_LOSSY_METHOD: Final = "ISO_10918_1"
"""Lossy Image Compression Method of JPEG, PS3.3 C.7.6.1.1.5.1."""


def make_cine(spec: CineSpec, path: Path) -> CineTruth:
    """Write one cine.

    Memory is bounded by a few frames, whatever the number of frames.

    Parameters
    ----------
    spec : CineSpec
        What it shall be. Equal specs give equal bytes.
    path : Path
        The file, replaced if there is one; its folder is there.

    Returns
    -------
    CineTruth
        Every burned-in string and every planted identifier.
    """
    drawing = plan_drawing(spec)
    header = plain_header(drawing)
    if spec.planted:
        plant(header, drawing)
    frames = _encoded(spec, header, draw_frames(drawing))
    if spec.syntax is Syntax.JPEG_BASELINE:
        header.dataset.LossyImageCompressionMethod = _LOSSY_METHOD
        header.dataset.LossyImageCompressionRatio = "10"
    with path.open("wb") as file:
        _write(file, spec, header, frames)
    return replace(drawing.truth, planted=tuple(header.planted))


def _encoded(spec: CineSpec, header: Header, drawn: Iterator[Canvas]) -> Iterator[bytes]:
    for index, frame in enumerate(drawn):
        stream = encode_frame(to_stored(frame, spec), spec)
        if header.jpeg_segments and index in (0, spec.frames - 1):
            stream = insert_jpeg_segments(stream, header.jpeg_segments)
        yield stream


def _write(file: BinaryIO, spec: CineSpec, header: Header, frames: Iterator[bytes]) -> None:
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, header.meta, enforce_standard=True)
    file.write(header.preamble + b"DICM" + buffer.getvalue())
    before, behind = _parts(spec, header)
    if spec.syntax is Syntax.DEFLATED:
        # Raw deflate without a zlib header, padded to even length: PS3.5 A.5.
        deflater = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
        length = 0
        for chunk in (before, *_pixel_element(spec, frames), behind):
            length += file.write(deflater.compress(chunk))
        length += file.write(deflater.flush())
        file.write(b"\0" * (length % 2))
        return
    file.write(before)
    for chunk in _pixel_element(spec, frames):
        file.write(chunk)
    file.write(behind)


def _parts(spec: CineSpec, header: Header) -> tuple[bytes, bytes]:
    """Return the elements before and behind the pixel data, as the syntax writes them."""
    return _dataset_bytes(header.dataset, spec), _dataset_bytes(header.tail, spec)


def _dataset_bytes(dataset: Dataset, spec: CineSpec) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian = spec.syntax is not Syntax.EXPLICIT_BIG
    buffer.is_implicit_VR = spec.syntax is Syntax.IMPLICIT_LITTLE
    write_dataset(buffer, dataset, "utf8")
    return bytes(buffer.getvalue())


def _pixel_element(spec: CineSpec, frames: Iterator[bytes]) -> Iterator[bytes]:
    return _native_element(spec, frames) if spec.syntax.native else _fragments(frames)


def _native_element(spec: CineSpec, frames: Iterator[bytes]) -> Iterator[bytes]:
    length = spec.frames * _frame_bytes(spec)
    padding = length % 2
    tag = struct.pack(">HH" if spec.syntax is Syntax.EXPLICIT_BIG else "<HH", 0x7FE0, 0x0010)
    if spec.syntax is Syntax.IMPLICIT_LITTLE:
        yield tag + struct.pack("<I", length + padding)
    else:
        order = ">" if spec.syntax is Syntax.EXPLICIT_BIG else "<"
        # OW where a sample has 16 bits, OB is allowed where it has 8 (PS3.5 A.2).
        vr = b"OW" if _wide(spec) else b"OB"
        yield tag + vr + b"\0\0" + struct.pack(f"{order}I", length + padding)
    yield from frames
    yield b"\0" * padding


def _fragments(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Yield encapsulated pixel data: an empty offset table, one fragment a frame (PS3.5 A.4)."""
    yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    yield struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    for frame in frames:
        padding = len(frame) % 2
        yield struct.pack("<HHI", 0xFFFE, 0xE000, len(frame) + padding) + frame + b"\0" * padding
    yield struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _wide(spec: CineSpec) -> bool:
    return spec.photometric is Photometric.PALETTE and spec.palette_bits == 16


def _frame_bytes(spec: CineSpec) -> int:
    samples = {
        Photometric.MONOCHROME1: 1,
        Photometric.MONOCHROME2: 1,
        Photometric.PALETTE: 2 if _wide(spec) else 1,
        Photometric.YBR_FULL_422: 2,
    }.get(spec.photometric, 3)
    return spec.rows * spec.columns * samples
