"""Measures of a frame, tile by tile: what changed, how sharp it is, what a tile's state is called.

Tiles are 16 x 16 pixels, which is the MCU of 4:2:0 JPEG: what stays the same there decodes to the
same pixels. Nothing here remembers pixels, only what they are called.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.types import Frame

__all__ = [
    "TILE_PX",
    "Names",
    "StateMemory",
    "StepGauge",
    "TileMap",
    "TileNames",
    "greatest",
    "padded_to_tiles",
    "with_neighbours",
]

TILE_PX: Final = 16
"""Side of a tile."""
_REACH_PX: Final = 2
"""Distance of the two pixels of a step: thin strokes and the soft edges of drawn text fit in it,
and so does no more of a speckle than its slope."""

TileMap: TypeAlias = npt.NDArray[np.uint8]
"""(tile rows, tile columns) uint8: one number a tile."""

Names: TypeAlias = npt.NDArray[np.uint64]
"""(..., tile rows, tile columns) uint64: what the pixels of tiles are called."""

_WEIGHTS: Final = np.random.default_rng(20250601).integers(
    0, 1 << 64, (2, TILE_PX * TILE_PX * 3 // 4), dtype=np.uint64
)


def padded_to_tiles(frame: Frame, out: Frame) -> None:
    """Copy a frame into whole tiles; the last row and column are repeated into what is over.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed.
    out : (h, w, C) uint8 array
        Written to; h and w are the next multiples of 16.
    """
    rows, columns = frame.shape[:2]
    out[:rows, :columns] = frame
    out[:rows, columns:] = frame[:, -1:]
    out[rows:] = out[rows - 1]


def greatest(values: npt.NDArray[np.uint8]) -> TileMap:
    """Return the greatest value of each tile over all channels of an (h, w, C) array."""
    high, wide = values.shape[0] // TILE_PX, values.shape[1] // TILE_PX
    flat = values.reshape(high, TILE_PX, -1)
    # Down the rows first: long runs of memory, which NumPy takes 16 or more at a time.
    columns = flat.max(axis=1)
    tiles: TileMap = columns.reshape(high, wide, -1).max(axis=2)
    return tiles


class StepGauge:
    """Measures how sharp pictures of one size are, in buffers of its own.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and channels of the pictures.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        flat = (shape[0], shape[1] * shape[2])
        self._shape = shape
        self._across = np.zeros(flat, np.uint8)
        self._down = np.zeros(flat, np.uint8)
        self._change = np.zeros(shape, np.uint8)

    def sharpness(self, picture: Frame) -> TileMap:
        """Return the greatest step between pixels two apart, across or down, in any channel.

        A step belongs to the tile of its first pixel, also where it ends in the next tile.
        """
        flat = picture.reshape(self._across.shape)
        reach = _REACH_PX * self._shape[2]
        # The last two columns and rows of the buffers stay 0.
        cv2.absdiff(flat[:, :-reach], flat[:, reach:], dst=self._across[:, :-reach])
        cv2.absdiff(flat[:-_REACH_PX], flat[_REACH_PX:], dst=self._down[:-_REACH_PX])
        np.maximum(self._across, self._down, out=self._down)
        steps = greatest(self._down.reshape(self._shape))
        self._down[-_REACH_PX:] = 0
        return steps

    def change(self, halved: Frame, halved_before: Frame) -> TileMap:
        """Return the sharpness of what changed between two pictures of half the levels.

        What stays cancels out, however sharp it is, and so does a change of brightness.
        """
        np.subtract(halved, halved_before, out=self._change)
        np.add(self._change, np.uint8(128), out=self._change)  # 1 to 255: it wraps back
        return np.minimum(self.sharpness(self._change), 127) * np.uint8(2)


class TileNames:
    """Calls the pixels of each tile by a name: 64 bits, the same for the same pixels.

    A name is two sums modulo 2^64 of 32-bit words with random weights, of which the upper halves
    are joined: two different tiles have the same name with a probability of 2^-63 (multilinear
    hashing: Dietzfelbinger 1996, STACS, LNCS 1046:569; Lemire and Kaser 2014, Comput. J. 57:1624).

    Parameters
    ----------
    tiles : (int, int)
        Rows and columns of tiles.
    """

    def __init__(self, tiles: tuple[int, int]) -> None:
        self.now: Names = np.zeros(tiles, np.uint64)
        """(th, tw) uint64: the names of the last frame. Changed in place."""
        self._known = StateMemory(tiles[0] * tiles[1], at_most=24)
        self._unique = 0

    def add(self, picture: Frame, changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Name the tiles that changed; return which of them are in a state they never had.

        A tile that had many states changes all the time, and is called otherwise whenever it does:
        naming its pixels would cost more than it tells.

        Parameters
        ----------
        picture : (h, w, C) uint8 array
            Borrowed.
        changed : (th, tw) bool array
            The others look as they did.
        """
        tiles = np.flatnonzero(changed)
        full = self._known.is_full(tiles)
        fresh = np.zeros(changed.size, np.bool_)
        fresh[tiles[full]] = True
        self._unique += 1
        self.now.flat[tiles[full]] = self._unique  # names of pixels are 2^32 or more
        tiles = tiles[~full]
        if len(tiles):
            names = _names(picture, tiles)
            self.now.flat[tiles] = names
            fresh[tiles] = self._known.learn(tiles, names)
        return fresh.reshape(changed.shape)

    def forget(self, tiles: npt.NDArray[np.bool_]) -> None:
        """Forget the states of these tiles, a (th, tw) mask."""
        self._known.forget(tiles)


class StateMemory:
    """Remembers the states that each of some tiles was in, up to so many.

    A tile that had more is in a new state whenever it is asked about.
    """

    def __init__(self, tiles: int, *, at_most: int) -> None:
        self._names = np.zeros((tiles, at_most), np.uint64)
        self._counts = np.zeros(tiles, np.intp)

    def is_full(self, tiles: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Return which tiles have no room for another state."""
        full: npt.NDArray[np.bool_] = self._counts[tiles] >= self._names.shape[1]
        return full

    def learn(self, tiles: npt.NDArray[np.intp], names: Names) -> npt.NDArray[np.bool_]:
        """Return which tiles are in a state that isn't remembered; remember it.

        Parameters
        ----------
        tiles : (n,) int array
            Numbers of tiles, each once.
        names : (n,) uint64 array
            What their states are called; never 0.
        """
        new: npt.NDArray[np.bool_] = ~(self._names[tiles] == names[:, None]).any(axis=1)
        room = new & ~self.is_full(tiles)
        self._names[tiles[room], self._counts[tiles[room]]] = names[room]
        self._counts[tiles[room]] += 1
        return new

    def forget(self, tiles: npt.NDArray[np.bool_]) -> None:
        """Forget all states of these tiles, a mask."""
        self._names[tiles.ravel()] = 0
        self._counts[tiles.ravel()] = 0


def with_neighbours(names: Names) -> Names:
    """Return what each tile is called together with the eight around it, never 0.

    Parameters
    ----------
    names : (n, th, tw) uint64 array
        0 where a tile doesn't count.
    """
    high, wide = names.shape[1:]
    bordered = np.pad(names, ((0, 0), (1, 1), (1, 1)))
    joined = np.ones_like(names)
    for place, weight in enumerate(_WEIGHTS[0, :9] | np.uint64(1)):
        y, x = divmod(place, 3)
        joined += bordered[:, y : y + high, x : x + wide] * weight
    return joined | np.uint64(1)


def _names(picture: Frame, tiles: npt.NDArray[np.intp]) -> Names:
    """Return the names of tiles, which are numbered row by row; never 0."""
    rows, columns, channels = picture.shape
    high, wide = rows // TILE_PX, columns // TILE_PX
    words = picture.reshape(rows, -1).view(np.uint32)
    cells = words.reshape(high, TILE_PX, wide, TILE_PX * channels // 4)
    chosen = cells[tiles // wide, :, tiles % wide].reshape(len(tiles), -1).astype(np.uint64)
    first, second = ((chosen * w[: chosen.shape[1]]).sum(axis=1) for w in _WEIGHTS)
    half = np.uint64(32)
    names: Names = (first >> half << half) | (second >> half) | np.uint64(1)
    return names
