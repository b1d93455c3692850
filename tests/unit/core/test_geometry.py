from __future__ import annotations

import numpy as np
import pytest

from cinescrub import geometry
from cinescrub.geometry import as_boxes


def test_no_boxes_stay_no_boxes_everywhere() -> None:
    none = as_boxes()

    assert none.shape == (0, 4)
    assert geometry.clip(none, 10, 10).shape == (0, 4)
    assert geometry.pad(none, along=0.5, across=0.5, at_least_px=2).shape == (0, 4)
    assert geometry.merge_overlapping(none).shape == (0, 4)
    assert geometry.covered_share(none, none).shape == (0,)
    assert geometry.group_lines(none, gap=1.0) == []


def test_clip_cuts_to_the_frame_and_drops_what_lies_outside() -> None:
    boxes = as_boxes([[-5, -5, 5, 5], [90, 40, 120, 60], [200, 0, 210, 10], [3, 3, 3, 9]])

    cut = geometry.clip(boxes, rows=50, columns=100)

    assert cut.tolist() == [[0, 0, 5, 5], [90, 40, 100, 50]]


def test_padding_follows_the_height_and_the_direction_of_the_text() -> None:
    level, upright = [10, 10, 110, 30], [10, 10, 30, 110]

    grown = geometry.pad(as_boxes([level, upright]), along=0.5, across=0.25, at_least_px=2)

    assert grown.tolist() == [[0, 5, 120, 35], [5, 0, 35, 120]]


def test_tiny_text_still_gets_the_least_margin() -> None:
    grown = geometry.pad(as_boxes([[5, 5, 8, 8]]), along=0.1, across=0.1, at_least_px=2)

    assert grown.tolist() == [[3, 3, 10, 10]]


@pytest.mark.parametrize(
    ("covers", "share"),
    [
        pytest.param([], 0.0, id="nothing covers"),
        pytest.param([[0, 0, 10, 10]], 1.0, id="the same box"),
        pytest.param([[0, 0, 5, 10]], 0.5, id="one half"),
        pytest.param([[0, 0, 5, 10], [5, 0, 10, 10]], 1.0, id="two halves make a whole"),
        pytest.param([[0, 0, 5, 10], [2, 0, 7, 10]], 0.7, id="overlap counts once"),
        pytest.param([[10, 0, 20, 10]], 0.0, id="ends are exclusive"),
    ],
)
def test_covered_share_is_that_of_the_union(covers: list[list[int]], share: float) -> None:
    got = geometry.covered_share(as_boxes([[0, 0, 10, 10]]), as_boxes(covers))

    assert got.tolist() == [pytest.approx(share)]


def test_merging_drops_only_boxes_that_lie_inside_of_another() -> None:
    boxes = as_boxes([[2, 2, 4, 4], [0, 0, 10, 10], [8, 8, 12, 12], [0, 0, 10, 10]])

    assert geometry.merge_overlapping(boxes).tolist() == [[0, 0, 10, 10], [8, 8, 12, 12]]


def test_words_on_one_baseline_become_a_line_from_left_to_right() -> None:
    words = as_boxes([[60, 11, 100, 31], [10, 10, 50, 30], [10, 60, 50, 80]])

    lines = geometry.group_lines(words, gap=0.8)

    assert sorted(line.tolist() for line in lines) == [[1, 0], [2]]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([90, 10, 130, 30], id="too far"),
        pytest.param([55, 25, 95, 45], id="another baseline"),
        pytest.param([55, 18, 95, 38], id="baselines that overlap"),
        pytest.param([55, 0, 95, 60], id="another size"),
    ],
)
def test_words_that_do_not_belong_together_stay_apart(other: list[int]) -> None:
    lines = geometry.group_lines(as_boxes([[10, 10, 50, 30], other]), gap=0.8)

    assert len(lines) == 2


def test_every_word_is_in_exactly_one_line() -> None:
    rng = np.random.default_rng(3)
    corner = rng.integers(0, 200, (60, 2))
    words = as_boxes(np.concatenate([corner, corner + rng.integers(4, 40, (60, 2))], axis=1))

    lines = geometry.group_lines(words, gap=1.0)

    assert sorted(np.concatenate(lines).tolist()) == list(range(60))


def test_areas_of_boxes_are_whole_numbers_of_pixels() -> None:
    boxes = geometry.as_boxes([[0, 0, 3, 4], [5, 5, 5, 9], [0, 0, 60_000, 60_000]])
    assert geometry.areas(boxes).tolist() == [12, 0, 3_600_000_000]


def test_boxes_that_overlap_become_the_box_around_them_until_none_do() -> None:
    """Around the first two lies one that meets the third."""
    boxes = geometry.as_boxes([[0, 0, 10, 10], [8, 8, 30, 30], [0, 20, 5, 25], [50, 0, 60, 9]])
    assert geometry.disjoint(boxes).tolist() == [[0, 0, 30, 30], [50, 0, 60, 9]]


def test_boxes_that_only_touch_stay_apart() -> None:
    boxes = geometry.as_boxes([[0, 0, 10, 10], [10, 0, 20, 10]])
    assert len(geometry.disjoint(boxes)) == 2
