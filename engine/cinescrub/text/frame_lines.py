"""The lines of one frame, side by side: arrays of equal length that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes

__all__ = ["FrameLines"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameLines:
    """Lines of one frame, and what their readings are found under."""

    boxes: Boxes
    """(n, 4) int32."""
    keys: list[bytes]
    """What each reads is found under this (`crop_key`), if it was read."""
    fresh: npt.NDArray[np.bool_]
    """(n,): nothing was known of it before."""
    was_read: npt.NDArray[np.bool_]
    """(n,): now or before."""

    @property
    def told(self) -> list[int]:
        """Which lines have readings."""
        return [int(i) for i in np.flatnonzero(self.was_read)]

    def only(self, held: npt.NDArray[np.bool_]) -> FrameLines:
        """Return the lines that are marked, `(n,)` bool."""
        keys = [key for key, one in zip(self.keys, held, strict=True) if one]
        return FrameLines(self.boxes[held], keys, self.fresh[held], self.was_read[held])

    def without_readings(self, marked: npt.NDArray[np.bool_]) -> FrameLines:
        """Return the same lines; of those that are marked, `(n,)` bool, all is known, unread."""
        return FrameLines(self.boxes, self.keys, self.fresh & ~marked, self.was_read & ~marked)

    @staticmethod
    def joined(parts: Sequence[FrameLines]) -> FrameLines:
        """Return all lines of several parts, in their order."""
        none = np.zeros(0, np.bool_)
        return FrameLines(
            np.concatenate([geometry.as_boxes(), *(part.boxes for part in parts)]),
            [key for part in parts for key in part.keys],
            np.concatenate([none, *(part.fresh for part in parts)]),
            np.concatenate([none, *(part.was_read for part in parts)]),
        )
