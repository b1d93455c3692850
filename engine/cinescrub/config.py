"""Settings of a run: strict TOML and flags to one frozen value.

An unknown key is an error, never ignored: a misspelt safety setting must not pass silently.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cinescrub.bundle import default_engine_cache, default_models_dir
from cinescrub.errors import ConfigError
from cinescrub.kinds import Fill

__all__ = [
    "DetectorChoice",
    "EngineConfig",
    "InspectMode",
    "MaskScope",
    "OnDoubt",
    "Policy",
    "PrecisionChoice",
    "Provider",
    "engine_config",
    "load_config",
]


class Policy(StrEnum):
    """What happens to a line of burned-in text."""

    DEFAULT_DENY = "default-deny"
    """Redact everything that is not recognised as clinical."""
    PHI_ONLY = "phi-only"
    """Redact on positive evidence only."""
    ALL_TEXT = "all-text"
    """Redact every box of text."""


class Provider(StrEnum):
    """ONNX Runtime's execution provider, by the name of its flag."""

    AUTO = "auto"
    """CUDA where the installed runtime was built with it, OpenVINO likewise, else the CPU."""
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"


class PrecisionChoice(StrEnum):
    """In which precision models run that have variants (`bundle.VARIANTS`)."""

    AUTO = "auto"
    """What suits the machine, where the bundle has it and it lost nothing (`bundle.Gate`)."""
    FP32 = "fp32"
    """As published."""
    FP16 = "fp16"
    INT8 = "int8"


class DetectorChoice(StrEnum):
    """Which detectors look for text. The other one, if there is one, checks the written file."""

    CRAFT = "craft"
    PPOCR = "ppocr"
    BOTH = "both"
    """What either finds: their misses differ. The check then looks with both, in another size."""


class InspectMode(StrEnum):
    """Which frames are looked at."""

    ADAPTIVE = "adaptive"
    """Each new piece of overlay once, in the frame where it is new (`text.novelty`)."""
    EVERY_FRAME = "every-frame"
    """Every frame whose pixels are new."""


class MaskScope(StrEnum):
    """In which frames a redacted place is filled."""

    CINE = "cine"
    """In all of them: what is seen in the last frame is gone from the first."""
    INTERVAL = "interval"
    """Where nothing moves, from the last look that did not find it to the next that does not;
    elsewhere in all frames (`pipeline.intervals`)."""


class OnDoubt(StrEnum):
    """What happens to a file whose text is out of the ordinary (`text.doubt`)."""

    REDACT = "redact"
    """Redact by the policy, as any other file."""
    QUARANTINE = "quarantine"
    """Give no output: a person is to look."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything that changes what the engine does."""

    models: Path = field(default_factory=default_models_dir)
    """Folder of the bundle."""
    key_file: Path | None = None
    """Secret of the pseudonyms; None is the user's config folder, created on first use."""
    policy: Policy = Policy.DEFAULT_DENY
    vocabulary: Path | None = None
    """File with clinical terms of the site, added to the vocabulary; one a line."""
    detector: DetectorChoice = DetectorChoice.BOTH
    inspect: InspectMode = InspectMode.ADAPTIVE
    mask_scope: MaskScope = MaskScope.CINE
    on_doubt: OnDoubt = OnDoubt.REDACT
    ink_rule: bool = True
    """Whether text-sized ink outside of the sector counts as text that no detector found, and bar
    codes and matrix codes go. Never under `phi-only`, which redacts on evidence alone."""
    blank_outside_sector: bool = False
    """Fill everything outside of the sector. A file without a known sector is refused."""
    provider: Provider = Provider.AUTO
    precision: PrecisionChoice = PrecisionChoice.AUTO
    device_id: int = 0
    """Which GPU, as CUDA counts them."""
    gpu_memory_mib: int = 0
    """The most GPU memory that one model's arena takes; 0 is no limit."""
    cuda_graphs: bool = False
    """Replay a model's work on the GPU as one graph where a shape of input is seen again. CUDA
    alone; no two models run at once then (`runtime.binding`)."""
    engine_cache: Path = field(default_factory=default_engine_cache)
    """Folder of what TensorRT compiles of the models; made when it needs it."""
    fill: Fill = Fill.BLACK
    """What redacted rectangles are filled with."""
    threads: int = 0
    """Threads inside a model run; 0 lets the runtime take one a core."""
    jobs: int = 1
    """Inputs that are worked on at once; each takes memory of its own."""
    max_memory_mib: int = 0
    """The most resident memory of the process, by measured needs (`pipeline.admission`): inputs
    wait for room, and those that alone need more are refused. 0 is no limit."""
    batch_frames: int = 4
    """Frames a detector batch, at most; large frames go in smaller batches (`text.detector`)."""
    detail_frames: int = 0
    """Frames of a cine that are inspected whole for small text too, spread from the first to the
    last. The averages over time always are, and so is what is new in a part of a frame; in the
    first frame, what the first average does not show."""
    verify_frames: int = 3
    """Frames of the written file that are inspected again, spread likewise: the middle one whole,
    the others where they show something else beside moving tissue. All frames are compared pixel
    for pixel with the plan, whatever this says."""
    verify_rounds: int = 5
    """How often residual text may be added to the plan and the file written anew before it is
    quarantined."""

    reuse: bool = True
    """Ask the models about the same pixels once (`text.memory`). Outputs are the same without, but
    every run of a file costs what the first does: for benchmarks."""
    state: Path | None = None
    """Folder that keeps, from run to run, what was looked at and which inputs are done: keyed
    hashes and boxes, no pixels, no text (`pipeline.state`). None keeps nothing."""
    resume: bool = False
    """Skip inputs that `state` says are done and whose output is there unchanged."""
    profile: str = "basic"
    """What happens to header elements: a ready profile, or a TOML file."""
    options: tuple[str, ...] = ()
    """Options of PS3.15 E.3 by name, added to the profile's own."""

    def __post_init__(self) -> None:
        # Words and paths may come as strings. One that is no choice must not pass for the default.
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                object.__setattr__(self, each.name, _coerce(each.name, value))
        for name, low, high in (
            ("threads", 0, 1024),
            ("jobs", 1, 256),
            ("max_memory_mib", 0, 2**24),
            ("device_id", 0, 1024),
            ("gpu_memory_mib", 0, 2**20),
            ("batch_frames", 1, 256),
            ("detail_frames", 0, 1024),
            ("verify_frames", 1, 1024),
            ("verify_rounds", 1, 16),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}: give a number from {low} to {high}")
        if self.cuda_graphs and self.provider not in {Provider.AUTO, Provider.CUDA}:
            raise ConfigError(f"cuda_graphs needs provider cuda, not {self.provider}")
        if self.resume and self.state is None:
            raise ConfigError("resume needs the state of the run before: name its folder")


def load_config(path: Path | None, **flags: Any) -> EngineConfig:
    """Read a TOML file, if any, and lay the flags that were given over it.

    Parameters
    ----------
    path : Path or None
        Configuration file; keys are the fields of `EngineConfig`.
    **flags
        Fields by name; None means that the flag was not given.

    Raises
    ------
    ConfigError
        The file can't be read, has an unknown key, or a value has the wrong type or range.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"configuration {path} can't be read") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"configuration {path} is not TOML: {error}") from error
    return engine_config(values | {k: v for k, v in flags.items() if v is not None})


def engine_config(values: Mapping[str, Any]) -> EngineConfig:
    """Return settings by their names, as a file has them.

    Raises
    ------
    ConfigError
        A name is unknown, or a value has the wrong type or range.
    """
    known = [f.name for f in fields(EngineConfig)]
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(f"unknown setting {', '.join(unknown)}: known are {', '.join(known)}")
    try:
        return EngineConfig(**values)
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"a setting has the wrong type: {error}") from error


_CHOICES: Final[dict[str, type[StrEnum]]] = {
    "policy": Policy,
    "provider": Provider,
    "precision": PrecisionChoice,
    "detector": DetectorChoice,
    "inspect": InspectMode,
    "mask_scope": MaskScope,
    "on_doubt": OnDoubt,
    "fill": Fill,
}
_PATHS: Final = frozenset({"models", "key_file", "vocabulary", "state", "engine_cache"})
_PLAIN: Final[dict[str, tuple[type, str]]] = {
    "ink_rule": (bool, "true or false"),
    "resume": (bool, "true or false"),
    "reuse": (bool, "true or false"),
    "blank_outside_sector": (bool, "true or false"),
    "cuda_graphs": (bool, "true or false"),
    "profile": (str, "a name or a file"),
}
"""All others are whole numbers."""


def _coerce(name: str, value: Any) -> Any:
    """Bring a TOML value to the type of its field."""
    if name == "options":
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ConfigError("options is a list of names")
        return tuple(value)
    if name in _CHOICES:
        choices = _CHOICES[name]
        if value not in tuple(choices):
            raise ConfigError(f"{name}: choose {', '.join(choices)}")
        return choices(value)
    if name in _PATHS:
        return Path(value).expanduser()
    kind, what = _PLAIN.get(name, (int, "a whole number"))
    if type(value) is not kind:  # exactly: true is an int of Python's, too
        raise ConfigError(f"{name} is {what}")
    return value
