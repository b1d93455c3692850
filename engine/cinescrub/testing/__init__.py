"""Ultrasound-like cines made from a seed, with the truth about every identifier in them.

Tests, benchmarks, `demo` and `doctor` share this room. It imports nothing of what it tests: no
pixels, text, policy or pipeline.
"""

from cinescrub.testing.cine import make_cine
from cinescrub.testing.frames import draw_frames, plan_drawing
from cinescrub.testing.spec import CineSpec, Dress, Dynamic, Photometric, Syntax, Tier, VendorLook
from cinescrub.testing.truth import CineTruth, Place, Planted, TextItem

__all__ = [
    "CineSpec",
    "CineTruth",
    "Dress",
    "Dynamic",
    "Photometric",
    "Place",
    "Planted",
    "Syntax",
    "TextItem",
    "Tier",
    "VendorLook",
    "draw_frames",
    "make_cine",
    "plan_drawing",
]
