"""The engine: models, key and profile loaded once; one cine at a time from file to file.

Here is who runs when and what happens on failure. What text is, what a header may keep and how
pixels are coded is decided in the rooms below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Self

import numpy as np

from cinescrub import __version__, bundle, masks
from cinescrub.bundle import Slot
from cinescrub.config import EngineConfig, MaskScope, OnDoubt
from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.crosswalk import Crosswalk, MidiMaps, Recorder
from cinescrub.dicom.descriptors import NameModel
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.outcome import Done
from cinescrub.dicom.profile import Profile
from cinescrub.dicom.profiles import load_profile
from cinescrub.dicom.pseudonym import Pseudonyms, fingerprint, load_or_create_key
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.standard import is_modality, is_registered
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import RedactionError, ScrubError
from cinescrub.pipeline.apply import write_pixels
from cinescrub.pipeline.assembly import open_inspector
from cinescrub.pipeline.inspection import (
    Scene,
    inspect_text,
    look_at_all,
    residual_text,
    survey_frames,
)
from cinescrub.pipeline.intervals import open_intervals
from cinescrub.pipeline.job import Job, Observer
from cinescrub.pipeline.targets import Target, Targets
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import registry
from cinescrub.pixels.apply import snap
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.report import FileReport
from cinescrub.runtime.providers import installed_runtimes
from cinescrub.stream import CancelToken
from cinescrub.text.doubt import find_doubt
from cinescrub.text.inspect import CineInspection, Inspector
from cinescrub.text.sector import outside_rectangles
from cinescrub.types import MaskPlan, Reason

__all__ = ["Engine", "Observer", "Preview", "Targets"]

_REMEMBERED: Final = 4096
"""Texts whose score is kept: those of a few hundred headers."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What `run` would do with a file. Holds no PHI."""

    report: FileReport
    structure: dict[str, str | int | None]


class Engine:
    """Loaded models, key and profile. `run` may be called any number of times."""

    def __init__(
        self,
        config: EngineConfig,
        inspector: Inspector | None,
        pseudonyms: Pseudonyms,
        profile: Profile,
        vocabulary: Vocabulary | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._vocabulary = vocabulary
        self._inspector = inspector
        self._pseudonyms = pseudonyms
        self._profile = profile
        self._versions = versions or {}
        self._recorders: list[Recorder] = []
        # A text is scored once, though a header is scrubbed before and after its pixels.
        self._names = None if inspector is None else _Remembered(inspector.deidentifier.score)

    @classmethod
    def open(cls, config: EngineConfig) -> Self:
        """Load everything a run needs.

        Raises
        ------
        ConfigError
            The runtime is not installed, or the key file is not safe.
        ModelError
            A model is missing or differs from its contract, or a provider was not loaded.
        """
        profile = load_profile(config.profile, config.options)
        inspector = open_inspector(config)  # before the key: without models none is made
        key = load_or_create_key(config.key_file)
        return cls(
            config, inspector, Pseudonyms(key), profile, _vocabulary(config), _versions(config)
        )

    @classmethod
    def for_preview(cls, config: EngineConfig, *, with_models: bool) -> Self:
        """Load what a preview needs: no key file is made, its pseudonyms are thrown away."""
        profile = load_profile(config.profile, config.options)
        inspector = open_inspector(config) if with_models else None
        throwaway = Pseudonyms(os.urandom(32))
        return cls(config, inspector, throwaway, profile, _vocabulary(config))

    def keep_links(self, crosswalk: Path | None, midi_b: Path | None) -> None:
        """Record from now on what leads back from outputs to inputs; by default nothing is.

        Parameters
        ----------
        crosswalk : Path or None
            Encrypted file, to which is added.
        midi_b : Path or None
            Folder of the two CSV files that the validation script of MIDI-B reads.

        Raises
        ------
        ConfigError
            The crosswalk was written with another key, or others may read it.
        OutputError
            Something can't be written.
        """
        if crosswalk is not None:
            self._recorders.append(Crosswalk.open(crosswalk, self._pseudonyms))
        if midi_b is not None:
            self._recorders.append(MidiMaps.open(midi_b))

    def run(
        self, path: Path, targets: Targets, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        """De-identify one file. Faults end in the report, never as an exception.

        Parameters
        ----------
        path : Path
            The input, which is not modified.
        targets : Targets
            Where the output goes.
        token : CancelToken
            Stops the work; nothing half-written is left.
        observer : Observer
            Told of progress.

        Raises
        ------
        CancelledError
            The token was set.
        """
        return Job(path, token, observer).ended(lambda job: self._deidentify(job, targets))

    def preview(self, path: Path, *, token: CancelToken, observer: Observer) -> Preview:
        """Tell what `run` would do, and write nothing."""
        structure: dict[str, str | int | None] = {}

        def look(job: Job) -> None:
            with job.timer.stage("open"), open_source(path) as source:
                structure.update(_structure(source))
                job.note(frames=source.info.frames, transfer_syntax=source.transfer_syntax)
                registry.check(source.info)
                syntax = registry.output_syntax(source.info)
                outcome = self._scrub(source, Claims())
                job.note(transfer_syntax_out=syntax, scrubbed=_counts(outcome))
                if self._inspector is not None:
                    inspection, scene = self._inspect(job, source, outcome)
                    self._note_text(job, inspection, self._plan(job, source, inspection, scene))

        return Preview(Job(path, token, observer).ended(look), structure)

    def verify(self, path: Path, *, token: CancelToken, observer: Observer) -> FileReport:
        """Look at a de-identified file again, with the detectors of the check.

        Everything in it that the policy would redact ends as `RedactionError` in the report.
        Nothing is known of how the file was made, so what was kept is read anew.
        """

        def look(job: Job) -> None:
            with job.timer.stage("open"), open_source(path) as source:
                assert self._inspector is not None  # noqa: S101  # opened with models
                job.note(frames=source.info.frames, transfer_syntax=source.transfer_syntax)
                registry.check(source.info)
                matcher = IdentifierMatcher(self._scrub(source, Claims()).printed)
                scene = survey_frames(job, source, self._config.inspect)
                inspection = self._inspector.open(
                    matcher, self._config.policy, vocabulary=self._vocabulary
                )
                left = look_at_all(job, source, inspection, scene)
                self._note_text(
                    job, inspection, masks.with_rectangles(source.info, inspection.rectangles)
                )
                if left:
                    raise RedactionError(f"text is found in {left} places: review this file")

        return Job(path, token, observer).ended(look)

    def _deidentify(self, job: Job, targets: Targets) -> None:
        job.note(
            profile={
                "name": self._profile.name,
                "sha256": self._profile.sha256,
                "key": fingerprint(self._pseudonyms.key),
            },
            versions=self._versions,
        )
        with job.timer.stage("open"):
            source = open_source(job.path)
        with source:
            job.note(frames=source.info.frames, transfer_syntax=source.transfer_syntax)
            registry.check(source.info)
            outcome = self._scrub(source, Claims())
            target = self._target(targets, source, outcome)
            try:
                inspection, scene = self._inspect(job, source, outcome)
                self._write_until_clean(job, source, inspection, scene, target)
            except BaseException:
                targets.give_back(target)
                raise

    def _target(self, targets: Targets, source: Source, outcome: ScrubOutcome) -> Target:
        header = outcome.dataset
        own = self._pseudonyms.uid(f"{header.SOPInstanceUID} {source.sha256}")
        return targets.take(
            source,
            study_uid=str(header.get("StudyInstanceUID", "")),
            series_uid=str(header.get("SeriesInstanceUID", "")),
            uids=(str(header.SOPInstanceUID), own),
        )

    def _write_until_clean(
        self, job: Job, source: Source, inspection: CineInspection, scene: Scene, target: Target
    ) -> None:
        for _ in range(self._config.verify_rounds):
            plan = self._plan(job, source, inspection, scene)
            self._note_text(job, inspection, plan)
            if self._write(job, source, inspection, scene, plan, target):
                return
        raise RedactionError(
            f"text is still found after {self._config.verify_rounds} rounds: review this file"
        )

    def _scrub(self, source: Source, claims: Claims) -> ScrubOutcome:
        return scrub(
            source.header,
            profile=self._profile,
            pseudonyms=self._pseudonyms,
            claims=claims,
            names=self._names,
        )

    def _inspect(
        self, job: Job, source: Source, outcome: ScrubOutcome
    ) -> tuple[CineInspection, Scene]:
        """Pass 1: everything that is new is looked at."""
        assert self._inspector is not None  # noqa: S101  # a preview without models ends before
        scene = survey_frames(job, source, self._config.inspect)
        sector = scene.sector
        job.note(sector={"evidence": sector.evidence.value, "share": round(sector.share, 4)})
        if self._config.blank_outside_sector and not scene.sector.mask.any():
            raise RedactionError("no sector was found to blank the outside of: review this file")
        matcher = IdentifierMatcher(outcome.printed)
        inspection = inspect_text(
            job, source, self._inspector, matcher, self._config, self._vocabulary, scene
        )
        if self._config.on_doubt is OnDoubt.QUARANTINE:
            size = (source.info.rows, source.info.columns)
            doubt = find_doubt(inspection.rectangles, inspection.reasons, size)
            if doubt is not None:
                raise RedactionError(f"{doubt}: review this file")
        return inspection, scene

    def _plan(self, job: Job, source: Source, inspection: CineInspection, scene: Scene) -> MaskPlan:
        info = source.info
        rectangles = inspection.rectangles
        if self._config.blank_outside_sector:
            outside = outside_rectangles(scene.sector, info.rows, info.columns)
            rectangles = np.concatenate([rectangles, outside])
        if len(rectangles):
            rectangles = snap(source.frame(0), info, rectangles)
        plan = masks.with_rectangles(info, rectangles)
        if self._config.mask_scope is MaskScope.INTERVAL:
            plan = open_intervals(job, source, plan, inspection.looks, scene.novelty.moving)
        return plan

    @staticmethod
    def _note_text(job: Job, inspection: CineInspection, plan: MaskPlan) -> None:
        reasons = inspection.reasons
        job.note(
            inspected=inspection.frames_inspected,
            inspected_share=inspection.pixels_inspected / (plan.frames * plan.rows * plan.columns),
            redactions={r.value: n for r, n in reasons.items() if r.redacts},
            kept=reasons[Reason.CLINICAL] + reasons[Reason.NOT_PHI],
            dismissed=reasons[Reason.NO_TEXT],
            rectangles=tuple(tuple(int(v) for v in box) for box in plan.rectangles),
        )

    def _write(
        self,
        job: Job,
        source: Source,
        inspection: CineInspection,
        scene: Scene,
        plan: MaskPlan,
        target: Target,
    ) -> bool:
        """Pass 2: write, check and commit. False if the check found more text to redact."""
        info = source.info
        changed = len(plan.rectangles) > 0
        syntax = registry.output_syntax(info) if changed else info.transfer_syntax
        # The header says `verified` before that is true; no file gets a name unless it is.
        claims = Claims(pixels_inspected=True, pixels_changed=changed, pixels_verified=True)
        with job.timer.stage("scrub"):
            outcome = self._scrub(source, claims)
        header = outcome.dataset
        header.SOPInstanceUID = target.instance_uid
        if changed:
            header.PhotometricInterpretation = registry.output_photometric(info)
        meta = fresh_file_meta(
            sop_class=str(header.SOPClassUID),
            sop_instance=str(header.SOPInstanceUID),
            transfer_syntax=syntax,
        )
        with OutputFile(target.path) as output:
            with job.timer.stage("apply"):
                output.write_header(meta, header)
                write_pixels(
                    output,
                    source,
                    plan,
                    fill=self._config.fill,
                    token=job.token,
                    tell=job.told("apply", info.frames),
                )
                output.finish()
            with job.timer.stage("audit"):
                found = audit_file(
                    output.path, outcome.search, profile=self._profile, uids=outcome.uids
                )
                if found:
                    raise ScrubError(f"the written file fails its audit: {found[0]}")
            with job.timer.stage("verify"), open_source(output.path) as written:
                compare_frames(source, written, plan, job.token, fill=self._config.fill)
                if residual_text(job, written, inspection, scene, self._config):
                    return False
                sha256_out = written.sha256
            for recorder in self._recorders:  # before there is an output that can't be led back
                recorder.record(outcome.links.named(target.instance_uid))
            with job.timer.stage("commit"):
                output.commit()
        job.note(
            output=target.path,
            reason=target.note,
            scrubbed=_counts(outcome),
            header=tuple(_done(done) for done in outcome.done),
            transfer_syntax_out=syntax,
            fill=self._config.fill.value if len(plan.rectangles) else None,
            sha256_in=source.sha256,
            sha256_out=sha256_out,
        )
        return True


def _vocabulary(config: EngineConfig) -> Vocabulary | None:
    """Return the vocabulary with the site's own terms, if it has any."""
    return None if config.vocabulary is None else Vocabulary.with_terms(config.vocabulary)


def _counts(outcome: ScrubOutcome) -> dict[str, int]:
    return {action.value: n for action, n in outcome.counts.items()}


def _done(done: Done) -> dict[str, str | int]:
    return {
        "tag": done.tag,
        "action": done.action.value,
        "reason": done.reason,
        "elements": done.elements,
    }


def _versions(config: EngineConfig) -> dict[str, str]:
    """Return what a report says of the software: versions, and models by hash."""
    models = {slot: bundle.load_contract(config.models, slot) for slot in Slot}
    return {
        "cinescrub": __version__,
        "pydicom": metadata.version("pydicom"),
        **installed_runtimes(),
        **{slot.value: model.files[bundle.MODEL_FILE] for slot, model in models.items()},
    }


class _Remembered:
    """A name model that scores a text once; holds the texts of few files and shows none."""

    __slots__ = ("_model", "_scores")

    def __init__(self, model: NameModel) -> None:
        self._model = model
        self._scores: dict[str, float] = {}

    def __call__(self, texts: Sequence[str]) -> list[float]:
        if len(self._scores) > _REMEMBERED:
            self._scores.clear()
        if new := [text for text in texts if text not in self._scores]:
            self._scores.update(zip(new, map(float, self._model(new)), strict=True))
        return [self._scores[text] for text in texts]


def _structure(source: Source) -> dict[str, str | int | None]:
    info = source.info
    return {
        "transfer_syntax": registry.syntax_of(info.transfer_syntax).name,
        # Values of the standard only: a file may hold anything in these.
        "sop_class": info.sop_class if is_registered(info.sop_class) else "not registered",
        "modality": info.modality if is_modality(info.modality) else "not a known one",
        "frames": info.frames,
        "rows": info.rows,
        "columns": info.columns,
        "photometric": (
            info.photometric if registry.is_photometric(info.photometric) else "not a known one"
        ),
        "samples": info.samples,
        "bits_stored": info.bits_stored,
        "regions": len(info.regions),
        "bytes": source.size,
    }
