"""Places of a cine whose text was read, and whether their pixels are still the same."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.text.recognizer import Crop, crop_boxes
from cinescrub.types import Boxes, Frame

__all__ = ["ReadPlaces", "crop_key"]


def crop_key(crop: Crop) -> bytes:
    """Return what a crop is known by: a digest of its size and pixels, 16 bytes."""
    shape = f"{crop.shape[0]}x{crop.shape[1]}:".encode()
    return hashlib.blake2b(shape + crop.tobytes(), digest_size=16).digest()


class ReadPlaces:
    """Places whose pixels were read, whole line by whole line: as clinical, or as anything.

    Detections of one line differ by a pixel or two from frame to frame and from look to look.
    Where the pixels that were read have not changed, what was read there has not either, and a
    second reading of a slightly other cut could only be worse.
    """

    _SLACK = 0.25
    """How far a line may stick out of what was read, in heights of the line: less than a letter
    takes."""

    def __init__(self) -> None:
        self._boxes: Boxes = geometry.as_boxes()
        self._digests: list[bytes] = []

    def remember(self, frame: Frame, box: npt.NDArray[np.int32]) -> None:
        """Remember that this line of this frame was read."""
        place = crop_boxes(geometry.as_boxes([box]), frame.shape[0], frame.shape[1])
        digest = _digest(frame, place[0])
        if not any(
            digest == known and np.array_equal(place[0], other)
            for known, other in zip(self._digests, self._boxes, strict=True)
        ):
            self._boxes = np.concatenate([self._boxes, place])
            self._digests.append(digest)

    def unchanged(self, frame: Frame, near: npt.NDArray[np.int32] | None = None) -> Boxes:
        """Return the places whose pixels in this frame are those that were read, `(n, 4)`.

        `near`, `(4,)`: only those that meet this box.
        """
        asked = np.ones(len(self._boxes), np.bool_)
        if near is not None:
            asked &= geometry.meets(near, self._boxes)
        same = [
            i for i in np.flatnonzero(asked) if _digest(frame, self._boxes[i]) == self._digests[i]
        ]
        places: Boxes = self._boxes[same]
        return places

    def holds(self, frame: Frame, lines: Boxes) -> npt.NDArray[np.bool_]:
        """Return which lines lie in a place whose pixels are what they were."""
        places = self.unchanged(frame)
        slack = np.rint((lines[:, 3] - lines[:, 1]) * self._SLACK).astype(np.int32)[:, None, None]
        inside = (lines[:, None, :2] >= places[None, :, :2] - slack).all(axis=2) & (
            lines[:, None, 2:] <= places[None, :, 2:] + slack
        ).all(axis=2)
        held: npt.NDArray[np.bool_] = inside.any(axis=1)
        return held


def _digest(frame: Frame, box: npt.NDArray[np.int32]) -> bytes:
    x0, y0, x1, y1 = box
    return hashlib.blake2b(frame[y0:y1, x0:x1].tobytes(), digest_size=16).digest()
