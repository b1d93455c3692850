"""Palettes come out as 8-bit tables, whatever way the header stores them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.pixels.processing import apply_color_lut
from pydicom.tag import Tag

from cinescrub.dicom.palette import read_palette
from cinescrub.dicom.source import open_source
from cinescrub.errors import InputError

if TYPE_CHECKING:
    from tests.unit.dicom.conftest import WriteInstance

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)


def _header(
    descriptor: Sequence[int],
    tables: Sequence[bytes],
    tags: Sequence[int] = _TABLES,
    order: str = "<",
) -> Dataset:
    """Return a header of raw elements, as a file of that byte order gives them."""
    header = Dataset()
    packed = np.array(descriptor).astype(f"{order}u2").tobytes()
    values = [(tag, "US", packed) for tag in _DESCRIPTORS]
    values += [(tag, "OW", table) for tag, table in zip(tags, tables, strict=True)]
    for tag, vr, value in values:
        raw = RawDataElement(Tag(tag), vr, len(value), value, 0, False, order == "<")
        header[Tag(tag)] = raw
    return header


def test_sixteen_bit_entries_keep_their_high_byte() -> None:
    values = np.array([0, 0x1234, 0xFFFF], "<u2").tobytes()

    palette = read_palette(_header((3, 0, 16), [values] * 3), little=True, signed=False)

    assert palette.table.tolist() == [[0, 0, 0], [0x12] * 3, [0xFF] * 3]


def test_sixteen_bit_tables_that_hold_eight_bit_values_are_taken_as_they_are() -> None:
    values = np.array([0, 7, 255], "<u2").tobytes()

    palette = read_palette(_header((3, 0, 16), [values] * 3), little=True, signed=False)

    assert palette.table[:, 0].tolist() == [0, 7, 255]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_table_with_more_than_its_descriptor_says_is_refused(bits: int) -> None:
    values = np.array([0, 7, 255], "<u2").tobytes() + b"DOE^JANE"

    with pytest.raises(InputError, match="longer"):
        read_palette(_header((3, 0, bits), [values] * 3), little=True, signed=False)


def test_one_dim_channel_does_not_change_the_scale() -> None:
    bright, dim = (np.array(v, "<u2").tobytes() for v in ([0xFF00, 0], [0x0080, 0]))

    palette = read_palette(_header((2, 0, 16), [bright, dim, dim]), little=True, signed=False)

    assert palette.table[0].tolist() == [0xFF, 0, 0]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_eight_bit_entries_are_packed_in_words(order: str) -> None:
    values = np.frombuffer(bytes([10, 20, 30, 40]), "<u2").astype(f"{order}u2").tobytes()

    header = _header((4, 0, 8), [values] * 3, order=order)
    palette = read_palette(header, little=order == "<", signed=False)

    assert palette.table[:, 1].tolist() == [10, 20, 30, 40]


def test_zero_entries_stand_for_65536() -> None:
    values = np.arange(65536).astype("<u2").tobytes()

    palette = read_palette(_header((0, 0, 16), [values] * 3), little=True, signed=False)

    assert palette.table.shape == (65536, 3)
    assert palette.table[0x8000].tolist() == [0x80] * 3


@pytest.mark.parametrize(("signed", "first"), [(True, -2), (False, 65534)], ids=["SS", "US"])
def test_the_first_value_follows_the_pixels_sign(signed: bool, first: int) -> None:
    values = np.zeros(4, "<u2").tobytes()

    palette = read_palette(_header((4, 65534, 16), [values] * 3), little=True, signed=signed)

    assert palette.first == first


def test_segments_are_expanded() -> None:
    # discrete 10, 20; linear to 60 in 4; the first segment again by its byte offset
    segments = np.array([0, 2, 10, 20, 1, 4, 60, 2, 1, 0, 0], "<u2").tobytes()

    header = _header((8, 0, 16), [segments] * 3, _SEGMENTED)
    palette = read_palette(header, little=True, signed=False)

    assert palette.table[:, 0].tolist() == [10, 20, 30, 40, 50, 60, 10, 20]


def test_segments_of_bytes_are_expanded() -> None:
    segments = bytes([0, 2, 10, 20, 1, 4, 60, 2, 1, 0, 0, 0, 0, 0])

    header = _header((8, 0, 8), [segments] * 3, _SEGMENTED)
    palette = read_palette(header, little=True, signed=False)

    assert palette.table[:, 2].tolist() == [10, 20, 30, 40, 50, 60, 10, 20]


@pytest.mark.parametrize(
    ("descriptor", "segments"),
    [
        ((4, 0, 16), [1, 4, 60]),
        ((4, 0, 16), [7, 1, 1]),
        ((4, 0, 16), [0, 2, 10, 20]),
        ((4, 0, 16), [0, 2, 10, 20, 2, 1, 0]),
        ((4, 0, 16), [0, 1, 5, 2, 2, 0, 0]),
        ((4, 0, 16), [0, 1, 1, 1, 60000, 9]),
    ],
    ids=["linear-first", "unknown", "short", "cut-offset", "nested", "too-long"],
)
def test_broken_segments_are_refused(descriptor: tuple[int, ...], segments: list[int]) -> None:
    header = _header(descriptor, [np.array(segments, "<u2").tobytes()] * 3, _SEGMENTED)

    with pytest.raises(InputError, match=r"segment|expands"):
        read_palette(header, little=True, signed=False)


@pytest.mark.parametrize(
    ("descriptor", "table"),
    [((256, 0, 16), bytes(100)), ((4, 0, 12), bytes(8)), ((4, 0), bytes(8))],
    ids=["short", "twelve-bit", "two-values"],
)
def test_contradictory_tables_are_refused(descriptor: tuple[int, ...], table: bytes) -> None:
    with pytest.raises(InputError):
        read_palette(_header(descriptor, [table] * 3), little=True, signed=False)


def test_a_real_palette_gives_an_independent_readers_colours() -> None:
    path = Path(str(get_testdata_file("examples_palette.dcm", download=False)))
    dataset = dcmread(path)
    expected = apply_color_lut(dataset.pixel_array, dataset)

    with open_source(path) as source:
        palette = source.info.palette
        stored = np.frombuffer(source.frame(0), source.info.dtype)

    assert palette is not None
    index = np.clip(stored.astype(np.int64) - palette.first, 0, len(palette.table) - 1)
    shown = palette.table[index].reshape(expected.shape)
    assert np.array_equal(shown, expected >> (8 if int(expected.max()) > 255 else 0))


@pytest.mark.real
@pytest.mark.parametrize(
    ("little", "big"),
    [
        (
            "us-cine_philips-cx50-ob_800x600x2_palette_ele",
            "us-cine_philips-cx50-ob_800x600x2_palette_ebe",
        ),
        (
            "us-still_aloka-ssd4000_640x480_palette16_ile",
            "us-still_aloka-ssd4000_640x480_palette16_ebe",
        ),
    ],
    ids=["philips", "aloka"],
)
def test_both_byte_orders_of_a_real_file_have_one_palette(
    real_dir: Path, little: str, big: str
) -> None:
    with (
        open_source(real_dir / "us" / f"{little}.dcm") as one,
        open_source(real_dir / "us" / f"{big}.dcm") as other,
    ):
        assert one.info.palette is not None
        assert other.info.palette is not None
        assert np.array_equal(one.info.palette.table, other.info.palette.table)


def test_a_palette_image_has_its_palette(write_instance: WriteInstance) -> None:
    table = np.arange(256, dtype="<u2").tobytes()
    path = write_instance(
        bytes(24),
        PhotometricInterpretation="PALETTE COLOR",
        RedPaletteColorLookupTableDescriptor=[256, 0, 16],
        GreenPaletteColorLookupTableDescriptor=[256, 0, 16],
        BluePaletteColorLookupTableDescriptor=[256, 0, 16],
        RedPaletteColorLookupTableData=table,
        GreenPaletteColorLookupTableData=table,
        BluePaletteColorLookupTableData=table,
    )

    with open_source(path) as source:
        assert source.info.palette is not None
        assert source.info.palette.table[200].tolist() == [200] * 3
