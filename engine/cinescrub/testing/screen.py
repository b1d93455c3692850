"""Sets a layout's lines as stamps: exact ink, its place, colour and the frames it is seen in.

A stamp is what is drawn; its item is what is true of it. Nothing here knows of speckle or DICOM.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.codes import bar_code, matrix_code
from cinescrub.testing.fonts import Coverage, TextStyle, outline_of, set_text
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.layouts import Colour, Layout, Slot, slot_text
from cinescrub.testing.looks import LAYOUTS
from cinescrub.testing.names import Identity
from cinescrub.testing.spec import CineSpec, Dress
from cinescrub.testing.truth import Place, TextItem
from cinescrub.types import PhiKind

__all__ = ["Line", "Screen", "Stamp", "draw_stamp", "set_line", "set_screen", "touches"]

_GAP_PX = 3
"""Least distance between two lines: closer ones would be one object to any detector."""
_TOUCHED = 4
"""Coverage of 255 below which a pixel counts as not touched: it changes no level by more than 4."""
_FULL_CONTRAST = 225
"""Levels between the layouts' text and a black background."""
_DARK: Colour = (16, 18, 24)
_PAPER: Colour = (232, 232, 228)
_SAME_LUMA: tuple[Colour, Colour] = ((110, 110, 110), (226, 52, 110))
"""Two colours of one luma (ITU-R BT.601): 110."""
_EDGE_PART = 24
"""A line is near an edge where this part of the picture's size, or less, is between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """One line, ready to be drawn."""

    item: TextItem
    coverage: Coverage
    """Cut to the item's box."""
    colour: Colour
    alpha: float = 1.0
    bar: Colour | None = None
    rim: bool = False

    def during(self, first: int, end: int) -> Stamp | None:
        """Return the stamp as seen in frames `first` to `end` only; None where it isn't."""
        start, stop = max(first, self.item.frames[0]), min(end, self.item.frames[1])
        if start >= stop:
            return None
        return replace(self, item=replace(self.item, frames=(start, stop)))

    def shifted(self, dx: int, dy: int, rows: int, columns: int) -> Stamp | None:
        """Return the stamp moved and cut to the picture; None where no ink is left."""
        x0, y0, x1, y1 = self.item.box
        left, top = max(0, x0 + dx), max(0, y0 + dy)
        right, bottom = min(columns, x1 + dx), min(rows, y1 + dy)
        if left >= right or top >= bottom:
            return None
        cut = self.coverage[top - y0 - dy : bottom - y0 - dy, left - x0 - dx : right - x0 - dx]
        return _tight(self, cut, left, top)


@dataclass(frozen=True, slots=True)
class Line:
    """A line's words and looks, before it is set."""

    text: str
    kind: PhiKind
    slot: Slot
    name: str


@dataclass(frozen=True, slots=True)
class Screen:
    """A layout with its lines set, in all frames."""

    layout: Layout
    stamps: tuple[Stamp, ...]


def set_screen(spec: CineSpec, identity: Identity, rng: np.random.Generator) -> Screen:
    """Set a layout's lines. Identifying ones come first: a line that would touch is left out."""
    layout = LAYOUTS[spec.look]
    lines = [
        Line(text, kind, slot, f"{slot.place}/{index}/{slot.field}")
        for index, slot in enumerate(layout.slots)
        for text, kind in [slot_text(slot, identity, rng)]
    ]
    # Codes take more room than the numbers that the layout has.
    lines.sort(key=lambda line: (not _is_coded(line.slot, spec), line.kind is PhiKind.NONE))
    stamps: list[Stamp] = []
    for line in lines:
        stamp = set_line(line, spec, layout)
        if stamp is not None and not touches(stamp, stamps):
            stamps.append(stamp)
    return Screen(layout=layout, stamps=tuple(stamps))


def set_line(line: Line, spec: CineSpec, layout: Layout) -> Stamp | None:
    """Set one line for all frames.

    Returns
    -------
    Stamp or None
        None where no ink of it is inside the picture, or a clinical line is too long for its
        place: machines cut names off, not settings.
    """
    slot = _dressed(line.slot, spec, line.name)
    style = _style(slot, spec, layout)
    if _is_coded(line.slot, spec):
        text, coverage = line.text, _code(line, spec)
        ascent = coverage.shape[0]
    else:
        text, coverage, ascent = _fitted(line.text, style, round(slot.width * spec.columns))
    if text != line.text and line.kind is PhiKind.NONE:
        return None
    if spec.tier.blur_px:
        coverage, grown = _blurred(coverage, spec.tier.blur_px)
        ascent += grown
    height, width = coverage.shape
    if not width:
        return None
    x = round(slot.x * spec.columns)
    x -= {"l": 0, "c": width // 2, "r": width}[slot.anchor]
    y = round(slot.y * spec.rows) - ascent
    x = min(max(0, x), max(0, spec.columns - width))
    y = min(max(0, y), max(0, spec.rows - height))
    if spec.edge:
        x, y = _pushed(x, width, spec.columns), _pushed(y, height, spec.rows)
    item = TextItem(
        text=text,
        kind=line.kind,
        phi=line.kind is not PhiKind.NONE,
        box=(x, y, x + width, y + height),
        frames=(0, spec.frames),
        ink=_ink(coverage),
        place=slot.place,
        name=line.name,
    )
    alpha = 1.0 if spec.tier.contrast is None else min(1.0, spec.tier.contrast / _FULL_CONTRAST)
    stamp = Stamp(item, coverage, slot.colour, alpha, slot.bar, slot.rim)
    return stamp.shifted(0, 0, spec.rows, spec.columns)


def draw_stamp(canvas: Canvas, stamp: Stamp) -> None:
    """Draw a line into `canvas`, in place.

    Parameters
    ----------
    canvas : (H, W, 3) uint8 array
        R, G, B; modified in place. Bars and rims reach up to 3 pixels beyond the item's box.
    stamp : Stamp
        What to draw.
    """
    x0, y0, x1, y1 = stamp.item.box
    if stamp.bar is not None:
        canvas[max(0, y0 - 3) : y1 + 3, max(0, x0 - 3) : x1 + 3] = stamp.bar
    if stamp.rim:
        rim = outline_of(stamp.coverage)
        _blend(canvas, rim, (x0 - 1, y0 - 1), (0, 0, 0), stamp.alpha)
    _blend(canvas, stamp.coverage, (x0, y0), stamp.colour, stamp.alpha)


def touches(stamp: Stamp, others: Iterable[Stamp]) -> bool:
    """Tell whether a line comes closer than 3 pixels to any of `others` in any frame."""
    x0, y0, x1, y1 = stamp.item.box
    first, end = stamp.item.frames
    return any(
        x0 - _GAP_PX < other.box[2]
        and other.box[0] < x1 + _GAP_PX
        and y0 - _GAP_PX < other.box[3]
        and other.box[1] < y1 + _GAP_PX
        and other.frames[0] < end
        and first < other.frames[1]
        for other in (stamp.item for stamp in others)
    )


def _blend(
    canvas: Canvas, coverage: Coverage, corner: tuple[int, int], colour: Colour, alpha: float
) -> None:
    x, y = corner
    left, top = max(0, -x), max(0, -y)
    bottom = min(coverage.shape[0], canvas.shape[0] - y)
    right = min(coverage.shape[1], canvas.shape[1] - x)
    part = canvas[y + top : y + bottom, x + left : x + right]
    share = coverage[top:bottom, left:right, None].astype(np.float32) * np.float32(alpha / 255)
    part[...] = (part + share * (np.array(colour, np.float32) - part) + np.float32(0.5)).astype(
        np.uint8
    )


def _is_coded(slot: Slot, spec: CineSpec) -> bool:
    """Return whether a code is shown in place of a number: nobody covers tissue with one."""
    is_number = slot.field in {"id", "accession"}
    return spec.dress is Dress.CODES and is_number and slot.place is not Place.TISSUE


def _code(line: Line, spec: CineSpec) -> Coverage:
    """Return a number as a bar code or as a matrix, drawn by lot."""
    if np.random.default_rng([spec.seed, 10, *line.name.encode()]).random() < 0.5:
        return matrix_code(line.text)
    wide = bar_code(line.text)
    return wide if 2 * wide.shape[1] < spec.columns else bar_code(line.text, module_px=1)


def _dressed(slot: Slot, spec: CineSpec, name: str) -> Slot:
    """Return the slot in the colours of the cine's dress."""
    match spec.dress:
        case Dress.COLOURED if slot.bar is None:
            # A colour of the line's own, bright enough for black ground.
            hue = np.random.default_rng([spec.seed, 9, *name.encode()]).integers(180)
            pixel = np.array([[[hue, 255, 255]]], np.uint8)
            red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
            return replace(slot, colour=(max(60, red), max(60, green), max(60, blue)))
        case Dress.INVERSE:
            return replace(slot, colour=_DARK, bar=slot.colour if slot.bar is None else slot.bar)
        case Dress.CHROMA:
            return replace(slot, colour=_SAME_LUMA[1], bar=_SAME_LUMA[0], rim=False)
        case Dress.WHITE if slot.place is not Place.TISSUE and slot.bar is None:
            return replace(slot, colour=_DARK, rim=False)
        case Dress.BARE:
            return replace(slot, rim=False)
        case Dress.CODES if _is_coded(slot, spec):
            return replace(slot, colour=_DARK, bar=_PAPER, rim=False)
        case _:
            return slot


def _pushed(start: int, length: int, size: int) -> int:
    """Return where a line starts that is pushed to the picture's edge, if it is near one."""
    near = size // _EDGE_PART
    if start < near:
        return 0
    return size - length if size - start - length < near else start


def _style(slot: Slot, spec: CineSpec, layout: Layout) -> TextStyle:
    height = spec.tier.text_px or max(6, round(layout.text_share * spec.rows * slot.scale))
    return TextStyle(
        height_px=height,
        face=spec.face or layout.face,
        bold=slot.bold,
        spacing_px=spec.spacing_px if slot.place is Place.BANNER else 0,
        rotation=spec.rotation if slot.place is Place.TISSUE else 0,
        crisp=layout.crisp and spec.face is None,
        hollow=spec.dress is Dress.HOLLOW,
        stretch=spec.stretch,
    )


def _fitted(text: str, style: TextStyle, room_px: int) -> tuple[str, Coverage, int]:
    """Set `text`, cut off and dotted until it fits the room, as machines do."""
    shown = text
    while True:
        coverage, ascent = set_text(shown, style)
        length = coverage.shape[0] if style.rotation in (90, 270) else coverage.shape[1]
        if length <= room_px or len(shown) <= 4:
            return shown, coverage, ascent
        shown = shown.removesuffix("...")[:-1].rstrip() + "..."


def _blurred(coverage: Coverage, sigma: float) -> tuple[Coverage, int]:
    margin = int(np.ceil(3 * sigma))
    padded = np.pad(coverage, margin)
    return np.asarray(cv2.GaussianBlur(padded, (0, 0), sigma), np.uint8), margin


def _ink(coverage: Coverage) -> npt.NDArray[np.bool_]:
    return coverage >= max(1, int(coverage.max()) // 2)


def _tight(stamp: Stamp, coverage: Coverage, x: int, y: int) -> Stamp | None:
    """Cut a stamp's coverage at (x, y) to the pixels that it touches."""
    touched = coverage >= _TOUCHED
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    if not len(rows):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = np.where(touched, coverage, np.uint8(0))[top:bottom, left:right]
    box = (x + int(left), y + int(top), x + int(right), y + int(bottom))
    return replace(stamp, item=replace(stamp.item, box=box, ink=_ink(cut)), coverage=cut)
