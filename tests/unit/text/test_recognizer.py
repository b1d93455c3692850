from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.text.recognizer import Recognizer, RecognizerSettings, crop_lines


class MeanModel:
    """A recogniser that spells the crop's mean brightness as one character: A dark, Z bright."""

    charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def __init__(self) -> None:
        self.inputs: list[tuple[int, ...]] = []

    @property
    def contract(self) -> Contract:
        return Contract(
            slot=Slot.RECOGNIZER,
            name="mean",
            precision="fp32",
            opset=17,
            inputs=(TensorSpec("lines", "uint8", ("N", 64, "W", 1)),),
            outputs=(TensorSpec("logits", "float32", ("N", "T", 27)),),
            files={MODEL_FILE: "0"},
            origin=Origin("test", "none", "0", "none"),
            charset=self.charset,
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        lines = inputs["lines"]
        self.inputs.append(lines.shape)
        logits = np.zeros((len(lines), 4, 27), np.float32)
        level = (lines.mean(axis=(1, 2, 3)) / 256 * 26).astype(int) + 1
        logits[np.arange(len(lines)), 1, level] = 20
        logits[:, [0, 2, 3], 0] = 20
        return logits


class PrintingModel(MeanModel):
    """A recogniser of another form, which is sure of what has its light on the left alone.

    Its reading tells how surely: A dark to Z bright, with the probability of the contrast.
    """

    @property
    def contract(self) -> Contract:
        return Contract(
            slot=Slot.PPOCR_RECOGNIZER,
            name="printing",
            precision="fp32",
            opset=11,
            inputs=(TensorSpec("lines", "uint8", ("N", 48, "W", 3)),),
            outputs=(TensorSpec("probabilities", "float32", ("N", "T", 27)),),
            files={MODEL_FILE: "0"},
            origin=Origin("test", "none", "0", "none"),
            charset=self.charset,
            preprocessing={
                "height": 48,
                "pad": "right-constant",
                "pad_value": 128,
                "pad_to_multiple": 32,
                "scores": "probabilities",
            },
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        lines = inputs["lines"]
        self.inputs.append(lines.shape)
        self.last = lines
        left, right = lines[:, :, :16].mean(axis=(1, 2, 3)), lines[:, :, 16:32].mean(axis=(1, 2, 3))
        sure = np.clip((left - right) / 255, 0.02, 1.0)
        scores = np.zeros((len(lines), 2, 27), np.float32)
        scores[:, 1, 0] = 1
        scores[np.arange(len(lines)), 0, (left / 256 * 26).astype(int) + 1] = sure
        scores[:, 0, 0] = 0.01
        return scores


def _crop(width: int, level: int) -> npt.NDArray[np.uint8]:
    return np.full((16, width), level, np.uint8)


def test_no_crops_give_no_text_and_no_run() -> None:
    model = MeanModel()

    assert len(Recognizer(model).read([])) == 0
    assert model.inputs == []


def test_readings_come_back_in_the_order_of_the_crops() -> None:
    crops = [_crop(90, 255), _crop(20, 0), _crop(90, 0), _crop(300, 255), _crop(20, 255)]

    read = Recognizer(MeanModel()).read(crops)

    assert read.texts == ("Z", "A", "A", "Z", "Z")


def test_what_a_crop_reads_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    crops = [_crop(int(w), int(v)) for w, v in rng.integers(5, 250, (12, 2))]

    together = Recognizer(MeanModel(), RecognizerSettings(batch=4)).read(crops)
    alone = [Recognizer(MeanModel()).read([crop]).texts[0] for crop in crops]

    assert list(together.texts) == alone


def test_batches_hold_one_width_class_and_no_more_than_asked() -> None:
    model = MeanModel()

    Recognizer(model, RecognizerSettings(batch=2)).read([_crop(16, 9)] * 3 + [_crop(40, 9)])

    assert model.inputs == [(2, 64, 64, 1), (1, 64, 64, 1), (1, 64, 192, 1)]


def test_an_endless_line_is_squeezed_to_the_widest_input() -> None:
    model = MeanModel()

    Recognizer(model, RecognizerSettings(widest=4)).read([_crop(4000, 9)])

    assert model.inputs == [(1, 64, 256, 1)]


def test_glyphs_have_their_places_in_the_crop_without_its_padding() -> None:
    crop = _crop(20, 255)  # 80 columns at the height of the model, padded to 128

    ((row,),) = Recognizer(MeanModel()).read([crop]).glyphs

    second_of_four = (1.5 / 4) * (128 / 80)
    assert row == pytest.approx([second_of_four, second_of_four, 1.0], abs=1e-6)


def test_no_glyph_is_beyond_the_crop() -> None:
    ((row,),) = Recognizer(MeanModel()).read([_crop(2, 255)]).glyphs

    assert row[1] == 1.0


def test_text_never_shows_in_a_representation() -> None:
    read = Recognizer(MeanModel()).read([_crop(20, 255)])

    assert "Z" not in repr(read)


def test_crops_are_luma_with_a_margin_cut_at_the_frame() -> None:
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[..., 1] = 255

    crops = crop_lines(frame, np.array([[0, 0, 30, 20], [30, 10, 60, 30]], np.int32))

    assert [c.shape for c in crops] == [(22, 32), (24, 32)]
    assert all(((c == 149) | (c == 150)).all() for c in crops)


def test_a_model_is_given_the_form_of_its_contract() -> None:
    model = PrintingModel()

    once = RecognizerSettings(retry_below=0)
    Recognizer(model, once).read([np.full((24, 20), 200, np.uint8)])

    assert model.inputs[0] == (1, 48, 64, 3)
    assert (model.last[0, :, :40] == 200).all()
    assert (model.last[0, :, 40:] == 128).all()


def test_probabilities_are_the_confidence_as_they_are() -> None:
    crop = np.zeros((48, 48), np.uint8)
    crop[:, :16] = 255

    read = Recognizer(PrintingModel()).read([crop])

    assert read.confidences[0] == pytest.approx(1.0)


@pytest.mark.parametrize("turns", [1, 3], ids=["90", "270"])
def test_text_along_the_side_is_read_turned_and_the_better_reading_counts(turns: int) -> None:
    line = np.zeros((48, 144), np.uint8)
    line[:, :16] = 255

    read = Recognizer(PrintingModel()).read([line, np.rot90(line, turns).copy()])

    assert read.texts == ("Z", "Z")
    assert read.confidences[1] == pytest.approx(read.confidences[0])


class EndModel(MeanModel):
    """A recogniser that reads a line standing on its end as one glyph, and surely."""

    def __init__(self, line: str = "ABC", sure: float = 6.0) -> None:
        super().__init__()
        self.line = [(i, self.charset.index(glyph) + 1) for i, glyph in enumerate(line)]
        self.sure = sure

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        lines = inputs["lines"]
        logits = np.zeros((len(lines), 4, 27), np.float32)
        upright = lines.shape[2] <= lines.shape[1]
        logits[:, :, 0] = 20
        logits[:, 0] = np.eye(27)[1] * 20
        for step, glyph in () if upright else self.line:
            logits[:, step] = np.eye(27)[glyph] * self.sure
        return logits


def test_a_line_on_its_end_is_not_the_one_glyph_that_it_looks_like() -> None:
    read = Recognizer(EndModel()).read([np.zeros((100, 20), np.uint8)])

    assert read.texts == ("ABC",)
    assert np.isnan(read.glyphs[0][:, :2]).all(), "where its glyphs stand upright is not known"


@pytest.mark.parametrize("model", [EndModel(sure=0.1), EndModel("AB")], ids=["unsure", "short"])
def test_a_glyph_is_not_the_line_that_it_hardly_looks_like(model: EndModel) -> None:
    assert Recognizer(model).read([np.zeros((100, 20), np.uint8)]).texts == ("A",)


def test_a_line_that_is_wide_is_never_turned() -> None:
    model = PrintingModel()

    Recognizer(model, RecognizerSettings(retry_below=0)).read([np.zeros((30, 30), np.uint8)])

    assert model.inputs == [(1, 48, 64, 3)]


class StripModel(MeanModel):
    """A recogniser that reads `ABC` where a line has light, at some of twelve steps."""

    def __init__(self, lit: float = 0.7, steps: tuple[int, int, int] = (0, 5, 11)) -> None:
        super().__init__()
        self.lit, self.steps = lit, steps

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        lines = inputs["lines"]
        self.inputs.append(lines.shape)
        logits = np.zeros((len(lines), 12, 27), np.float32)
        logits[:, :, 0] = 5
        for n, line in enumerate(lines):
            middle = line[line.shape[0] // 2 - 4 : line.shape[0] // 2 + 4]
            if (middle > 100).mean() > self.lit:
                logits[n, self.steps, [1, 2, 3]] = 20
        return logits


def _tilted(degrees: float, length: int = 120, height: int = 14) -> npt.NDArray[np.uint8]:
    """Return the tight crop of a bar that is tilted so far."""
    frame = np.zeros((200, 200), np.uint8)
    corners = cv2.boxPoints(((100.0, 100.0), (length, height), degrees))
    cv2.fillConvexPoly(frame, np.rint(corners).astype(np.int32), (255,))
    x, y, width, wide = cv2.boundingRect(frame)
    return frame[y : y + wide, x : x + width].copy()


@pytest.mark.parametrize("degrees", [-60, -45, -30, 30, 45, 60])
@pytest.mark.parametrize("height", [10, 20, 36])
def test_a_tilted_line_is_read_along_its_diagonal(degrees: float, height: int) -> None:
    read = Recognizer(StripModel()).read([_tilted(degrees, height=height)])

    assert read.texts == ("ABC",)
    assert np.isnan(read.glyphs[0][:, :2]).all()


@pytest.mark.parametrize("shape", [(30, 30), (40, 120)], ids=["small", "long"])
def test_no_line_is_tilted_in_what_is_small_or_long(shape: tuple[int, int]) -> None:
    model = StripModel()

    Recognizer(model, RecognizerSettings(retry_below=0)).read([np.zeros(shape, np.uint8)])

    assert len(model.inputs) == 1


def test_a_label_in_the_middle_of_a_roomy_box_is_not_read_across() -> None:
    bar = _tilted(45)
    roomy = np.zeros((420, 420), np.uint8)
    roomy[165 : 165 + bar.shape[0], 165 : 165 + bar.shape[1]] = bar
    model = StripModel(lit=0.1, steps=(5, 6, 7))

    assert Recognizer(model).read([roomy]).texts == ("",)


def test_what_is_read_upright_is_not_tilted() -> None:
    model = StripModel()

    Recognizer(model).read([np.full((60, 60), 255, np.uint8)])

    assert len(model.inputs) == 1


def test_a_run_holds_no_more_columns_than_asked() -> None:
    model = MeanModel()

    Recognizer(model, RecognizerSettings(batch_columns=256)).read([_crop(32, 9)] * 5)

    assert [shape[0] for shape in model.inputs] == [2, 2, 1]


def test_a_line_wider_than_all_columns_is_read_alone() -> None:
    model = MeanModel()

    Recognizer(model, RecognizerSettings(batch_columns=64)).read([_crop(160, 9)] * 2)

    assert [shape[0] for shape in model.inputs] == [1, 1]


def test_what_is_written_in_colour_alone_is_cut_out_of_the_channel_that_shows_it() -> None:
    frame = np.full((40, 120, 3), 120, np.uint8)
    frame[14:26, 20:100:6] = (216, 80, 110)  # luma 120 to a level, as that of the ground

    (crop,) = crop_lines(frame, np.array([[10, 10, 110, 30]], np.int32))

    assert np.ptp(crop) > 90


@pytest.mark.parametrize("dark", [0, 90])
def test_what_luma_shows_is_cut_out_of_luma(dark: int) -> None:
    frame = np.full((40, 120, 3), dark, np.uint8)
    frame[:, 60:] = (230, 230, 200)

    (crop,) = crop_lines(frame, np.array([[10, 10, 110, 30]], np.int32))

    assert set(np.unique(crop)) == {dark, 227}


class DoubtfulModel(MeanModel):
    """Sees the brightness of a crop as `MeanModel` does, and the next letter nearly as likely."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        logits = super().run(inputs)
        level = logits[:, 1].argmax(axis=1)
        logits[np.arange(len(logits)), 1, (level + 1) % 27] = 19.6
        return logits


def test_a_crop_is_supported_as_what_it_may_read() -> None:
    recognizer = Recognizer(DoubtfulModel())
    crops = [_crop(64, 40)] * 4  # E, its inverse V

    support = recognizer.support(crops, ["e", "F!", "K", "ф"])

    assert support[0] > 0.5
    assert 0.0 < support[1] < 0.5
    assert support[2:].tolist() == [0.0, 0.0]


def test_what_a_crop_reads_inverted_supports_a_text_too() -> None:
    assert Recognizer(DoubtfulModel()).support([_crop(64, 40)], ["V"])[0] > 0.5


@pytest.mark.parametrize("turns", [1, 3])
def test_a_line_on_its_end_supports_what_it_reads_lying(turns: int) -> None:
    line = _crop(64, 182)

    assert Recognizer(MeanModel()).support([np.rot90(line, turns)], ["S"])[0] > 0.9


def test_glyphs_that_look_alike_support_each_other() -> None:
    recognizer = Recognizer(MeanModel())

    assert recognizer.support([_crop(64, 182)], ["5"])[0] > 0.9  # an S
