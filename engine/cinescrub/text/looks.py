"""Looks: with which detectors, and how much enlarged, a frame or a part of it is searched.

The detectors miss different things: CRAFT two-letter initials, rotated and tiny text, PP-OCR names
over speckle. So a look takes what any of them finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.types import Boxes, Frame, TextBoxes

__all__ = ["Detector", "Eyes", "Look", "LookSettings", "Sizes", "Words"]


class Detector(Protocol):
    """What finds words in frames: CRAFT, PP-OCR, a fake."""

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        """Find words in frames `(B, H, W, C)` uint8; boxes in pixels of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the detectors of a look found in one frame."""

    xyxy: Boxes
    finders: npt.NDArray[np.intp]
    """(n,): which detector found it, by its place among those of the look."""
    scores: npt.NDArray[np.float32]
    """(n,): how sure that one was, 0 to 1."""

    def __len__(self) -> int:
        return len(self.xyxy)

    @staticmethod
    def joined(parts: Sequence[Words]) -> Words:
        """Return all words of several looks; at least one."""
        return Words(
            np.concatenate([part.xyxy for part in parts]),
            np.concatenate([part.finders for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def doubted(self, box: npt.NDArray[np.int32], detectors: int) -> bool:
        """Return whether one of so many detectors saw nothing in a box `(4,)` to speak of."""
        return any(
            geometry.covered_share(box[None], self.xyxy[self.finders == finder])[0] < _SEEN
            for finder in range(detectors)
        )

    def sure_ends(
        self, lines: Boxes, detectors: int, cuts: Boxes | None = None
    ) -> npt.NDArray[np.bool_]:
        """Return at which of their ends lines end for every detector, of two at least.

        Parameters
        ----------
        lines : (n, 4) int32 array
            Lines of these words.
        detectors : int
            How many looked.
        cuts : (m, 4) int32 array, optional
            The parts of the frame that were looked at: at their edges a line may be cut off.

        Returns
        -------
        (n, 2) bool array
            The left end and the right one, of a turned line the upper and the lower.
        """
        sure = np.zeros((len(lines), 2), np.bool_)
        if detectors < 2:
            return sure
        for line, ends in zip(lines, sure, strict=True):
            along = int(line[3] - line[1] > line[2] - line[0])
            reach = _SAME_END * int((line[2:] - line[:2]).min())
            members = self._in_row(line, along)
            of_each = [self.xyxy[members & (self.finders == k)] for k in range(detectors)]
            if not all(map(len, of_each)):
                continue
            low = np.array([words[:, along].min() for words in of_each])
            high = np.array([words[:, along + 2].max() for words in of_each])
            ends[0] = (np.abs(low - line[along]) <= reach).all()
            ends[1] = (np.abs(high - line[along + 2]) <= reach).all()
            if cuts is not None:
                ends[0] &= (np.abs(cuts[:, along] - line[along]) > reach).all()
                ends[1] &= (np.abs(cuts[:, along + 2] - line[along + 2]) > reach).all()
        return sure

    def _in_row(self, line: npt.NDArray[np.int32], along: int) -> npt.NDArray[np.bool_]:
        """Return which words lie in the row of a line and meet it."""
        across = 1 - along
        low = np.maximum(self.xyxy[:, :2], line[:2])
        shared = np.minimum(self.xyxy[:, 2:], line[2:]) - low
        heights = np.minimum(
            self.xyxy[:, across + 2] - self.xyxy[:, across], line[across + 2] - line[across]
        )
        members: npt.NDArray[np.bool_] = (shared[:, along] > 0) & (
            shared[:, across] >= _IN_ROW * heights
        )
        return members


_SEEN = 0.2
"""Share of a line that a detector's words cover where it saw it too."""
_IN_ROW = 0.5
"""Share of the height of a word or its line, whichever is less, that they have in common."""
_SAME_END = 0.3
"""Heights within which two detectors end a line where they agree on its end. Measured on 54 cines
with other fonts and real tissue: of 3526 such ends no glyph sticks out; of 26 that one alone saw
four do, by a quarter of the height and more."""


class Look(Enum):
    """How a frame is looked at."""

    PLAIN = auto()
    """For what moves and for what is large enough to be seen as it is."""
    DETAIL = auto()
    """For small text too: each detector at the sizes at which it finds most."""
    CHECK = auto()
    """A frame of the written file, enlarged otherwise: only what nobody judged yet counts."""
    CHECK_PART = auto()
    """A part of one, at which all detectors looked for detail before: with the last of the checkers
    alone. What the others find there is what they found."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Enlargements at which a detector looks; what it finds at any of them counts."""

    plain: tuple[float, ...] = (1.0,)
    detail: tuple[float, ...] = (1.0, 1.5)
    """An enlarged look finds 10 px words that one at the frame as it is misses, and misses some
    that this one finds."""


@dataclass(frozen=True, slots=True)
class LookSettings:
    """Sizes of the looks."""

    sizes: tuple[Sizes, ...] = ()
    """Of each detector, in order; those of which nothing is said look as `Sizes` says."""
    check_scale: float = 1.25
    """Enlargement of the look at the written file: neither of the others, so that it has a chance
    to see what both of them missed."""
    thickest_share: float = 0.25
    thickest_px: float = 100.0
    """Boxes with a shorter side above both, the share being that of the frame's shorter side, are
    no text: detectors join arcs of tissue to boxes of a third of the frame. Letters of 60 px have
    boxes of 90 px."""
    cut_px: int = 16
    """Words that end this near to the cut edge of a part, and reach no further in than
    `context_px`, may be the torn end of a longer one. They lie in the context, which was
    looked at before."""
    context_px: int = 48
    """How much of a part is context around what is new, at its cut edges. Less than what the
    parts are made with (`text.parts`)."""


class Eyes:
    """The detectors behind each look.

    Parameters
    ----------
    detectors : sequence of Detector
        For `PLAIN` and `DETAIL`; at least one.
    checkers : sequence of Detector
        For `CHECK`: others than the first, where there are others.
    settings : LookSettings
        Sizes.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        checkers: Sequence[Detector],
        settings: LookSettings | None = None,
    ) -> None:
        self._settings = settings or LookSettings()
        given = self._settings.sizes
        sized = list(enumerate(zip(detectors, given + (Sizes(),) * len(detectors), strict=False)))
        plain = [(k, each, scale) for k, (each, sizes) in sized for scale in sizes.plain]
        detail = [(k, each, scale) for k, (each, sizes) in sized for scale in sizes.detail]
        check = [(k, each, self._settings.check_scale) for k, each in enumerate(checkers)]
        self._ways: Mapping[Look, list[tuple[int, Detector, float]]] = {
            Look.PLAIN: plain,
            Look.DETAIL: detail,
            Look.CHECK: check,
            Look.CHECK_PART: check[-1:],
        }
        self._finders = {
            Look.PLAIN: len(detectors),
            Look.DETAIL: len(detectors),
            Look.CHECK: len(checkers),
            Look.CHECK_PART: len(checkers),
        }

    def detectors(self, look: Look) -> int:
        """Return how many detectors are asked; of those that don't look none finds anything."""
        return self._finders[look]

    def words(self, frames: Frame, look: Look) -> list[Words]:
        """Return the words of each frame: what any detector of the look found."""
        thickest = self._settings.thickest_px
        thickest = max(thickest, self._settings.thickest_share * min(frames.shape[1:3]))
        ways = [
            (finder, detector.detect(frames, scale=scale))
            for finder, detector, scale in self._ways[look]
        ]
        return [
            Words.joined([_words(found[b], finder, thickest) for finder, found in ways])
            for b in range(len(frames))
        ]

    def words_within(self, frame: Frame, part: Boxes, look: Look) -> Words:
        """Return the words of one part of a frame, in pixels of the frame.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            Borrowed.
        part : (4,) int32 array
            x0, y0, x1, y1 inside of the frame, with context around what is new.
        look : Look
            How.
        """
        x0, y0, x1, y1 = (int(v) for v in part)
        cut = np.ascontiguousarray(frame[None, y0:y1, x0:x1])
        words = self.words(cut, look)[0]
        xyxy = words.xyxy + np.array([x0, y0, x0, y0], np.int32)
        torn = self._is_torn(xyxy, part, frame.shape[0], frame.shape[1])
        return Words(xyxy[~torn], words.finders[~torn], words.scores[~torn])

    def _is_torn(self, xyxy: Boxes, part: Boxes, rows: int, columns: int) -> np.ndarray:
        """Return which words lie at a cut edge and wholly in the context there."""
        edge, context = self._settings.cut_px, self._settings.context_px
        torn = np.zeros(len(xyxy), np.bool_)
        for axis, end in ((0, columns), (1, rows)):
            low, high = xyxy[:, axis], xyxy[:, axis + 2]
            if part[axis] > 0:
                torn |= (low < part[axis] + edge) & (high <= part[axis] + context)
            if part[axis + 2] < end:
                torn |= (high > part[axis + 2] - edge) & (low >= part[axis + 2] - context)
        return torn


def _words(found: TextBoxes, finder: int, thickest_px: float) -> Words:
    """Return the boxes of one detector whose shorter side is at most this."""
    held = (found.xyxy[:, 2:] - found.xyxy[:, :2]).min(axis=1, initial=1 << 30) <= thickest_px
    finders = np.full(int(held.sum()), finder, np.intp)
    return Words(found.xyxy[held], finders, found.scores[held])
