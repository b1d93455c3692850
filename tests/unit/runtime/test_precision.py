"""A variant runs where it was asked for, or suits, and only if it lost nothing of this base."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from cinescrub.bundle import (
    MODEL_FILE,
    Contract,
    Gate,
    Origin,
    Precision,
    Slot,
    TensorSpec,
    folder_of,
    save_contract,
    sha256_of,
)
from cinescrub.config import PrecisionChoice, Provider
from cinescrub.errors import ModelError
from cinescrub.runtime import precision as precision_module
from cinescrub.runtime.precision import choose, exact_int8, suits


def put(models: Path, precision: Precision, gate: Gate | None = None) -> str:
    """Write a CRAFT of that precision and return its model's hash."""
    folder = folder_of(models, Slot.CRAFT, precision)
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(precision.encode())
    digest = sha256_of(folder / MODEL_FILE)
    contract = Contract(
        slot=Slot.CRAFT,
        name="made",
        precision=precision.value,
        opset=17,
        inputs=(TensorSpec("frames", "uint8", ("N",)),),
        outputs=(TensorSpec("scores", "float32", ("N",)),),
        files={MODEL_FILE: digest},
        origin=Origin("made==1", "made.pth", "0" * 64, "none"),
        gate=gate,
    )
    save_contract(folder, contract)
    return digest


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle whose int8 has passed its gate."""
    base = put(tmp_path, Precision.FP32)
    put(tmp_path, Precision.INT8, Gate(base=base, frames=3, items=20, lost=0, gained=1))
    return tmp_path


@pytest.fixture
def suited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_module, "exact_int8", lambda: "avx512_vnni")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", "avx512_vnni"),
        ("flags\t\t: fpu avx2 avx_vnni\n", "avx_vnni"),
        ("Features\t: fp asimd asimddp\n", "asimddp"),
        ("flags\t\t: fpu avx2 avx512f\n", None),
        ("model name\t: asimddp\n", None),
        ("", None),
    ],
)
def test_a_cpu_is_known_by_its_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: str | None
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    (tmp_path / "cpuinfo").write_text(text)

    assert exact_int8(tmp_path / "cpuinfo") == found


def test_a_system_that_does_not_describe_its_cpu_gets_no_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")

    assert exact_int8(tmp_path / "none") is None


@pytest.mark.usefixtures("suited")
@pytest.mark.parametrize(
    ("provider", "best"),
    [
        (Provider.CPU, Precision.INT8),
        (Provider.CUDA, Precision.FP32),
        (Provider.TENSORRT, Precision.FP32),
        (Provider.OPENVINO, Precision.FP32),
    ],
)
def test_only_measured_precisions_suit(provider: Provider, best: Precision) -> None:
    assert suits(provider) is best


@pytest.mark.usefixtures("suited")
def test_auto_takes_what_suits_the_machine(bundle: Path) -> None:
    assert choose(bundle, Slot.CRAFT, PrecisionChoice.AUTO, Provider.CPU) is Precision.INT8
    assert choose(bundle, Slot.CRAFT, PrecisionChoice.AUTO, Provider.CUDA) is Precision.FP32
    assert choose(bundle, Slot.CRAFT, PrecisionChoice.FP32, Provider.CPU) is Precision.FP32


def test_auto_takes_the_base_on_a_cpu_that_would_saturate(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision_module, "exact_int8", lambda: None)

    assert choose(bundle, Slot.CRAFT, PrecisionChoice.AUTO, Provider.CPU) is Precision.FP32
    assert choose(bundle, Slot.CRAFT, PrecisionChoice.INT8, Provider.CPU) is Precision.INT8


@pytest.mark.usefixtures("suited")
def test_auto_takes_the_base_where_there_is_no_variant(tmp_path: Path) -> None:
    put(tmp_path, Precision.FP32)

    assert choose(tmp_path, Slot.CRAFT, PrecisionChoice.AUTO, Provider.CPU) is Precision.FP32


def test_a_missing_variant_that_was_asked_for_names_its_command(tmp_path: Path) -> None:
    put(tmp_path, Precision.FP32)

    with pytest.raises(ModelError, match="cinescrub export all --precision int8"):
        choose(tmp_path, Slot.CRAFT, PrecisionChoice.INT8, Provider.CPU)


def no_gate(_: str) -> Gate | None:
    return None


def lossy(base: str) -> Gate:
    return Gate(base=base, frames=3, items=20, lost=1, gained=5)


def empty(base: str) -> Gate:
    return Gate(base=base, frames=3, items=0, lost=0, gained=0)


def of_another_base(_: str) -> Gate:
    return Gate(base="0" * 64, frames=3, items=20, lost=0, gained=0)


@pytest.mark.usefixtures("suited")
@pytest.mark.parametrize("gate", [no_gate, lossy, empty, of_another_base])
def test_a_variant_without_a_passed_gate_never_runs(
    tmp_path: Path, gate: Callable[[str], Gate | None]
) -> None:
    base = put(tmp_path, Precision.FP32)
    put(tmp_path, Precision.INT8, gate(base))

    assert choose(tmp_path, Slot.CRAFT, PrecisionChoice.AUTO, Provider.CPU) is Precision.FP32
    with pytest.raises(ModelError, match=r"passed no gate.*export craft --precision int8"):
        choose(tmp_path, Slot.CRAFT, PrecisionChoice.INT8, Provider.CPU)


def test_a_slot_without_variants_runs_as_published(tmp_path: Path) -> None:
    for asked in PrecisionChoice:
        assert choose(tmp_path, Slot.DEIDENTIFIER, asked, Provider.CPU) is Precision.FP32
