"""Other detectors of text, to compare with: frames in, boxes out. None is a dependency.

Each adapter is a module of its own, opened by name, which imports its peer when it is opened. All
text that a peer finds is taken: no peer decides what identifies. Its boxes are filled as they come,
grown by `GROWN_PX`, in the decoded frames: what a peer would lose by coding a frame again, or in
the header, is not counted against it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

from cinescrub.errors import ConfigError
from cinescrub.testing.graphics import Canvas

__all__ = ["GROWN_PX", "PEERS", "Box", "Peer", "installed_peers", "open_peer"]

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""

GROWN_PX: Final = 2
"""By how much a peer's boxes are grown: rounding, its own or ours, shall cost it nothing."""

_ROOM: Final = "cinescrub.testing.accuracy.peers"
PEERS: Final = {
    "easyocr": "craft_torch",
    "easyocr-keyframes": "keyframes",
    "rapidocr": "ppocr",
    "tesseract": "tesseract",
}
"""Modules by the name of their peer."""


class Peer(Protocol):
    """A detector of text."""

    name: str
    version: str

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        """Find text.

        Parameters
        ----------
        frames : iterable of (H, W, 3) uint8 array
            R, G, B; borrowed, one at a time.
        count : int
            How many there are.

        Returns
        -------
        list of list of Box
            What is to be filled in each frame.
        """
        ...


def open_peer(name: str) -> Peer:
    """Open a peer.

    Raises
    ------
    ConfigError
        There is no such peer, or it is not installed.
    """
    if name not in PEERS:
        raise ConfigError(f"--peer {name}: choose of {', '.join(PEERS)}, or all")
    try:
        module = importlib.import_module(f"{_ROOM}.{PEERS[name]}")
        peer: Peer = module.open_peer()
    except ImportError as error:
        missing = error.name or "a package"
        raise ConfigError(f"--peer {name}: {missing} is missing here; see benchmarks/") from error
    return peer


def installed_peers() -> list[Peer]:
    """Open every peer that is installed."""
    peers: list[Peer] = []
    for name in PEERS:
        try:
            peers.append(open_peer(name))
        except ConfigError:
            continue
    return peers
