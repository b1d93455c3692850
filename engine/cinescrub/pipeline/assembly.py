"""The models of an engine, and who of them looks when. Loads them; runs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from cinescrub.bundle import Contract, Precision, Slot, load_contract
from cinescrub.config import DetectorChoice, EngineConfig
from cinescrub.runtime.precision import choose
from cinescrub.runtime.providers import Device, load_runtime, resolve
from cinescrub.runtime.session import Model, open_session
from cinescrub.text.dbnet import DbDetector, DbSettings
from cinescrub.text.deidentifier import Deidentifier
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.looks import Detector
from cinescrub.text.recognizer import Recognizer

__all__ = ["OpenModel", "chosen_contracts", "open_inspector"]

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


def open_inspector(config: EngineConfig, open_model: OpenModel | None = None) -> Inspector:
    """Load the models and put them behind the looks that the configuration asks for.

    Parameters
    ----------
    config : EngineConfig
        Models' folder, provider, precision, threads and choice of detectors.
    open_model : callable, optional
        How a model is loaded; default: `runtime.session.open_session` by the configuration.

    Raises
    ------
    ModelError
        A model is missing or differs from its contract, or a provider was not loaded.
    ConfigError
        The runtime is not installed.
    """

    def by_config(slot: Slot) -> Model:
        return open_session(
            config.models,
            slot,
            precision=_precision(config, slot),
            provider=config.provider,
            threads=config.threads,
            device=Device(config.device_id, config.gpu_memory_mib, cache=config.engine_cache),
        )

    load = open_model or by_config
    craft, ppocr = CraftDetector(load(Slot.CRAFT)), load(Slot.PPOCR_DETECTOR)
    first: dict[Slot, Detector] = {Slot.CRAFT: craft, Slot.PPOCR_DETECTOR: DbDetector(ppocr)}
    check: dict[Slot, Detector] = first | {Slot.PPOCR_DETECTOR: DbDetector(ppocr, _CHECK_SETTINGS)}
    return Inspector(
        [first[slot] for slot in _FIRST[config.detector]],
        [Recognizer(load(Slot.RECOGNIZER)), Recognizer(load(Slot.PPOCR_RECOGNIZER))],
        Deidentifier(load(Slot.DEIDENTIFIER), config.models),
        checkers=[check[slot] for slot in _CHECK[config.detector]],
    )


def chosen_contracts(config: EngineConfig) -> dict[Slot, Contract]:
    """Return the contract of each slot's model that the configuration runs.

    Raises
    ------
    ModelError
        A model is missing, or a precision was asked for that the bundle lacks.
    """
    return {slot: load_contract(config.models, slot, _precision(config, slot)) for slot in Slot}


def _precision(config: EngineConfig, slot: Slot) -> Precision:
    provider = resolve(config.provider, load_runtime().get_available_providers())
    return choose(config.models, slot, config.precision, provider)
