"""Export models into a bundle: find the weights, build, check, and put each folder into place.

The one module that others call: everything the command line offers is an argument of `export`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Final

from cinescrub.bundle import MODEL_FILE, VARIANTS, Contract, Precision, Slot, folder_of
from cinescrub.config import PrecisionChoice, Provider
from cinescrub.errors import ConfigError, ModelError
from cinescrub.runtime.precision import suits
from cinescrub.runtime.providers import installed_runtimes, load_runtime, resolve
from cinescrub_export import craft, ppocr, recognizer
from cinescrub_export.checkpoint import parse_checkpoint
from cinescrub_export.deidentifier import build_rampart
from cinescrub_export.graph import OPSET, check
from cinescrub_export.model import Built, serialise
from cinescrub_export.parity import measured
from cinescrub_export.place import install, remove_variant
from cinescrub_export.variants import build_variant, gated
from cinescrub_export.weights import (
    EASYOCR,
    RAMPART,
    RAPIDOCR,
    Progress,
    Release,
    Runner,
    Weights,
    open_weights,
)

__all__ = ["Source", "export"]


class Source(StrEnum):
    """Which model fills the deidentifier slot."""

    RAMPART = "rampart"
    """The default: published as ONNX, copied."""
    STANFORD = "stanford"
    """StanfordAIMI/stanford-deidentifier-base or any BERT token classifier, converted."""


def export(
    slots: Sequence[Slot],
    out: Path,
    *,
    weights: Path | str | None = None,
    source: str = Source.RAMPART,
    precision: PrecisionChoice = PrecisionChoice.FP32,
    progress: Progress,
    run: Runner | None = None,
) -> list[Contract]:
    """Build the models of `slots` and put them into the bundle `out`.

    Parameters
    ----------
    slots : sequence of Slot
        Which models.
    out : Path
        The bundle's folder; made if it is missing.
    weights : Path or str, optional
        A folder to take all weights from instead of a package. With `source="stanford"`: the
        classifier's folder, or its hub name as `NAME@COMMIT`; other slots take their packages.
    source : str
        Which model fills the deidentifier slot; see `Source`.
    precision : PrecisionChoice
        Beside each model as published, the variant in this precision, where the slot has one.
        `auto` makes what suits this machine, and nothing of what loses text here.
    progress : Progress
        Told one line at each step.
    run : Runner, optional
        Starts pip; for tests.

    Returns
    -------
    list of Contract
        In the order of `slots`, each before its variant.

    Raises
    ------
    ConfigError
        The source is unknown, or needs weights that were not named.
    ModelError
        Weights are missing or not the published ones, a model can't be built from them, or a
        variant that was asked for by name loses a text that its base finds (`gate`).
    OutputError
        The bundle can't be written.
    """
    chosen, variant = _source(source), _variant(precision)
    if chosen is Source.STANFORD and Slot.DEIDENTIFIER in slots and weights is None:
        raise ConfigError("--source stanford needs --weights with a folder or a hub name")
    folder = Path(weights) if weights is not None and chosen is not Source.STANFORD else None
    opened: dict[str, Weights] = {}
    contracts = []
    with ExitStack() as stack:

        def release(wanted: Release) -> Weights:
            if wanted.distribution not in opened:
                opened[wanted.distribution] = stack.enter_context(
                    open_weights(wanted, folder=folder, progress=progress, run=run)
                )
            return opened[wanted.distribution]

        for slot in slots:
            progress(f"building {slot}")
            if slot is Slot.DEIDENTIFIER and chosen is Source.STANFORD:
                from cinescrub_export.stanford import build_classifier  # imports torch

                built = build_classifier(str(weights), progress=progress)
            else:
                released, build = _BUILDERS[slot]
                built = build(release(released))
            contracts.append(install(built, out))
            progress(f"{slot}: {built.name} written to {folder_of(out, slot)}")
            if slot in VARIANTS[variant]:
                auto = precision is PrecisionChoice.AUTO
                contracts += _add_variant(built, variant, out, progress, needed=not auto)
    return contracts


def _add_variant(
    built: Built, precision: Precision, out: Path, progress: Progress, *, needed: bool
) -> list[Contract]:
    """Make a variant and write it, if it loses nothing."""
    slot = built.slot
    progress(f"{slot}: converting to {precision} and comparing what it finds")
    try:
        variant = gated(build_variant(built, precision), built)
    except ModelError as error:
        remove_variant(out, slot, precision)
        if needed:
            raise
        progress(error.message)
        return []
    contract = install(variant, out)
    progress(f"{slot}: {precision} written to {folder_of(out, slot, precision)}")
    return [contract]


def _variant(asked: PrecisionChoice) -> Precision:
    """Return in which precision variants are made."""
    if asked is not PrecisionChoice.AUTO:
        return Precision(asked)
    if not installed_runtimes():  # nothing to compare with, and nothing that would run it
        return Precision.FP32
    return suits(resolve(Provider.AUTO, load_runtime().get_available_providers()))


def _source(name: str) -> Source:
    try:
        return Source(name)
    except ValueError:
        raise ConfigError(f"unknown source: choose one of {', '.join(Source)}") from None


def _build_craft(weights: Weights) -> Built:
    model = craft.build_craft(parse_checkpoint(weights.read("craft_mlt_25k.pth")))
    check(model)
    data = serialise(model)
    return Built(
        slot=Slot.CRAFT,
        name="craft_mlt_25k",
        precision="fp32",
        opset=OPSET,
        inputs=(craft.INPUT,),
        outputs=(craft.OUTPUT,),
        origin=weights.origin("craft_mlt_25k.pth"),
        files={MODEL_FILE: data},
        details={"preprocessing": craft.PREPROCESSING, "parity": _parity(data)},
    )


def _build_recognizer(weights: Weights) -> Built:
    model = recognizer.build_recognizer(parse_checkpoint(weights.read("english_g2.pth")))
    check(model)
    data = serialise(model)
    return Built(
        slot=Slot.RECOGNIZER,
        name="english_g2",
        precision="fp32",
        opset=OPSET,
        inputs=(recognizer.INPUT,),
        outputs=(recognizer.OUTPUT,),
        origin=weights.origin("english_g2.pth"),
        files={MODEL_FILE: data},
        details={
            "preprocessing": recognizer.PREPROCESSING,
            "charset": recognizer.CHARSET,
            "parity": _parity(data),
        },
    )


def _parity(data: bytes) -> dict[str, float | int | str]:
    return measured(hashlib.sha256(data).hexdigest())


_BUILDERS: Final[Mapping[Slot, tuple[Release, Callable[[Weights], Built]]]] = {
    Slot.CRAFT: (EASYOCR, _build_craft),
    Slot.RECOGNIZER: (EASYOCR, _build_recognizer),
    Slot.DEIDENTIFIER: (RAMPART, build_rampart),
    Slot.PPOCR_DETECTOR: (RAPIDOCR, ppocr.build_detector),
    Slot.PPOCR_RECOGNIZER: (RAPIDOCR, ppocr.build_recognizer),
}
