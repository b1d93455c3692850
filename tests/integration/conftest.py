"""An engine whose models are fakes: text is what shines, and all of it is one odd word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.config import EngineConfig
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.kinds import Location
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport
from cinescrub.runtime.session import Model
from cinescrub.stream import CancelToken
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.recognizer import Recognizer

KEY = bytes(range(32))


def _contract(slot: Slot, name: str, dtype: str, charset: str = "") -> Contract:
    return Contract(
        slot=slot,
        name=name,
        precision="fp32",
        opset=17,
        inputs=(TensorSpec("x", dtype, ("N",)),),
        outputs=(TensorSpec("y", "float32", ("N",)),),
        files={MODEL_FILE: "0"},
        origin=Origin("test", "none", "0", "none"),
        charset=charset,
    )


class ShineDetector:
    """A detector whose text score is 1 where a pixel is rather white."""

    contract = _contract(Slot.CRAFT, "shine", "uint8")

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        frames = inputs["x"].min(axis=-1)
        n, rows, columns = frames.shape
        cells = frames.reshape(n, rows // 2, 2, columns // 2, 2).max(axis=(2, 4))
        score = (cells > 150).astype(np.float32)
        return np.stack([score, np.zeros_like(score)], axis=-1)


class Stammerer:
    """A recogniser that reads the same odd word everywhere: default deny redacts every box."""

    contract = _contract(Slot.RECOGNIZER, "stammerer", "uint8", charset="Q")

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        logits = np.zeros((len(inputs["x"]), 3, 2), np.float32)
        logits[..., (0, 1, 2), (1, 0, 1)] = 9.0  # Q, blank, Q
        return logits


class Indifferent:
    """A token classifier that calls nothing PHI."""

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros(len(texts), np.float32)


class Silent:
    """An observer that remembers which stages it was told of."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[int, int]] = {}
        """Frames that are done, and of how many, by stage."""

    def begins(self, source: Location) -> None:
        self.stages.clear()

    def frames(self, stage: str, done: int, total: int) -> None:
        self.stages[stage] = (done, total)


def make_engine(
    config: EngineConfig | None = None, *, share: Callable[[Model], Model] = lambda model: model
) -> Engine:
    inspector = Inspector(
        [CraftDetector(share(ShineDetector()))],
        [Recognizer(share(Stammerer()))],
        Indifferent(),
    )
    # Without the ink rule, which has tests of its own: here all that shines is text.
    config = config or EngineConfig(ink_rule=False)
    return Engine(config, inspector, Pseudonyms(KEY), basic_profile())


Run = Callable[..., FileReport]


@pytest.fixture
def run_engine(tmp_path: Path) -> Run:
    """Run one file through the engine of fakes into `tmp_path / out`."""
    targets = Targets.open(tmp_path / "out", [])

    def run(path: Path, **options: Any) -> FileReport:
        engine: Engine = options.pop("engine", None) or make_engine()
        return engine.run(
            path,
            options.pop("targets", targets),
            token=options.pop("token", CancelToken()),
            observer=options.pop("observer", Silent()),
        )

    return run
