"""What a layout is made of, and what its places say, drawn from a seed.

Values only: the looks are tables in `looks` and `looks_more`. Nothing here touches pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cinescrub.testing.names import Identity, clinical_line, date_text, time_text
from cinescrub.testing.speckle import Probe
from cinescrub.testing.truth import Place
from cinescrub.types import PhiKind

__all__ = ["Colour", "Graphic", "Layout", "Slot", "column", "measures", "phi_text", "slot_text"]

Colour: TypeAlias = tuple[int, int, int]
"""R, G, B, 0 to 255."""

Area: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one line."""

    field: str
    """A key of `phi_text`, or of `names.clinical_line`, or `=` and a clinical text itself."""
    x: float
    y: float
    """Where the anchor lies on the baseline, shares of the picture."""
    anchor: str = "l"
    """Which end of the line is at x: `l`eft, `c`entre or `r`ight."""
    width: float = 0.4
    """Longer lines are cut off and dotted, as machines do."""
    scale: float = 1.0
    """Of the layout's text height."""
    colour: Colour = (225, 225, 225)
    bar: Colour | None = None
    """Colour of a filled box behind the line: inverse text."""
    place: Place = Place.BANNER
    bold: bool = False
    rim: bool = False
    """A dark outline, for text over tissue."""


@dataclass(frozen=True, slots=True)
class Graphic:
    """A shape that machines draw and that is no text."""

    shape: str
    """A key of `graphics`: `bar`, `gray`, `ticks`, `ecg` and so on."""
    area: Area
    colour: Colour = (200, 200, 200)


@dataclass(frozen=True, slots=True)
class Layout:
    """One look."""

    probe: Probe
    region: Area
    """The insonified part."""
    slots: tuple[Slot, ...]
    graphics: tuple[Graphic, ...]
    face: str = "sans"
    text_share: float = 0.018
    """Height of capitals as a share of the picture's height."""
    crisp: bool = False
    flow: bool = False
    """Whether colour Doppler is drawn into the sector."""


def column(
    x: float,
    y: float,
    step: float,
    fields: str,
    anchor: str = "l",
    colour: Colour = (225, 225, 225),
) -> tuple[Slot, ...]:
    """Return a column of settings, one field a line from `y` down by `step`."""
    return tuple(
        Slot(name, x, y + index * step, anchor, width=0.2, colour=colour, place=Place.SETTINGS)
        for index, name in enumerate(fields.split())
    )


def measures(x: float, y: float, step: float, lines: int) -> tuple[Slot, ...]:
    """Return a block of results from `y` down by `step`."""
    return tuple(
        Slot(
            "measure",
            x,
            y + index * step,
            width=0.28,
            colour=(240, 240, 160),
            place=Place.MEASUREMENT,
        )
        for index in range(lines)
    )


def phi_text(identity: Identity) -> dict[str, tuple[str, PhiKind]]:
    """Return what the identifying fields say of one patient, by field."""
    return {
        "name": (identity.name_text, PhiKind.PERSON),
        "id": (identity.id_text, PhiKind.IDENTIFIER),
        "dob": (f"{identity.birth_label}{date_text(identity, identity.birth)}", PhiKind.DATE),
        "age": (f"{identity.age}Y {identity.sex}", PhiKind.AGE),
        "site": (identity.site, PhiKind.INSTITUTION),
        "date": (date_text(identity, identity.visit.date()), PhiKind.DATE),
        "time": (time_text(identity, identity.visit), PhiKind.DATE),
        "operator": (identity.operator, PhiKind.STAFF),
        "initial": (identity.initial, PhiKind.STAFF),
        "physician": (identity.physician, PhiKind.STAFF),
        "accession": (identity.accession, PhiKind.IDENTIFIER),
    }


def slot_text(slot: Slot, identity: Identity, rng: np.random.Generator) -> tuple[str, PhiKind]:
    """Return what a slot says: the patient's field, or a drawn clinical line."""
    if slot.field.startswith("="):
        return slot.field[1:], PhiKind.NONE
    known = phi_text(identity).get(slot.field)
    return known or (clinical_line(rng, slot.field), PhiKind.NONE)
