"""The values that the rooms hand to each other: frozen, with shapes checked at construction.

Nothing here computes, reads files or knows of a library other than NumPy. Arrays in a value are
never written to by whoever receives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.kinds import Fill, PhiKind
from cinescrub.syntaxes import EXPLICIT_BIG, NATIVE

__all__ = [
    "Boxes",
    "CineInfo",
    "Decisions",
    "Fill",
    "Frame",
    "MaskPlan",
    "Palette",
    "PhiKind",
    "Reason",
    "Region",
    "TextBoxes",
    "Transcripts",
]

Boxes: TypeAlias = npt.NDArray[np.int32]
"""(n, 4) int32: x0, y0, x1, y1 in pixels of the frame, x1 and y1 exclusive."""

Frame: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, C) uint8, C-contiguous, C = 1 (gray) or 3 (R, G, B): what the models look at."""


class Reason(StrEnum):
    """Why a box was kept or redacted. A closed set, so that reports can count it."""

    # kept
    CLINICAL = "clinical"
    """Every token is in the ultrasound vocabulary or the line matches an anchored grammar."""
    NOT_PHI = "not-phi"
    """`phi-only` policy: no positive evidence of an identifier."""
    NO_TEXT = "no-text"
    """A detection that is no text: nobody can read it and nothing was drawn there, or only a mark.
    Counted once each time it is looked at."""
    # redacted
    IDENTIFIER = "identifier"
    """Matches an identifier of this file's header, fuzzily."""
    PATTERN = "pattern"
    """A date, time, number, phone, labelled field or honorific."""
    MODEL = "model"
    """The token classifier calls it PHI."""
    UNKNOWN = "unknown"
    """Not recognised as clinical: default deny."""
    UNREADABLE = "unreadable"
    """Detected, but read with too little confidence or not at all."""
    CODE = "code"
    """A bar code or a matrix code, which may say anything."""
    BANNER = "banner"
    """Lies where banners live and is not strongly clinical, or beside the sector and is as short
    as initials."""
    ALL_TEXT = "all-text"
    """`all-text` policy: every box goes."""
    RESIDUAL = "residual"
    """Found by the check of the written file and added to the plan."""

    @property
    def redacts(self) -> bool:
        """Whether what has this reason goes."""
        return self not in {Reason.CLINICAL, Reason.NOT_PHI, Reason.NO_TEXT}


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """A palette colour look-up table, scaled to 8 bit. Equal only to itself."""

    table: npt.NDArray[np.uint8]
    """(n, 3) uint8, R, G, B of the stored values `first` .. `first + n - 1`."""
    first: int = 0
    """First stored value mapped (PS3.3 C.7.6.3.1.5); lower values take the first entry, higher
    ones the last."""

    def __post_init__(self) -> None:
        if self.table.ndim != 2 or self.table.shape[1] != 3 or not len(self.table):
            raise InputError("palette tables are empty or differ in length")

    @property
    def darkest(self) -> int:
        """The stored value whose colour has the least luma (ITU-R BT.601 weights)."""
        luma = self.table.astype(np.int64) @ np.array([299, 587, 114])
        return self.first + int(luma.argmin())


@dataclass(frozen=True, slots=True)
class Region:
    """An item of the Sequence of Ultrasound Regions (0018,6011), PS3.3 C.8.5.5."""

    x0: int
    y0: int
    x1: int
    y1: int
    """Pixels; x1, y1 inclusive, as stored. May lie outside of the image in real files."""
    spatial_format: int = 0
    data_type: int = 0


@dataclass(frozen=True, slots=True)
class CineInfo:
    """What the header says of the pixels: enough to decode, mask and write them, and no PHI."""

    transfer_syntax: str
    """UID."""
    frames: int
    """At least 1."""
    rows: int
    columns: int
    samples: int
    """1 or 3 samples a pixel."""
    photometric: str
    """PhotometricInterpretation as stored, e.g. `YBR_FULL_422`."""
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: int
    """PlanarConfiguration: 0 by pixel, 1 by plane; 0 where there is one sample."""
    palette: Palette | None = None
    sop_class: str = ""
    modality: str = ""
    regions: tuple[Region, ...] = field(default=())
    rate: float | None = None
    """Frames a second as recorded, where the header tells (PS3.3 C.7.6.5)."""
    device: tuple[str, ...] = field(default=(), compare=False)
    """Manufacturer and model of the machine (PS3.3 C.7.5.1), which consoles print too. No part of
    what the pixels are: a written header may have lost it."""
    words: bool = False
    """Native big endian only: 8-bit samples are stored in 16-bit words (VR OW), so that the bytes
    of each pair are swapped (PS3.5 8.1.1, A.3)."""

    @property
    def native(self) -> bool:
        """Whether the frames are stored without encapsulation (PS3.5 A.1 to A.3, A.5)."""
        return self.transfer_syntax in NATIVE

    @property
    def little_endian(self) -> bool:
        """Byte order of native samples; encapsulated syntaxes are little endian."""
        return self.transfer_syntax != EXPLICIT_BIG

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The dtype of one stored sample, in native byte order."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}")

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame as stored; 4:2:2 packs two samples a pixel."""
        samples = 2 if self.photometric == "YBR_FULL_422" and self.native else self.samples
        return self.rows * self.columns * samples * (self.bits_allocated // 8)


@dataclass(frozen=True, slots=True)
class TextBoxes:
    """Where text was detected in one frame."""

    xyxy: Boxes
    scores: npt.NDArray[np.float32]
    """(n,) float32 in 0..1: the detector's peak text score in the box."""

    def __post_init__(self) -> None:
        _check_boxes(self.xyxy)
        if self.scores.shape != (len(self.xyxy),):
            raise ValueError(f"{len(self.xyxy)} boxes, scores of shape {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True, slots=True)
class Transcripts:
    """What boxes say. Text never shows in `repr`, so that it can't reach a log by accident."""

    texts: tuple[str, ...] = field(repr=False)
    confidences: npt.NDArray[np.float32]
    """(n,) float32 in 0..1."""
    glyphs: tuple[npt.NDArray[np.float32], ...] = ()
    """Of each text (k, 3) float32, a row a character: where it begins and ends, in shares of the
    line's width, and its probability. NaN for a place that isn't known; none at all: not told."""

    def __post_init__(self) -> None:
        if self.confidences.shape != (len(self.texts),):
            raise ValueError(f"{len(self.texts)} texts, {self.confidences.shape} confidences")
        if self.glyphs and [*map(len, self.glyphs)] != [*map(len, self.texts)]:
            raise ValueError("not every character has a place and a probability")

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Keep or redact, and why, for each box."""

    redact: npt.NDArray[np.bool_]
    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if self.redact.shape != (len(self.reasons),):
            raise ValueError(f"{len(self.reasons)} reasons for {self.redact.shape} decisions")

    def __len__(self) -> int:
        return len(self.reasons)


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """Which rectangles are filled in which frames. Never a dense mask."""

    frames: int
    rows: int
    columns: int
    rectangles: Boxes
    spans: npt.NDArray[np.int32]
    """(n, 2) int32: first frame and end (exclusive) of each rectangle."""

    def __post_init__(self) -> None:
        _check_boxes(self.rectangles)
        if self.spans.shape != (len(self.rectangles), 2):
            raise ValueError(f"{len(self.rectangles)} rectangles, spans {self.spans.shape}")
        if len(self.rectangles):
            inside = (
                (self.rectangles[:, :2] >= 0).all()
                and (self.rectangles[:, 2] <= self.columns).all()
                and (self.rectangles[:, 3] <= self.rows).all()
                and (self.rectangles[:, :2] < self.rectangles[:, 2:]).all()
            )
            if not inside:
                raise ValueError("a rectangle is empty or leaves the frame")

    def at(self, frame: int) -> Boxes:
        """Return the rectangles that hold in `frame`, owned by the caller."""
        held = (self.spans[:, 0] <= frame) & (frame < self.spans[:, 1])
        return self.rectangles[held]

    def stretches(self, at_most: int) -> Iterator[tuple[int, int, Boxes]]:
        """Yield start, end (exclusive) and rectangles of stretches of frames that share them.

        All frames, in order, at most `at_most` in a stretch.
        """
        starts = np.arange(0, self.frames, at_most)
        if not len(self.rectangles):
            for start in starts.tolist():
                yield start, min(start + at_most, self.frames), self.rectangles.copy()
            return
        inside = np.clip(self.spans.reshape(-1), 0, self.frames)
        edges = np.unique(np.concatenate([starts, inside, [self.frames]])).tolist()
        for start, stop in pairwise(edges):
            yield start, stop, self.at(start)


def _check_boxes(xyxy: Boxes) -> None:
    if xyxy.dtype != np.int32 or xyxy.ndim != 2 or xyxy.shape[1] != 4:
        raise ValueError(f"boxes are (n, 4) int32, got {xyxy.shape} {xyxy.dtype}")
