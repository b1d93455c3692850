"""The check of a written frame finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from cinescrub.errors import RedactionError
from cinescrub.pixels import rle
from cinescrub.pixels.apply import redact
from cinescrub.pixels.compare import check_frame
from cinescrub.types import CineInfo, Fill

ROOT = "1.2.840.10008.1.2"
H, W = 48, 64
IMAGE = np.random.default_rng(3).integers(0, 256, (H, W, 3), np.uint8)
NATIVE = CineInfo(ROOT + ".1", 1, H, W, 3, "RGB", 8, 8, 7, False, 0)
RLE = replace(NATIVE, transfer_syntax=ROOT + ".5")
JPEG = replace(NATIVE, transfer_syntax=ROOT + ".4.50", photometric="YBR_FULL_422")
SOURCES = {
    "native": (NATIVE, IMAGE.tobytes()),
    "planar": (replace(NATIVE, planar=1), IMAGE.transpose(2, 0, 1).tobytes()),
    "rle": (RLE, rle.encode(IMAGE)),
    "jpeg 4:2:0": (JPEG, bytes(imagecodecs.jpeg8_encode(IMAGE, 80, subsampling="420"))),
    "jpeg 4:4:4": (JPEG, bytes(imagecodecs.jpeg8_encode(IMAGE, 80, subsampling="444"))),
}
BOX = np.array([[16, 16, 48, 32]], np.int32)
NONE = np.empty((0, 4), np.int32)
each_source = pytest.mark.parametrize("name", SOURCES)
each_fill = pytest.mark.parametrize("fill", Fill)


@each_source
@each_fill
def test_what_was_redacted_as_planned_passes(name: str, fill: Fill) -> None:
    info, before = SOURCES[name]

    check_frame(before, redact(before, info, BOX, fill), info, info, BOX, fill)


@each_source
def test_a_rectangle_that_was_not_filled_is_found(name: str) -> None:
    info, before = SOURCES[name]

    with pytest.raises(RedactionError, match="not filled"):
        check_frame(before, before, info, info, BOX)


@each_source
def test_a_fill_that_is_too_small_is_found(name: str) -> None:
    info, before = SOURCES[name]
    smaller = BOX - np.array([0, 0, 16, 0], np.int32)

    with pytest.raises(RedactionError, match="not filled"):
        check_frame(before, redact(before, info, smaller), info, info, BOX)


@each_source
def test_a_fill_that_is_too_large_is_found(name: str) -> None:
    info, before = SOURCES[name]
    larger = BOX + np.array([0, 0, 16, 0], np.int32)

    with pytest.raises(RedactionError, match="changed outside"):
        check_frame(before, redact(before, info, larger), info, info, BOX)


@each_source
def test_a_change_where_nothing_was_planned_is_found(name: str) -> None:
    info, before = SOURCES[name]

    with pytest.raises(RedactionError, match="changed outside"):
        check_frame(before, redact(before, info, BOX), info, info, NONE)


@pytest.mark.parametrize(("height", "width"), [(H, 65), (H, 66), (49, W), (50, W)])
def test_strips_of_the_last_block_pass(height: int, width: int) -> None:
    image = np.random.default_rng(4).integers(0, 256, (height, width, 3), np.uint8)
    before = bytes(imagecodecs.jpeg8_encode(image, 80, subsampling="420"))
    info = replace(JPEG, rows=height, columns=width)
    strip = np.array([[width // 16 * 16, height // 16 * 16, width, height]], np.int32)
    if width == W:
        strip[0, 0] = 16
    if height == H:
        strip[0, 1] = 16

    check_frame(before, redact(before, info, strip), info, info, strip)
    with pytest.raises(RedactionError, match="not filled"):
        check_frame(before, before, info, info, strip)


@pytest.mark.parametrize("name", ["jpeg 4:2:0", "jpeg 4:4:4"])
def test_dim_text_near_the_mean_does_not_pass_as_a_fill(name: str) -> None:
    info, _ = SOURCES[name]
    dim = np.full((H, W, 3), 100, np.uint8)
    dim[18:30:4, 18:46] = 112
    before = bytes(imagecodecs.jpeg8_encode(dim, 95, subsampling=name[-5:].replace(":", "")))

    with pytest.raises(RedactionError, match="not filled"):
        check_frame(before, before, info, info, BOX, Fill.MEAN)


def test_one_changed_sample_next_to_a_rectangle_is_found() -> None:
    info, before = SOURCES["native"]
    after = bytearray(redact(before, info, BOX))
    after[(15 * W + 20) * 3] ^= 1

    with pytest.raises(RedactionError, match="changed outside"):
        check_frame(before, after, info, info, BOX)


def test_one_sample_that_shows_through_is_found() -> None:
    info, before = SOURCES["native"]
    after = bytearray(redact(before, info, BOX))
    after[(16 * W + 16) * 3 + 2] = 1

    with pytest.raises(RedactionError, match="not filled"):
        check_frame(before, after, info, info, BOX)


def test_unused_bits_that_were_not_cleared_are_found() -> None:
    info = replace(
        NATIVE,
        samples=1,
        photometric="MONOCHROME2",
        bits_allocated=16,
        bits_stored=12,
        high_bit=11,
    )
    frame = (np.arange(H * W, dtype=np.uint16) | 0x1000).tobytes()

    check_frame(frame, redact(frame, info, NONE), info, info, NONE)
    with pytest.raises(RedactionError, match="above BitsStored"):
        check_frame(frame, frame, info, info, NONE)
