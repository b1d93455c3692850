"""Where the outputs of one run go: one name for each instance, never one for two."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cinescrub.dicom.source import Source
from cinescrub.dicom.writer import check_target, output_path, sweep
from cinescrub.errors import DuplicateError
from cinescrub.stream import Turns

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
class _Claim:
    """Who has a place."""

    sha256: str
    """Of the input."""
    settled: bool = False
    """Whether its output is there; until then the place may be given back."""


@dataclass(slots=True)
class Targets:
    """The output folder of a run, and which places in it are taken.

    An existing file of an earlier run is replaced when its successor is committed: a name is a
    keyed pseudonym of the instance, so it is the same instance. Within a run, two inputs with one
    SOP Instance UID are either copies, of which one is enough, or two instances that were given
    one UID by mistake: then the second becomes an instance of its own, so that neither is lost.

    Which of two is the second is their order in the run, however many are worked on at once: each
    takes its place `in_turn`, and waits for the end of an earlier one that has it.
    """

    root: Path
    _taken: dict[Path, _Claim] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _turns: Turns = field(default_factory=Turns)
    _number: int | None = None

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
        with self._in_turn():
            for instance_uid, note in zip(uids, (None, _SHARED_UID), strict=True):
                path = output_path(self.root, study_uid, series_uid, instance_uid)
                claim = self._settled(path)
                if claim is None:
                    self._taken[path] = _Claim(source.sha256)
                    return Target(path, instance_uid, note)
                if claim.sha256 == source.sha256:
                    break
        raise DuplicateError(_COPY)

    def hold(self, path: Path, sha256: str) -> bool:
        """Reserve the place of an output that an earlier run wrote; False if another took it.

        Raises
        ------
        DuplicateError
            This run has met a copy, byte for byte, of its input.
        """
        with self._in_turn():
            claim = self._settled(path)
            if claim is None:
                self._taken[path] = _Claim(sha256, settled=True)
                return True
        if claim.sha256 == sha256:
            raise DuplicateError(_COPY)
        return False

    def settle(self, target: Target) -> None:
        """Say that an output is there."""
        with self._changed:
            self._taken[target.path].settled = True
            self._changed.notify_all()

    def give_back(self, target: Target) -> None:
        """Free the place of an input that ended without an output."""
        with self._changed:
            self._taken.pop(target.path, None)
            self._changed.notify_all()

    def in_turn(self, number: int) -> Targets:
        """Return these targets for one of several inputs that are worked on at once.

        Parameters
        ----------
        number : int
            Its number in the run, from 0. Its place is taken after those of all lower ones; at its
            end, `leave` is to be called.
        """
        return replace(self, _number=number)

    def leave(self) -> None:
        """Say that this input takes no place, or no other, so that the next may."""
        if self._number is not None:
            self._turns.leave(self._number)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._number is not None:
            self._turns.wait(self._number)
        with self._changed:
            yield
        self.leave()

    def _settled(self, path: Path) -> _Claim | None:
        """Return who has a place, once it is clear that he keeps it; the lock is held."""
        while (claim := self._taken.get(path)) is not None and not claim.settled:
            self._changed.wait()
        return claim
