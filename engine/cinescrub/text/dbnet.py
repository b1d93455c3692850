"""Text detection with a DB network (Liao et al., AAAI 2020; PP-OCR): frames in, line boxes out.

The graph takes uint8 frames and normalises them itself, `tiles` fits frames of any size to it; here
its probability map becomes boxes. It finds what CRAFT misses: initials, turned and tiny text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.runtime.session import Model
from cinescrub.text.tiles import BROKEN, Tiling, boxes_by_frame
from cinescrub.types import Frame, TextBoxes

__all__ = ["DbDetector", "DbSettings", "boxes_from_map"]

_MAP_STRIDE = 1
"""The map has the input's resolution."""
_MULTIPLE = 32
"""The network halves a frame five times."""
_SURE = 0.5
"""Mean probability that what is split needs: RapidOCR's `box_thresh`."""
_SPLITS = (0.3, 0.5, 0.7, 0.9)
"""Thresholds at which what is too tall for text is looked at again."""


@dataclass(frozen=True, slots=True)
class DbSettings:
    """Thresholds and sizes of the detector."""

    threshold: float = 0.1
    """Pixels with a higher probability belong to the core of a line. The published 0.3 loses text
    over tissue (`docs/design/001-inspection.md`)."""
    box_threshold: float = 0.15
    """A core needs this mean probability; RapidOCR asks for 0.5."""
    unclip: float = 1.6
    """How far a core grows: by its area over its perimeter, times this. The network was trained on
    cores shrunk by that measure; RapidOCR grows them by 1.6."""
    smallest_px: int = 3
    """Cores with fewer pixels are noise."""
    tallest_px: float = 48.0
    """Cores taller than this, in pixels of the map, are no text: those of letters of 60 px are
    about 40 px high, and no core of text is joined to the line above. See `_cores`. Enlarged looks
    are for small text: there the same limit leaves out larger letters, which the plain look sees,
    and most of what is tissue."""
    smallest_piece_px: float = 40.0
    """What is split off a core that is too tall is noise below this, in pixels of the frame:
    without it a real breast image gave 2780 boxes instead of 47."""
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

    @property
    def settings(self) -> DbSettings:
        """Thresholds and sizes."""
        return self._settings

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        """Detect lines in a batch of frames of one size.

        Parameters
        ----------
        frames : (B, H, W, C) uint8 array
            Borrowed; C = 1 (gray) or 3 (R, G, B).
        scale : float
            Resizing before detection. Boxes come back in pixels of the frame.

        Returns
        -------
        list of B TextBoxes
        """
        settings = replace(
            self._settings,
            smallest_piece_px=self._settings.smallest_piece_px * scale**2,
        )
        return boxes_by_frame(
            self._model,
            frames,
            scale,
            self._settings.tiling,
            stride=_MAP_STRIDE,
            multiple=_MULTIPLE,
            boxes_of=lambda maps: boxes_from_map(maps[..., 0], settings),
        )


def boxes_from_map(scores: npt.NDArray[np.float32], settings: DbSettings) -> TextBoxes:
    """Turn a probability map into upright boxes of lines, in pixels of the map.

    A core's box is the upright one around it, grown on all sides by `unclip` times its area over
    its perimeter, which undoes the shrinking that the network was trained with (section 3.3 of the
    paper; there on the polygon, of which this is the upright case). Around slanted text the box is
    larger than the polygon, never smaller.

    Parameters
    ----------
    scores : (h, w) float32 array
        Probabilities 0..1, or `tiles.BROKEN`; borrowed.
    settings : DbSettings
        Thresholds, sizes in pixels of the map.

    Returns
    -------
    TextBoxes
        Scored by the mean probability of the core. Boxes may leave the map by the growth; the
        caller clips.
    """
    found = list(_cores(scores, settings))
    low, side, mean = (np.concatenate(part) for part in zip(*found, strict=True))
    growth = side.prod(axis=1) * settings.unclip / (2 * side.sum(axis=1))
    reach = np.ceil(growth).astype(np.int32)[:, None]
    boxes = np.concatenate([low - reach, low + side + reach], axis=1).astype(np.int32)
    return TextBoxes(boxes, np.clip(mean, 0.0, 1.0).astype(np.float32))


def _cores(
    scores: npt.NDArray[np.float32], settings: DbSettings
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]]:
    """Yield corner, size and mean of cores; what is too tall for text is split where it is surer.

    The network takes colour flow and bright tissue for text, with areas as large as a chamber.
    Real text in them, or joined to them by a faint bridge, stands out at a higher threshold.
    """
    rest = scores > settings.threshold
    for level in (settings.threshold, *(v for v in _SPLITS if v > settings.threshold)):
        core = (rest & (scores > level)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
        area = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
        mean = np.bincount(labels.ravel(), weights=scores.ravel(), minlength=count) / area
        side = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].astype(np.int32)
        tall = (side.min(axis=1) > settings.tallest_px) & (mean < (1 + BROKEN) / 2)
        tall[0] = False  # the background
        for k in np.flatnonzero(tall):  # slanted text is tall as its box goes, not as it is
            points = np.argwhere(labels == k).astype(np.float32)
            tall[k] = min(cv2.minAreaRect(points)[1]) > settings.tallest_px
        least, sure = float(settings.smallest_px), settings.box_threshold
        if level > settings.threshold:  # splitting tissue leaves crumbs
            least, sure = settings.smallest_piece_px, max(sure, _SURE)
        held = ~tall & (mean >= sure) & (area >= least)
        held[0] = False
        corner = stats[held][:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]].astype(np.int32)
        yield corner, side[held], mean[held]
        if not tall.any():
            break
        rest = tall[labels]
