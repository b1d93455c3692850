"""A model session that holds to its contract: hash, signature, provider, memory order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from cinescrub import bundle
from cinescrub.bundle import Contract, Precision, Slot, TensorSpec, folder_of
from cinescrub.config import Provider
from cinescrub.errors import ConfigError, InferenceError, ModelError
from cinescrub.runtime.binding import Borrowing, Replaying, Runs
from cinescrub.runtime.providers import (
    ORT_NAMES,
    Device,
    load_runtime,
    missing_libraries,
    provider_options,
    resolve,
)

__all__ = ["Model", "Session", "open_session"]

_MOST_GRAPHS: Final = 32
"""CUDA graphs of a model, at most: each keeps its buffers on the device."""
_NEVER_CAPTURED: Final = frozenset({Slot.DEIDENTIFIER})
"""Models of which nodes run on the CPU between those on the device (`benchmarks/README.md`): the
runtime refuses to open them with graphs enabled."""


class Model(Protocol):
    """What the text room asks of a model; tests give fakes of this shape."""

    @property
    def contract(self) -> Contract:
        """What the model promises."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Run the model and return its first output, owned by the caller."""


class Session:
    """An ONNX Runtime session; `run` may be called from several threads at once.

    Parameters
    ----------
    native : onnxruntime.InferenceSession
        What runs.
    contract : Contract
        What it promises.
    provider : Provider
        What it runs on.
    runs : Runs, optional
        How arrays get to it; default: as they lie.
    """

    def __init__(
        self, native: Any, contract: Contract, provider: Provider, runs: Runs | None = None
    ) -> None:
        self._native = native
        self._contract = contract
        self.provider = provider
        self._runs = runs or Borrowing(native, contract.outputs[0].name)

    @property
    def contract(self) -> Contract:
        """What the model promises."""
        return self._contract

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Run the model on C-contiguous arrays that fit its contract.

        Parameters
        ----------
        inputs : mapping
            Arrays by input name, borrowed for the call. A strided array would cost a hidden
            copy inside the runtime, so it is refused.

        Returns
        -------
        array
            The first output, float32, owned by the caller.

        Raises
        ------
        InferenceError
            An input does not fit the contract, or the run failed.
        """
        for spec in self._contract.inputs:
            _check_input(spec, inputs.get(spec.name))
        try:
            return self._runs(inputs)
        except InferenceError:
            raise
        except Exception as error:  # the runtime's own exceptions share no base but this
            shapes = {name: value.shape for name, value in inputs.items()}
            raise InferenceError(f"{self._contract.slot} failed on inputs {shapes}") from error


def open_session(
    models: Path,
    slot: Slot,
    *,
    precision: Precision = Precision.FP32,
    provider: Provider = Provider.AUTO,
    threads: int = 0,
    options: Mapping[str, str] | None = None,
    device: Device | None = None,
) -> Session:
    """Load the model of a slot after checking its hash, then its signature and provider.

    Parameters
    ----------
    models : Path
        The bundle's folder.
    slot : Slot
        Which model.
    precision : Precision
        Which of its variants; `runtime.precision.choose` tells.
    provider : Provider
        What to run it on.
    threads : int
        Threads inside a run; 0 lets the runtime take one a core.
    options : mapping, optional
        Options of the provider in ONNX Runtime's words, laid over the engine's own.
    device : Device, optional
        Where on the provider; its `half` and the model's own folder of its `cache` are set here.
        With `graphs` no two models run at once.

    Raises
    ------
    ConfigError
        No runtime, or two, are installed; graphs are asked for of a provider that has none.
    ModelError
        The model is missing, differs from its contract, or the provider was not loaded.
    """
    contract = bundle.verify(models, slot, precision)
    ort = load_runtime()
    chosen = resolve(provider, ort.get_available_providers())
    asked = device or Device()
    if asked.graphs and chosen is not Provider.CUDA:
        raise ConfigError(f"cuda_graphs needs --provider cuda: the models would run on {chosen}")
    missing = missing_libraries(ort, chosen)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    # Errors only: of warnings there can be one a node and input shape, on the operator's terminal.
    settings.log_severity_level = 3
    ort.set_default_logger_severity(3)  # CUDA's kernels warn here, outside of any session
    # Frames come in many sizes, and the arena keeps what each took: without it the peak is a third
    # lower (975 x 743: 660 against 1060 MiB) at the same speed.
    settings.enable_cpu_mem_arena = False
    # Spinning threads take the core that decoding needs and gain nothing measurable here.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        native = ort.InferenceSession(
            str(folder_of(models, slot, precision) / bundle.MODEL_FILE),
            settings,
            providers=provider_options(chosen, options, _placed(asked, contract)),
            # Else a provider that fails, now or in any later run, is replaced by the CPU with a
            # line on stdout.
            enable_fallback=0,
        )
    except Exception as error:  # the runtime's own exceptions share no base but this
        raise ModelError(_unloadable(slot, chosen, missing)) from error
    _check_signature(native, contract)
    loaded = native.get_providers()
    if loaded[:1] != [ORT_NAMES[chosen]]:
        got = ", ".join(loaded)
        raise ModelError(f"{_unloadable(slot, chosen, missing)} (the runtime offered {got})")
    return Session(native, contract, chosen, _runs(native, contract, asked, ort))


def _placed(device: Device, contract: Contract) -> Device:
    """Return a device with what a model adds: compiled forms are kept by the model's hash."""
    cache = device.cache and device.cache / contract.files[bundle.MODEL_FILE][:16]
    half = contract.precision == Precision.FP16
    graphs = device.graphs and contract.slot not in _NEVER_CAPTURED
    return replace(device, half=half, cache=cache, graphs=graphs)


def _runs(native: Any, contract: Contract, device: Device, ort: ModuleType) -> Runs | None:
    """Return how a model runs beside others that capture; None if none does."""
    if not device.graphs:
        return None
    return Replaying(
        native,
        contract.outputs[0].name,
        ort=ort,
        place=("cuda", device.number),
        most=0 if contract.slot in _NEVER_CAPTURED else _MOST_GRAPHS,
    )


def _unloadable(slot: Slot, provider: Provider, missing: tuple[str, ...]) -> str:
    """Return one line on why a session could not be had, and what to do."""
    if provider is Provider.CPU:
        return f"{slot} can't be loaded: run `cinescrub export {slot}` again"
    cause = (
        f"{', '.join(missing)} can't be found: install cinescrub[gpu]"
        if missing
        else "check its device, driver and libraries"
    )
    return f"{slot} can't be loaded on {provider}: {cause}, or ask for --provider cpu"


_ORT_TYPES = {"tensor(uint8)": "uint8", "tensor(int64)": "int64", "tensor(float)": "float32"}


def _check_signature(native: Any, contract: Contract) -> None:
    for promised, actual in (
        (contract.inputs, native.get_inputs()),
        (contract.outputs, native.get_outputs()),
    ):
        seen = {t.name: (_ORT_TYPES.get(t.type, t.type), len(t.shape)) for t in actual}
        for spec in promised:
            if seen.get(spec.name) != (spec.dtype, len(spec.shape)):
                raise ModelError(
                    f"{contract.slot}: tensor {spec.name} differs from the contract:"
                    f" run `cinescrub export {contract.slot}` again"
                )


def _check_input(spec: TensorSpec, value: npt.NDArray[Any] | None) -> None:
    if value is None:
        raise InferenceError(f"input {spec.name} is missing")
    fits = value.ndim == len(spec.shape) and all(
        isinstance(want, str) or want == got
        for want, got in zip(spec.shape, value.shape, strict=False)
    )
    if not fits or value.dtype != np.dtype(spec.dtype) or not value.flags.c_contiguous:
        raise InferenceError(
            f"input {spec.name} is {value.shape} {value.dtype}, wanted C-contiguous"
            f" {spec.shape} {spec.dtype}"
        )
