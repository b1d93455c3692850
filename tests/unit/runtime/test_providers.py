from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from cinescrub.config import Provider
from cinescrub.errors import ConfigError, ModelError
from cinescrub.runtime import providers
from cinescrub.runtime.providers import Device


def _install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def version(name: str) -> str:
        if name not in names:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)


def test_no_runtime_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch)

    with pytest.raises(ConfigError, match=r"pip install cinescrub\[cpu\]"):
        providers.load_runtime()


def test_two_runtimes_are_refused_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _install(monkeypatch, "onnxruntime", "onnxruntime-gpu")

    with pytest.raises(ConfigError, match="pip uninstall -y onnxruntime onnxruntime-gpu"):
        providers.load_runtime()


@pytest.mark.parametrize(
    ("asked", "available", "expected"),
    [
        (Provider.AUTO, ["CPUExecutionProvider"], Provider.CPU),
        (
            Provider.AUTO,
            ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
            Provider.CUDA,
        ),
        (
            Provider.AUTO,
            ["OpenVINOExecutionProvider", "CPUExecutionProvider"],
            Provider.OPENVINO,
        ),
        (Provider.CPU, ["CUDAExecutionProvider", "CPUExecutionProvider"], Provider.CPU),
    ],
)
def test_auto_takes_the_best_that_was_built_in(
    asked: Provider, available: list[str], expected: Provider
) -> None:
    assert providers.resolve(asked, available) is expected


@pytest.mark.parametrize(
    ("asked", "extra"),
    [
        (Provider.CUDA, "gpu"),
        (Provider.TENSORRT, "gpu"),
        (Provider.OPENVINO, "openvino"),
    ],
)
def test_a_provider_that_is_not_there_is_an_error_not_a_fallback(
    asked: Provider, extra: str
) -> None:
    with pytest.raises(ModelError, match=rf"cinescrub\[{extra}\]"):
        providers.resolve(asked, ["CPUExecutionProvider"])


def _runtime(preload: Callable[[], None]) -> ModuleType:
    ort = ModuleType("onnxruntime")
    ort.preload_dlls = preload  # type: ignore[attr-defined]  # as the GPU build has it
    return ort


@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT])
def test_missing_libraries_are_named_and_stdout_stays_the_machines(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    def preload() -> None:
        print("Failed to load libcublasLt.so.13: libcublasLt.so.13: cannot open shared object")
        print("Failed to load /opt/site packages/nvidia/lib/libcudart.so.13: bad file")
        print("Please follow the instructions to install CUDA.")

    missing = providers.missing_libraries(_runtime(preload), provider)

    assert missing == ("libcublasLt.so.13", "libcudart.so.13")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("provider", [Provider.CPU, Provider.OPENVINO])
def test_a_provider_without_a_gpu_loads_no_gpu_libraries(provider: Provider) -> None:
    def preload() -> None:
        pytest.fail("CUDA libraries were loaded")

    assert providers.missing_libraries(_runtime(preload), provider) == ()


def test_a_runtime_that_can_not_preload_misses_nothing() -> None:
    assert providers.missing_libraries(ModuleType("onnxruntime"), Provider.CUDA) == ()


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        (Provider.CPU, ["CPUExecutionProvider"]),
        (Provider.CUDA, ["CUDAExecutionProvider", "CPUExecutionProvider"]),
        (
            Provider.TENSORRT,
            ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
        ),
        (Provider.OPENVINO, ["OpenVINOExecutionProvider", "CPUExecutionProvider"]),
    ],
)
def test_nodes_that_a_provider_does_not_support_stay_as_near_as_they_can(
    provider: Provider, names: list[str]
) -> None:
    assert [name for name, _ in providers.provider_options(provider)] == names


@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT])
def test_cuda_rounds_nothing_to_tf32_and_searches_no_algorithms(provider: Provider) -> None:
    options = dict(providers.provider_options(provider))["CUDAExecutionProvider"]

    assert options == {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}


def test_options_are_laid_over_those_of_their_provider_alone() -> None:
    given = {"use_tf32": "1", "device_id": "1"}

    cuda, cpu = providers.provider_options(Provider.CUDA, given)
    again, _ = providers.provider_options(Provider.CUDA)

    assert cuda[1] == {"use_tf32": "1", "device_id": "1", "cudnn_conv_algo_search": "DEFAULT"}
    assert cpu[1] == {}
    assert again[1]["use_tf32"] == "0"


GIB = 2**30


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        (Provider.CPU, [{}]),
        (
            Provider.CUDA,
            [
                {
                    "device_id": "1",
                    "gpu_mem_limit": str(2 * GIB),
                    "arena_extend_strategy": "kSameAsRequested",
                    "enable_cuda_graph": "1",
                },
                {},
            ],
        ),
        (
            Provider.TENSORRT,
            [
                {
                    "device_id": "1",
                    "trt_max_workspace_size": str(2 * GIB),
                    "trt_fp16_enable": "1",
                    "trt_engine_cache_enable": "1",
                    "trt_engine_cache_path": "cache",
                    "trt_timing_cache_enable": "1",
                    "trt_timing_cache_path": "cache",
                },
                {
                    "device_id": "1",
                    "gpu_mem_limit": str(2 * GIB),
                    "arena_extend_strategy": "kSameAsRequested",
                    "enable_cuda_graph": "1",
                },
                {},
            ],
        ),
        (Provider.OPENVINO, [{}, {}]),
    ],
)
def test_a_device_is_told_to_each_provider_in_its_words(
    provider: Provider, told: list[dict[str, str]]
) -> None:
    device = Device(number=1, memory_mib=2048, half=True, cache=Path("cache"), graphs=True)

    plain = providers.provider_options(provider)
    placed = providers.provider_options(provider, None, device)

    assert [
        {k: v for k, v in options.items() if k not in before}
        for (_, options), (_, before) in zip(placed, plain, strict=True)
    ] == told


def test_openvino_does_not_choose_its_own_precision() -> None:
    assert dict(providers.provider_options(Provider.OPENVINO))["OpenVINOExecutionProvider"] == {
        "device_type": "CPU",
        "precision": "FP32",
    }
