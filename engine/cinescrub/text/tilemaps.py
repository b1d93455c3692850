"""Measures of a frame, tile by tile: what changed, how sharp it is, what a tile's state is called.

Tiles are 16 x 16 pixels, which is the MCU of 4:2:0 JPEG: what stays the same there decodes to the
same pixels. Nothing here remembers a frame.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.types import Frame

__all__ = ["TILE_PX", "TileMap", "greatest", "names_of", "padded_to_tiles", "sharpness", "steps"]

TILE_PX: Final = 16
"""Side of a tile."""
_REACH_PX: Final = 2
"""Distance of the two pixels of a step: thin strokes and the soft edges of drawn text fit in it,
and so does no more of a speckle than its slope."""

TileMap: TypeAlias = npt.NDArray[np.uint8]
"""(tile rows, tile columns) uint8: one number a tile."""

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


def sharpness(picture: Frame) -> TileMap:
    """Return the greatest step between pixels two apart, across or down, in any channel.

    A step belongs to the tile of its first pixel, and so does one that ends in the next tile.
    """
    return np.maximum(*_both_ways(picture, picture))


def steps(picture: Frame, before: Frame, scratch: Frame) -> TileMap:
    """Return the sharpness of what changed between two pictures, in steps of 2 levels.

    What stays cancels out, however sharp it is, and so does a change of brightness.

    Parameters
    ----------
    picture, before : (h, w, C) uint8 array
        Borrowed.
    scratch : (h, w, C) uint8 array
        Written to.
    """
    cv2.addWeighted(picture, 0.5, before, -0.5, 128.0, dst=scratch)
    across, down = _both_ways(scratch, scratch)
    halved = np.maximum(across, down)
    return np.minimum(halved, 127) * np.uint8(2)


def _both_ways(first: Frame, second: Frame) -> tuple[TileMap, TileMap]:
    rows, _, channels = first.shape
    flat, other = first.reshape(rows, -1), second.reshape(rows, -1)
    reach = _REACH_PX * channels
    step = np.empty_like(flat)
    cv2.absdiff(flat[:, :-reach], other[:, reach:], dst=step[:, :-reach])
    step[:, -reach:] = 0
    across = greatest(step.reshape(first.shape))
    cv2.absdiff(flat[:-_REACH_PX], other[_REACH_PX:], dst=step[:-_REACH_PX])
    step[-_REACH_PX:] = 0
    return across, greatest(step.reshape(first.shape))


def names_of(picture: Frame, tiles: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    """Return what the pixels of some tiles are known by: one number a tile, never 0.

    Sums modulo 2^64 of 32-bit words with random weights, of which the upper halves of two are
    joined: two different tiles have the same name with a probability of 2^-63 (multilinear hashing:
    Dietzfelbinger 1996, STACS, LNCS 1046:569; Lemire and Kaser 2014, Comput. J. 57:1624).

    Parameters
    ----------
    picture : (h, w, C) uint8 array
        Borrowed.
    tiles : (n,) int array
        Numbers of tiles, row by row.
    """
    rows, columns, channels = picture.shape
    high, wide = rows // TILE_PX, columns // TILE_PX
    words = picture.reshape(rows, -1).view(np.uint32)
    cells = words.reshape(high, TILE_PX, wide, TILE_PX * channels // 4)
    chosen = cells[tiles // wide, :, tiles % wide].reshape(len(tiles), -1).astype(np.uint64)
    first, second = ((chosen * w[: chosen.shape[1]]).sum(axis=1) for w in _WEIGHTS)
    half = np.uint64(32)
    names: npt.NDArray[np.uint64] = (first >> half << half) | (second >> half) | np.uint64(1)
    return names
