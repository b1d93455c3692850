"""What `open_source` refuses, with a line that says why and holds no value."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from cinescrub.dicom.source import open_source
from cinescrub.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.dicom.conftest import WriteInstance

EXPLICIT = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": None}, r"\(0028,0010\) Rows is missing"),
        ({"Columns": None}, r"\(0028,0011\) Columns is missing"),
        ({"SamplesPerPixel": None}, "SamplesPerPixel is missing"),
        ({"BitsAllocated": None}, "BitsAllocated is missing"),
        ({"BitsStored": None}, "BitsStored is missing"),
        ({"PixelRepresentation": None}, "PixelRepresentation is missing"),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
        ({"Rows": 0}, "Rows is out of range"),
        ({"Rows": [4, 4]}, "Rows has several values"),
        ({"NumberOfFrames": 0}, "NumberOfFrames is out of range"),
        ({"NumberOfFrames": -3}, "NumberOfFrames is out of range"),
        ({"NumberOfFrames": [1, 2]}, "NumberOfFrames has several values"),
        ({"NumberOfFrames": 2}, "pixel data is 24 bytes long, its description needs 48"),
        ({"Rows": 3}, "pixel data is 24 bytes long, its description needs 18"),
        ({"Rows": 65535, "Columns": 65535}, "its description needs 4294836225"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "BitsAllocated is 1"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "BitsAllocated is 12"),
        ({"BitsStored": 12}, "BitsStored is out of range"),
        ({"HighBit": 3}, "HighBit is out of range"),
        ({"SamplesPerPixel": 4}, "4 samples"),
        ({"SamplesPerPixel": 3}, "3 samples a pixel do not fit"),
        ({"SOPClassUID": ""}, "SOPClassUID is missing"),
        ({"SOPInstanceUID": ""}, "SOPInstanceUID is missing"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "no palette"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_header_is_refused_by_tag(
    write_instance: WriteInstance, attributes: dict[str, Any], message: str
) -> None:
    path = write_instance(bytes(24), **attributes)

    with pytest.raises(InputError, match=message) as refused:
        open_source(path)

    assert "\n" not in refused.value.message
    assert "NIGHTINGALE" not in refused.value.message


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR Storage"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "12-lead ECG Waveform Storage"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RT Plan Storage"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated PDF Storage"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "Grayscale Softcopy Presentation State Storage"),
        ("1.3.46.670589.5.0.1", "private or unknown UID"),
    ],
    ids=["sr", "waveform", "plan", "document", "presentation-state", "private"],
)
def test_objects_without_pixels_are_refused_by_kind(
    write_instance: WriteInstance, sop_class: str, kind: str
) -> None:
    path = write_instance(None, SOPClassUID=sop_class)

    with pytest.raises(InputError, match=f"no pixel data: {kind}"):
        open_source(path)


@pytest.mark.parametrize(
    ("tag", "vr", "name"),
    [(0x7FE00008, b"OF", "FloatPixelData"), (0x7FE00009, b"OD", "DoubleFloatPixelData")],
    ids=["float", "double"],
)
def test_float_pixels_are_refused_by_name(
    write_instance: WriteInstance, tag: int, vr: bytes, name: str
) -> None:
    path = write_instance(None)
    element = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, 8) + bytes(8)
    path.write_bytes(path.read_bytes() + element)

    with pytest.raises(InputError, match=name):
        open_source(path)


@pytest.mark.parametrize(
    ("syntax", "message"),
    [
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 .* is video"),
        ("1.2.840.10008.1.2.4.107", "HEVC/H.265 .* is video"),
        ("1.2.840.10008.1.2.4.95", "JPIP .* elsewhere"),
        ("1.2.840.113619.5.2", "private or unknown UID is not supported"),
        ("1.2.840.100x8.1.2.1", "private or unknown UID is not supported"),
    ],
    ids=["h264", "hevc", "jpip", "private", "garbled"],
)
def test_syntaxes_that_are_no_frames_are_refused_by_name(
    write_instance: WriteInstance, syntax: str, message: str
) -> None:
    path = write_instance([bytes(8)], JPEG)
    raw = path.read_bytes()
    group_end = 144 + int.from_bytes(raw[140:144], "little")
    old = raw.index(b"\x02\x00\x10\x00UI")
    end = old + 8 + int.from_bytes(raw[old + 6 : old + 8], "little")
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    value = raw[old : old + 6] + struct.pack("<H", len(uid)) + uid
    length = struct.pack("<L", group_end - 144 + len(value) - (end - old))
    path.write_bytes(raw[:140] + length + raw[144:old] + value + raw[end:])

    with pytest.raises(InputError, match=message):
        open_source(path)


def write_overlay(path: Path, *, allocated: int, position: int, data: bool = False) -> Path:
    elements = struct.pack("<HH2sHH", 0x6000, 0x0100, b"US", 2, allocated)
    elements += struct.pack("<HH2sHH", 0x6000, 0x0102, b"US", 2, position)
    if data:
        elements += struct.pack("<HH2sHL", 0x6000, 0x3000, b"OW", 0, 4) + bytes(4)
    raw = path.read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00O")
    path.write_bytes(raw[:at] + elements + raw[at:])
    return path


@pytest.mark.parametrize(
    "overlay",
    [
        {"allocated": 16, "position": 12},
        {"allocated": 1, "position": 15},
        {"allocated": 16, "position": 13, "data": True},
        {"allocated": 1, "position": 0, "data": True},
        {"allocated": 1, "position": 0},
        {"allocated": 8, "position": 3, "data": True},
    ],
    ids=["high-bit", "position-alone", "high-bit-and-data", "own-data", "no-data", "odd-own-data"],
)
def test_overlays_of_their_own_or_in_unused_bits_are_read(
    write_instance: WriteInstance, overlay: dict[str, Any]
) -> None:
    path = write_instance(bytes(48), vr="OW", BitsAllocated=16, BitsStored=12, HighBit=11)

    with open_source(write_overlay(path, **overlay)) as source:
        assert source.info.bits_stored == 12


def test_overlays_within_the_stored_bits_are_refused(write_instance: WriteInstance) -> None:
    path = write_overlay(write_instance(bytes(24)), allocated=8, position=3)

    with pytest.raises(InputError, match="lies in no unused bit"):
        open_source(path)


@pytest.mark.parametrize("cut", [1, 13, 24], ids=["last-byte", "half", "all"])
def test_truncated_native_pixels_are_refused(write_instance: WriteInstance, cut: int) -> None:
    path = write_instance(bytes(24))
    path.write_bytes(path.read_bytes()[:-cut])

    with pytest.raises(InputError, match="truncated"):
        open_source(path)


def test_every_cut_of_a_header_is_refused(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    raw = path.read_bytes()

    for end in range(132, len(raw), 7):
        path.write_bytes(raw[:end])
        with pytest.raises(InputError):
            open_source(path)


def test_deep_nesting_is_refused(write_instance: WriteInstance) -> None:
    depth = 3000
    open_item = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    close_item = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    path = write_instance(bytes(24))
    raw = path.read_bytes()
    at = raw.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(raw[:at] + open_item * depth + close_item * depth + raw[at:])

    with pytest.raises(InputError, match="deeper than 32 levels"):
        open_source(path)


def test_usual_nesting_is_read(write_instance: WriteInstance) -> None:
    innermost = Dataset()
    innermost.CodeMeaning = "deep"
    item = innermost
    for _ in range(20):
        outer = Dataset()
        outer.ContentSequence = Sequence([item])
        item = outer
    path = write_instance(bytes(24), ContentSequence=Sequence([item]))

    with open_source(path) as source:
        found = source.header.ContentSequence[0]
        for _ in range(20):
            found = found.ContentSequence[0]
        assert found.CodeMeaning == "deep"


def test_an_element_that_occurs_twice_is_refused(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    raw = path.read_bytes()
    rows = raw.index(b"\x28\x00\x10\x00US")
    path.write_bytes(raw[: rows + 10] + raw[rows : rows + 10] + raw[rows + 10 :])

    with pytest.raises(InputError, match=r"\(0028,0010\) Rows occurs twice"):
        open_source(path)


def test_native_pixels_in_a_compressed_syntax_are_refused(write_instance: WriteInstance) -> None:
    path = write_instance([b"\xff\xd8\xff\xd9"], JPEG)
    raw = path.read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00OB")
    path.write_bytes(raw[: at + 8] + (24).to_bytes(4, "little") + bytes(24))

    with pytest.raises(InputError, match="not encapsulated"):
        open_source(path)


def test_encapsulated_pixels_in_a_native_syntax_are_refused(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    raw = path.read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00OB")
    fragments = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(raw[: at + 8] + b"\xff\xff\xff\xff" + fragments)

    with pytest.raises(InputError, match="uncompressed transfer syntax"):
        open_source(path)


def test_big_endian_pixels_of_unclear_order_are_refused(write_instance: WriteInstance) -> None:
    path = write_instance(
        bytes(96), "1.2.840.10008.1.2.2", vr="OW", BitsAllocated=32, BitsStored=32, HighBit=31
    )

    with pytest.raises(InputError, match="big endian"):
        open_source(path)


def test_odd_columns_of_packed_chroma_are_refused(write_instance: WriteInstance) -> None:
    path = write_instance(
        bytes(40),
        PhotometricInterpretation="YBR_FULL_422",
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        Columns=5,
    )

    with pytest.raises(InputError, match="odd columns"):
        open_source(path)


def test_missing_or_empty_frame_counts_mean_one(write_instance: WriteInstance) -> None:
    for count in (None, ""):
        with open_source(write_instance(bytes(24), NumberOfFrames=count)) as source:
            assert source.info.frames == 1


def test_letters_of_a_value_where_a_tag_should_be_are_not_shown(
    write_instance: WriteInstance,
) -> None:
    path = write_instance(bytes(24))
    # A sequence (0008,1140) whose first "item" is a name.
    sequence = b"\x08\x00\x40\x11SQ\x00\x00\x10\x00\x00\x00" + b"JANE^DOE12345678"
    data = path.read_bytes()
    at = data.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(data[:at] + sequence + data[at:])

    with pytest.raises(InputError) as caught:
        open_source(path)

    shown = caught.value.message.upper()
    assert all(part.hex().upper() not in shown for part in (b"AJ", b"EN", b"JA", b"NE"))
    assert str(int.from_bytes(b"^DOE", "little")) not in shown
