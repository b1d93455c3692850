"""How a slot's 8-bit variant is made: what calibration saw, and what measurement made of it.

The weights are pinned, so the ranges of their activations are a fact about them, measured once
(`tools/make_ranges.py`) and not on every machine anew: an export takes no calibration and gives the
same bytes everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from cinescrub.bundle import Slot
from cinescrub.errors import ModelError
from cinescrub_export.quantize import Ranges

__all__ = ["FILE", "RECIPES", "Recipe", "ranges_of"]

FILE: Final = "ranges.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `docs/design/005-precision.md` found to hold for a slot."""

    kept: int
    """Convolutions at the end of the graph that stay in 32 bits: they make scores."""
    raised: float
    """What is added to the first score, so that rounding loses no text that lies at a threshold."""


RECIPES: Final[dict[Slot, Recipe]] = {Slot.CRAFT: Recipe(kept=3, raised=0.05)}


def ranges_of(slot: Slot, weights: str) -> Ranges:
    """Return a slot's ranges.

    Parameters
    ----------
    slot : Slot
        Which model.
    weights : str
        SHA-256 of the published weights that it was built from.

    Raises
    ------
    ModelError
        None were measured with these weights.
    """
    text = resources.files("cinescrub_export").joinpath(FILE).read_text(encoding="utf-8")
    measured: dict[str, Any] = json.loads(text).get(slot, {})
    if measured.get("weights") != weights:
        raise ModelError(f"{slot} has no calibrated ranges for these weights: export fp32 only")
    return {name: (float(low), float(high)) for name, (low, high) in measured["tensors"].items()}
