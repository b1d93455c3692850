"""Doubt: whether what was found in a cine is so out of the ordinary that a person should look.

What is in doubt is redacted like anything else; `on_doubt = "quarantine"` gives it no output. The
bounds are set by argument: wide enough for every console screen, crossed by worksheets, printed
reports, photographs of screens and pictures that no detector understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cinescrub import geometry
from cinescrub.types import Boxes, Reason

__all__ = ["DoubtSettings", "find_doubt"]


@dataclass(frozen=True, slots=True)
class DoubtSettings:
    """Bounds of the ordinary."""

    most_area: float = 0.35
    """Share of the frame in rectangles: banners, legends and measurements of consoles take less."""
    tallest: float = 0.25
    """Height of a rectangle as share of the rows: no console writes that large, and detectors that
    take tissue for text find such boxes."""
    most_unreadable: float = 0.5
    """Share of the lines that could not be read."""
    fewest_lines: int = 8
    """Below so many lines, shares of them say nothing."""


_DEFAULTS: Final = DoubtSettings()


def find_doubt(
    rectangles: Boxes,
    reasons: Mapping[Reason, int],
    frame_size: tuple[int, int],
    settings: DoubtSettings = _DEFAULTS,
) -> str | None:
    """Return what is out of the ordinary, in words without PHI, or None.

    Parameters
    ----------
    rectangles : (n, 4) int32 array
        What is to be filled.
    reasons : mapping of Reason to int
        Lines by reason, kept ones too.
    frame_size : (rows, columns)
        In pixels.
    settings : DoubtSettings
        Bounds.
    """
    rows, columns = frame_size
    frame = geometry.as_boxes([(0, 0, columns, rows)])
    area = float(geometry.covered_share(frame, rectangles)[0]) if len(rectangles) else 0.0
    if area > settings.most_area:
        return f"text takes {area:.0%} of the frame"
    if len(rectangles):
        tallest = int((rectangles[:, 3] - rectangles[:, 1]).max()) / rows
        if tallest > settings.tallest:
            return f"a line of text takes {tallest:.0%} of the frame's height"
    lines = sum(reasons.values()) - reasons.get(Reason.NO_TEXT, 0)
    unread = reasons.get(Reason.UNREADABLE, 0)
    if lines >= settings.fewest_lines and unread > settings.most_unreadable * lines:
        return f"{unread} of {lines} lines of text can't be read"
    return None
