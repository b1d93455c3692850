"""Where the outputs of one run go: one name for each instance, never one for two."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

from cinescrub.dicom.source import Source
from cinescrub.dicom.target import check_target, lies_in, output_path, sweep
from cinescrub.errors import ConfigError, DuplicateError
from cinescrub.stream import Turns

__all__ = ["Delivery", "LocalPlaces", "Places", "Target", "Targets"]

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


class Places(Protocol):
    """Which places below an output folder are taken, and by which of the run's inputs."""

    def take(self, number: int | None, sha256: str, paths: Sequence[Path]) -> int:
        """Reserve the first place of `paths` that is free; return which.

        Parameters
        ----------
        number : int or None
            Of the input in the run, from 0: its place is taken after those of all lower ones. None
            waits for nobody. An input that takes a place again, as its worker died, gets the same.
        sha256 : str
            Of the input.
        paths : sequence of Path
            Its places, the first choice first.

        Raises
        ------
        DuplicateError
            The input is a copy, byte for byte, of one that has a place of them.
        """

    def hold(self, number: int | None, sha256: str, path: Path) -> bool:
        """Reserve the place of an output that an earlier run wrote; False if another took it.

        Raises
        ------
        DuplicateError
            This run has met a copy, byte for byte, of its input.
        """

    def settle(self, path: Path) -> None:
        """Say that an output is there."""

    def give_back(self, path: Path) -> None:
        """Free the place of an input that ended without an output."""

    def leave(self, number: int | None) -> None:
        """Say that this input takes no place, or no other, so that the next may."""


class Delivery(Protocol):
    """Where outputs go on to from the output folder, if they do."""

    def deliver(self, path: Path, sha256: str) -> None:
        """Hand an output on: it is there whole, or not at all.

        Raises
        ------
        OutputError
            It is not.
        """

    def sha256(self, path: Path) -> str | None:
        """Return the hash of what was handed on from there, in hex; None if there is nothing."""


@dataclass(slots=True)
class _Claim:
    """Who has a place."""

    sha256: str
    """Of the input."""
    number: int | None
    """Of the input in the run."""
    settled: bool = False
    """Whether its output is there; until then the place may be given back."""


@dataclass(slots=True)
class LocalPlaces:
    """The places of the inputs that one process works on. Safe to use from several threads."""

    _taken: dict[Path, _Claim] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _turns: Turns = field(default_factory=Turns)

    def take(self, number: int | None, sha256: str, paths: Sequence[Path]) -> int:
        """See `Places`."""
        with self._in_turn(number):
            for choice, path in enumerate(paths):
                claim = self._settled(path, number)
                if claim is None:
                    self._taken[path] = _Claim(sha256, number)
                    return choice
                if claim.sha256 == sha256:
                    break
        raise DuplicateError(_COPY)

    def hold(self, number: int | None, sha256: str, path: Path) -> bool:
        """See `Places`."""
        with self._in_turn(number):
            claim = self._settled(path, number)
            if claim is None:
                self._taken[path] = _Claim(sha256, number, settled=True)
                return True
        if claim.sha256 == sha256:
            raise DuplicateError(_COPY)
        return False

    def settle(self, path: Path) -> None:
        """See `Places`."""
        with self._changed:
            self._taken[path].settled = True
            self._changed.notify_all()

    def give_back(self, path: Path) -> None:
        """See `Places`."""
        with self._changed:
            self._taken.pop(path, None)
            self._changed.notify_all()

    def leave(self, number: int | None) -> None:
        """See `Places`."""
        if number is not None:
            self._turns.leave(number)

    def abandon(self, number: int) -> None:
        """Free what an input took whose worker died, and let the next have their turn."""
        self.leave(number)
        with self._changed:
            self._taken = {
                path: claim
                for path, claim in self._taken.items()
                if claim.settled or claim.number != number
            }
            self._changed.notify_all()

    @contextmanager
    def _in_turn(self, number: int | None) -> Iterator[None]:
        if number is not None:
            self._turns.wait(number)
        with self._changed:
            yield
        self.leave(number)

    def _settled(self, path: Path, number: int | None) -> _Claim | None:
        """Return which other input has a place, once it is clear that it keeps it.

        The lock is held.
        """
        while (claim := self._taken.get(path)) is not None:
            if number is not None and claim.number == number:
                return None
            if claim.settled:
                break
            self._changed.wait()
        return claim


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
    places: Places = field(default_factory=LocalPlaces)
    delivery: Delivery | None = None
    """Where outputs go on to; None where they stay in `root`."""
    number: int | None = None
    """Of the input that they are for (`in_turn`)."""

    @classmethod
    def open(
        cls,
        root: Path,
        inputs: list[Path],
        *,
        resume: bool = False,
        private: Iterable[Path | None] = (),
    ) -> Self:
        """Check the output folder before any work is done.

        Parameters
        ----------
        root : Path
            The folder.
        inputs : list of Path
            It lies in none of them.
        resume : bool
            Remove what a killed run left half-written in it.
        private : iterable of Path or None
            What leads back to patients, and so lies not in it.

        Raises
        ------
        ConfigError
            The folder lies inside of an input folder, or is one; something private lies in it.
        OutputError
            It can't be written.
        """
        check_target(root, inputs)
        if any(lies_in(path, root) for path in private):
            raise ConfigError("the key or the state lies in the output folder: name another place")
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
            The input.
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
        paths = [output_path(self.root, study_uid, series_uid, uid) for uid in uids]
        choice = self.places.take(self.number, source.sha256, paths)
        return Target(paths[choice], uids[choice], (None, _SHARED_UID)[choice])

    def hold(self, path: Path, sha256: str) -> bool:
        """Reserve the place of an output that an earlier run wrote; False if another took it.

        Raises
        ------
        DuplicateError
            This run has met a copy, byte for byte, of its input.
        """
        return self.places.hold(self.number, sha256, path)

    def settle(self, target: Target) -> None:
        """Say that an output is there."""
        self.places.settle(target.path)

    def give_back(self, target: Target) -> None:
        """Free the place of an input that ended without an output."""
        self.places.give_back(target.path)

    def in_turn(self, number: int) -> Targets:
        """Return these targets for one of several inputs that are worked on at once.

        Parameters
        ----------
        number : int
            Its number in the run, from 0. Its place is taken after those of all lower ones; at its
            end, `leave` is to be called.
        """
        return replace(self, number=number)

    def leave(self) -> None:
        """Say that this input takes no place, or no other, so that the next may."""
        self.places.leave(self.number)
