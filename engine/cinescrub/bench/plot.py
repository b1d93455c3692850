"""Draws a result as one picture: a curve where a case grows by frames, else a bar a row.

With OpenCV and its embedded face: no plotting library is needed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

import cv2
import numpy as np

from cinescrub.bench.results import Figure, Result, Row
from cinescrub.bench.table import shown
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.layouts import Colour

__all__ = ["draw_result"]

_FACE: Final = "sans"
_INK: Final[Colour] = (32, 36, 44)
_FAINT: Final[Colour] = (110, 116, 126)
_GRID: Final[Colour] = (226, 228, 232)
_COLOURS: Final[tuple[Colour, ...]] = (
    (46, 98, 168),
    (206, 112, 48),
    (70, 140, 84),
    (150, 78, 150),
    (128, 128, 128),
    (180, 60, 60),
)
_WIDTH: Final = 900
_EDGE: Final = 20
_HEAD: Final = 72
_ROW: Final = 24
_NAMES: Final = 330
_PANEL_HEAD: Final = 34
_CURVE_HEIGHT: Final = 260
_CHAR_PX: Final = 7

_FIGURES: Final = {
    "throughput": ("wall_s", "cpu_s", "peak_mib"),
    "work": ("stage_inspect_s", "stage_verify_s"),
    "memory": ("peak_mib",),
    "floor": ("wall_s", "cpu_s"),
    "peers": ("cpu_s", "frames_per_s", "peak_mib"),
    "models": ("wall_item_ms", "cpu_item_ms"),
}
_TITLES: Final = {
    "wall_s": "seconds",
    "cpu_s": "CPU seconds",
    "peak_mib": "peak memory, MiB",
    "stage_inspect_s": "seconds of inspection",
    "stage_verify_s": "seconds of the check",
    "frames_per_s": "frames/s",
    "wall_item_ms": "ms an item",
    "cpu_item_ms": "CPU ms an item",
}


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    frames: tuple[float, ...]
    figures: tuple[Figure, ...]


def draw_result(result: Result) -> Canvas:
    """Draw the main figures of a result: medians, with the spread as a line across them.

    Returns
    -------
    (H, W, 3) uint8 array
        R, G, B, owned by the caller.
    """
    panels = [_panel(result, name) for name in _FIGURES[result.kind]]
    heights = [panel.shape[0] for panel in panels]
    canvas = np.full((_HEAD + sum(heights) + _EDGE, _WIDTH, 3), 255, np.uint8)
    _write(canvas, f"cinescrub bench {result.kind}", (_EDGE, 34), 20, _INK)
    machine = result.machine
    note = (
        f"{machine.get('processor')}, {machine.get('cores')} cores, load {machine.get('load')};"
        f" cinescrub {machine.get('cinescrub')}; median of {result.settings.get('repeat')}"
    )
    _write(canvas, note, (_EDGE, 56), 12, _FAINT)
    top = _HEAD
    for panel, height in zip(panels, heights, strict=True):
        canvas[top : top + height] = panel
        top += height
    return canvas


def _panel(result: Result, figure: str) -> Canvas:
    curves = _curves(result.rows, figure)
    title = _TITLES[figure]
    return _curve_panel(title, curves) if curves else _bar_panel(title, result.rows, figure)


def _curves(rows: Sequence[Row], figure: str) -> list[_Curve]:
    """Return a curve for each set of rows that differ in their number of frames alone."""
    groups: dict[str, list[tuple[float, Figure]]] = {}
    for row in rows:
        frames = row.facts.get("frames")
        if figure in row.figures and isinstance(frames, int):
            alike = [row.facts.get(name) for name in ("columns", "rows", "syntax", "dynamic")]
            name = f"{row.subject} {alike[0]}x{alike[1]} {alike[2]} {alike[3] or ''}".strip()
            groups.setdefault(name, []).append((frames, row.figures[figure]))
    curves = []
    for name, points in groups.items():
        points.sort(key=lambda point: point[0])
        frames_of, figures = zip(*points, strict=True)
        if len(set(frames_of)) == len(points) > 1:
            curves.append(_Curve(name, frames_of, figures))
    return curves


def _bar_panel(title: str, rows: Sequence[Row], figure: str) -> Canvas:
    found = [(row, row.figures[figure]) for row in rows if figure in row.figures]
    canvas = np.full((_PANEL_HEAD + _ROW * len(found) + 12, _WIDTH, 3), 255, np.uint8)
    _write(canvas, title, (_EDGE, 22), 15, _INK)
    longest = max((each.high for _, each in found), default=0.0) or 1.0
    room = _WIDTH - _NAMES - _EDGE - 110
    subjects = list(dict.fromkeys(row.subject for row, _ in found))
    for index, (row, each) in enumerate(found):
        top = _PANEL_HEAD + index * _ROW
        name = f"{row.subject}: {row.case}"[: (_NAMES - _EDGE) // _CHAR_PX]
        _write(canvas, name, (_EDGE, top + 16), 12, _INK)
        colour = _COLOURS[subjects.index(row.subject) % len(_COLOURS)]
        end, low, high = (
            _NAMES + round(room * value / longest) for value in (each.median, each.low, each.high)
        )
        canvas[top + 4 : top + _ROW - 4, _NAMES : max(end, _NAMES + 1)] = colour
        if len(each.runs) > 1:
            canvas[top + 11 : top + 13, low : max(high, low + 1)] = _INK
        _write(canvas, shown(each.median), (max(end, high) + 8, top + 16), 12, _INK)
    return canvas


def _curve_panel(title: str, curves: Sequence[_Curve]) -> Canvas:
    """Draw curves over frames, both axes logarithmic."""
    legend = _ROW * len(curves)
    canvas = np.full((_PANEL_HEAD + _CURVE_HEIGHT + legend + 40, _WIDTH, 3), 255, np.uint8)
    _write(canvas, f"{title}, by number of frames (both axes logarithmic)", (_EDGE, 22), 15, _INK)
    left, right = _EDGE + 60, _WIDTH - _EDGE - 30
    top, bottom = _PANEL_HEAD + 8, _PANEL_HEAD + _CURVE_HEIGHT
    xs = _Axis([value for curve in curves for value in curve.frames], left, right)
    ys = _Axis([v for c in curves for f in c.figures for v in (f.low, f.high)], bottom, top)
    for value in ys.ticks():
        at = ys.at(value)
        canvas[at, left:right] = _GRID
        _write(canvas, shown(value), (_EDGE, at + 4), 11, _FAINT)
    for value in sorted({value for curve in curves for value in curve.frames}):
        at = xs.at(value)
        canvas[top:bottom, at] = _GRID
        _write(canvas, shown(int(value)), (at - 8, bottom + 18), 11, _FAINT)
    for index, curve in enumerate(curves):
        colour = _COLOURS[index % len(_COLOURS)]
        pairs = zip(curve.frames, curve.figures, strict=True)
        points = [(xs.at(frames), ys.at(each.median)) for frames, each in pairs]
        cv2.polylines(canvas, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        for (x, y), each in zip(points, curve.figures, strict=True):
            cv2.line(canvas, (x, ys.at(each.low)), (x, ys.at(each.high)), colour, 1)
            cv2.circle(canvas, (x, y), 4, colour, -1, cv2.LINE_AA)
        line = bottom + 36 + index * _ROW
        canvas[line - 6 : line - 2, left : left + 24] = colour
        _write(canvas, curve.name, (left + 34, line), 12, _INK)
    return canvas


class _Axis:
    """A logarithmic axis from the least to the largest value, in pixels."""

    def __init__(self, values: Sequence[float], start: int, end: int) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self._low, self._high = log10(min(positive)), log10(max(positive))
        if self._high - self._low < _LEAST_DECADES:
            middle = (self._low + self._high) / 2
            self._low, self._high = middle - _LEAST_DECADES / 2, middle + _LEAST_DECADES / 2
        self._start, self._end = start, end

    def at(self, value: float) -> int:
        """Return the pixel of a value; what is not positive lies at the start."""
        share = (log10(value) - self._low) / (self._high - self._low) if value > 0 else 0.0
        return round(self._start + (self._end - self._start) * share)

    def ticks(self) -> list[float]:
        """Return 1, 2 and 5 times the powers of ten that the axis spans."""
        decades = range(int(np.floor(self._low)), int(np.ceil(self._high)) + 1)
        steps = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
        return [value for value in steps if self._low <= log10(value) <= self._high]


_LEAST_DECADES: Final = 1.0
"""Below it an axis would blow noise up: a flat curve has to look flat."""


def _write(canvas: Canvas, text: str, at: tuple[int, int], size: int, colour: Colour) -> None:
    cv2.putText(canvas, text, at, colour, cv2.FontFace(_FACE), size)
