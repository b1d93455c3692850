"""Where the outputs of one run go: one name for each instance, never one for two."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cinescrub.dicom.source import Source
from cinescrub.dicom.writer import check_target, output_path, sweep
from cinescrub.errors import DuplicateError

__all__ = ["Target", "Targets"]

_COPY = "a copy, byte for byte, of another input of this run"
_SHARED_UID = (
    "shares its SOP Instance UID with another input of this run that differs:"
    " written as an instance of its own"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The place of one output."""

    path: Path
    instance_uid: str
    """What the output is called inside: the last part of `path` without its suffix."""
    note: str | None = None
    """What the operator should know of it."""


@dataclass(slots=True)
class Targets:
    """The output folder of a run, and which places in it are taken.

    An existing file of an earlier run is replaced when its successor is committed: a name is a
    keyed pseudonym of the instance, so it is the same instance. Within a run, two inputs with one
    SOP Instance UID are either copies, of which one is enough, or two instances that were given
    one UID by mistake: then the second becomes an instance of its own, so that neither is lost.
    """

    root: Path
    _taken: dict[Path, str] = field(default_factory=dict)
    """Path to the hash of the input that has it."""

    @classmethod
    def open(cls, root: Path, inputs: list[Path], *, resume: bool = False) -> Self:
        """Check the output folder before any work is done.

        Parameters
        ----------
        root : Path
            The folder.
        inputs : list of Path
            It lies in none of them.
        resume : bool
            Remove what a killed run left half-written in it.

        Raises
        ------
        ConfigError
            The folder lies inside of an input folder, or is one.
        OutputError
            It can't be written.
        """
        check_target(root, inputs)
        if resume:
            sweep(root)
        return cls(root)

    def take(
        self, source: Source, *, study_uid: str, series_uid: str, uids: tuple[str, str]
    ) -> Target:
        """Reserve the place of an output.

        Parameters
        ----------
        source : Source
            The input; its hash is needed only if the first choice is taken.
        study_uid, series_uid : str
            New UIDs, which become folders.
        uids : (str, str)
            New SOP Instance UIDs: the one that stands for the input's, and one that stands for
            the input's content too.

        Raises
        ------
        DuplicateError
            The input is a copy, byte for byte, of one that has an output: there is nothing to do.
        ScrubError
            A UID is missing or not one.
        """
        for instance_uid, note in zip(uids, (None, _SHARED_UID), strict=True):
            path = output_path(self.root, study_uid, series_uid, instance_uid)
            if path not in self._taken:
                self._taken[path] = source.sha256
                return Target(path, instance_uid, note)
            if self._taken[path] == source.sha256:
                break
        raise DuplicateError(_COPY)

    def hold(self, path: Path, sha256: str) -> None:
        """Reserve the place of an output that an earlier run wrote.

        Raises
        ------
        DuplicateError
            It was written for a copy, byte for byte, that this run has met.
        """
        if path in self._taken:
            raise DuplicateError(_COPY)
        self._taken[path] = sha256

    def give_back(self, target: Target) -> None:
        """Free the place of an input that ended without an output."""
        self._taken.pop(target.path, None)
