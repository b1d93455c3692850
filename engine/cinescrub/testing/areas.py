"""Tells what each pixel of a made cine belongs to: a string, its surroundings, a graphic, tissue.

Pure: the truth in, masks and counts out. Where areas meet, the first one of `Area` has the pixel.

*Surroundings* of a string are what a redaction of it may cover. Its box, grown by the height of
the line along the text and by half of that across it, at least 4 pixels, because boxes that end at
the ink leave ends of lines (`docs/design/001-inspection.md`); then outwards to whole blocks of the
codec, because a lossy JPEG can only be changed by the block without a second lossy generation.
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

_LEAST_MARGIN_PX: Final = 4


class Area(StrEnum):
    """Whose pixel it is, in one frame."""

    IDENTIFYING = "identifying"
    """Surroundings of an identifying string that is there in this frame."""
    HELD = "held"
    """Surroundings of an identifying string of another frame: a mask may hold over the cine."""
    CLINICAL = "clinical"
    """Surroundings of a clinical string of any frame. What changes here is the price that `kept`
    counts by string."""
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
        graphics = self._filled(truth.graphics) & left
        left &= ~graphics
        sector = np.zeros_like(left) if truth.sector is None else truth.sector & left
        self._still = {
            Area.CLINICAL: clinical,
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
        here = self._around(item for item in self._truth.at(frame) if item.phi)
        masks = {Area.IDENTIFYING: here, Area.HELD: self._anywhere & ~here, **self._still}
        return {area: int((changed & mask).sum()) for area, mask in masks.items()}

    def _around(self, items: Iterable[TextItem]) -> Mask:
        width, height = self._truth.block
        mask = np.zeros((self._truth.rows, self._truth.columns), np.bool_)
        for item in items:
            x0, y0, x1, y1 = item.box
            across, along = _margins(x1 - x0, y1 - y0)
            left, right = _snapped(x0 - along, x1 + along, width)
            top, bottom = _snapped(y0 - across, y1 + across, height)
            mask[top:bottom, left:right] = True
        return mask

    def _filled(self, boxes: Iterable[tuple[int, int, int, int]]) -> Mask:
        mask = np.zeros((self._truth.rows, self._truth.columns), np.bool_)
        for x0, y0, x1, y1 in boxes:
            mask[y0:y1, x0:x1] = True
        return mask


def _margins(width: int, height: int) -> tuple[int, int]:
    """Return the margins in y and in x of a box: a line that stands upright runs along y."""
    line = min(width, height)
    along, across = max(_LEAST_MARGIN_PX, line), max(_LEAST_MARGIN_PX, (line + 1) // 2)
    return (across, along) if width >= height else (along, across)


def _snapped(first: int, end: int, block: int) -> tuple[int, int]:
    return max(0, first) // block * block, -(-max(0, end) // block) * block
