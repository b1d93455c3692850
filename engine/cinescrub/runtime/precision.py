"""Which variant of a model suits this machine, and which one of a bundle runs.

A variant is loaded only if its contract says that it lost nothing of what the very base in this
bundle finds (`bundle.Gate`).
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

from cinescrub.bundle import (
    CONTRACT_FILE,
    MODEL_FILE,
    VARIANTS,
    Precision,
    Slot,
    folder_of,
    load_contract,
)
from cinescrub.config import PrecisionChoice, Provider
from cinescrub.errors import ModelError

__all__ = ["choose", "exact_int8", "suits"]

_CPU_INFO: Final = Path("/proc/cpuinfo")
_FLAG_LINES: Final = ("flags", "Features")
_DOT_PRODUCTS: Final = ("avx512_vnni", "avx_vnni", "asimddp")
"""Instructions that add products of bytes in 32 bits, as Linux names them. Without them ONNX
Runtime's x86 kernels add pairs in 16 bits, which saturate: other scores than those measured
(its quantisation guide, "U8S8")."""


def exact_int8(cpu_info: Path = _CPU_INFO) -> str | None:
    """Return the instructions by which this CPU runs 8-bit models exactly; None without them.

    Parameters
    ----------
    cpu_info : Path
        Linux's description of the CPU.
    """
    if platform.system() == "Darwin":  # every Apple CPU of that machine type has them
        return "asimddp" if platform.machine() == "arm64" else None
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    flags = {
        flag
        for name, _, values in (line.partition(":") for line in lines)
        if name.strip() in _FLAG_LINES
        for flag in values.split()
    }
    return next((each for each in _DOT_PRODUCTS if each in flags), None)


def suits(provider: Provider) -> Precision:
    """Return the precision that `auto` takes with a provider, resolved, on this machine.

    Only what was measured: 8 bits on CPUs that compute them exactly. Half precision on a GPU and
    8 bits in OpenVINO run when they are asked for.
    """
    if provider is Provider.CPU and exact_int8() is not None:
        return Precision.INT8
    return Precision.FP32


def choose(models: Path, slot: Slot, asked: PrecisionChoice, provider: Provider) -> Precision:
    """Return which of a slot's models runs.

    Parameters
    ----------
    models : Path
        The bundle's folder.
    slot : Slot
        Which model.
    asked : PrecisionChoice
        What the operator asked for. `auto` takes what suits the machine where the bundle has it,
        with a passed gate.
    provider : Provider
        What it runs on, resolved.

    Raises
    ------
    ModelError
        A precision was asked for by name that the bundle lacks, or whose gate was passed against
        another base or not at all.
    """
    auto = asked is PrecisionChoice.AUTO
    wanted = suits(provider) if auto else Precision(asked)
    if slot not in VARIANTS[wanted]:
        return Precision.FP32
    if auto and not (folder_of(models, slot, wanted) / CONTRACT_FILE).exists():
        return Precision.FP32
    gate = load_contract(models, slot, wanted).gate
    base = load_contract(models, slot).files[MODEL_FILE]
    if gate is not None and gate.passed and gate.base == base:
        return wanted
    if auto:
        return Precision.FP32
    raise ModelError(
        f"{slot} in {wanted} has passed no gate against this bundle's {slot}:"
        f" run `cinescrub export {slot} --precision {wanted}`"
    )
