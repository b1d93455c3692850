"""The scrub and its audit over real files beside the checkout."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from tests.unit.dicom.judged import faults

from cinescrub.dicom.header import quiet
from cinescrub.dicom.profile import Profile, basic_profile
from cinescrub.dicom.profiles import load_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub

pytestmark = pytest.mark.real

KEPT_AS_STORED = (
    *("SequenceOfUltrasoundRegions", "FrameTime", "FrameTimeVector", "CineRate", "HeartRate"),
    *("RecommendedDisplayFrameRate", "NumberOfFrames", "Rows", "Columns", "PixelSpacing"),
    *("PhotometricInterpretation", "RedPaletteColorLookupTableData", "LossyImageCompression"),
    *("PixelAspectRatio", "FrameDelay", "EffectiveDuration", "StageName", "ViewName"),
)


def headers(folder: Path) -> list[tuple[str, Dataset]]:
    read: list[tuple[str, Dataset]] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".tsv"):
        try:
            with quiet():
                read.append((path.name, dcmread(path, stop_before_pixels=True, force=True)))
        except (OSError, RecursionError):  # two malformed files, which the source room refuses
            continue
    return read


def written(dataset: Dataset, like: Dataset) -> bytes:
    target = DicomBytesIO()
    implicit, little = like.original_encoding
    target.is_implicit_VR, target.is_little_endian = bool(implicit), bool(little)
    write_dataset(target, dataset)
    return target.getvalue()


def scrubbed(dataset: Dataset, profile: Profile) -> ScrubOutcome:
    return scrub(
        dataset,
        profile=profile,
        pseudonyms=Pseudonyms(b"k" * 32),
        claims=Claims(True, True, True),
        names=lambda texts: [0.0] * len(texts),
    )


RETAINED = (
    *("retain-tcia-private", "retain-device-identity", "retain-institution-identity"),
    *("retain-patient-characteristics", "clean-descriptors", "clean-structured-content"),
    "clean-graphics",
)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("basic", (), id="basic"),
        pytest.param("research-echo", (), id="research-echo"),
        pytest.param("public-release", (), id="public-release"),
        pytest.param("basic", (*RETAINED, "retain-modified-dates"), id="all, dates moved"),
        pytest.param("basic", (*RETAINED, "retain-full-dates", "retain-uids"), id="all kept"),
    ],
)
def test_every_real_header_is_scrubbed_and_passes_its_audit(
    real_dir: Path, name: str, options: tuple[str, ...]
) -> None:
    profile = load_profile(name, options)
    sources = headers(real_dir)
    assert len(sources) > 150

    for _, source in sources:
        outcome = scrubbed(source, profile)
        data = written(outcome.dataset, source)
        implicit, little = source.original_encoding
        back = read_dataset(BytesIO(data), bool(implicit), bool(little), bytelength=len(data))

        encoding = {"implicit": bool(implicit), "little": bool(little)}
        assert not faults(data, outcome.identifiers, profile=profile, uids=outcome.uids, **encoding)
        assert written(back, source) == data


def test_calibration_timing_and_palettes_of_real_cines_are_unchanged(real_dir: Path) -> None:
    profile = basic_profile()
    compared = 0

    for _, source in headers(real_dir / "us"):
        result = scrubbed(source, profile).dataset
        for keyword in KEPT_AS_STORED:
            if keyword in source:
                one, other = Dataset(), Dataset()
                one[keyword], other[keyword] = source.get_item(keyword), result.get_item(keyword)
                assert written(one, source) == written(other, source)
                compared += 1

    assert compared > 200
