"""Paints what machines draw besides text: bars, scales, marks, a trace, a logo without letters.

Functions paint into an (H, W, 3) uint8 RGB canvas in place. Nothing here knows of text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.layouts import Colour, Graphic

__all__ = ["Canvas", "Rectangle", "flow_colours", "paint", "pixels_of"]

Canvas: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, R, G, B."""

Rectangle: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""


def pixels_of(area: tuple[float, float, float, float], rows: int, columns: int) -> Rectangle:
    """Turn shares of the picture into pixels; at least one pixel wide and high."""
    x0, y0, x1, y1 = area
    left, top = round(x0 * columns), round(y0 * rows)
    return left, top, max(left + 1, round(x1 * columns)), max(top + 1, round(y1 * rows))


def paint(canvas: Canvas, graphic: Graphic) -> None:
    """Paint one shape into `canvas`, in place."""
    rows, columns = canvas.shape[:2]
    _PAINTERS[graphic.shape](canvas, pixels_of(graphic.area, rows, columns), graphic.colour)


def _bar(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    canvas[y0:y1, x0:x1] = colour


def _gray(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    ramp = np.linspace(1.0, 0.0, y1 - y0)[:, None, None] * np.array(colour)
    canvas[y0:y1, x0:x1] = ramp.astype(np.uint8)


def _flow(canvas: Canvas, area: Rectangle, _colour: Colour) -> None:
    x0, y0, x1, y1 = area
    velocity = np.linspace(1.0, -1.0, y1 - y0)[:, None]
    canvas[y0:y1, x0:x1] = flow_colours(np.repeat(velocity, x1 - x0, axis=1))


def flow_colours(velocity: npt.NDArray[np.floating]) -> Canvas:
    """Colour velocities of -1 to 1: red and yellow towards the probe, blue and cyan away from it.

    Parameters
    ----------
    velocity : (h, w) float array

    Returns
    -------
    (h, w, 3) uint8 array
    """
    towards, away = np.clip(velocity, 0, 1), np.clip(-velocity, 0, 1)
    red = 255 * np.sqrt(towards)
    green = 200 * (towards**2 + away**2)
    blue = 255 * np.sqrt(away)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def _ticks(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    for index, y in enumerate(np.linspace(y0, y1 - 2, 17).round().astype(int)):
        # Every fourth tick is a long one, as centimetre scales have.
        width = (x1 - x0) if index % 4 == 0 else max(1, (x1 - x0) // 2)
        canvas[y : y + 2, x0 : x0 + width] = colour


def _ecg(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    x = np.arange(x0, x1)
    beat = ((x - x0) / (x1 - x0) * 4.3) % 1.0
    height = 0.12 * np.exp(-(((beat - 0.2) / 0.04) ** 2)) + np.exp(-(((beat - 0.36) / 0.012) ** 2))
    height += 0.2 * np.exp(-(((beat - 0.62) / 0.06) ** 2))
    y = (y1 - 3 - height * (y1 - y0 - 6)).round().astype(int)
    points = np.stack([x, y], axis=1).reshape(-1, 1, 2).astype(np.int32)
    cv2.polylines(canvas, [points], isClosed=False, color=colour, thickness=1)


def _focus(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    points = np.array([[x1 - 1, y0], [x0, (y0 + y1) // 2], [x1 - 1, y1 - 1]], np.int32)
    cv2.fillPoly(canvas, [points], color=colour)


def _logo(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    centre = ((x0 + x1) // 2, (y0 + y1) // 2)
    radius = max(2, min(x1 - x0, y1 - y0) // 2 - 1)
    for share in (1.0, 0.65, 0.3):
        # Waves that spread to the lower right: no letter, no maker's sign.
        axes = (max(1, round(radius * share)), max(1, round(radius * share)))
        cv2.ellipse(canvas, centre, axes, 45, -60, 60, colour, 1, cv2.LINE_AA)


def _dots(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    for index, y in enumerate(np.linspace(y0, y1 - 2, 13).round().astype(int)):
        cv2.circle(canvas, ((x0 + x1) // 2, int(y)), 2 if index % 4 == 0 else 1, colour, cv2.FILLED)


def _disc(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    x0, y0, x1, y1 = area
    centre = ((x0 + x1) // 2, (y0 + y1) // 2)
    cv2.circle(
        canvas, centre, max(2, min(x1 - x0, y1 - y0) // 2 - 1), colour, cv2.FILLED, cv2.LINE_AA
    )


def _box(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    """Paint the outline of a colour box: narrower above, as beams of a fan are."""
    x0, y0, x1, y1 = area
    inset = (x1 - x0) // 4
    points = np.array(
        [[x0 + inset, y0], [x1 - 1 - inset, y0], [x1 - 1, y1 - 1], [x0, y1 - 1]], np.int32
    )
    cv2.polylines(canvas, [points], isClosed=True, color=colour, thickness=1)


def _body(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    """Paint a body mark: a trunk's outline with a bar for the probe."""
    x0, y0, x1, y1 = area
    shape = [(0.1, 0.0), (0.0, 0.35), (0.15, 0.6), (0.1, 1.0), (0.9, 1.0), (0.85, 0.6)]
    shape += [(1.0, 0.35), (0.9, 0.0), (0.6, 0.08), (0.4, 0.08)]
    scale = np.array([x1 - 1 - x0, y1 - 1 - y0])
    points = (np.array(shape) * scale + [x0, y0]).round().astype(np.int32)
    cv2.polylines(canvas, [points], isClosed=True, color=colour, thickness=1, lineType=cv2.LINE_AA)
    middle = (x0 + x1) // 2
    cv2.rectangle(
        canvas,
        (middle, y0 + (y1 - y0) // 2),
        (middle + 2, y0 + (y1 - y0) * 2 // 3),
        colour,
        cv2.FILLED,
    )


def _calipers(canvas: Canvas, area: Rectangle, colour: Colour) -> None:
    """Paint two crosses and the dotted line between them."""
    x0, y0, x1, y1 = area
    for x, y in ((x0 + 4, y1 - 5), (x1 - 5, y0 + 4)):
        cv2.drawMarker(canvas, (x, y), colour, cv2.MARKER_CROSS, 9, 1)
    for share in np.linspace(0.0, 1.0, 12):
        x, y = round(x0 + 4 + share * (x1 - x0 - 9)), round(y1 - 5 - share * (y1 - y0 - 9))
        canvas[max(0, y) : y + 1, max(0, x) : x + 1] = colour


_PAINTERS: Final[dict[str, Callable[[Canvas, Rectangle, Colour], None]]] = {
    "bar": _bar,
    "rule": _bar,
    "gray": _gray,
    "flow": _flow,
    "ticks": _ticks,
    "ecg": _ecg,
    "focus": _focus,
    "logo": _logo,
    "dots": _dots,
    "disc": _disc,
    "box": _box,
    "body": _body,
    "calipers": _calipers,
}
