"""Text detection with CRAFT (Baek et al., CVPR 2019): frames in, word boxes out.

The graph takes uint8 frames and normalises them itself; here frames are enlarged if asked,
padded, cut into overlapping tiles where they are large, and score maps become boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.runtime.session import Model
from cinescrub.types import Boxes, Frame, TextBoxes

__all__ = ["CraftDetector", "DetectorSettings", "boxes_from_maps"]

_STRIDE = 32
"""Sides are padded to multiples of this: VGG-16 halves four times, and EasyOCR pads to 32."""
_MAP_STRIDE = 2
"""The score maps have half of the input's resolution."""


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
    tile_px: int = 1024
    """Larger frames are inspected in tiles of at most this side, so that memory is bounded."""
    overlap_px: int = 128
    """Tiles share this much, so that a word cut by one tile is whole in its neighbour."""


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
        _, rows, columns, _ = frames.shape
        enlarged = frames if scale == 1.0 else _resize(frames, scale)
        text, link = self._score_maps(enlarged)
        found = []
        for b in range(len(frames)):
            words = boxes_from_maps(text[b], link[b], self._settings)
            xyxy = words.xyxy * (_MAP_STRIDE / scale)
            xyxy[:, :2] = np.floor(xyxy[:, :2])
            xyxy[:, 2:] = np.ceil(xyxy[:, 2:])
            cut = xyxy.astype(np.int32)
            np.clip(cut, 0, [columns, rows, columns, rows], out=cut)
            whole = (cut[:, 0] < cut[:, 2]) & (cut[:, 1] < cut[:, 3])
            found.append(TextBoxes(cut[whole], words.scores[whole]))
        return found

    def _score_maps(self, frames: Frame) -> tuple[npt.NDArray[np.float32], ...]:
        """Return text and link maps `(B, ceil(H/2), ceil(W/2))`, assembled from tiles."""
        batch, rows, columns, channels = frames.shape
        shape = (batch, math.ceil(rows / _MAP_STRIDE), math.ceil(columns / _MAP_STRIDE))
        text, link = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        tiles_y = _spans(rows, self._settings.tile_px, self._settings.overlap_px)
        tiles_x = _spans(columns, self._settings.tile_px, self._settings.overlap_px)
        for y in tiles_y:
            for x in tiles_x:
                height, width = _round_up(y.length), _round_up(x.length)
                tile = np.zeros((batch, height, width, channels), np.uint8)
                part = frames[:, y.start : y.start + y.length, x.start : x.start + x.length]
                tile[:, : part.shape[1], : part.shape[2]] = part
                maps = self._model.run({self._model.contract.inputs[0].name: tile})
                ys, yt = y.kept()
                xs, xt = x.kept()
                # Where tiles overlap each half comes from the tile that sees more around it.
                clean = np.nan_to_num(maps[:, yt, xt], nan=1.0)  # a broken map hides nothing
                target = (slice(None), slice(ys.start, ys.start + clean.shape[1]), xs)
                text[target] = clean[..., 0]
                link[target] = clean[..., 1]
        return text, link


@dataclass(frozen=True, slots=True)
class _Span:
    """One tile along one axis, in pixels, and how much of it counts."""

    start: int
    length: int
    margin_before: int
    margin_after: int

    def kept(self) -> tuple[slice, slice]:
        """Return where the counted part lies in the whole map, and in the tile's map."""
        first = self.margin_before // _MAP_STRIDE
        end = math.ceil((self.length - self.margin_after) / _MAP_STRIDE)
        offset = self.start // _MAP_STRIDE
        return slice(offset + first, offset + end), slice(first, end)


def _spans(length: int, tile: int, overlap: int) -> list[_Span]:
    """Cut a side into equal overlapping tiles with even starts."""
    if length <= tile:
        return [_Span(0, length, 0, 0)]
    count = math.ceil((length - overlap) / (tile - overlap))
    step = math.ceil((length - overlap) / count / _STRIDE) * _STRIDE
    spans = []
    for k in range(count):
        start = k * step
        if start >= length:
            break
        end = min(start + step + overlap, length)
        last = end == length
        spans.append(
            _Span(start, end - start, overlap // 2 if k else 0, 0 if last else overlap // 2)
        )
        if last:
            break
    return spans


def _round_up(length: int) -> int:
    return math.ceil(length / _STRIDE) * _STRIDE


def _resize(frames: Frame, scale: float) -> Frame:
    """Return enlarged frames `(B, H * scale, W * scale, C)`, owned."""
    _, rows, columns, channels = frames.shape
    size = (round(columns * scale), round(rows * scale))
    resized = [cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in frames]
    return np.stack(resized).astype(np.uint8).reshape(len(frames), size[1], size[0], channels)


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


def union(found: Sequence[TextBoxes]) -> TextBoxes:
    """Join what several looks at one frame found; boxes inside of another are dropped later."""
    return TextBoxes(
        np.concatenate([f.xyxy for f in found]), np.concatenate([f.scores for f in found])
    )
