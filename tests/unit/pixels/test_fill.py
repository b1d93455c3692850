from __future__ import annotations

from dataclasses import replace

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.pixels import rle
from cinescrub.pixels.apply import fill_native, redact
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.fill import RING_PX, fill_colours
from cinescrub.types import CineInfo, Fill, Palette

ROOT = "1.2.840.10008.1.2"
H, W = 32, 48
GRAY = CineInfo(ROOT + ".1", 1, H, W, 1, "MONOCHROME2", 8, 8, 7, False, 0)
RGB = replace(GRAY, samples=3, photometric="RGB")
BOX = np.array([[16, 8, 24, 16]], np.int32)


def boxes(*rows: tuple[int, int, int, int]) -> npt.NDArray[np.int32]:
    return np.array(rows, np.int32).reshape(-1, 4)


def test_black_is_the_fill_unless_asked_otherwise() -> None:
    stored = np.full((H, W), 90, np.uint8)

    assert fill_colours(stored, GRAY, BOX, Fill.BLACK) == [(0,)]


def test_the_mean_is_that_of_the_ring_around() -> None:
    stored = np.zeros((H, W), np.uint8)
    stored[8 - RING_PX : 16 + RING_PX, 16 - RING_PX : 24 + RING_PX] = 90
    stored[8:16, 16:24] = 255

    assert fill_colours(stored, GRAY, BOX, Fill.MEAN) == [(90,)]


def test_nothing_that_a_rectangle_covers_enters_a_mean() -> None:
    stored = np.full((H, W), 40, np.uint8)
    both = boxes((16, 8, 24, 16), (26, 8, 34, 16))
    for x0, y0, x1, y1 in both:
        stored[y0:y1, x0:x1] = 255

    assert fill_colours(stored, GRAY, both, Fill.MEAN) == [(40,), (40,)]


def test_without_surroundings_the_fill_is_black() -> None:
    stored = np.full((H, W), 40, np.uint8)

    assert fill_colours(stored, GRAY, boxes((0, 0, W, H)), Fill.MEAN) == [(0,)]


def test_a_mean_of_signed_values_is_signed() -> None:
    info = replace(GRAY, bits_allocated=16, bits_stored=12, high_bit=11, signed=True)

    assert fill_colours(np.full((H, W), -700, np.int16), info, BOX, Fill.MEAN) == [(-700,)]


def test_a_mean_of_indices_is_the_index_of_the_mean_colour() -> None:
    table = np.zeros((256, 3), np.uint8)
    table[10], table[200], table[77] = (200, 0, 0), (0, 200, 0), (101, 99, 0)
    info = replace(GRAY, photometric="PALETTE COLOR", palette=Palette(table))
    stored = np.full((H, W), 10, np.uint8)
    stored[:, ::2] = 200

    assert fill_colours(stored, info, BOX, Fill.MEAN) == [(77,)]


LAYOUTS = [
    pytest.param(GRAY, id="gray"),
    pytest.param(replace(GRAY, photometric="MONOCHROME1"), id="monochrome1"),
    pytest.param(replace(GRAY, bits_allocated=16, bits_stored=10, high_bit=9), id="10 bit"),
    pytest.param(replace(RGB, planar=1), id="rgb by plane"),
    pytest.param(replace(RGB, photometric="YBR_FULL_422"), id="ybr 4:2:2"),
    pytest.param(replace(RGB, transfer_syntax=ROOT + ".2", words=True), id="words"),
]


@pytest.mark.parametrize("info", LAYOUTS)
def test_native_frames_are_filled_with_the_mean(info: CineInfo) -> None:
    frame = bytearray(np.random.default_rng(1).integers(0, 3, info.frame_bytes, np.uint8))
    before = decode_stored(bytes(frame), info)
    (mean,) = fill_colours(before, info, BOX, Fill.MEAN)

    fill_native(frame, info, BOX, Fill.MEAN)

    after = decode_stored(bytes(frame), info).copy()
    assert (after[8:16, 16:24] == np.array(mean)).all()
    after[8:16, 16:24] = before[8:16, 16:24]
    assert np.array_equal(after, before)


def test_lossless_frames_are_filled_with_the_mean() -> None:
    info = replace(RGB, transfer_syntax=ROOT + ".5")
    image = np.random.default_rng(1).integers(0, 256, (H, W, 3), np.uint8)
    (mean,) = fill_colours(image, info, BOX, Fill.MEAN)

    after = decode_stored(redact(rle.encode(image), info, BOX, Fill.MEAN), info)

    assert (after[8:16, 16:24] == np.array(mean)).all()


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_frames_are_filled_with_the_mean_of_each_place(quality: int) -> None:
    info = replace(RGB, transfer_syntax=ROOT + ".4.50", photometric="YBR_FULL_422")
    image = np.full((H, W, 3), (30, 90, 160), np.uint8)
    image[:, W // 2 :] = (200, 60, 20)
    frame = bytes(imagecodecs.jpeg8_encode(image, quality, subsampling="422"))
    places = boxes((0, 8, 16, 16), (32, 8, 48, 16))
    means = fill_colours(decode_stored(frame, info), info, places, Fill.MEAN)

    after = decode_stored(redact(frame, info, places, Fill.MEAN), info).astype(int)

    for (x0, y0, x1, y1), mean in zip(places, means, strict=True):
        assert np.abs(after[y0:y1, x0:x1, 0] - mean[0]).max() <= 8
        assert np.abs(after[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] - np.array(mean)).max() <= 12
