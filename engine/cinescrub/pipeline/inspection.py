"""Pass 1 and the check: which frames go before which eyes, in which order.

A survey reads all frames without any model: what is new where, and where the sector lies. Then the
detectors look at what is new. After the file is written they look again, at the same overlay
states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from cinescrub import geometry
from cinescrub.config import EngineConfig, InspectMode, Policy
from cinescrub.pipeline.job import Job
from cinescrub.pipeline.ring import CineFrames, batch_size, decoded_batches
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.telemetry import StageTimer
from cinescrub.text.ground import luma
from cinescrub.text.inspect import CineInspection, Inspector, Look
from cinescrub.text.novelty import Novelty, Survey
from cinescrub.text.parts import differing
from cinescrub.text.sector import Sector, find_sector
from cinescrub.types import Boxes, Frame

__all__ = ["Scene", "inspect_text", "look_at_all", "residual_text", "survey_frames"]

_COMPOSITE: Final = -1
"""Frame number of pictures that are no frame."""
_AROUND_PX: Final = 32
"""What a fill may change of what detectors make of its surroundings: two tiles."""
_MEAN_OF: Final = 64
"""Frames, spread over the cine, whose mean the sector is looked for in."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a survey of all frames tells without a model."""

    novelty: Novelty
    sector: Sector
    every_frame: bool
    """Whether every frame is looked at whole, whatever is new in it."""

    def looks(self, frames: int, rows: int, columns: int) -> Iterator[tuple[int, Boxes | None]]:
        """Yield frame numbers, ascending, and what is new there: None is the whole frame."""
        if self.every_frame:
            yield from ((k, None) for k in range(frames))
            return
        for number, boxes in self.novelty.looks:
            yield number, _part(boxes, rows, columns)


def survey_frames(job: Job, source: CineFrames, mode: InspectMode) -> Scene:
    """Read every frame once and tell what is new where, and where the sector is."""
    info = source.info
    channels = 0
    survey: Survey | None = None
    total = np.zeros((info.rows, info.columns), np.float32)
    first = total
    averaged = set(spread(info.frames, _MEAN_OF))
    tell = job.told("survey", info.frames)
    with decoded_batches(
        source, range(info.frames), batch=1, token=job.token, timer=job.timer
    ) as batches:
        for (number,), frames in batches:
            job.token.check()
            with job.timer.stage("survey"):
                if survey is None:
                    channels = frames.shape[3]
                    survey = Survey(info.rows, info.columns, channels, info.frames)
                survey.add(frames[0])
                if number in averaged:
                    total += luma(frames[0])
                if number == 0:
                    first = total.copy()
            tell(number + 1)
    assert survey is not None  # noqa: S101  # a source has a frame
    with job.timer.stage("survey"):
        novelty = survey.result()
        mean = total / np.float32(len(averaged))
        size = info.rows, info.columns
        single = first if info.frames > 1 else None  # of one frame it is the mean
        sector = find_sector(mean, novelty.moving, info.regions, *size, single=single)
    return Scene(novelty, sector, mode is InspectMode.EVERY_FRAME)


def inspect_text(
    job: Job,
    source: CineFrames,
    inspector: Inspector,
    matcher: IdentifierMatcher,
    config: EngineConfig,
    vocabulary: Vocabulary | None,
    scene: Scene,
) -> CineInspection:
    """Look at everything that is new, some of it twice."""
    info = source.info
    inspection = inspector.open(
        matcher,
        config.policy,
        vocabulary=vocabulary,
        sector=scene.sector.hull() if scene.sector.mask.any() else None,
        moving=scene.novelty.moving,
        ink_rule=config.ink_rule and config.policy is not Policy.PHI_ONLY,
        rate=info.rate,
    )
    # Detail first: what it redacts needs no reading in the frames that follow.
    opening = _part(scene.novelty.opening, info.rows, info.columns)
    detail = {0: None if scene.every_frame else opening}
    detail.update({k: None for k in spread(info.frames, config.detail_frames)})
    _look(job, source, inspection, sorted(detail.items()), Look.DETAIL, 1)
    if not scene.every_frame:
        for picture, boxes in scene.novelty.composites:
            job.token.check()
            part = _part(boxes, info.rows, info.columns)
            with job.timer.stage("inspect"):
                _look_mixed(
                    inspection, picture[None], [_COMPOSITE], {_COMPOSITE: part}, Look.DETAIL
                )
    looks = list(scene.looks(info.frames, info.rows, info.columns))
    _look(job, source, inspection, looks, Look.PLAIN, batch_size(info, config.batch_frames))
    with job.timer.stage("inspect"):
        inspection.settle()
    return inspection


def residual_text(
    job: Job, written: CineFrames, inspection: CineInspection, scene: Scene, config: EngineConfig
) -> bool:
    """Look at the overlay states of the written file; return whether anything is left to redact."""
    info = written.info
    looks = dict(scene.looks(info.frames, info.rows, info.columns))
    regular = frozenset() if scene.every_frame else scene.novelty.regular
    new_wholes = [n for n, part in looks.items() if part is None and n not in regular]
    wholes = {new_wholes[i] for i in spread(len(new_wholes), config.verify_frames)}
    chosen: dict[int, Boxes | None] = {n: p for n, p in looks.items() if p is not None}
    for number, part in _regular(job, written, scene, config.verify_frames):
        chosen[number] = _joined(chosen.get(number, geometry.as_boxes()), part)
    chosen |= dict.fromkeys(wholes)
    ordered = sorted(chosen.items(), key=lambda c: c[0])
    looks_at = [(n, part, Look.CHECK if part is None else Look.CHECK_PART) for n, part in ordered]
    fresh = inspection.begin_check()
    if fresh is not None:
        looks_at = _near(looks_at, fresh, info.rows, info.columns)
    return _check(job, written, inspection, looks_at) > 0


def _near(looks: _Checks, fresh: Boxes, rows: int, columns: int) -> _Checks:
    """Return what of a check's looks is to be looked at again once `fresh` places are filled.

    The pixels elsewhere are those that the check before looked at. What it found here and there
    would else cost the looks at a whole cine, round after round.
    """
    grown = geometry.as_boxes(fresh + np.array([-1, -1, 1, 1], np.int32) * _AROUND_PX)
    around = geometry.merge_overlapping(geometry.clip(grown, rows, columns))
    near: _Checks = []
    for number, part, look in looks:
        part = around if part is None else _shared(part, around)
        if len(part):
            near.append((number, part, look))
    return near


def _shared(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the rectangles that any box shares with any of others."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.concatenate([low, high], axis=2).reshape(-1, 4)
    return geometry.as_boxes(shared[(shared[:, :2] < shared[:, 2:]).all(axis=1)])


def _regular(
    job: Job, written: CineFrames, scene: Scene, count: int
) -> Iterator[tuple[int, Boxes | None]]:
    """Yield frames spread over a written file and what to look at there.

    The middle one is looked at whole, the others where they show what it does not beside moving
    tissue: a banner that all of them show needs one look.
    """
    info = written.info
    numbers = spread(info.frames, count)
    middle = numbers[len(numbers) // 2]
    if scene.every_frame:
        yield from ((number, None) for number in numbers)
        return
    (known,) = (frame.copy() for _, frame in _frames(job, written, [middle]))
    for number, frame in _frames(job, written, numbers):
        if number == middle:
            yield number, None
        else:
            new = differing(frame, known, scene.novelty.moving_at(number))
            yield number, _part(new, info.rows, info.columns)


def _frames(job: Job, written: CineFrames, numbers: list[int]) -> Iterator[tuple[int, Frame]]:
    """Decode frames of a written file, each borrowed until the next."""
    with decoded_batches(written, numbers, batch=1, token=job.token, timer=StageTimer()) as batches:
        for (number,), frames in batches:
            yield number, frames[0]


def _joined(parts: Boxes | None, others: Boxes | None) -> Boxes | None:
    return None if parts is None or others is None else np.concatenate([parts, others])


def _part(boxes: Boxes, rows: int, columns: int) -> Boxes | None:
    """Return parts of a frame as a look has them: None is the whole frame."""
    whole = bool(((boxes[:, 2:] - boxes[:, :2]) == [columns, rows]).all(axis=1).any())
    return None if whole else boxes


def look_at_all(job: Job, source: CineFrames, inspection: CineInspection, scene: Scene) -> int:
    """Look at all overlay states of a file with the eyes of the check; return what is left."""
    info = source.info
    looks = scene.looks(info.frames, info.rows, info.columns)
    return _check(job, source, inspection, [(n, part, Look.CHECK) for n, part in looks])


_Looks: TypeAlias = list[tuple[int, Boxes | None]]
"""Frame numbers, and what is new there: None is the whole frame."""
_Checks: TypeAlias = list[tuple[int, Boxes | None, Look]]
"""And how it is looked at."""


def _look(
    job: Job, source: CineFrames, inspection: CineInspection, looks: _Looks, look: Look, batch: int
) -> None:
    """Decode the frames of these looks and look."""
    parts = dict(looks)
    tell = job.told("inspect", len(looks))
    done = 0
    with decoded_batches(
        source, [n for n, _ in looks], batch=batch, token=job.token, timer=job.timer
    ) as batches:
        for members, frames in batches:
            job.token.check()
            with job.timer.stage("inspect"):
                whole = [b for b, n in enumerate(members) if parts[n] is None]
                if len(whole) == len(members):
                    inspection.see(frames, members, look)
                else:
                    _look_mixed(inspection, frames, members, parts, look)
            done += len(members)
            tell(done)


def _look_mixed(
    inspection: CineInspection,
    frames: Frame,
    members: list[int],
    parts: dict[int, Boxes | None],
    look: Look,
) -> None:
    for b, number in enumerate(members):
        part = parts[number]
        if part is None:
            inspection.see(frames[b : b + 1], [number], look)
        else:
            # A part is small: looking at it enlarged as well costs little.
            inspection.see_parts(frames[b], number, part, Look.DETAIL)


def _check(job: Job, written: CineFrames, inspection: CineInspection, looks: _Checks) -> int:
    """Look at frames of a written file; return how many rectangles that added."""
    parts = {number: (part, look) for number, part, look in looks}
    tell = job.told("verify", len(looks))
    before = len(inspection.rectangles)
    with decoded_batches(
        written, [*parts], batch=1, token=job.token, timer=StageTimer()
    ) as batches:
        for done, ((number,), frames) in enumerate(batches, 1):
            job.token.check()
            part, look = parts[number]
            if part is None:
                inspection.check(frames, [number])
            else:
                inspection.check_parts(frames[0], number, part, look)
            tell(done)
    return len(inspection.rectangles) - before


def spread(frames: int, count: int) -> list[int]:
    """Return up to `count` frame numbers, the first and the last among them."""
    if not frames:
        return []
    return [int(k) for k in np.unique(np.linspace(0, frames - 1, count).astype(int))]
