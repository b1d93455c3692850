"""Score maps of frames of any size: enlarge, pad, cut into overlapping tiles, assemble.

What the detectors share. It knows neither what a score means nor how boxes come of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.runtime.session import Model
from cinescrub.types import Frame, TextBoxes

__all__ = ["BROKEN", "Tiling", "boxes_by_frame"]

_STEP_MULTIPLE = 32
"""Tiles start at multiples of this, which any stride and halving of a network divides."""

BROKEN = 2.0
"""What a score that is not a number counts as: surer than any, so that nothing hides in it."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How large frames are cut."""

    tile_px: int = 1024
    """Larger frames are inspected in tiles of at most this side, so that memory is bounded."""
    overlap_px: int = 128
    """Tiles share this much, so that a word cut by one tile is whole in its neighbour."""


def boxes_by_frame(
    model: Model,
    frames: Frame,
    scale: float,
    tiling: Tiling,
    *,
    stride: int,
    multiple: int,
    boxes_of: Callable[[npt.NDArray[np.float32]], TextBoxes],
) -> list[TextBoxes]:
    """Run a detector over resized frames and return its boxes, in pixels of the frames.

    Parameters
    ----------
    model : Model
        A session of a detector's slot.
    frames : (B, H, W, C) uint8 array
        Borrowed.
    scale : float
        Resizing before detection.
    tiling : Tiling
        How large frames are cut.
    stride : int
        Pixels of the input to one of the map.
    multiple : int
        Of which the network's sides have to be one.
    boxes_of : callable
        Turns the maps of one frame `(h, w, maps)` into boxes in pixels of the map.

    Returns
    -------
    list of B TextBoxes
    """
    seen = resized(frames, scale)
    maps = score_maps(model, seen, tiling, stride=stride, multiple=multiple)
    size, target = (seen.shape[1], seen.shape[2]), (frames.shape[1], frames.shape[2])
    return [boxes_in_frame(boxes_of(one), size, stride, target) for one in maps]


def resized(frames: Frame, scale: float) -> Frame:
    """Return frames `(B, H * scale, W * scale, C)`: the same object at scale 1, else owned."""
    if scale == 1.0:
        return frames
    _, rows, columns, channels = frames.shape
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    # Shrinking by interpolation alone would drop every other stroke of thin letters.
    how = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    made = [cv2.resize(frame, size, interpolation=how) for frame in frames]
    return np.stack(made).astype(np.uint8).reshape(len(frames), size[1], size[0], channels)


def score_maps(
    model: Model, frames: Frame, tiling: Tiling, *, stride: int, multiple: int
) -> npt.NDArray[np.float32]:
    """Run a detector over frames and return its maps, assembled from tiles.

    Parameters
    ----------
    model : Model
        Takes `(B, h, w, C)` uint8 and returns `(B, h / stride, w / stride, K)` float32.
    frames : (B, H, W, C) uint8 array
        Borrowed.
    tiling : Tiling
        How large frames are cut.
    stride : int
        Pixels of the frame to a cell of the map.
    multiple : int
        To a multiple of this sides are padded with black.

    Returns
    -------
    (B, ceil(H / stride), ceil(W / stride), K) float32 array
        Owned. A cell that is not a number is `BROKEN`: a broken map hides nothing.
    """
    batch, rows, columns, channels = frames.shape
    name = model.contract.inputs[0].name
    whole: npt.NDArray[np.float32] | None = None
    for y in _spans(rows, tiling):
        for x in _spans(columns, tiling):
            sides = (_round_up(span.length, multiple) for span in (y, x))
            tile = np.zeros((batch, *sides, channels), np.uint8)
            part = frames[:, y.start : y.start + y.length, x.start : x.start + x.length]
            tile[:, : part.shape[1], : part.shape[2]] = part
            maps = model.run({name: tile})
            if whole is None:
                shape = (batch, math.ceil(rows / stride), math.ceil(columns / stride))
                whole = np.zeros((*shape, maps.shape[3]), np.float32)
            ys, yt = y.kept(stride)
            xs, xt = x.kept(stride)
            # Where tiles overlap each half comes from the tile that sees more around it.
            clean = np.nan_to_num(maps[:, yt, xt], nan=BROKEN)
            whole[:, ys.start : ys.start + clean.shape[1], xs] = clean
    assert whole is not None  # noqa: S101  # a side has at least one span
    return whole


def boxes_in_frame(
    words: TextBoxes, map_size: tuple[int, int], stride: int, frame_size: tuple[int, int]
) -> TextBoxes:
    """Return boxes of a map in pixels of the frame that was resized for it, and cut to it.

    Parameters
    ----------
    words : TextBoxes
        In cells of the map; may leave it.
    map_size : (int, int)
        Height and width that the network saw, in pixels.
    stride : int
        Pixels the network saw to a cell of the map.
    frame_size : (int, int)
        Height and width of the frame.
    """
    rows, columns = frame_size
    ratio = np.array([columns / map_size[1], rows / map_size[0]] * 2) * stride
    xyxy = words.xyxy * ratio
    # A billionth less: a quotient that is whole but for rounding must not grow by a pixel.
    xyxy[:, :2] = np.floor(xyxy[:, :2] + 1e-9)
    xyxy[:, 2:] = np.ceil(xyxy[:, 2:] - 1e-9)
    cut = np.clip(xyxy, 0, [columns, rows, columns, rows]).astype(np.int32)
    whole = (cut[:, 0] < cut[:, 2]) & (cut[:, 1] < cut[:, 3])
    return TextBoxes(cut[whole], words.scores[whole])


@dataclass(frozen=True, slots=True)
class _Span:
    """One tile along one axis, in pixels, and how much of it counts."""

    start: int
    length: int
    margin_before: int
    margin_after: int

    def kept(self, stride: int) -> tuple[slice, slice]:
        """Return where the counted part lies in the whole map, and in the tile's map."""
        first = self.margin_before // stride
        end = math.ceil((self.length - self.margin_after) / stride)
        offset = self.start // stride
        return slice(offset + first, offset + end), slice(first, end)


def _spans(length: int, tiling: Tiling) -> list[_Span]:
    """Cut a side into equal overlapping tiles whose starts any stride of a network divides."""
    tile, overlap = tiling.tile_px, tiling.overlap_px
    if length <= tile:
        return [_Span(0, length, 0, 0)]
    count = math.ceil((length - overlap) / (tile - overlap))
    step = math.ceil((length - overlap) / count / _STEP_MULTIPLE) * _STEP_MULTIPLE
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


def _round_up(length: int, multiple: int) -> int:
    return math.ceil(length / multiple) * multiple
