"""EasyOCR on a tenth of the frames, its boxes united and filled in all of them.

How tools work that cannot afford every frame: 10 % of the frames evenly spread, at least 3 and at
most 25 of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from cinescrub.testing.accuracy.peers import Box, Peer, craft_torch
from cinescrub.testing.graphics import Canvas

__all__ = ["KeyFrames", "open_peer"]

_SHARE: Final = 0.1
_LEAST: Final = 3
_MOST: Final = 25


class KeyFrames:
    """Any peer, on key frames only."""

    def __init__(self, peer: Peer) -> None:
        self.name = f"{peer.name}-keyframes"
        self.version = peer.version
        self._peer = peer

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        """Find text in key frames; every frame gets all of it."""
        wanted = key_frames(count)
        chosen = (frame for index, frame in enumerate(frames) if index in wanted)
        found = self._peer.boxes(chosen, len(wanted))
        return [[box for boxes in found for box in boxes]] * count


def key_frames(count: int) -> set[int]:
    """Return which of `count` frames are looked at."""
    number = min(count, max(_LEAST, min(_MOST, round(_SHARE * count))))
    return {int(index) for index in np.linspace(0, count - 1, number).round()}


def open_peer() -> Peer:
    """Open EasyOCR on key frames."""
    return KeyFrames(craft_torch.open_peer())
