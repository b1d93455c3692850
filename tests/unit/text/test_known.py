"""What an inspection knows of a cine's places."""

from __future__ import annotations

import numpy as np

from cinescrub import geometry
from cinescrub.text.known import KnownPlaces

FRAME = np.arange(60 * 80, dtype=np.uint8).reshape(60, 80, 1)
LINE = np.array([10, 10, 50, 22], np.int32)


def test_what_lies_in_filled_places_is_not_filled_again() -> None:
    known = KnownPlaces()
    assert known.hold(LINE[None], geometry.as_boxes([[8, 8, 52, 24]])) == 1
    assert known.hold(LINE[None], geometry.as_boxes([[8, 8, 52, 24]])) == 0
    assert known.held.tolist() == [[8, 8, 52, 24]]
    assert known.open_parts(geometry.as_boxes([[9, 9, 20, 20], [9, 9, 60, 20]])).tolist() == [
        [9, 9, 60, 20]
    ]


def test_a_line_is_fresh_unless_it_is_filled_or_stays_with_the_same_pixels() -> None:
    known, other = KnownPlaces(), FRAME[::-1].copy()
    known.remember(FRAME, LINE, goes=False)
    known.hold(np.array([[0, 40, 30, 50]], np.int32), np.array([[0, 40, 30, 50]], np.int32))
    lines = geometry.as_boxes([LINE.tolist(), [1, 41, 29, 49], [40, 40, 70, 50]])

    assert known.is_fresh(FRAME, lines).tolist() == [False, False, True]
    assert known.is_fresh(other, lines).tolist() == [True, False, True]


def test_a_line_that_goes_so_far_is_fresh_and_judged() -> None:
    known = KnownPlaces()
    known.remember(FRAME, LINE, goes=True)

    assert known.is_fresh(FRAME, LINE[None]).all()
    assert not len(known.kept(FRAME))
    assert len(known.judged(FRAME, LINE)) == 1


def test_of_a_written_frame_what_was_judged_in_its_source_explains_lines() -> None:
    known, blank = KnownPlaces(), np.zeros_like(FRAME)
    known.leave(3, LINE[None])
    jittered = geometry.as_boxes([(LINE + np.array([-2, 1, 2, 1])).tolist(), [10, 10, 70, 22]])

    assert known.is_explained(blank, jittered, 3).tolist() == [True, False]
    assert known.is_explained(blank, jittered, 4).tolist() == [False, False]
