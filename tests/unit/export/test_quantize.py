"""8-bit graphs: near the 32-bit ones, on bytes where they can be, the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest

from cinescrub.bundle import Slot, TensorSpec
from cinescrub.errors import ModelError
from cinescrub_export.graph import Graph, check
from cinescrub_export.half import halved
from cinescrub_export.quantize import calibrated_tensors, quantized, raised
from cinescrub_export.ranges import RECIPES, ranges_of

Float32 = npt.NDArray[np.float32]
_INPUT = TensorSpec("frames", "uint8", ("N", "H", "W", "C"))
_OUTPUT = TensorSpec("scores", "float32", ("N", "h", "w", 2))


def network() -> onnx.ModelProto:
    """A small network with all that CRAFT has: a skip rectified twice, pool, resize, joint."""
    rng = np.random.default_rng(1)

    def conv(x: str, out: int, into: int) -> str:
        weight = rng.normal(0, 0.3, (out, into, 3, 3))
        return graph.conv(x, weight, rng.normal(0, 0.1, out), padding=1)

    graph = Graph()
    x = graph.node("Transpose", _INPUT.name, perm=[0, 3, 1, 2])
    x = graph.node("Cast", x, to=onnx.TensorProto.FLOAT)
    x = graph.node("Sub", x, graph.weights(np.full((1, 3, 1, 1), 100.0)))
    x = graph.node("Mul", x, graph.weights(np.full((1,), 0.01)))
    first = conv(x, 8, 3)
    deep = conv(graph.max_pool(graph.relu(first), (2, 2)), 8, 8)
    skip = graph.relu(first)
    joined = graph.node("Concat", graph.resize_to(graph.relu(deep), skip), skip, axis=1)
    x = graph.relu(conv(joined, 8, 16))
    x = conv(x, 2, 8)
    graph.node("Transpose", x, name=_OUTPUT.name, perm=[0, 2, 3, 1])
    return graph.model("small", _INPUT, _OUTPUT)


def run(model: onnx.ModelProto, frames: npt.NDArray[np.uint8]) -> Float32:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores: Float32 = session.run(None, {"frames": frames})[0]
    return scores


def ranges(model: onnx.ModelProto, frames: npt.NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = calibrated_tensors(model, kept=1)
    for name in names:
        watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen: list[Any] = session.run(list(names), {"frames": frames})
    return {n: (float(v.min()), float(v.max())) for n, v in zip(names, seen, strict=True)}


@pytest.fixture
def frames() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)


def test_an_8_bit_network_gives_nearly_the_same(frames: npt.NDArray[np.uint8]) -> None:
    model = network()

    made = quantized(model, ranges(model, frames), kept=1)

    check(made)
    was, now = run(model, frames), run(made, frames)
    # Half of it where bytes are multiplied exactly; elsewhere sums of products saturate.
    assert np.abs(was - now).mean() < 0.02 * (was.max() - was.min())


def test_the_runtime_computes_it_on_bytes(frames: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    model = network()
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3

    made = quantized(model, ranges(model, frames), kept=1)
    ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])

    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("QLinearConv") == 3
    assert kinds.count("Conv") == 1  # the kept one
    assert kinds.count("QLinearConcat") == 1


def test_equal_models_and_ranges_give_equal_bytes(frames: npt.NDArray[np.uint8]) -> None:
    model = network()
    seen = ranges(model, frames)

    first, second = (quantized(model, seen, kept=1).SerializeToString() for _ in range(2))

    assert first == second
    assert model.SerializeToString() == network().SerializeToString()  # only borrowed


def test_padding_and_silence_stay_exactly_zero(frames: npt.NDArray[np.uint8]) -> None:
    """Zero is a level of every tensor: else each border would have an edge."""
    model = network()
    seen = {name: (0.5, 3.0) for name in ranges(model, frames)}

    made = quantized(model, seen, kept=1)

    zeros = [
        onnx.numpy_helper.to_array(each)
        for each in made.graph.initializer
        if each.name.endswith("_zero") and each.data_type == onnx.TensorProto.UINT8
    ]
    assert zeros
    assert not np.any(zeros)


def test_a_range_that_is_missing_is_an_error(frames: npt.NDArray[np.uint8]) -> None:
    model = network()
    seen = ranges(model, frames)
    seen.popitem()

    with pytest.raises(ModelError, match="make_ranges"):
        quantized(model, seen, kept=1)


def test_raised_scores_are_those_of_the_first_channel(frames: npt.NDArray[np.uint8]) -> None:
    model = network()

    added = run(raised(model, 0.25), frames) - run(model, frames)

    assert np.allclose(added[..., 0], 0.25, atol=1e-5)
    assert not added[..., 1].any()


def test_half_precision_keeps_inputs_outputs_and_nearly_the_scores(
    frames: npt.NDArray[np.uint8],
) -> None:
    model = network()

    made = halved(model)

    check(made)
    assert made.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert {w.data_type for w in made.graph.initializer if len(w.dims) == 4 and w.dims[2] == 3} == {
        onnx.TensorProto.FLOAT16
    }
    was, now = run(model, frames), run(made, frames)
    assert np.abs(was - now).max() < 0.01 * (was.max() - was.min())


def test_ranges_are_those_of_the_pinned_weights_only() -> None:
    assert set(RECIPES) == {Slot.CRAFT}
    with pytest.raises(ModelError, match="no calibrated ranges"):
        ranges_of(Slot.CRAFT, "0" * 64)
