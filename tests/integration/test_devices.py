"""What a device says of an input is what the CPU says; on a GPU machine, of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.bundle import CONTRACT_FILE, Contract, Precision, Slot, folder_of
from cinescrub.config import Provider
from cinescrub.pipeline.assembly import _NEVER_JOINED
from cinescrub.runtime.providers import Device, load_runtime
from cinescrub.runtime.session import Session, open_session

pytestmark = pytest.mark.models

_CUDA = pytest.param(Provider.CUDA, marks=pytest.mark.gpu)
_FP32_DIFFERS = 1e-3
"""A tenth of it was measured on an H100 (`benchmarks/README.md`)."""
_FP16_DIFFERS = 0.05

Open = Callable[..., Session]
Arrays = dict[str, npt.NDArray[Any]]


@pytest.fixture
def opened(models_dir: Path) -> Open:
    """Open a model; skip where the runtime was built without the provider."""

    def open_one(slot: Slot, provider: Provider, **asked: Any) -> Session:
        if provider is Provider.CUDA and (
            "CUDAExecutionProvider" not in load_runtime().get_available_providers()
        ):
            pytest.skip("this ONNX Runtime was built without CUDA")
        return open_session(models_dir, slot, provider=provider, threads=1, **asked)

    return open_one


def _given(contract: Contract, rows: int, seed: int = 5) -> Arrays:
    """Return arrays of a contract's shapes: frames of 96 x 96, lines of 128 columns."""
    rng = np.random.default_rng(seed)
    sides = {
        "N": rows,
        "B": rows,
        "T": 16,
        "C": 1,
        "H": 96,
        "W": 96 if _is_frame(contract) else 128,
    }
    return {
        spec.name: rng.integers(
            *((0, 255) if spec.dtype == "uint8" else (0, 2)),
            [side if isinstance(side, int) else sides[side] for side in spec.shape],
        ).astype(spec.dtype)
        for spec in contract.inputs
    }


def _is_frame(contract: Contract) -> bool:
    return "H" in contract.inputs[0].shape


@pytest.mark.gpu
@pytest.mark.parametrize("slot", list(Slot))
def test_a_gpu_says_what_the_cpu_says(opened: Open, slot: Slot) -> None:
    on_gpu, on_cpu = (opened(slot, provider) for provider in (Provider.CUDA, Provider.CPU))
    given = _given(on_cpu.contract, 2)

    np.testing.assert_allclose(on_gpu.run(given), on_cpu.run(given), atol=_FP32_DIFFERS, rtol=0)


@pytest.mark.parametrize("provider", [Provider.CPU, _CUDA])
@pytest.mark.parametrize("slot", [slot for slot in Slot if slot not in _NEVER_JOINED])
def test_what_is_said_of_a_row_does_not_depend_on_the_rows_beside_it(
    opened: Open, slot: Slot, provider: Provider
) -> None:
    session = opened(slot, provider)
    together = _given(session.contract, 3)

    said = session.run(together)

    for row in range(3):
        alone = session.run({name: value[row : row + 1] for name, value in together.items()})
        assert np.array_equal(alone[0], said[row])


@pytest.mark.gpu
@pytest.mark.parametrize("slot", list(Slot))
def test_a_replayed_graph_says_what_a_plain_run_says(opened: Open, slot: Slot) -> None:
    plain = opened(slot, Provider.CUDA)
    replayed = opened(slot, Provider.CUDA, device=Device(graphs=True))

    for seed, rows in [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1), (6, 2)]:
        given = _given(plain.contract, rows, seed)
        np.testing.assert_allclose(
            replayed.run(given), plain.run(given), atol=_FP32_DIFFERS, rtol=0
        )


@pytest.mark.gpu
@pytest.mark.parametrize("slot", [Slot.CRAFT, Slot.PPOCR_DETECTOR])
def test_half_precision_on_a_gpu_is_near(opened: Open, models_dir: Path, slot: Slot) -> None:
    if not (folder_of(models_dir, slot, Precision.FP16) / CONTRACT_FILE).exists():
        pytest.skip("cinescrub export all --precision fp16 makes it")
    half = opened(slot, Provider.CUDA, precision=Precision.FP16)
    full = opened(slot, Provider.CPU)
    given = _given(full.contract, 2)

    np.testing.assert_allclose(half.run(given), full.run(given), atol=_FP16_DIFFERS, rtol=0)
