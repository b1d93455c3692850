"""What a survey keeps of the frames that passed: measures of a window's, averages over time."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.parts import parts_around, whole_frame
from cinescrub.text.tilemaps import StepGauge, TileMap
from cinescrub.text.windows import grown, runs
from cinescrub.types import Boxes, Frame

__all__ = ["Averages", "Watch"]

_COMPOSITES: Final = 6
"""Averages that are kept; what stays from then on is looked at in a frame of its own."""
_STAYING: Final = ((3, 40), (2, 64))
"""Tiles in a row with steps of this height that no average looked at there had: text."""
_WEAK: Final = 28
"""Steps of this height belong to the text that they hang together with; over speckle averages of 64
frames differ by 22 to 24 levels in half of the tiles, by 32 in a tenth of them."""


class Watch:
    """Measures the frames of a window one way: all channels, or luma where the shape has one."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._gauge = StepGauge(shape)
        self._luma = np.zeros(shape[:2], np.uint8)
        self._halved, self._before = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._sharp: list[TileMap] = []
        self._step: list[TileMap] = []
        self._started = False

    def add(self, frame: Frame, *, still: bool) -> None:
        """Measure a frame; a still one has the pixels of the one before."""
        if still and self._sharp:
            self._sharp.append(self._sharp[-1])
            self._step.append(np.zeros_like(self._sharp[-1]))
            return
        picture = frame
        if frame.shape[2] != self._halved.shape[2]:
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY, dst=self._luma)
            picture = self._luma[..., None]
        np.right_shift(picture, 1, out=self._halved)
        self._sharp.append(self._gauge.sharpness(picture))
        before = self._before if self._started else self._halved
        self._step.append(self._gauge.change(self._halved, before))
        self._halved, self._before = self._before, self._halved
        self._started = True

    def take(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Return sharpness and change of the frames since the last call, (n, th, tw) each."""
        window = np.stack(self._sharp), np.stack(self._step)
        self._sharp, self._step = [], []
        return window


class Averages:
    """Averages of the frames between two calls of `close`, kept where something new stays.

    Parameters
    ----------
    rows, columns : int
        Of each frame.
    shape : (int, int, int)
        Of the frames that are added, which are padded to whole tiles.
    """

    def __init__(self, rows: int, columns: int, shape: tuple[int, ...]) -> None:
        self.kept: list[tuple[Frame, Boxes]] = []
        """Averages, cut to the frame, and the parts of each to look at: all of the first."""
        self.count = 0
        self._rows, self._columns = rows, columns
        self._gauge = StepGauge(shape)
        self._total = np.zeros(shape, np.uint16)  # holds the sum of 257 frames
        self._looked_at: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Add a frame to the average that is being made."""
        np.add(self._total, frame, out=self._total)
        self.count += 1

    def close(self, moving: npt.NDArray[np.bool_]) -> bool:
        """End an average; return whether something new stays in it and there is no room for it.

        Parameters
        ----------
        moving : (th, tw) bool array
            Elsewhere averages tell nothing.
        """
        average = (self._total // np.uint16(self.count)).astype(np.uint8)
        self._total[...] = 0
        self.count = 0
        parts = self._new_parts(average, moving) if moving.any() else geometry.as_boxes()
        if not len(parts):
            return False
        if len(self.kept) >= _COMPOSITES:
            return True
        self.kept.append((average[: self._rows, : self._columns].copy(), parts))
        return False

    def _new_parts(self, average: Frame, moving: npt.NDArray[np.bool_]) -> Boxes:
        """Return where an average shows what none before it did, and take it for looked at."""
        if self._looked_at is None:
            self._looked_at = average
            return whole_frame(self._rows, self._columns)
        change = self._gauge.change(_halved(average), _halved(self._looked_at))
        change[~moving] = 0
        new = np.logical_or.reduce([runs(change > height, n) for n, height in _STAYING])
        if not new.any():
            return geometry.as_boxes()
        parts = parts_around(grown(new, change > _WEAK), self._rows, self._columns)
        # The rest is yet to be compared with what was looked at: what grows slowly adds up.
        for x0, y0, x1, y1 in parts:
            self._looked_at[y0:y1, x0:x1] = average[y0:y1, x0:x1]
        return parts


def _halved(picture: Frame) -> Frame:
    return np.right_shift(picture, np.uint8(1))
