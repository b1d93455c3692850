from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.errors import InputError
from cinescrub.pixels.apply import redact, snap
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.native import fill, fill_value
from cinescrub.types import CineInfo, Palette

ROOT = "1.2.840.10008.1.2"
H, W = 6, 8
GRAY = CineInfo(ROOT + ".1", 1, H, W, 1, "MONOCHROME2", 8, 8, 7, False, 0)
RGB = replace(GRAY, samples=3, photometric="RGB")
WIDE = replace(GRAY, bits_allocated=16, bits_stored=12, high_bit=11)
DARK_AT_3 = Palette(
    np.array([[90, 90, 90], [9, 200, 0], [50, 0, 99], [0, 1, 0]], np.uint8), first=5
)

LAYOUTS = [
    pytest.param(GRAY, id="gray"),
    pytest.param(replace(GRAY, photometric="MONOCHROME1"), id="monochrome1"),
    pytest.param(WIDE, id="16-bit"),
    pytest.param(replace(WIDE, signed=True), id="16-bit signed"),
    pytest.param(replace(WIDE, transfer_syntax=ROOT + ".2"), id="16-bit big endian"),
    pytest.param(replace(GRAY, transfer_syntax=ROOT + ".2", words=True), id="8-bit words"),
    pytest.param(RGB, id="rgb by pixel"),
    pytest.param(replace(RGB, planar=1), id="rgb by plane"),
    pytest.param(
        replace(RGB, planar=1, transfer_syntax=ROOT + ".2", words=True), id="rgb planes in words"
    ),
    pytest.param(replace(RGB, transfer_syntax=ROOT + ".2", words=True), id="rgb in words"),
    pytest.param(
        replace(RGB, photometric="YBR_FULL_422", transfer_syntax=ROOT + ".2", words=True),
        id="ybr 4:2:2 in words",
    ),
    pytest.param(replace(RGB, photometric="YBR_FULL"), id="ybr full"),
    pytest.param(replace(RGB, photometric="YBR_FULL_422"), id="ybr 4:2:2"),
    pytest.param(replace(GRAY, photometric="PALETTE COLOR", palette=DARK_AT_3), id="palette"),
]


def noise(info: CineInfo) -> bytearray:
    generator = np.random.default_rng(3)
    return bytearray(generator.integers(1, 200, info.frame_bytes, dtype=np.uint8).tobytes())


def boxes(*rows: tuple[int, int, int, int]) -> npt.NDArray[np.int32]:
    return np.array(rows, np.int32).reshape(-1, 4)


@pytest.mark.parametrize("info", LAYOUTS)
def test_only_what_a_rectangle_covers_becomes_black(info: CineInfo) -> None:
    frame = noise(info)
    before = decode_stored(bytes(frame), info)
    rectangle = boxes((1, 2, 4, 5))
    covered = np.zeros((H, W), np.bool_)
    for x0, y0, x1, y1 in snap(bytes(frame), info, rectangle).tolist():
        covered[y0:y1, x0:x1] = True

    fill(frame, info, rectangle)

    after = decode_stored(bytes(frame), info)
    assert (after[covered] == np.array(fill_value(info)).astype(after.dtype)).all()
    assert np.array_equal(after[~covered], before[~covered])


@pytest.mark.parametrize("info", LAYOUTS)
def test_a_frame_given_as_bytes_is_redacted_in_a_copy(info: CineInfo) -> None:
    frame = bytes(noise(info))
    expected = bytearray(frame)
    fill(expected, info, boxes((0, 0, 3, 3)))

    result = redact(frame, info, boxes((0, 0, 3, 3)))

    assert bytes(result) == expected


def test_pixel_pairs_of_422_are_covered_whole() -> None:
    info = replace(RGB, photometric="YBR_FULL_422")

    snapped = snap(bytes(noise(info)), info, boxes((3, 0, 5, 2)))

    assert snapped.tolist() == [[2, 0, 6, 2]]


def test_rectangles_are_clipped_and_empty_ones_left_out() -> None:
    frame = bytes(noise(GRAY))

    snapped = snap(frame, GRAY, boxes((-5, -5, 2, 2), (7, 5, 90, 90), (9, 0, 12, 3), (3, 3, 3, 5)))

    assert snapped.tolist() == [[0, 0, 2, 2], [7, 5, 8, 6]]


def test_a_rectangle_that_leaves_the_frame_fills_its_inner_part() -> None:
    frame = noise(GRAY)
    before = bytes(frame)

    fill(frame, GRAY, boxes((-4, -4, 1, 1)))

    assert frame[0] == 0
    assert frame[1:] == before[1:]


def test_no_rectangle_changes_nothing() -> None:
    frame = noise(GRAY)
    before = bytes(frame)

    fill(frame, GRAY, boxes())

    assert frame == before


def test_native_samples_are_a_view_on_the_frame() -> None:
    frame = noise(RGB)

    stored = decode_stored(frame, RGB)

    assert np.shares_memory(stored, np.frombuffer(frame, np.uint8))


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({}, (0,)),
        ({"photometric": "MONOCHROME1"}, (255,)),
        ({"signed": True}, (-128,)),
        ({"signed": True, "photometric": "MONOCHROME1"}, (127,)),
        ({"bits_allocated": 16, "bits_stored": 12, "photometric": "MONOCHROME1"}, (4095,)),
        ({"photometric": "PALETTE COLOR", "palette": DARK_AT_3}, (8,)),
        ({"samples": 3, "photometric": "RGB"}, (0, 0, 0)),
        ({"samples": 3, "photometric": "YBR_FULL"}, (0, 128, 128)),
    ],
    ids=str,
)
def test_black_is_what_shows_black(change: dict[str, Any], value: tuple[int, ...]) -> None:
    assert fill_value(replace(GRAY, **change)) == value


def test_a_dark_entry_that_no_sample_can_name_is_not_used() -> None:
    table = np.full((300, 3), 90, np.uint8)
    table[280] = 0
    table[7] = 30
    info = replace(GRAY, photometric="PALETTE COLOR", palette=Palette(table))

    assert fill_value(info) == (7,)


@pytest.mark.parametrize("length", [0, H * W - 1, H * W + 1])
def test_a_frame_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="length"):
        fill(bytearray(length), GRAY, boxes((0, 0, 1, 1)))


def test_a_frame_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="written"):
        fill(memoryview(bytes(H * W)), GRAY, boxes((0, 0, 1, 1)))
