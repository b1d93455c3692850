"""The sector: which part of the picture is insonified, from what moves, its texture and the header.

Speckle fills areas; what the machine draws is flat, or thin. The Ultrasound Regions of the header
lower the demands on what lies in them, and hide nothing: real files hold names inside of regions,
and regions outside of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes, Region

__all__ = ["Evidence", "Sector", "find_sector", "near", "outside_rectangles"]

_Mask: TypeAlias = npt.NDArray[np.bool_]
_Luma: TypeAlias = npt.NDArray[np.float32]

_LIT_LEVELS: Final = 6.0
"""Luma above the usual darkest from which a pixel is lit."""
_LIT_SHARE: Final = 0.6
"""Echoes light most of their surroundings; the strokes of text less than half."""
_ROUGH_LEVELS: Final = 0.6
"""Deviation from the mean of its surroundings from which a pixel isn't flat: above rounding."""
_ROUGH_SHARE: Final = 0.6
"""Speckle is rough nearly everywhere; a banner with text is flat between the letters."""
_SHARP_LEVELS: Final = 80.0
_SHARP_SHARE: Final = 0.15
"""Strokes of text are thin and bright, and a quarter of its surroundings: 0.26 of a real banner
over a gradient. Of 22 real images 0.05 is the most."""
_STROKE_PX: Final = 5
_AROUND_PX: Final = 5
_SHARE_PX: Final = 21
"""What a pixel deviates from, and where shares are taken: more than a line's height."""
_GAP_PX: Final = 15
"""Gaps of this width are closed: dim echoes between bright ones."""
_THIN_PX: Final = 25
"""What is narrower than this is no sector, and is cut off one: lines of text are narrower."""
_LEAST_SHARE: Final = 0.03
_LEAST_SHARE_IN_REGION: Final = 0.005
"""Share of the picture that a piece has at least; less where the header says that there is one."""
_NEAR: Final = 0.05
"""Share of the rows within which echoes of the sector's edge may lie that it was found without."""
_IMAGE_FORMATS: Final = frozenset({1, 2, 3})
"""Region Spatial Format (0018,6012): 2D, M-mode, spectral (PS3.3 C.8.5.5.1.1)."""


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

    def hull(self) -> _Mask:
        """Return the sector with its dim parts: the convex hull of each of its pieces, owned.

        Fans, trapezia and rectangles are convex.
        """
        outlines, _ = cv2.findContours(
            self.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        canvas = np.zeros(self.mask.shape, np.uint8)
        for outline in outlines:
            cv2.fillConvexPoly(canvas, np.asarray(cv2.convexHull(outline)), (1,))
        return canvas > 0


def find_sector(
    luma: _Luma,
    moving: _Mask,
    regions: Sequence[Region],
    rows: int,
    columns: int,
    *,
    single: _Luma | None = None,
) -> Sector:
    """Find the insonified part.

    Dim echoes may be left out, and what the machine draws between bright ones is inside.

    Parameters
    ----------
    luma : (H, W) float32 array
        Luma, averaged over frames.
    moving : (H, W) bool array
        Where the picture moves; nowhere in a still.
    regions : sequence of Region
        Those of the header.
    rows, columns : int
        H and W.
    single : (H, W) float32 array, optional
        Luma of one frame, whose texture counts as well where nothing is known to move: an average
        of speckle is flat.
    """
    declared = _declared(regions, rows, columns)
    moves = bool(moving.any())
    core = _echoes(luma, moving) if moves else _texture(luma)
    if not moves and single is not None:
        core |= _texture(single)
    solid = _morphed(_morphed(core, cv2.MORPH_CLOSE, _GAP_PX), cv2.MORPH_OPEN, _THIN_PX)
    mask = np.zeros((rows, columns), np.bool_)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8))
    for label, area in enumerate(np.asarray(stats)[1:, cv2.CC_STAT_AREA], start=1):
        piece = np.asarray(labels) == label
        inside = declared[piece].mean() > 0.5
        least = _LEAST_SHARE_IN_REGION if inside else _LEAST_SHARE
        if area >= least * rows * columns:
            mask |= _filled(piece)
    if not mask.any():
        return Sector(mask, Evidence.NONE)
    return Sector(mask, Evidence.MOTION if moves else Evidence.TEXTURE)


def near(mask: _Mask) -> _Mask:
    """Return a sector `(H, W)` with what is so close to it that it may be an echo, owned."""
    side = 1 + 2 * round(_NEAR * mask.shape[0])
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(grown) > 0


def outside_rectangles(sector: Sector) -> Boxes:
    """Return rectangles that make up everything outside of the sector, none overlapping.

    The sector counts with its dim parts: the convex hull of each of its pieces. An empty sector
    leaves the whole picture outside.
    """
    outside = ~sector.hull()
    rows = len(outside)
    boxes: list[tuple[int, int, int, int]] = []
    begun: dict[tuple[int, int], int] = {}
    for y in range(rows + 1):
        spans = set(geometry.runs(outside[y])) if y < rows else set()
        boxes += [(x0, begun.pop((x0, x1)), x1, y) for x0, x1 in set(begun) - spans]
        for span in spans:
            begun.setdefault(span, y)
    return geometry.as_boxes(sorted(boxes, key=lambda b: (b[1], b[0])))


def _echoes(luma: _Luma, moving: _Mask) -> _Mask:
    """Return what moves and is lit or rough: motion is told tile by tile, light by pixel."""
    return moving & (_lit(luma) | _rough(luma))


def _texture(luma: _Luma) -> _Mask:
    """Return where most of the surroundings are lit and not flat, and no text is."""
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = np.asarray(cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, kernel))
    dark = np.asarray(cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, kernel))
    text = _mostly(np.maximum(bright, dark) > _SHARP_LEVELS, _SHARP_SHARE)
    return _mostly(_lit(luma), _LIT_SHARE) & _mostly(_rough(luma), _ROUGH_SHARE) & ~text


def _lit(luma: _Luma) -> _Mask:
    lit: _Mask = luma > np.percentile(luma, 5) + _LIT_LEVELS
    return lit


def _rough(luma: _Luma) -> _Mask:
    around = np.asarray(cv2.blur(luma, (_AROUND_PX, _AROUND_PX)))
    rough: _Mask = np.abs(luma - around) > _ROUGH_LEVELS
    return rough


def _mostly(mask: _Mask, share: float) -> _Mask:
    around = np.asarray(cv2.blur(mask.astype(np.float32), (_SHARE_PX, _SHARE_PX)))
    most: _Mask = around > share
    return most


def _morphed(mask: _Mask, way: int, side: int) -> _Mask:
    # OpenCV's border is neutral for both ways of its own accord.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    morphed: _Mask = np.asarray(cv2.morphologyEx(mask.astype(np.uint8), way, kernel)) > 0
    return morphed


def _declared(regions: Sequence[Region], rows: int, columns: int) -> _Mask:
    mask = np.zeros((rows, columns), np.bool_)
    for region in regions:
        if region.spatial_format in _IMAGE_FORMATS:
            x0, y0 = max(0, region.x0), max(0, region.y0)
            mask[y0 : max(y0, region.y1 + 1), x0 : max(x0, region.x1 + 1)] = True
    return mask


def _filled(piece: _Mask) -> _Mask:
    """Return a piece with its holes, dark chambers, filled."""
    outlines, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(piece.shape, np.uint8)
    cv2.drawContours(canvas, outlines, -1, (1,), cv2.FILLED)
    return canvas > 0
