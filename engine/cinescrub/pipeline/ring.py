"""Frames decoded ahead of the models, into a ring of buffers that is used over and over.

The ring owns the decoded frames; a batch is a view that is gone when the next one is asked for.
What a cine costs in memory depends on its frame size, never on its number of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import numpy as np

from cinescrub.pixels.decode import Viewer
from cinescrub.stream import CancelToken, prefetch
from cinescrub.telemetry import StageTimer
from cinescrub.types import CineInfo, Frame

__all__ = ["Batch", "CineFrames", "batch_size", "decoded_batches"]

Batch: TypeAlias = tuple[list[int], Frame]
"""Frame numbers, and their pixels `(B, H, W, C)`, borrowed until the next batch."""


class CineFrames(Protocol):
    """Where stored frames come from: an open file (`dicom.source.Source`), arrays."""

    @property
    def info(self) -> CineInfo:
        """What the frames are."""

    def frame(self, k: int) -> memoryview:
        """Return the stored bytes of frame `k`."""

    def release(self) -> None:
        """Let go of what is held of frames that were read."""


_AHEAD = 1
"""Batches that wait: one, since the models are far slower than decoding."""
_BATCH_PIXELS = 1 << 19
"""Pixels a batch: the detector needs about 1 kB a pixel, and on a CPU larger batches take as long
a frame (640 x 480: 1.26 s alone, 1.33 s in threes)."""


def batch_size(info: CineInfo, at_most: int) -> int:
    """Return how many frames of this size go into a batch: at least one."""
    return max(1, min(at_most, _BATCH_PIXELS // (info.rows * info.columns), info.frames))


def decoded_batches(
    source: CineFrames,
    wanted: Iterable[int],
    *,
    batch: int,
    token: CancelToken,
    timer: StageTimer,
) -> AbstractContextManager[Iterator[Batch]]:
    """Decode frames in another thread and give them in batches, in order.

    Parameters
    ----------
    source : CineFrames
        Used by the decoding thread alone while the block runs.
    wanted : iterable of int
        Frame numbers, ascending.
    batch : int
        Frames a batch; the last may be shorter.
    token : CancelToken
        Stops the decoding.
    timer : StageTimer
        Gets the seconds of stage `decode`.
    """
    viewer = Viewer(source.info)
    ring = [np.empty((batch, *viewer.shape), np.uint8) for _ in range(_AHEAD + 2)]

    def produce() -> Iterator[Batch]:
        numbers: list[int] = []
        slot = 0
        for k in wanted:
            with timer.stage("decode"):
                viewer.decode(source.frame(k), ring[slot][len(numbers)])
            numbers.append(k)
            if len(numbers) == batch:
                yield numbers, ring[slot]
                numbers, slot = [], (slot + 1) % len(ring)
                source.release()
        if numbers:
            yield numbers, ring[slot][: len(numbers)]

    return prefetch(produce(), depth=_AHEAD, token=token)
