"""What `Source` hands out: exactly the stored bytes of each frame, without holding a cine."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cinescrub.dicom import inflate
from cinescrub.dicom.source import open_source
from cinescrub.errors import InputError

if TYPE_CHECKING:
    from tests.unit.dicom.conftest import WriteInstance

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
JPEG, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"
THREE = [bytes(range(start, start + 24)) for start in (0, 24, 48)]


@pytest.mark.parametrize(
    ("syntax", "vr"),
    [(IMPLICIT, "OW"), (EXPLICIT, "OB"), (EXPLICIT, "OW"), (BIG, "OB"), (DEFLATED, "OB")],
    ids=["implicit", "explicit", "explicit-words", "big-endian", "deflated"],
)
def test_native_frames_are_the_stored_bytes(
    write_instance: WriteInstance, syntax: str, vr: str
) -> None:
    path = write_instance(b"".join(THREE), syntax, vr=vr, NumberOfFrames=3)

    with open_source(path) as source:
        in_order = [bytes(frame) for frame in source.frames_in_order()]
        last, first = bytes(source.frame(2)), bytes(source.frame(0))

    assert in_order == THREE
    assert (first, last) == (THREE[0], THREE[2])
    assert source.info.frames == 3
    assert source.pixel_vr == vr


def test_a_native_frame_is_a_read_only_view_of_the_map(write_instance: WriteInstance) -> None:
    path = write_instance(b"".join(THREE), NumberOfFrames=3)

    with open_source(path) as source, source.frame(1) as frame:
        assert frame.readonly
        assert source.pixel_span is not None
        offset, length = source.pixel_span
        assert path.read_bytes()[offset : offset + length] == b"".join(THREE)


def test_big_endian_words_of_even_frames_are_left_swapped(write_instance: WriteInstance) -> None:
    path = write_instance(b"".join(THREE), BIG, vr="OW", NumberOfFrames=3)

    with open_source(path) as source:
        frame = bytes(source.frame(1))

    assert source.info.words
    assert source.pixel_vr == "OW"
    assert frame == THREE[1]


def test_big_endian_words_of_odd_frames_come_in_order(write_instance: WriteInstance) -> None:
    stored = bytes([1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16])
    path = write_instance(stored, BIG, vr="OW", Rows=3, Columns=3, NumberOfFrames=2)

    with open_source(path) as source:
        frames = [bytes(frame) for frame in source.frames_in_order()]

    assert frames == [bytes(range(9)), bytes(range(9, 18))]
    assert not source.info.words
    assert source.pixel_vr == "OB"
    assert source.pixel_span is None


def test_an_odd_length_may_be_padded_by_one_byte(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(range(15)) + b"\0", Rows=3, Columns=5)

    with open_source(path) as source:
        assert bytes(source.frame(0)) == bytes(range(15))


@pytest.mark.parametrize("table", [True, False], ids=["offset-table", "no-table"])
def test_encapsulated_frames_are_the_fragments(write_instance: WriteInstance, table: bool) -> None:
    frames = [b"\xff\xd8\xff\xdb" + bytes([k] * 2 * k) + b"\xff\xd9" for k in (1, 2, 3)]
    path = write_instance(frames, JPEG, table=table, NumberOfFrames=3)

    with open_source(path) as source:
        assert [bytes(frame) for frame in source.frames_in_order()] == frames
        assert source.notes == ()


def test_rle_with_more_fragments_than_frames_is_refused(write_instance: WriteInstance) -> None:
    path = write_instance([b"\0" * 64, b"\0" * 64], RLE)

    with pytest.raises(InputError, match="fragments do not match frames: 2 in RLE"):
        open_source(path)


def test_frames_out_of_range_are_a_programming_error(write_instance: WriteInstance) -> None:
    with open_source(write_instance(bytes(24))) as source, pytest.raises(IndexError):
        source.frame(1)


def test_the_hash_is_of_the_whole_file(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24))

    with open_source(path) as source:
        assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert source.size == path.stat().st_size


def _sparse(small: Path, length: int) -> Path:
    """Replace the pixel data of `small` by `length` zeros that take no space on the disk."""
    raw = small.read_bytes()
    length_at = raw.rindex(b"\xe0\x7f\x10\x00OB") + 8
    huge = small.with_name("huge")
    with huge.open("wb") as file:
        file.write(raw[:length_at] + length.to_bytes(4, "little"))
        file.truncate(length_at + 4 + length)
    return huge


def test_opening_a_huge_native_file_costs_no_memory(write_instance: WriteInstance) -> None:
    small = write_instance(bytes(24), Rows=1024, Columns=1024, NumberOfFrames=1024)
    huge = _sparse(small, 1 << 30)
    process = psutil.Process()
    before = process.memory_info().rss

    with open_source(huge) as source:
        sampled = [bytes(source.frame(k)[-4:]) for k in (0, 512, 1023)]
        opened = process.memory_info().rss - before

    assert sampled == [bytes(4)] * 3
    assert opened < 50 << 20


def test_pages_that_were_passed_are_let_go(write_instance: WriteInstance) -> None:
    small = write_instance(bytes(24), Rows=1024, Columns=1024, NumberOfFrames=128)
    large = _sparse(small, 128 << 20)
    process = psutil.Process()
    before = process.memory_info().rss
    peak = 0

    with open_source(large) as source:
        for frame in source.frames_in_order():
            assert not any(frame[::4096])
            peak = max(peak, process.memory_info().rss - before)

    assert peak < 50 << 20


def test_the_deflated_dataset_is_never_whole_in_memory(write_instance: WriteInstance) -> None:
    frame = bytes(1 << 20)
    path = write_instance(frame * 100, DEFLATED, Rows=1024, Columns=1024, NumberOfFrames=100)
    process = psutil.Process()
    before = process.memory_info().rss

    with open_source(path) as source:
        total = sum(len(frame) for frame in source.frames_in_order())

    assert total == 100 << 20
    assert process.memory_info().rss - before < 50 << 20


def _deflated(path: Path) -> tuple[bytes, bytes]:
    """Return container and inflated dataset of a deflated file."""
    raw = path.read_bytes()
    start = 132 + 12 + int.from_bytes(raw[140:144], "little")
    return raw[:start], zlib.decompress(raw[start:], -zlib.MAX_WBITS)


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def test_a_deflate_bomb_after_the_pixels_is_refused(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24), DEFLATED)
    container, dataset = _deflated(path)
    path.write_bytes(container + _deflate(dataset + bytes(4 << 20)))

    with open_source(path) as source, pytest.raises(InputError, match="larger than its header"):
        source.frame(0)


def test_a_deflate_bomb_before_the_pixels_is_refused(
    write_instance: WriteInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate, "MAX_HEADER_BYTES", 1 << 20)
    path = write_instance(bytes(24), DEFLATED)
    container, dataset = _deflated(path)
    bulk = b"\x09\x00\x01\x10OB\0\0" + (1 << 24).to_bytes(4, "little") + bytes(1 << 24)
    at = dataset.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(container + _deflate(dataset[:at] + bulk + dataset[at:]))

    with pytest.raises(InputError, match="larger than its header"):
        open_source(path)


def test_a_declared_size_that_deflate_can_not_hold_is_refused_unread(
    write_instance: WriteInstance,
) -> None:
    path = write_instance(bytes(24), DEFLATED, Rows=60000, Columns=60000)
    container, dataset = _deflated(path)
    at = dataset.index(b"\xe0\x7f\x10\x00OB") + 8
    needed = (60000 * 60000).to_bytes(4, "little")
    path.write_bytes(container + _deflate(dataset[:at] + needed + dataset[at + 4 :]))

    with pytest.raises(InputError, match="truncated"):
        open_source(path)


@pytest.mark.parametrize("cut", [1, 20], ids=["one-byte", "half"])
def test_a_cut_deflated_stream_is_refused(write_instance: WriteInstance, cut: int) -> None:
    noise = hashlib.shake_128(b"seed").digest(4096)
    path = write_instance(noise, DEFLATED, Rows=64, Columns=64)
    container, dataset = _deflated(path)
    path.write_bytes((container + _deflate(dataset))[:-cut])

    with pytest.raises(InputError, match=r"truncated|corrupt"), open_source(path) as source:
        source.frame(0)


def test_a_garbled_deflated_stream_is_refused(write_instance: WriteInstance) -> None:
    path = write_instance(bytes(24), DEFLATED)
    container, _ = _deflated(path)
    path.write_bytes(container + b"\xff" * 200)

    with pytest.raises(InputError, match="corrupt"):
        open_source(path)
