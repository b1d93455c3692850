from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.text.detector import CraftDetector, DetectorSettings, boxes_from_maps
from cinescrub.text.tiles import Tiling

_SETTINGS = DetectorSettings()


class BrightnessModel:
    """A detector whose text score is the frame's own brightness at half resolution."""

    def __init__(self) -> None:
        self.inputs: list[tuple[int, ...]] = []

    @property
    def contract(self) -> Contract:
        return Contract(
            slot=Slot.CRAFT,
            name="brightness",
            precision="fp32",
            opset=17,
            inputs=(TensorSpec("frames", "uint8", ("N", "H", "W", "C")),),
            outputs=(TensorSpec("maps", "float32", ("N", "h", "w", 2)),),
            files={MODEL_FILE: "0"},
            origin=Origin("test", "none", "0", "none"),
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        frames = inputs["frames"]
        self.inputs.append(frames.shape)
        score = frames[:, ::2, ::2, 0].astype(np.float32) / 255
        return np.stack([score, np.zeros_like(score)], axis=-1)


def _frame(rows: int, columns: int, *boxes: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    frame = np.zeros((rows, columns, 1), np.uint8)
    for x0, y0, x1, y1 in boxes:
        frame[y0:y1, x0:x1] = 255
    return frame


def _holds(found: npt.NDArray[np.int32], box: tuple[int, int, int, int]) -> bool:
    inside = (found[:, :2] <= box[:2]) & (found[:, 2:] >= box[2:])
    return bool(inside.all(axis=1).any())


def test_nothing_is_found_in_a_dark_frame() -> None:
    found = CraftDetector(BrightnessModel()).detect(_frame(64, 64)[None])

    assert [len(f) for f in found] == [0]


def test_a_box_holds_its_text_and_stays_in_the_frame() -> None:
    box = (0, 40, 60, 64)

    (found,) = CraftDetector(BrightnessModel()).detect(_frame(64, 96, box)[None])

    assert len(found) == 1
    assert _holds(found.xyxy, box)
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= [96, 64, 96, 64]).all()


def test_each_frame_of_a_batch_has_its_own_boxes() -> None:
    first, second = _frame(64, 64, (4, 4, 24, 14)), _frame(64, 64)

    found = CraftDetector(BrightnessModel()).detect(np.stack([first, second]))

    assert [len(f) for f in found] == [1, 0]


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_enlarging_gives_boxes_in_pixels_of_the_frame(scale: float) -> None:
    box = (20, 10, 60, 30)

    (found,) = CraftDetector(BrightnessModel()).detect(_frame(100, 120, box)[None], scale=scale)

    assert _holds(found.xyxy, box)
    assert (np.abs(found.xyxy[0] - box) <= 8).all()


@pytest.mark.parametrize(
    ("rows", "columns"), [(480, 640), (1000, 700), (131, 257), (97, 1600), (1500, 1500)]
)
def test_tiles_find_what_the_whole_frame_holds(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    corners = [(int(x), int(y)) for x, y in rng.integers(0, [columns - 40, rows - 14], (8, 2))]
    boxes = [(x, y, x + 40, y + 14) for x, y in corners]
    frame = _frame(rows, columns, *boxes)
    model = BrightnessModel()
    small = DetectorSettings(tiling=Tiling(tile_px=256, overlap_px=64))

    huge = DetectorSettings(tiling=Tiling(tile_px=4096))

    (tiled,) = CraftDetector(model, small).detect(frame[None])
    (whole,) = CraftDetector(BrightnessModel(), huge).detect(frame[None])

    assert max(max(shape[1:3]) for shape in model.inputs) <= 256 + 32
    assert np.array_equal(
        tiled.xyxy[np.lexsort(tiled.xyxy.T)], whole.xyxy[np.lexsort(whole.xyxy.T)]
    )
    assert all(_holds(tiled.xyxy, box) for box in boxes)


def test_sides_are_padded_to_what_the_network_halves() -> None:
    model = BrightnessModel()

    CraftDetector(model).detect(_frame(33, 65)[None])

    assert model.inputs == [(1, 48, 80, 1)]


def test_a_map_of_broken_numbers_redacts_rather_than_hides() -> None:
    class BrokenModel(BrightnessModel):
        def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
            return super().run(inputs) * np.float32(np.nan)

    (found,) = CraftDetector(BrokenModel()).detect(_frame(64, 64, (10, 10, 20, 20))[None])

    assert found.xyxy.tolist() == [[0, 0, 64, 64]]


def test_a_link_joins_letters_but_adds_nothing_to_the_box_by_itself() -> None:
    text, link = np.zeros((20, 60), np.float32), np.zeros((20, 60), np.float32)
    text[5:10, 5:10] = text[5:10, 20:25] = 0.9
    link[6:9, 10:20] = 0.9
    link[6:9, 30:50] = 0.9

    found = boxes_from_maps(text, link, _SETTINGS)

    assert len(found) == 1
    x0, _, x1, _ = found.xyxy[0]
    assert x0 <= 5
    assert 25 <= x1 <= 29


@pytest.mark.parametrize(
    ("peak", "count"), [pytest.param(0.39, 0, id="below"), pytest.param(0.41, 1, id="above")]
)
def test_a_component_needs_one_confident_pixel(peak: float, count: int) -> None:
    text = np.zeros((20, 20), np.float32)
    text[5:10, 5:15] = 0.35
    text[7, 7] = peak

    assert len(boxes_from_maps(text, np.zeros_like(text), _SETTINGS)) == count
