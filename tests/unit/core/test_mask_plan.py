from __future__ import annotations

import numpy as np
import pytest

from cinescrub.types import MaskPlan


def plan(frames: int, *spans: tuple[int, int]) -> MaskPlan:
    rectangles = np.array([[i, 0, i + 1, 1] for i in range(len(spans))], np.int32).reshape(-1, 4)
    return MaskPlan(frames, 8, 8, rectangles, np.array(spans, np.int32).reshape(-1, 2))


@pytest.mark.parametrize(
    ("made", "at_most", "edges"),
    [
        (plan(5), 100, [0, 5]),
        (plan(5), 2, [0, 2, 4, 5]),
        (plan(5, (0, 5)), 100, [0, 5]),
        (plan(9, (2, 4), (3, 9)), 100, [0, 2, 3, 4, 9]),
        (plan(9, (2, 4), (3, 99)), 4, [0, 2, 3, 4, 8, 9]),
        (plan(1, (0, 1), (5, 9)), 1, [0, 1]),
    ],
)
def test_frames_that_share_their_rectangles_come_together(
    made: MaskPlan, at_most: int, edges: list[int]
) -> None:
    stretches = list(made.stretches(at_most))

    assert [start for start, _, _ in stretches] == edges[:-1]
    assert [stop for _, stop, _ in stretches] == edges[1:]
    for start, stop, rectangles in stretches:
        for frame in range(start, stop):
            assert np.array_equal(made.at(frame), rectangles)
