"""Measure the ranges of a model's activations on made frames, for its 8-bit variant.

Usage: ``python tools/make_ranges.py [--models DIR]`` with an exported bundle. A frame of each kind
of the accuracy suite, of seeds that no benchmark and no gate uses, in several sizes and as enlarged
as the engine's looks are; the engine's own detector cuts and pads them, the graph centres them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from cinescrub.bundle import MODEL_FILE, Contract, Slot, default_models_dir, folder_of, verify
from cinescrub.runtime.providers import load_runtime
from cinescrub.text.detector import CraftDetector
from cinescrub.types import Frame
from cinescrub_export.gate import shown_frames
from cinescrub_export.quantize import calibrated_tensors
from cinescrub_export.ranges import FILE, RECIPES

TARGET = Path(__file__).resolve().parents[1] / "export/cinescrub_export" / FILE
SEED = 5_000_000
SIZES = ((240, 320), (288, 384), (360, 480))
SCALES = (1.0, 1.0, 1.5, 1.25)


class Watched:
    """A model that notes the least and the greatest value of its tensors at each run."""

    def __init__(
        self, model: onnx.ModelProto, contract: Contract, tensors: tuple[str, ...]
    ) -> None:
        self.contract = contract
        self._tensors = tensors
        self._seen: dict[str, tuple[float, float]] = {}
        watched = onnx.ModelProto()
        watched.CopyFrom(model)
        for name, kind in itertools.product(tensors, ("ReduceMin", "ReduceMax")):
            output = f"{kind}_{name}"
            watched.graph.node.append(helper.make_node(kind, [name], [output], keepdims=0))
            watched.graph.output.append(
                helper.make_tensor_value_info(output, TensorProto.FLOAT, [])
            )
        self._native = load_runtime().InferenceSession(
            watched.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """Run the model and return its scores."""
        scores, *ends = self._native.run(None, dict(inputs))
        for name, low, high in zip(self._tensors, ends[::2], ends[1::2], strict=True):
            was = self._seen.get(name, (np.inf, -np.inf))
            self._seen[name] = min(was[0], float(low)), max(was[1], float(high))
        result: npt.NDArray[np.float32] = scores
        return result

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of each tensor so far."""
        return {name: (round(low, 5), round(high, 5)) for name, (low, high) in self._seen.items()}


def frames() -> Iterator[tuple[Frame, float]]:
    """Yield one frame of each kind and its enlargement; sizes and enlargements take turns."""
    kinds = zip(*(shown_frames(SEED + 100 * k, size=s) for k, s in enumerate(SIZES)), strict=True)
    for k, (shown, scale) in enumerate(zip(kinds, itertools.cycle(SCALES), strict=False)):
        yield shown[k % len(SIZES)].frame[None], scale


def main() -> None:
    """Measure and write the package data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=default_models_dir())
    options = parser.parse_args()
    contract = verify(options.models, Slot.CRAFT)
    model = onnx.load(folder_of(options.models, Slot.CRAFT) / MODEL_FILE)
    watched = Watched(model, contract, calibrated_tensors(model, kept=RECIPES[Slot.CRAFT].kept))
    count = 0
    for frame, scale in frames():
        CraftDetector(watched).detect(frame, scale=scale)
        count += 1
    measured = {
        Slot.CRAFT.value: {
            "weights": contract.origin.sha256,
            "frames": count,
            "tensors": watched.ranges,
        }
    }
    TARGET.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(f"{count} frames, {len(watched.ranges)} tensors: {TARGET}")


if __name__ == "__main__":
    main()
