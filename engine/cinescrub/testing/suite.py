"""The cines that accuracy is measured on: tiers, dynamics, dresses, faces, sizes, from a few seeds.

Data only; a case is a name and a spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cinescrub.testing.spec import CineSpec, Dress, Dynamic, Photometric, Syntax, Tier, VendorLook

__all__ = ["TIERS", "Case", "accuracy_suite"]

TIERS: Final = (
    Tier("clean"),
    Tier("jpeg-95", jpeg_quality=95),
    Tier("jpeg-70", jpeg_quality=70),
    Tier("jpeg-50", jpeg_quality=50),
    Tier("jpeg-30", jpeg_quality=30),
    Tier("blur", blur_px=1.2),
    Tier("low-contrast", contrast=40),
    Tier("noise", noise=12.0),
    Tier("small-font", text_px=8),
    Tier("large-font", text_px=24),
    Tier("huge-font", text_px=60),
)
"""How hard it is made to read."""

_ROTATIONS: Final = (90, 180, 270)
_SIZES: Final = ((240, 320), (768, 1024), (1408, 2144))
"""Rows and columns of cines that are not of the suite's size."""
_SMALLEST_PX: Final = 8
"""Height of capitals that is held to be readable, and that no size goes below."""
_LARGE_PIXELS: Final = 2_000_000
_LARGE_FRAMES: Final = 2
"""Frames of a cine with more pixels than `_LARGE_PIXELS` a frame: one costs as much as ten."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cine of the suite."""

    name: str
    group: str
    """What it is counted under: what is special about it."""
    spec: CineSpec


def accuracy_suite(
    seeds: int,
    *,
    frames: int = 12,
    rows: int = 480,
    columns: int = 640,
    faces: Sequence[Path] = (),
) -> tuple[Case, ...]:
    """Return the suite.

    Parameters
    ----------
    seeds : int
        Cines of each group; the looks take turns.
    frames, rows, columns : int
        Size of each, but of the groups whose size is what is special about them.
    faces : sequence of Path
        TrueType or OpenType files; each adds a group, `face-` and its name, at the end.
    """
    base = CineSpec(frames=frames, rows=rows, columns=columns)
    looks = tuple(VendorLook)
    cases: list[Case] = []
    for index in range(seeds):
        for offset, (group, spec) in enumerate(_groups(base, faces).items()):
            look = looks[(index + offset) % len(looks)]
            made = replace(spec, seed=1000 * index + offset, look=look)
            cases.append(Case(f"{group}-{look.value}-{index}", group, made))
    return tuple(cases)


def _groups(base: CineSpec, faces: Sequence[Path]) -> dict[str, CineSpec]:
    """Return what each group's cines are, but for seed and look."""
    groups = {tier.name: _of_tier(base, tier) for tier in TIERS}
    groups |= {
        each.value: replace(base, dynamic=each) for each in Dynamic if each is not Dynamic.STATIC
    }
    groups |= {f"rotated-{turn}": replace(base, rotation=turn) for turn in _ROTATIONS}
    dresses = [each for each in Dress if each not in {Dress.PLAIN, Dress.CODES}]
    groups |= {each.value: replace(base, dress=each) for each in dresses}
    groups |= {
        "letter-spaced": replace(base, spacing_px=3),
        "bitmap-face": replace(base, face="bitmap"),
        "italic-face": replace(base, face="italic"),
        "narrow-face": replace(base, stretch=0.75),
        "wide-face": replace(base, stretch=1.4),
        "edge": replace(base, edge=True),
    }
    groups |= {f"size-{columns}x{rows}": _of_size(base, rows, columns) for rows, columns in _SIZES}
    # Later groups come last: a group's seed is its place.
    groups |= {"codes": replace(base, dress=Dress.CODES)}
    return groups | {f"face-{face.stem.lower()}": replace(base, face=str(face)) for face in faces}


def _of_size(base: CineSpec, rows: int, columns: int) -> CineSpec:
    small = Tier("small", text_px=_SMALLEST_PX) if rows < 400 else base.tier
    frames = min(base.frames, _LARGE_FRAMES) if rows * columns > _LARGE_PIXELS else base.frames
    return replace(base, rows=rows, columns=columns, frames=frames, tier=small)


def _of_tier(base: CineSpec, tier: Tier) -> CineSpec:
    if tier.jpeg_quality is None:
        return replace(base, tier=tier)
    return replace(
        base, tier=tier, syntax=Syntax.JPEG_BASELINE, photometric=Photometric.YBR_FULL_422
    )
