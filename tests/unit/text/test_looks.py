"""Looks: each detector at its own sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.text.looks import Eyes, Look, LookSettings, Sizes
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
