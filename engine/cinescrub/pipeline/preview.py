"""What `run` would do with a file, and whether a finished one is clean: only looks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cinescrub.config import EngineConfig
from cinescrub.dicom.profile import Profile
from cinescrub.dicom.profiles import load_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.standard import is_modality, is_registered
from cinescrub.pipeline.assembly import name_model, open_inspector, vocabulary_of
from cinescrub.pipeline.job import Job, Observer
from cinescrub.pipeline.redactor import Redactor
from cinescrub.pixels import registry
from cinescrub.report import FileReport
from cinescrub.stream import CancelToken

__all__ = ["Examiner", "Preview"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `run` would do with a file. Holds no PHI."""

    report: FileReport
    structure: dict[str, str | int | None]


class Examiner:
    """Looks at single files as an engine does. Made by `open`; needs no key and has no output."""

    def __init__(self, redactor: Redactor | None, profile: Profile) -> None:
        self._redactor = redactor
        self._profile = profile
        self._names = None if redactor is None else name_model(redactor.inspector)
        self._throwaway = Pseudonyms(os.urandom(32))

    @classmethod
    def open(cls, config: EngineConfig, *, with_models: bool) -> Self:
        """Load what is needed.

        Raises
        ------
        ConfigError
            The runtime is not installed, or a setting names a file that can't be read.
        ModelError
            A model is missing or differs from its contract, or a provider was not loaded.
        """
        profile = load_profile(config.profile, config.options)
        redactor = None
        if with_models:
            redactor = Redactor(config, open_inspector(config), vocabulary_of(config))
        return cls(redactor, profile)

    def preview(self, path: Path, *, token: CancelToken, observer: Observer) -> Preview:
        """Tell what `run` would do; without models, of structure and header alone."""
        structure: dict[str, str | int | None] = {}

        def look(job: Job) -> None:
            with job.timer.stage("open"), open_source(path) as source:
                structure.update(_structure_of(source))
                job.note(frames=source.info.frames, transfer_syntax=source.transfer_syntax)
                registry.check(source.info)
                outcome = self._scrubbed(source)
                job.note(scrubbed=outcome.told)
                if self._redactor is not None:
                    known = self._redactor.inspect(job, source, outcome.printed)
                    plan = self._redactor.plan(job, source, known)
                    changed = len(plan.rectangles) > 0
                    syntax = registry.output_syntax(source.info, changed=changed)
                    job.note(transfer_syntax_out=syntax)

        return Preview(Job(path, token, observer).ended(look), structure)

    def verify(self, path: Path, *, token: CancelToken, observer: Observer) -> FileReport:
        """Look at a de-identified file again, with the detectors of the check.

        Everything in it that the policy would redact ends as `RedactionError` in the report.
        Nothing is known of how the file was made, so what was kept is read anew.
        """
        if self._redactor is None:
            raise RuntimeError("opened without models")
        redactor = self._redactor

        def look(job: Job) -> None:
            with job.timer.stage("open"), open_source(path) as source:
                job.note(frames=source.info.frames, transfer_syntax=source.transfer_syntax)
                registry.check(source.info)
                redactor.review(job, source, self._scrubbed(source).printed)

        return Job(path, token, observer).ended(look)

    def _scrubbed(self, source: Source) -> ScrubOutcome:
        return scrub(
            source.header,
            profile=self._profile,
            pseudonyms=self._throwaway,
            claims=Claims(),
            names=self._names,
        )


def _structure_of(source: Source) -> dict[str, str | int | None]:
    """Return what a file is, in words of the standard only."""
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
