"""The sector: which part of the picture is insonified, from what moves, its texture and the header.

Speckle fills areas; what the machine draws is flat, or thin. The Ultrasound Regions of the header
lower the demands on what lies in them, and hide nothing: real files hold names inside of regions,
and regions outside of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes, Region

__all__ = ["Evidence", "Sector", "find_sector", "outside_rectangles"]

_LIT_LEVELS: Final = 6.0
"""Luma above the usual darkest from which a pixel is lit."""
_LIT_SHARE: Final = 0.6
"""Echoes light most of their surroundings; the strokes of text less than half."""
_ROUGH_LEVELS: Final = 0.6
"""Deviation from the mean of its surroundings from which a pixel isn't flat: above rounding."""
_ROUGH_SHARE: Final = 0.6
"""Speckle is rough nearly everywhere; a banner with text is flat between the letters."""
_AROUND_PX: Final = 5
_SHARE_PX: Final = 21
"""What a pixel deviates from, and where shares are taken: more than a line's height."""
_THIN_PX: Final = 25
"""What is narrower than this is no sector, and is cut off one: lines of text are narrower."""
_LEAST_SHARE: Final = 0.03
_LEAST_SHARE_IN_REGION: Final = 0.005
"""Share of the picture that a piece has at least; less where the header says that there is one."""
_IMAGE_FORMATS: Final = frozenset({1, 2, 3})
"""Region Spatial Format (0018,6012): 2D, M-mode, spectral (PS3.3 C.8.5.5.1.1)."""

_Mask = npt.NDArray[np.bool_]


class Evidence(StrEnum):
    """What a sector was found by."""

    NONE = "none"
    TEXTURE = "texture"
    MOTION = "motion"


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """The insonified part of the picture."""

    mask: _Mask
    """(H, W) bool; empty where nothing can be told."""
    evidence: Evidence

    @property
    def share(self) -> float:
        """Share of the picture."""
        return float(self.mask.mean())


def find_sector(
    mean_luma: npt.NDArray[np.float32],
    moving: _Mask,
    regions: Sequence[Region],
    rows: int,
    columns: int,
) -> Sector:
    """Find the insonified part.

    Parameters
    ----------
    mean_luma : (H, W) float32 array
        Luma, averaged over frames.
    moving : (H, W) bool array
        Where the picture moves; nothing in a still.
    regions : sequence of Region
        Those of the header.
    rows, columns : int
        H and W.
    """
    declared = _declared(regions, rows, columns)
    moves = bool(moving.any())
    textured = _is_textured(mean_luma)
    core = moving & _dilated(textured) if moves else textured
    solid = _without_thin(_closed(core))
    mask = np.zeros((rows, columns), np.bool_)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), None, None, 8)
    for label in range(1, count):
        piece = labels == label
        inside = declared[piece].mean() > 0.5
        least = _LEAST_SHARE_IN_REGION if inside else _LEAST_SHARE
        if stats[label, cv2.CC_STAT_AREA] >= least * rows * columns:
            mask |= _filled(piece)
    if not mask.any():
        return Sector(mask, Evidence.NONE)
    return Sector(mask, Evidence.MOTION if moves else Evidence.TEXTURE)


def outside_rectangles(sector: Sector, rows: int, columns: int) -> Boxes:
    """Return rectangles that make up everything outside of the sector, none overlapping.

    An empty sector leaves the whole picture outside.
    """
    boxes: list[tuple[int, int, int, int]] = []
    open_spans: dict[tuple[int, int], int] = {}
    for y in range(rows + 1):
        spans = _spans(~sector.mask[y]) if y < rows else set()
        for span in [span for span in open_spans if span not in spans]:
            boxes.append((span[0], open_spans.pop(span), span[1], y))
        for span in spans:
            open_spans.setdefault(span, y)
    return geometry.as_boxes(sorted(boxes, key=lambda b: (b[1], b[0])))


def _spans(marked: _Mask) -> set[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return {(int(a), int(b)) for a, b in edges.reshape(-1, 2)}


def _declared(regions: Sequence[Region], rows: int, columns: int) -> _Mask:
    mask = np.zeros((rows, columns), np.bool_)
    for region in regions:
        if region.spatial_format in _IMAGE_FORMATS:
            x0, y0 = max(0, region.x0), max(0, region.y0)
            mask[y0 : max(y0, region.y1 + 1), x0 : max(x0, region.x1 + 1)] = True
    return mask


def _is_textured(luma: npt.NDArray[np.float32]) -> _Mask:
    """Return where most of the surroundings are lit and not flat."""
    lit = luma > np.percentile(luma, 5) + _LIT_LEVELS
    rough = np.abs(luma - cv2.blur(luma, (_AROUND_PX, _AROUND_PX))) > _ROUGH_LEVELS
    return _mostly(lit, _LIT_SHARE) & _mostly(rough, _ROUGH_SHARE)


def _mostly(mask: _Mask, share: float) -> _Mask:
    around: _Mask = np.asarray(cv2.blur(mask.astype(np.float32), (_SHARE_PX, _SHARE_PX)) > share)
    return around


def _dilated(mask: _Mask) -> _Mask:
    return _morphed(mask, cv2.MORPH_DILATE, np.ones((_SHARE_PX, _SHARE_PX), np.uint8))


def _closed(mask: _Mask) -> _Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    return _morphed(mask, cv2.MORPH_CLOSE, kernel)


def _without_thin(mask: _Mask) -> _Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THIN_PX, _THIN_PX))
    return _morphed(mask, cv2.MORPH_OPEN, kernel)


def _morphed(mask: _Mask, way: int, kernel: npt.NDArray[np.uint8]) -> _Mask:
    # OpenCV's border is neutral for both ways of its own accord.
    morphed: _Mask = np.asarray(cv2.morphologyEx(mask.astype(np.uint8), way, kernel)) > 0
    return morphed


def _filled(piece: _Mask) -> _Mask:
    """Return a piece with its holes, dark chambers, filled."""
    outlines, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(piece.shape, np.uint8)
    cv2.drawContours(canvas, outlines, -1, 1, cv2.FILLED)
    return canvas > 0
