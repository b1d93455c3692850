"""What the networks made of pixels, kept for the next time that these very pixels are looked at.

A network's answer follows from its input, so a remembered answer is the answer: nothing here
decides. Pixels are known by a keyed hash of all of them, networks by their weights, settings and
provider. What is remembered is bounded, lives in memory and never shows text; only boxes, which say
nothing of a patient, can also go to a shelf on disk.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from cinescrub.text.deidentifier import Scorer
from cinescrub.text.looks import Detector
from cinescrub.text.recognizer import Crop, Reader
from cinescrub.types import Frame, TextBoxes, Transcripts

__all__ = ["LookMemory", "Shelf", "Tally"]

_LOOKS: Final = 4096
"""Looks that are remembered: about 1 kB each."""
_LINES: Final = 1 << 15
"""Lines that are, some 200 bytes each with their readings and scores."""
_DIGEST: Final = 16
"""Bytes of a keyed hash: 10^9 different looks collide with a chance under 10^-20."""

T = TypeVar("T")


class Shelf(Protocol):
    """Where boxes are kept beyond a run."""

    def get(self, key: bytes) -> bytes | None:
        """Return what was put there, if it is still."""

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value."""


@dataclass(slots=True)
class Tally:
    """How often an answer was remembered."""

    asked: int = 0
    remembered: int = 0


class LookMemory:
    """Remembers what detectors, recognisers and the classifier said; safe for several threads.

    Parameters
    ----------
    looks, lines : int
        How many are remembered; those that were not asked for longest go first.
    """

    def __init__(self, *, looks: int = _LOOKS, lines: int = _LINES) -> None:
        self._key = os.urandom(32)
        self._looks, self._lines = looks, lines
        self.shelf: Shelf | None = None
        """Where boxes are kept beyond the run."""
        self.tallies = {"boxes": Tally(), "readings": Tally(), "scores": Tally()}
        """By what was asked for."""

    def keep_boxes(self, shelf: Shelf, key: bytes) -> None:
        """Keep boxes on a shelf too. To be called before the first look.

        Parameters
        ----------
        shelf : Shelf
            Gets keyed hashes and boxes: no pixels, no text.
        key : bytes
            Secret of the hashes, up to 64 bytes: without it nobody can tell whether a picture that
            he has was looked at.
        """
        self.shelf, self._key = shelf, key

    def detector(self, detector: Detector, name: str) -> Detector:
        """Return a detector that remembers.

        Parameters
        ----------
        detector : Detector
            Asked about what is new.
        name : str
            All that its boxes depend on besides the pixels: weights, settings, provider, versions.
        """
        return _Detector(detector, name.encode(), self, self._looks)

    def reader(self, reader: Reader) -> Reader:
        """Return a recogniser that remembers."""
        return _Reader(reader, self, self._lines)

    def scorer(self, scorer: Scorer) -> Scorer:
        """Return a classifier that remembers."""
        return _Scorer(scorer, _Answers(self.tallies["scores"], self._lines), self)

    def key(self, *parts: bytes | memoryview) -> bytes:
        """Return the keyed hash of a question, each of whose parts has a length of its own."""
        digest = hashlib.blake2b(key=self._key, digest_size=_DIGEST)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


_Reading: TypeAlias = tuple[str, float, npt.NDArray[np.float32] | None]
"""A line of `Transcripts`."""


class _Answers(Generic[T]):
    """Answers of one network, by key; the least recently used go first."""

    def __init__(self, tally: Tally, at_most: int) -> None:
        self._tally = tally
        self._at_most = at_most
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, T] = OrderedDict()

    def of(self, keys: Sequence[bytes], ask: Callable[[list[int]], Sequence[T]]) -> list[T]:
        """Return the answers to questions; `ask` gets the numbers of those that are new."""
        known: dict[bytes, T] = {}
        new: dict[bytes, int] = {}
        for i, key in enumerate(keys):
            answer = self.recall(key)
            if answer is not None:
                known[key] = answer
            else:
                new.setdefault(key, i)
        with self._lock:
            self._tally.asked += len(keys)
            self._tally.remembered += len(keys) - len(new)
        if new:
            for key, answer in zip(new, ask(list(new.values())), strict=True):
                known[key] = answer
                self.keep(key, answer)
        return [known[key] for key in keys]

    def recall(self, key: bytes) -> T | None:
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key]

    def keep(self, key: bytes, answer: T) -> None:
        with self._lock:
            self._held[key] = answer
            self._held.move_to_end(key)
            if len(self._held) > self._at_most:
                self._held.popitem(last=False)


class _Boxes(_Answers[TextBoxes]):
    """Answers of a detector, which also go to the shelf."""

    def __init__(self, memory: LookMemory, at_most: int) -> None:
        super().__init__(memory.tallies["boxes"], at_most)
        self._memory = memory

    def recall(self, key: bytes) -> TextBoxes | None:
        answer = super().recall(key)
        if answer is None and self._memory.shelf is not None:
            kept = self._memory.shelf.get(key)
            if kept is not None:
                answer = _unpacked(kept)
                super().keep(key, answer)
        return answer

    def keep(self, key: bytes, answer: TextBoxes) -> None:
        super().keep(key, answer)
        if self._memory.shelf is not None:
            self._memory.shelf.put(key, _packed(answer))


def _packed(boxes: TextBoxes) -> bytes:
    return boxes.xyxy.astype("<i4").tobytes() + boxes.scores.astype("<f4").tobytes()


def _unpacked(kept: bytes) -> TextBoxes:
    count = len(kept) // 20
    xyxy = np.frombuffer(kept, "<i4", count * 4).reshape(count, 4)
    return TextBoxes(xyxy.astype(np.int32), np.frombuffer(kept, "<f4", count, count * 16).copy())


class _Detector:
    def __init__(self, detector: Detector, name: bytes, memory: LookMemory, at_most: int) -> None:
        self._detector = detector
        self._name = name
        self._memory = memory
        self._answers = _Boxes(memory, at_most)

    def detect(self, frames: Frame, *, scale: float = 1.0) -> list[TextBoxes]:
        form = f"{scale!r} {frames.shape[1:]}".encode()
        keys = [self._memory.key(self._name, form, frame.data.cast("B")) for frame in frames]

        def ask(new: list[int]) -> list[TextBoxes]:
            asked = frames if len(new) == len(frames) else np.ascontiguousarray(frames[new])
            return self._detector.detect(asked, scale=scale)

        return self._answers.of(keys, ask)


class _Reader:
    def __init__(self, reader: Reader, memory: LookMemory, at_most: int) -> None:
        self._reader = reader
        self._memory = memory
        tally = memory.tallies["readings"]
        self._read = _Answers[_Reading](tally, at_most)
        self._supported = _Answers[float](tally, at_most)

    def read(self, crops: Sequence[Crop]) -> Transcripts:
        keys = [self._memory.key(repr(crop.shape).encode(), crop.tobytes()) for crop in crops]

        def ask(new: list[int]) -> list[_Reading]:
            read = self._reader.read([crops[i] for i in new])
            glyphs = read.glyphs or [None] * len(new)
            return list(zip(read.texts, map(float, read.confidences), glyphs, strict=True))

        read = self._read.of(keys, ask)
        sure = np.array([confidence for _, confidence, _ in read], np.float32)
        told = tuple(glyphs for _, _, glyphs in read if glyphs is not None)
        return Transcripts(tuple(text for text, _, _ in read), sure, told)

    def support(self, crops: Sequence[Crop], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        keys = [
            self._memory.key(repr(crop.shape).encode(), crop.tobytes(), _bytes(text))
            for crop, text in zip(crops, texts, strict=True)
        ]

        def ask(new: list[int]) -> list[float]:
            sure = self._reader.support([crops[i] for i in new], [texts[i] for i in new])
            return [float(s) for s in sure]

        return np.array(self._supported.of(keys, ask), np.float32)


class _Scorer:
    def __init__(self, scorer: Scorer, answers: _Answers[float], memory: LookMemory) -> None:
        self._scorer = scorer
        self._answers = answers
        self._memory = memory

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        keys = [self._memory.key(_bytes(text)) for text in texts]
        scores = self._answers.of(
            keys, lambda new: [float(s) for s in self._scorer.score([texts[i] for i in new])]
        )
        return np.array(scores, np.float32)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
