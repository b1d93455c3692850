"""In which frames a redacted place is filled, where that is not all of them.

`--mask-scope interval` opens a place only in frames where it shows, pixel for pixel, what it showed
in a frame that was looked at there and held no text. A detector that misses a word in one of the
frames that show it opens nothing: pixels that were ever redacted stay so. Where the picture moves,
a place is filled in all frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.pipeline.job import Job
from cinescrub.pipeline.ring import CineFrames, decoded_batches
from cinescrub.types import Boxes, Frame, MaskPlan

__all__ = ["LookRecord", "open_intervals"]

LookRecord = tuple[int, Boxes | None, Boxes]
"""Frame number, parts that were looked at (None: all of it), lines that were found in them."""

_REFERENCES: Final = 8
"""Clean looks that a place is compared with, at most: they cost memory, more of them only open
more."""
_NOISE: Final = 6
"""Levels by which a lossy codec's noise may differ between frames that show the same. Text fainter
than that is below what people or detectors see."""


def open_intervals(
    job: Job,
    source: CineFrames,
    plan: MaskPlan,
    looks: Sequence[LookRecord],
    moving: npt.NDArray[np.bool_],
) -> MaskPlan:
    """Return a plan that leaves rectangles open in the frames where their place is known clean.

    Parameters
    ----------
    job : Job
        Is told of progress; its token stops the work.
    source : CineFrames
        The cine.
    plan : MaskPlan
        Rectangles that hold in all frames.
    looks : sequence of LookRecord
        All looks of the inspection.
    moving : (H, W) bool array
        Where the picture moves. Places there are filled in all frames: over moving tissue, a
        detector can miss a word in the very frame that would then be called clean.
    """
    clean = [_clean_looks(box, looks) for box in plan.rectangles]
    dirty = [_text_looks(box, looks) for box in plan.rectangles]
    wanted = sorted({n for frames in (*clean, *dirty) for n in frames})
    crops: dict[tuple[int, int], npt.NDArray[np.int16]] = {}
    for number, frame in _frames(job, source, wanted):
        for i, box in enumerate(plan.rectangles):
            if number in clean[i] or number in dirty[i]:
                crops[i, number] = _cut(frame, box)
    filled = np.ones((len(plan.rectangles), plan.frames), np.bool_)
    still = [not moving[y0:y1, x0:x1].any() for x0, y0, x1, y1 in plan.rectangles]
    opened = [i for i in range(len(still)) if still[i] and clean[i] and dirty[i]]
    for number, frame in _frames(job, source, range(plan.frames) if opened else ()):
        for i in opened:
            cut = _cut(frame, plan.rectangles[i])
            is_clean = any(_same(cut, crops[i, n]) for n in clean[i])
            filled[i, number] = not is_clean or any(_same(cut, crops[i, n]) for n in dirty[i])
    return _planned(plan, filled)


def _clean_looks(box: npt.NDArray[np.int32], looks: Sequence[LookRecord]) -> tuple[int, ...]:
    """Return frames that were looked at in all of this place and held no line there at all."""
    held = {n for n, _, lines in looks if geometry.meets(box, lines).any()}
    seen = {n for n, parts, _ in looks if n >= 0 and (parts is None or _lies_in(box, parts))}
    return tuple(sorted(seen - held)[:_REFERENCES])


def _text_looks(box: npt.NDArray[np.int32], looks: Sequence[LookRecord]) -> tuple[int, ...]:
    """Return frames that held a line in this place.

    None, so that all is filled, if a picture that is no frame did, or too many to compare with.
    """
    held = {n for n, _, lines in looks if geometry.meets(box, lines).any()}
    known = 0 < len(held) <= _REFERENCES**2 and min(held) >= 0
    return tuple(sorted(held)) if known else ()


def _lies_in(box: npt.NDArray[np.int32], parts: Boxes) -> bool:
    return bool(geometry.around(box, parts).any())


def _frames(job: Job, source: CineFrames, numbers: Iterable[int]) -> Iterable[tuple[int, Frame]]:
    with decoded_batches(source, numbers, batch=1, token=job.token, timer=job.timer) as batches:
        for (number,), frames in batches:
            job.token.check()
            yield number, frames[0]


def _cut(frame: Frame, box: npt.NDArray[np.int32]) -> npt.NDArray[np.int16]:
    x0, y0, x1, y1 = box
    return frame[y0:y1, x0:x1].astype(np.int16)


def _same(a: npt.NDArray[np.int16], b: npt.NDArray[np.int16]) -> bool:
    return int(np.abs(a - b).max(initial=0)) <= _NOISE


def _planned(plan: MaskPlan, filled: npt.NDArray[np.bool_]) -> MaskPlan:
    """Return the plan with a rectangle for each run of frames in which it is filled."""
    rectangles, spans = [], []
    for box, frames in zip(plan.rectangles, filled, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], frames, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            rectangles.append(box)
            spans.append((first, end))
    return MaskPlan(
        plan.frames,
        plan.rows,
        plan.columns,
        np.array(rectangles, np.int32).reshape(-1, 4),
        np.array(spans, np.int32).reshape(-1, 2),
    )
