"""Whole-file ways of peers, to time: a file in, a file out, as their users would write it.

A detector of text (`peers.PEERS`) is put between pydicom's decoder and pydicom's writer. Frames are
in memory all at once and the output is uncompressed, as in the peers' own examples.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from cinescrub.errors import ConfigError
from cinescrub.testing.accuracy.peers import GROWN_PX, PEERS, Box, Peer, open_peer
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.reader import read_frames

__all__ = [
    "FILE_PEERS",
    "Detecting",
    "FilePeer",
    "Given",
    "fill",
    "open_file_peer",
    "save_frames",
]

_ROOM: Final = "cinescrub.testing.accuracy.peers"
_WHOLE: Final = {
    "easyocr-read": "craft_torch:open_reading",
    "easyocr-batched": "craft_torch:open_batched",
    "presidio": "presidio:open_peer",
    "deid": "masks_by_rule:open_peer",
}
"""Module and function by the name of a peer that is timed only."""
FILE_PEERS: Final = (*PEERS, *_WHOLE)


class FilePeer(Protocol):
    """Something that de-identifies the pixels of a file."""

    name: str
    version: str

    def redact(self, path: Path, target: Path) -> None:
        """Write `path` to `target` without the text that was found.

        Parameters
        ----------
        path : Path
            Any cine that pydicom decodes.
        target : Path
            Uncompressed DICOM; replaced if there is one.
        """
        ...


class Detecting:
    """A detector of text, with pydicom around it."""

    def __init__(self, peer: Peer) -> None:
        self.name = peer.name
        self.version = peer.version
        self._peer = peer

    def redact(self, path: Path, target: Path) -> None:
        """Decode, find, fill and save."""
        frames = list(read_frames(path))
        for frame, boxes in zip(frames, self._peer.boxes(frames, len(frames)), strict=True):
            fill(frame, boxes)
        save_frames(path, np.stack(frames), target)


class Given:
    """Fills what it is told: what decoding and saving with pydicom costs without any detector."""

    name = "pydicom"
    version = pydicom.__version__

    def __init__(self, boxes: list[Box]) -> None:
        self._boxes = boxes

    def redact(self, path: Path, target: Path) -> None:
        """Decode, fill and save."""
        frames = np.stack(list(read_frames(path)))
        for x0, y0, x1, y1 in self._boxes:
            frames[:, y0:y1, x0:x1] = 0
        save_frames(path, frames, target)


def fill(frame: Canvas, boxes: list[Box]) -> None:
    """Fill a peer's boxes in a frame, in place, grown by `GROWN_PX`."""
    for x0, y0, x1, y1 in boxes:
        top, left = max(0, y0 - GROWN_PX), max(0, x0 - GROWN_PX)
        frame[top : max(0, y1 + GROWN_PX), left : max(0, x1 + GROWN_PX)] = 0


def save_frames(path: Path, frames: npt.NDArray[np.uint8], target: Path) -> None:
    """Save (F, H, W, 3) uint8 frames, R, G, B, below the header of `path`, uncompressed."""
    dataset = pydicom.dcmread(path)
    dataset.set_pixel_data(frames, "RGB", 8, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(target, implicit_vr=False, little_endian=True)


def open_file_peer(name: str) -> FilePeer:
    """Open a peer by name.

    Raises
    ------
    ConfigError
        There is no such peer, or it is not installed.
    """
    if name in PEERS:
        return Detecting(open_peer(name))
    if name not in _WHOLE:
        raise ConfigError(f"--peer {name}: choose of {', '.join(FILE_PEERS)}, or all")
    module, _, function = _WHOLE[name].partition(":")
    try:
        peer: FilePeer = getattr(importlib.import_module(f"{_ROOM}.{module}"), function)()
    except ImportError as error:
        missing = error.name or "a package"
        raise ConfigError(f"--peer {name}: {missing} is missing here; see benchmarks/") from error
    return peer
