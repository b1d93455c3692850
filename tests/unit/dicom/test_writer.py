"""An output exists whole under its name, or not at all; what is given is what is written."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames, parse_basic_offsets

from cinescrub.dicom import writer
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.header import quiet
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.target import check_target, os_errors, output_path
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ConfigError, InputError, OutputError, ScrubError

if TYPE_CHECKING:
    from tests.unit.dicom.conftest import WriteInstance

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
PIXELS = bytes(range(72))


def _meta(syntax: str) -> FileMetaDataset:
    return fresh_file_meta(
        sop_class="1.2.840.10008.5.1.4.1.1.3.1", sop_instance="2.25.1", transfer_syntax=syntax
    )


def _header() -> Dataset:
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    header.SOPInstanceUID = "2.25.1"
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.NumberOfFrames = 3
    header.Rows, header.Columns = 4, 6
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelRepresentation = 0
    return header


def _write_pixels(output: OutputFile, source: Source) -> None:
    if not source.info.native:
        output.encapsulated(source.info.frames)
        for frame in source.frames_in_order():
            output.append(frame)
    elif source.transfer_syntax == DEFLATED:
        output.native(source.info.frame_bytes * source.info.frames, source.pixel_vr)
        for frame in source.frames_in_order():
            output.append_native(frame)
    else:
        output.copy_native(source).release()


@pytest.mark.parametrize(
    ("syntax", "vr"),
    [
        (IMPLICIT, "OW"),
        (EXPLICIT, "OB"),
        (EXPLICIT, "OW"),
        (BIG, "OB"),
        (BIG, "OW"),
        (DEFLATED, "OB"),
    ],
    ids=["implicit", "explicit", "words", "big", "big-words", "deflated"],
)
def test_a_native_cine_comes_back_as_it_was(
    write_instance: WriteInstance, tmp_path: Path, syntax: str, vr: str
) -> None:
    original = write_instance(PIXELS, syntax, vr=vr, NumberOfFrames=3)
    target = tmp_path / "out" / "x.dcm"

    with open_source(original) as source, OutputFile(target) as output:
        output.write_header(source.file_meta, source.header)
        _write_pixels(output, source)
        output.commit()

    assert dcmread(target) == dcmread(original)
    assert target.read_bytes()[:132] == bytes(128) + b"DICM"


def test_odd_frames_of_swapped_words_are_written_as_bytes(
    write_instance: WriteInstance, tmp_path: Path
) -> None:
    stored = bytes([1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 0, 18])
    original = write_instance(stored, BIG, vr="OW", Rows=1, Columns=19)
    target = tmp_path / "out.dcm"

    with open_source(original) as source, OutputFile(target) as output:
        output.write_header(source.file_meta, source.header)
        output.copy_native(source).release()
        output.commit()

    written = dcmread(target)
    assert written["PixelData"].VR == "OB"
    assert written.PixelData == bytes(range(19)) + b"\0"


@pytest.mark.parametrize("count", [1, 3], ids=["one", "three"])
def test_an_encapsulated_cine_comes_back_as_it_was(
    write_instance: WriteInstance, tmp_path: Path, count: int
) -> None:
    frames = [b"\xff\xd8\xff\xdb" + bytes(k) + b"\xff\xd9" for k in range(count)]
    original = write_instance(frames, JPEG, NumberOfFrames=count)
    target = tmp_path / "out.dcm"

    with open_source(original) as source, OutputFile(target) as output:
        output.write_header(source.file_meta, source.header)
        _write_pixels(output, source)
        output.commit()

    written = dcmread(target)
    padded = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    assert list(generate_frames(written.PixelData, number_of_frames=count)) == padded
    expected = [sum(8 + len(frame) for frame in padded[:k]) for k in range(count)]
    assert parse_basic_offsets(written.PixelData) == expected
    assert written["PixelData"].VR == "OB"


@pytest.mark.parametrize("block", [7, 1 << 20], ids=["many-blocks", "one-block"])
@pytest.mark.parametrize("extended", [True, False], ids=["asked-for", "outgrown"])
def test_offsets_over_four_gigabytes_are_in_the_extended_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extended: bool, block: int
) -> None:
    monkeypatch.setattr(writer, "MAX_OFFSET", 40)
    monkeypatch.setattr(writer, "_BLOCK", block)
    frames = [b"\xff\xd8\xff\xdb" + bytes([k] * (9 + k)) + b"\xff\xd9" for k in range(5)]
    even = [frame + bytes(len(frame) % 2) for frame in frames]
    target = tmp_path / "out.dcm"

    with OutputFile(target) as output:
        header = _header()
        header.NumberOfFrames = 5
        output.write_header(_meta(JPEG), header)
        output.encapsulated(5, extended=extended)
        for frame in frames:
            output.append(frame)
        output.commit()

    written = dcmread(target)
    table = (written.ExtendedOffsetTable, written.ExtendedOffsetTableLengths)
    assert parse_basic_offsets(written.PixelData) == []
    assert (
        list(generate_frames(written.PixelData, number_of_frames=5, extended_offsets=table)) == even
    )
    with open_source(target) as source:
        assert source.extended_offsets
        assert source.notes == ()
        assert [bytes(frame) for frame in source.frames_in_order()] == even


def test_mapped_pixels_are_changed_in_place(write_instance: WriteInstance, tmp_path: Path) -> None:
    original = write_instance(PIXELS, NumberOfFrames=3)
    target = tmp_path / "out.dcm"

    with open_source(original) as source, OutputFile(target) as output:
        output.write_header(source.file_meta, source.header)
        pixels = output.copy_native(source)
        pixels[24:30] = bytes(6)
        output.release()
        pixels[70] = 0xAA
        pixels.release()
        output.commit()

    expected = bytearray(PIXELS)
    expected[24:30] = bytes(6)
    expected[70] = 0xAA
    assert dcmread(target).PixelData == bytes(expected)
    assert dcmread(original).PixelData == PIXELS


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_pixels_are_copied_where_the_kernel_can_not(
    write_instance: WriteInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    original = write_instance(PIXELS, NumberOfFrames=3)
    target = tmp_path / "out.dcm"

    with open_source(original) as source, OutputFile(target) as output:
        output.write_header(source.file_meta, source.header)
        output.copy_native(source).release()
        output.commit()

    assert dcmread(target).PixelData == PIXELS


def test_the_file_is_checked_before_it_has_its_name(tmp_path: Path) -> None:
    target = tmp_path / "study" / "x.dcm"

    with OutputFile(target) as output:
        output.write_header(_meta(EXPLICIT), _header())
        output.native(72, "OB")
        output.append_native(PIXELS)
        output.finish()
        with open_source(output.path) as source:
            assert bytes(source.frame(1)) == PIXELS[24:48]
        assert not target.exists()
        output.commit()
        assert output.path == target

    assert [entry.name for entry in target.parent.iterdir()] == ["x.dcm"]


def test_the_temporary_file_says_nothing_and_is_private(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "1.2.3.dcm") as one, OutputFile(tmp_path / "1.2.3.dcm") as other:
        assert one.path.parent == tmp_path
        assert one.path.name.startswith(".")
        assert "1.2.3" not in one.path.name
        assert one.path != other.path
        assert stat.S_IMODE(one.path.stat().st_mode) == 0o600


def test_nothing_remains_without_a_commit(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "a" / "b" / "x.dcm") as output:
        output.write_header(_meta(EXPLICIT), _header())

    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_folders_that_others_use(tmp_path: Path) -> None:
    def fail() -> None:
        with OutputFile(tmp_path / "a" / "b" / "x.dcm") as output:
            output.write_header(_meta(EXPLICIT), _header())
            (tmp_path / "a" / "other.dcm").write_bytes(b"whole")
            raise InputError("frame 3 is corrupt")

    with pytest.raises(InputError, match="frame 3"):
        fail()

    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["other.dcm"]


def test_a_commit_replaces_an_earlier_output(tmp_path: Path) -> None:
    target = tmp_path / "x.dcm"
    target.write_bytes(b"earlier")

    with OutputFile(target) as output:
        output.write_header(_meta(EXPLICIT), _header())
        output.native(72, "OB")
        output.append_native(PIXELS)
        assert target.read_bytes() == b"earlier"
        output.commit()

    assert dcmread(target).PixelData == PIXELS


@pytest.mark.parametrize("given", [0, 71], ids=["none", "short"])
def test_less_native_data_than_declared_is_dropped(tmp_path: Path, given: int) -> None:
    with OutputFile(tmp_path / "x.dcm") as output:
        output.write_header(_meta(EXPLICIT), _header())
        output.native(72, "OB")
        output.append_native(PIXELS[:given])
        with pytest.raises(OutputError, match="less pixel data"):
            output.commit()

    assert list(tmp_path.iterdir()) == []


def test_more_data_than_declared_is_refused(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "x.dcm") as output:
        output.write_header(_meta(EXPLICIT), _header())
        output.native(71, "OB")
        with pytest.raises(OutputError, match="more pixel data"):
            output.append_native(PIXELS)


def test_frames_are_counted(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "x.dcm") as output:
        output.write_header(_meta(JPEG), _header())
        output.encapsulated(2)
        output.append(b"one")
        with pytest.raises(OutputError, match="fewer frames"):
            output.finish()
        output.append(b"two")
        with pytest.raises(OutputError, match="more frames"):
            output.append(b"three")


def test_native_data_over_four_gigabytes_is_refused(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "x.dcm") as output:
        output.write_header(_meta(EXPLICIT), _header())
        with pytest.raises(OutputError, match="4 GiB"):
            output.native(0xFFFFFFFF, "OB")


def test_calls_out_of_order_are_a_programming_error(tmp_path: Path) -> None:
    output = OutputFile(tmp_path / "x.dcm")
    with pytest.raises(RuntimeError, match="not open"):
        output.finish()
    with output, pytest.raises(RuntimeError, match="out of order"):
        output.encapsulated(1)


def test_a_header_that_can_not_be_encoded_names_no_value(tmp_path: Path) -> None:
    header = _header()
    with quiet():  # pydicom warns already here
        header.add_new(0x00280010, "US", "NIGHTINGALE")

    with OutputFile(tmp_path / "x.dcm") as output, pytest.raises(ScrubError) as refused:
        output.write_header(_meta(EXPLICIT), header)

    assert "NIGHTINGALE" not in refused.value.message
    assert refused.value.__cause__ is None


def test_elements_after_the_pixels_are_refused(tmp_path: Path) -> None:
    header = _header()
    header.add_new(0xFFFCFFFC, "OB", b"NAME")

    with OutputFile(tmp_path / "x.dcm") as output, pytest.raises(ScrubError, match="after"):
        output.write_header(_meta(EXPLICIT), header)


@contextmanager
def _file_size_limit(limit: int) -> Iterator[None]:
    """Let the kernel refuse larger files, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(
    write_instance: WriteInstance, tmp_path: Path
) -> None:
    original = write_instance(bytes(6 << 20), Rows=1024, Columns=1024, NumberOfFrames=6)

    def copy() -> None:
        with open_source(original) as source, OutputFile(tmp_path / "out" / "x.dcm") as output:
            output.write_header(source.file_meta, source.header)
            output.copy_native(source)

    with _file_size_limit(2 << 20), pytest.raises(OutputError, match="of this size"):
        copy()

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "not writable"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "EIO"),
    ],
    ids=["space", "quota", "permission", "read-only", "other"],
)
def test_what_the_system_refuses_is_one_line_without_paths(code: int, line: str) -> None:
    with pytest.raises(OutputError, match=line) as refused, os_errors():
        raise OSError(code, "message", "/data/NIGHTINGALE")

    assert "NIGHTINGALE" not in refused.value.message


def test_an_output_path_is_made_of_uids(tmp_path: Path) -> None:
    assert output_path(tmp_path, "1.2", "2.25.3", "4") == tmp_path / "1.2" / "2.25.3" / "4.dcm"


@pytest.mark.parametrize("uid", ["", "..", "../x", "1..2", "NAME", "1." * 40 + "1"])
def test_what_is_no_uid_is_no_path(tmp_path: Path, uid: str) -> None:
    with pytest.raises(ScrubError):
        output_path(tmp_path, "1.2", uid, "4")


@pytest.mark.parametrize(
    ("target", "given", "refused"),
    [
        ("data", "data", ConfigError),
        ("data/out", "data", ConfigError),
        ("link/out", "data", ConfigError),
        ("data/a.dcm", "data/a.dcm", ConfigError),
        ("data/a.dcm", "other", OutputError),
        ("data/a.dcm/out", "other", OutputError),
        ("out", "data", None),
        ("data/out", "data/a.dcm", None),
        (".", "data", None),
    ],
    ids=[
        "same", "inside", "through-a-link", "input-file", "a-file", "below-a-file",
        "beside", "beside-a-file", "parent",
    ],
)  # fmt: skip
def test_targets_are_checked_before_work(
    tmp_path: Path, target: str, given: str, refused: type[Exception] | None
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.dcm").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))

    if refused is None:
        check_target(tmp_path / target, [tmp_path / given])
    else:
        with pytest.raises(refused):
            check_target(tmp_path / target, [tmp_path / given])

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_target_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="not writable"):
            check_target(tmp_path / "out", [])
    finally:
        tmp_path.chmod(0o700)
