"""Inspection of one cine: detect, read and classify what is new, and decide what goes.

What a cine's overlay says lives in this object only, for as long as its cine is worked on; what
leaves it are boxes and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.config import Policy
from cinescrub.masks import padded
from cinescrub.policy.decide import Line, Reading, decide
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.text.detector import union
from cinescrub.text.ink import unexplained_ink
from cinescrub.text.looks import Detector, Eyes, Look, LookSettings
from cinescrub.text.novelty import SeenFrames
from cinescrub.text.places import KeptPlaces, crop_key
from cinescrub.text.recognizer import Crop, crop_lines
from cinescrub.types import Boxes, Frame, Reason, TextBoxes, Transcripts

__all__ = ["CineInspection", "InspectSettings", "Inspector", "Look"]

_PLAIN_INK = 0.0
"""Score of ink that no detector found."""


class _Reader(Protocol):
    def read(self, crops: Sequence[Crop]) -> Transcripts:
        """Read crops, in their order."""


class _Scorer(Protocol):
    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how much each text looks like PHI, 0 to 1."""


@dataclass(frozen=True, slots=True)
class InspectSettings:
    """How what is found is put together."""

    explained_share: float = 0.9
    """A line of the written file that lies in redacted and kept places to this share is nothing
    new: the pixels outside of the redactions are those that were judged in the same frame."""
    line_gap: float = 0.8
    """Words closer than this many heights are one line, which is kept or redacted whole."""
    known_share: float = 0.98
    """A line that lies in redacted rectangles to this share needs no reading: it goes anyway."""


class Inspector:
    """The models, shared by all cines; safe to use from several threads.

    Parameters
    ----------
    detectors : sequence of Detector
        What any of them finds is text. At least one.
    recognizers : sequence
        Each reads every line; a line has a reading of each (`policy.decide`). At least one.
    deidentifier
        The token classifier behind its pre- and post-processing.
    checkers : sequence of Detector
        Look at the written file; default: `detectors`.
    settings, looks : InspectSettings, LookSettings
        How frames are looked at, and how what is found is put together.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        recognizers: Sequence[_Reader],
        deidentifier: _Scorer,
        *,
        checkers: Sequence[Detector] = (),
        settings: InspectSettings | None = None,
        looks: LookSettings | None = None,
    ) -> None:
        self.eyes = Eyes(detectors, checkers or detectors, looks)
        self.recognizers = tuple(recognizers)
        self.deidentifier = deidentifier
        self.settings = settings or InspectSettings()

    def open(
        self,
        matcher: IdentifierMatcher,
        policy: Policy,
        *,
        vocabulary: Vocabulary | None = None,
        sector: npt.NDArray[np.bool_] | None = None,
    ) -> CineInspection:
        """Begin a cine.

        Parameters
        ----------
        matcher : IdentifierMatcher
            The identifiers of its header.
        policy : Policy
            What happens to its text.
        vocabulary : Vocabulary, optional
            Clinical terms; default: the project's own.
        sector : (H, W) bool array, optional
            The insonified part; outside of it text-sized ink counts as text. Without it, the ink
            rule is off.
        """
        return CineInspection(self, matcher, policy, vocabulary, sector)


class CineInspection:
    """What is known of one cine's text so far. Made by `Inspector.open`."""

    def __init__(
        self,
        inspector: Inspector,
        matcher: IdentifierMatcher,
        policy: Policy,
        vocabulary: Vocabulary | None,
        sector: npt.NDArray[np.bool_] | None,
    ) -> None:
        self._inspector = inspector
        self._matcher = matcher
        self._policy = policy
        self._vocabulary = vocabulary
        self._sector = sector
        self._seen = SeenFrames()
        self._readings: dict[bytes, tuple[Reading, ...]] = {}
        self._kept = KeptPlaces()
        self._kept_in: dict[int, Boxes] = {}
        self._held: Boxes = geometry.as_boxes()
        self.reasons: Counter[Reason] = Counter()
        """Lines decided, by reason, kept ones too; a line counts once for each new look of it."""
        self.frames_inspected = 0
        """Frames that the detectors ran on, whole or in part."""
        self.pixels_inspected = 0
        """Pixels that the detectors ran on before the file was written, in pixels of the frame."""

    @property
    def rectangles(self) -> Boxes:
        """What is to be filled: `(n, 4)` int32, padded and inside the frame, a copy."""
        return self._held.copy()

    def see(self, frames: Frame, numbers: Sequence[int], look: Look = Look.PLAIN) -> Boxes:
        """Look at a batch of whole frames and add what must go to the rectangles.

        Parameters
        ----------
        frames : (B, H, W, C) uint8 array
            Borrowed for the call.
        numbers : sequence of B int
            Which frames of the cine these are.
        look : Look
            How. A plain look skips frames with pixels that were seen.

        Returns
        -------
        (n, 4) int32 array
            The rectangles that this batch added.
        """
        skips = look is Look.PLAIN
        fresh = [b for b in range(len(frames)) if self._seen.is_new(frames[b]) or not skips]
        if not fresh:
            return geometry.as_boxes()
        batch = frames if len(fresh) == len(frames) else np.ascontiguousarray(frames[fresh])
        found = self._inspector.eyes.words(batch, look)
        self._count(len(fresh), batch.shape[1] * batch.shape[2] * len(fresh), look)
        before = len(self._held)
        for place, b in enumerate(fresh):
            self._judge(batch[place], numbers[b], found[place], look)
        return self._held[before:].copy()

    def see_parts(self, frame: Frame, number: int, parts: Boxes, look: Look = Look.DETAIL) -> Boxes:
        """Look at parts of one frame, each with context around what is new in it.

        Parameters
        ----------
        frame : (H, W, C) uint8 array
            Borrowed for the call.
        number : int
            Which frame of the cine this is.
        parts : (n, 4) int32 array
            Where, inside of the frame.
        look : Look
            How.

        Returns
        -------
        (n, 4) int32 array
            The rectangles that this look added.
        """
        before = len(self._held)
        unknown = parts[geometry.covered_share(parts, self._held) < 1.0]
        if not len(unknown):
            return geometry.as_boxes()
        found = union([self._inspector.eyes.words_within(frame, p, look) for p in unknown])
        area = (unknown[:, 2:] - unknown[:, :2]).astype(np.int64).prod(axis=1).sum()
        self._count(1, int(area), look)
        self._judge(frame, number, found, look, unknown)
        return self._held[before:].copy()

    def _count(self, frames: int, pixels: int, look: Look) -> None:
        self.frames_inspected += frames
        self.pixels_inspected += pixels if look is not Look.CHECK else 0

    def _judge(
        self,
        frame: Frame,
        number: int,
        words: TextBoxes,
        look: Look,
        parts: Boxes | None = None,
    ) -> None:
        """Decide the lines of one frame, or of parts of it."""
        size = (frame.shape[0], frame.shape[1])
        boxes = self._lines(words)
        if look is Look.CHECK:
            boxes = boxes[~self._is_explained(frame, boxes, number)]
        else:
            boxes = self._with_ink(frame, boxes, parts)
        crops = crop_lines(frame, boxes)
        keys = [crop_key(crop) for crop in crops]
        fresh = self._is_fresh(frame, boxes)
        self._read({keys[i]: crops[i] for i in np.flatnonzero(fresh)})
        # What is known already is not read, but what was read before is a neighbour that counts.
        told = [i for i, key in enumerate(keys) if key in self._readings]
        decisions = decide(
            [self._line(keys[i], boxes[i]) for i in told],
            matcher=self._matcher,
            frame_size=size,
            policy=self._policy,
            vocabulary=self._vocabulary,
        )
        gone: list[int] = []
        for i, goes, why in zip(told, decisions.redact, decisions.reasons, strict=True):
            if not fresh[i]:
                continue
            self.reasons[Reason.RESIDUAL if goes and look is Look.CHECK else why] += 1
            if goes:
                gone.append(i)
            else:
                self._kept.remember(frame, boxes[i])
        grown = padded(boxes[gone], rows=size[0], columns=size[1])
        self._held = np.concatenate([self._held, grown])
        if look is not Look.CHECK:
            left = padded(np.delete(boxes, gone, axis=0), rows=size[0], columns=size[1])
            before = self._kept_in.get(number, geometry.as_boxes())
            self._kept_in[number] = np.concatenate([before, left])

    def _with_ink(self, frame: Frame, boxes: Boxes, parts: Boxes | None) -> Boxes:
        """Return lines joined by those of ink outside of the sector that no detector found."""
        if self._sector is None:
            return boxes
        rows, columns = frame.shape[:2]
        known = np.concatenate([boxes, self._kept.unchanged(frame)])
        explained = np.concatenate([padded(known, rows=rows, columns=columns), self._held])
        ink = unexplained_ink(frame, explained, self._sector)
        if parts is not None:  # what lies elsewhere was judged in the frame where it was new
            ink = ink[geometry.covered_share(ink, parts) > 0.5]
        if not len(ink):
            return boxes
        both = np.concatenate([boxes, ink])
        return self._lines(TextBoxes(both, np.full(len(both), _PLAIN_INK, np.float32)))

    def _is_explained(self, frame: Frame, boxes: Boxes, number: int) -> npt.NDArray[np.bool_]:
        """Return which lines of a written frame consist of what was judged in its source."""
        kept = padded(self._kept.unchanged(frame), rows=frame.shape[0], columns=frame.shape[1])
        judged = np.concatenate([self._held, kept, self._kept_in.get(number, geometry.as_boxes())])
        explained: npt.NDArray[np.bool_] = (
            geometry.covered_share(boxes, judged) >= self._inspector.settings.explained_share
        )
        return explained

    def _is_fresh(self, frame: Frame, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Return which lines nothing is known of: neither redacted, nor kept with these pixels."""
        redacted = geometry.covered_share(boxes, self._held) >= self._inspector.settings.known_share
        kept = self._kept.holds(frame, boxes)
        fresh: npt.NDArray[np.bool_] = ~(redacted | kept)
        return fresh

    def _lines(self, words: TextBoxes) -> Boxes:
        """Join words to lines; words inside of other words are dropped first."""
        xyxy = geometry.merge_overlapping(words.xyxy)
        members = geometry.group_lines(xyxy, gap=self._inspector.settings.line_gap)
        return geometry.as_boxes(
            [np.concatenate([xyxy[m, :2].min(axis=0), xyxy[m, 2:].max(axis=0)]) for m in members]
        )

    def _read(self, crops: dict[bytes, Crop]) -> None:
        """Read and classify crops whose pixels were not read before, with every recogniser."""
        fresh = {key: crop for key, crop in crops.items() if key not in self._readings}
        if not fresh:
            return
        lines = list(fresh.values())
        by_reader = [self._readings_of(reader, lines) for reader in self._inspector.recognizers]
        for key, readings in zip(fresh, zip(*by_reader, strict=True), strict=True):
            self._readings[key] = tuple(readings)

    def _readings_of(self, reader: _Reader, lines: Sequence[Crop]) -> list[Reading]:
        transcripts = reader.read(lines)
        scores = self._inspector.deidentifier.score(transcripts.texts)
        return [
            Reading(text, float(sure), float(score))
            for text, sure, score in zip(
                transcripts.texts, transcripts.confidences, scores, strict=True
            )
        ]

    def _line(self, key: bytes, box: npt.NDArray[np.int32]) -> Line:
        x0, y0, x1, y1 = (int(v) for v in box)
        return Line(self._readings[key], (x0, y0, x1, y1))
