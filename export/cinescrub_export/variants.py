"""Make a variant of a built model, and let it through the gate."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import onnx

from cinescrub.bundle import MODEL_FILE, Precision
from cinescrub.config import Provider
from cinescrub.errors import ModelError
from cinescrub.runtime.session import open_session
from cinescrub_export.gate import measure_gate
from cinescrub_export.graph import check
from cinescrub_export.half import halved
from cinescrub_export.model import Built, serialise
from cinescrub_export.place import install
from cinescrub_export.quantize import quantized, raised
from cinescrub_export.ranges import RECIPES, ranges_of

__all__ = ["build_variant", "gated"]


def build_variant(built: Built, precision: Precision) -> Built:
    """Convert a built model; nothing is said yet of what it finds.

    Parameters
    ----------
    built : Built
        As published; borrowed.
    precision : Precision
        Of the variant; `bundle.VARIANTS` lists the slot.

    Raises
    ------
    ModelError
        It can't be converted: the weights are not those that were calibrated.
    """
    model = _CONVERTERS[precision](built, onnx.load_from_string(built.files[MODEL_FILE]))
    check(model)
    details = {name: value for name, value in built.details.items() if name != "parity"}
    if precision is Precision.INT8:
        added = {"scores_raised": RECIPES[built.slot].raised}
        details["preprocessing"] = {**details.get("preprocessing", {}), **added}
    files = {**built.files, MODEL_FILE: serialise(model)}
    return replace(built, precision=precision.value, files=files, details=details)


def gated(variant: Built, base: Built) -> Built:
    """Run both on made frames and return the variant with what was measured.

    Raises
    ------
    ModelError
        The variant lost a text that its base finds: there is nothing to write.
    """
    precision = Precision(variant.precision)
    with tempfile.TemporaryDirectory(prefix="cinescrub-gate-") as scratch:
        models = Path(scratch)
        for built in (base, variant):
            install(built, models)
        sessions = [
            open_session(models, base.slot, precision=each, provider=Provider.CPU)
            for each in (Precision.FP32, precision)
        ]
        gate = measure_gate(base.slot, *sessions)
    if not gate.passed:
        raise ModelError(
            f"{base.slot} in {precision} loses {gate.lost} of the {gate.items} texts that it finds"
            " as published: it is not written; export with --precision fp32"
        )
    return replace(variant, details={**variant.details, "gate": gate})


def _quantized(built: Built, model: onnx.ModelProto) -> onnx.ModelProto:
    recipe = RECIPES[built.slot]
    ranges = ranges_of(built.slot, built.origin.sha256)
    return raised(quantized(model, ranges, kept=recipe.kept), recipe.raised)


_CONVERTERS: Final[Mapping[Precision, Callable[[Built, onnx.ModelProto], onnx.ModelProto]]] = {
    Precision.INT8: _quantized,
    Precision.FP16: lambda _, model: halved(model),
}
