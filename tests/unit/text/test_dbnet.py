from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.text.dbnet import DbDetector, DbSettings, boxes_from_map
from cinescrub.text.tiles import Tiling

_SETTINGS = DbSettings()


class BrightnessModel:
    """A detector whose probability is the frame's own brightness."""

    def __init__(self) -> None:
        self.inputs: list[tuple[int, ...]] = []

    @property
    def contract(self) -> Contract:
        return Contract(
            slot=Slot.PPOCR_DETECTOR,
            name="brightness",
            precision="fp32",
            opset=11,
            inputs=(TensorSpec("frames", "uint8", ("N", "H", "W", "C")),),
            outputs=(TensorSpec("scores", "float32", ("N", "H", "W", 1)),),
            files={MODEL_FILE: "0"},
            origin=Origin("test", "none", "0", "none"),
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        frames = inputs["frames"]
        self.inputs.append(frames.shape)
        scores: npt.NDArray[np.float32] = (frames[..., :1] / 255).astype(np.float32)
        return scores


def _frame(rows: int, columns: int, *boxes: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    frame = np.zeros((rows, columns, 1), np.uint8)
    for x0, y0, x1, y1 in boxes:
        frame[y0:y1, x0:x1] = 255
    return frame


def _holds(found: npt.NDArray[np.int32], box: tuple[int, int, int, int]) -> bool:
    inside = (found[:, :2] <= box[:2]) & (found[:, 2:] >= box[2:])
    return bool(inside.all(axis=1).any())


def test_nothing_is_found_in_a_dark_frame() -> None:
    assert [len(f) for f in DbDetector(BrightnessModel()).detect(_frame(64, 64)[None])] == [0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_is_gray_or_has_three_colours(channels: int) -> None:
    frame = np.repeat(_frame(64, 96, (20, 20, 60, 30)), channels, axis=2)

    (found,) = DbDetector(BrightnessModel()).detect(frame[None])

    assert len(found) == 1


@pytest.mark.parametrize(
    "box",
    [(0, 40, 60, 64), (90, 0, 96, 64), (0, 0, 96, 3), (30, 30, 32, 33)],
    ids=["corner", "along the side", "along the top", "tiny"],
)
def test_a_box_holds_its_core_and_stays_in_the_frame(box: tuple[int, int, int, int]) -> None:
    (found,) = DbDetector(BrightnessModel()).detect(_frame(64, 96, box)[None])

    assert len(found) == 1
    assert _holds(found.xyxy, box)
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= [96, 64, 96, 64]).all()


def test_each_frame_of_a_batch_has_its_own_boxes() -> None:
    first, second = _frame(64, 64, (4, 4, 24, 14)), _frame(64, 64)

    found = DbDetector(BrightnessModel()).detect(np.stack([first, second]))

    assert [len(f) > 0 for f in found] == [True, False]


def test_what_is_as_tall_as_no_text_is_a_false_alarm() -> None:
    frame = _frame(200, 300, (50, 40, 250, 160))

    (found,) = DbDetector(BrightnessModel()).detect(frame[None])

    assert len(found) == 0


def test_what_splitting_a_false_alarm_leaves_over_is_no_text() -> None:
    scores = np.zeros((200, 300), np.float32)
    scores[40:160, 50:250] = 0.4
    scores[50:150:8, 60:240:8] = 0.8

    assert len(boxes_from_map(scores, _SETTINGS)) == 0


def test_slanted_text_is_never_too_tall() -> None:
    scores = np.zeros((300, 300), np.float32)
    at = np.arange(10, 280)
    for off in range(12):
        scores[at + off, at] = 0.9

    assert len(boxes_from_map(scores, _SETTINGS)) == 1


def test_text_in_a_false_alarm_is_found_where_it_is_surer() -> None:
    scores = np.zeros((200, 300), np.float32)
    scores[40:160, 50:250] = 0.4
    scores[80:90, 100:160] = 0.8

    found = boxes_from_map(scores, _SETTINGS)

    assert len(found) == 1
    assert _holds(found.xyxy, (100, 80, 160, 90))
    assert not _holds(found.xyxy, (50, 40, 250, 160))


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3, 2.0])
def test_resizing_gives_boxes_in_pixels_of_the_frame(scale: float) -> None:
    box = (20, 40, 80, 60)

    (found,) = DbDetector(BrightnessModel(), DbSettings(unclip=0)).detect(
        _frame(101, 127, box)[None], scale=scale
    )

    assert _holds(found.xyxy, box)
    assert (np.abs(found.xyxy[0] - box) <= 2).all()


@pytest.mark.parametrize(
    ("rows", "columns"), [(480, 640), (1000, 700), (131, 257), (97, 1600), (1500, 1500)]
)
def test_tiles_find_what_the_whole_frame_holds(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    corners = [(int(x), int(y)) for x, y in rng.integers(0, [columns - 40, rows - 14], (8, 2))]
    boxes = [(x, y, x + 40, y + 14) for x, y in corners]
    frame = _frame(rows, columns, *boxes)
    model = BrightnessModel()
    small = DbSettings(tiling=Tiling(tile_px=256, overlap_px=64))
    huge = DbSettings(tiling=Tiling(tile_px=4096))

    (tiled,) = DbDetector(model, small).detect(frame[None])
    (whole,) = DbDetector(BrightnessModel(), huge).detect(frame[None])

    assert max(max(shape[1:3]) for shape in model.inputs) <= 256 + 32
    assert np.array_equal(
        tiled.xyxy[np.lexsort(tiled.xyxy.T)], whole.xyxy[np.lexsort(whole.xyxy.T)]
    )
    assert all(_holds(tiled.xyxy, box) for box in boxes)


def test_sides_are_padded_to_what_the_network_halves() -> None:
    model = BrightnessModel()

    DbDetector(model).detect(_frame(33, 65)[None])

    assert model.inputs == [(1, 64, 96, 1)]


def test_a_map_of_broken_numbers_redacts_rather_than_hides() -> None:
    class BrokenModel(BrightnessModel):
        def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
            return super().run(inputs) * np.float32(np.nan)

    (found,) = DbDetector(BrokenModel()).detect(_frame(64, 64, (10, 10, 20, 20))[None])

    assert found.xyxy.tolist() == [[0, 0, 64, 64]]


def test_a_core_grows_by_its_area_over_its_perimeter() -> None:
    scores = np.zeros((60, 200), np.float32)
    scores[20:30, 50:150] = 0.9

    found = boxes_from_map(scores, DbSettings(unclip=1.5))

    reach = 7  # 1.5 * (100 * 10) / (2 * 110) = 6.8
    assert found.xyxy.tolist() == [[50 - reach, 20 - reach, 150 + reach, 30 + reach]]
    assert found.scores == pytest.approx([0.9])


def test_the_box_of_a_slanted_core_holds_all_of_it() -> None:
    scores = np.zeros((80, 80), np.float32)
    at = np.arange(10, 60)
    for off in range(4):
        scores[at + off, at] = 0.9

    found = boxes_from_map(scores, _SETTINGS)

    assert len(found) == 1
    assert _holds(found.xyxy, (10, 10, 60, 63))


@pytest.mark.parametrize(
    ("mean", "count"),
    [
        pytest.param(_SETTINGS.box_threshold - 0.01, 0, id="below"),
        pytest.param(_SETTINGS.box_threshold + 0.01, 1, id="above"),
    ],
)
def test_a_core_needs_its_mean_probability(mean: float, count: int) -> None:
    scores = np.zeros((20, 40), np.float32)
    scores[5:10, 5:30] = mean

    assert len(boxes_from_map(scores, _SETTINGS)) == count
