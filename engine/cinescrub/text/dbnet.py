"""Text detection with a DB network (Liao et al., AAAI 2020; PP-OCR): frames in, line boxes out.

The graph takes uint8 frames and normalises them itself, `tiles` fits frames of any size to it; here
its probability map becomes boxes. It finds what CRAFT misses: initials, turned and tiny text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.runtime.session import Model
from cinescrub.text.tiles import Tiling, boxes_in_frame, resized, score_maps
from cinescrub.types import Frame, TextBoxes

__all__ = ["DbDetector", "DbSettings", "boxes_from_map"]

_MAP_STRIDE = 1
"""The map has the input's resolution."""


@dataclass(frozen=True, slots=True)
class DbSettings:
    """Thresholds and sizes of the detector."""

    threshold: float = 0.3
    """Pixels with a higher probability belong to the core of a line (0.3 as published)."""
    box_threshold: float = 0.4
    """A core needs this mean probability."""
    unclip: float = 1.6
    """How far a core grows: by its area over its perimeter, times this. The network was trained on
    cores shrunk by that measure; RapidOCR grows them by 1.6."""
    smallest_px: int = 3
    """Cores with fewer pixels are noise."""
    tiling: Tiling = field(default_factory=Tiling)
    """How large frames are cut."""


class DbDetector:
    """Find lines of text in frames, whichever way they run.

    Parameters
    ----------
    model : Model
        A session of the `ppocr-detector` slot.
    settings : DbSettings
        Thresholds and sizes.
    """

    def __init__(self, model: Model, settings: DbSettings | None = None) -> None:
        self._model = model
        self._settings = settings or DbSettings()

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        """Detect lines in a batch of frames of one size.

        Parameters
        ----------
        frames : (B, H, W, C) uint8 array
            Borrowed; C = 1 (gray) or 3 (R, G, B).
        scale : float
            Resizing before detection; boxes come back in pixels of the frame.

        Returns
        -------
        list of B TextBoxes
        """
        seen = resized(frames, scale)
        size, tiling = (seen.shape[1], seen.shape[2]), self._settings.tiling
        maps = score_maps(self._model, seen, tiling, stride=_MAP_STRIDE)
        return [
            boxes_in_frame(
                boxes_from_map(one[..., 0], self._settings),
                size,
                _MAP_STRIDE,
                (frames.shape[1], frames.shape[2]),
            )
            for one in maps
        ]


def boxes_from_map(scores: npt.NDArray[np.float32], settings: DbSettings) -> TextBoxes:
    """Turn a probability map into upright boxes of lines, in pixels of the map.

    A core's box is the upright one around it, grown on all sides by `unclip` times its area over
    its perimeter, which undoes the shrinking that the network was trained with (section 3.3 of the
    paper; there on the polygon, of which this is the upright case). Around slanted text the box is
    larger than the polygon, never smaller.

    Parameters
    ----------
    scores : (h, w) float32 array
        Probabilities 0..1, borrowed.
    settings : DbSettings
        Thresholds.

    Returns
    -------
    TextBoxes
        Scored by the mean probability of the core. Boxes may leave the map by the growth; the
        caller clips.
    """
    core = (scores > settings.threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    total = np.bincount(labels.ravel(), weights=scores.ravel(), minlength=count)
    mean = total / np.maximum(area, 1)
    held = (mean >= settings.box_threshold) & (area >= settings.smallest_px)
    held[0] = False  # the background
    low = stats[held][:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]].astype(np.int32)
    side = stats[held][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].astype(np.int32)
    growth = side.prod(axis=1) * settings.unclip / (2 * side.sum(axis=1))
    reach = np.ceil(growth).astype(np.int32)[:, None]
    boxes = np.concatenate([low - reach, low + side + reach], axis=1).astype(np.int32)
    return TextBoxes(boxes, np.clip(mean[held], 0.0, 1.0).astype(np.float32))
