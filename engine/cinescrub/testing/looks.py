"""Where scanners put their text: five looks of one picture and one banner, and all looks together.

Data only, in shares of the picture: ideas of place and colour, no maker's signs.
"""

from __future__ import annotations

from typing import Final

from cinescrub.testing.layouts import Graphic, Layout, Slot, column, measures
from cinescrub.testing.looks_more import MORE
from cinescrub.testing.spec import VendorLook
from cinescrub.testing.speckle import Probe
from cinescrub.testing.truth import Place

__all__ = ["LAYOUTS"]

_S: Final = Place.SETTINGS
_T: Final = Place.TISSUE

_CLASSIC: Final[dict[VendorLook, Layout]] = {
    VendorLook.GE: Layout(
        probe=Probe.CONVEX,
        region=(0.12, 0.14, 0.84, 0.94),
        slots=(
            Slot("name", 0.07, 0.038, width=0.33, bold=True),
            Slot("id", 0.07, 0.08, width=0.33),
            Slot("preset", 0.45, 0.038, width=0.13),
            Slot("depth", 0.45, 0.08, width=0.14),
            Slot("mi", 0.6, 0.038, width=0.11),
            Slot("ti", 0.6, 0.08, width=0.11),
            Slot("site", 0.985, 0.038, "r", width=0.28),
            Slot("date", 0.86, 0.08, "r", width=0.15),
            Slot("time", 0.985, 0.08, "r", width=0.12),
            *column(0.985, 0.17, 0.035, "probe mode hz gain map persist", "r"),
            Slot("operator", 0.985, 0.45, "r", place=_S),
            *measures(0.015, 0.72, 0.038, 4),
            Slot("view", 0.32, 0.62, colour=(240, 230, 60), place=_T, rim=True),
            Slot("name", 0.42, 0.8, colour=(240, 230, 60), place=_T, width=0.3, rim=True),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.1), (28, 32, 40)),
            Graphic("rule", (0.005, 0.05, 0.995, 0.052), (70, 76, 88)),
            Graphic("logo", (0.012, 0.015, 0.055, 0.09), (190, 200, 210)),
            Graphic("gray", (0.005, 0.13, 0.015, 0.42)),
            Graphic("ticks", (0.845, 0.14, 0.855, 0.94), (230, 220, 90)),
        ),
        text_share=0.0175,
    ),
    VendorLook.PHILIPS: Layout(
        probe=Probe.PHASED,
        region=(0.14, 0.11, 0.9, 0.9),
        slots=(
            Slot("name", 0.008, 0.026, width=0.2, scale=0.95),
            Slot("id", 0.22, 0.026, width=0.14, scale=0.95),
            Slot("dob", 0.38, 0.026, width=0.16, scale=0.95),
            Slot("site", 0.56, 0.026, width=0.18, scale=0.95),
            Slot("date", 0.87, 0.026, "r", width=0.12, scale=0.95),
            Slot("time", 0.992, 0.026, "r", width=0.11, scale=0.95),
            Slot("preset", 0.01, 0.068, scale=1.1, width=0.2, bold=True, place=_S),
            Slot("mi_ti", 0.99, 0.068, "r", scale=1.1, width=0.2, bold=True, place=_S),
            *column(0.01, 0.115, 0.034, "probe hz depth mode gain dr persist mhz"),
            *measures(0.72, 0.86, 0.036, 3),
            Slot("hr", 0.99, 0.97, "r", place=_S, width=0.16),
            Slot("view", 0.52, 0.42, place=_T, rim=True),
            Slot("physician", 0.34, 0.78, place=_T, width=0.3, rim=True),
            Slot("operator", 0.66, 0.6, place=_T, rim=True),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.036), (52, 52, 56)),
            Graphic("gray", (0.945, 0.15, 0.96, 0.4)),
            Graphic("flow", (0.97, 0.15, 0.985, 0.4)),
            Graphic("ticks", (0.9, 0.11, 0.912, 0.9)),
            Graphic("ecg", (0.15, 0.92, 0.7, 0.995), (70, 210, 110)),
            Graphic("focus", (0.915, 0.5, 0.93, 0.53), (120, 190, 240)),
        ),
        flow=True,
    ),
    VendorLook.SIEMENS: Layout(
        probe=Probe.LINEAR,
        region=(0.2, 0.15, 0.86, 0.9),
        slots=(
            Slot("site", 0.02, 0.035, width=0.3, colour=(150, 190, 240)),
            Slot("name", 0.02, 0.075, width=0.3),
            Slot("id", 0.02, 0.115, width=0.3),
            Slot("date", 0.5, 0.035, "c", width=0.2),
            Slot("time", 0.5, 0.075, "c", width=0.2),
            Slot("operator", 0.5, 0.115, "c", width=0.08),
            Slot("probe", 0.98, 0.035, "r", width=0.1),
            Slot("mi", 0.98, 0.075, "r", width=0.1),
            Slot("ti", 0.98, 0.115, "r", width=0.1),
            *column(
                0.01, 0.2, 0.038, "preset mhz dr map gain persist focus", colour=(230, 190, 120)
            ),
            Slot("accession", 0.01, 0.55, width=0.17, place=_S),
            *measures(0.01, 0.78, 0.038, 3),
            Slot("view", 0.25, 0.86, place=_T, colour=(120, 230, 240), rim=True),
            Slot("name", 0.5, 0.3, place=_T, width=0.33, colour=(120, 230, 240), rim=True),
        ),
        graphics=(
            Graphic("rule", (0.0, 0.13, 1.0, 0.132), (90, 110, 150)),
            Graphic("gray", (0.93, 0.2, 0.95, 0.5)),
            Graphic("ticks", (0.865, 0.15, 0.875, 0.9), (160, 160, 160)),
            Graphic("ecg", (0.2, 0.92, 0.85, 0.99), (230, 210, 80)),
        ),
        text_share=0.019,
    ),
    VendorLook.SONOSITE: Layout(
        probe=Probe.PHASED,
        region=(0.12, 0.08, 0.88, 0.86),
        slots=(
            Slot("name", 0.02, 0.045, width=0.34, scale=1.2, colour=(150, 160, 180)),
            Slot("id", 0.4, 0.045, width=0.22, scale=1.2, colour=(150, 160, 180)),
            Slot("date", 0.7, 0.045, width=0.17, scale=1.2, colour=(150, 160, 180)),
            Slot("time", 0.985, 0.045, "r", width=0.11, scale=1.2, colour=(150, 160, 180)),
            Slot("mode", 0.02, 0.11, scale=1.2, place=_S, width=0.16, colour=(150, 160, 180)),
            Slot(
                "probe", 0.985, 0.11, "r", scale=1.2, place=_S, width=0.16, colour=(150, 160, 180)
            ),
            Slot("mi", 0.985, 0.27, "r", scale=1.2, place=_S, width=0.16, colour=(150, 160, 180)),
            Slot("ti", 0.985, 0.32, "r", scale=1.2, place=_S, width=0.16, colour=(150, 160, 180)),
            Slot(
                "depth", 0.985, 0.82, "r", scale=1.2, place=_S, width=0.16, colour=(150, 160, 180)
            ),
            Slot("operator", 0.02, 0.84, scale=1.2, colour=(150, 160, 180), place=_S),
            Slot("site", 0.5, 0.965, "c", width=0.4, colour=(20, 24, 32), bar=(170, 180, 200)),
            Slot("view", 0.45, 0.5, place=_T, scale=1.3, colour=(240, 230, 120), rim=True),
            Slot("id", 0.4, 0.72, place=_T, scale=1.1, width=0.3, colour=(240, 230, 120), rim=True),
        ),
        graphics=(
            Graphic("logo", (0.02, 0.92, 0.06, 0.97), (60, 110, 200)),
            Graphic("ticks", (0.885, 0.08, 0.893, 0.86), (150, 150, 150)),
            Graphic("bar", (0.1, 0.89, 0.26, 0.935), (30, 36, 50)),
        ),
        text_share=0.02,
    ),
    VendorLook.ALOKA: Layout(
        probe=Probe.DUAL,
        region=(0.06, 0.09, 0.98, 0.86),
        slots=(
            Slot("site", 0.12, 0.026, width=0.38),
            Slot("name", 0.12, 0.055, width=0.34),
            Slot("id", 0.53, 0.026, width=0.24, colour=(0, 0, 0), bar=(200, 200, 200)),
            Slot("age", 0.53, 0.055, width=0.1),
            Slot("date", 0.995, 0.026, "r", width=0.2),
            Slot("time", 0.995, 0.055, "r", width=0.2),
            Slot("hz", 0.995, 0.11, "r", place=_S, width=0.16),
            Slot("mhz", 0.08, 0.905, place=_S, width=0.2),
            Slot("gain", 0.3, 0.905, place=_S, width=0.18),
            Slot("dr", 0.5, 0.905, place=_S, width=0.18),
            Slot("map", 0.7, 0.905, place=_S, width=0.2),
            Slot("preset", 0.02, 0.965, place=_S, width=0.2),
            Slot("operator", 0.985, 0.965, "r", place=_S, width=0.1),
            Slot("view", 0.3, 0.74, place=_T, colour=(90, 240, 90)),
            Slot("name", 0.6, 0.8, place=_T, width=0.3, colour=(90, 240, 90)),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.068), (40, 42, 64)),
            Graphic("bar", (0.0, 0.925, 1.0, 1.0), (40, 42, 64)),
            Graphic("gray", (0.01, 0.1, 0.03, 0.22)),
            Graphic("ticks", (0.045, 0.09, 0.052, 0.86), (90, 240, 90)),
            Graphic("focus", (0.03, 0.4, 0.042, 0.43), (90, 240, 90)),
        ),
        face="bitmap",
        text_share=0.0155,
        crisp=True,
    ),
}

LAYOUTS: Final[dict[VendorLook, Layout]] = _CLASSIC | MORE
"""Every look."""
