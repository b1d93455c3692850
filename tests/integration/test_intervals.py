"""`--mask-scope interval`: open only where a place is known to hold no text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.integration.conftest import Silent
from tests.integration.test_pipeline import plain_instance

from cinescrub import geometry
from cinescrub.dicom.source import Source, open_source
from cinescrub.pipeline.intervals import LookRecord, open_intervals
from cinescrub.pipeline.job import Job
from cinescrub.stream import CancelToken
from cinescrub.types import Boxes, MaskPlan

_BOX = (8, 20, 40, 32)


def _plan(frames: int) -> MaskPlan:
    boxes = geometry.as_boxes([_BOX])
    return MaskPlan(frames, 64, 64, boxes, np.array([[0, frames]], np.int32))


def _line() -> Boxes:
    return geometry.as_boxes([(10, 22, 38, 30)])


def _nothing() -> Boxes:
    return geometry.as_boxes()


@pytest.fixture
def text(tmp_path: Path) -> Iterator[Source]:
    """Ten frames; text stands in frames 4 to 6."""
    pixels = np.zeros((10, 64, 64), np.uint8)
    pixels[4:7, 22:30, 10:38] = 200
    with open_source(plain_instance(tmp_path / "in.dcm", pixels)) as source:
        yield source


def _spans(
    source: Source, looks: list[LookRecord], moving: npt.NDArray[np.bool_] | None = None
) -> list[list[int]]:
    job = Job(Path("in.dcm"), CancelToken(), Silent())
    still = np.zeros((64, 64), np.bool_) if moving is None else moving
    plan = open_intervals(job, source, _plan(source.info.frames), looks, still)
    return [list(span) for span in plan.spans.tolist()]


def test_a_place_is_filled_while_its_text_lasts(text: Source) -> None:
    looks: list[LookRecord] = [(0, None, _nothing()), (4, None, _line()), (7, None, _nothing())]

    assert _spans(text, looks) == [[4, 7]]


def test_a_frame_in_which_the_detector_missed_the_text_opens_nothing(text: Source) -> None:
    looks: list[LookRecord] = [
        (0, None, _nothing()),
        (4, None, _line()),
        (5, None, _nothing()),
    ]

    assert _spans(text, looks) == [[4, 7]]


def test_a_part_that_does_not_hold_all_of_the_place_opens_nothing(text: Source) -> None:
    part = geometry.as_boxes([(0, 0, 30, 64)])
    looks: list[LookRecord] = [(0, part, _nothing()), (4, None, _line())]

    assert _spans(text, looks) == [[0, 10]]


def test_text_that_only_a_composite_showed_is_filled_in_all_frames(text: Source) -> None:
    looks: list[LookRecord] = [(0, None, _nothing()), (-1, None, _line())]

    assert _spans(text, looks) == [[0, 10]]


def test_a_place_that_nobody_found_clean_is_filled_in_all_frames(text: Source) -> None:
    assert _spans(text, [(4, None, _line())]) == [[0, 10]]


def test_where_the_picture_moves_a_place_is_filled_in_all_frames(text: Source) -> None:
    looks: list[LookRecord] = [(0, None, _nothing()), (4, None, _line()), (7, None, _nothing())]
    moving = np.zeros((64, 64), np.bool_)
    moving[31, 8] = True

    assert _spans(text, looks, moving) == [[0, 10]]
