"""Right colours, compared with pydicom and the plug-ins that it decodes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from cinescrub.errors import InputError
from cinescrub.pixels.decode import (
    Viewer,
    decode_stored,
)
from cinescrub.pixels.registry import check
from cinescrub.types import CineInfo, Palette

ROOT = "1.2.840.10008.1.2"

COLOUR_FILES = [
    "ExplVR_BigEnd.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_jpeg_no_color_transform_2.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
]
STORED_FILES = [
    "693_J2KI.dcm",
    "CT_small.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_rgb_rle_32bit.dcm",
    "examples_overlay.dcm",
    "rtdose.dcm",
    "rtdose_expb.dcm",
    "rtdose_rle.dcm",
]


def opened(name: str) -> tuple[pydicom.Dataset, CineInfo, bytes]:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"{name} is not in pydicom's wheel"
    dataset = pydicom.dcmread(Path(path))
    info = CineInfo(
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
        frames=int(dataset.get("NumberOfFrames") or 1),
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples=dataset.SamplesPerPixel,
        photometric=dataset.PhotometricInterpretation,
        bits_allocated=dataset.BitsAllocated,
        bits_stored=dataset.BitsStored,
        high_bit=dataset.HighBit,
        signed=bool(dataset.PixelRepresentation),
        planar=int(dataset.get("PlanarConfiguration") or 0),
        palette=palette_of(dataset),
    )
    if info.native:
        return dataset, info, dataset.PixelData[: info.frame_bytes]
    return dataset, info, next(generate_frames(dataset.PixelData, number_of_frames=info.frames))


def palette_of(dataset: pydicom.Dataset) -> Palette | None:
    if dataset.PhotometricInterpretation != "PALETTE COLOR":
        return None
    values = np.arange(1 << dataset.BitsStored, dtype=np.uint16)
    return Palette((apply_color_lut(values[None], dataset)[0] >> 8).astype(np.uint8))


def shown(frame: bytes, info: CineInfo) -> npt.NDArray[np.uint8]:
    viewer = Viewer(info)
    out = np.full(viewer.shape, 77, np.uint8)
    viewer.decode(frame, out)
    return out


@pytest.mark.parametrize("name", COLOUR_FILES)
def test_colours_are_those_of_an_independent_decoder(name: str) -> None:
    dataset, info, frame = opened(name)
    check(info)
    expected = pixel_array(dataset, index=0)
    if info.palette is not None:
        expected = (apply_color_lut(expected, dataset) >> 8).astype(np.uint8)

    result = shown(frame, info)

    # One level: YCbCr to RGB is rounded in different ways, also between conforming decoders.
    assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", STORED_FILES)
def test_stored_samples_are_those_of_an_independent_decoder(name: str) -> None:
    dataset, info, frame = opened(name)
    check(info)

    result = decode_stored(frame, info)

    assert result.dtype == info.dtype
    assert np.array_equal(result, pixel_array(dataset, index=0, raw=True))


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_rgb_color.dcm", "SC_rgb_rle.dcm"])
def test_a_frame_and_its_stored_samples_give_one_picture(name: str) -> None:
    _, info, frame = opened(name)
    direct, through = (np.empty(Viewer(info).shape, np.uint8) for _ in range(2))

    Viewer(info).decode(frame, direct)
    Viewer(info).show(decode_stored(frame, info), through)

    assert np.array_equal(direct, through)


GRAY = CineInfo(ROOT + ".1", 1, 40, 50, 1, "MONOCHROME2", 8, 8, 7, False, 0)


def deep(**changes: Any) -> CineInfo:
    return replace(GRAY, bits_allocated=16, bits_stored=12, high_bit=11, **changes)


def test_8_bit_gray_is_shown_as_it_is() -> None:
    stored = np.arange(2000, dtype=np.uint16).astype(np.uint8).reshape(40, 50)

    assert np.array_equal(shown(stored.tobytes(), GRAY)[..., 0], stored)


def test_monochrome1_is_inverted() -> None:
    stored = np.arange(2000, dtype=np.uint16).astype(np.uint8).reshape(40, 50)

    result = shown(stored.tobytes(), replace(GRAY, photometric="MONOCHROME1"))

    assert np.array_equal(result[..., 0], 255 - stored)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("ink", [3, 60, 400], ids=lambda n: f"{n} pixels")
def test_text_at_the_highest_value_is_white_over_dim_tissue(ink: int, signed: bool) -> None:
    info = deep(signed=signed)
    low = -2048 if signed else 0
    stored = np.random.default_rng(0).integers(low, low + 300, 2000).astype(info.dtype)
    stored[:ink] = low + 4095

    result = shown(stored.tobytes(), info).reshape(-1)

    assert (result[:ink] == 255).all()
    assert result[ink:].min() == 0


def test_text_on_one_flat_value_is_seen() -> None:
    info = deep()
    stored = np.full(2000, 1000, np.uint16)
    stored[:5] = 1040

    result = shown(stored.tobytes(), info).reshape(-1)

    assert (result[:5] == 255).all()
    assert not result[5:].any()


def test_one_hot_pixel_does_not_hide_text() -> None:
    info = deep()
    stored = np.random.default_rng(0).integers(0, 50, 2000).astype(np.uint16)
    stored[0] = 4095
    stored[100:150] = 200

    result = shown(stored.tobytes(), info).reshape(-1)

    assert (result[100:150] == 255).all()


def test_bits_above_the_stored_ones_are_ignored() -> None:
    info = deep()
    stored = np.random.default_rng(0).integers(0, 4096, 2000).astype(np.uint16)

    assert np.array_equal(shown((stored | 0x8000).tobytes(), info), shown(stored.tobytes(), info))


def test_16_bit_colour_is_shown_by_its_high_bits() -> None:
    info = replace(
        GRAY, samples=3, photometric="RGB", bits_allocated=16, bits_stored=16, high_bit=15
    )
    stored = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)

    assert np.array_equal(shown(stored.tobytes(), info), (stored >> 8).astype(np.uint8))


def test_values_outside_of_a_palette_show_its_ends() -> None:
    table = np.array([[1, 2, 3], [40, 50, 60], [7, 8, 9]], np.uint8)
    info = replace(
        GRAY, rows=1, columns=5, photometric="PALETTE COLOR", palette=Palette(table, first=10)
    )

    result = shown(bytes([0, 10, 11, 12, 255]), info)

    assert result[0].tolist() == [table[i].tolist() for i in (0, 0, 1, 2, 2)]


def test_a_picture_of_another_shape_is_not_written_to() -> None:
    with pytest.raises(ValueError, match="picture"):
        Viewer(GRAY).decode(bytes(2000), np.empty((40, 50, 3), np.uint8))


SUFFIXES: dict[str, Callable[[npt.NDArray[np.uint8]], bytes | bytearray]] = {
    ".4.50": lambda image: imagecodecs.jpeg8_encode(image, 90),
    ".4.70": lambda image: imagecodecs.jpeg8_encode(image, lossless=True, predictor=1),
    ".4.80": imagecodecs.jpegls_encode,
    ".4.90": lambda image: imagecodecs.jpeg2k_encode(image, reversible=True, codecformat="j2k"),
    ".4.201": lambda image: imagecodecs.htj2k_encode(image, reversible=True),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("change", [{"rows": 39}, {"columns": 51}, {"samples": 3}], ids=str)
def test_a_stream_of_another_image_is_refused(suffix: str, change: dict[str, Any]) -> None:
    frame = bytes(SUFFIXES[suffix](np.zeros((40, 50), np.uint8)))
    info = replace(GRAY, transfer_syntax=ROOT + suffix, photometric="RGB", **change)

    with pytest.raises(InputError):
        shown(frame, info)


@pytest.mark.parametrize("suffix", [".4.50", ".4.70"])
def test_a_few_bytes_that_declare_a_large_image_are_refused(suffix: str) -> None:
    frame = bytearray(SUFFIXES[suffix](np.zeros((40, 50), np.uint8)))
    sof = frame.index(b"\xff\xc0" if suffix == ".4.50" else b"\xff\xc3")
    frame[sof + 5 : sof + 9] = (9000).to_bytes(2, "big") * 2
    info = replace(GRAY, transfer_syntax=ROOT + suffix, rows=9000, columns=9000)

    with pytest.raises(InputError, match="too short"):
        decode_stored(frame, info)


def test_an_error_does_not_quote_the_frame() -> None:
    info = replace(GRAY, transfer_syntax=ROOT + ".4.90")

    with pytest.raises(InputError) as caught:
        shown(b"DOE^JANE" * 20, info)

    assert "DOE" not in str(caught.value)
    assert caught.value.__cause__ is None
