"""A cine as an array: every kind of file that the engine takes, with its facts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence
from tests.integration.made import header, picture

from cinescrub.errors import InputError, NotDicomError
from cinescrub.integrations.cine import read_cine
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine


def _made(path: Path, **changes: Any) -> pydicom.FileDataset:
    make_cine(CineSpec(**({"seed": 3, "frames": 2, "rows": 96, "columns": 128} | changes)), path)
    return pydicom.dcmread(path)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (2, 96, 128, 3)),
        ({"frames": 1}, (1, 96, 128, 3)),
        ({"photometric": Photometric.MONOCHROME2}, (2, 96, 128)),
        (
            {"syntax": Syntax.JPEG_BASELINE, "photometric": Photometric.YBR_FULL_422},
            (2, 96, 128, 3),
        ),
    ],
    ids=["colour", "still", "gray", "jpeg"],
)
def test_frames_come_as_they_are_shown(
    tmp_path: Path, changes: dict[str, Any], shape: tuple[int, ...]
) -> None:
    shown = _made(tmp_path / "cine.dcm", **changes).pixel_array.reshape(shape)

    cine = read_cine(tmp_path / "cine.dcm")

    assert cine.frames.shape == shape
    assert cine.frames.dtype == np.uint8
    assert np.abs(cine.frames.astype(int) - shown).max() <= 3  # decoders of JPEG differ


def test_deep_gray_samples_come_as_stored(tmp_path: Path) -> None:
    samples = picture().astype(np.uint16) * 16
    deep = header(
        "1.2.840.10008.1.2.1", 1, BitsAllocated=16, BitsStored=12, HighBit=11,
        PixelData=samples.tobytes(),
    )  # fmt: skip
    deep.save_as(tmp_path / "deep.dcm", enforce_file_format=True)

    assert np.array_equal(read_cine(tmp_path / "deep.dcm").frames[0], samples)


def test_the_rate_is_that_of_the_header(tmp_path: Path) -> None:
    made = _made(tmp_path / "cine.dcm")
    for name in ("FrameTime", "CineRate", "RecommendedDisplayFrameRate"):
        if name in made:
            delattr(made, name)
    made.save_as(tmp_path / "unknown.dcm")
    made.FrameTime = "40"
    made.save_as(tmp_path / "known.dcm")

    assert math.isnan(read_cine(tmp_path / "unknown.dcm").rate)
    assert read_cine(tmp_path / "known.dcm").rate == 25.0


def _region(delta: float, units: int = 3, spatial_format: int = 1) -> pydicom.Dataset:
    region = pydicom.Dataset()
    region.RegionSpatialFormat = spatial_format
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = units
    region.PhysicalDeltaX, region.PhysicalDeltaY = delta, delta * 2
    return region


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([], None),
        ([_region(0.01)], (0.2, 0.1)),
        ([_region(0.01), _region(0.01)], (0.2, 0.1)),
        ([_region(0.01), _region(0.02)], None),
        ([_region(0.01), _region(4.0, units=4), _region(0.5, spatial_format=3)], (0.2, 0.1)),
        ([_region(0.0)], None),
    ],
    ids=["none", "one", "agree", "differ", "others", "zero"],
)
def test_the_spacing_is_what_all_calibrated_regions_say(
    tmp_path: Path, regions: list[pydicom.Dataset], spacing: tuple[float, float] | None
) -> None:
    made = _made(tmp_path / "cine.dcm")
    made.SequenceOfUltrasoundRegions = Sequence(regions)
    if "PixelSpacing" in made:
        del made.PixelSpacing
    made.save_as(tmp_path / "regions.dcm")

    told = read_cine(tmp_path / "regions.dcm").spacing

    if spacing is None:
        assert all(math.isnan(value) for value in told)
    else:
        assert told == pytest.approx(spacing)


def test_pixel_spacing_goes_before_regions(tmp_path: Path) -> None:
    made = _made(tmp_path / "cine.dcm")
    made.PixelSpacing = [0.5, 0.25]
    made.save_as(tmp_path / "spaced.dcm")

    assert read_cine(tmp_path / "spaced.dcm").spacing == (0.5, 0.25)


def test_what_the_engine_refuses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM\n" * 40)
    _made(tmp_path / "cine.dcm")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "cine.dcm").read_bytes()[:-999])

    with pytest.raises(NotDicomError):
        read_cine(tmp_path / "notes.txt")
    with pytest.raises(InputError):
        read_cine(tmp_path / "cut.dcm")
