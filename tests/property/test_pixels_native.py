"""Native frames are filled as a plain loop over pixels would, in every layout and for any stack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.native import fill
from cinescrub.types import CineInfo

EXPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
GRAY = CineInfo(EXPLICIT, 1, 1, 1, 1, "MONOCHROME2", 8, 8, 7, False, 0)
RGB = replace(GRAY, samples=3, photometric="RGB")
LAYOUTS = [
    GRAY,
    replace(GRAY, bits_allocated=16, bits_stored=12, high_bit=11),
    replace(GRAY, transfer_syntax=BIG, bits_allocated=16, bits_stored=16, high_bit=15),
    replace(GRAY, transfer_syntax=BIG, words=True),
    RGB,
    replace(RGB, planar=1),
    replace(RGB, transfer_syntax=BIG, words=True),
    replace(RGB, transfer_syntax=BIG, words=True, planar=1),
    replace(RGB, photometric="YBR_FULL_422"),
    replace(RGB, photometric="YBR_FULL_422", transfer_syntax=BIG, words=True),
]


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[CineInfo, npt.NDArray[np.int32], list[tuple[int, ...]], int, int]:
    layout = draw(st.sampled_from(LAYOUTS))
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    pairs = layout.photometric == "YBR_FULL_422"
    info = replace(layout, rows=rows, columns=columns * 2 if pairs else columns)
    if info.words and info.frame_bytes % 2:  # refused by the registry
        info = replace(info, rows=2 * rows)
    box = st.tuples(st.integers(-3, 12), st.integers(-3, 12), st.integers(1, 9), st.integers(1, 9))
    boxes = draw(st.lists(box, max_size=3))
    value = st.tuples(*[st.integers(0, 255)] * info.samples)
    colours = draw(st.lists(value, min_size=len(boxes), max_size=len(boxes)))
    rectangles = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.int32)
    return (
        info,
        rectangles.reshape(-1, 4),
        colours,
        draw(st.integers(1, 3)),
        draw(st.integers(0, 99)),
    )


@settings(max_examples=400, deadline=None)
@given(cases())
def test_a_stack_of_frames_is_filled_as_a_loop_over_pixels_would(
    case: tuple[CineInfo, npt.NDArray[np.int32], list[tuple[int, ...]], int, int],
) -> None:
    info, rectangles, colours, count, seed = case
    generator = np.random.default_rng(seed)
    size = info.frame_bytes
    frames = bytearray(generator.integers(0, 256, count * size, np.uint8).tobytes())
    one_by_one = bytearray(frames)
    expected = []
    for k in range(count):
        image = decode_stored(bytes(frames[k * size : (k + 1) * size]), info).copy()
        for (x0, y0, x1, y1), colour in zip(rectangles.tolist(), colours, strict=True):
            if info.photometric == "YBR_FULL_422":
                x0, x1 = x0 // 2 * 2, -(-x1 // 2) * 2
            for y in range(max(y0, 0), min(y1, info.rows)):
                for x in range(max(x0, 0), min(x1, info.columns)):
                    image[y, x] = colour if info.samples > 1 else colour[0]
        expected.append(image)

    fill(frames, info, rectangles, colours)

    for k in range(count):
        part = slice(k * size, (k + 1) * size)
        assert np.array_equal(decode_stored(bytes(frames[part]), info), expected[k])
        fill(memoryview(one_by_one)[part], info, rectangles, colours)
    assert one_by_one == frames
