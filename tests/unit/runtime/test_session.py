from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cinescrub import bundle
from cinescrub.bundle import MODEL_FILE, Contract, Origin, Precision, Slot, TensorSpec
from cinescrub.config import Provider
from cinescrub.errors import ConfigError, InferenceError, ModelError
from cinescrub.runtime import session as session_module
from cinescrub.runtime.providers import Device
from cinescrub.runtime.session import Session, open_session


def _save(models: Path, *, promised: str = "uint8") -> None:
    """Write a model that turns uint8 frames to floats, with a contract."""
    folder = models / Slot.CRAFT
    folder.mkdir()
    given = helper.make_tensor_value_info("frames", TensorProto.UINT8, ["N", "W"])
    result = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", "W"])
    node = helper.make_node("Cast", ["frames"], ["maps"], to=TensorProto.FLOAT)
    model = helper.make_model(
        helper.make_graph([node], "cast", [given], [result]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, folder / MODEL_FILE)
    contract = Contract(
        slot=Slot.CRAFT,
        name="cast",
        precision="fp32",
        opset=17,
        inputs=(TensorSpec("frames", promised, ("N", "W")),),
        outputs=(TensorSpec("maps", "float32", ("N", "W")),),
        files={MODEL_FILE: bundle.sha256_of(folder / MODEL_FILE)},
        origin=Origin("test", "none", "0", "none"),
    )
    bundle.save_contract(folder, contract)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    _save(tmp_path)
    return open_session(tmp_path, Slot.CRAFT, provider=Provider.CPU, threads=1)


def test_a_session_runs_what_its_contract_promises(session: Session) -> None:
    frames = np.arange(6, dtype=np.uint8).reshape(2, 3)

    assert np.array_equal(session.run({"frames": frames}), frames.astype(np.float32))


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(np.zeros((2, 3), np.float32), id="dtype"),
        pytest.param(np.zeros((2, 3, 1), np.uint8), id="rank"),
        pytest.param(np.zeros((2, 6), np.uint8)[:, ::2], id="strided, would be copied"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_the_run(
    session: Session, frames: np.ndarray
) -> None:
    with pytest.raises(InferenceError, match="frames"):
        session.run({"frames": frames})


def test_a_failed_run_is_told_by_shapes_and_a_refused_graph_by_what_to_do(
    session: Session,
) -> None:
    def fails(inputs: object) -> Any:
        raise RuntimeError("of the runtime")

    def refuses(inputs: object) -> Any:
        raise InferenceError("leave out --cuda-graphs")

    for runs, said in ((fails, r"craft failed.*\(2, 3\)"), (refuses, "^leave out --cuda-graphs")):
        with pytest.raises(InferenceError, match=said):
            Session(session._native, session.contract, session.provider, runs).run(
                {"frames": np.zeros((2, 3), np.uint8)}
            )


def test_a_missing_input_is_named(session: Session) -> None:
    with pytest.raises(InferenceError, match="frames is missing"):
        session.run({})


def test_a_model_whose_signature_differs_from_its_contract_is_refused(tmp_path: Path) -> None:
    _save(tmp_path, promised="int64")

    with pytest.raises(ModelError, match="differs from the contract"):
        open_session(tmp_path, Slot.CRAFT, provider=Provider.CPU)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    _save(tmp_path)
    folder = tmp_path / Slot.CRAFT
    (folder / MODEL_FILE).write_bytes(b"not a model")
    contract = bundle.load_contract(tmp_path, Slot.CRAFT)
    contract.files[MODEL_FILE] = bundle.sha256_of(folder / MODEL_FILE)
    bundle.save_contract(folder, contract)

    with pytest.raises(ModelError, match="can't be loaded"):
        open_session(tmp_path, Slot.CRAFT, provider=Provider.CPU)


class _Runtime:
    """ONNX Runtime as built for CUDA, whose sessions are what `make` returns or raises."""

    SessionOptions = staticmethod(lambda: SimpleNamespace(add_session_config_entry=lambda *_: None))

    def __init__(self, make: Callable[[], Any], *, says: str = "") -> None:
        self._make = make
        self._says = says
        self.severity = 2
        self.asked: dict[str, Any] = {}

    def get_available_providers(self) -> list[str]:
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def set_default_logger_severity(self, severity: int) -> None:
        self.severity = severity

    def preload_dlls(self) -> None:
        print(self._says, end="")

    def InferenceSession(self, *_: object, **asked: Any) -> Any:
        self.asked = asked
        return self._make()


def _native(*providers: str) -> SimpleNamespace:
    return SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="frames", type="tensor(uint8)", shape="NW")],
        get_outputs=lambda: [SimpleNamespace(name="maps", type="tensor(float)", shape="NW")],
        get_providers=lambda: list(providers),
    )


def _raises() -> Any:
    raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")


def _use(monkeypatch: pytest.MonkeyPatch, runtime: _Runtime) -> _Runtime:
    monkeypatch.setattr(session_module, "load_runtime", lambda: runtime)
    return runtime


def test_a_session_on_a_gpu_says_so_and_takes_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    native = _native("CUDAExecutionProvider", "CPUExecutionProvider")
    runtime = _use(monkeypatch, _Runtime(lambda: native))

    opened = open_session(tmp_path, Slot.CRAFT, options={"device_id": "1"})

    assert opened.provider is Provider.CUDA
    assert runtime.asked["providers"][0][1]["device_id"] == "1"


def test_the_runtime_never_replaces_a_provider_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    native = _native("CUDAExecutionProvider", "CPUExecutionProvider")
    runtime = _use(monkeypatch, _Runtime(lambda: native))

    open_session(tmp_path, Slot.CRAFT, provider=Provider.CUDA)

    assert runtime.asked["enable_fallback"] == 0


def test_warnings_of_the_runtime_stay_off_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    native = _native("CUDAExecutionProvider", "CPUExecutionProvider")
    runtime = _use(monkeypatch, _Runtime(lambda: native))

    open_session(tmp_path, Slot.CRAFT, provider=Provider.CUDA)

    errors = 3
    assert runtime.severity == errors


@pytest.mark.parametrize("asked", [Provider.CUDA, Provider.AUTO])
def test_a_provider_that_the_runtime_dropped_is_an_error_with_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: Provider,
) -> None:
    _save(tmp_path)
    says = "Failed to load libcudart.so.13: libcudart.so.13: cannot open shared object file\n"
    _use(monkeypatch, _Runtime(lambda: _native("CPUExecutionProvider"), says=says))

    with pytest.raises(ModelError, match=r"libcudart\.so\.13 can't be found.*cinescrub\[gpu\]"):
        open_session(tmp_path, Slot.CRAFT, provider=asked)
    assert capsys.readouterr().out == ""


def test_a_gpu_that_fails_is_not_blamed_on_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    _use(monkeypatch, _Runtime(_raises))

    with pytest.raises(ModelError, match=r"on cuda: check its device.*--provider cpu") as caught:
        open_session(tmp_path, Slot.CRAFT, provider=Provider.CUDA)
    assert "export" not in caught.value.message


def test_tensorrt_that_was_replaced_by_cuda_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    native = _native("CUDAExecutionProvider", "CPUExecutionProvider")
    _use(monkeypatch, _Runtime(lambda: native))

    with pytest.raises(ModelError, match=r"on tensorrt.*offered CUDAExecutionProvider"):
        open_session(tmp_path, Slot.CRAFT, provider=Provider.TENSORRT)


def test_a_session_really_opened_has_the_runtimes_own_fallback_off(session: Session) -> None:
    assert session._native._enable_fallback is False


def test_graphs_are_asked_of_cuda_for_models_that_run_on_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path)
    native = _native("CUDAExecutionProvider", "CPUExecutionProvider")
    runtime = _use(monkeypatch, _Runtime(lambda: native))

    open_session(tmp_path, Slot.CRAFT, device=Device(graphs=True))

    assert runtime.asked["providers"][0][1]["enable_cuda_graph"] == "1"
    contract = replace(bundle.load_contract(tmp_path, Slot.CRAFT), slot=Slot.DEIDENTIFIER)
    assert not session_module._placed(Device(graphs=True), contract).graphs


@pytest.mark.parametrize("provider", [Provider.CPU, Provider.TENSORRT])
def test_graphs_of_a_provider_that_keeps_none_by_shape_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Provider
) -> None:
    _save(tmp_path)
    _use(monkeypatch, _Runtime(_raises))

    with pytest.raises(ConfigError, match=f"needs --provider cuda.*{provider}"):
        open_session(tmp_path, Slot.CRAFT, provider=provider, device=Device(graphs=True))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_what_a_provider_compiles_is_kept_by_the_model_s_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    _save(tmp_path)
    contract = replace(bundle.load_contract(tmp_path, Slot.CRAFT), precision=precision)

    placed = session_module._placed(Device(number=2, cache=tmp_path / "cache"), contract)

    digest = contract.files[MODEL_FILE][:16]
    half = precision == "fp16"
    assert placed == Device(number=2, half=half, cache=tmp_path / "cache" / digest)
    assert session_module._placed(Device(), contract).cache is None


def test_a_session_opens_the_variant_that_is_asked_for(tmp_path: Path) -> None:
    _save(tmp_path)
    folder = bundle.folder_of(tmp_path, Slot.CRAFT, Precision.INT8)
    base = bundle.load_contract(tmp_path, Slot.CRAFT)
    (tmp_path / Slot.CRAFT).rename(folder)
    bundle.save_contract(folder, replace(base, precision="int8"))

    session = open_session(
        tmp_path, Slot.CRAFT, precision=Precision.INT8, provider=Provider.CPU, threads=1
    )

    assert session.contract.precision == "int8"
