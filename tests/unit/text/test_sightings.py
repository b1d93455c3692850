"""Which lines of which looks are one place."""

from __future__ import annotations

import numpy as np
import pytest

from cinescrub import geometry
from cinescrub.text.sightings import Sightings
from cinescrub.types import Boxes


def _boxes(*rows: tuple[int, int, int, int]) -> Boxes:
    return geometry.as_boxes(rows)


def test_nothing_seen_is_no_place() -> None:
    seen = Sightings()

    seen.add(0, _boxes(), _boxes(), [])

    assert list(seen) == []
    assert seen.places == 0


def test_a_line_that_jitters_by_a_pixel_stays_one_place() -> None:
    seen = Sightings()
    seen.add(0, _boxes((10, 10, 110, 20)), _boxes((10, 10, 110, 20)), [b"a"])
    seen.add(4, _boxes((11, 9, 111, 20)), _boxes((11, 9, 111, 20)), [b"b"])

    assert seen.places == 1
    assert seen.of_place(0) == ((0, b"a"), (4, b"b"))


def test_a_line_that_lost_half_of_its_words_is_another_place() -> None:
    seen = Sightings()
    seen.add(0, _boxes((10, 10, 110, 20)), _boxes((10, 10, 110, 20)), [b"a"])
    seen.add(4, _boxes((10, 10, 50, 20)), _boxes((10, 10, 50, 20)), [b"b"])

    assert seen.places == 2


def test_lines_of_one_look_keep_their_order_and_places() -> None:
    seen = Sightings()
    seen.add(
        0,
        _boxes((10, 40, 60, 50), (10, 10, 60, 20)),
        _boxes((10, 40, 60, 50), (10, 10, 60, 20)),
        [b"low", b"high"],
    )
    seen.add(
        1,
        _boxes((10, 10, 60, 20), (10, 40, 60, 50)),
        _boxes((10, 10, 60, 20), (10, 40, 60, 50)),
        [b"high2", b"low2"],
    )

    first, second = list(seen)

    assert first.places.tolist() == [0, 1]
    assert second.places.tolist() == [1, 0]


def test_a_look_that_shows_what_an_earlier_one_showed_is_remembered_once() -> None:
    seen = Sightings()
    for frame in range(5):
        seen.add(frame, _boxes((10, 10, 60, 20)), _boxes((10, 10, 60, 20)), [b"same"])

    assert [s.frame for s in seen] == [0]
    assert seen.of_place(0) == ((0, b"same"),)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 10, 10), 1.0),
        ((0, 0, 10, 20), 0.5),
        ((5, 0, 15, 10), 1 / 3),
        ((10, 0, 20, 10), 0.0),
        ((40, 40, 50, 50), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(other: tuple[int, int, int, int], share: float) -> None:
    box = np.array([0, 0, 10, 10], np.int32)

    assert geometry.overlap(box, _boxes(other)).tolist() == pytest.approx([share])
    assert geometry.overlap(box, _boxes()).shape == (0,)


_SMEAR, _PART = (0, 10, 100, 20), (20, 8, 100, 22)


def _smeared(*sightings: tuple[int, tuple[int, int, int, int], bytes]) -> frozenset[int]:
    """Return what is smeared of lines in frames; a key in capitals is of one that is read."""
    seen = Sightings()
    for frame, box, key in sightings:
        seen.add(frame, _boxes(box), _boxes(box), [key])
    return seen.smeared(bytes.isupper, share=0.7)


def test_what_nobody_reads_in_an_average_is_a_smear_of_lines_that_frames_show() -> None:
    apart = (0, 8, 45, 22), (40, 8, 100, 22)

    assert _smeared((-1, _SMEAR, b"smear"), (0, apart[0], b"LEFT"), (5, apart[1], b"RIGHT")) == {0}


@pytest.mark.parametrize(
    "sightings",
    [
        pytest.param([(-1, _SMEAR, b"SMEAR"), (0, _PART, b"PART")], id="it is read"),
        pytest.param([(-1, _SMEAR, b"smear"), (0, _PART, b"part")], id="nobody reads the frames"),
        pytest.param([(-1, _SMEAR, b"smear"), (0, (50, 8, 100, 22), b"P")], id="half is shown"),
        pytest.param([(-1, _SMEAR, b"smear"), (-1, _PART, b"PART")], id="no frame shows lines"),
        pytest.param(
            [(-1, _SMEAR, b"smear"), (0, _PART, b"PART"), (3, (1, 10, 101, 20), b"s")],
            id="a frame shows it too",
        ),
    ],
)
def test_nothing_else_is_a_smear(
    sightings: list[tuple[int, tuple[int, int, int, int], bytes]],
) -> None:
    assert not _smeared(*sightings)


def test_lines_are_left_out_of_a_sighting_with_all_that_is_theirs() -> None:
    seen = Sightings()
    seen.add(0, _boxes(_SMEAR, (0, 50, 9, 60)), _boxes(_SMEAR, (0, 49, 9, 61)), [b"a", b"b"])

    (sighting,) = seen
    second = sighting.only(np.array([False, True]))

    assert second.boxes.tolist() == [[0, 50, 9, 60]]
    assert second.filled.tolist() == [[0, 49, 9, 61]]
    assert second.keys == (b"b",)
    assert second.places.tolist() == [1]
