"""One model, one batch, one number of threads: milliseconds of the clock and of all cores.

Inputs are seeded noise of the contract's shapes: what a network costs does not depend on what it
sees. What is in the graph is measured; what comes before and after it in the engine is not.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinescrub.bench.memory import peak_mib
from cinescrub.bench.results import Scalar
from cinescrub.bench.trials import Stopwatch, Trial
from cinescrub.bundle import Contract, Precision, Slot
from cinescrub.config import Provider
from cinescrub.runtime.session import open_session

__all__ = ["RunModel"]

_SEED: Final = 1
_COLOURS: Final = 3
_LINE_PX: Final = 320
"""Width of a line for a recogniser: a name and a date."""
_TOKENS: Final = 16
"""Of a line of text."""


@dataclass(frozen=True, slots=True)
class RunModel:
    """Load a model, run it once to warm up, then `runs` times."""

    models: Path
    slot: Slot
    precision: Precision
    provider: Provider
    threads: int
    batch: int
    rows: int
    columns: int
    """Size of a frame; detectors only."""
    runs: int

    def __call__(self, begun: float) -> Trial:
        """Tell medians of the runs."""
        with Stopwatch() as loading:
            session = open_session(
                self.models,
                self.slot,
                precision=self.precision,
                provider=self.provider,
                threads=self.threads,
            )
        loaded, given = peak_mib(), self._inputs(session.contract)
        session.run(given)
        first = time.perf_counter() - begun
        spent = []
        for _ in range(self.runs):
            with Stopwatch() as watch:
                session.run(given)
            spent.append(watch)
        wall = 1e3 * statistics.median(each.wall for each in spent)
        cpu = 1e3 * statistics.median(each.cpu for each in spent)
        figures = {
            "wall_ms": wall,
            "wall_item_ms": wall / self.batch,
            "cpu_ms": cpu,
            "cpu_item_ms": cpu / self.batch,
            "load_s": loading.wall,
            "first_output_s": first,
            "loaded_mib": loaded,
            "peak_mib": peak_mib(),
        }
        facts: dict[str, Scalar] = {
            "model": session.contract.name,
            "precision": str(session.contract.precision),
            "provider": str(session.provider),
            "input": "x".join(map(str, next(iter(given.values())).shape)),
        }
        return Trial(figures, facts)

    def _inputs(self, contract: Contract) -> dict[str, npt.NDArray[Any]]:
        """Return an array for each input, of what its dynamic axes mean in `bundle.Slot`.

        Frames are as large as the detector's contract wants them, which the engine pads them to.
        """
        detector = self.slot in (Slot.CRAFT, Slot.PPOCR_DETECTOR)
        multiple = int(contract.preprocessing.get("side_multiple", 1))
        height, width = (-(-side // multiple) * multiple for side in (self.rows, self.columns))
        axes = {
            "N": self.batch,
            "B": self.batch,
            "H": height,
            "W": width if detector else _LINE_PX,
            "C": _COLOURS,
            "T": _TOKENS,
        }
        draw = np.random.default_rng(_SEED)
        given: dict[str, npt.NDArray[Any]] = {}
        for spec in contract.inputs:
            shape = [axes[axis] if isinstance(axis, str) else axis for axis in spec.shape]
            if spec.dtype == "uint8":
                given[spec.name] = draw.integers(0, 256, shape, np.uint8)
            else:  # token ids, of which 1 is in every vocabulary, and masks
                given[spec.name] = np.ones(shape, np.dtype(spec.dtype))
        return given
