"""Which sizes detectors see where each new one costs something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.integration.conftest import _contract

from cinescrub.bundle import Slot
from cinescrub.config import EngineConfig
from cinescrub.pipeline import assembly
from cinescrub.text.looks import Detector

_STRIDE = {Slot.CRAFT: 2, Slot.PPOCR_DETECTOR: 1}


class _Blind:
    """A detector's model that sees nothing and notes what it was shown."""

    def __init__(self, slot: Slot) -> None:
        self.contract = _contract(slot, "frames", "uint8", charset="A")
        self.seen: list[tuple[int, ...]] = []

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        (frames,) = inputs.values()
        self.seen.append(frames.shape[1:3])
        stride = _STRIDE[self.contract.slot]
        return np.zeros((len(frames), *(side // stride for side in frames.shape[1:3]), 2), "f4")


@pytest.mark.parametrize(
    ("graphs", "seen"),
    [
        (False, {Slot.CRAFT: (48, 80), Slot.PPOCR_DETECTOR: (64, 96)}),
        (True, {Slot.CRAFT: (128, 128), Slot.PPOCR_DETECTOR: (128, 128)}),
    ],
)
def test_sides_are_rounded_up_further_under_cuda_graphs(
    monkeypatch: pytest.MonkeyPatch, graphs: bool, seen: dict[Slot, tuple[int, int]]
) -> None:
    models: dict[Slot, _Blind] = {}
    detectors: list[Detector] = []

    def take(first: list[Detector], *_: Any, checkers: list[Detector], **__: Any) -> None:
        detectors.extend([*first, *checkers])

    monkeypatch.setattr(assembly, "Deidentifier", lambda *_: None)
    monkeypatch.setattr(assembly, "Inspector", take)
    assembly.open_inspector(
        EngineConfig(cuda_graphs=graphs), lambda slot: models.setdefault(slot, _Blind(slot))
    )

    for detector in detectors:
        detector.detect(np.zeros((1, 33, 65, 1), np.uint8))

    assert {slot: set(models[slot].seen) for slot in seen} == {
        slot: {size} for slot, size in seen.items()
    }
    assert len(detectors) == 2 * len(seen)
