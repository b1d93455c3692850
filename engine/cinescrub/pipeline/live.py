"""Live frames: a stream of arrays, redacted in place with a bounded look-ahead.

Frames are looked at in blocks, by what looks at files. Nothing leaves before the block after it
was looked at too, so that what shows up soon is gone from what was shown before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry, masks
from cinescrub.config import EngineConfig
from cinescrub.errors import ConfigError, InputError
from cinescrub.pipeline.arrays import ArrayFrames, Identifiers, fill_frames
from cinescrub.pipeline.engine import Engine
from cinescrub.types import Boxes

__all__ = ["LOOKAHEAD", "redact_stream"]

LOOKAHEAD: Final = 64
"""Frames: two windows of the survey that tells what is new (`text.novelty`)."""
_MOST: Final = 4096


def redact_stream(
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    engine: Engine | EngineConfig | None = None,
    lookahead: int = LOOKAHEAD,
    identifiers: Identifiers | None = None,
    rate: float | None = None,
) -> Iterator[npt.NDArray[np.uint8]]:
    """Redact frames as they come, in place, and yield them in order.

    Latency: a frame is yielded when the block of `lookahead` / 2 frames that follows its own was
    inspected. So it waits for at most `lookahead` later frames, and for the time that the
    inspection of two blocks takes (`cinescrub bench` measures yours). At the end of the stream
    nothing is waited for.

    Masks only grow: a place that was redacted once is redacted in every frame that is yielded from
    then on. A place is decided by the frames of its block, so text that only a later frame
    identifies is gone from the frames of the block before, not from those that left.

    Parameters
    ----------
    frames : iterable of (H, W) or (H, W, 3) uint8 arrays
        Gray or R, G, B; C-contiguous, writable, all of one size. *Modified in place.* Up to
        `lookahead` of them are held: the memory of one must not be used again before it is yielded.
    engine : Engine or EngineConfig, optional
        An open engine, which stays open, or the settings of one; default: `EngineConfig()`.
    lookahead : int
        Frames, even, 2 to 4096. More of them see more before they decide, and cost less a frame.
    identifiers : Identifiers, optional
        What is known of the patient and study.
    rate : float, optional
        Frames a second; without it a running timer is no known counter and goes.

    Yields
    ------
    array
        The arrays that came in, redacted.

    Raises
    ------
    ConfigError
        `lookahead` is out of range.
    InputError
        A frame is no such array, or of another size.
    RedactionError
        Text is still found after `verify_rounds`.

    Notes
    -----
    Fail closed: when this raises, frames that were not yielded are not redacted, or in part only;
    they are not to be shown.
    """
    if lookahead % 2 or not 2 <= lookahead <= _MOST:
        raise ConfigError(f"lookahead is {lookahead}: give an even number from 2 to {_MOST}")
    return _stream(iter(frames), engine, lookahead // 2, identifiers or Identifiers(), rate)


def _stream(
    frames: Iterator[npt.NDArray[np.uint8]],
    engine: Engine | EngineConfig | None,
    block: int,
    identifiers: Identifiers,
    rate: float | None,
) -> Iterator[npt.NDArray[np.uint8]]:
    with ExitStack() as stack:
        if not isinstance(engine, Engine):
            engine = stack.enter_context(Engine.open(engine or EngineConfig()))
        held = geometry.as_boxes()
        waiting: list[npt.NDArray[np.uint8]] = []
        shape: tuple[int, ...] | None = None
        while pictures := list(islice(frames, block)):
            _check_size(pictures, shape)
            shape = pictures[0].shape
            found = engine.redact(pictures, identifiers=identifiers, rate=rate).rectangles
            held = geometry.merge_overlapping(np.concatenate([held, found]))
            yield from _covered(waiting, held, engine)
            waiting = pictures
        yield from _covered(waiting, held, engine)


def _check_size(pictures: list[Any], shape: tuple[int, ...] | None) -> None:
    """Refuse a block of another size than the one before.

    Raises
    ------
    InputError
        It is.
    """
    now = getattr(pictures[0], "shape", None)
    if shape is not None and now != shape:
        raise InputError(f"all frames are of one size: {shape} and {now}")


def _covered(
    pictures: list[npt.NDArray[np.uint8]], held: Boxes, engine: Engine
) -> list[npt.NDArray[np.uint8]]:
    """Fill all that is held, and return the pictures."""
    if pictures:
        frames = ArrayFrames.of(pictures, None)
        fill_frames(frames, masks.with_rectangles(frames.info, held), engine.config.fill)
    return pictures
