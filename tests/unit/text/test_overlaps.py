"""Lines that are none of their own: boxes that only hold what is judged by itself."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.readers import SeesNothingElse

from cinescrub import geometry
from cinescrub.config import Policy
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.text.frame_lines import FrameLines
from cinescrub.text.judge import Judge
from cinescrub.text.overlaps import consisting, echoing
from cinescrub.text.places import ReadPlaces
from cinescrub.text.strokes import Strokes
from cinescrub.types import Boxes, Frame, Transcripts

ROWS = geometry.as_boxes([[38, 60, 92, 78], [38, 84, 92, 102]])
BOTH = geometry.as_boxes([[36, 58, 94, 104]])


class ReadsLow(SeesNothingElse):
    """Reads lines that are less than 30 px high, and no box around two of them."""

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        texts = tuple("HR 72bpm" if len(crop) < 30 else "" for crop in crops)
        return Transcripts(texts, np.full(len(crops), 0.9, np.float32))


class NoVotes:
    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros(len(texts), np.float32)


@pytest.fixture
def frame() -> Frame:
    picture = np.zeros((160, 200, 3), np.uint8)
    for text, y in (("ANNA", 75), ("HR72", 99)):
        cv2.putText(picture, text, (40, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
    return picture


def none_new(frame: Frame, boxes: Boxes, known: Boxes) -> list[bool]:
    judge = Judge(
        [ReadsLow()], NoVotes(), matcher=IdentifierMatcher([]), policy=Policy.DEFAULT_DENY
    )
    keys = [str(box.tolist()).encode() for box in boxes]
    judge.read(
        {key: np.zeros((b[3] - b[1], 9), np.uint8) for key, b in zip(keys, boxes, strict=True)}
    )
    every = np.ones(len(boxes), np.bool_)
    lines = FrameLines(boxes, keys, every, every)
    found = consisting(lines, judge, Strokes(frame), lambda box: known)
    return [bool(one) for one in found]


def test_a_box_around_lines_of_other_looks_is_none(frame: Frame) -> None:
    assert none_new(frame, BOTH, ROWS) == [True]


def test_a_box_with_a_line_that_is_not_known_is_one(frame: Frame) -> None:
    assert none_new(frame, BOTH, ROWS[:1]) == [False]


def test_a_box_around_lines_of_its_look_is_none_and_they_are(frame: Frame) -> None:
    assert none_new(frame, np.concatenate([BOTH, ROWS]), geometry.as_boxes()) == [
        True,
        False,
        False,
    ]


def test_what_is_read_is_a_line_wherever_it_lies(frame: Frame) -> None:
    assert none_new(frame, ROWS[:1], ROWS) == [False]


def test_two_boxes_that_nobody_reads_do_not_explain_each_other(frame: Frame) -> None:
    jittered = np.concatenate([BOTH, BOTH + np.int32(1)])

    assert none_new(frame, jittered, geometry.as_boxes()) == [False, False]


def test_places_whose_pixels_changed_explain_nothing(frame: Frame) -> None:
    places = ReadPlaces()
    for box in ROWS:
        places.remember(frame, box)
    other = frame.copy()
    other[90, 60] ^= 1

    assert len(places.unchanged(frame, BOTH[0])) == 2
    assert len(places.unchanged(other, BOTH[0])) == 1
    assert len(places.unchanged(frame, np.array([120, 0, 160, 40], np.int32))) == 0


class ReadsByWidth(SeesNothingElse):
    """Reads crops by their width."""

    def __init__(self, texts: dict[int, str], sure: float) -> None:
        self.texts = texts
        self.sure = sure

    def read(self, crops: Sequence[npt.NDArray[np.uint8]]) -> Transcripts:
        texts = tuple(self.texts[crop.shape[1]] for crop in crops)
        return Transcripts(texts, np.full(len(crops), self.sure, np.float32))


def echo(*lines: tuple[list[int], str], sure: float = 0.9) -> list[bool]:
    boxes = geometry.as_boxes([box for box, _ in lines])
    widths = boxes[:, 2] - boxes[:, 0]
    texts = {int(width): text for width, (_, text) in zip(widths, lines, strict=True)}
    judge = Judge(
        [ReadsByWidth(texts, sure)],
        NoVotes(),
        matcher=IdentifierMatcher([]),
        policy=Policy.DEFAULT_DENY,
    )
    keys = [str(width).encode() for width in widths]
    crops = [np.zeros((9, width), np.uint8) for width in widths]
    judge.read(dict(zip(keys, crops, strict=True)))
    every = np.ones(len(boxes), np.bool_)
    return [bool(one) for one in echoing(FrameLines(boxes, keys, every, every), judge)]


def test_of_two_boxes_that_say_the_same_the_inner_one_is_the_line() -> None:
    assert echo(([100, 60, 180, 100], "PSAX"), ([110, 70, 160, 88], "PSAX")) == [True, False]


def test_a_word_of_a_line_around_it_is_none() -> None:
    assert echo(([100, 60, 180, 100], "CF 54%"), ([110, 70, 130, 88], "CF")) == [False, True]


def test_what_nobody_reads_in_a_row_is_a_part_of_it() -> None:
    row = ([100, 66, 180, 92], "Pancreas TR")

    assert echo(row, ([110, 70, 130, 88], "6"), sure=0.1) == [False, True]
    assert echo(row, ([110, 70, 130, 88], "6"), sure=0.9) == [False, False], "it is read"
    assert echo(row, ([110, 84, 130, 92], "6"), sure=0.1) == [False, False], "below the row"


boxes = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(13, 26)] * 2).map(list)


said = st.sampled_from(["", "A", "LV", "LV DOE"])


@given(st.lists(st.tuples(boxes, said), max_size=5))
def test_of_lines_that_say_one_anothers_one_stays(found: list[tuple[list[int], str]]) -> None:
    """Whatever is left out lies in or beside a line that stays, and that says as much."""
    lines = list({box[2] - box[0]: (box, text) for box, text in found}.values())

    left = [line for line, gone in zip(lines, echo(*lines), strict=True) if not gone]

    assert bool(left) is bool(lines)
    most = max((len(text) for _, text in lines), default=0)
    assert most == max((len(text) for _, text in left), default=0)


@pytest.mark.parametrize("text", ["A", "ROUX", "HR 72bpm"])
def test_of_two_boxes_around_one_line_one_stays(text: str) -> None:
    assert echo(([100, 70, 180, 90], text), ([101, 70, 182, 90], text)) == [False, False]
    assert echo(([100, 70, 180, 90], text), ([101, 71, 180, 90], text)) == [False, True]
    assert echo(([100, 70, 180, 90], text), ([102, 72, 178, 88], text)) == [True, False]


def test_a_high_box_at_the_end_of_a_line_that_it_does_not_hold_is_none() -> None:
    line = ([110, 70, 260, 88], "MIREILLE ROUX")

    assert echo(([100, 60, 235, 100], "MIREILLE ROU"), line) == [True, False]
    assert echo(([100, 60, 235, 100], "HR 72 BPM XQ"), line) == [False, False]
    assert echo(([40, 60, 235, 100], "MIREILLE ROU"), line) == [False, False], "it goes on"
    assert echo(([100, 74, 235, 100], "MIREILLE ROU"), line) == [False, False], "not around it"


def test_a_turned_line_has_its_high_boxes_too() -> None:
    line = ([70, 110, 88, 260], "MIREILLE ROUX")

    assert echo(([60, 100, 100, 235], "MIREILLE ROU"), line) == [True, False]
