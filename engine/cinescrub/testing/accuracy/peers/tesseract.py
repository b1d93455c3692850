"""Tesseract on every frame: its command, in the mode for text without order (`--psm 11`)."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterable
from typing import Final

import cv2

from cinescrub.testing.accuracy.peers import Box, Peer
from cinescrub.testing.graphics import Canvas

__all__ = ["open_peer"]

_WORD: Final = "5"
"""Level of a word in Tesseract's TSV."""


class _Tesseract:
    name = "tesseract"

    def __init__(self) -> None:
        command = shutil.which("tesseract")
        if command is None:
            raise ImportError("no tesseract", name="tesseract")
        self._command = command
        told = self._run(["--version"], b"").split()
        self.version = told[1].decode() if len(told) > 1 else "unknown"

    def boxes(self, frames: Iterable[Canvas], count: int) -> list[list[Box]]:
        del count  # every frame is looked at
        return [self._found(frame) for frame in frames]

    def _found(self, frame: Canvas) -> list[Box]:
        _, picture = cv2.imencode(".png", frame[..., ::-1])
        table = self._run(["stdin", "stdout", "--psm", "11", "tsv"], picture.tobytes())
        rows = csv.DictReader(io.StringIO(table.decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
        boxes: list[Box] = []
        for row in rows:
            if row["level"] == _WORD and (row["text"] or "").strip():
                x, y = int(row["left"]), int(row["top"])
                boxes.append((x, y, x + int(row["width"]), y + int(row["height"])))
        return boxes

    def _run(self, options: list[str], given: bytes) -> bytes:
        finished = subprocess.run(  # noqa: S603  the command that `which` found, options of ours
            [self._command, *options], input=given, capture_output=True, check=True
        )
        return finished.stdout


def open_peer() -> Peer:
    """Open Tesseract."""
    return _Tesseract()
