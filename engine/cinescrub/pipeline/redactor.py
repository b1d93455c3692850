"""What of a cine's pixels goes: the one owner of look, plan and check, for files and arrays.

Knows nothing of headers or outputs: frames and identifiers in, plans out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cinescrub import masks
from cinescrub.config import EngineConfig, MaskScope, OnDoubt
from cinescrub.errors import RedactionError
from cinescrub.pipeline.inspection import (
    Scene,
    inspect_text,
    look_at_all,
    residual_text,
    survey_frames,
)
from cinescrub.pipeline.intervals import open_intervals
from cinescrub.pipeline.job import Job
from cinescrub.pipeline.ring import CineFrames
from cinescrub.pixels.apply import snap
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.policy.vocabulary import Vocabulary, vocabulary
from cinescrub.text.doubt import find_doubt
from cinescrub.text.inspect import CineInspection, Inspector
from cinescrub.text.sector import outside_rectangles
from cinescrub.types import CineInfo, MaskPlan, Reason

__all__ = ["Inspected", "Redactor"]


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """What is known of a cine after it was looked at."""

    inspection: CineInspection
    scene: Scene


@dataclass(frozen=True, slots=True, eq=False)
class Redactor:
    """The models and settings by which pixels are judged; shared by all cines."""

    config: EngineConfig
    inspector: Inspector
    vocabulary: Vocabulary | None = None

    def inspect(
        self, job: Job, frames: CineFrames, identifiers: Iterable[HeaderIdentifier]
    ) -> Inspected:
        """Look at everything that is new.

        Parameters
        ----------
        job : Job
            Is told of progress; its token stops the work.
        frames : CineFrames
            The cine.
        identifiers : iterable of HeaderIdentifier
            Whom it is of.

        Raises
        ------
        RedactionError
            A person has to look: there is no sector to blank the outside of, or, with
            `--on-doubt quarantine`, the text is out of the ordinary.
        """
        config, info = self.config, frames.info
        scene = survey_frames(job, frames, config.inspect)
        sector = scene.sector
        job.note(sector={"evidence": sector.evidence.value, "share": round(sector.share, 4)})
        if config.blank_outside_sector and not sector.mask.any():
            raise RedactionError("no sector was found to blank the outside of: review this file")
        matcher = IdentifierMatcher(identifiers)
        inspection = inspect_text(
            job, frames, self.inspector, matcher, config, self._vocabulary_of(info), scene
        )
        if config.on_doubt is OnDoubt.QUARANTINE:
            doubt = find_doubt(inspection.rectangles, inspection.reasons, (info.rows, info.columns))
            if doubt is not None:
                raise RedactionError(f"{doubt}: review this file")
        return Inspected(inspection, scene)

    def plan(self, job: Job, frames: CineFrames, known: Inspected) -> MaskPlan:
        """Return what is to be filled in which frames, and note it in the report.

        Parameters
        ----------
        job : Job
            Of the cine.
        frames : CineFrames
            As they were when they were inspected.
        known : Inspected
            What they showed.
        """
        info, rectangles = frames.info, known.inspection.rectangles
        if self.config.blank_outside_sector:
            outside = outside_rectangles(known.scene.sector)
            rectangles = np.concatenate([rectangles, outside])
        if len(rectangles):
            rectangles = snap(frames.frame(0), info, rectangles)
        plan = masks.with_rectangles(info, rectangles)
        if self.config.mask_scope is MaskScope.INTERVAL:
            moving = known.scene.novelty.moving
            plan = open_intervals(job, frames, plan, known.inspection.looks, moving)
        _note(job, known.inspection, plan)
        return plan

    def is_clean(self, job: Job, written: CineFrames, known: Inspected) -> bool:
        """Look at the redacted frames; what is found joins what is known, for the next plan."""
        return not residual_text(job, written, known.inspection, known.scene, self.config)

    def review(
        self, job: Job, written: CineFrames, identifiers: Iterable[HeaderIdentifier]
    ) -> None:
        """Look at frames of which nothing is known, with the detectors of the check.

        Raises
        ------
        RedactionError
            Something is found that the policy would redact.
        """
        scene = survey_frames(job, written, self.config.inspect)
        matcher = IdentifierMatcher(identifiers)
        inspection = self.inspector.open(
            matcher, self.config.policy, vocabulary=self._vocabulary_of(written.info)
        )
        left = look_at_all(job, written, inspection, scene)
        _note(job, inspection, masks.with_rectangles(written.info, inspection.rectangles))
        if left:
            raise RedactionError(f"text is found in {left} places: review this file")

    def _vocabulary_of(self, info: CineInfo) -> Vocabulary:
        return (self.vocabulary or vocabulary()).of_device(info.device)


def _note(job: Job, inspection: CineInspection, plan: MaskPlan) -> None:
    reasons = inspection.reasons
    job.note(
        inspected=inspection.frames_inspected,
        inspected_share=inspection.pixels_inspected / (plan.frames * plan.rows * plan.columns),
        redactions={r.value: n for r, n in reasons.items() if r.redacts},
        kept=reasons[Reason.CLINICAL] + reasons[Reason.NOT_PHI],
        dismissed=reasons[Reason.NO_TEXT],
        rectangles=tuple(tuple(int(v) for v in box) for box in plan.rectangles),
    )
