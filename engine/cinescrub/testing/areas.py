"""Tells what each pixel of a made cine belongs to: a string, its surroundings, a graphic, tissue.

Pure: the truth in, masks and counts out. Where areas meet, the first one of `Area` has the pixel.

*Surroundings* of a string are what a redaction of it may cover: its box, grown on all sides by the
height of the line, at least 8 pixels, because boxes that end at the ink leave ends of lines
(`docs/design/001-inspection.md`); then outwards to whole blocks of the codec, because a lossy JPEG
can only be changed by the block without a second lossy generation.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.testing.truth import CineTruth, TextItem

__all__ = ["Area", "AreaMap"]

Mask: TypeAlias = npt.NDArray[np.bool_]
"""(H, W) bool."""

_LEAST_MARGIN_PX: Final = 8


class Area(StrEnum):
    """Whose pixel it is, in one frame."""

    IDENTIFYING = "identifying"
    """Surroundings of an identifying string that is there in this frame."""
    HELD = "held"
    """Surroundings of an identifying string of another frame: a mask may hold over the cine."""
    CLINICAL = "clinical"
    """Surroundings of a clinical string of any frame. What changes here is the price that `kept`
    counts by string."""
    PADDING = "padding"
    """Up to twice as far from a string as its surroundings reach: boxes that are too large."""
    GRAPHICS = "graphics"
    """A scale, a bar, a trace, a logo."""
    SECTOR = "sector"
    """The insonified part."""
    BACKGROUND = "background"
    """All else."""


class AreaMap:
    """What the pixels of one cine belong to."""

    def __init__(self, truth: CineTruth) -> None:
        self._truth = truth
        self._anywhere = self._around(truth.phi)
        clinical = self._around(truth.clinical) & ~self._anywhere
        left = ~(self._anywhere | clinical)
        padding = self._around(truth.items, times=2) & left
        left &= ~padding
        graphics = self._filled(truth.graphics) & left
        left &= ~graphics
        sector = np.zeros_like(left) if truth.sector is None else truth.sector & left
        self._still = {
            Area.CLINICAL: clinical,
            Area.PADDING: padding,
            Area.GRAPHICS: graphics,
            Area.SECTOR: sector,
            Area.BACKGROUND: left & ~sector,
        }

    def count(self, frame: int, changed: Mask) -> dict[Area, int]:
        """Count the changed pixels of a frame by area.

        Parameters
        ----------
        frame : int
            Its index.
        changed : (H, W) bool array
            Borrowed.
        """
        items = tuple(self._truth.at(frame))
        # A clinical string's own box is its own, however near a name is.
        own = self._filled(item.box for item in items if not item.phi)
        here = self._around(item for item in items if item.phi) & ~own
        masks = self._still | {
            Area.IDENTIFYING: here,
            Area.HELD: self._anywhere & ~here & ~own,
            Area.CLINICAL: self._still[Area.CLINICAL] | own,
        }
        return {area: int((changed & mask).sum()) for area, mask in masks.items()}

    def _around(self, items: Iterable[TextItem], times: int = 1) -> Mask:
        width, height = self._truth.block
        mask = np.zeros((self._truth.rows, self._truth.columns), np.bool_)
        for item in items:
            x0, y0, x1, y1 = item.box
            # The shorter side is the height of the line, whichever way it runs.
            margin = times * max(_LEAST_MARGIN_PX, min(x1 - x0, y1 - y0))
            left, right = _snapped(x0 - margin, x1 + margin, width)
            top, bottom = _snapped(y0 - margin, y1 + margin, height)
            mask[top:bottom, left:right] = True
        return mask

    def _filled(self, boxes: Iterable[tuple[int, int, int, int]]) -> Mask:
        mask = np.zeros((self._truth.rows, self._truth.columns), np.bool_)
        for x0, y0, x1, y1 in boxes:
            mask[y0:y1, x0:x1] = True
        return mask


def _snapped(first: int, end: int, block: int) -> tuple[int, int]:
    return max(0, first) // block * block, -(-max(0, end) // block) * block
