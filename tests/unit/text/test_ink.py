"""What the ink rule takes for text, on made pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub import geometry
from cinescrub.testing.fonts import TextStyle, set_text
from cinescrub.testing.graphics import paint
from cinescrub.testing.layouts import Graphic
from cinescrub.text.ink import unexplained_ink
from cinescrub.text.strokes import Strokes
from cinescrub.types import Frame

ROWS, COLUMNS = 240, 320
NOTHING = np.zeros((ROWS, COLUMNS), np.bool_)


def black() -> Frame:
    return np.zeros((ROWS, COLUMNS, 3), np.uint8)


def found(frame: Frame, explained: npt.ArrayLike = ()) -> int:
    return len(unexplained_ink(Strokes(frame), geometry.as_boxes(explained), NOTHING))


@pytest.mark.parametrize("text", ["DOE^JANE", "HP", "R", "2", "Smith, John"])
@pytest.mark.parametrize("scale", [0.35, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("level", [40, 230])
def test_text_is_found_whole(text: str, scale: float, level: int) -> None:
    frame = black()
    weight = 1 if scale < 1 else 2
    cv2.putText(frame, text, (20, 120), cv2.FONT_HERSHEY_SIMPLEX, scale, (level,) * 3, weight)

    boxes = unexplained_ink(Strokes(frame), geometry.as_boxes(), NOTHING)
    held = np.zeros((ROWS, COLUMNS), np.bool_)
    for x0, y0, x1, y1 in boxes:
        held[y0:y1, x0:x1] = True

    assert held[frame[..., 0] > level // 2].mean() > 0.95


@pytest.mark.parametrize("face", ["sans", "italic", "bitmap"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("height", [8, 13, 60])
@pytest.mark.parametrize(
    ("ground", "ink"),
    [(0, 230), (230, 10), (0, 40), (90, 200)],
    ids=["black", "page", "dim", "bar"],
)
def test_faces_are_found_whole(
    face: str, rotation: int, height: int, ground: int, ink: int
) -> None:
    coverage, _ = set_text("Doe J", TextStyle(height, face=face, rotation=rotation))
    high, wide = coverage.shape
    frame = np.full((high + 80, wide + 80, 3), ground, np.uint8)
    share = coverage[..., None] / np.float32(255)
    frame[40 : 40 + high, 40 : 40 + wide] = ground + share * (ink - ground)
    nowhere = np.zeros(frame.shape[:2], np.bool_)

    boxes = unexplained_ink(Strokes(frame), geometry.as_boxes(), nowhere)
    held = np.zeros(frame.shape[:2], np.bool_)
    for x0, y0, x1, y1 in boxes:
        held[y0:y1, x0:x1] = True

    assert held[40 : 40 + high, 40 : 40 + wide][coverage > 128].mean() > 0.95


def test_dark_text_on_a_bright_bar_is_found() -> None:
    frame = black()
    frame[100:130] = 210
    cv2.putText(frame, "DOE^JANE", (20, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)

    assert found(frame)


@pytest.mark.parametrize("shape", ["bar", "rule", "gray", "flow", "ticks", "ecg", "focus"])
@pytest.mark.parametrize("rows", [240, 480, 768])
def test_graphics_stay(shape: str, rows: int) -> None:
    columns = rows * 4 // 3
    areas = {
        "ticks": (0.95, 0.2, 0.97, 0.8),
        "gray": (0.95, 0.2, 0.97, 0.6),
        "flow": (0.95, 0.2, 0.97, 0.6),
        "ecg": (0.1, 0.85, 0.7, 0.95),
        "focus": (0.9, 0.5, 0.92, 0.525),
        "rule": (0.1, 0.2, 0.9, 0.202),
        "bar": (0.1, 0.0, 0.9, 0.08),
    }
    frame = np.zeros((rows, columns, 3), np.uint8)
    paint(frame, Graphic(shape, areas[shape], (220, 220, 220)))
    nothing = np.zeros((rows, columns), np.bool_)

    assert not len(unexplained_ink(Strokes(frame), geometry.as_boxes(), nothing))


def test_ticks_that_compression_blurs_stay() -> None:
    frame = black()
    for y in range(20, 220, 24):
        frame[y : y + 2, 290:295] = 200
    _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 50])

    assert not found(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))


def test_turned_letters_are_one_line() -> None:
    row = np.zeros((COLUMNS, ROWS, 3), np.uint8)
    cv2.putText(row, "DOE", (100, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230))

    assert found(np.ascontiguousarray(np.rot90(row))) == 1


def test_explained_text_is_not_found() -> None:
    frame = black()
    cv2.putText(frame, "DOE^JANE", (20, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230,) * 3, 1)

    assert found(frame)
    assert not found(frame, [[15, 100, 110, 128]])


def test_text_in_the_sector_is_left_to_the_detectors() -> None:
    frame = black()
    cv2.putText(frame, "DOE^JANE", (20, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230,) * 3, 1)

    everywhere = np.ones((ROWS, COLUMNS), np.bool_)

    assert not len(unexplained_ink(Strokes(frame), geometry.as_boxes(), everywhere))


def test_empty_frame_has_no_ink() -> None:
    assert not found(black())
