"""Where boxes are cut: rows, columns, cells, pieces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.unit.text.drawing import COLUMNS, ROWS, around, lines_of, screen

from cinescrub import geometry
from cinescrub.testing.fonts import TextStyle, draw_text
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.cuts import pieces_of, split_boxes
from cinescrub.text.strokes import Strokes


def test_a_box_around_two_rows_is_two_lines() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 120))

    lines = lines_of(frame, around(*boxes.values()))

    assert len(lines) == 2
    shares = geometry.covered_share(geometry.as_boxes([*boxes.values()]), geometry.as_boxes(lines))
    assert shares.min() == 1.0


def test_a_box_around_two_columns_is_two_lines() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(160, 100))

    lines = lines_of(frame, around(*boxes.values()))

    assert len(lines) == 2
    shares = geometry.covered_share(geometry.as_boxes([*boxes.values()]), geometry.as_boxes(lines))
    assert shares.min() == 1.0


def test_between_rows_of_dark_letters_on_white_there_is_no_ink() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 118))
    both = around(*boxes.values())

    rows = split_boxes(both, Strokes(255 - frame))

    assert len(rows) == 2
    assert rows.tolist() == split_boxes(both, Strokes(frame)).tolist()


def test_bright_letters_on_a_dark_panel_of_a_white_screen_are_ink() -> None:
    frame, boxes = screen(ANNA=(40, 100))
    x0, y0, x1, y1 = boxes["ANNA"]
    page = np.full_like(frame, 255)
    page[y0 - 6 : y1 + 6, x0 - 6 : x1 + 6] = frame[y0 - 6 : y1 + 6, x0 - 6 : x1 + 6]
    box = np.array(boxes["ANNA"], np.int32)

    ink = Strokes(page).ink(box)

    assert ink[frame[y0:y1, x0:x1, 0] > 128].all()


def test_a_slice_of_letters_is_given_back_whole() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 124))
    above, below = boxes["ANNA"], boxes["HR72"]
    slices = geometry.as_boxes([[above[0], above[3] - 5, above[2], below[1] + 6]])

    rows = split_boxes(slices, Strokes(frame))

    assert geometry.covered_share(geometry.as_boxes([above, below]), rows).min() > 0.9
    assert len(rows) == 2


def test_a_box_keeps_to_its_row_where_blur_joins_it_to_the_next() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 113))
    row = boxes["ANNA"]
    blurred = np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.6), np.uint8)
    reaching = geometry.as_boxes([[row[0], row[1], row[2], row[3] + 4]])

    (kept,) = split_boxes(reaching, Strokes(blurred))

    assert kept[3] <= reaching[0][3]


def test_a_rule_between_columns_does_not_bridge_them() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(118, 100))
    frame[60:140, 103:105] = 200

    lines = lines_of(frame, around(*boxes.values()))

    assert len(lines) == 2
    shares = geometry.covered_share(geometry.as_boxes([*boxes.values()]), geometry.as_boxes(lines))
    assert shares.min() == 1.0


def test_a_line_has_no_blank_ends() -> None:
    frame, boxes = screen(DOE=(100, 100))
    x0, y0, x1, y1 = boxes["DOE"]

    (kept,) = split_boxes(geometry.as_boxes([[x0 - 30, y0, x1 + 40, y1]]), Strokes(frame))

    assert x0 - 10 < kept[0] <= x0
    assert x1 <= kept[2] < x1 + 10


def test_fields_that_are_one_line_have_a_piece_each() -> None:
    frame, boxes = screen(DOE=(40, 100), HR=(86, 100), bpm=(115, 100))
    line = around(*boxes.values())[0]

    found = pieces_of(line, Strokes(frame))

    assert len(found) == 2
    held = [geometry.covered_share(geometry.as_boxes([box]), found)[0] for box in boxes.values()]
    assert min(held) == 1.0


def test_over_tissue_a_line_is_one_piece() -> None:
    frame, boxes = screen(DOE=(40, 100), HR=(86, 100))
    speckle = np.random.default_rng(1).integers(0, 120, frame.shape, dtype=np.uint8)
    line = around(*boxes.values())[0]

    assert pieces_of(line, Strokes(np.maximum(frame, speckle))).tolist() == [line.tolist()]


def test_the_letters_of_a_turned_line_are_no_rows() -> None:
    frame, boxes = screen(DOEJANE=(100, 100))
    turned = np.ascontiguousarray(np.rot90(frame))
    x0, y0, x1, y1 = boxes["DOEJANE"]
    box = geometry.as_boxes([[y0, COLUMNS - x1, y1, COLUMNS - x0]])

    assert np.array_equal(split_boxes(box, Strokes(turned)), box)


@pytest.mark.parametrize("text", ["Carotid", "Carrot", "Mitral", "Warts"])
def test_nor_are_narrow_letters_of_a_turned_line(text: str) -> None:
    ink = draw_text(text, TextStyle(20, spacing_px=3, stretch=0.8))
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    frame[100 : 100 + ink.shape[0], 60 : 60 + ink.shape[1]] = ink[..., None]
    turned = np.ascontiguousarray(np.rot90(frame))
    box = geometry.as_boxes([[98, COLUMNS - 62 - ink.shape[1], 102 + ink.shape[0], COLUMNS - 58]])

    assert len(split_boxes(box, Strokes(turned))) == 1


def test_accents_and_dots_are_no_rows() -> None:
    frame, boxes = screen(iiijjj=(100, 100))
    box = around(boxes["iiijjj"])

    assert np.array_equal(split_boxes(box, Strokes(frame)), box)


def test_over_tissue_nothing_is_cut() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    box = geometry.as_boxes([[100, 80, 220, 140]])

    assert np.array_equal(split_boxes(box, Strokes(frame)), box)


def test_a_dim_rule_that_compression_broke_parts_cells_too() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(99, 100))
    frame[84:107, 90] = 90
    frame[94, 90] = 0
    low, high = np.min([*boxes.values()], axis=0)[:2], np.max([*boxes.values()], axis=0)[2:]
    box = np.array([low[0], low[1] - 4, high[0], high[1] + 4], np.int32)

    found = pieces_of(box, Strokes(frame))

    assert len(found) == 2
    assert found[0, 2] <= 90 < found[1, 0], "the rule is of no cell"


def test_the_strokes_of_letters_are_no_rules() -> None:
    frame, boxes = screen(IllI=(40, 100))

    assert len(split_boxes(geometry.as_boxes([boxes["IllI"]]), Strokes(frame))) == 1


def test_a_box_ends_half_way_to_the_row_that_it_cuts_into() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 120))
    _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 30])
    seen = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    row, next_row = boxes["ANNA"], boxes["HR72"]
    reaching = geometry.as_boxes([[row[0], row[1], row[2], next_row[1] + 3]])

    (kept,) = split_boxes(reaching, Strokes(seen))

    assert row[3] - 1 <= kept[3] < next_row[1]
