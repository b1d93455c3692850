"""What a builder hands to `api`: a model's files and the contract fields that describe them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from cinescrub.bundle import Contract, Origin, Slot, TensorSpec

__all__ = ["Built", "opset_of", "serialise"]


@dataclass(frozen=True, slots=True)
class Built:
    """A model ready to be written; nothing is on disk yet."""

    slot: Slot
    name: str
    precision: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    origin: Origin
    files: Mapping[str, bytes] = field(repr=False)
    """Name in the slot's folder to content; `model.onnx` first."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the contract: `preprocessing`, `charset`, `labels`, `phi`, `parity`,
    `gate`."""

    def contract(self) -> Contract:
        """Return the contract, with the hash of every file."""
        return Contract(
            slot=self.slot,
            name=self.name,
            precision=self.precision,
            opset=self.opset,
            inputs=self.inputs,
            outputs=self.outputs,
            files={name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()},
            origin=self.origin,
            **self.details,
        )


def serialise(model: onnx.ModelProto) -> bytes:
    """Return the model's bytes; the same model gives the same bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operators that the model uses."""
    return max(int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx"))
