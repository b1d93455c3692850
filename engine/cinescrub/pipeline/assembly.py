"""The models of an engine, and who of them looks when. Loads them; runs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from cinescrub.bundle import Slot
from cinescrub.config import DetectorChoice, EngineConfig
from cinescrub.runtime.precision import choose
from cinescrub.runtime.providers import load_runtime, resolve
from cinescrub.runtime.session import Model, open_session
from cinescrub.text.dbnet import DbDetector, DbSettings
from cinescrub.text.deidentifier import Deidentifier
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.looks import Detector
from cinescrub.text.recognizer import Recognizer

__all__ = ["OpenModel", "open_inspector", "open_models"]

OpenModel: TypeAlias = Callable[[Slot], Model]
"""Loads the model of a slot."""

_FIRST: Final = {
    DetectorChoice.CRAFT: (Slot.CRAFT,),
    DetectorChoice.PPOCR: (Slot.PPOCR_DETECTOR,),
    DetectorChoice.BOTH: (Slot.CRAFT, Slot.PPOCR_DETECTOR),
}
"""Who looks for text."""
_CHECK: Final = {
    DetectorChoice.CRAFT: (Slot.PPOCR_DETECTOR,),
    DetectorChoice.PPOCR: (Slot.CRAFT,),
    DetectorChoice.BOTH: (Slot.CRAFT, Slot.PPOCR_DETECTOR),
}
"""Who looks at the written file: the other one; where both looked, both in another size."""
_CHECK_SETTINGS: Final = DbSettings(threshold=0.3, box_threshold=0.5, looks=(1.0,))
"""The published thresholds. The low ones of the first look take tissue for text here and there, and
in each size elsewhere: with them, a third of the real stills never passed the check."""


def open_models(config: EngineConfig) -> dict[Slot, Model]:
    """Load every slot's model, in the precision that the configuration asks for.

    Raises
    ------
    ModelError
        A model is missing or differs from its contract, or a provider was not loaded.
    ConfigError
        The runtime is not installed.
    """
    provider = resolve(config.provider, load_runtime().get_available_providers())
    return {
        slot: open_session(
            config.models,
            slot,
            precision=choose(config.models, slot, config.precision, provider),
            provider=provider,
            threads=config.threads,
        )
        for slot in Slot
    }


def open_inspector(config: EngineConfig, open_model: OpenModel | None = None) -> Inspector:
    """Load the models and put them behind the looks that the configuration asks for.

    Parameters
    ----------
    config : EngineConfig
        Models' folder, provider, precision, threads and choice of detectors.
    open_model : callable, optional
        How a model is loaded; default: `open_models` by the configuration.

    Raises
    ------
    ModelError
        A model is missing or differs from its contract, or a provider was not loaded.
    ConfigError
        The runtime is not installed.
    """
    load = open_model or open_models(config).__getitem__
    craft, ppocr = CraftDetector(load(Slot.CRAFT)), load(Slot.PPOCR_DETECTOR)
    first: dict[Slot, Detector] = {Slot.CRAFT: craft, Slot.PPOCR_DETECTOR: DbDetector(ppocr)}
    check: dict[Slot, Detector] = first | {Slot.PPOCR_DETECTOR: DbDetector(ppocr, _CHECK_SETTINGS)}
    return Inspector(
        [first[slot] for slot in _FIRST[config.detector]],
        [Recognizer(load(Slot.RECOGNIZER)), Recognizer(load(Slot.PPOCR_RECOGNIZER))],
        Deidentifier(load(Slot.DEIDENTIFIER), config.models),
        checkers=[check[slot] for slot in _CHECK[config.detector]],
    )
