"""What an exported model promises: the one thing that the engine and the export package share.

A bundle is a folder with one folder a slot (`craft`, `recognizer`, ...; see `Slot`), each holding
`model.onnx`, `contract.json` and any further file the contract names. Beside it, a slot may have
the same network in another precision (`craft-int8`; see `Precision`). Nothing is loaded whose hash
differs from its contract. This module reads and checks contracts; it runs no model.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import platformdirs

from cinescrub.errors import ModelError
from cinescrub.kinds import PhiKind

__all__ = [
    "CONTRACT_FILE",
    "MODEL_FILE",
    "VARIANTS",
    "Contract",
    "Gate",
    "Origin",
    "Precision",
    "Slot",
    "TensorSpec",
    "default_engine_cache",
    "default_models_dir",
    "folder_of",
    "listed",
    "load_contract",
    "save_contract",
    "sha256_of",
    "verify",
]

CONTRACT_FILE: Final = "contract.json"
MODEL_FILE: Final = "model.onnx"
SCHEMA: Final = 1


class Slot(StrEnum):
    """A place in the engine that a model fits; also the name of its folder and export command."""

    CRAFT = "craft"
    """Text detector: uint8 `(N, H, W, C)` to float32 score maps `(N, H/2, W/2, 2)`."""
    RECOGNIZER = "recognizer"
    """Text recogniser: uint8 `(N, 64, W, 1)` to float32 logits `(N, T, classes)`. Height and
    padding are its contract's, so another recogniser fits."""
    DEIDENTIFIER = "deidentifier"
    """Token classifier: int64 `(B, T)` to float32 logits `(B, T, labels)`."""
    PPOCR_DETECTOR = "ppocr-detector"
    """Second text detector: uint8 `(N, H, W, C)` to float32 score maps `(N, H, W, 1)`."""
    PPOCR_RECOGNIZER = "ppocr-recognizer"
    """Second recogniser: uint8 `(N, 48, W, 1)` to float32 probabilities `(N, T, classes)`."""


class Precision(StrEnum):
    """Which of a slot's models: the one as published, or a variant made of it."""

    FP32 = "fp32"
    """The network in the precision it was published in. Folder: the slot's name."""
    FP16 = "fp16"
    """Half-precision weights and arithmetic, for GPUs; inputs and outputs stay as they are."""
    INT8 = "int8"
    """8-bit weights and activations in the layers that bear it."""


VARIANTS: Final[Mapping[Precision, tuple[Slot, ...]]] = MappingProxyType(
    {
        Precision.FP32: (),
        Precision.FP16: (
            Slot.CRAFT,
            Slot.RECOGNIZER,
            Slot.PPOCR_DETECTOR,
            Slot.PPOCR_RECOGNIZER,
        ),
        Precision.INT8: (Slot.CRAFT,),
    }
)
"""Slots that have a variant; the others run as published whatever is asked for
(`docs/design/005-precision.md` says what was tried)."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a variant was seen to find of what the model finds that it was made of."""

    base: str
    """SHA-256 of that model's `model.onnx`."""
    frames: int
    """Made frames that both looked at."""
    items: int
    """Texts in them that the base finds, each counted once a look."""
    lost: int
    """How many of these the variant does not find."""
    gained: int
    """How many others it finds."""

    @property
    def passed(self) -> bool:
        """Whether there was something to find, and nothing of it was lost."""
        return self.items > 0 and self.lost == 0


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, dtype and shape of one input or output."""

    name: str
    dtype: str
    """NumPy name, e.g. `uint8`."""
    shape: tuple[int | str, ...]
    """A number is fixed; a name is dynamic."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the weights come from."""

    package: str
    """Distribution name and version, or `folder`."""
    file: str
    sha256: str
    licence: str
    """As far as its publisher states it."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The promise of one exported model."""

    slot: Slot
    name: str
    """The model, e.g. `craft_mlt_25k`."""
    precision: str
    """`fp32`, `fp16`, `int8`, `q4`."""
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    files: dict[str, str]
    """File name in the folder to sha256, `model.onnx` first."""
    origin: Origin
    preprocessing: dict[str, float | int | str] = field(default_factory=dict)
    """Constants of the pre-processing that is in the graph or expected before it."""
    charset: str = ""
    """Recogniser: the characters of classes 1..n; class 0 is the CTC blank."""
    labels: tuple[str, ...] = ()
    """Token classifier: label of each class."""
    phi: dict[str, PhiKind] = field(default_factory=dict)
    """Token classifier: every label to the kind of PHI it stands for, `none` included."""
    parity: dict[str, float | int | str] = field(default_factory=dict)
    """What the exporter measured against the reference, and on what."""
    gate: Gate | None = None
    """Variant: what it was measured to find of its base. No variant is loaded that lost any."""
    schema: int = SCHEMA

    @property
    def folder(self) -> str:
        """Name of the folder in a bundle: the slot's, and of a variant its precision."""
        return folder_of(Path(), self.slot, self.variant).name

    @property
    def variant(self) -> Precision:
        """Which of the slot's models this is. As published may mean 4-bit weights."""
        return next((each for each in VARIANTS if each == self.precision), Precision.FP32)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ModelError(
                f"contract schema {self.schema} is not {SCHEMA}: run `cinescrub export all` again"
            )
        if MODEL_FILE not in self.files:
            raise ModelError(f"contract of {self.slot} names no {MODEL_FILE}")
        for name in self.files:
            if name != Path(name).name or name.startswith("."):
                raise ModelError(f"contract of {self.slot} names a file outside of its folder")
        missing = set(self.labels) ^ set(self.phi)
        if missing:
            raise ModelError(
                f"contract of {self.slot}: labels without a PHI kind, or kinds without a label: "
                f"{', '.join(sorted(missing))}"
            )


def default_models_dir() -> Path:
    """Return the user's cache folder for models on this platform."""
    return _user_cache() / "models"


def default_engine_cache() -> Path:
    """Return the user's cache folder for what providers compile of models."""
    return _user_cache() / "engines"


def _user_cache() -> Path:
    return Path(platformdirs.user_cache_dir("cinescrub", appauthor=False))


def folder_of(models: Path, slot: Slot, precision: Precision = Precision.FP32) -> Path:
    """Return where a bundle holds a slot's model."""
    return models / (slot if precision is Precision.FP32 else f"{slot}-{precision}")


def listed(models: Path) -> list[tuple[Slot, Precision]]:
    """Return every slot, and behind each the variants that the bundle has."""
    return [
        (slot, precision)
        for slot in Slot
        for precision in Precision
        if precision is Precision.FP32 or folder_of(models, slot, precision).is_dir()
    ]


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_contract(folder: Path, contract: Contract) -> None:
    """Write `contract.json` aside and rename it into `folder`."""
    text = json.dumps(asdict(contract), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    aside = folder / f".{CONTRACT_FILE}.{os.getpid()}"
    aside.write_text(text, encoding="utf-8")
    aside.replace(folder / CONTRACT_FILE)


def load_contract(models: Path, slot: Slot, precision: Precision = Precision.FP32) -> Contract:
    """Read the contract of a slot, refusing anything it does not know.

    Parameters
    ----------
    models : Path
        The bundle's folder.
    slot : Slot
        Which model.
    precision : Precision
        Which of its variants.

    Raises
    ------
    ModelError
        The contract is missing, unreadable, of another schema, slot or precision, or has an
        unknown key.
    """
    path = folder_of(models, slot, precision) / CONTRACT_FILE
    again = _command(slot, precision)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        variant = "" if precision is Precision.FP32 else f" --precision {precision}"
        raise ModelError(
            f"no {path.parent.name} model in {models}: run `cinescrub export all{variant}`"
            f" (needs `pip install cinescrub[export]`) or point --models to a bundle"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: run `{again}` again") from error
    try:
        contract = _parse(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a contract: run `{again}`") from error
    if contract.slot is not slot:
        raise ModelError(f"{path} is a contract for {contract.slot}, not {slot}")
    if precision is not Precision.FP32 and contract.precision != precision:
        raise ModelError(f"{path} is a contract for {contract.precision}, not {precision}")
    return contract


def verify(models: Path, slot: Slot, precision: Precision = Precision.FP32) -> Contract:
    """Load a contract and check every file's hash against it.

    Raises
    ------
    ModelError
        As `load_contract`; or a file is missing or its hash differs.
    """
    contract = load_contract(models, slot, precision)
    again = _command(slot, precision)
    for name, expected in contract.files.items():
        path = folder_of(models, slot, precision) / name
        try:
            actual = sha256_of(path)
        except OSError as error:
            raise ModelError(f"{path} is missing: run `{again}` again") from error
        if actual != expected:
            raise ModelError(f"{path} differs from its contract: run `{again}` again")
    return contract


def _command(slot: Slot, precision: Precision) -> str:
    """Return the command that makes a model."""
    variant = "" if precision is Precision.FP32 else f" --precision {precision}"
    return f"cinescrub export {slot}{variant}"


def _parse(raw: Any) -> Contract:
    """Build a contract from parsed JSON; a wrong shape ends as KeyError, TypeError, ValueError."""
    unknown = set(raw) - {f.name for f in fields(Contract)}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    values = dict(raw)
    values["slot"] = Slot(raw["slot"])
    values["inputs"] = tuple(_tensor(t) for t in raw["inputs"])
    values["outputs"] = tuple(_tensor(t) for t in raw["outputs"])
    values["origin"] = Origin(**raw["origin"])
    values["gate"] = None if raw.get("gate") is None else Gate(**raw["gate"])
    values["labels"] = tuple(raw.get("labels", ()))
    values["phi"] = {label: PhiKind(kind) for label, kind in raw.get("phi", {}).items()}
    return Contract(**values)


def _tensor(raw: Any) -> TensorSpec:
    return TensorSpec(name=raw["name"], dtype=raw["dtype"], shape=tuple(raw["shape"]))
