"""What is taken for a bar code or a matrix code, on made pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub import geometry
from cinescrub.testing.cine import make_cine
from cinescrub.testing.fonts import TextStyle, set_text
from cinescrub.testing.graphics import paint
from cinescrub.testing.layouts import Graphic
from cinescrub.testing.reader import read_frames
from cinescrub.testing.spec import CineSpec, Dynamic, VendorLook
from cinescrub.text.codes import find_codes
from cinescrub.types import Boxes, Frame

ROWS, COLUMNS = 240, 320

# Widths of bars and gaps by digit, each 11 modules: ISO/IEC 15417, code set C, 00 to 09.
_CODE_128 = (212222, 222122, 222221, 121223, 121322, 131222, 122213, 122312, 132212, 221213)

Pattern = npt.NDArray[np.bool_]


def bars(rng: np.random.Generator, height: int) -> Pattern:
    """Return dark modules of a bar code of eight symbols."""
    widths = [int(w) for k in rng.integers(0, 10, 8) for w in str(_CODE_128[k])]
    row = np.repeat(np.arange(len(widths)) % 2 == 0, widths)
    return np.tile(row, (height, 1))


def matrix(rng: np.random.Generator, side: int) -> Pattern:
    """Return dark modules as of a Data Matrix: ISO/IEC 16022, with its border of two kinds."""
    dark = rng.random((side, side)) < 0.5
    dark[:, 0] = dark[-1] = True
    dark[0] = np.arange(side) % 2 == 0
    dark[:, -1] = np.arange(side) % 2 == 1
    return dark


def rows_of_bars(rng: np.random.Generator) -> Pattern:
    """Return dark modules as of a PDF417: eight rows, each three modules high."""
    return np.concatenate([bars(rng, 3) for _ in range(8)])


def label(pattern: Pattern, module: int, *, dark: int = 0, light: int = 230) -> Frame:
    """Return a picture with a pattern on a patch of paper."""
    drawn = np.kron(np.pad(pattern, 2), np.ones((module, module)))
    high, wide = drawn.shape
    frame = np.zeros((max(ROWS, high + 80), max(COLUMNS, wide + 80), 1), np.uint8)
    frame[40 : 40 + high, 40 : 40 + wide, 0] = np.where(drawn > 0, dark, light)
    return frame


def inner(pattern: Pattern, module: int) -> Boxes:
    high, wide = np.array(pattern.shape) * module
    start = 40 + 2 * module
    return geometry.as_boxes([[start, start, start + wide, start + high]])


def covered(pattern: Pattern, module: int, frame: Frame) -> float:
    return float(geometry.covered_share(inner(pattern, module), find_codes(frame))[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("module", "height"), [(1, 20), (1, 40), (2, 12), (3, 8), (3, 20)])
@pytest.mark.parametrize("turned", [False, True])
def test_bar_codes_are_found_whole(seed: int, module: int, height: int, turned: bool) -> None:
    pattern = bars(np.random.default_rng(seed), height)
    pattern = pattern.T if turned else pattern
    assert covered(pattern, module, label(pattern, module)) > 0.9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("module", "side"), [(2, 18), (2, 44), (3, 14), (4, 16), (5, 21)])
@pytest.mark.parametrize("polarity", [(0, 230), (200, 20)])
def test_matrix_codes_are_found_whole(
    seed: int, module: int, side: int, polarity: tuple[int, int]
) -> None:
    pattern = matrix(np.random.default_rng(seed), side)
    frame = label(pattern, module, dark=polarity[0], light=polarity[1])
    assert covered(pattern, module, frame) > 0.9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("module", [2, 3])
def test_rows_of_bars_are_found(seed: int, module: int) -> None:
    pattern = rows_of_bars(np.random.default_rng(seed))
    assert covered(pattern, module, label(pattern, module)) > 0.85


@pytest.mark.parametrize("quality", [60, 90])
@pytest.mark.parametrize("kind", ["bars", "matrix"])
def test_compression_does_not_hide_them(quality: int, kind: str) -> None:
    rng = np.random.default_rng(1)
    pattern = bars(rng, 12) if kind == "bars" else matrix(rng, 20)
    packed = cv2.imencode(".jpg", label(pattern, 2), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    frame = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    assert covered(pattern, 2, frame[..., None]) > 0.9


def test_in_colour_too_and_only_where_one_looks() -> None:
    pattern = matrix(np.random.default_rng(2), 20)
    frame = np.repeat(label(pattern, 3), 3, axis=2)
    around = geometry.as_boxes([[30, 30, 130, 130]])
    elsewhere = geometry.as_boxes([[150, 30, 310, 130]])
    assert geometry.covered_share(inner(pattern, 3), find_codes(frame, parts=around))[0] > 0.9
    assert not len(find_codes(frame, parts=elsewhere))


def test_what_is_explained_is_no_code() -> None:
    pattern = bars(np.random.default_rng(3), 20)
    frame = label(pattern, 2)
    assert not len(find_codes(frame, explained=geometry.as_boxes([[40, 40, 300, 100]])))
    assert len(find_codes(frame, explained=geometry.as_boxes([[40, 40, 80, 100]])))


@pytest.mark.parametrize("kind", [bars, matrix])
def test_what_moves_is_none(
    kind: Callable[[np.random.Generator, int], Pattern],
) -> None:
    frame = label(kind(np.random.default_rng(4), 20), 2)
    moving = np.zeros(frame.shape[:2], np.bool_)
    assert len(find_codes(frame, moving=moving)) == 1
    moving[30:] = True
    assert not len(find_codes(frame, moving=moving))


def test_what_stands_still_beside_moving_steps_makes_them_no_code() -> None:
    frame = label(matrix(np.random.default_rng(4), 20), 4)
    gray = frame[..., 0].astype(np.int16)
    moving = np.zeros(gray.shape, np.bool_)
    moving[:, 1:] = np.diff(gray, axis=1) != 0
    moving[1:] |= np.diff(gray, axis=0) != 0
    (x0, y0, x1, y1), *_ = find_codes(frame).tolist()
    assert moving[y0:y1, x0:x1].mean() < 0.5
    assert not len(find_codes(frame, moving=moving))


@pytest.mark.parametrize("height", [8, 11, 14, 18])
@pytest.mark.parametrize("gap", [2, 8])
def test_panels_of_text_below_each_other_are_none(height: int, gap: int) -> None:
    frame = np.zeros((ROWS, 640, 1), np.uint8)
    y = 4
    for text in ["12 Mar 04", "07:40:57 AM", "FR 20Hz"]:
        drawn, _ = set_text(text, TextStyle(height))
        high, wide = drawn.shape
        panel = np.pad(drawn, ((3, 3), (4, 4))).astype(np.int16)
        frame[y : y + high + 6, 592 - wide : 600, 0] = 175 - panel * 165 // 255
        y += high + 6 + gap
    assert not len(find_codes(frame))


@pytest.mark.parametrize("face", ["sans", "italic", "bitmap"])
@pytest.mark.parametrize("height", [8, 11, 16, 22])
def test_a_page_that_was_read_is_none(face: str, height: int) -> None:
    frame = np.zeros((ROWS, 640, 1), np.uint8)
    lines = []
    y = 4
    for text in ["HR 72 bpm  IVSd 0.9 cm", "MI 1.1 TIS 0.8 FR 41 Hz", "MMM HHH EEE 888"] * 4:
        drawn, _ = set_text(text, TextStyle(height, face=face))
        high, wide = drawn.shape
        if y + high > ROWS or wide > 630:
            break
        frame[y : y + high, 4 : 4 + wide, 0] = drawn
        lines.append((3, y - 1, 5 + wide, y + high + 1))
        y += round(1.4 * height) + 1
    assert not len(find_codes(frame, explained=geometry.as_boxes(lines)))


@pytest.mark.parametrize("kind", ["gray", "flow", "ticks", "ecg", "focus", "dots", "body", "bar"])
def test_graphics_of_a_screen_are_none(kind: str) -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    paint(frame, Graphic(kind, (0.1, 0.1, 0.5, 0.8)))
    assert not len(find_codes(frame))


def test_a_ruler_is_none() -> None:
    frame = np.zeros((ROWS, COLUMNS, 1), np.uint8)
    frame[100:120, 20:300:7] = 220
    frame[100:130, 20:300:35] = 220
    assert not len(find_codes(frame))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("grain", [1.0, 2.0, 4.0])
def test_speckle_is_none(seed: int, grain: float) -> None:
    rng = np.random.default_rng(seed)
    complex_ = rng.normal(size=(2, ROWS, COLUMNS)).astype(np.float32)
    smooth = [cv2.GaussianBlur(part, (0, 0), grain) for part in complex_]
    echo = np.hypot(*smooth)
    frame = np.clip(echo / echo.mean() * 90, 0, 255).astype(np.uint8)[..., None]
    assert not len(find_codes(frame))


def test_corners_between_sectors_are_none(tmp_path: Path) -> None:
    spec = CineSpec(seed=19, frames=8, look=VendorLook.QUAD, dynamic=Dynamic.HANDHELD)
    make_cine(spec, tmp_path / "cine.dcm")

    found = [find_codes(frame) for frame in read_frames(tmp_path / "cine.dcm")]
    assert len(found) == spec.frames
    assert not sum(map(len, found))


@pytest.mark.parametrize("light", [90, 180])
def test_a_dim_matrix_is_found(light: int) -> None:
    pattern = matrix(np.random.default_rng(2), 18)
    assert covered(pattern, 3, label(pattern, 3, light=light)) > 0.9


def test_a_picture_smaller_than_any_code_holds_none() -> None:
    assert find_codes(np.zeros((9, 5, 3), np.uint8)).shape == (0, 4)


@pytest.mark.parametrize("turned", [False, True])
def test_a_code_ends_where_its_steps_do(turned: bool) -> None:
    pattern = bars(np.random.default_rng(5), 20)
    pattern = pattern.T if turned else pattern
    (x0, y0, x1, y1), (ex0, ey0, ex1, ey1) = find_codes(label(pattern, 2))[0], inner(pattern, 2)[0]

    assert (np.abs([x0 - ex0, y0 - ey0, x1 - ex1, y1 - ey1]) <= 12).all()


def test_places_that_were_blacked_out_on_a_page_are_no_bars() -> None:
    frame = np.full((ROWS, COLUMNS, 1), 215, np.uint8)
    places = [
        *((14, 27, 99, 11), (14, 39, 131, 17), (14, 59, 75, 11), (43, 66, 78, 12)),
        *((46, 95, 69, 11), (46, 119, 87, 17), (46, 150, 57, 11), (46, 172, 103, 23)),
    ]
    filled = geometry.as_boxes([[x, y, x + wide, y + high] for x, y, wide, high in places])
    for x0, y0, x1, y1 in filled:
        frame[y0:y1, x0:x1] = 0

    assert len(find_codes(frame)), "the bars look like a code's, or this tests nothing"
    assert not len(find_codes(frame, filled=filled))
