"""The cines that accuracy is measured on: looks, tiers and dynamics, from a few seeds.

Data only; a case is a name and a spec.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cinescrub.testing.spec import CineSpec, Dynamic, Photometric, Syntax, Tier, VendorLook

__all__ = ["TIERS", "Case", "accuracy_suite"]

TIERS: Final = (
    Tier("clean"),
    Tier("jpeg-95", jpeg_quality=95),
    Tier("jpeg-70", jpeg_quality=70),
    Tier("jpeg-30", jpeg_quality=30),
    Tier("blur", blur_px=1.2),
    Tier("low-contrast", contrast=40),
    Tier("noise", noise=12.0),
    Tier("small-font", text_px=8),
    Tier("large-font", text_px=24),
)
"""How hard it is made to read."""

_ROTATIONS: Final = (0, 90, 180, 270)


@dataclass(frozen=True, slots=True)
class Case:
    """One cine of the suite."""

    name: str
    group: str
    """What it is counted under: a tier's or a dynamic's name."""
    spec: CineSpec


def accuracy_suite(
    seeds: int, *, frames: int = 12, rows: int = 480, columns: int = 640
) -> tuple[Case, ...]:
    """Return the suite.

    Parameters
    ----------
    seeds : int
        Cines of each tier, dynamic and rotation; the looks take turns.
    frames, rows, columns : int
        Size of each.
    """
    base = CineSpec(frames=frames, rows=rows, columns=columns)
    looks = tuple(VendorLook)
    kinds: list[tuple[str, CineSpec]] = [(tier.name, _of_tier(base, tier)) for tier in TIERS]
    kinds += [(d.value, replace(base, dynamic=d)) for d in Dynamic if d is not Dynamic.STATIC]
    kinds += [(f"rotated-{turn}", replace(base, rotation=turn)) for turn in _ROTATIONS[1:]]
    kinds.append(("letter-spaced", replace(base, spacing_px=3)))
    kinds.append(("bitmap-face", replace(base, face="bitmap")))
    cases: list[Case] = []
    for index in range(seeds):
        for offset, (group, spec) in enumerate(kinds):
            look = looks[(index + offset) % len(looks)]
            made = replace(spec, seed=1000 * index + offset, look=look)
            cases.append(Case(f"{group}-{look.value}-{index}", group, made))
    return tuple(cases)


def _of_tier(base: CineSpec, tier: Tier) -> CineSpec:
    if tier.jpeg_quality is None:
        return replace(base, tier=tier)
    return replace(
        base, tier=tier, syntax=Syntax.JPEG_BASELINE, photometric=Photometric.YBR_FULL_422
    )
