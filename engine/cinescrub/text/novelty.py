"""Which parts of which frames must be inspected: those that show what was not looked at yet.

No model runs here. A survey reads every frame once and remembers tiles, never frames: what the
machine draws stays the same pixel by pixel, and anything else there is new; what moves (speckle)
is looked at where something sharp stands out of it, and averaged over time, which leaves what
stays. Why, and what is guaranteed: `docs/design/001-inspection.md`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.parts import differing, parts_around, whole_frame
from cinescrub.text.tilemaps import (
    TILE_PX,
    Names,
    StateMemory,
    TileNames,
    greatest,
    padded_to_tiles,
    with_neighbours,
)
from cinescrub.text.watch import Averages, Watch
from cinescrub.text.windows import find_texture, is_visible, stands_out
from cinescrub.types import Boxes, Frame

__all__ = ["Novelty", "SeenFrames", "Survey"]

_Value = TypeVar("_Value", np.uint8, np.bool_)

_WINDOW: Final = 32
"""Frames that are judged together: enough for a median of each tile, few enough for a scene."""
_FEW: Final = 8
"""Cines of up to this many frames are looked at whole: they have no usual state."""
_STATES: Final = 64
"""States of a tile and its neighbours that are remembered: a blinking text has two, the minute of
a clock sixty."""
_WHOLE_EVERY: Final = 128
"""Besides the first and last frame, one in this many is looked at whole."""
_LEAST_AVERAGED: Final = 3
"""Frames that are averaged in a short cine, at least: a name of contrast 40 over speckle that no
detector saw in any of four frames was seen by both in their average."""
_AVERAGED: Final = 64
"""Frames of an average, at least: speckle averages out to an eighth. What is seen in fewer than a
quarter of them stands out of its window instead."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new where in a cine."""

    looks: tuple[tuple[int, Boxes], ...]
    """Frame numbers, ascending, and the parts to look at, with context around what is new. A part
    of the size of the frame is the whole frame."""
    moving: npt.NDArray[np.bool_]
    """(H, W): where the picture moves."""
    composites: tuple[tuple[Frame, Boxes], ...]
    """(H, W, C) averages over time, to be looked at besides: what stays stands out of them. With
    each the parts to look at, as in `looks`: all of the first, of later ones what is new there."""
    opening: Boxes
    """Parts of the first frame, as in `looks`: what it shows beside the moving picture that the
    first average does not."""
    regular: frozenset[int]
    """Numbers of frames that are looked at whole, whatever is new in them: the first, the last and
    some between."""
    windows: tuple[tuple[int, npt.NDArray[np.bool_]], ...]
    """Where the picture moves in the frames from a number on, ascending: (h, w) tiles."""

    def moving_at(self, frame: int) -> npt.NDArray[np.bool_]:
        """Return in which tiles (h, w) the picture moves around this frame of the cine."""
        return next(tiles for begin, tiles in reversed(self.windows) if begin <= frame)

    @property
    def pixels(self) -> int:
        """Pixels that are looked at, those of the composites and the opening among them."""
        looks = [boxes for _, boxes in (*self.looks, *self.composites)]
        looks += [self.opening] * bool(self.composites)
        return sum(int(geometry.areas(boxes).sum()) for boxes in looks)


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

    Memory: some ten frames, 400 bytes a tile, a byte a tile for each window, and the looks
    themselves.

    Parameters
    ----------
    rows, columns, channels : int
        Of each frame.
    frames : int
        How many there will be; fewer or more are judged as well.
    """

    def __init__(self, rows: int, columns: int, channels: int, frames: int) -> None:
        self._rows, self._columns, self._frames = rows, columns, frames
        self._tiles = (-(-rows // TILE_PX), -(-columns // TILE_PX))
        shape = (self._tiles[0] * TILE_PX, self._tiles[1] * TILE_PX, channels)
        self._now, self._before = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._difference = np.zeros(shape, np.uint8)
        self._watches = [Watch(shape)] + ([Watch((*shape[:2], 1))] if channels > 1 else [])
        self._names = TileNames(self._tiles)
        self._known = StateMemory(self._tiles[0] * self._tiles[1], at_most=_STATES)
        self._window: list[_Tiles] = []
        self._texture = np.zeros(self._tiles, np.bool_)
        self._moving = np.zeros(self._tiles, np.bool_)
        self._averages = Averages(rows, columns, shape)
        self._textures: list[tuple[int, npt.NDArray[np.bool_]]] = []
        self._first = self._now
        self._looks: dict[int, Boxes] = {}
        self._seen = 0

    def add(self, frame: Frame) -> None:
        """Read the next frame.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            Borrowed for the call.
        """
        self._now, self._before = self._before, self._now
        padded_to_tiles(frame, self._now)
        first = not self._seen
        if first:
            self._first = self._now.copy()
        cv2.absdiff(self._now, self._before, dst=self._difference)
        changed = greatest(self._difference.reshape(self._now.shape)) > 0
        changed |= first
        fresh = self._names.add(self._now, changed)
        self._window.append(_Tiles(changed, fresh & (not first), self._names.now.copy()))
        still = not first and not changed.any()
        for watch in self._watches:
            watch.add(self._now, still=still)
        self._averages.add(self._now)
        self._seen += 1
        left = self._frames - self._seen
        if len(self._window) >= _WINDOW and (left >= _WINDOW // 2 or left < 0):
            self._close_window()

    def result(self) -> Novelty:
        """Return what is new where; the survey is over."""
        if self._window:
            self._close_window()
            self._keep_average()
        few = self._seen <= _FEW
        whole = whole_frame(self._rows, self._columns)
        wholes = range(self._seen) if few else _spread(self._seen)
        # All is new in the first frame, and much of it stays: it is one of the regular ones.
        new = {k for k, parts in self._looks.items() if k and np.array_equal(parts, whole)}
        looks = self._looks | dict.fromkeys(wholes, whole)
        windows = [(0, np.zeros_like(self._moving))] if few else self._textures
        moving = np.logical_or.reduce([tiles for _, tiles in windows])
        composites = tuple(self._averages.kept) if self._seen >= _LEAST_AVERAGED else ()
        return Novelty(
            tuple(sorted(looks.items())),
            self._cropped(np.kron(moving, np.ones((TILE_PX, TILE_PX), np.bool_))),
            composites,
            differing(self._cropped(self._first), composites[0][0], windows[0][1])
            if composites
            else whole,
            frozenset() if few else frozenset(wholes) - new,
            tuple(windows),
        )

    def _close_window(self) -> None:
        begin = self._seen - len(self._window)
        was_texture = self._texture
        measures = [watch.take() for watch in self._watches]
        texture = find_texture(np.stack([t.fresh for t in self._window]), was_texture)
        new = self._unknown(~texture)
        # What was texture and now stands still shows a state that nobody looked at.
        new[0] |= was_texture & ~texture
        new &= is_visible(measures[0][0])
        if texture.any():
            new |= stands_out(measures, texture)
        for k in np.flatnonzero(new.any(axis=(1, 2))):
            self._looks[begin + int(k)] = parts_around(new[k], self._rows, self._columns)
        # What passed while a tile moved was not looked at, so it is no known state.
        self._names.forget(texture)
        self._known.forget(texture)
        self._texture = texture
        self._moving |= texture
        self._textures.append((begin, texture))
        self._window = []
        left = self._frames - self._seen
        if self._averages.count >= _AVERAGED and (left >= _AVERAGED // 2 or left < 0):
            self._keep_average()

    def _unknown(self, settled: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return where settled tiles show what they and their neighbours never showed together.

        Parameters
        ----------
        settled : (th, tw) bool array
            The others don't count as neighbours.

        Returns
        -------
        (n, th, tw) bool array
            By frame of the window.
        """
        names = with_neighbours(np.stack([t.names for t in self._window]) * settled)
        unknown = np.zeros(names.shape, np.bool_)
        for k, tiles in enumerate(self._window):
            changed = np.flatnonzero(tiles.changed & settled)
            unknown[k].flat[changed] = self._known.learn(changed, names[k].flat[changed])
        return unknown

    def _keep_average(self) -> None:
        middle = self._seen - self._averages.count // 2 - 1
        if self._averages.close(self._moving):
            self._looks[middle] = whole_frame(self._rows, self._columns)

    def _cropped(self, picture: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """Return a picture of whole tiles cut to the frame, owned."""
        return np.ascontiguousarray(picture[: self._rows, : self._columns])


@dataclass(frozen=True, slots=True)
class _Tiles:
    """What is known of the tiles of one frame, (th, tw) each."""

    changed: npt.NDArray[np.bool_]
    fresh: npt.NDArray[np.bool_]
    """In no state that the tile had before."""
    names: Names


def _spread(frames: int) -> list[int]:
    """Return the frames that are looked at whole anyway, the first and the last among them."""
    count = 2 + frames // _WHOLE_EVERY
    return [int(k) for k in np.unique(np.linspace(0, frames - 1, count).astype(int))]
