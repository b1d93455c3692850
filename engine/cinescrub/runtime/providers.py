"""Which execution provider runs a model, and whether it was really loaded.

ONNX Runtime falls back to the CPU silently when a provider's libraries are missing, and
`get_available_providers` tells what was built in, not what works. So the provider asked for is
compared with what the session reports, and a difference is an error.
"""

from __future__ import annotations

import importlib
import io
import os
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from cinescrub.config import Provider
from cinescrub.errors import ConfigError, ModelError

__all__ = [
    "Device",
    "installed_runtimes",
    "load_runtime",
    "missing_libraries",
    "provider_options",
    "resolve",
]


ORT_NAMES: Final = {
    Provider.CPU: "CPUExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.TENSORRT: "TensorrtExecutionProvider",
    Provider.OPENVINO: "OpenVINOExecutionProvider",
}


@dataclass(frozen=True, slots=True)
class Device:
    """Where on a provider models run, in the engine's words."""

    number: int = 0
    """Of the GPU, as CUDA counts them."""
    memory_mib: int = 0
    """The most that one model's arena takes of it; 0 is no limit."""
    half: bool = False
    """Whether the model's arithmetic is half precision: TensorRT has to be told."""
    cache: Path | None = None
    """Folder for the engines that TensorRT compiles of a model, of this model alone; None compiles
    anew at each start. It holds no pixels and no text."""
    graphs: bool = False
    """Whether CUDA graphs are captured of shapes seen again (`runtime.binding`): on CUDA alone.
    TensorRT's provider keeps one graph, of whatever shape, and would replay it for all."""


_OPTIONS: Final[dict[Provider, dict[str, Any]]] = {
    Provider.CUDA: {
        # No search. EXHAUSTIVE tries every algorithm anew for each input size, 0.5 s each, and
        # sizes are many; HEURISTIC wanted 65 GiB of workspace for some (benchmarks/README.md).
        "cudnn_conv_algo_search": "DEFAULT",
        # TF32, which ONNX Runtime takes unasked, keeps 10 bits of mantissa: results would differ.
        "use_tf32": "0",
    },
    # Asked for, not left to OpenVINO, which may take bfloat16 where a CPU has units for it.
    Provider.OPENVINO: {"device_type": "CPU", "precision": "FP32"},
}
_MISSING: Final = re.compile(r"^Failed to load (?:.*?[/\\])?([^/\\]+?): ", re.MULTILINE)
_DISTRIBUTIONS: Final = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")


def installed_runtimes() -> dict[str, str]:
    """Return the installed runtime distributions and their versions."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def load_runtime() -> ModuleType:
    """Import ONNX Runtime, of which exactly one distribution may be installed, and silence it.

    From 1.29 on its official builds send events (device, model names and hashes, durations) to
    their maker unless they are told not to before they are first imported.

    Raises
    ------
    ConfigError
        None is installed, or more than one: they share a package folder and overwrite each
        other, and removing one breaks the rest.
    """
    found = installed_runtimes()
    if not found:
        raise ConfigError(
            "ONNX Runtime is not installed: run `pip install cinescrub[cpu]` (or [gpu], [openvino])"
        )
    if len(found) > 1:
        raise ConfigError(
            f"{' and '.join(found)} are both installed and overwrite each other: run"
            f" `pip uninstall -y {' '.join(found)}` and install one of cinescrub[cpu|gpu|openvino]"
        )
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # no uploader, no device id, no store of events
    runtime = importlib.import_module("onnxruntime")
    if hasattr(runtime, "disable_telemetry_events"):
        runtime.disable_telemetry_events()  # as much as is left where it was imported before
    return runtime


def resolve(asked: Provider, available: list[str]) -> Provider:
    """Return the provider to use.

    Parameters
    ----------
    asked : Provider
        What the operator asked for.
    available : list of str
        What the installed runtime was built with.

    Raises
    ------
    ModelError
        The runtime was built without the provider asked for.
    """
    if asked is Provider.AUTO:
        for candidate in (Provider.CUDA, Provider.OPENVINO):
            if ORT_NAMES[candidate] in available:
                return candidate
        return Provider.CPU
    if ORT_NAMES[asked] not in available:
        extra = {Provider.OPENVINO: "openvino", Provider.CPU: "cpu"}.get(asked, "gpu")
        raise ModelError(
            f"the installed ONNX Runtime has no {asked} provider: install cinescrub[{extra}]"
        )
    return asked


def missing_libraries(ort: ModuleType, provider: Provider) -> tuple[str, ...]:
    """Load the CUDA and cuDNN libraries that pip installed; return the names of those missing.

    ONNX Runtime finds them this way only, and says what it misses on stdout, which is the
    machine's: a line there would break `--json`.
    """
    if provider not in {Provider.CUDA, Provider.TENSORRT} or not hasattr(ort, "preload_dlls"):
        return ()
    said = io.StringIO()
    with redirect_stdout(said):
        ort.preload_dlls()
    return tuple(_MISSING.findall(said.getvalue()))


def provider_options(
    provider: Provider, options: Mapping[str, str] | None = None, device: Device | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """Return ONNX Runtime's provider list, the places for unsupported nodes behind the first.

    Parameters
    ----------
    provider : Provider
        The provider, resolved.
    options : mapping, optional
        ONNX Runtime's own options of it, laid over the engine's.
    device : Device, optional
        Where on it; default: the first, without limit and without cache.
    """
    place = device or Device()
    listed = {
        # What TensorRT does not support stays on the device.
        Provider.TENSORRT: (Provider.TENSORRT, Provider.CUDA, Provider.CPU),
        Provider.CPU: (Provider.CPU,),
    }.get(provider, (provider, Provider.CPU))
    return [
        (
            ORT_NAMES[p],
            {
                **_OPTIONS.get(p, {}),
                **_placed(p, place),
                **((options or {}) if p is provider else {}),
            },
        )
        for p in listed
    ]


def _placed(provider: Provider, device: Device) -> dict[str, str]:
    """Return what a device's settings are called by a provider; its own defaults are left out."""
    told: dict[str, str] = {}
    cache = None if device.cache is None else str(device.cache)
    if provider in (Provider.CUDA, Provider.TENSORRT) and device.number:
        told["device_id"] = str(device.number)
    limit = str(device.memory_mib * 2**20)
    if provider is Provider.CUDA and device.memory_mib:
        # Else the arena doubles what it takes, and oversteps what is asked for by as much.
        told |= {"gpu_mem_limit": limit, "arena_extend_strategy": "kSameAsRequested"}
    if provider is Provider.CUDA and device.graphs:
        told["enable_cuda_graph"] = "1"
    if provider is Provider.TENSORRT:
        if device.memory_mib:
            told["trt_max_workspace_size"] = limit
        if device.half:
            told["trt_fp16_enable"] = "1"
        if cache:
            told |= {
                "trt_engine_cache_enable": "1",
                "trt_engine_cache_path": cache,
                "trt_timing_cache_enable": "1",
                "trt_timing_cache_path": cache,
            }
    return told
