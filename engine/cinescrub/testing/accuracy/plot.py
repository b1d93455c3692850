"""Draws the figures as one picture: a table of coloured cells, groups down, subjects across.

With OpenCV and its embedded face: no plotting library is needed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.testing.accuracy.measure import Subject
from cinescrub.testing.accuracy.summary import figures_of, grouped
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.layouts import Colour

__all__ = ["draw_figures"]

_FACE: Final = "sans"
_ROW_PX: Final = 26
_CELL_PX: Final = 118
_NAMES_PX: Final = 190
_HEAD_PX: Final = 124
_EDGE_PX: Final = 18
_GAP_PX: Final = 22
_INK: Final[Colour] = (32, 36, 44)
_FAINT: Final[Colour] = (110, 116, 126)
_STEPS: Final[tuple[tuple[float, Colour], ...]] = (
    # From what share on a cell has a colour: of recall, and of text kept.
    (1.0, (178, 223, 178)),
    (0.999, (214, 236, 190)),
    (0.99, (242, 240, 184)),
    (0.97, (250, 224, 172)),
    (0.9, (248, 200, 160)),
    (0.0, (240, 168, 160)),
)
_PANELS: Final = (
    ("item-frame recall %", "item_frame_recall", 2),
    ("clinical text kept %", "kept", 1),
)


def draw_figures(subjects: Sequence[Subject]) -> Canvas:
    """Draw item-frame recall and clinical text kept, by group and subject.

    Parameters
    ----------
    subjects : sequence of Subject
        At least one; the groups are those of the first.

    Returns
    -------
    (H, W, 3) uint8 array
        R, G, B, owned by the caller.
    """
    groups = [*grouped(subjects[0].outcomes), None]
    panel = _CELL_PX * len(subjects)
    width = 2 * _EDGE_PX + _NAMES_PX + len(_PANELS) * (panel + _GAP_PX) - _GAP_PX
    height = _HEAD_PX + _ROW_PX * len(groups) + 8 + _EDGE_PX
    canvas = np.full((height, max(width, 560), 3), 255, np.uint8)
    _write(canvas, "What is left of made cines with known truth", (_EDGE_PX, 34), 20, _INK)
    cines = len(subjects[0].outcomes)
    note = f"{cines} cines, equal for all; green: all, red: less than 90 %"
    _write(canvas, note, (_EDGE_PX, 56), 13, _FAINT)
    for row, group in enumerate(groups):
        name = "all" if group is None else group
        _write(canvas, name, (_EDGE_PX, _top(row, len(groups)) + 18), 14, _INK)
    left = _EDGE_PX + _NAMES_PX
    for title, key, digits in _PANELS:
        _write(canvas, title, (left, 86), 15, _INK)
        for column, subject in enumerate(subjects):
            corner = (left + column * _CELL_PX, _HEAD_PX)
            _write(canvas, subject.name, (corner[0] + 6, corner[1] - 10), 11, _FAINT)
            _column(canvas, subject, groups, key, digits, corner[0])
        left += panel + _GAP_PX
    return canvas


def _column(
    canvas: Canvas,
    subject: Subject,
    groups: Sequence[str | None],
    key: str,
    digits: int,
    left: int,
) -> None:
    by_group = grouped(subject.outcomes)
    for row, group in enumerate(groups):
        outcomes = subject.outcomes if group is None else by_group.get(group, [])
        if not outcomes:
            continue
        figures: dict[str, Any] = figures_of(outcomes)
        share = float(figures[key])
        top = _top(row, len(groups))
        canvas[top + 1 : top + _ROW_PX - 1, left + 1 : left + _CELL_PX - 1] = _colour(share)
        # Rounded down: what is not all must not read as 100.
        shown = np.floor(share * 100 * 10**digits) / 10**digits
        _write(canvas, f"{shown:.{digits}f}", (left + 12, top + 18), 14, _INK)


def _top(row: int, rows: int) -> int:
    """Return where a row begins; the last one, for all groups, stands apart."""
    return _HEAD_PX + row * _ROW_PX + (8 if row == rows - 1 else 0)


def _colour(share: float) -> Colour:
    return next(colour for least, colour in _STEPS if share >= least)


def _write(
    canvas: npt.NDArray[np.uint8], text: str, at: tuple[int, int], size: int, colour: Colour
) -> None:
    cv2.putText(canvas, text, at, colour, cv2.FontFace(_FACE), size)
