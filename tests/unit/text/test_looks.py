"""Looks: each detector at its own sizes, and where all of them end a line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub import geometry
from cinescrub.text.looks import Eyes, Look, LookSettings, Sizes, Words
from cinescrub.types import TextBoxes

_FRAME = np.zeros((1, 64, 96, 1), np.uint8)


class Counting:
    """Finds nothing and remembers the sizes."""

    def __init__(self) -> None:
        self.scales: list[float] = []

    def detect(self, frames: npt.NDArray[np.uint8], *, scale: float = 1.0) -> list[TextBoxes]:
        self.scales.append(scale)
        return [TextBoxes(np.zeros((0, 4), np.int32), np.zeros(0, np.float32))] * len(frames)


@pytest.mark.parametrize(
    ("look", "first", "second"),
    [
        (Look.PLAIN, [1.0], [1.0, 1.5]),
        (Look.DETAIL, [1.5], [1.0, 2.0]),
        (Look.CHECK, [1.25], [1.25]),
        (Look.CHECK_PART, [], [1.25]),
    ],
)
def test_each_detector_looks_at_its_own_sizes(
    look: Look, first: list[float], second: list[float]
) -> None:
    one, two = Counting(), Counting()
    sizes = (Sizes(detail=(1.5,)), Sizes(plain=(1.0, 1.5), detail=(1.0, 2.0)))
    eyes = Eyes([one, two], [one, two], LookSettings(sizes=sizes))

    eyes.words(_FRAME, look)

    assert (one.scales, two.scales) == (first, second)
    assert eyes.detectors(look) == 2


def test_a_detector_of_which_nothing_is_said_looks_for_detail_twice() -> None:
    one, two = Counting(), Counting()
    eyes = Eyes([one, two], [one], LookSettings(sizes=(Sizes(detail=(2.0,)),)))

    eyes.words(_FRAME, Look.DETAIL)

    assert (one.scales, two.scales) == ([2.0], [1.0, 1.5])


def words(first: list[list[int]], second: list[list[int]]) -> Words:
    finders = np.array([0] * len(first) + [1] * len(second), np.intp)
    return Words(geometry.as_boxes([*first, *second]), finders, np.ones(len(finders), np.float32))


@pytest.mark.parametrize(
    ("first", "second", "sure"),
    [
        ([[100, 50, 180, 70]], [[104, 52, 184, 69]], [True, True]),
        ([[100, 50, 140, 70], [150, 50, 180, 70]], [[104, 52, 184, 69]], [True, True]),
        ([[100, 50, 180, 70]], [[104, 52, 160, 69]], [True, False]),
        ([[100, 50, 180, 70]], [[112, 52, 184, 69]], [False, True]),
        ([[100, 50, 180, 70]], [[70, 52, 184, 69]], [False, True]),
        ([[100, 50, 180, 70]], [], [False, False]),
        ([[100, 50, 180, 70]], [[100, 66, 180, 90]], [False, False]),
    ],
    ids=["alike", "in words", "short", "late", "longer", "unseen", "another row"],
)
def test_an_end_is_sure_where_all_detectors_end_the_line(
    first: list[list[int]], second: list[list[int]], sure: list[bool]
) -> None:
    line = geometry.as_boxes([[100, 50, 184, 70]])

    assert words(first, second).sure_ends(line, 2).tolist() == [sure]


def test_a_turned_line_has_its_ends_above_and_below() -> None:
    line = geometry.as_boxes([[50, 100, 70, 184]])
    found = words([[50, 100, 70, 180]], [[52, 104, 69, 160]])

    assert found.sure_ends(line, 2).tolist() == [[True, False]]


def test_one_detector_alone_is_sure_of_no_end() -> None:
    line = [100, 50, 184, 70]

    assert not words([line], []).sure_ends(geometry.as_boxes([line]), 1).any()


def test_no_end_is_sure_where_the_part_that_was_looked_at_ends() -> None:
    line = [100, 50, 184, 70]
    part = geometry.as_boxes([[20, 0, 186, 200]])

    assert words([line], [line]).sure_ends(geometry.as_boxes([line]), 2, part).tolist() == [
        [True, False]
    ]
