"""A remembered answer is the answer: same boxes and readings, fewer questions, no text in sight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinescrub.text.memory import LookMemory, Tally
from cinescrub.text.recognizer import Crop
from cinescrub.types import Frame, TextBoxes, Transcripts


class _Counting:
    """A detector whose boxes follow from the pixels, and that counts the frames it is given."""

    def __init__(self) -> None:
        self.frames = 0

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        self.frames += len(frames)
        return [_boxes(frame, scale) for frame in frames]


def _boxes(frame: Frame, scale: float) -> TextBoxes:
    count = int(frame.sum()) % 4
    xyxy = np.arange(4 * count, dtype=np.int32).reshape(count, 4) + round(scale * 10)
    return TextBoxes(xyxy, np.linspace(0.1, 0.9, count, dtype=np.float32))


class _Reader:
    def __init__(self) -> None:
        self.crops = 0

    def read(self, crops: Sequence[Crop]) -> Transcripts:
        self.crops += len(crops)
        sure = np.array([crop.mean() / 255 for crop in crops], np.float32)
        texts = tuple(f"read {crop.sum()}" for crop in crops)
        glyphs = (np.full((len(text), 3), len(text) / 99, np.float32) for text in texts)
        return Transcripts(texts, sure, tuple(glyphs))

    def support(self, crops: Sequence[Crop], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.crops += len(crops)
        pairs = zip(crops, texts, strict=True)
        return np.array([crop.mean() / 255 / len(text) for crop, text in pairs], np.float32)


class _Scorer:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.texts += texts
        return np.array([len(text) / 100 for text in texts], np.float32)


class _Shelf:
    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.held[key] = value


def _frames(*values: int) -> Frame:
    return np.stack([np.full((4, 6, 1), value, np.uint8) for value in values])


def _same(a: Sequence[TextBoxes], b: Sequence[TextBoxes]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(x.xyxy, y.xyxy) and np.array_equal(x.scores, y.scores)
        for x, y in zip(a, b, strict=True)
    )


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), max_size=8), st.booleans())
def test_boxes_are_those_of_a_detector_that_forgets(
    batches: list[list[int]], shelved: bool
) -> None:
    memory = LookMemory(looks=3)
    if shelved:
        memory.keep_boxes(_Shelf(), bytes(32))
    detector = memory.detector(_Counting(), "a")

    for batch in batches:
        for scale in (1.0, 1.5):
            found = detector.detect(_frames(*batch), scale=scale)
            assert _same(found, _Counting().detect(_frames(*batch), scale=scale))


def test_the_same_pixels_are_looked_at_once() -> None:
    counting, memory = _Counting(), LookMemory()
    detector = memory.detector(counting, "a")

    detector.detect(_frames(1, 2, 1))
    detector.detect(_frames(2, 3))

    assert counting.frames == 3
    assert memory.tallies["boxes"] == Tally(asked=5, remembered=2)


@pytest.mark.parametrize(
    "other",
    [
        lambda memory, inner: memory.detector(inner, "a").detect(_frames(1), scale=1.5),
        lambda memory, inner: memory.detector(inner, "b").detect(_frames(1)),
        lambda memory, inner: memory.detector(inner, "a").detect(_frames(1).reshape(1, 6, 4, 1)),
        lambda memory, inner: memory.detector(inner, "a").detect(_frames(2)),
    ],
    ids=["scale", "model", "shape", "pixels"],
)
def test_whatever_else_changes_is_looked_at_again(other) -> None:  # type: ignore[no-untyped-def]
    memory, shelf, counting = LookMemory(), _Shelf(), _Counting()
    memory.keep_boxes(shelf, bytes(32))
    memory.detector(counting, "a").detect(_frames(1))

    other(memory, counting)

    assert counting.frames == 2


def test_a_later_run_with_the_key_finds_the_boxes_of_an_earlier_one() -> None:
    shelf, counting = _Shelf(), _Counting()
    for _ in range(2):
        memory = LookMemory()
        memory.keep_boxes(shelf, bytes(32))
        memory.detector(counting, "a").detect(_frames(1, 2))
    assert counting.frames == 2

    other = LookMemory()
    other.keep_boxes(shelf, bytes(31) + b"x")
    other.detector(counting, "a").detect(_frames(1, 2))

    assert counting.frames == 4


def test_the_shelf_gets_neither_pixels_nor_text() -> None:
    memory, shelf = LookMemory(), _Shelf()
    memory.keep_boxes(shelf, bytes(32))
    crop = np.full((8, 20), 65, np.uint8)

    memory.detector(_Counting(), "a").detect(_frames(65, 66))
    memory.reader(_Reader()).read([crop])
    memory.scorer(_Scorer()).score(["JONES^MARY"])

    whole = b"".join(k + v for k, v in shelf.held.items())
    assert len(shelf.held) == 2
    assert b"AAAA" not in whole
    assert b"JONES" not in whole
    assert b"read" not in whole


def test_what_is_remembered_is_bounded_and_the_least_used_goes_first() -> None:
    counting, memory = _Counting(), LookMemory(looks=2)
    detector = memory.detector(counting, "a")

    detector.detect(_frames(1, 2))
    detector.detect(_frames(1))
    detector.detect(_frames(3))  # 2 goes
    detector.detect(_frames(1))
    assert counting.frames == 3
    detector.detect(_frames(2))

    assert counting.frames == 4


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=6))
def test_readings_and_scores_are_those_of_models_that_forget(batches: list[list[int]]) -> None:
    memory = LookMemory(lines=3)
    reader, scorer = memory.reader(_Reader()), memory.scorer(_Scorer())

    for batch in batches:
        crops = [np.full((3 + v % 2, 9), v, np.uint8) for v in batch]
        read, fresh = reader.read(crops), _Reader().read(crops)
        assert read.texts == fresh.texts
        np.testing.assert_array_equal(read.confidences, fresh.confidences)
        np.testing.assert_equal(read.glyphs, fresh.glyphs)
        np.testing.assert_array_equal(scorer.score(read.texts), _Scorer().score(read.texts))


def test_support_is_that_of_a_model_that_forgets_and_asked_for_once() -> None:
    model = _Reader()
    reader = LookMemory().reader(model)
    crops = [np.full((3, 9), level, np.uint8) for level in (7, 7, 8)]

    first = reader.support(crops, ["a", "ab", "a"])
    again = reader.support(crops[::-1], ["a", "ab", "a"])

    np.testing.assert_array_equal(first, _Reader().support(crops, ["a", "ab", "a"]))
    np.testing.assert_array_equal(again, first[::-1])
    assert model.crops == 3


def test_no_text_shows_in_what_a_memory_prints() -> None:
    memory = LookMemory()
    reader = memory.reader(_Reader())
    memory.scorer(_Scorer()).score(["JONES^MARY"])
    reader.read([np.full((8, 20), 65, np.uint8)])

    shown = f"{memory!r} {reader!r} {memory.tallies!r}"

    assert "JONES" not in shown
    assert "read 1" not in shown
