"""Which lines are text, and which of two boxes around one another says more."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.unit.text.drawing import COLUMNS, ROWS, screen

from cinescrub import geometry
from cinescrub.policy.readings import Reading
from cinescrub.text.legible import LEGIBLE_PX, echoes, includes, is_text
from cinescrub.text.strokes import Strokes

UNREAD = (Reading("", 0.0), Reading("7", 0.2))


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


def test_letters_in_a_roomy_box_are_not_large() -> None:
    frame, boxes = screen(hb=(100, 100))
    x0, y0, x1, y1 = boxes["hb"]
    roomy = geometry.as_boxes([[x0 - 12, y0 - 14, x1 + 12, y1 + 14]])[0]

    assert min(roomy[2:] - roomy[:2]) > LEGIBLE_PX
    assert is_text(roomy, UNREAD, Strokes(frame), doubted=False)


def test_no_glyph_is_as_high_as_an_organ_unless_all_read_the_same() -> None:
    frame = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    cv2.putText(frame, "R", (100, 200), cv2.FONT_HERSHEY_SIMPLEX, 4.0, (255, 255, 255), 6)
    box = geometry.as_boxes([[96, 100, 200, 210]])[0]
    strokes = Strokes(frame)

    assert is_text(box, (Reading("R", 0.95), Reading("r", 0.6)), strokes, doubted=False)
    assert not is_text(box, (Reading("4", 0.99), Reading("小", 0.1)), strokes, doubted=False)
    assert is_text(box, (Reading("RA", 0.8), Reading("", 0.0)), strokes, doubted=False)


@pytest.mark.parametrize(
    ("wide", "text", "held"),
    [(560, "AMMA", False), (160, "9", False), (200, "MARIA", True)],
    ids=["a spectrum", "a chamber", "tilted"],
)
def test_what_is_higher_than_any_line_is_a_picture(wide: int, text: str, held: bool) -> None:
    frame = np.zeros((300, 640, 3), np.uint8)
    x = np.arange(20, 20 + wide)
    peaks = np.stack([x, 200 - 140 * np.abs(np.sin((x - 20) * np.pi * 4 / wide))], axis=1)
    cv2.polylines(frame, [peaks.astype(np.int32)], False, (220, 220, 220), 3)
    box = geometry.as_boxes([[16, 56, 24 + wide, 206]])[0]
    readings = (Reading(text, 0.99), Reading(text, 0.95))

    assert is_text(box, readings, Strokes(frame), doubted=True) is held


@pytest.mark.parametrize(
    ("scale", "other", "held"), [(0.75, 0.02, False), (0.75, 0.3, True), (0.5, 0.02, True)]
)
def test_two_glyphs_over_tissue_that_one_reads_alone_are_small_or_none(
    scale: float, other: float, held: bool
) -> None:
    noise = np.random.default_rng(1).integers(0, 120, (ROWS, COLUMNS, 3), dtype=np.uint8)
    cv2.putText(noise, "44", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 2)
    box = geometry.as_boxes([[96, 140 - int(25 * scale), 100 + int(44 * scale), 144]])[0]
    readings = (Reading("44", 0.93), Reading("J", other))

    assert is_text(box, readings, Strokes(noise), doubted=True) is held
    assert is_text(box, readings, Strokes(noise), doubted=False)


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
