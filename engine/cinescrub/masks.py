"""Mask plans: rectangles with frame ranges, built from decisions. Never a dense mask."""

from __future__ import annotations

import numpy as np

from cinescrub import geometry
from cinescrub.types import Boxes, CineInfo, MaskPlan

__all__ = ["padded", "with_rectangles"]

_MARGIN_ALONG = 0.5
_MARGIN_ACROSS = 0.1
"""Rectangles grow by these shares of their height. Detectors' boxes hold the glyphs with room above
and below, but the ends of a line over tissue are often cut. Measured on 205 drawn items
(`benchmarks/detection.py`): 0.25 across covered no item that was found at all better, and filled an
eighth more, of the line above too."""
_MARGIN_AT_LEAST_PX = 2


def padded(boxes: Boxes, *, rows: int, columns: int) -> Boxes:
    """Return detected boxes grown by the redaction margin and cut to the frame.

    Parameters
    ----------
    boxes : (n, 4) int32 array
        Boxes as detected.
    rows, columns : int
        Size of the frame.
    """
    grown = geometry.pad(
        boxes, along=_MARGIN_ALONG, across=_MARGIN_ACROSS, at_least_px=_MARGIN_AT_LEAST_PX
    )
    return geometry.clip(grown, rows, columns)


def with_rectangles(info: CineInfo, rectangles: Boxes) -> MaskPlan:
    """Return the plan that fills exactly these rectangles in every frame."""
    kept = geometry.merge_overlapping(rectangles)
    spans = np.tile(np.array([0, info.frames], dtype=np.int32), (len(kept), 1))
    return MaskPlan(info.frames, info.rows, info.columns, kept, spans)
