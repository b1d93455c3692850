"""Which boxes are lines, and which lines are text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.unit.text.drawing import COLUMNS, ROWS, around, lines_of, screen

from cinescrub import geometry
from cinescrub.policy.readings import Reading
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.lines import (
    LEGIBLE_PX,
    consists_of,
    crosses_rows,
    echoes,
    filled,
    hidden_words,
    includes,
    is_text,
    spared,
)
from cinescrub.text.strokes import Strokes

UNREAD = (Reading("", 0.0), Reading("7", 0.2))


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


@pytest.mark.parametrize(
    ("beside", "left"),
    [
        ([50, 110, 90, 130], [40, 80, 100, 113]),  # below: 3 px of its box hold no ink
        ([50, 62, 90, 82], [40, 80, 100, 114]),  # above, and out of reach without them
        ([91, 90, 130, 110], [40, 80, 94, 114]),
        ([20, 90, 48, 110], [45, 80, 100, 114]),
        ([60, 90, 80, 105], [40, 80, 100, 114]),  # inside: that goes
    ],
)
def test_a_margin_ends_where_text_was_read(beside: list[int], left: list[int]) -> None:
    strokes = Strokes(np.zeros((ROWS, COLUMNS, 3), np.uint8))
    line, place = geometry.as_boxes([[50, 84, 90, 110]]), geometry.as_boxes([[40, 80, 100, 114]])

    assert spared(place, line, geometry.as_boxes([beside]), strokes).tolist() == [left]


def test_over_tissue_a_margin_is_whole_beside_text_too() -> None:
    noise = np.random.default_rng(1).integers(0, 200, (ROWS, COLUMNS, 3), dtype=np.uint8)
    line, place = geometry.as_boxes([[50, 84, 90, 110]]), geometry.as_boxes([[40, 80, 100, 114]])
    beside = geometry.as_boxes([[91, 90, 130, 110]])

    assert spared(place, line, beside, Strokes(noise)).tolist() == place.tolist()


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


@pytest.mark.parametrize(
    ("outer", "inner", "same"),
    [
        ("eCA", "CCA", True),
        ("PSAK", "PSAX", True),
        ("LV DOE", "LV", False),
        ("J SMITH", "SMITH", False),
        ("XQ7", "CCA", False),
    ],
)
def test_a_roomy_box_that_says_what_a_tight_one_says_is_none(
    outer: str, inner: str, same: bool
) -> None:
    assert echoes([Reading(outer, 0.36)], [Reading("", 0.0), Reading(inner, 0.9)]) is same


@pytest.mark.parametrize(
    ("outer", "inner", "part"),
    [
        ("CF 54%", "CF", True),
        ("SAG", "AG", True),
        ("LV DOE", "DOE", True),
        ("CF 54%", "DOE", False),
        ("CCA", "CCA", False),
        ("CF 54%", "C", False),
    ],
)
def test_a_line_says_all_that_a_part_of_it_says(outer: str, inner: str, part: bool) -> None:
    assert includes([Reading("", 0.0), Reading(outer, 0.9)], [Reading(inner, 0.9)]) is part


def test_a_part_of_a_line_that_another_reads_as_something_else_is_none() -> None:
    line = [Reading("CF 54%", 0.9), Reading("CF 54%", 0.9)]

    assert includes(line, [Reading("CF", 0.9), Reading("ICF", 0.7)]), "a glyph off"
    assert not includes(line, [Reading("CF", 0.9), Reading("DOE", 0.7)])
    assert not includes([Reading("CF 54%", 0.2)], [Reading("CF", 0.9)]), "the line is not read"
    assert not includes(line, [Reading("CF", 0.2)]), "nor the part"


def test_what_nobody_reads_echoes_nothing() -> None:
    assert not echoes([Reading("CCA", 0.05)], [Reading("CCA", 0.9)])
    assert not echoes([Reading("CCA", 0.9)], [Reading("CCA", 0.2)])


def test_the_margin_ends_where_there_is_nothing() -> None:
    frame, boxes = screen(DOE=(100, 100))
    x0, _, x1, _ = boxes["DOE"]

    ((left, _, right, _),) = filled(geometry.as_boxes([boxes["DOE"]]), Strokes(frame))

    assert x0 - 3 <= left < x0
    assert x1 < right <= x1 + 3


def test_the_margin_reaches_over_a_letter_that_was_cut_off() -> None:
    frame, boxes = screen(DOE=(100, 100))
    x0, y0, x1, y1 = boxes["DOE"]
    torn = geometry.as_boxes([[x0, y0, x1 - 5, y1]])

    ((_, _, right, _),) = filled(torn, Strokes(frame))

    assert right >= x1 - 1


def test_over_tissue_the_margin_is_whole() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    box = geometry.as_boxes([[100, 80, 160, 100]])

    ((left, _, right, _),) = filled(box, Strokes(frame))

    assert (left, right) == (90, 170)


def test_over_tissue_the_margin_ends_where_detectors_are_sure() -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=3)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    box = geometry.as_boxes([[100, 80, 160, 100]])

    ((left, _, right, _),) = filled(box, Strokes(frame), np.array([[False, True]]))

    assert (left, right) == (90, 162)


@pytest.mark.parametrize("text", ["DOE", "72", "né", "LI"])
def test_what_is_read_is_text_wherever_it_is(text: str) -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    box = geometry.as_boxes([[40, 40, 80, 60]])[0]

    assert is_text(box, (Reading("", 0.0), Reading(text, 0.5)), Strokes(frame), doubted=True)


def test_a_confidence_that_is_not_a_number_counts_as_read() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    box = geometry.as_boxes([[40, 40, 80, 60]])[0]

    assert is_text(box, (Reading("ab", float("nan")),), Strokes(frame), doubted=True)


def test_what_is_drawn_is_text_though_nobody_can_read_it() -> None:
    frame, boxes = screen(QR=(100, 100))
    box = geometry.as_boxes([boxes["QR"]])[0]

    assert is_text(box, UNREAD, Strokes(frame), doubted=False)


def test_what_is_large_is_text_only_if_it_is_read() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.putText(frame, "R", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (255, 255, 255), 3)
    box = geometry.as_boxes([[96, 90, 150, 150]])[0]

    assert is_text(box, (Reading("R", 0.95),), Strokes(frame), doubted=False)
    trace = geometry.as_boxes([[20, 90, 230, 150]])[0]
    assert not is_text(trace, (Reading("R", 0.95),), Strokes(frame), doubted=False), "so long"
    assert not is_text(box, (Reading("0", 0.8),), Strokes(frame), doubted=False)
    assert not is_text(box, (Reading("57", 0.6),), Strokes(frame), doubted=False)
    assert is_text(box, (Reading("57", 0.8),), Strokes(frame), doubted=True)
    assert is_text(box, (Reading("DOE", 0.5),), Strokes(frame), doubted=True)


def test_large_letters_of_a_script_that_nobody_knows_are_text_on_a_plain_screen() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.putText(frame, "QRS", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 3)
    box = geometry.as_boxes([[96, 98, 206, 146]])[0]
    unsure = (Reading("2014", 0.3), Reading("", 0.0))

    assert is_text(box, unsure, Strokes(frame), doubted=False)
    assert not is_text(box, unsure, Strokes(frame), doubted=True), "over tissue"
    assert not is_text(box, (Reading("4", 0.3), Reading("", 0.0)), Strokes(frame), doubted=False)
    assert not is_text(box, (Reading("21", 0.05),), Strokes(frame), doubted=False)


def test_where_nothing_is_drawn_there_is_no_text() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    box = geometry.as_boxes([[40, 40, 80, 60]])[0]

    assert not is_text(box, UNREAD, Strokes(frame), doubted=False)


def test_what_a_detector_does_not_see_over_tissue_is_no_text_unless_it_is_read() -> None:
    frame, boxes = screen(QR=(100, 100))
    frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), 2.0), np.uint8)  # echoes fade
    box = geometry.as_boxes([boxes["QR"]])[0]

    assert is_text(box, UNREAD, Strokes(frame), doubted=False)
    assert not is_text(box, UNREAD, Strokes(frame), doubted=True)
    assert is_text(box, (Reading("QR", 0.5),), Strokes(frame), doubted=True)


def test_what_is_plainly_drawn_over_dark_ground_is_text_though_a_detector_does_not_see_it() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.putText(frame, "QR", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    box = geometry.as_boxes([[98, 114, 146, 146]])[0]

    assert is_text(box, UNREAD, Strokes(frame), doubted=True)


def test_a_trace_is_text_only_if_it_is_read_surely() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    xs = np.arange(20, 300)
    ys = 120 - np.rint(30 * np.exp(-(((xs % 70) - 35) ** 2) / 8)).astype(int)
    points = np.stack([xs, ys], axis=1).astype(np.int32)
    cv2.polylines(frame, [points.reshape(-1, 1, 2)], isClosed=False, color=(0, 220, 0))
    box = geometry.as_boxes([[15, 80, 305, 130]])[0]

    assert not is_text(box, (Reading("JJJ", 0.6),), Strokes(frame), doubted=False)
    assert not is_text(box, UNREAD, Strokes(frame), doubted=False)
    assert is_text(box, (Reading("JILL", 0.95),), Strokes(frame), doubted=False)
    assert is_text(box, (Reading("Huber", 0.5),), Strokes(frame), doubted=False)
    alike = (Reading("Jill", 0.2), Reading("Ji1l", 0.15))
    assert is_text(box, alike, Strokes(frame), doubted=False)
    others = (Reading("LLL", 0.3), Reading("dhl", 0.05))
    assert not is_text(box, others, Strokes(frame), doubted=False)


def test_a_mark_that_reads_as_a_sign_is_no_text() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    frame[96:105, 96] = frame[104, 96:105] = 255
    box = geometry.as_boxes([[94, 94, 107, 107]])[0]

    assert not is_text(box, (Reading("3", 0.1), Reading("<", 0.9)), Strokes(frame), doubted=False)
    assert is_text(box, (Reading("L", 0.5), Reading("<", 0.9)), Strokes(frame), doubted=False)


def test_words_in_what_is_no_text_are_smaller_than_it() -> None:
    line = geometry.as_boxes([[0, 0, 100, 100]])[0]
    words = geometry.as_boxes(
        [[0, 0, 100, 100], [1, 1, 99, 99], [10, 10, 60, 30], [12, 12, 40, 20], [90, 90, 140, 120]]
    )

    assert hidden_words(line, words).tolist() == [[10, 10, 60, 30]]


def test_letters_in_a_roomy_box_are_not_large() -> None:
    frame, boxes = screen(hb=(100, 100))
    x0, y0, x1, y1 = boxes["hb"]
    roomy = geometry.as_boxes([[x0 - 12, y0 - 14, x1 + 12, y1 + 14]])[0]

    assert min(roomy[2:] - roomy[:2]) > LEGIBLE_PX
    assert is_text(roomy, UNREAD, Strokes(frame), doubted=False)


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


def test_where_boxes_of_close_rows_overlap_what_goes_ends_between_them() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 116))
    goes, stays = boxes["ANNA"].copy(), boxes["HR72"].copy()
    goes[3] += 5
    stays[1] -= 1
    line = geometry.as_boxes([goes])

    (place,) = spared(line, line, geometry.as_boxes([stays]), Strokes(frame))

    assert place[3] <= boxes["HR72"][1] + 1, "ink begins a pixel below"
    assert geometry.covered_share(geometry.as_boxes([boxes["ANNA"]]), place[None])[0] == 1.0


def test_where_rows_touch_what_goes_is_whole() -> None:
    frame, boxes = screen(ANNA=(40, 100), HR72=(40, 108))
    line = geometry.as_boxes([boxes["ANNA"]])

    assert spared(line, line, geometry.as_boxes([boxes["HR72"]]), Strokes(frame)).tolist() == (
        line.tolist()
    )


def test_no_glyph_is_as_high_as_an_organ_unless_all_read_the_same() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.putText(frame, "R", (100, 200), cv2.FONT_HERSHEY_SIMPLEX, 4.0, (255, 255, 255), 6)
    box = geometry.as_boxes([[96, 100, 200, 210]])[0]
    strokes = Strokes(frame)

    assert is_text(box, (Reading("R", 0.95), Reading("r", 0.6)), strokes, doubted=False)
    assert not is_text(box, (Reading("4", 0.99), Reading("小", 0.1)), strokes, doubted=False)
    assert is_text(box, (Reading("RA", 0.8), Reading("", 0.0)), strokes, doubted=False)


def test_one_glyph_over_tissue_is_text_if_all_read_it() -> None:
    noise = np.random.default_rng(1).integers(0, 120, (ROWS, COLUMNS, 3), dtype=np.uint8)
    cv2.putText(noise, "R", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 3)
    box, strokes = geometry.as_boxes([[96, 114, 124, 144]])[0], Strokes(noise)

    assert is_text(box, (Reading("R", 0.95), Reading("R.", 0.8)), strokes, doubted=True)
    assert not is_text(box, (Reading("R", 0.95), Reading("小", 0.8)), strokes, doubted=True)
    assert not is_text(box, (Reading("R", 0.95), Reading("R", 0.6)), strokes, doubted=True)
    assert not is_text(box, (Reading("R", 0.95),), strokes, doubted=True), "one reader is one vote"


def test_a_large_glyph_over_tissue_is_text_if_all_are_sure() -> None:
    noise = np.random.default_rng(1).integers(0, 120, (ROWS, COLUMNS, 3), dtype=np.uint8)
    cv2.putText(noise, "R", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (255, 255, 255), 5)
    letter, organ = geometry.as_boxes([[96, 90, 150, 150], [80, 60, 170, 170]])
    strokes = Strokes(noise)

    assert is_text(letter, (Reading("R", 0.95), Reading("R.", 0.9)), strokes, doubted=True)
    assert not is_text(letter, (Reading("R", 0.95), Reading("R", 0.6)), strokes, doubted=True)
    assert not is_text(organ, (Reading("R", 0.95), Reading("R", 0.9)), strokes, doubted=True)


def test_two_large_glyphs_over_tissue_are_read_by_all_or_are_none() -> None:
    noise = np.random.default_rng(1).integers(0, 200, (ROWS, COLUMNS, 3), dtype=np.uint8)
    box, strokes = geometry.as_boxes([[96, 90, 190, 150]])[0], Strokes(noise)
    surely, not_so = Reading("WA", 0.89), Reading("A Ao", 0.04)

    assert not is_text(box, (not_so, surely), strokes, doubted=True)
    assert is_text(box, (Reading("VA", 0.3), surely), strokes, doubted=True)
    assert is_text(box, (not_so, Reading("WAL", 0.89)), strokes, doubted=True)
    assert is_text(box, (surely,), strokes, doubted=True), "one reader is all"
