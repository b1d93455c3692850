"""More looks: lettered scales, several pictures, second banners in the middle, light banners.

Data only, in shares of the picture: ideas of place and colour, no maker's signs.
"""

from __future__ import annotations

from typing import Final

from cinescrub.testing.layouts import Colour, Graphic, Layout, Slot, column, measures
from cinescrub.testing.spec import VendorLook
from cinescrub.testing.speckle import Probe
from cinescrub.testing.truth import Place

__all__ = ["MORE"]

_S: Final = Place.SETTINGS
_T: Final = Place.TISSUE
_TEAL: Final[Colour] = (96, 220, 190)
_SAND: Final[Colour] = (214, 190, 150)
_GREEN: Final[Colour] = (90, 240, 90)
_DARK: Final[Colour] = (24, 28, 36)


def _scale(
    x: float,
    y: float,
    step: float,
    numbers: str,
    anchor: str = "l",
    colour: Colour = (200, 200, 200),
) -> tuple[Slot, ...]:
    """Return the numerals of a scale, from `y` down by `step`."""
    return tuple(
        Slot(f"={text}", x, y + index * step, anchor, scale=0.9, colour=colour, place=Place.SCALE)
        for index, text in enumerate(numbers.split())
    )


def _caption(x: float, y: float, width: float = 0.28) -> tuple[Slot, ...]:
    """Return a small banner of a second picture: name, then ID and date below it."""
    return (
        Slot("name", x, y, width=width),
        Slot("id", x, y + 0.03, width=width * 0.55),
        Slot("date", x + width * 0.6, y + 0.03, width=width * 0.6),
    )


MORE: Final[dict[VendorLook, Layout]] = {
    VendorLook.ATL: Layout(
        # A banner of cells, a lettered depth scale and a lettered velocity scale, a colour box.
        probe=Probe.PHASED,
        region=(0.18, 0.1, 0.84, 0.86),
        slots=(
            Slot("name", 0.06, 0.032, width=0.3, colour=(210, 222, 222)),
            Slot("site", 0.06, 0.07, width=0.3, colour=(210, 222, 222)),
            Slot("id", 0.39, 0.032, width=0.26, colour=(210, 222, 222)),
            Slot("probe", 0.39, 0.07, width=0.1, colour=(210, 222, 222)),
            Slot("preset", 0.5, 0.07, width=0.16, colour=(210, 222, 222)),
            Slot("date", 0.68, 0.032, width=0.14, colour=(210, 222, 222)),
            Slot("time", 0.68, 0.07, width=0.14, colour=(210, 222, 222)),
            Slot("mi", 0.985, 0.032, "r", width=0.1, colour=_TEAL),
            Slot("ti", 0.83, 0.032, width=0.1, colour=_TEAL),
            Slot("depth", 0.985, 0.07, "r", width=0.12, colour=(210, 222, 222)),
            *column(0.008, 0.14, 0.034, "map comp persist opt rate", colour=_SAND),
            *column(0.008, 0.34, 0.034, "colour_gain wall prf flow_opt", colour=_SAND),
            Slot("initial", 0.008, 0.52, place=_S, width=0.05),
            *_scale(0.875, 0.12, 0.24, "-0 -5 -10 -15"),
            Slot("=+64.1", 0.985, 0.185, "r", place=Place.SCALE, scale=0.9),
            Slot("=-64.1", 0.985, 0.53, "r", place=Place.SCALE, scale=0.9),
            Slot("=cm/s", 0.985, 0.565, "r", place=Place.SCALE, scale=0.9),
            Slot("hr", 0.985, 0.965, "r", place=_S, width=0.14),
            Slot("view", 0.3, 0.3, place=_T, colour=_TEAL),
            Slot("name", 0.48, 0.74, place=_T, width=0.3, colour=_TEAL),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.085), (8, 30, 34)),
            *(
                Graphic("rule", (x, 0.005, x + 0.0016, 0.08), (70, 120, 120))
                for x in (0.38, 0.67, 0.82)
            ),
            Graphic("logo", (0.008, 0.012, 0.05, 0.075), (200, 210, 210)),
            Graphic("ticks", (0.862, 0.11, 0.872, 0.86)),
            Graphic("flow", (0.955, 0.2, 0.975, 0.5)),
            Graphic("gray", (0.93, 0.2, 0.945, 0.5)),
            Graphic("box", (0.4, 0.25, 0.6, 0.66), _TEAL),
            Graphic("ecg", (0.05, 0.9, 0.55, 0.99), _TEAL),
        ),
        flow=True,
    ),
    VendorLook.LOGIQ: Layout(
        # Capitals straight on black in a coarse face, a body mark, a power scale.
        probe=Probe.CONVEX,
        region=(0.12, 0.16, 0.86, 0.92),
        slots=(
            Slot("site", 0.03, 0.075, width=0.36),
            Slot("name", 0.03, 0.108, width=0.36),
            Slot("id", 0.03, 0.141, width=0.3),
            *column(0.03, 0.2, 0.033, "frames_terse rate_terse gain_terse"),
            Slot("operator", 0.03, 0.33, width=0.08),
            Slot("date", 0.97, 0.075, "r", width=0.24),
            Slot("time", 0.97, 0.108, "r", width=0.2),
            *column(0.97, 0.141, 0.033, "preset_caps state dr_terse depth", "r"),
            Slot("=PWR", 0.03, 0.44, place=Place.SCALE),
            Slot("indices", 0.97, 0.965, "r", place=_S, width=0.4),
            Slot("view", 0.42, 0.88, place=_T, colour=(255, 255, 255)),
            Slot("physician", 0.36, 0.36, place=_T, width=0.3, colour=(255, 255, 255)),
        ),
        graphics=(
            Graphic("logo", (0.48, 0.05, 0.53, 0.11), (180, 180, 180)),
            Graphic("flow", (0.05, 0.46, 0.08, 0.62)),
            Graphic("body", (0.03, 0.8, 0.1, 0.95), (230, 230, 230)),
            Graphic("dots", (0.955, 0.25, 0.96, 0.9)),
            Graphic("focus", (0.94, 0.5, 0.95, 0.53), (230, 230, 230)),
        ),
        face="bitmap",
        text_share=0.0155,
        crisp=True,
    ),
    VendorLook.TWIN: Layout(
        # Two pictures, one over the other, each with its banner: the second one in the middle.
        probe=Probe.STACKED,
        region=(0.2, 0.11, 0.86, 0.985),
        slots=(
            Slot("name", 0.02, 0.035, width=0.34),
            Slot("id", 0.4, 0.035, width=0.24),
            Slot("site", 0.98, 0.035, "r", width=0.3),
            Slot("date", 0.02, 0.075, width=0.2),
            Slot("time", 0.24, 0.075, width=0.14),
            Slot("initial", 0.42, 0.075, width=0.05),
            Slot("mi_ti", 0.98, 0.075, "r", width=0.24),
            *column(0.01, 0.17, 0.036, "probe mhz gain dr map"),
            *_caption(0.01, 0.57, 0.3),
            *column(0.01, 0.68, 0.036, "probe mhz gain dr"),
            Slot("operator", 0.98, 0.57, "r", width=0.08),
            *measures(0.7, 0.9, 0.036, 2),
            Slot("view", 0.5, 0.45, place=_T, colour=_GREEN),
            Slot("view", 0.42, 0.9, place=_T, colour=_GREEN),
            Slot("name", 0.34, 0.3, place=_T, width=0.3, colour=_GREEN),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.09), (44, 40, 60)),
            Graphic("rule", (0.0, 0.545, 0.32, 0.547), (120, 120, 140)),
            Graphic("gray", (0.96, 0.15, 0.975, 0.4)),
            Graphic("ticks", (0.87, 0.11, 0.88, 0.53)),
            Graphic("ticks", (0.87, 0.57, 0.88, 0.985)),
        ),
    ),
    VendorLook.QUAD: Layout(
        # Four pictures, as stress and biplane screens have, each with a caption of its own.
        probe=Probe.QUAD,
        region=(0.03, 0.1, 0.97, 0.97),
        slots=(
            Slot("name", 0.02, 0.032, width=0.3),
            Slot("id", 0.02, 0.07, width=0.26),
            Slot("site", 0.5, 0.032, "c", width=0.3),
            Slot("preset", 0.5, 0.07, "c", width=0.2),
            Slot("date", 0.98, 0.032, "r", width=0.2),
            Slot("time", 0.98, 0.07, "r", width=0.16),
            *_caption(0.52, 0.56, 0.3),
            Slot("stage", 0.02, 0.14, place=_S, width=0.2),
            Slot("stage", 0.52, 0.14, place=_S, width=0.2),
            Slot("stage", 0.02, 0.56, place=_S, width=0.2),
            Slot("hr", 0.47, 0.14, "r", place=_S, width=0.14),
            Slot("hr", 0.98, 0.14, "r", place=_S, width=0.14),
            Slot("hr", 0.47, 0.56, "r", place=_S, width=0.14),
            Slot("operator", 0.98, 0.56, "r", place=_S, width=0.08),
            Slot("view", 0.1, 0.42, place=_T, colour=(240, 230, 120)),
            Slot("view", 0.82, 0.9, place=_T, colour=(240, 230, 120)),
            Slot("physician", 0.58, 0.36, place=_T, width=0.3, colour=(240, 230, 120)),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.085), (30, 34, 44)),
            Graphic("rule", (0.499, 0.09, 0.501, 0.99), (90, 90, 100)),
            Graphic("rule", (0.01, 0.529, 0.99, 0.531), (90, 90, 100)),
            Graphic("disc", (0.23, 0.105, 0.25, 0.13), (120, 170, 240)),
            Graphic("disc", (0.73, 0.105, 0.75, 0.13), (120, 170, 240)),
        ),
        text_share=0.0165,
    ),
    VendorLook.LIGHT: Layout(
        # A light banner with dark letters, and a strip of touch fields at the foot.
        probe=Probe.LINEAR,
        region=(0.16, 0.14, 0.84, 0.88),
        slots=(
            Slot("site", 0.07, 0.035, width=0.36, colour=_DARK),
            Slot("name", 0.07, 0.078, width=0.28, colour=_DARK, bold=True),
            Slot("id", 0.4, 0.078, width=0.2, colour=_DARK),
            Slot("age", 0.62, 0.078, width=0.1, colour=_DARK),
            Slot("date", 0.985, 0.035, "r", width=0.18, colour=_DARK),
            Slot("time", 0.985, 0.078, "r", width=0.16, colour=_DARK),
            Slot("mi", 0.62, 0.035, width=0.1, colour=_DARK),
            Slot("ti", 0.73, 0.035, width=0.1, colour=_DARK),
            *column(0.985, 0.18, 0.036, "probe mode mhz depth gain hz dr", "r"),
            *_scale(0.862, 0.16, 0.235, "0 1 2 3"),
            Slot("accession", 0.01, 0.2, width=0.14, place=_S),
            Slot("operator", 0.01, 0.25, width=0.08, place=_S),
            *measures(0.01, 0.66, 0.036, 4),
            Slot("=Gen", 0.2, 0.968, place=_S, colour=_DARK, scale=0.9),
            Slot("=Res", 0.34, 0.968, place=_S, colour=_DARK, scale=0.9),
            Slot("=THI On", 0.48, 0.968, place=_S, colour=_DARK, scale=0.9),
            Slot("=Page 1/3", 0.66, 0.968, place=_S, colour=_DARK, scale=0.9),
            Slot("view", 0.22, 0.82, place=_T, colour=(240, 230, 90)),
            Slot("id", 0.5, 0.36, place=_T, width=0.26, colour=(240, 230, 90)),
        ),
        graphics=(
            Graphic("bar", (0.0, 0.0, 1.0, 0.095), (226, 230, 234)),
            Graphic("bar", (0.15, 0.935, 0.85, 0.985), (200, 206, 214)),
            Graphic("logo", (0.01, 0.015, 0.055, 0.085), (60, 80, 120)),
            Graphic("gray", (0.005, 0.4, 0.018, 0.6)),
            Graphic("ticks", (0.85, 0.14, 0.858, 0.88)),
            Graphic("disc", (0.17, 0.11, 0.185, 0.13), (90, 200, 120)),
            Graphic("calipers", (0.36, 0.5, 0.6, 0.62), (240, 230, 90)),
        ),
    ),
    VendorLook.APP: Layout(
        # A probe on a telephone: little text, large, and over the picture.
        probe=Probe.PHASED,
        region=(0.0, 0.06, 1.0, 0.96),
        slots=(
            Slot("name", 0.03, 0.05, width=0.5, scale=1.4),
            Slot("time", 0.97, 0.05, "r", width=0.2, scale=1.2),
            Slot("date", 0.97, 0.1, "r", width=0.25, scale=1.1),
            Slot("preset", 0.03, 0.105, width=0.25, scale=1.1, place=_S),
            Slot("initial", 0.03, 0.18, width=0.06, scale=1.3),
            Slot("mi_ti", 0.03, 0.955, width=0.3, place=_S),
            Slot("depth", 0.97, 0.955, "r", width=0.2, place=_S),
            Slot("hz", 0.97, 0.9, "r", width=0.2, place=_S),
            Slot("id", 0.03, 0.9, width=0.26),
            Slot("view", 0.5, 0.6, "c", place=_T, scale=1.4, colour=(255, 255, 255)),
            Slot("site", 0.5, 0.8, "c", place=_T, width=0.4, scale=1.1, colour=(255, 255, 255)),
        ),
        graphics=(
            Graphic("dots", (0.965, 0.2, 0.97, 0.85)),
            Graphic("disc", (0.46, 0.07, 0.48, 0.1), (80, 150, 250)),
        ),
        text_share=0.02,
    ),
}
