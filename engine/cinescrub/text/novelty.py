"""Which parts of which frames must be inspected: those that show what was not looked at yet.

No model runs here. A survey reads every frame once and remembers tiles, never frames: what the
machine draws stays the same pixel by pixel, and anything else there is new; what moves (speckle)
is looked at where something sharp stands out of it, and averaged over time, which leaves what
stays. Why, and what is guaranteed: `docs/design/001-inspection.md`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.tilemaps import (
    TILE_PX,
    greatest,
    names_of,
    padded_to_tiles,
    sharpness,
    steps,
)
from cinescrub.text.windows import as_parts, judge, runs
from cinescrub.types import Boxes, Frame

__all__ = ["Novelty", "SeenFrames", "Survey"]

_WINDOW: Final = 32
"""Frames that are judged together: enough for a median of each tile, few enough for a scene."""
_FEW: Final = 8
"""Cines of up to this many frames are looked at whole: they have no usual state."""
_STATES: Final = 24
"""States that are remembered of each tile: a blinking text has two, a second's digit ten."""
_CONTEXT_PX: Final = 48
"""What is looked at around new tiles: three heights of usual text, so that the detector sees the
word that a letter belongs to. Not less than `LookSettings.context_px`."""
_WHOLE_SHARE: Final = 0.5
"""Parts that make up this share of a frame cost as much as the whole of it."""
_WHOLE_EVERY: Final = 128
"""Besides the first and last frame, one in this many is looked at whole."""
_COMPOSITES: Final = 6
"""Pictures that are kept; what stays in more windows is looked at in a frame of them."""
_STAYING_STEP: Final = 40
"""Change of sharpness between two averages that may be text: speckle averages out to a tenth."""
_STAYING_TILES: Final = 2


@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new where in a cine."""

    looks: tuple[tuple[int, Boxes], ...]
    """Frame numbers, ascending, and the parts to look at, with context around what is new. A part
    of the size of the frame is the whole frame."""
    moving: npt.NDArray[np.bool_]
    """(H, W): where the picture moves."""
    composites: tuple[Frame, ...]
    """(H, W, C) averages over time, to be looked at besides: what stays stands out of them."""

    @property
    def pixels(self) -> int:
        """Pixels that are looked at, those of the composites among them."""
        parts = sum(
            int((boxes[:, 2:] - boxes[:, :2]).astype(np.int64).prod(axis=1).sum())
            for _, boxes in self.looks
        )
        return parts + len(self.composites) * self.moving.size


class SeenFrames:
    """Remember inspected frames of one cine by a digest of their pixels (16 bytes a frame)."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def is_new(self, frame: Frame) -> bool:
        """Return whether no frame with these very pixels was asked about before; remember it.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            C-contiguous, borrowed.
        """
        digest = hashlib.blake2b(frame.data, digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True


class Survey:
    """Read the frames of a cine in order, then tell what is new where.

    Memory: some ten frames, 150 bytes a tile, and the looks themselves.

    Parameters
    ----------
    rows, columns, channels : int
        Of each frame.
    frames : int
        How many there will be; fewer or more are judged as well.
    """

    def __init__(self, rows: int, columns: int, channels: int, frames: int) -> None:
        self._rows, self._columns = rows, columns
        high, wide = -(-rows // TILE_PX), -(-columns // TILE_PX)
        self._tiles = (high, wide)
        shape = (high * TILE_PX, wide * TILE_PX, channels)
        self._now, self._before = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._scratch = np.zeros(shape, np.uint8)
        self._frames = frames
        self._seen = 0
        self._states = np.zeros((high * wide, _STATES), np.uint64)
        self._known = np.zeros(high * wide, np.intp)
        self._texture = np.zeros((high, wide), np.bool_)
        self._moving = np.zeros((high, wide), np.bool_)
        self._looks: dict[int, Boxes] = {}
        self._composites: list[Frame] = []
        self._average: Frame | None = None
        self._open_window()

    def add(self, frame: Frame) -> None:
        """Read the next frame.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            Borrowed for the call.
        """
        self._now, self._before = self._before, self._now
        padded_to_tiles(frame, self._now)
        if self._seen:
            cv2.absdiff(self._now, self._before, dst=self._scratch)
            changed = greatest(self._scratch.reshape(self._now.shape)) > 0
        else:
            changed = np.ones(self._tiles, np.bool_)
            self._before[...] = self._now
        fresh = self._fresh(changed)
        if self._seen:
            self._fresh_of.append(fresh)
        else:  # the first frame is looked at whole, and has no history
            self._fresh_of.append(np.zeros(self._tiles, np.bool_))
        if not changed.any() and self._sharp_of:
            self._sharp_of.append(self._sharp_of[-1])
            self._step_of.append(np.zeros(self._tiles, np.uint8))
        else:
            self._sharp_of.append(sharpness(self._now))
            self._step_of.append(steps(self._now, self._before, self._scratch))
        np.add(self._total, self._now, out=self._total)
        self._seen += 1
        left = self._frames - self._seen
        if len(self._fresh_of) >= _WINDOW and (left >= _WINDOW // 2 or left < 0):
            self._close_window()

    def result(self) -> Novelty:
        """Return what is new where; the survey is over."""
        if self._fresh_of:
            self._close_window()
        if self._seen <= _FEW:
            self._moving[...] = False  # too few frames to tell moving from changed
        wholes = range(self._seen) if self._seen <= _FEW else _spread(self._seen)
        looks = self._looks | dict.fromkeys(wholes, self._whole())
        moving = np.kron(self._moving, np.ones((TILE_PX, TILE_PX), np.bool_))
        return Novelty(
            tuple(sorted(looks.items())),
            np.ascontiguousarray(moving[: self._rows, : self._columns]),
            tuple(self._composites) if self._seen > _FEW else (),
        )

    def _open_window(self) -> None:
        self._total = np.zeros(self._now.shape, np.uint16)
        self._fresh_of: list[npt.NDArray[np.bool_]] = []
        self._sharp_of: list[npt.NDArray[np.uint8]] = []
        self._step_of: list[npt.NDArray[np.uint8]] = []

    def _fresh(self, changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which of the changed tiles are in no state that is remembered; remember it."""
        tiles = np.flatnonzero(changed)
        full = self._known[tiles] >= _STATES
        fresh = np.zeros(changed.size, np.bool_)
        fresh[tiles[full]] = True
        tiles = tiles[~full]
        if len(tiles):
            names = names_of(self._now, tiles)
            new = tiles[~(self._states[tiles] == names[:, None]).any(axis=1)]
            fresh[new] = True
            named = dict(zip(tiles.tolist(), names, strict=True))
            self._states[new, self._known[new]] = [named[t] for t in new.tolist()]
            self._known[new] += 1
        return fresh.reshape(changed.shape)

    def _close_window(self) -> None:
        count = len(self._fresh_of)
        first = self._seen - count
        verdict = judge(
            np.stack(self._fresh_of),
            np.stack(self._sharp_of),
            np.stack(self._step_of),
            self._texture,
        )
        for k in np.flatnonzero(verdict.new.any(axis=(1, 2))):
            self._looks[first + int(k)] = self._parts(verdict.new[k])
        # What passed while a tile moved was not looked at, so it is no known state.
        forgotten = verdict.texture.ravel()
        self._known[forgotten] = 0
        self._states[forgotten] = 0
        self._texture = verdict.texture
        self._moving |= verdict.texture
        if verdict.texture.any():
            self._keep_average(verdict.texture, first, count)
        self._open_window()

    def _keep_average(self, texture: npt.NDArray[np.bool_], first: int, count: int) -> None:
        """Keep the average of this window if something stays in it that did not before."""
        average = (self._total // count).astype(np.uint8)
        if self._average is not None:
            change = steps(average, self._average, self._scratch) > _STAYING_STEP
            if not runs(change & texture, _STAYING_TILES).any():
                return
        if len(self._composites) < _COMPOSITES:
            cut = average[: self._rows, : self._columns]
            self._composites.append(np.ascontiguousarray(cut))
        else:
            self._looks[first + count // 2] = self._whole()
        self._average = average

    def _whole(self) -> Boxes:
        return geometry.as_boxes([[0, 0, self._columns, self._rows]])

    def _parts(self, new: npt.NDArray[np.bool_]) -> Boxes:
        """Return rectangles around new tiles of a frame, or one that is the whole of it."""
        boxes = geometry.as_boxes(as_parts(new)) * TILE_PX
        boxes += np.array([-_CONTEXT_PX, -_CONTEXT_PX, _CONTEXT_PX, _CONTEXT_PX], np.int32)
        boxes = _disjoint(geometry.clip(boxes, self._rows, self._columns))
        area = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64).prod(axis=1).sum()
        return self._whole() if area > _WHOLE_SHARE * self._rows * self._columns else boxes


def _spread(frames: int) -> list[int]:
    """Return the frames that are looked at whole anyway, the first and the last among them."""
    count = 2 + frames // _WHOLE_EVERY
    return [int(k) for k in np.unique(np.linspace(0, frames - 1, count).astype(int))]


def _disjoint(boxes: Boxes) -> Boxes:
    """Join rectangles that overlap into the one around them, until none do."""
    rest = [tuple(int(v) for v in box) for box in boxes]
    apart: list[tuple[int, ...]] = []
    while rest:
        x0, y0, x1, y1 = rest.pop()
        met = [b for b in apart if b[0] < x1 and x0 < b[2] and b[1] < y1 and y0 < b[3]]
        if met:
            apart = [b for b in apart if b not in met]
            around = np.array([*met, (x0, y0, x1, y1)])
            low, high = around[:, :2].min(axis=0), around[:, 2:].max(axis=0)
            rest.append((int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        else:
            apart.append((x0, y0, x1, y1))
    return geometry.as_boxes(sorted(apart, key=lambda b: (b[1], b[0])))
