"""What is true of a made cine: every burned-in string, and every identifier planted in the file.

Values only. Nothing here draws, writes or scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from cinescrub.types import PhiKind

__all__ = ["CineTruth", "Ink", "Place", "Planted", "TextItem"]

Ink = npt.NDArray[np.bool_]
"""(h, w) bool: which pixels of an item's box are ink."""


class Place(StrEnum):
    """Where a string is burned in, and how it behaves."""

    BANNER = "banner"
    """The machine's title lines: patient, site, date."""
    SETTINGS = "settings"
    """Columns of machine settings."""
    MEASUREMENT = "measurement"
    """A block of results."""
    TISSUE = "tissue"
    """Typed by the operator over the insonified part."""
    COUNTER = "counter"
    """A frame counter: changes with each frame."""
    CLOCK = "clock"
    """Time of day, running."""
    FLASH = "flash"
    """There in one frame only."""
    TRANSIENT = "transient"
    """Fades, blinks, scrolls, or comes with another patient."""
    PAGE = "page"
    """Part of a worksheet page in the middle of the cine."""


@dataclass(frozen=True, slots=True, eq=False)
class TextItem:
    """One string at one place for an unbroken run of frames."""

    text: str
    """As drawn, after any truncation by the layout."""
    kind: PhiKind
    """`NONE` where it is clinical."""
    phi: bool
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 in pixels, x1 and y1 exclusive: the least box around all touched pixels."""
    frames: tuple[int, int]
    """First frame and end (exclusive)."""
    ink: Ink
    """(y1 - y0, x1 - x0): pixels that are at least half ink; others are edges or background."""
    place: Place = Place.BANNER
    name: str = ""
    """Which string of the layout this is: items of one name are one thing seen at several times or
    positions (a clock's states, a scroll's steps)."""

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if self.ink.shape != (y1 - y0, x1 - x0):
            raise ValueError(f"ink of shape {self.ink.shape} in a box of {y1 - y0} x {x1 - x0}")
        if not 0 <= self.frames[0] < self.frames[1]:
            raise ValueError(f"an item lives from {self.frames[0]} to {self.frames[1]}")

    def in_frame(self, frame: int) -> bool:
        """Tell whether the item is visible in `frame`."""
        return self.frames[0] <= frame < self.frames[1]


@dataclass(frozen=True, slots=True)
class Planted:
    """An identifier hidden in the file, as the bytes that a search must not find again."""

    place: str
    """Where: a tag path, `preamble`, `jpeg:COM` and the like."""
    needle: bytes
    """Unique in the file's identifiers; as stored, in the file's character set."""


@dataclass(frozen=True, slots=True, eq=False)
class CineTruth:
    """Everything that is true of one made cine."""

    frames: int
    rows: int
    columns: int
    items: tuple[TextItem, ...]
    planted: tuple[Planted, ...] = field(default=())
    graphics: tuple[tuple[int, int, int, int], ...] = ()
    """Boxes (x0, y0, x1, y1, ends exclusive) of scales, bars, traces and logos: no text."""
    sector: npt.NDArray[np.bool_] | None = None
    """(rows, columns): pixels that tissue is drawn into in some frame; None where there is none."""
    block: tuple[int, int] = (1, 1)
    """Width and height, in pixels, of what the codec can only change as a whole."""

    def at(self, frame: int) -> Iterator[TextItem]:
        """Yield the items that are visible in `frame`."""
        return (item for item in self.items if item.in_frame(frame))

    @property
    def phi(self) -> tuple[TextItem, ...]:
        """Items that must be redacted."""
        return tuple(item for item in self.items if item.phi)

    @property
    def clinical(self) -> tuple[TextItem, ...]:
        """Items that should be kept."""
        return tuple(item for item in self.items if not item.phi)
