"""The one place of a cluster's run where all its workers ask: places of outputs, what is done.

An actor on the driver's node, and what its workers have instead of `LocalPlaces` and `Table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cinescrub.errors import ClusterError
from cinescrub.integrations.cluster import Sealed
from cinescrub.pipeline.state import State
from cinescrub.pipeline.targets import LocalPlaces

__all__ = ["Desk", "DeskPlaces", "DeskRows", "answer", "ask_desk"]


class Desk(Sealed):
    """Places and state of a run, on the driver's node: all workers ask here. An actor."""

    def __init__(self) -> None:
        super().__init__()
        self._places = LocalPlaces()
        self._state: State | None = None

    def open_state(self, folder: Path, sealed: bytes) -> None:
        """Open the state of the run, under the secret that came."""
        self._state = State.open(folder, self.opened(sealed))

    def ask(self, name: str, *given: Any) -> Any:
        """Do what `LocalPlaces` does."""
        return getattr(self._places, name)(*given)

    def rows(self, name: str, *given: Any) -> Any:
        """Do what the state's table of inputs does."""
        assert self._state is not None  # noqa: S101  # it was opened before workers were
        return getattr(self._state.inputs, name)(*given)

    def close(self) -> None:
        """Write what waits."""
        if self._state is not None:
            self._state.close()


@dataclass(frozen=True, slots=True)
class DeskPlaces:
    """`pipeline.targets.Places` that are kept at the desk."""

    desk: Any
    root: Path
    """Output folder of this process: that of a spool is another one for each, and not told."""

    def take(self, number: int | None, sha256: str, paths: Sequence[Path]) -> int:
        """See `Places`."""
        choice: int = ask_desk(
            self.desk.ask.remote("take", number, sha256, [*map(self._told, paths)])
        )
        return choice

    def hold(self, number: int | None, sha256: str, path: Path) -> bool:
        """See `Places`."""
        held: bool = ask_desk(self.desk.ask.remote("hold", number, sha256, self._told(path)))
        return held

    def settle(self, path: Path) -> None:
        """See `Places`."""
        ask_desk(self.desk.ask.remote("settle", self._told(path)))

    def give_back(self, path: Path) -> None:
        """See `Places`."""
        ask_desk(self.desk.ask.remote("give_back", self._told(path)))

    def leave(self, number: int | None) -> None:
        """See `Places`."""
        ask_desk(self.desk.ask.remote("leave", number))

    def _told(self, path: Path) -> Path:
        return path.relative_to(self.root)


@dataclass(frozen=True, slots=True)
class DeskRows:
    """`pipeline.state.Rows` that are kept at the desk."""

    desk: Any
    secret: bytes = field(repr=False)
    """See `Rows`."""

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        value: bytes | None = ask_desk(self.desk.rows.remote("get", key))
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """See `Rows`."""
        ask_desk(self.desk.rows.remote("put", key, value))

    def flush(self) -> None:
        """See `Rows`."""
        ask_desk(self.desk.rows.remote("flush"))


def answer(ref: Any) -> Any:
    """Return what an actor returns, or raise what it raises.

    Raises
    ------
    RayError
        It is gone, or can't be reached.
    """
    try:
        return ray.get(ref)
    except RayTaskError as error:
        # Ray's own message holds the traceback of the other process.
        raise (error.cause or ClusterError("a worker failed")) from None


def ask_desk(ref: Any) -> Any:
    """Return what the desk returns, or raise what it raises.

    Raises
    ------
    ClusterError
        It is gone, and with it all that the run knew.
    """
    try:
        return answer(ref)
    except RayError:
        raise ClusterError("the cluster is gone: run again with --resume") from None
