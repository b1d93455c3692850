from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels import rle
from cinescrub.types import CineInfo

GRAY = CineInfo("1.2.840.10008.1.2.5", 1, 5, 7, 1, "MONOCHROME2", 8, 8, 7, False, 0)


def test_segments_are_byte_planes_most_significant_first() -> None:
    info = replace(GRAY, rows=1, columns=2, bits_allocated=16, bits_stored=16, high_bit=15)

    coded = rle.encode(np.array([[0x0102, 0x0304]], np.uint16))

    assert coded[:12] == bytes([2, 0, 0, 0, 64, 0, 0, 0, 68, 0, 0, 0])
    assert coded[64:] == bytes([1, 0x01, 0x03, 0, 1, 0x02, 0x04, 0])
    assert rle.decode(coded, info).tolist() == [[0x0102, 0x0304]]


def test_runs_do_not_cross_rows() -> None:
    coded = rle.encode(np.zeros((3, 10), np.uint8))

    assert coded[64:] == bytes([0xF7, 0] * 3)


@pytest.mark.parametrize("cut", [0, 63, 64, 70], ids=str)
def test_a_truncated_frame_is_refused(cut: int) -> None:
    coded = rle.encode(np.arange(35, dtype=np.uint8).reshape(5, 7))

    with pytest.raises(InputError):
        rle.decode(coded[:cut], GRAY)


@pytest.mark.parametrize(("offset", "value"), [(0, 2), (0, 255), (4, 0), (4, 255)], ids=str)
def test_a_header_that_does_not_fit_is_refused(offset: int, value: int) -> None:
    coded = bytearray(rle.encode(np.arange(35, dtype=np.uint8).reshape(5, 7)))
    coded[offset] = value

    with pytest.raises(InputError):
        rle.decode(coded, GRAY)


def test_a_frame_of_another_size_is_refused() -> None:
    coded = rle.encode(np.arange(35, dtype=np.uint8).reshape(5, 7))

    with pytest.raises(InputError, match="another size"):
        rle.decode(coded, replace(GRAY, rows=4))


PICTURE = np.random.default_rng(4).integers(0, 256, (9, 14), np.uint8)
INFO = CineInfo("1.2.840.10008.1.2.5", 1, 9, 14, 1, "MONOCHROME2", 8, 8, 7, False, 0)


def test_a_frame_with_nothing_but_its_picture_is_not_copied() -> None:
    frame = rle.encode(PICTURE)

    assert rle.clean(frame, INFO) is frame


@pytest.mark.parametrize(
    "rest", [b"\x09FLORENCE N", b"\x0bFLORENCE N", b"\x80FLORENCE"], ids=["whole", "cut", "no-op"]
)
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_segment_that_goes_on_behind_its_plane_is_refused(segment: int, rest: bytes) -> None:
    info = replace(INFO, samples=3, photometric="RGB")
    frame = rle.encode(np.dstack([PICTURE] * 3))
    bounds = [*struct.unpack_from("<3I", frame, 4), len(frame)]
    end = bounds[segment + 1]
    later = [at + len(rest) * (k > segment) for k, at in enumerate(bounds[:3])]
    changed = struct.pack("<4I", 3, *later) + frame[16:end] + rest + frame[end:]

    with pytest.raises(InputError, match="RLE"):
        rle.clean(changed, info)


def test_what_lies_in_the_headers_unused_offsets_is_dropped() -> None:
    frame = bytearray(rle.encode(PICTURE))
    frame[12:20] = b"FLORENCE"

    cleaned = rle.clean(frame, INFO)

    assert b"FLORENCE" not in bytes(cleaned)
    assert np.array_equal(rle.decode(cleaned, INFO), PICTURE)
