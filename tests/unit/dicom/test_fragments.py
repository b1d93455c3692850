"""Which fragments are which frame: by number, by table, by marker, or refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinescrub.dicom.fragments import Coding, FrameIndex, OffsetTable, coding_of, index_frames
from cinescrub.errors import InputError

END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def _item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(data)) + data


def _pixels(fragments: list[bytes], table: list[int] | None = None, end: bytes = END) -> bytes:
    offsets = struct.pack(f"<{len(table or ())}L", *(table or ()))
    return _item(offsets) + b"".join(_item(fragment) for fragment in fragments) + end


def _jpeg(body: bytes) -> bytes:
    return b"\xff\xd8\xff\xdb" + body + b"\xff\xd9"


def _index(
    data: bytes,
    frames: int,
    coding: Coding = Coding.JPEG,
    extended: OffsetTable | None = None,
) -> FrameIndex:
    return index_frames(lambda at, n: data[at : at + n], 0, frames, coding, extended)


def _frames(data: bytes, index: FrameIndex) -> list[bytes]:
    return [
        b"".join(data[at : at + length] for at, length in index.pieces(k))
        for k in range(len(index))
    ]


A, B, C = _jpeg(b"a" * 10), _jpeg(b"b" * 20), _jpeg(b"c" * 30)
SPLIT = [A[:8], A[8:], B, C[:6], C[6:20], C[20:]]
SPLIT_TABLE = [0, len(A) + 16, len(A) + len(B) + 24]
WHOLE_TABLE = [0, len(A) + 8, len(A) + len(B) + 16]


@pytest.mark.parametrize("table", [None, WHOLE_TABLE], ids=["no-table", "table"])
def test_one_fragment_a_frame_needs_no_table(table: list[int] | None) -> None:
    data = _pixels([A, B, C], table)

    index = _index(data, 3)

    assert _frames(data, index) == [A, B, C]
    assert index.notes == ()


def test_a_wrong_table_is_noted_where_the_frames_are_clear() -> None:
    data = _pixels([A, B, C], [0, 5, 9])

    index = _index(data, 3)

    assert _frames(data, index) == [A, B, C]
    assert "basic offset table does not fit" in index.notes[0]


def test_one_frame_is_all_of_its_fragments() -> None:
    data = _pixels([A[:8], A[8:]])

    assert _frames(data, _index(data, 1)) == [A]


@pytest.mark.parametrize("table", [None, SPLIT_TABLE, [0, 2, 4]], ids=["none", "right", "wrong"])
def test_frames_of_several_fragments_are_told_by_markers(table: list[int] | None) -> None:
    data = _pixels(SPLIT, table)

    assert _frames(data, _index(data, 3)) == [A, B, C]


def test_a_marker_cut_in_two_is_still_the_end() -> None:
    data = _pixels([A[:-1], A[-1:] + b"\0", B])

    assert _frames(data, _index(data, 2)) == [A + b"\0", B]


@pytest.mark.parametrize("coding", [Coding.JPEG, Coding.RLE], ids=["jpeg", "rle"])
def test_empty_fragments_are_padding(coding: Coding) -> None:
    data = _pixels([b"", A, b"", b"", B, b""])

    assert _frames(data, _index(data, 2, coding)) == [A, B]


def test_fragments_of_zeros_belong_to_the_frame_before_them() -> None:
    data = _pixels([A, bytes(4), B, bytes(2)])

    assert _frames(data, _index(data, 2)) == [A + bytes(4), B + bytes(2)]


OPEN = [A[:8], A[8:-2], B[:8], B[8:-2]]
"""Two frames in two fragments each, both without an end marker."""


@pytest.mark.parametrize("table", [None, [0, len(b"".join(OPEN[:2])) + 16]], ids=["none", "right"])
def test_frames_without_an_end_marker_are_told_by_their_starts(table: list[int] | None) -> None:
    data = _pixels(OPEN, table)

    assert _frames(data, _index(data, 2)) == [A[:-2], B[:-2]]


def test_a_table_that_parts_a_stream_is_not_followed() -> None:
    data = _pixels([A, B[:8], B[8:]], [0, len(A) + 8 + 8 + 8])

    with pytest.raises(InputError, match="do not match"):
        _index(data, 2)


def test_other_streams_need_a_table_that_fits() -> None:
    data = _pixels([b"aa", b"bb", b"cc"], [0, 20])

    assert _frames(data, _index(data, 2, Coding.OTHER)) == [b"aabb", b"cc"]
    with pytest.raises(InputError, match="no offset table that fits"):
        _index(_pixels([b"aa", b"bb", b"cc"]), 2, Coding.OTHER)


@pytest.mark.parametrize(
    ("fragments", "frames", "coding"),
    [
        ([A, B], 3, Coding.JPEG),
        ([A, B, C], 2, Coding.JPEG),
        ([A, B], 1, Coding.JPEG),
        ([b"aa", b"bb"], 1, Coding.RLE),
        ([], 1, Coding.JPEG),
        ([A, b""], 2, Coding.JPEG),
        ([b"not a stream", b"at all"], 1, Coding.J2K),
    ],
    ids=["fewer", "more", "hidden-frame", "rle", "none", "empty-frame", "no-stream"],
)
def test_fragments_that_do_not_match_frames_are_refused(
    fragments: list[bytes], frames: int, coding: Coding
) -> None:
    with pytest.raises(InputError, match=r"fragment|stream"):
        _index(_pixels(fragments), frames, coding)


def test_the_extended_table_decides_for_unknown_streams() -> None:
    data = _pixels([b"aa", b"bb"])
    extended = OffsetTable((0, 10), (2, 1))

    index = _index(data, 2, Coding.OTHER, extended)

    assert _frames(data, index) == [b"aa", b"bb"]
    assert index.notes == ()


@pytest.mark.parametrize(
    "extended",
    [OffsetTable((0, 11), (2, 2)), OffsetTable((0, 10), (2, 9)), OffsetTable((0,), (2,))],
    ids=["offset", "length", "count"],
)
def test_a_wrong_extended_table_is_noted(extended: OffsetTable) -> None:
    index = _index(_pixels([b"aa", b"bb"]), 2, Coding.OTHER, extended)

    assert "extended offset table does not fit" in index.notes[0]


def test_a_missing_delimiter_is_noted_where_the_last_stream_is_whole() -> None:
    data = _pixels([A, B], end=b"")

    index = _index(data, 2)

    assert _frames(data, index) == [A, B]
    assert "no sequence delimiter" in index.notes[0]


@pytest.mark.parametrize(
    "data",
    [
        _pixels([A, B])[:-20],
        _pixels([A, B[:-2]], end=b""),
        _pixels([A])[:-5],
        _item(b"")[:6],
        _item(b"") + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + A + END,
        _item(b"") + _item(A)[:-1] + END,
        _pixels([A], end=b"\x10\x00\x10\x00PN\x00\x00"),
        b"\x10\x00\x10\x00PN\x00\x00",
        b"\xfe\xff\x00\xe0\xff\xff\xff\x7f" + END,
    ],
    ids=[
        "last-fragment-cut",
        "last-stream-cut",
        "delimiter-cut",
        "table-cut",
        "undefined-length",
        "odd-out-of-step",
        "other-tag",
        "no-items",
        "endless-table",
    ],
)
def test_broken_items_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        _index(data, 2 if data.count(b"\xff\xd8") == 2 else 1)


def test_an_odd_fragment_in_step_is_taken() -> None:
    odd = A + b"x"
    data = _pixels([odd, B])

    assert _frames(data, _index(data, 2)) == [odd, B]


@pytest.mark.parametrize(
    ("syntax", "coding"),
    [
        ("1.2.840.10008.1.2.4.50", Coding.JPEG),
        ("1.2.840.10008.1.2.4.70", Coding.JPEG),
        ("1.2.840.10008.1.2.4.80", Coding.JPEG),
        ("1.2.840.10008.1.2.4.91", Coding.J2K),
        ("1.2.840.10008.1.2.4.203", Coding.J2K),
        ("1.2.840.10008.1.2.5", Coding.RLE),
        ("1.2.840.10008.1.2.4.110", Coding.OTHER),
        ("1.2.840.10008.1.2.8.1", Coding.OTHER),
    ],
)
def test_syntaxes_have_their_coding(syntax: str, coding: Coding) -> None:
    assert coding_of(syntax) is coding


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6),
    cuts=st.lists(st.integers(4, 50), max_size=6),
    with_table=st.booleans(),
)
def test_any_split_of_streams_is_put_together_again(
    bodies: list[bytes], cuts: list[int], with_table: bool
) -> None:
    streams = [_jpeg(body.replace(b"\xff", b"\xfe")) for body in bodies]
    fragments, table, offset = [], [], 0
    for k, stream in enumerate(streams):
        table.append(offset)
        cut = cuts[k] if k < len(cuts) and cuts[k] < len(stream) else len(stream)
        for part in (stream[:cut], stream[cut:]):
            if part:
                fragments.append(part)
                offset += 8 + len(part)
    data = _pixels(fragments, table if with_table else None)

    assert _frames(data, _index(data, len(streams))) == streams


@given(
    data=st.binary(max_size=300),
    frames=st.integers(1, 5),
    coding=st.sampled_from(Coding),
)
def test_any_bytes_are_indexed_or_refused(data: bytes, frames: int, coding: Coding) -> None:
    for start in (b"", _item(b""), _item(b"\0\0\0\0") + _item(A)):
        try:
            index = _index(start + data, frames, coding)
        except InputError:
            continue
        assert len(index) == frames


@given(
    at=st.integers(0, 150),
    value=st.integers(0, 255),
    frames=st.integers(1, 7),
)
def test_one_changed_byte_never_gives_bytes_outside_of_the_file(
    at: int, value: int, frames: int
) -> None:
    data = bytearray(_pixels(SPLIT, SPLIT_TABLE))
    data[at % len(data)] = value
    try:
        index = _index(bytes(data), frames)
    except InputError:
        return

    ends = [at + length for k in range(frames) for at, length in index.pieces(k)]
    assert max(ends) <= len(data)
    assert len(index) == frames
