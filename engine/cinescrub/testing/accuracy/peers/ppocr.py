"""PP-OCR by way of `rapidocr`, which ships its ONNX models: detection on every frame.

Only the detector is asked, so that no box is lost for a reading of low confidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

import numpy as np

from cinescrub.testing.accuracy.peers import Box, Peer
from cinescrub.testing.graphics import Canvas

__all__ = ["open_peer"]


class _RapidOcr:
    name = "rapidocr"

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        self.version = metadata.version("rapidocr")
        self._engine = RapidOCR(params={"Global.log_level": "critical"})

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        del count  # every frame is looked at
        return [self._found(frame) for frame in frames]

    def _found(self, frame: Canvas) -> list[Box]:
        # It takes arrays for B, G, R, as OpenCV reads files.
        picture = np.ascontiguousarray(frame[..., ::-1])
        corners = self._engine(picture, use_det=True, use_cls=False, use_rec=False).boxes
        if corners is None:
            return []
        low = np.floor(np.min(corners, axis=1)).astype(int)
        high = np.ceil(np.max(corners, axis=1)).astype(int) + 1
        return [
            (int(a[0]), int(a[1]), int(b[0]), int(b[1])) for a, b in zip(low, high, strict=True)
        ]


def open_peer() -> Peer:
    """Open PP-OCR."""
    return _RapidOcr()
