"""The PP-OCR graphs: the engine's input in front, nothing else changed, other graphs refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cinescrub import bundle
from cinescrub.bundle import MODEL_FILE, Origin, Slot
from cinescrub.errors import ModelError
from cinescrub_export import ppocr
from cinescrub_export.model import Built

CHARACTERS = "ab1"


class Files:
    """Weights that hold one model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model

    def read(self, name: str) -> bytes:
        data: bytes = self._model.SerializeToString()
        return data

    def origin(self, name: str) -> Origin:
        return Origin("made==1", name, "0" * 64, "none")


def network(
    *,
    rows: int | str = "h",
    classes: int | None = None,
    characters: str = "\n".join(CHARACTERS),
    more: tuple[Any, ...] = (),
    channels: int = 3,
) -> onnx.ModelProto:
    """A convolution and a sigmoid; with `classes`, one probability a class and column instead."""
    random = np.random.default_rng(4)
    out = classes or 1
    weight = random.normal(0, 0.3, (out, channels, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])]
    if classes:
        nodes += [
            helper.make_node("ReduceMean", ["c"], ["m"], axes=[2], keepdims=0),
            helper.make_node("Transpose", ["m"], ["t"], perm=[0, 2, 1]),
            helper.make_node("Softmax", ["t"], ["y"], axis=2),
        ]
    else:
        nodes += [helper.make_node("Sigmoid", ["c"], ["y"])]
    shape: list[str | int | None] = ["n", "t", classes] if classes else ["n", 1, "h", "w"]
    graph = helper.make_graph(
        [*nodes, *more],
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, rows, "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    if classes:
        helper.set_model_props(model, {"character": characters})
    return model


def run(data: bytes, name: str, value: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    result: npt.NDArray[np.float32] = session.run(None, {name: value})[0]
    return result


def published_input(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What the published pipeline feeds: B, G, R planes, (x / 255 - 0.5) / 0.5."""
    planes = rgb[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    return np.ascontiguousarray((planes / 255 - np.float32(0.5)) / np.float32(0.5))


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def built(build: Callable[[Any], Built], model: onnx.ModelProto) -> Built:
    return build(Files(model))


def test_the_detector_s_map_is_that_of_the_published_graph() -> None:
    model, frames = network(), noise(2, 32, 64, 3)
    expected = run(model.SerializeToString(), "x", published_input(frames))

    made = built(ppocr.build_detector, model)

    got = run(made.files[MODEL_FILE], "frames", frames)
    assert got.shape == (2, 32, 64, 1)
    np.testing.assert_allclose(got[..., 0], expected[:, 0], atol=1e-5)
    assert made.slot is Slot.PPOCR_DETECTOR


def test_a_gray_frame_is_read_as_its_three_equal_channels() -> None:
    data = built(ppocr.build_detector, network()).files[MODEL_FILE]
    gray = noise(2, 32, 32, 1)

    np.testing.assert_array_equal(
        run(data, "frames", gray), run(data, "frames", np.repeat(gray, 3, axis=3))
    )


def test_the_recogniser_s_probabilities_are_those_of_the_published_graph() -> None:
    model, lines = network(rows=48, classes=5), noise(3, 48, 40, 1)
    expected = run(model.SerializeToString(), "x", published_input(np.repeat(lines, 3, axis=3)))

    made = built(ppocr.build_recognizer, model)

    got = run(made.files[MODEL_FILE], "lines", lines)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert made.contract().charset == CHARACTERS + " "
    assert made.contract().preprocessing["scores"] == "probabilities"


@pytest.mark.parametrize(
    ("characters", "classes"),
    [
        pytest.param("a\nb\n1", 6, id="a class more"),
        pytest.param("a\nb\nb", 5, id="one twice"),
        pytest.param("a\nbc", 4, id="two in one"),
        pytest.param("", 5, id="none"),
    ],
)
def test_characters_that_do_not_fit_the_classes_are_refused(characters: str, classes: int) -> None:
    with pytest.raises(ModelError, match="characters do not fit"):
        built(ppocr.build_recognizer, network(rows=48, classes=classes, characters=characters))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(network(channels=1), id="one channel"),
        pytest.param(
            network(more=(helper.make_node("Relu", ["x"], ["z"]),)), id="input used twice"
        ),
        pytest.param(network(more=(helper.make_node("Relu", ["w"], ["z"]),)), id="weight shared"),
    ],
)
def test_another_graph_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ModelError, match="not the one that is known"):
        built(ppocr.build_detector, model)


def test_the_same_weights_give_the_same_bytes() -> None:
    first, second = (built(ppocr.build_detector, network()).files for _ in range(2))

    assert first == second


def test_a_notice_of_the_changes_is_kept_beside_the_model() -> None:
    notice = built(ppocr.build_detector, network()).files["NOTICE"].decode()

    assert "modified by cinescrub" in notice
    assert "Apache License" in notice


@pytest.mark.models
@pytest.mark.parametrize("slot", [Slot.PPOCR_DETECTOR, Slot.PPOCR_RECOGNIZER])
def test_the_exported_files_are_those_whose_parity_was_measured(
    models_dir: Path, slot: Slot
) -> None:
    contract = bundle.verify(models_dir, slot)

    assert contract.parity["reference"] == (
        "rapidocr 3.10.0, its pre-processing and the published graph"
    )
