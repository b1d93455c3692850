"""Broken files are broken in the way that they say."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.errors import InvalidDicomError

from cinescrub.testing.malformed import Expected, malformed_files


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Expected]:
    return malformed_files(tmp_path_factory.mktemp("broken") / "new")


def test_every_kind_is_written_and_differs_from_the_others(broken: dict[str, Expected]) -> None:
    contents = {expected.path.read_bytes() for expected in broken.values()}

    assert len(broken) >= 25
    assert len(contents) == len(broken)
    assert {expected.status for expected in broken.values()} == {"skipped", "refused"}


def test_no_helper_file_is_left_behind(broken: dict[str, Expected]) -> None:
    folder = broken["huge.dcm"].path.parent

    assert {path.name for path in folder.iterdir()} == set(broken)


@pytest.mark.parametrize("name", ["text.dcm", "picture.dcm", "empty.dcm", "zeros.dcm"])
def test_skipped_files_are_no_dicom(broken: dict[str, Expected], name: str) -> None:
    with pytest.raises((InvalidDicomError, EOFError)):
        pydicom.dcmread(broken[name].path)


@pytest.mark.parametrize(
    ("name", "keyword", "value"),
    [
        ("zero-rows.dcm", "Rows", 0),
        ("huge.dcm", "Rows", 65535),
        ("huge.dcm", "NumberOfFrames", 100_000),
        ("huge-ul.dcm", "Columns", 100_000),
        ("zero-frames.dcm", "NumberOfFrames", 0),
        ("more-frames.dcm", "NumberOfFrames", 5),
        ("bits-12.dcm", "BitsAllocated", 12),
        ("no-rows.dcm", "Rows", None),
        ("no-photometric.dcm", "PhotometricInterpretation", None),
        ("no-bits.dcm", "BitsAllocated", None),
    ],
)
def test_headers_say_the_wrong_thing_and_are_well_formed(
    broken: dict[str, Expected], name: str, keyword: str, value: int | None
) -> None:
    dataset = pydicom.dcmread(broken[name].path, stop_before_pixels=True)

    assert dataset.get(keyword) == value
    assert dataset.Modality == "US"


@pytest.mark.parametrize(
    ("name", "count"), [("fragments-missing.dcm", 3), ("fragments-extra.dcm", 5)]
)
def test_fragments_do_not_match_the_frames(
    broken: dict[str, Expected], name: str, count: int
) -> None:
    dataset = pydicom.dcmread(broken[name].path)

    fragments = list(pydicom.encaps.generate_fragments(dataset.PixelData))

    assert int(dataset.NumberOfFrames) == 4
    # The first of them is the offset table.
    assert len(fragments) == count + 1


def test_the_directory_is_one(broken: dict[str, Expected]) -> None:
    meta = pydicom.filereader.read_file_meta_info(broken["DICOMDIR"].path)

    assert meta.MediaStorageSOPClassUID.name == "Media Storage Directory Storage"
