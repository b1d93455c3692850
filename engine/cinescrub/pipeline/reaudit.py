"""A finished folder looked at again: each file's bytes, and its inputs' identifiers in it.

Knows files and what belongs together; what is wrong with a file's bytes is the audit's to say.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from cinescrub.dicom.audit import audit_file
from cinescrub.dicom.profile import Profile, basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, ScrubOutcome, scrub
from cinescrub.dicom.search import IdentifierSearch
from cinescrub.dicom.source import Source, open_source
from cinescrub.errors import CinescrubError
from cinescrub.pipeline.batch import find_inputs
from cinescrub.policy.identifiers import HeaderIdentifier

__all__ = ["FileFindings", "Inputs", "reaudit"]

_OURS: Final = re.compile(r"2\.25\.[0-9]{1,39}(\.dcm)?")
"""Folders and files of an output have the names of new UIDs."""
_HASHED_FRAMES: Final = 64
"""Frames, spread over a cine, by which an output is told to be that of an input."""
_REMEMBERED: Final = 4096
"""Inputs whose identifiers are kept for the next outputs, some kB each."""

Shape: TypeAlias = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What was found in one output."""

    path: Path
    findings: tuple[str, ...]
    """A line each, free of PHI; empty for a clean file."""
    compared: int = 0
    """Inputs whose identifiers were searched for."""

    def to_dict(self) -> dict[str, object]:
        """Return the findings as plain values, ready for JSON."""
        return {
            "output": str(self.path),
            "status": "failed" if self.findings else "ok",
            "findings": list(self.findings),
            "compared": self.compared,
        }


@dataclass(slots=True)
class Inputs:
    """Inputs by what an output still has of them: unchanged frames, else the image's shape."""

    _by_frame: dict[bytes, list[Path]] = field(default_factory=lambda: defaultdict(list))
    _by_shape: dict[Shape, list[Path]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Inputs:
        """Read what inputs are. Files that no run could have opened are left out."""
        inputs = cls()
        for path in find_inputs(paths):
            try:
                with open_source(path) as source:
                    inputs._by_shape[_shape(source)].append(path)
                    for digest in _frame_digests(source):
                        inputs._by_frame[digest].append(path)
            except CinescrubError:
                continue
        return inputs

    def of_outputs(self, outputs: Sequence[Path]) -> list[tuple[Path, ...]]:
        """Return the inputs that each of all outputs may be made of.

        A frame that kept its bytes tells which. But a frame of another input may have become the
        same one, a black one say: so an input of which no output shows a frame may have become any
        of its kind and size.
        """
        seen = [self._seen_in(output) for output in outputs]
        shown = {path for _, paths in seen for path in paths}
        return [
            (*paths, *(path for path in self._of_shape(shape) if path not in shown))
            for shape, paths in seen
        ]

    def _of_shape(self, shape: Shape | None) -> Sequence[Path]:
        return () if shape is None else self._by_shape.get(shape, ())

    def _seen_in(self, output: Path) -> tuple[Shape | None, tuple[Path, ...]]:
        """Return the shape of an output, and the inputs of which it shows a frame."""
        try:
            with open_source(output) as source:
                found = [self._by_frame.get(digest, ()) for digest in _frame_digests(source)]
                return _shape(source), tuple(dict.fromkeys(chain.from_iterable(found)))
        except CinescrubError:
            return None, ()


def reaudit(
    folder: Path, inputs: Inputs | None = None, *, profile: Profile | None = None
) -> Iterator[FileFindings]:
    """Audit every file of a finished folder.

    Parameters
    ----------
    folder : Path
        What `run` wrote; only read.
    inputs : Inputs, optional
        What it was made of. Then the inputs' identifiers and UIDs are searched for too, and an
        output that none of them can have become is a finding.
    profile : Profile, optional
        That the run applied; the Basic Profile by default.

    Yields
    ------
    FileFindings
        For each file, in the order of their names.
    """
    used = basic_profile() if profile is None else profile
    outputs = list(find_inputs([folder]))
    may_be_of = [()] * len(outputs) if inputs is None else inputs.of_outputs(outputs)
    known: dict[Path, ScrubOutcome | None] = {}
    for path, candidates in zip(outputs, may_be_of, strict=True):
        names = path.relative_to(folder).parts if folder.is_dir() else path.parts[-1:]
        findings = [] if all(map(_OURS.fullmatch, names)) else ["a name that is not a UID of ours"]
        identifiers: list[HeaderIdentifier] = []
        uids: set[str] = set()
        sources = 0
        for candidate in candidates:
            if candidate not in known:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[candidate] = _identity(candidate, used)
            if (outcome := known[candidate]) is not None:
                sources += 1
                identifiers += outcome.identifiers
                uids |= outcome.uids
        if inputs is not None and not sources:
            findings.append("no input can have become this file: its identifiers are not known")
        try:
            search = IdentifierSearch(dict.fromkeys(identifiers))
            findings += audit_file(path, search, profile=used, uids=frozenset(uids))
        except OSError:
            findings.append("can't be read")
        yield FileFindings(path, tuple(findings), sources)


def _identity(path: Path, profile: Profile) -> ScrubOutcome | None:
    """Return what an output of an input must not hold: identifiers that no option retains, UIDs.

    The pseudonyms of the scrub that tells it are thrown away. None for an input that can't be
    scrubbed: no run made an output of it.
    """
    try:
        with open_source(path) as source:
            key = Pseudonyms(os.urandom(32))
            return scrub(source.header, profile=profile, pseudonyms=key, claims=Claims())
    except CinescrubError:
        return None


def _shape(source: Source) -> Shape:
    info = source.info
    return (info.sop_class, info.frames, info.rows, info.columns, info.samples)


def _frame_digests(source: Source) -> Iterator[bytes]:
    step = -(-source.info.frames // _HASHED_FRAMES)
    for k in range(0, source.info.frames, step):
        yield hashlib.sha256(source.frame(k)).digest()
