"""Decoded frames come in batches, in order, out of buffers that are used over and over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinescrub.dicom.source import Source, open_source
from cinescrub.pipeline.ring import batch_size, decoded_batches
from cinescrub.stream import CancelToken
from cinescrub.telemetry import StageTimer
from cinescrub.testing import CineSpec, Syntax, make_cine
from cinescrub.testing.reader import read_frames


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    spec = CineSpec(seed=3, frames=7, rows=96, columns=128, syntax=Syntax.RLE)
    make_cine(spec, tmp_path / "in.dcm")
    with open_source(tmp_path / "in.dcm") as opened:
        yield opened


@pytest.mark.parametrize(
    ("rows", "columns", "frames", "at_most", "size"),
    [
        (96, 128, 7, 4, 4),
        (96, 128, 2, 4, 2),
        (1024, 1024, 30, 4, 1),
        (512, 1024, 30, 4, 1),
        (512, 512, 30, 4, 2),
        (8192, 8192, 30, 4, 1),
    ],
)
def test_a_batch_is_bounded_by_its_pixels_and_never_empty(
    source: Source, rows: int, columns: int, frames: int, at_most: int, size: int
) -> None:
    info = replace(source.info, rows=rows, columns=columns, frames=frames)

    assert batch_size(info, at_most) == size


@pytest.mark.parametrize(
    ("wanted", "batch", "members"),
    [
        (range(7), 3, [[0, 1, 2], [3, 4, 5], [6]]),
        (range(7), 1, [[k] for k in range(7)]),
        ([0, 3, 6], 2, [[0, 3], [6]]),
        ([], 2, []),
    ],
    ids=["last-is-shorter", "one-by-one", "some", "none"],
)
def test_batches_hold_the_frames_wanted_in_order(
    tmp_path: Path, source: Source, wanted: list[int], batch: int, members: list[list[int]]
) -> None:
    expected = list(read_frames(tmp_path / "in.dcm"))
    seen = []

    with decoded_batches(
        source, wanted, batch=batch, token=CancelToken(), timer=StageTimer()
    ) as batches:
        for numbers, frames in batches:
            seen.append(numbers)
            assert np.array_equal(frames, np.stack([expected[k] for k in numbers]))

    assert seen == members


def test_buffers_are_used_over_and_over(source: Source) -> None:
    addresses = set()

    with decoded_batches(
        source, range(7), batch=1, token=CancelToken(), timer=StageTimer()
    ) as batches:
        for _, frames in batches:
            addresses.add(frames.__array_interface__["data"][0])

    assert len(addresses) <= 3


def test_the_seconds_of_decoding_are_told(source: Source) -> None:
    timer = StageTimer()

    with decoded_batches(source, range(7), batch=2, token=CancelToken(), timer=timer) as batches:
        for _ in batches:
            pass

    assert timer.seconds()["decode"] > 0
