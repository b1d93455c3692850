"""Settings of a run: strict TOML and flags to one frozen value.

An unknown key is an error, never ignored: a misspelt safety setting must not pass silently.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cinescrub.bundle import default_models_dir
from cinescrub.errors import ConfigError
from cinescrub.types import Fill

__all__ = ["EngineConfig", "Policy", "Provider", "load_config"]


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


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything that changes what the engine does."""

    models: Path = field(default_factory=default_models_dir)
    """Folder of the bundle."""
    key_file: Path | None = None
    """Secret of the pseudonyms; None is the user's config folder, created on first use."""
    policy: Policy = Policy.DEFAULT_DENY
    provider: Provider = Provider.AUTO
    fill: Fill = Fill.BLACK
    """What redacted rectangles are filled with."""
    threads: int = 0
    """Threads inside a model run; 0 lets the runtime take one a core."""
    batch_frames: int = 4
    """Frames a detector batch, at most; large frames go in smaller batches (`text.detector`)."""
    detail_frames: int = 3
    """Frames of a cine that are also inspected enlarged, spread from the first to the last."""
    verify_frames: int = 3
    """Frames of the written file that are inspected again, spread likewise. All frames are
    compared pixel for pixel with the plan, whatever this says."""
    verify_rounds: int = 3
    """How often residual text may be added to the plan and the file written anew before it is
    quarantined."""

    profile: str = "basic"
    """What happens to header elements: a ready profile, or a TOML file."""
    options: tuple[str, ...] = ()
    """Options of PS3.15 E.3 by name, added to the profile's own."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("threads", 0, 1024),
            ("batch_frames", 1, 256),
            ("detail_frames", 1, 1024),
            ("verify_frames", 1, 1024),
            ("verify_rounds", 1, 16),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}: give a number from {low} to {high}")


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
    values |= {name: value for name, value in flags.items() if value is not None}
    known = [f.name for f in fields(EngineConfig)]
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(f"unknown setting {', '.join(unknown)}: known are {', '.join(known)}")
    try:
        return replace(EngineConfig(), **{k: _coerce(k, v) for k, v in values.items()})
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"a setting has the wrong type: {error}") from error


def _coerce(name: str, value: Any) -> Any:
    """Bring a TOML value to the type of its field."""
    if name == "options":
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ConfigError("options is a list of names")
        return tuple(value)
    if name == "profile":
        if not isinstance(value, str):
            raise ConfigError("profile is a name or a file")
        return value
    if name in {"models", "key_file"}:
        return Path(value).expanduser()
    for setting, choices in (("policy", Policy), ("provider", Provider), ("fill", Fill)):
        if name == setting:
            if value not in tuple(choices):
                raise ConfigError(f"{name}: choose {', '.join(choices)}")
            return choices(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} is a whole number")
    return value
