"""Sightings: which lines were seen in which looks at a cine, and which of them are one place.

A place is where a line of text stands. Its readings from all looks are judged together, since a
recogniser that stumbles over speckle in one frame reads the line well in another. What a place
says may also change (a banner that changes its patient), and every reading counts as evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes

__all__ = ["Sighting", "Sightings"]

_SAME_PLACE = 0.5
"""Boxes whose intersection takes this share of their union are one place: detections of one line
jitter by a pixel or two, and a line that lost half of its words is another line."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The lines of one look that nothing decided on the spot."""

    frame: int
    boxes: Boxes
    """(n, 4) int32."""
    filled: Boxes
    """(n, 4) int32: what is filled where a line goes."""
    keys: tuple[bytes, ...]
    """What each line's pixels are known by."""
    places: npt.NDArray[np.intp]
    """(n,) index of each line's place."""


class Sightings:
    """All sightings of a cine. A look that shows what an earlier one showed is remembered once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[bytes, ...], Sighting] = {}
        self._places: Boxes = geometry.as_boxes()
        self._keys: list[dict[bytes, int]] = []

    def add(self, frame: int, boxes: Boxes, filled: Boxes, keys: Sequence[bytes]) -> None:
        """Add the lines of one look.

        Parameters
        ----------
        frame : int
            Its number.
        boxes, filled : (n, 4) int32 array
            The lines, and what is filled where they go; copied.
        keys : sequence of n bytes
            What each line's pixels are known by.
        """
        same = (*keys, boxes.tobytes())
        if not len(boxes) or same in self._seen:
            return
        places = np.array([self._place_of(box) for box in boxes], np.intp)
        for place, key in zip(places, keys, strict=True):
            self._keys[place].setdefault(key, frame)
        self._seen[same] = Sighting(frame, boxes.copy(), filled.copy(), tuple(keys), places)

    def __iter__(self) -> Iterator[Sighting]:
        """Yield the sightings in the order in which they were added."""
        return iter(self._seen.values())

    @property
    def places(self) -> int:
        """How many places there are."""
        return len(self._keys)

    def of_place(self, place: int) -> tuple[tuple[int, bytes], ...]:
        """Return the frame in which each look of a place was seen first, and its key."""
        return tuple((frame, key) for key, frame in self._keys[place].items())

    def _place_of(self, box: npt.NDArray[np.int32]) -> int:
        if len(self._places):
            share = geometry.overlap(box, self._places)
            best = int(share.argmax())
            if share[best] >= _SAME_PLACE:
                return best
        self._places = np.concatenate([self._places, box[None]])
        self._keys.append({})
        return len(self._keys) - 1
