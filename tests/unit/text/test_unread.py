"""Letters of a line that a recogniser read nothing of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.unit.text.drawing import COLUMNS, ROWS, screen

from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.recognizer import crop_boxes
from cinescrub.text.strokes import Strokes
from cinescrub.text.unread import Letters, has_unread, letters_of

_SQUARES = Letters(np.tile(np.arange(20) < 16, 6), 20)
"""Six letters of 16 px in rows of 20."""


def glyphs(*centres: float) -> npt.NDArray[np.float32]:
    return np.array([(x, x, 0.9) for x in centres], np.float32).reshape(-1, 3)


def evenly(count: int, of: int = 6) -> npt.NDArray[np.float32]:
    return glyphs(*((i + 0.4) / of for i in range(count)))


@pytest.mark.parametrize("read", range(6))
def test_letters_behind_the_last_glyph_were_not_read(read: int) -> None:
    assert has_unread(_SQUARES, evenly(read), "LIVERS"[:read])
    assert not has_unread(_SQUARES, evenly(6), "LIVERS")


def test_so_were_letters_between_two_glyphs_and_before_the_first() -> None:
    inner, first = np.delete(evenly(6), [2, 3], axis=0), evenly(6)[2:]

    assert has_unread(_SQUARES, inner, "LIRS")
    assert has_unread(_SQUARES, first, "VERS")


def test_a_blank_that_a_recogniser_read_takes_no_letters() -> None:
    assert has_unread(_SQUARES, evenly(6), "LIV RS")


def test_a_wide_glyph_takes_more() -> None:
    letters = Letters(np.ones(32, np.bool_), 20)

    assert has_unread(letters, glyphs(0.5), "A")
    assert not has_unread(letters, glyphs(0.5), "W")


@pytest.mark.parametrize("text", ["LIVER ", " LIVER"])
def test_behind_a_blank_at_the_end_there_is_something(text: str) -> None:
    assert has_unread(None, evenly(6), text)


def test_of_what_is_not_known_nothing_is_told() -> None:
    nowhere = np.full((2, 3), np.nan, np.float32)

    assert not has_unread(None, evenly(1), "L")
    assert not has_unread(_SQUARES, nowhere, "LI")


def letters(frame: npt.NDArray[np.uint8], box: Sequence[int]) -> Letters | None:
    return letters_of(np.array(box, np.int32), Strokes(frame))


def test_letters_are_told_from_ticks_and_dashes_by_their_height() -> None:
    frame, boxes = screen(LIVER=(40, 100))
    x0, y0, x1, y1 = boxes["LIVER"]
    frame[y0 + 7 : y0 + 9, x1 + 6 : x1 + 30] = 230

    found = letters(frame, [x0, y0, x1 + 34, y1])

    assert found is not None
    inked = np.flatnonzero(found.columns)
    left = crop_boxes(np.array([[x0, y0, x1 + 34, y1]], np.int32), *frame.shape[:2])[0][0]
    assert x0 <= left + inked[0]
    assert left + inked[-1] < x1 + 6
    starts = [b for a, b in pairwise([-9, *inked]) if b > a + 1]
    assert len(starts) == len("LIVER")


@pytest.mark.parametrize("rotated", [False, True])
def test_over_tissue_and_in_a_line_on_its_end_they_are_not_known(rotated: bool) -> None:
    scene = Scene(ROWS, COLUMNS, probe=Probe.LINEAR, seed=1)
    frame = np.repeat(next(scene_frames(scene))[..., None], 3, axis=2)
    cv2.putText(frame, "LIVER", (100, 140), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230,) * 3, 1)
    if rotated:
        frame, _ = screen(LIVER=(40, 100))

    assert letters(frame, [40, 60, 60, 120] if rotated else [98, 126, 150, 146]) is None


def test_a_line_without_ink_has_none() -> None:
    assert letters(np.zeros((60, 200, 3), np.uint8), [20, 20, 120, 40]) is None
