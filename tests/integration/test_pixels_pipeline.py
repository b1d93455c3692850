"""Pixels from file to file: what changes, in which syntax, and what the header says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.uid import UID

from cinescrub.config import EngineConfig
from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.options import Option
from cinescrub.dicom.profile import Action, basic_profile
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.source import open_source
from cinescrub.errors import InputError
from cinescrub.pixels import rle
from cinescrub.pixels.apply import has_unused_bits
from cinescrub.pixels.decode import Viewer, decode_stored
from cinescrub.report import FileReport, Status
from cinescrub.types import Fill

if TYPE_CHECKING:
    from tests.integration.conftest import Run
from tests.integration.conftest import make_engine
from tests.integration.made import COLUMNS, OVERLAY, ROOT, ROWS, TEXT, picture, redacted, write


def stored(path: Path) -> list[npt.NDArray[np.generic]]:
    with open_source(path) as source:
        return [decode_stored(bytes(f), source.info) for f in source.frames_in_order()]


def covered(report: FileReport) -> npt.NDArray[np.bool_]:
    mask = np.zeros((ROWS, COLUMNS), np.bool_)
    for x0, y0, x1, y1 in report.rectangles:
        mask[y0:y1, x0:x1] = True
    assert mask[TEXT].all()
    assert mask.mean() < 0.9
    return mask


def j2k(seed: int, *, colour: bool = False) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            picture(seed, colour=colour), level=38, codecformat="j2k", mct=colour, bitspersample=8
        )
    )


LOSSY = {
    "j2k": (".4.91", [j2k(0), j2k(1)], "ISO_15444_1"),
    "jpeg-ls": (
        ".4.81",
        [bytes(imagecodecs.jpegls_encode(picture(k), level=4)) for k in range(2)],
        "ISO_14495_1",
    ),
    "htj2k": (".4.203", [j2k(0), j2k(1)], "ISO_15444_15"),
}


@pytest.mark.parametrize("kind", LOSSY)
def test_what_was_lossy_loses_no_more_and_still_says_so(
    tmp_path: Path, run_engine: Run, kind: str
) -> None:
    suffix, frames, method = LOSSY[kind]
    path = write(
        tmp_path / "in.dcm",
        ROOT + suffix,
        frames,
        LossyImageCompression="01",
        LossyImageCompressionRatio="12.5",
        LossyImageCompressionMethod=method,
    )

    report = run_engine(path)

    assert (report.status, report.reason) == (Status.OK, None)
    assert report.output is not None
    assert report.transfer_syntax_out == ROOT + suffix
    kept = ~covered(report)
    for was, now in zip(stored(path), stored(report.output), strict=True):
        assert np.array_equal(was[kept], now[kept])
        assert not now[~kept].any()
    header = pydicom.dcmread(report.output, stop_before_pixels=True)
    assert header.LossyImageCompression == "01"
    assert header.LossyImageCompressionRatio == 12.5
    assert header.LossyImageCompressionMethod == method
    assert list(header.ImageType) == ["DERIVED", "PRIMARY"]


def test_the_irreversible_colour_transform_becomes_the_reversible_one(
    tmp_path: Path, run_engine: Run
) -> None:
    frames = [j2k(k, colour=True) for k in range(2)]
    path = write(
        tmp_path / "in.dcm",
        ROOT + ".4.91",
        frames,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="YBR_ICT",
        LossyImageCompression="01",
    )

    report = run_engine(path)

    assert (report.status, report.reason) == (Status.OK, None)
    assert report.output is not None
    kept = ~covered(report)
    for was, now in zip(stored(path), stored(report.output), strict=True):
        assert np.array_equal(was[kept], now[kept])
    header = pydicom.dcmread(report.output)
    assert header.PhotometricInterpretation == "YBR_RCT"
    assert header.file_meta.TransferSyntaxUID == ROOT + ".4.91"


def test_the_fill_is_the_mean_of_the_surroundings_where_asked_and_said_in_the_report(
    tmp_path: Path, run_engine: Run
) -> None:
    image = np.full((ROWS, COLUMNS), 60, np.uint8)
    image[TEXT] = 255
    path = write(tmp_path / "in.dcm", ROOT + ".1", [image.tobytes()] * 2)

    report = run_engine(path, engine=make_engine(EngineConfig(fill=Fill.MEAN)))

    assert (report.status, report.reason) == (Status.OK, None)
    assert json.loads(report.to_json())["fill"] == "mean"
    assert report.output is not None
    assert all((frame == 60).all() for frame in stored(report.output))


def coded(values: npt.NDArray[np.integer], suffix: str) -> bytes:
    """Code a frame of 16-bit samples."""
    plain = values.view(np.uint16)
    if suffix == ".5":
        return rle.encode(values)
    if suffix in (".4.57", ".4.70"):
        return bytes(imagecodecs.jpeg8_encode(plain, lossless=True, predictor=1, bitspersample=16))
    if suffix in (".4.80", ".4.81"):
        return bytes(imagecodecs.jpegls_encode(plain))
    if suffix in (".4.90", ".4.91"):
        return bytes(imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True))
    if suffix in (".4.201", ".4.202", ".4.203"):
        return bytes(imagecodecs.htj2k_encode(values, reversible=True))
    return values.astype(">u2" if suffix == ".2" else "<u2").tobytes()


TWELVE: dict[str, Any] = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
CLEARED = ("", ".1", ".2", ".1.99", ".5", ".4.57", ".4.70", ".4.80", ".4.90", ".4.201")


def unused(path: Path) -> list[bool]:
    """Tell of each frame whether bits above BitsStored are set in what is stored."""
    with open_source(path) as source:
        return [has_unused_bits(bytes(f), source.info) for f in source.frames_in_order()]


def hiding(path: Path, values: npt.NDArray[np.integer], suffix: str, **attributes: Any) -> Path:
    """Write two frames of 12-bit samples with a text in the bits above, and an overlay there."""
    message = np.frombuffer(b"NIGHTINGALE^FLORENCE" * 16, np.uint8).astype(values.dtype)
    dirty = values.copy()
    dirty[40, :80] ^= message[:80] << 12
    dirty[41, :80] ^= message[:80] >> 4 << 12
    dirty[50:55, 5:70] ^= 0x1000
    deflated = suffix == ".1.99"
    write(
        path,
        ROOT + (".1" if deflated else suffix),
        [coded(dirty, suffix), coded(values, suffix)],
        vr="OW",
        elements=OVERLAY,
        **TWELVE | attributes,
    )
    if deflated:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = UID(ROOT + suffix)
        dataset.save_as(path)
    return path


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("suffix", CLEARED)
def test_what_is_hidden_above_the_stored_bits_is_gone_and_no_sample_changed(
    tmp_path: Path, suffix: str, signed: bool
) -> None:
    values = picture().astype(np.int16) << 4
    if signed:
        values = values - 2048
    values = values if signed else values.astype(np.uint16)
    path = hiding(tmp_path / "in.dcm", values, suffix, PixelRepresentation=int(signed))
    assert unused(path) == [True, False]

    for name, box in (("whole", (0, 0, 0, 0)), ("redacted", (16, 16, 64, 32))):
        output = redacted(path, tmp_path / f"{name}.dcm", box)

        expected = values.copy()
        expected[box[1] : box[3], box[0] : box[2]] = -2048 if signed else 0
        assert unused(output) == [False, False]
        assert all(np.array_equal(now, expected) for now in stored(output))
        assert findings(output) == ()


@pytest.mark.parametrize("suffix", [".4.81", ".4.91", ".4.202", ".4.203"])
def test_syntaxes_that_cannot_clear_them_refuse_by_name(tmp_path: Path, suffix: str) -> None:
    path = hiding(tmp_path / "in.dcm", picture().astype(np.uint16) << 4, suffix)

    with pytest.raises(InputError, match=r"above BitsStored can't be cleared in (High|JPEG)"):
        redacted(path, tmp_path / "out.dcm", (0, 0, 0, 0))


def test_negative_samples_without_their_sign_get_it(tmp_path: Path) -> None:
    """That some have it and others don't would be a place to hide one bit of each."""
    values = (picture().astype(np.int16) << 4) - 2048
    bare = (values & 0xFFF).astype(np.int16)
    path = write(
        tmp_path / "in.dcm",
        ROOT + ".1",
        [values.tobytes(), bare.tobytes()],
        vr="OW",
        PixelRepresentation=1,
        **TWELVE,
    )

    output = redacted(path, tmp_path / "out.dcm", (0, 0, 0, 0))

    assert output.read_bytes().endswith(values.tobytes() * 2)


def test_overlay_bits_without_text_are_cleared_too(tmp_path: Path, run_engine: Run) -> None:
    values = np.full((ROWS, COLUMNS), 0x1123, np.uint16)
    path = write(
        tmp_path / "in.dcm", ROOT + ".1", [values.tobytes()], vr="OW", elements=OVERLAY, **TWELVE
    )

    report = run_engine(path)

    assert report.output is not None
    assert report.rectangles == ()
    assert report.output.read_bytes().endswith(np.full_like(values, 0x123).tobytes())
    assert pydicom.dcmread(report.output).ImageType[0] == "ORIGINAL"  # no sample is another


def findings(path: Path) -> tuple[str, ...]:
    return audit_file(path, IdentifierSearch(()), profile=basic_profile())


@pytest.mark.parametrize("option", Option)
def test_every_profile_takes_overlays_out_which_is_why_their_bits_are_cleared(
    option: Option,
) -> None:
    """A profile that kept overlays would have to be asked before the pixels are written."""
    profile = basic_profile().with_options(frozenset({option}))

    for tag in (0x60000102, 0x60003000, 0x60200102, 0x60203000):
        assert profile.decide(tag, 3).action is Action.REMOVE


def test_a_padding_value_beyond_the_stored_bits_is_cut_to_them(tmp_path: Path) -> None:
    values = (picture() << 2).astype(np.int16)
    values[:4] = -2000 - 0x1000  # below what 12 bits can hold, as scanners write it
    path = write(
        tmp_path / "in.dcm",
        ROOT + ".1",
        [values.tobytes()],
        vr="OW",
        PixelRepresentation=1,
        PixelPaddingValue=-2000 - 0x1000,
        **TWELVE,
    )

    output = redacted(path, tmp_path / "out.dcm", (16, 16, 64, 32))

    expected = values.copy()
    expected[:4] = -2000
    expected[16:32, 16:64] = -2048
    assert output.read_bytes().endswith(expected.tobytes())


COLOURS: dict[str, tuple[str, dict[str, Any]]] = {
    "header-rgb-stream-ycc": ("RGB", {}),
    "header-ybr-stream-rgb": ("YBR_FULL", {"colorspace": "RGB", "outcolorspace": "RGB"}),
    "both-rgb": ("RGB", {"colorspace": "RGB", "outcolorspace": "RGB"}),
    "both-ycc": ("YBR_FULL_422", {"subsampling": "422"}),
}


@pytest.mark.parametrize("fill", Fill)
@pytest.mark.parametrize("colours", COLOURS)
def test_jpeg_is_filled_in_the_colours_of_its_stream(
    tmp_path: Path, colours: str, fill: Fill
) -> None:
    photometric, options = COLOURS[colours]
    frame = bytes(imagecodecs.jpeg8_encode(picture(colour=True), 90, **options))
    path = write(
        tmp_path / "in.dcm",
        ROOT + ".4.50",
        [frame, frame],
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation=photometric,
    )

    output = redacted(path, tmp_path / "out.dcm", (16, 16, 64, 32), fill)

    with open_source(output) as written:
        viewer = Viewer(written.info)
        shown = np.empty(viewer.shape, np.uint8)
        viewer.decode(written.frame(0), shown)
    inside = shown[18:30, 18:62].astype(int)
    meant = 0 if fill is Fill.BLACK else picture(colour=True)[8:40, 8:16].mean(axis=(0, 1))
    assert np.abs(inside - meant).max() <= (8 if fill is Fill.BLACK else 16)


def test_frames_of_different_sampling_are_filled_each_by_its_own_blocks(tmp_path: Path) -> None:
    frames = [
        bytes(imagecodecs.jpeg8_encode(picture(colour=True), 90, subsampling=subsampling))
        for subsampling in ("444", "420")
    ]
    path = write(
        tmp_path / "in.dcm",
        ROOT + ".4.50",
        frames,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="YBR_FULL",
    )

    output = redacted(path, tmp_path / "out.dcm", (8, 8, 56, 24))

    luma = [frame[..., 0] for frame in stored(output)]
    assert not luma[0][8:24, 8:56].any()
    assert luma[0][:8].any()
    assert not luma[1][:32, :64].any()


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("suffix", "vr"), [("", "OW"), (".1", "OB"), (".2", "OB"), (".2", "OW")])
def test_native_frames_of_odd_length_change_in_their_place_only(
    tmp_path: Path, suffix: str, vr: str, frames: int
) -> None:
    values = np.random.default_rng(6).integers(1, 256, (frames, 5, 7), np.uint8)
    raw = values.tobytes() + b"\0"
    if (suffix, vr) == (".2", "OW"):  # bytes are swapped in pairs, across frames
        raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
    path = write(tmp_path / "in.dcm", ROOT + suffix, raw, vr=vr, frames=frames, Rows=5, Columns=7)

    output = redacted(path, tmp_path / "out.dcm", (1, 2, 4, 4))

    expected = values.copy()
    expected[:, 2:4, 1:4] = 0
    assert np.array_equal(np.stack(stored(output)), expected)
    theirs = pydicom.dcmread(output).pixel_array
    assert np.array_equal(theirs.reshape(values.shape), expected)
