"""Where outputs go: what every route does, and the folder. Sends what it is given, unchanged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from cinescrub.dicom.target import make_folders, sweep, sync_folder, temporary_name
from cinescrub.node.config import NodeConfig, RouteConfig, RouteKind

__all__ = ["DONE", "DUPLICATE", "NO_ROOM", "FolderRoute", "How", "Outcome", "Route", "open_route"]


class How(StrEnum):
    """How a delivery went."""

    DONE = "done"
    """The receiver has said that it has it."""
    LATER = "later"
    """It could not be reached, or has no room: try again."""
    REFUSED = "refused"
    """It was asked and does not take this one: for people."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery went, and why not better."""

    how: How
    reason: str | None = None
    """A few words without anything that the receiver wrote."""


DONE: Final = Outcome(How.DONE)
DUPLICATE: Final = 0x0111
"""Duplicate SOP Instance (PS3.7 C.5.14): the peer has it, from an attempt whose answer was lost."""
NO_ROOM: Final = 0xA7
"""First byte of the statuses that mean: out of resources (PS3.4 B.2.3)."""


class Route(Protocol):
    """A receiver of outputs. One thread uses it."""

    def deliver(self, path: Path) -> Outcome:
        """Bring one output to the receiver. Doing so twice does what once does.

        Parameters
        ----------
        path : Path
            `<study>/<series>/<instance>.dcm`, of new UIDs; borrowed.
        """

    def rest(self) -> None:
        """Hear that nothing more is due for the moment."""

    def close(self) -> None:
        """Let connections go."""


class FolderRoute:
    """A folder, laid out as `run --out` has it. Each file is there whole, or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with suppress(OSError):
            sweep(folder)  # what a crash left half-written

    def deliver(self, path: Path) -> Outcome:
        """Copy one output into the folder, over one of the same name: it is the same instance."""
        target = self._folder.joinpath(*path.parts[-3:])
        aside = target.with_name(temporary_name())
        try:
            made = make_folders(target.parent)
            try:
                shutil.copyfile(path, aside)
                with aside.open("rb+") as file:
                    os.fsync(file.fileno())
                aside.replace(target)
            finally:
                aside.unlink(missing_ok=True)
            for folder in {target.parent, *(folder.parent for folder in made)}:
                sync_folder(folder)
        except OSError as error:
            return Outcome(How.LATER, f"the folder can't be written: {error.strerror or 'error'}")
        return DONE

    def rest(self) -> None:
        """Do nothing: nothing is open."""

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _folder(route: RouteConfig, _node: NodeConfig) -> Route:
    assert route.folder is not None  # noqa: S101  # the configuration has seen to it
    return FolderRoute(route.folder)


def _scu(route: RouteConfig, node: NodeConfig) -> Route:
    from cinescrub.node.scu import ScuRoute

    return ScuRoute(route, node.listen.title)


def _stow(route: RouteConfig, _node: NodeConfig) -> Route:
    from cinescrub.node.stow import StowRoute

    return StowRoute(route)


_KINDS: Final[dict[RouteKind, Callable[[RouteConfig, NodeConfig], Route]]] = {
    RouteKind.FOLDER: _folder,
    RouteKind.SCU: _scu,
    RouteKind.STOW: _stow,
}


def open_route(route: RouteConfig, node: NodeConfig) -> Route:
    """Return a route by its settings; nothing is connected yet.

    Raises
    ------
    ConfigError
        Certificates or secrets can't be used.
    """
    return _KINDS[route.kind](route, node)
