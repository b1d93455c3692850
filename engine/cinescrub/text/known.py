"""What is known of a cine's places: what is filled, and what was judged where, in which frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.masks import padded
from cinescrub.text.places import ReadPlaces
from cinescrub.types import Boxes, Frame

__all__ = ["KnownPlaces"]

_COVERED = 0.98
"""A line that lies in filled rectangles to this share needs no reading: it goes anyway."""
_EXPLAINED = 0.9
"""A line of the written file that lies in filled and judged places to this share is nothing new:
the pixels outside of what was filled are those that were judged in the same frame."""
_EXPLAINED_SLACK = 0.25
"""So is one that sticks out of them by less than this share of its height: no letter fits."""


class KnownPlaces:
    """What one cine's inspection knows so far."""

    def __init__(self) -> None:
        self._held: Boxes = geometry.as_boxes()
        self._kept = ReadPlaces()
        self._doubtful = ReadPlaces()  # where what settles is whether they go
        self._left_in: dict[int, Boxes] = {}

    @property
    def held(self) -> Boxes:
        """What is to be filled in all frames: `(n, 4)` int32, borrowed, in the order of finding."""
        return self._held

    def hold(self, boxes: Boxes, places: Boxes) -> int:
        """Fill places, unless their boxes are filled; return how many that were not."""
        fresh = places[geometry.covered_share(boxes, self._held) < 1.0]
        self._held = np.concatenate([self._held, fresh])
        return len(fresh)

    def remember(self, frame: Frame, box: npt.NDArray[np.int32], *, goes: bool) -> None:
        """Remember that a line `(4,)` was read in this frame, and whether it goes so far."""
        (self._doubtful if goes else self._kept).remember(frame, box)

    def leave(self, number: int, boxes: Boxes) -> None:
        """Remember lines that a frame showed and nothing spoke against on the spot."""
        self._left_in[number] = np.concatenate([self.left_in(number), boxes])

    def left_in(self, number: int) -> Boxes:
        """Return what `leave` was told of a frame."""
        return self._left_in.get(number, geometry.as_boxes())

    def kept(self, frame: Frame) -> Boxes:
        """Return where lines were read that stay, if this frame shows the same there."""
        return self._kept.unchanged(frame)

    def judged(self, frame: Frame, box: npt.NDArray[np.int32]) -> Boxes:
        """Return the places in and around a box `(4,)` that are judged whatever is found there."""
        same = [places.unchanged(frame, box) for places in (self._kept, self._doubtful)]
        return np.concatenate([*same, self._held])

    def open_parts(self, parts: Boxes) -> Boxes:
        """Return the parts that are not filled as a whole already."""
        return geometry.as_boxes(parts[geometry.covered_share(parts, self._held) < 1.0])

    def is_fresh(self, frame: Frame, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Return which lines nothing is known of: neither filled, nor kept with these pixels."""
        filled = geometry.covered_share(boxes, self._held) >= _COVERED
        fresh: npt.NDArray[np.bool_] = ~(filled | self._kept.holds(frame, boxes))
        return fresh

    def is_explained(self, frame: Frame, boxes: Boxes, number: int) -> npt.NDArray[np.bool_]:
        """Return which lines of a written frame consist of what was judged in its source."""
        kept = padded(self.kept(frame), rows=frame.shape[0], columns=frame.shape[1])
        judged = np.concatenate([self._held, kept, self.left_in(number)])
        # What sticks out of a judged place by less than a letter holds none.
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=1 << 30)
        inset = np.floor(sides * _EXPLAINED_SLACK).astype(np.int32)[:, None]
        inner = np.concatenate([boxes[:, :2] + inset, boxes[:, 2:] - inset], axis=1)
        explained: npt.NDArray[np.bool_] = (geometry.covered_share(boxes, judged) >= _EXPLAINED) | (
            geometry.covered_share(inner, judged) >= _COVERED
        )
        return explained
