"""Which frames must be inspected: those whose pixels no inspected frame of the cine had.

The comparison is exact: a frame is skipped only when its result is known. Finer units than a
frame (tiles, overlay states) come in here later, behind the same question.
"""

from __future__ import annotations

import hashlib

from cinescrub.types import Frame

__all__ = ["SeenFrames"]


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
