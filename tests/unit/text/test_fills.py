"""What is filled where a line goes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.text.drawing import COLUMNS, ROWS, screen

from cinescrub import geometry
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.fills import filled, spared
from cinescrub.text.strokes import Strokes


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
