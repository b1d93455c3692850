"""What a survey keeps of the frames that passed: measures of a window's, averages over time."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.text.tilemaps import StepGauge, TileMap
from cinescrub.text.windows import runs
from cinescrub.types import Frame

__all__ = ["Averages", "Watch"]

_COMPOSITES: Final = 6
"""Averages that are kept; what stays from then on is looked at in a frame of its own."""
_STAYING: Final = ((3, 40), (2, 64))
"""Tiles in a row in which an average has steps of this height that the one before had not: text."""


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
    """Averages of the frames between two calls of `close`, kept where something new stays."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.kept: list[Frame] = []
        self.count = 0
        self._gauge = StepGauge(shape)
        self._total = np.zeros(shape, np.uint16)  # holds the sum of 257 frames
        self._last: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Add a frame to the average that is being made."""
        np.add(self._total, frame, out=self._total)
        self.count += 1

    def close(self, moving: npt.NDArray[np.bool_]) -> bool:
        """End an average; return whether something new stays in it and there is no room for it."""
        average = (self._total // np.uint16(self.count)).astype(np.uint8)
        self._total[...] = 0
        self.count = 0
        if not moving.any():
            return False
        if self._last is not None:
            change = self._gauge.change(_halved(average), _halved(self._last))
            if not any(runs((change > h) & moving, n).any() for n, h in _STAYING):
                return False
        self._last = average
        if len(self.kept) >= _COMPOSITES:
            return True
        self.kept.append(average)
        return False


def _halved(picture: Frame) -> Frame:
    return np.right_shift(picture, np.uint8(1))
