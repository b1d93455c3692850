"""The models of an engine, and who of them looks when. Loads them; runs none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from typing import Final, TypeAlias

from cinescrub import __version__, bundle
from cinescrub.bundle import Contract, Precision, Slot, load_contract
from cinescrub.config import DetectorChoice, EngineConfig, Provider
from cinescrub.dicom.descriptors import NameModel
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.runtime.precision import choose
from cinescrub.runtime.providers import Device, installed_runtimes, load_runtime, resolve
from cinescrub.runtime.session import Model, open_session
from cinescrub.runtime.sharing import SharedModel
from cinescrub.stream import usable_cores
from cinescrub.text.dbnet import DbDetector, DbSettings
from cinescrub.text.deidentifier import Deidentifier, Scorer
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.looks import Detector, LookSettings, Sizes
from cinescrub.text.memory import LookMemory
from cinescrub.text.recognizer import Reader, Recognizer

__all__ = [
    "SIZES",
    "OpenModel",
    "chosen_contracts",
    "name_model",
    "open_inspector",
    "precision_of",
    "session_threads",
    "shared_by",
    "versions_of",
    "vocabulary_of",
]

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
SIZES: Final = {
    Slot.CRAFT: Sizes(plain=(1.0,), detail=(1.5,)),
    Slot.PPOCR_DETECTOR: Sizes(plain=(1.0, 1.5), detail=(1.0, 2.0)),
}
"""Chosen by what each finds that no other does (`docs/design/008-cost.md`)."""
_CHECK_SETTINGS: Final = DbSettings(threshold=0.3, box_threshold=0.5)
"""The published thresholds. The low ones of the first look take tissue for text here and there, and
in each size elsewhere: with them, a third of the real stills never passed the check."""


_JOINED_LINES: Final = 32
"""Lines of a joined run of a reader or of the token classifier, at most: two of their own."""
_NEVER_JOINED: Final = frozenset({Slot.PPOCR_RECOGNIZER})
"""Models whose results depend on the rows beside them, on the CPU by 3e-6: joined with another
cine's lines, what is read of one would depend on the others (`docs/design/008-cost.md`)."""
_ONE_AT_A_TIME: Final = frozenset({Provider.CUDA, Provider.TENSORRT})
"""Where one large run takes less than several small ones at once. A CPU takes the same time a row,
and each job brings a thread: there nobody waits."""
_MANY: Final = 1 << 10


def open_inspector(
    config: EngineConfig,
    open_model: OpenModel | None = None,
    *,
    memory: LookMemory | None = None,
) -> Inspector:
    """Load the models and put them behind the looks that the configuration asks for.

    Parameters
    ----------
    config : EngineConfig
        Models' folder, provider, precision, threads and choice of detectors.
    open_model : callable, optional
        How a model is loaded; default: `runtime.session.open_session` by the configuration, shared
        by all jobs (`runtime.sharing`).
    memory : LookMemory, optional
        Remembers what the models say, for all cines of the inspector; without it they are asked
        again about what they have seen.

    Raises
    ------
    ModelError
        A model is missing or differs from its contract, or a provider was not loaded.
    ConfigError
        The runtime is not installed.
    """
    threads = config.threads or session_threads(config.jobs)

    def by_config(slot: Slot) -> Model:
        session = open_session(
            config.models,
            slot,
            precision=precision_of(config, slot),
            provider=config.provider,
            threads=threads,
            device=Device(
                config.device_id,
                config.gpu_memory_mib,
                cache=config.engine_cache,
                graphs=config.cuda_graphs,
            ),
        )
        runs = 1 if session.provider in _ONE_AT_A_TIME else config.jobs
        return SharedModel(session, runs=runs, rows=_joined_rows(config, slot))

    def remembering(detector: CraftDetector | DbDetector, model: Model) -> Detector:
        if memory is None:
            return detector
        return memory.detector(detector, _name(detector, model, config))

    load = open_model or by_config
    craft, ppocr = load(Slot.CRAFT), load(Slot.PPOCR_DETECTOR)
    first = {
        Slot.CRAFT: remembering(CraftDetector(craft), craft),
        Slot.PPOCR_DETECTOR: remembering(DbDetector(ppocr), ppocr),
    }
    check = first | {Slot.PPOCR_DETECTOR: remembering(DbDetector(ppocr, _CHECK_SETTINGS), ppocr)}
    readers: list[Reader] = [
        Recognizer(load(Slot.RECOGNIZER)),
        Recognizer(load(Slot.PPOCR_RECOGNIZER)),
    ]
    scorer: Scorer = Deidentifier(load(Slot.DEIDENTIFIER), config.models)
    if memory is not None:
        readers = [memory.reader(reader) for reader in readers]
        scorer = memory.scorer(scorer)
    return Inspector(
        [first[slot] for slot in _FIRST[config.detector]],
        readers,
        scorer,
        checkers=[check[slot] for slot in _CHECK[config.detector]],
        looks=LookSettings(sizes=tuple(SIZES[slot] for slot in _FIRST[config.detector])),
    )


def _joined_rows(config: EngineConfig, slot: Slot) -> int:
    """Return how many rows of several callers a run has at most; 1 joins nothing."""
    if slot in _NEVER_JOINED:
        return 1
    return config.batch_frames if slot in _FIRST[DetectorChoice.BOTH] else _JOINED_LINES


def name_model(inspector: Inspector) -> NameModel:
    """Return what scores text of a header: the model that scores text of frames."""
    return lambda texts: [float(score) for score in inspector.deidentifier.score(texts)]


def vocabulary_of(config: EngineConfig) -> Vocabulary | None:
    """Return the vocabulary with the site's own terms, if it has any.

    Raises
    ------
    ConfigError
        Their file can't be read.
    """
    return None if config.vocabulary is None else Vocabulary.with_terms(config.vocabulary)


def shared_by(config: EngineConfig, processes: int) -> EngineConfig:
    """Return the settings of one of several processes that share this machine's cores and memory.

    Outputs are the same.

    Parameters
    ----------
    config : EngineConfig
        Settings; threads that it asks for are kept, the memory is that of all.
    processes : int
        How many they are.
    """
    threads = config.threads or max(1, usable_cores(_MANY) // processes)
    return replace(
        config,
        jobs=min(256, max(config.jobs, processes)),
        threads=threads,
        max_memory_mib=config.max_memory_mib and max(1, config.max_memory_mib // processes),
    )


def session_threads(jobs: int) -> int:
    """Return how many threads a model's pool gets, its caller counted, so that cores fit.

    Each job's thread computes in the model that it calls, and all share the model's pool: jobs and
    pools together are one a core. 0, for one job, leaves it to the runtime, which does the same.
    """
    return 0 if jobs == 1 else max(1, usable_cores(_MANY) - jobs + 1)


def versions_of(config: EngineConfig) -> dict[str, str]:
    """Return what a report says of the software: versions, and models by precision and hash."""
    models = chosen_contracts(config)
    return {
        "cinescrub": __version__,
        "pydicom": metadata.version("pydicom"),
        **installed_runtimes(),
        "precision": ", ".join(f"{slot} {model.precision}" for slot, model in models.items()),
        **{slot.value: model.files[bundle.MODEL_FILE] for slot, model in models.items()},
    }


def _name(detector: CraftDetector | DbDetector, model: Model, config: EngineConfig) -> str:
    """Return all that a detector's boxes depend on besides the pixels."""
    versions = {"cinescrub": __version__, "opencv": metadata.version("opencv-python-headless")}
    return repr(
        (
            sorted((versions | installed_runtimes()).items()),
            model.contract,
            detector.settings,
            config.provider.value,
        )
    )


def chosen_contracts(config: EngineConfig) -> dict[Slot, Contract]:
    """Return the contract of each slot's model that the configuration runs.

    Raises
    ------
    ModelError
        A model is missing, or a precision was asked for that the bundle lacks.
    """
    return {slot: load_contract(config.models, slot, precision_of(config, slot)) for slot in Slot}


def precision_of(config: EngineConfig, slot: Slot) -> Precision:
    """Return in which precision the configuration runs a slot's model.

    Raises
    ------
    ModelError
        The bundle lacks what was asked for.
    """
    provider = resolve(config.provider, load_runtime().get_available_providers())
    return choose(config.models, slot, config.precision, provider)
