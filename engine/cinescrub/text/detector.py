"""Text detection with CRAFT (Baek et al., CVPR 2019): frames in, word boxes out.

The graph takes uint8 frames and normalises them itself, `tiles` fits frames of any size to it; here
score maps become boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.runtime.session import Model
from cinescrub.text.tiles import Tiling, boxes_by_frame
from cinescrub.types import Boxes, Frame, TextBoxes

__all__ = ["CraftDetector", "DetectorSettings", "boxes_from_maps"]

_MAP_STRIDE = 2
"""The score maps have half of the input's resolution."""
_MULTIPLE = 16
"""The network halves a frame four times."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Thresholds and sizes of the detector."""

    text_threshold: float = 0.4
    """A component needs this peak text score. CRAFT's own 0.7 loses short and small words; 0.4
    found every drawn word of the measured set (`docs/design/001-inspection.md`)."""
    low_text: float = 0.3
    """Pixels above this text score belong to a word."""
    link_threshold: float = 0.3
    """Pixels above this link score join characters to a word."""
    smallest_map_px: int = 6
    """Components with fewer score-map pixels are noise; CRAFT uses 10, which loses `M` at 10 px."""
    tiling: Tiling = field(default_factory=Tiling)
    """How large frames are cut."""


class CraftDetector:
    """Find words in frames.

    Parameters
    ----------
    model : Model
        A session of the `craft` slot.
    settings : DetectorSettings
        Thresholds and sizes.
    """

    def __init__(self, model: Model, settings: DetectorSettings | None = None) -> None:
        self._model = model
        self._settings = settings or DetectorSettings()

    @property
    def settings(self) -> DetectorSettings:
        """Thresholds and sizes."""
        return self._settings

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        """Detect words in a batch of frames of one size.

        Parameters
        ----------
        frames : (B, H, W, C) uint8 array
            Borrowed; C = 1 (gray) or 3 (R, G, B).
        scale : float
            Enlargement before detection; boxes come back in pixels of the frame.

        Returns
        -------
        list of B TextBoxes
        """
        return boxes_by_frame(
            self._model,
            frames,
            scale,
            self._settings.tiling,
            stride=_MAP_STRIDE,
            multiple=_MULTIPLE,
            boxes_of=lambda maps: boxes_from_maps(maps[..., 0], maps[..., 1], self._settings),
        )


def boxes_from_maps(
    text: npt.NDArray[np.float32], link: npt.NDArray[np.float32], settings: DetectorSettings
) -> TextBoxes:
    """Turn score maps into word boxes, in pixels of the map.

    Characters and the links between them are joined to components; a component's box is that of
    its text pixels (links only join), grown as CRAFT grows it: by sqrt(area * short side / box
    area) * 2, which makes up for the shrunken Gaussian that the network was trained on.

    Parameters
    ----------
    text, link : (h, w) float32 arrays
        Scores in about 0..1, borrowed.
    settings : DetectorSettings
        Thresholds.

    Returns
    -------
    TextBoxes
        Boxes may leave the map by the growth; the caller clips.
    """
    is_text = text > settings.low_text
    joined = (is_text | (link > settings.link_threshold)).astype(np.uint8)
    count, labels = cv2.connectedComponents(joined, connectivity=4)
    ys, xs = np.nonzero(is_text)
    if not len(ys):
        return TextBoxes(geometry.as_boxes(), np.zeros(0, np.float32))
    label = labels[ys, xs].astype(np.intp)
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, label, text[ys, xs])
    area = np.bincount(label, minlength=count)
    low = np.full((count, 2), np.iinfo(np.int32).max, np.int32)
    high = np.zeros((count, 2), np.int32)
    points = np.stack([xs, ys], axis=1).astype(np.int32)
    np.minimum.at(low, label, points)
    np.maximum.at(high, label, points + 1)
    held = (area >= settings.smallest_map_px) & (peak >= settings.text_threshold)
    boxes: Boxes = np.concatenate([low[held], high[held]], axis=1)
    side = boxes[:, 2:] - boxes[:, :2]
    growth = np.sqrt(area[held] * side.min(axis=1) / side.prod(axis=1)) * 2
    reach = np.ceil(growth / 2).astype(np.int32)[:, None]
    grown = np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], axis=1)
    return TextBoxes(grown.astype(np.int32), np.clip(peak[held], 0.0, 1.0))
