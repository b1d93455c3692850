"""The engine: models, key and profile loaded once; one cine at a time from file to file.

Here is who runs when and what happens on failure. What text is, what a header may keep and how
pixels are coded is decided in the rooms below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cinescrub.bundle import Slot
from cinescrub.config import EngineConfig
from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.crosswalk import Crosswalk, MidiMaps, Recorder
from cinescrub.dicom.descriptors import NameModel
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.json_model import JsonHeader
from cinescrub.dicom.profile import Profile
from cinescrub.dicom.profiles import load_profile
from cinescrub.dicom.pseudonym import (
    Pseudonyms,
    default_key_path,
    fingerprint,
    load_or_create_key,
)
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.target import check_target
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ConfigError, RedactionError, ScrubError
from cinescrub.pipeline.admission import Admission
from cinescrub.pipeline.apply import MAX_WORKERS, write_pixels
from cinescrub.pipeline.arrays import ArrayFrames, Identifiers, Redaction, redact_cine
from cinescrub.pipeline.assembly import (
    name_model,
    open_inspector,
    precision_of,
    versions_of,
    vocabulary_of,
)
from cinescrub.pipeline.job import Job, Nobody, Observer
from cinescrub.pipeline.ledger import Ledger, fingerprint_of
from cinescrub.pipeline.redactor import Inspected, Redactor
from cinescrub.pipeline.state import Rows, State
from cinescrub.pipeline.targets import Target, Targets
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import registry
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.report import FileReport, Status
from cinescrub.runtime.heap import give_back_freed
from cinescrub.stream import CancelToken, usable_cores
from cinescrub.text.inspect import Inspector
from cinescrub.text.memory import LookMemory
from cinescrub.types import CineInfo, MaskPlan

__all__ = ["Engine", "Observer", "Targets"]


class Engine:
    """Loaded models, key and profile: `run` for files, `redact` for arrays, any number of times.

    A context manager; made by `open`. Examples: `docs/python.md`.
    """

    def __init__(
        self,
        config: EngineConfig,
        inspector: Inspector,
        pseudonyms: Pseudonyms,
        profile: Profile,
        vocabulary: Vocabulary | None = None,
        versions: Mapping[str, str] | None = None,
        state: State | None = None,
        memory: LookMemory | None = None,
        rows: Rows | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._config = config
        self._admission = admission
        self._redactor: Redactor | None = Redactor(config, inspector, vocabulary)
        self._pseudonyms = pseudonyms
        self._profile = profile
        self._versions = versions or {}
        self._state = state
        self.memory = memory
        """What the models said so far, and how often that was of use; None forgets."""
        rows = rows if state is None else state.inputs
        self._ledger = None if rows is None else self._open_ledger(rows)
        self._lock = Lock()
        self._recorders: list[Recorder] = []
        self._targets: dict[Path, Targets] = {}
        self._names: NameModel | None = name_model(inspector)

    @classmethod
    def open(
        cls,
        config: EngineConfig | None = None,
        *,
        key: bytes | None = None,
        rows: Rows | None = None,
    ) -> Self:
        """Load everything a run needs.

        Parameters
        ----------
        config : EngineConfig, optional
            Settings; the defaults are those of `cinescrub run`.
        key : bytes, optional
            The site's key, where it is not to be read from `config.key_file`.
        rows : Rows, optional
            Where done inputs are recorded, if not in `config.state`, which is then not opened.

        Raises
        ------
        ConfigError
            The runtime is not installed, the memory limit has no room for an input, or the key file
            is not safe.
        ModelError
            A model is missing or differs from its contract, or a provider was not loaded.
        """
        config = config or EngineConfig()
        profile = load_profile(config.profile, config.options)
        memory = LookMemory() if config.reuse else None
        limit, admission = config.max_memory_mib, None
        if limit:
            give_back_freed()
        # Before the key: without models, or memory for an input, none is made.
        inspector = open_inspector(config, memory=memory)
        if limit:
            admission = Admission.within(limit, precision_of(config, Slot.CRAFT))
        pseudonyms = Pseudonyms(key or load_or_create_key(config.key_file))
        vocabulary, versions = vocabulary_of(config), versions_of(config)
        state = None
        if config.state is not None and rows is None:
            state = State.open(config.state, pseudonyms.derived("state"))
            if memory is not None:
                memory.keep_boxes(state.looks, state.looks.secret)
        return cls(
            config,
            inspector,
            pseudonyms,
            profile,
            vocabulary,
            versions=versions,
            state=state,
            memory=memory,
            rows=rows,
            admission=admission,
        )

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

    @property
    def config(self) -> EngineConfig:
        """The settings."""
        return self._config

    @property
    def versions(self) -> Mapping[str, str]:
        """What outputs depend on besides settings and key: software, and models by their hash."""
        return self._versions

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the models go and close the state. May be called twice, and nothing after it.

        Raises
        ------
        OutputError
            The state could not be written.
        """
        self._redactor, self._names = None, None
        if self._state is not None:
            self._state.close()

    def run(
        self,
        path: str | os.PathLike[str],
        out: str | os.PathLike[str] | Targets,
        *,
        token: CancelToken | None = None,
        observer: Observer | None = None,
    ) -> FileReport:
        """De-identify one file. Faults end in the report, never as an exception.

        Parameters
        ----------
        path : path
            The input, which is not modified.
        out : path or Targets
            Output folder, outside of the input's: the output is `<study>/<series>/<instance>.dcm`
            in it, of new UIDs.
        token : CancelToken, optional
            Stops the work; nothing half-written is left.
        observer : Observer, optional
            Told of progress.

        Returns
        -------
        FileReport
            `status` is `Status.OK` if, and only if, there is an output, whose path is `output`;
            else `reason` says why there is none.

        Raises
        ------
        ConfigError
            The output folder is the input's, or lies in it.
        OutputError
            The output folder can't be written.
        CancelledError
            The token was set.
        """
        source = Path(path)
        _ = self._eyes  # a closed engine is no fault of a file
        targets = out if isinstance(out, Targets) else self._targets_in(Path(out), source)
        job = Job(source, token or CancelToken(), observer or Nobody())
        return job.ended(lambda job: self._deidentify(job, targets))

    def redact(
        self,
        frames: npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]],
        *,
        identifiers: Identifiers | None = None,
        header: Mapping[str, Any] | None = None,
        rate: float | None = None,
        token: CancelToken | None = None,
        observer: Observer | None = None,
    ) -> Redaction:
        """Redact the burned-in text of frames in memory, in place.

        They are looked at as those of a file are, and the same is redacted as in a file with the
        same pixels whose header says the same. There is no second file: they are not compared with
        their source.

        Parameters
        ----------
        frames : (F, H, W) or (F, H, W, 3) uint8 array, or a sequence of F arrays
            Gray or R, G, B, one cine; each frame C-contiguous and writable. *Modified in place*,
            inside of the rectangles that are returned and nowhere else; a copy of what they cover
            is held meanwhile.
        identifiers : Identifiers, optional
            What is known of the patient and study. Without it, and without a header, text is judged
            by its form alone.
        header : mapping, optional
            Header of the frames, of the DICOM JSON Model (PS3.18 annex F): its identifiers join
            those given, and it comes back scrubbed.
        rate : float, optional
            Frames a second; without it a running timer is no known counter and goes.
        token : CancelToken, optional
            Stops the work.
        observer : Observer, optional
            Told of progress.

        Returns
        -------
        Redaction
            Rectangles, in which frames they hold, the counts of a report, the scrubbed header.

        Raises
        ------
        InputError
            The frames are no such array, the header is no such model, or it tells another size.
        ConfigError
            The identifiers are none of ours.
        RedactionError
            Text is still found after `verify_rounds`, or a person has to look.
        InferenceError
            A model run failed.

        Notes
        -----
        Fail closed: when this raises, the frames are not redacted, or in part only.
        """
        job = Job(Path("array"), token or CancelToken(), observer or Nobody())
        job.note(versions=self._versions)
        arrays = ArrayFrames.of(list(frames), rate)
        known = Identifiers() if identifiers is None else identifiers
        if not isinstance(known, Identifiers):
            raise ConfigError("identifiers are given as cinescrub.Identifiers")
        with self._room(job, arrays.info):
            return redact_cine(self._eyes, job, arrays, known, header=header, scrub=self._scrub)

    def _open_ledger(self, rows: Rows) -> Ledger:
        said = fingerprint_of(self._config, self._profile.sha256, self._versions)
        return Ledger(rows, said)

    def _targets_in(self, root: Path, source: Path) -> Targets:
        """Return the output folder, whose places stay taken while the engine is open."""
        folder = Path(os.path.realpath(root))
        with self._lock:
            if folder in self._targets:
                check_target(root, [source])
            else:
                key, state = self._config.key_file or default_key_path(), self._config.state
                self._targets[folder] = Targets.open(
                    root, [source], resume=self._config.resume, private=[key, state]
                )
            return self._targets[folder]

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
            if self._config.resume and self._is_done(job, source, outcome, targets):
                return
            target = self._target(targets, source, outcome)
            try:
                _check_apart(source.path, target.path)
                # After its turn for a place, which an earlier input that waits for room may have.
                with self._room(job, source.info):
                    known = self._eyes.inspect(job, source, outcome.printed)
                    self._write_until_clean(job, source, known, target)
                _hand_on(job, targets)
                targets.settle(target)
            except BaseException:
                job.note(output=None, sha256_out=None)
                targets.give_back(target)
                raise

    def _is_done(self, job: Job, source: Source, outcome: ScrubOutcome, targets: Targets) -> bool:
        """Return whether an earlier run's output is what this one would be; then it is reported."""
        assert self._ledger is not None  # noqa: S101  # the settings ask for a state
        with job.timer.stage("resume"):
            done = self._ledger.find(source.sha256, job.path, targets)
        if done is None or done.output is None:
            return False
        if not targets.hold(done.output, source.sha256):
            return False
        self._record_links(outcome, done.output.stem)
        job.report = done
        return True

    def _record_links(self, outcome: ScrubOutcome, instance_uid: str) -> None:
        with self._lock:
            for recorder in self._recorders:
                recorder.record(outcome.links.named(instance_uid))

    def _target(self, targets: Targets, source: Source, outcome: ScrubOutcome) -> Target:
        header = outcome.dataset
        own = self._pseudonyms.uid(f"{header.SOPInstanceUID} {source.sha256}")
        return targets.take(
            source,
            study_uid=str(header.get("StudyInstanceUID", "")),
            series_uid=str(header.get("SeriesInstanceUID", "")),
            uids=(str(header.SOPInstanceUID), own),
        )

    @property
    def _eyes(self) -> Redactor:
        if self._redactor is None:
            raise RuntimeError("the engine is closed")
        return self._redactor

    def _room(self, job: Job, info: CineInfo) -> AbstractContextManager[None]:
        return nullcontext() if self._admission is None else self._admission.held(job, info)

    @property
    def _workers(self) -> int:
        """Threads of one input, besides those of the models: all jobs' together are the cores."""
        return max(1, usable_cores(MAX_WORKERS * self._config.jobs) // self._config.jobs)

    def _write_until_clean(
        self, job: Job, source: Source, known: Inspected, target: Target
    ) -> None:
        for _ in range(self._config.verify_rounds):
            plan = self._eyes.plan(job, source, known)
            if self._write(job, source, known, plan, target):
                return
        raise RedactionError(
            f"text is still found after {self._config.verify_rounds} rounds: review this file"
        )

    def _scrub(self, source: Source | JsonHeader, claims: Claims) -> ScrubOutcome:
        return scrub(
            source.header,
            profile=self._profile,
            pseudonyms=self._pseudonyms,
            claims=claims,
            names=self._names,
        )

    def _write(
        self,
        job: Job,
        source: Source,
        known: Inspected,
        plan: MaskPlan,
        target: Target,
    ) -> bool:
        """Pass 2: write, check and commit. False if the check found more text to redact."""
        info = source.info
        changed = len(plan.rectangles) > 0
        syntax = registry.output_syntax(info, changed=changed)
        # The header says `verified` before that is true; no file gets a name unless it is.
        claims = Claims(
            pixels_inspected=True,
            pixels_changed=changed,
            pixels_verified=True,
            policy=self._config.policy,
        )
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
                    workers=self._workers,
                )
                output.finish()
            with job.timer.stage("audit"):
                found = audit_file(
                    output.path, outcome.search, profile=self._profile, uids=outcome.uids
                )
                if found:
                    raise ScrubError(f"the written file fails its audit: {found[0]}")
            with job.timer.stage("verify"), open_source(output.path) as written:
                fill, workers = self._config.fill, self._workers
                compare_frames(source, written, plan, job.token, fill=fill, workers=workers)
                if not self._eyes.is_clean(job, written, known):
                    return False
                sha256_out = written.sha256
            facts: dict[str, Any] = {
                "output": target.path,
                "reason": target.note,
                "scrubbed": outcome.told,
                "header": tuple(done.to_dict() for done in outcome.done),
                "transfer_syntax_out": syntax,
                "fill": self._config.fill.value if len(plan.rectangles) else None,
                "sha256_in": source.sha256,
                "sha256_out": sha256_out,
            }
            # All before there is an output that can't be led back, or whose record fails.
            self._record_links(outcome, target.instance_uid)
            if self._ledger is not None:
                self._ledger.record(replace(job.report, status=Status.OK, **facts))
            if self._state is not None:
                self._state.flush()
            with job.timer.stage("commit"):
                output.commit()
        job.note(**facts)
        return True


def _check_apart(source: Path, target: Path) -> None:
    """Refuse an output over its own input, which may lie there under UIDs that are retained.

    Raises
    ------
    ScrubError
        It does.
    """
    with suppress(OSError):  # nothing lies there
        if os.path.samefile(source, target):
            raise ScrubError("retained UIDs would put the output over it: name another --out")


def _hand_on(job: Job, targets: Targets) -> None:
    output, sha256 = job.report.output, job.report.sha256_out
    if targets.delivery is None or output is None or sha256 is None:
        return
    with job.timer.stage("upload"):
        targets.delivery.deliver(output, sha256)
