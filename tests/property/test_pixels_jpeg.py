from __future__ import annotations

from typing import Any
from unittest import mock

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg, jpeg_core
from cinescrub.pixels.apply import redact, snap
from cinescrub.types import CineInfo

U8 = npt.NDArray[np.uint8]
SAMPLING = (0x111111, 0x211111, 0x221111, 0x411111, 0x121111)


def as_coded(frame: bytes, samples: int) -> U8:
    space = "RGB" if samples == 3 else "GRAYSCALE"
    decoded: U8 = imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace=space)
    return decoded if samples == 1 else decoded[..., 0].copy()


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, CineInfo]:
    rows, columns = draw(st.integers(1, 50)), draw(st.integers(1, 70))
    samples = draw(st.sampled_from([1, 3]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (rows, columns, 3) if samples == 3 else (rows, columns)
    # From flat to noise: blocks that are one look-up, and blocks without EOB.
    image = generator.normal(128, draw(st.sampled_from([0, 3, 40, 200])), shape)
    flags: list[Any] = [
        *(cv2.IMWRITE_JPEG_QUALITY, draw(st.integers(1, 100))),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, draw(st.integers(0, 5))),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, draw(st.sampled_from([0, 1]))),
    ]
    if samples == 3:
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, draw(st.sampled_from(SAMPLING))]
    frame = bytes(cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8), flags)[1])
    photometric = "YBR_FULL_422" if samples == 3 else "MONOCHROME2"
    syntax = "1.2.840.10008.1.2.4.50"
    return frame, CineInfo(syntax, 1, rows, columns, samples, photometric, 8, 8, 7, False, 0)


@st.composite
def rectangles(draw: st.DrawFn) -> npt.NDArray[np.int32]:
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        x, y = draw(st.integers(-5, 75)), draw(st.integers(-5, 55))
        rows.append((x, y, x + draw(st.integers(0, 40)), y + draw(st.integers(0, 20))))
    return np.array(rows, np.int32).reshape(-1, 4)


@settings(max_examples=150, deadline=None)
@given(frames(), rectangles())
def test_luma_is_black_where_covered_and_the_same_elsewhere(
    made: tuple[bytes, CineInfo], boxes: npt.NDArray[np.int32]
) -> None:
    frame, info = made
    covered = np.zeros((info.rows, info.columns), np.bool_)
    for x0, y0, x1, y1 in snap(frame, info, boxes).tolist():
        covered[y0:y1, x0:x1] = True

    result = bytes(redact(frame, info, boxes))

    before, after = as_coded(frame, info.samples), as_coded(result, info.samples)
    assert not after[covered].any()
    assert np.array_equal(after[~covered], before[~covered])
    assert redact(result, info, boxes) == result
    for x0, y0, x1, y1 in np.clip(boxes, 0, (info.columns, info.rows) * 2).tolist():
        assert covered[y0:y1, x0:x1].all()


compiled = pytest.mark.skipif(not jpeg_core.COMPILED, reason="built without a compiler")


def colours(info: CineInfo, colour: int | None) -> tuple[int, ...] | None:
    return None if colour is None else (colour, 255 - colour, 90)[: info.samples]


def outcomes(
    frame: bytes, info: CineInfo, boxes: npt.NDArray[np.int32], colour: tuple[int, ...] | None
) -> tuple[bytes | str, bytes | str]:
    """Redact with the compiled core and with the pure one: the bytes, or what the error says."""

    def outcome() -> bytes | str:
        try:
            return bytes(jpeg.redact(frame, info, boxes, colour))
        except InputError as error:
            return str(error)

    first = outcome()
    with mock.patch.object(jpeg_core, "COMPILED", False):
        return first, outcome()


@compiled
@settings(max_examples=150, deadline=None)
@given(frames(), rectangles(), st.none() | st.integers(0, 255))
def test_both_cores_write_the_same_bytes(
    made: tuple[bytes, CineInfo], boxes: npt.NDArray[np.int32], colour: int | None
) -> None:
    frame, info = made

    first, second = outcomes(frame, info, boxes, colours(info, colour))

    assert isinstance(first, bytes)
    assert first == second


@compiled
@settings(max_examples=300, deadline=None)
@given(
    frames(),
    rectangles(),
    st.none() | st.integers(0, 255),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=3))),
    st.floats(0, 1, exclude_max=True),
)
def test_both_cores_say_the_same_of_damaged_data(
    made: tuple[bytes, CineInfo],
    boxes: npt.NDArray[np.int32],
    colour: int | None,
    changes: list[tuple[float, bytes]],
    cut: float,
) -> None:
    frame, info = made
    data = bytearray(frame[: len(frame) - int(cut**4 * len(frame))])
    start = frame.index(b"\xff\xda") + 2
    for where, values in changes:
        at = start + int(where * (len(data) - start)) if len(data) > start else 0
        data[at : at + len(values)] = values

    first, second = outcomes(bytes(data), info, boxes, colours(info, colour))

    assert first == second
