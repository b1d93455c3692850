"""Sightings: which lines were seen in which looks at a cine, and which of them are one place.

A place is where a line of text stands. Its readings from all looks are judged together, since a
recogniser that stumbles over speckle in one frame reads the line well in another. What a place
says may also change (a banner that changes its patient), and every reading counts as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

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
    """Its number; a negative one is that of an average."""
    boxes: Boxes
    """(n, 4) int32."""
    filled: Boxes
    """(n, 4) int32: what is filled where a line goes."""
    keys: tuple[bytes, ...]
    """What each line's pixels are known by."""
    places: npt.NDArray[np.intp]
    """(n,) index of each line's place."""

    def only(self, held: npt.NDArray[np.bool_]) -> Sighting:
        """Return the sighting with the lines that are marked, `(n,)` bool."""
        keys = tuple(key for key, one in zip(self.keys, held, strict=True) if one)
        return replace(
            self,
            boxes=self.boxes[held],
            filled=self.filled[held],
            keys=keys,
            places=self.places[held],
        )


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

    def at(self, box: npt.NDArray[np.int32]) -> tuple[tuple[int, bytes], ...]:
        """Return the looks, as `of_place` does, of the place where a box `(4,)` is, if any."""
        place = self._known_place(box)
        return () if place is None else self.of_place(place)

    def smeared(self, is_legible: Callable[[bytes], bool], *, share: float) -> frozenset[int]:
        """Return the places that only averages show, unread, where frames show lines.

        Where all of the picture moves, as before a camera in a hand, an average shows each line
        several times, one over the other. Where something dim stays that no frame shows, frames
        show no line that anybody reads.

        Parameters
        ----------
        is_legible : callable
            Whether anybody read the line of a key.
        share : float
            Of a place, that lines which were read in frames take at least.
        """
        lines = [geometry.as_boxes()]
        alone: dict[int, npt.NDArray[np.int32]] = {}
        elsewhere: set[int] = set()
        for sighting in self:
            legible = np.array([is_legible(key) for key in sighting.keys], np.bool_)
            if sighting.frame >= 0:
                lines.append(sighting.boxes[legible])
                elsewhere |= set(sighting.places.tolist())
            else:
                elsewhere |= set(sighting.places[legible].tolist())
                alone |= dict(zip(sighting.places.tolist(), sighting.boxes, strict=True))
        known = np.concatenate(lines)
        return frozenset(
            place
            for place, box in alone.items()
            if place not in elsewhere and geometry.covered_share(box[None], known)[0] >= share
        )

    def _known_place(self, box: npt.NDArray[np.int32]) -> int | None:
        if not len(self._places):
            return None
        share = geometry.overlap(box, self._places)
        best = int(share.argmax())
        return best if share[best] >= _SAME_PLACE else None

    def _place_of(self, box: npt.NDArray[np.int32]) -> int:
        known = self._known_place(box)
        if known is not None:
            return known
        self._places = np.concatenate([self._places, box[None]])
        self._keys.append({})
        return len(self._keys) - 1
