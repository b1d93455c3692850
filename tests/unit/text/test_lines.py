"""Which boxes are lines."""

from __future__ import annotations

import cv2
import numpy as np
from tests.unit.text.drawing import COLUMNS, ROWS, around, lines_of, screen

from cinescrub import geometry
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.lines import consists_of, crosses_rows, hidden_words
from cinescrub.text.strokes import Strokes


def test_words_side_by_side_are_one_line() -> None:
    frame, boxes = screen(LV=(40, 100), DOE=(68, 100))

    assert lines_of(frame, geometry.as_boxes([*boxes.values()])) == around(*boxes.values()).tolist()


def test_words_far_apart_are_two_lines() -> None:
    frame, boxes = screen(LV=(40, 100), DOE=(140, 100))

    assert lines_of(frame, geometry.as_boxes([*boxes.values()])) == sorted(boxes.values())


def test_a_tick_beside_a_number_stays_apart() -> None:
    frame, boxes = screen(x45=(60, 100))
    frame[94:97, 46:54] = 255
    tick = [44, 92, 56, 99]

    assert lines_of(frame, geometry.as_boxes([boxes["x45"], tick])) == [tick, boxes["x45"]]


def test_a_box_across_rows_that_were_read_is_none() -> None:
    frame, boxes = screen(GAIN=(40, 100), COMP=(40, 118))
    lines = geometry.as_boxes([*boxes.values()])
    across = np.array([38, boxes["GAIN"][1], 60, boxes["COMP"][3]], np.int32)

    assert crosses_rows(across, lines, Strokes(frame))
    assert not crosses_rows(across, lines[:1], Strokes(frame)), "COMP was not read"


def test_a_box_across_rows_with_ink_of_its_own_is_judged() -> None:
    frame, boxes = screen(GAIN=(40, 100), COMP=(40, 118), DOE=(5, 110))
    lines = geometry.as_boxes([boxes["GAIN"], boxes["COMP"]])
    across = np.array([4, boxes["GAIN"][1], 60, boxes["COMP"][3]], np.int32)

    assert not crosses_rows(across, lines, Strokes(frame))


def test_a_box_around_known_places_holds_nothing_new() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 124))
    known = geometry.as_boxes([*boxes.values()])
    (box,) = around(*boxes.values())

    assert consists_of(box, known, Strokes(frame))
    assert not consists_of(box, known[:1], Strokes(frame)), "HR72 is not known"


def test_a_dot_beside_known_places_is_new() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 124))
    known = geometry.as_boxes([*boxes.values()])
    (box,) = around(*boxes.values()) + np.array([0, 0, 20, 0], np.int32)
    frame[110:113, box[2] - 8 : box[2] - 5] = 255

    assert not consists_of(box, known, Strokes(frame))


def test_where_there_is_no_ink_nothing_is_known() -> None:
    frame, boxes = screen(ANNA=(40, 100))
    blank = np.array([140, 90, 180, 110], np.int32)

    assert not consists_of(
        blank, geometry.as_boxes([boxes["ANNA"], blank.tolist()]), Strokes(frame)
    )


def test_over_tissue_nothing_is_known() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    box = np.array([100, 80, 160, 100], np.int32)

    assert not consists_of(box, box[None], Strokes(frame))


def test_a_turned_line_crosses_no_rows() -> None:
    frame, _ = screen(DOE=(40, 100))
    turned = np.ascontiguousarray(np.rot90(frame))
    line = np.argwhere(turned[..., 0])
    (y0, x0), (y1, x1) = line.min(axis=0), line.max(axis=0) + 1
    letters = geometry.as_boxes([[x0, y0, x1, y0 + 10], [x0, y0 + 10, x1, y1]])

    assert not crosses_rows(np.array([x0, y0, x1, y1], np.int32), letters, Strokes(turned))


def test_over_tissue_a_tighter_box_is_a_line_of_its_own() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    cv2.putText(frame, "DOE", (120, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
    tight, roomy = [118, 97, 152, 114], [100, 80, 220, 140]

    assert lines_of(frame, geometry.as_boxes([tight, roomy])) == sorted([tight, roomy])


def test_over_tissue_words_in_a_roomy_box_are_a_line_without_it() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    cv2.putText(frame, "LV DOE", (120, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
    words, roomy = [[118, 97, 138, 114], [146, 97, 173, 114]], [110, 92, 190, 120]

    lines = lines_of(frame, geometry.as_boxes([*words, roomy]))

    assert lines == sorted([[118, 97, 173, 114], roomy])


def test_on_a_screen_a_box_inside_of_another_is_none() -> None:
    frame, boxes = screen(DOE=(100, 100))
    x0, y0, x1, y1 = boxes["DOE"]
    inner = [x0 + 4, y0 + 1, x1 - 12, y1 - 1]

    assert lines_of(frame, geometry.as_boxes([inner, boxes["DOE"]])) == [boxes["DOE"]]


def test_words_in_what_is_no_text_are_smaller_than_it() -> None:
    line = geometry.as_boxes([[0, 0, 100, 100]])[0]
    words = geometry.as_boxes(
        [[0, 0, 100, 100], [1, 1, 99, 99], [10, 10, 60, 30], [12, 12, 40, 20], [90, 90, 140, 120]]
    )

    assert hidden_words(line, words).tolist() == [[10, 10, 60, 30]]


def test_a_box_over_two_rows_that_others_hold_joins_no_lines() -> None:
    frame, boxes = screen(PRS=(40, 100), x4=(78, 100), PST=(40, 118), x5=(78, 118))
    over_both = [*boxes["x4"][:2], *boxes["x5"][2:]]
    upper, lower = (
        around(boxes[a], boxes[b])[0].tolist() for a, b in (("PRS", "x4"), ("PST", "x5"))
    )

    lines = lines_of(frame, geometry.as_boxes([upper, lower, over_both]))

    assert lines == [upper, lower]


def test_a_box_over_two_rows_stays_where_one_of_them_is_in_no_other() -> None:
    frame, boxes = screen(PRS=(40, 100), x4=(78, 100), PST=(40, 118), x5=(78, 118))
    over_both = [*boxes["x4"][:2], *boxes["x5"][2:]]
    upper = around(boxes["PRS"], boxes["x4"])[0].tolist()

    lines = lines_of(frame, geometry.as_boxes([upper, boxes["PST"], over_both]))

    assert (
        geometry.covered_share(geometry.as_boxes([boxes["x5"]]), geometry.as_boxes(lines))[0] == 1
    )
