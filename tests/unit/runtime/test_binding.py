from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from cinescrub.bundle import MODEL_FILE, Contract, Slot, folder_of, load_contract
from cinescrub.errors import InferenceError
from cinescrub.runtime.binding import Borrowing, Replaying

_CPU = ("cpu", 0)


def _frames(rows: int, seed: int) -> dict[str, npt.NDArray[np.uint8]]:
    return {"frames": np.random.default_rng(seed).integers(1, 255, (rows, 5), np.uint8)}


def _opened(model: bytes | str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def native() -> ort.InferenceSession:
    """A model that turns uint8 to floats and halves them, with an output that nobody wants."""
    given = helper.make_tensor_value_info("frames", TensorProto.UINT8, ["N", "W"])
    floats = helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", "W"])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", "W"])
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "half"], ["maps"]),
    ]
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    graph = helper.make_graph(nodes, "halved", [given], [floats, maps], [half])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return _opened(made.SerializeToString())


class _Told:
    """A session that notes by which graph's number it ran."""

    def __init__(self, native: ort.InferenceSession) -> None:
        self._native = native
        self.graphs: list[int] = []

    def io_binding(self) -> Any:
        return self._native.io_binding()

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.graphs.append(int(options.get_run_config_entry("gpu_graph_id")))
        self._native.run_with_iobinding(binding, options)


class _Stuck(_Told):
    """A session whose captured graph writes what it wrote before, whatever comes in."""

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        graph = int(options.get_run_config_entry("gpu_graph_id"))
        if graph == -1 or self.graphs.count(graph) < 3:
            super().run_with_iobinding(binding, options)


def test_a_bound_run_says_what_a_run_says_and_keeps_it(native: ort.InferenceSession) -> None:
    runs = Borrowing(native, "maps")
    first, second = _frames(3, 1), _frames(3, 2)

    said = runs(first)
    runs(second)

    assert np.array_equal(said, first["frames"] * np.float32(0.5))


def test_callers_at_once_each_get_their_own(native: ort.InferenceSession) -> None:
    runs = Borrowing(native, "maps")
    asked = [_frames(k % 4 + 1, k) for k in range(200)]

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(runs, asked))

    for inputs, scores in zip(asked, said, strict=True):
        assert np.array_equal(scores, inputs["frames"] * np.float32(0.5))


@pytest.mark.models
@pytest.mark.parametrize("slot", list(Slot))
@pytest.mark.parametrize("kept", [False, True])
def test_a_model_bound_gives_the_bits_of_a_run(models_dir: Path, slot: Slot, kept: bool) -> None:
    contract = load_contract(models_dir, slot)
    native = _opened(str(folder_of(models_dir, slot) / MODEL_FILE))
    inputs, output = _fitting(contract), contract.outputs[0].name
    runs = Replaying(native, output, ort=ort, place=_CPU, most=1) if kept else None

    said = [(runs or Borrowing(native, output))(inputs) for _ in range(3)]

    (wanted,) = native.run([output], inputs)
    assert all(np.array_equal(each, wanted) for each in said)


def _fitting(contract: Contract) -> dict[str, npt.NDArray[Any]]:
    """Return arrays of the contract's shapes: two rows, sides of 64."""
    rng = np.random.default_rng(7)
    inputs = {}
    for spec in contract.inputs:
        open_sides = {"N": 2, "B": 2, "T": 16, "C": 1}
        shape = [side if isinstance(side, int) else open_sides.get(side, 64) for side in spec.shape]
        high = 255 if spec.dtype == "uint8" else 2
        inputs[spec.name] = rng.integers(0, high, shape).astype(spec.dtype)
    return inputs


def test_a_shape_gets_a_graph_when_it_is_seen_again(native: ort.InferenceSession) -> None:
    told = _Told(native)
    runs = Replaying(told, "maps", ort=ort, place=_CPU, most=2)
    asked = [_frames(rows, seed) for seed in range(4) for rows in (1, 2, 3)]

    said = [runs(inputs) for inputs in asked]

    for inputs, scores in zip(asked, said, strict=True):
        assert np.array_equal(scores, inputs["frames"] * np.float32(0.5))
    captured = [-1, *[1] * 4, -1, *[2] * 4]
    assert told.graphs == [-1, -1, -1, *captured, -1, 1, 2, -1, 1, 2, -1]


def test_a_model_that_can_not_be_captured_runs_plainly(native: ort.InferenceSession) -> None:
    told = _Told(native)
    runs = Replaying(told, "maps", ort=ort, place=_CPU, most=0)

    for seed in range(3):
        runs(_frames(2, seed))

    assert told.graphs == [-1, -1, -1]


def test_a_graph_that_does_not_follow_its_inputs_is_never_used(
    native: ort.InferenceSession,
) -> None:
    stuck = _Stuck(native)
    runs = Replaying(stuck, "maps", ort=ort, place=_CPU, most=2)
    runs(_frames(2, 0))

    for seed in (1, 2):
        with pytest.raises(InferenceError, match="leave out --cuda-graphs"):
            runs(_frames(2, seed))

    assert stuck.graphs == [-1, -1, 1, 1, 1, -1, 2, 2, 2]


def test_callers_of_graphs_wait_for_each_other(native: ort.InferenceSession) -> None:
    several = [Replaying(native, "maps", ort=ort, place=_CPU, most=2) for _ in range(2)]
    asked = [_frames(k % 2 + 1, k) for k in range(200)]

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda k: several[k % 2](asked[k]), range(len(asked))))

    for inputs, scores in zip(asked, said, strict=True):
        assert np.array_equal(scores, inputs["frames"] * np.float32(0.5))
