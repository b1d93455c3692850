"""Content decides what a file is and how it is encoded, not its name or its claims."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from cinescrub.dicom.header import quiet
from cinescrub.dicom.source import open_source, probe
from cinescrub.errors import InputError, NotDicomError
from cinescrub.types import Region

if TYPE_CHECKING:
    from tests.unit.dicom.conftest import WriteInstance

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, JPEG = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"A line of text that is not DICOM at all\n" * 20,
        bytes(4096),
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        b"\x08\x00" + bytes(500),
        b"\x02\x00\x00\x00UL\x04\x00" + b"\xff" * 100,
    ],
    ids=["empty", "short", "text", "zeros", "png", "group-8-only", "broken-group-2"],
)
def test_other_files_are_not_dicom(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(content)

    with pytest.raises(NotDicomError):
        probe(path)
    with pytest.raises(NotDicomError):
        open_source(path)


def test_the_suffix_does_not_matter(write_instance: WriteInstance) -> None:
    probe(write_instance(bytes(24)).rename(write_instance(bytes(24)).with_suffix(".txt")))


def test_folders_and_pipes_are_not_dicom(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for path in (tmp_path, pipe):
        with pytest.raises(NotDicomError, match="not a regular file"):
            probe(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read") as refused:
        open_source(tmp_path / "secret-name.dcm")

    assert "secret-name" not in refused.value.message


def test_a_directory_record_is_told_apart(write_instance: WriteInstance) -> None:
    path = write_instance(None)
    raw = path.read_bytes()
    path.write_bytes(
        raw.replace(b"1.2.840.10008.5.1.4.1.1.3.1\0", b"1.2.840.10008.1.3.10\0\0\0\0\0\0\0\0")
    )

    with pytest.raises(NotDicomError, match="DICOMDIR"):
        probe(path)


def _dataset_of(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG], ids=["implicit", "explicit", "big"])
def test_a_bare_dataset_is_read_in_the_encoding_that_parses(
    write_instance: WriteInstance, syntax: str
) -> None:
    path = write_instance(bytes(range(24)), syntax, vr="OB" if syntax != IMPLICIT else "OW")
    path.write_bytes(_dataset_of(path))

    probe(path)
    with open_source(path) as source:
        assert source.transfer_syntax == syntax
        assert bytes(source.frame(0)) == bytes(range(24))
        assert "no transfer syntax stated" in source.notes[0]


def test_file_meta_without_transfer_syntax_is_proved(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    dataset = _dataset_of(path)
    path.write_bytes(bytes(128) + b"DICM" + dataset)

    with open_source(path) as source:
        assert source.transfer_syntax == EXPLICIT


def test_compressed_pixels_without_transfer_syntax_are_refused(
    write_instance: WriteInstance,
) -> None:
    path = write_instance([b"\xff\xd8\xff\xd9"], JPEG)
    path.write_bytes(bytes(128) + b"DICM" + _dataset_of(path))

    with pytest.raises(InputError, match="transfer syntax is not stated"):
        open_source(path)


@pytest.mark.parametrize(
    ("stated", "written"),
    [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT)],
    ids=["implicit", "explicit"],
)
def test_the_other_kind_of_vr_is_followed_where_it_alone_parses(
    write_instance: WriteInstance, stated: str, written: str
) -> None:
    claims = write_instance(bytes(24), stated, vr="OW").read_bytes()
    path = write_instance(bytes(range(24)), written, vr="OW")
    container = claims[: 144 + int.from_bytes(claims[140:144], "little")]
    path.write_bytes(container + _dataset_of(path))

    with open_source(path) as source:
        assert bytes(source.frame(0)) == bytes(range(24))
        assert source.transfer_syntax == stated
        assert "against its transfer syntax" in source.notes[0]


def test_uids_missing_in_the_dataset_come_from_the_file_meta(
    write_instance: WriteInstance,
) -> None:
    with open_source(write_instance(bytes(24), SOPInstanceUID=None)) as source:
        assert source.header.SOPInstanceUID == "2.25.1"
        assert "taken from the file meta" in source.notes[0]


def test_the_header_ends_before_the_pixels(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    trailing = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0NAME"
    path.write_bytes(path.read_bytes() + trailing)

    with open_source(path) as source:
        tags = [element.tag for element in source.header]

    assert max(tags) == 0x00280103
    assert source.header.PatientName == "NIGHTINGALE^FLORENCE"


def test_private_bulk_is_left_out_unread(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    raw = path.read_bytes()
    bulk = b"\x09\x00\x01\x10OB\0\0" + (2 << 20).to_bytes(4, "little") + bytes(2 << 20)
    at = raw.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(raw[:at] + bulk + raw[at:])

    with open_source(path) as source:
        assert source.left_out == (0x00091001,)
        assert 0x00091001 not in source.header
        assert source.header.Rows == 4


def test_public_bulk_is_read(write_instance: WriteInstance) -> None:
    profile = bytes(range(256)) * 8192
    with open_source(write_instance(bytes(24), ICCProfile=profile)) as source:
        assert source.header.ICCProfile == profile


def test_a_stray_item_is_left_out_and_noted(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    raw = path.read_bytes()
    at = raw.index(b"\x28\x00\x02\x00US")
    path.write_bytes(raw[:at] + b"\xfe\xff\x00\xe0\x04\0\0\0NAME" + raw[at:])

    with open_source(path) as source:
        assert "sequence item outside" in source.notes[0]
        assert 0xFFFEE000 not in source.header
        assert bytes(source.frame(0)) == bytes(24)


def test_regions_are_read_and_broken_ones_left_out(write_instance: WriteInstance) -> None:
    whole, broken = Dataset(), Dataset()
    for item in (whole, broken):
        item.RegionSpatialFormat, item.RegionDataType = 1, 1
        item.RegionLocationMinX0, item.RegionLocationMinY0 = 1, 2
        item.RegionLocationMaxX1 = 5
    whole.RegionLocationMaxY1 = 3
    path = write_instance(bytes(24), SequenceOfUltrasoundRegions=Sequence([whole, broken]))

    with open_source(path) as source:
        assert source.info.regions == (Region(1, 2, 5, 3, spatial_format=1, data_type=1),)


def test_values_that_warn_are_silent(
    write_instance: WriteInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_instance(bytes(24), StudyDate="20200101", Manufacturer="SECRET")
    path.write_bytes(path.read_bytes().replace(b"20200101", b"SECRETDA"))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_source(path).close()

    assert caught == []
    assert capfd.readouterr() == ("", "")


def test_quiet_in_one_thread_does_not_end_in_another() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with quiet():
            entered.set()
            leave.wait(10)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread = threading.Thread(target=hold)
        thread.start()
        entered.wait(10)
        with quiet():
            pass
        warnings.warn("while the other thread still reads", stacklevel=1)
        leave.set()
        thread.join()
        warnings.warn("after both", stacklevel=1)

    assert [str(warning.message) for warning in caught] == ["after both"]


def test_opening_leaves_the_input_as_it_was(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns

    with open_source(path) as source:
        list(source.frames_in_order())

    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stamp
