"""Inspection of one cine: detect, read and classify what is new, and decide what goes.

What a cine's overlay says lives in this object only, for as long as its cine is worked on; what
leaves it are boxes and counts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.config import Policy
from cinescrub.masks import padded
from cinescrub.policy.decide import Line, decide
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.text.deidentifier import Deidentifier
from cinescrub.text.detector import CraftDetector, union
from cinescrub.text.novelty import SeenFrames
from cinescrub.text.recognizer import Crop, Recognizer, crop_boxes, crop_lines
from cinescrub.types import Boxes, Frame, Reason, TextBoxes

__all__ = ["CineInspection", "InspectSettings", "Inspector", "Look"]


@dataclass(frozen=True, slots=True)
class InspectSettings:
    """How frames are looked at."""

    detail_scale: float = 1.5
    """Enlargement of the second look at detail frames: it finds 10 px words that the first one
    misses, and misses some that the first one finds, so both count."""
    check_scale: float = 1.25
    """Enlargement of the look at the written file: neither of the others, so that it has a chance
    to see what both of them missed."""
    explained_share: float = 0.9
    """A line of the written file that lies in redacted and kept places to this share is nothing
    new: the pixels outside of the redactions are those that were judged in the same frame."""
    line_gap: float = 0.8
    """Words closer than this many heights are one line, which is kept or redacted whole."""
    known_share: float = 0.98
    """A line that lies in redacted rectangles to this share needs no reading: it goes anyway."""


class Look(Enum):
    """How a frame is looked at."""

    PLAIN = auto()
    """Once, as it is."""
    DETAIL = auto()
    """As it is and enlarged."""
    CHECK = auto()
    """A frame of the written file, enlarged otherwise: only what nobody judged yet counts."""


@dataclass(frozen=True, slots=True)
class _Reading:
    text: str = field(repr=False)
    confidence: float
    phi_score: float


class Inspector:
    """The three models, shared by all cines; safe to use from several threads.

    Parameters
    ----------
    detector, recognizer, deidentifier
        The models behind their pre- and post-processing.
    settings : InspectSettings
        How frames are looked at.
    """

    def __init__(
        self,
        detector: CraftDetector,
        recognizer: Recognizer,
        deidentifier: Deidentifier,
        settings: InspectSettings | None = None,
    ) -> None:
        self.detector = detector
        self.recognizer = recognizer
        self.deidentifier = deidentifier
        self.settings = settings or InspectSettings()

    def open(self, matcher: IdentifierMatcher, policy: Policy) -> CineInspection:
        """Begin a cine whose header holds the identifiers in `matcher`."""
        return CineInspection(self, matcher, policy)


class CineInspection:
    """What is known of one cine's text so far. Made by `Inspector.open`."""

    def __init__(self, inspector: Inspector, matcher: IdentifierMatcher, policy: Policy) -> None:
        self._inspector = inspector
        self._matcher = matcher
        self._policy = policy
        self._seen = SeenFrames()
        self._readings: dict[bytes, _Reading] = {}
        self._kept = _KeptPlaces()
        self._kept_in: dict[int, Boxes] = {}
        self._held: Boxes = geometry.as_boxes()
        self.reasons: Counter[Reason] = Counter()
        """Lines decided, by reason, kept ones too; a line counts once for each new look of it."""
        self.frames_inspected = 0
        """Frames that the detector ran on."""

    @property
    def rectangles(self) -> Boxes:
        """What is to be filled: `(n, 4)` int32, padded and inside the frame, a copy."""
        return self._held.copy()

    def see(self, frames: Frame, numbers: Sequence[int], look: Look = Look.PLAIN) -> Boxes:
        """Look at a batch of frames and add what must go to the rectangles.

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
        found = [self._inspector.detector.detect(batch, scale=s) for s in self._scales(look)]
        self.frames_inspected += len(fresh)
        before = len(self._held)
        for place, b in enumerate(fresh):
            words = union([by_scale[place] for by_scale in found])
            self._judge(batch[place], numbers[b], words, look)
        return self._held[before:].copy()

    def _scales(self, look: Look) -> tuple[float, ...]:
        settings = self._inspector.settings
        return {
            Look.PLAIN: (1.0,),
            Look.DETAIL: (1.0, settings.detail_scale),
            Look.CHECK: (settings.check_scale,),
        }[look]

    def _judge(self, frame: Frame, number: int, words: TextBoxes, look: Look) -> None:
        """Decide the lines of one frame."""
        boxes = self._lines(words)
        if look is Look.CHECK:
            boxes = boxes[~self._is_explained(boxes, number)]
        crops = crop_lines(frame, boxes)
        keys = [_key(crop) for crop in crops]
        fresh = self._is_fresh(frame, boxes)
        self._read({keys[i]: crops[i] for i in np.flatnonzero(fresh)})
        # What is known already is not read, but what was read before is a neighbour that counts.
        told = [i for i, key in enumerate(keys) if key in self._readings]
        decisions = decide(
            [self._line(keys[i], boxes[i]) for i in told],
            matcher=self._matcher,
            frame_size=(frame.shape[0], frame.shape[1]),
            policy=self._policy,
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
        grown = padded(boxes[gone], rows=frame.shape[0], columns=frame.shape[1])
        self._held = np.concatenate([self._held, grown])
        if look is Look.DETAIL:
            left = np.setdiff1d(np.arange(len(boxes)), gone)
            self._kept_in[number] = padded(boxes[left], rows=frame.shape[0], columns=frame.shape[1])

    def _is_explained(self, boxes: Boxes, number: int) -> npt.NDArray[np.bool_]:
        """Return which lines of a written frame consist of what was judged in its source."""
        judged = np.concatenate([self._held, self._kept_in.get(number, geometry.as_boxes())])
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
        """Read and classify crops whose pixels were not read before."""
        fresh = {key: crop for key, crop in crops.items() if key not in self._readings}
        if not fresh:
            return
        transcripts = self._inspector.recognizer.read(list(fresh.values()))
        scores = self._inspector.deidentifier.score(transcripts.texts)
        for key, text, sure, score in zip(
            fresh, transcripts.texts, transcripts.confidences, scores, strict=True
        ):
            self._readings[key] = _Reading(text, float(sure), float(score))

    def _line(self, key: bytes, box: npt.NDArray[np.int32]) -> Line:
        reading = self._readings[key]
        x0, y0, x1, y1 = (int(v) for v in box)
        return Line(reading.text, reading.confidence, (x0, y0, x1, y1), reading.phi_score)


class _KeptPlaces:
    """Places whose pixels were read as clinical, whole line by whole line.

    Detections of one line differ by a pixel or two from frame to frame and from look to look.
    Where the pixels that were read have not changed, what was read there has not either, and a
    second reading of a slightly other cut could only be worse.
    """

    _SLACK = 0.25
    """How far a line may stick out of what was read, in heights of the line: less than a letter
    takes."""

    def __init__(self) -> None:
        self._boxes: Boxes = geometry.as_boxes()
        self._digests: list[bytes] = []

    def remember(self, frame: Frame, box: npt.NDArray[np.int32]) -> None:
        """Remember that this line of this frame was kept."""
        place = crop_boxes(geometry.as_boxes([box]), frame.shape[0], frame.shape[1])
        self._boxes = np.concatenate([self._boxes, place])
        self._digests.append(_digest(frame, place[0]))

    def holds(self, frame: Frame, lines: Boxes) -> npt.NDArray[np.bool_]:
        """Return which lines lie in a kept place whose pixels are what they were."""
        unchanged = [
            _digest(frame, box) == digest
            for box, digest in zip(self._boxes, self._digests, strict=True)
        ]
        places = self._boxes[np.array(unchanged, dtype=np.bool_)]
        slack = np.rint((lines[:, 3] - lines[:, 1]) * self._SLACK).astype(np.int32)[:, None, None]
        inside = (lines[:, None, :2] >= places[None, :, :2] - slack).all(axis=2) & (
            lines[:, None, 2:] <= places[None, :, 2:] + slack
        ).all(axis=2)
        held: npt.NDArray[np.bool_] = inside.any(axis=1)
        return held


def _digest(frame: Frame, box: npt.NDArray[np.int32]) -> bytes:
    x0, y0, x1, y1 = box
    return hashlib.blake2b(frame[y0:y1, x0:x1].tobytes(), digest_size=16).digest()


def _key(crop: Crop) -> bytes:
    shape = f"{crop.shape[0]}x{crop.shape[1]}:".encode()
    return hashlib.blake2b(shape + crop.tobytes(), digest_size=16).digest()
