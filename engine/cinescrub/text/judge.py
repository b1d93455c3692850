"""What lines say, and what the policy makes of it: the readings of one cine, and their judge.

Owns the readings, by the pixels that were read, for as long as the cine is worked on. It sees crops
and boxes, never frames; where lines are, and what becomes of them, is for `inspect`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt

from cinescrub.config import Policy
from cinescrub.policy import counters, ocr, patterns
from cinescrub.policy.decide import Line, Reading, decide, is_field, is_plainly_clinical
from cinescrub.policy.identifiers import IdentifierMatcher
from cinescrub.policy.readings import has_other_signs
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.vocabulary import Vocabulary
from cinescrub.policy.voting import compare, vote
from cinescrub.text.deidentifier import Scorer
from cinescrub.text.legible import glyphs_of, is_read
from cinescrub.text.recognizer import Crop, Reader, RecognizerSettings, is_high, lying
from cinescrub.text.unread import Letters, has_unread
from cinescrub.types import Boxes, Reason

__all__ = ["Judge"]

_TURNED: Final = RecognizerSettings()
"""When a reading tells that a high crop holds a line on its end."""
_DEFAULTS: Final = DecisionSettings()
_SEPARATORS: Final = frozenset(" .,:;/|-–—_=~'\"()[]°²³±")
"""What is read with any probability where something else is faint; `&` and `@` are not among them,
as letters of other scripts are."""
_SURE: Final = _DEFAULTS.sure
"""Less confident, a reading is unsure."""


class Judge:
    """Reads lines and decides on them. What it knows of texts shows in no representation.

    Parameters
    ----------
    readers : sequence of Reader
        Each reads every line.
    scorer : Scorer
        Has a vote on each reading.
    matcher : IdentifierMatcher
        The identifiers of the cine's header.
    policy : Policy
        What happens to its text.
    vocabulary : Vocabulary, optional
        Clinical terms; default: the package's own.
    sector : (H, W) bool array, optional
        The insonified part of the picture; None: it isn't known.
    rate : float, optional
        Frames a second; without it no line is known to count the cine's time.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        scorer: Scorer,
        *,
        matcher: IdentifierMatcher,
        policy: Policy,
        vocabulary: Vocabulary | None = None,
        sector: npt.NDArray[np.bool_] | None = None,
        rate: float | None = None,
    ) -> None:
        self._readers = readers
        self._scorer = scorer
        self._matcher = matcher
        self._policy = policy
        self._vocabulary = vocabulary
        self._sector = sector
        self._rate = rate
        self._readings: dict[bytes, tuple[Reading, ...]] = {}

    def __contains__(self, key: bytes) -> bool:
        """Tell whether the crop of this key was read."""
        return key in self._readings

    def readings(self, key: bytes) -> tuple[Reading, ...]:
        """Return what was read in a crop, one reading of each recogniser; none if it was not."""
        return self._readings.get(key, ())

    def read(
        self, crops: Mapping[bytes, Crop], letters: Mapping[bytes, Letters | None] | None = None
    ) -> None:
        """Read and classify crops, by key, whose pixels were not read before.

        Parameters
        ----------
        crops : mapping of bytes to Crop
            Lines.
        letters : mapping of bytes to Letters, optional
            Where letters stand in them, as far as that is known.
        """
        fresh = {key: crop for key, crop in crops.items() if key not in self._readings}
        if not fresh:
            return
        lines = list(fresh.values())
        inked = [(letters or {}).get(key) for key in fresh]
        by_reader = [self._readings_of(reader, lines, inked) for reader in self._readers]
        self._read_lying(lines, by_reader)
        self._read_disputed(lines, by_reader)
        for key, readings in zip(fresh, zip(*by_reader, strict=True), strict=True):
            self._readings[key] = compare(readings, _DEFAULTS)

    def decide(
        self, keys: Sequence[bytes], boxes: Boxes, frame_size: tuple[int, int]
    ) -> tuple[Reason, ...]:
        """Decide on the lines of one frame, each as it was read there.

        Parameters
        ----------
        keys : sequence of n bytes
            Of crops that were read.
        boxes : (n, 4) int32 array
            Where they stand.
        frame_size : (rows, columns)
            In pixels.
        """
        lines = [self._line(key, box) for key, box in zip(keys, boxes, strict=True)]
        return self._decide(lines, frame_size)

    def decide_fused(
        self,
        fused: Sequence[tuple[tuple[Reading, ...], bool]],
        boxes: Boxes,
        frame_size: tuple[int, int],
    ) -> tuple[Reason, ...]:
        """Decide on the lines of one frame by what all looks made of them.

        Parameters
        ----------
        fused : sequence of n
            As `fused` gives them.
        boxes, frame_size
            As in `decide`.
        """
        lines = [
            Line(readings, _as_box(box), counter=counter, beside=self.is_beside_sector(box))
            for (readings, counter), box in zip(fused, boxes, strict=True)
        ]
        return self._decide(lines, frame_size)

    def fused(self, looks: Sequence[tuple[int, bytes]]) -> tuple[tuple[Reading, ...], bool]:
        """Return what all looks at a place make of it, and whether it counts the cine's frames.

        Parameters
        ----------
        looks : sequence of (int, bytes)
            Frame and key of each look; a negative frame is an average of the cine's.
        """
        of_frames = [(frame, key) for frame, key in looks if frame >= 0]
        averaged = [r for frame, key in looks if frame < 0 for r in self._readings[key]]
        likeliest = [
            (frame, max(self._readings[key], key=lambda r: r.confidence).text)
            for frame, key in of_frames
        ]
        counter = all(counters.has_form(text) for _, text in likeliest) and counters.counts(
            likeliest, rate=self._rate
        )
        readings = [reading for _, key in of_frames for reading in self._readings[key]]
        if counter:  # an average blends what it counts
            averaged = []
        return vote(readings, averaged), counter

    def may_count(self, key: bytes) -> bool:
        """Tell whether a line may turn out to be a counter of the cine's frames or time."""
        return any(counters.has_form(reading.text) for reading in self._readings[key])

    def is_legible(self, key: bytes) -> bool:
        """Tell whether a line was read as two glyphs and more."""
        return any(map(is_read, self.readings(key)))

    def may_hold_field(self, key: bytes) -> bool:
        """Return whether a line was read with a digit, or with the machine's name in it."""
        texts = [reading.text for reading in self._readings[key]]
        known = self._vocabulary
        return any(map(str.isdigit, "".join(texts))) or (
            known is not None and any(known.names_device(text) for text in texts)
        )

    def identifies(self, keys: Sequence[bytes]) -> bool:
        """Tell whether pieces of a line, in their order, say what identifies, to any recogniser."""
        texts = [
            " ".join(reading.text for reading in said)
            for said in zip(*(self._readings[key] for key in keys), strict=True)
        ]
        return any(self._matcher.matches(t) or patterns.find(t) is not None for t in texts)

    def is_field(self, key: bytes, box: npt.NDArray[np.int32]) -> bool:
        """Tell whether a line is measurements or a machine's name, whatever stands beside it."""
        line = self._line(key, box)
        return is_field(line, matcher=self._matcher, vocabulary=self._vocabulary)

    def is_beside_sector(self, box: npt.NDArray[np.int32]) -> bool:
        """Tell whether a line lies more than its height away from the sector, if there is one."""
        if self._sector is None:
            return True
        reach = int(min(box[2] - box[0], box[3] - box[1]))
        x0, y0 = np.maximum(box[:2] - reach, 0)
        return not self._sector[y0 : box[3] + reach, x0 : box[2] + reach].any()

    def _line(self, key: bytes, box: npt.NDArray[np.int32]) -> Line:
        return Line(self._readings[key], _as_box(box), beside=self.is_beside_sector(box))

    def _decide(self, lines: Sequence[Line], frame_size: tuple[int, int]) -> tuple[Reason, ...]:
        return decide(
            lines,
            matcher=self._matcher,
            frame_size=frame_size,
            policy=self._policy,
            vocabulary=self._vocabulary,
        ).reasons

    def _read_lying(self, lines: Sequence[Crop], by_reader: Sequence[list[Reading]]) -> None:
        """Replace in place what is one glyph to one reader and a line on its end to another.

        A line that stands on its end looks like one glyph: `1`, read surely. Whoever read it so
        reads it turned, however unsure.
        """
        for reader, readings in zip(self._readers, by_reader, strict=True):
            others = [other for other in by_reader if other is not readings]
            upright = [
                i
                for i, crop in enumerate(lines)
                if is_high(crop)
                and glyphs_of(readings[i]) == 1
                and any(_TURNED.is_line(other[i].text, other[i].confidence) for other in others)
            ]
            if not upright:
                continue
            turned = self._readings_of(reader, [way for i in upright for way in lying(lines[i])])
            for i, ways in zip(upright, zip(turned[::2], turned[1::2], strict=True), strict=True):
                readings[i] = max(ways, key=lambda way: way.confidence)

    def _read_disputed(self, lines: Sequence[Crop], by_reader: Sequence[list[Reading]]) -> None:
        """Replace in place what one reader misread, if it sees what the other one read.

        Where one reads a clinical line, of more than a few letters, and another something else,
        that one is asked whether the line may be what the first says. If so, this counts in the
        place of its own reading, unless that is an identifier, or has the form of one by a sign
        that is left open: a colon between digits, a caret between words. So it does where both read
        the same glyphs, few as they are, and one is unsure of them.
        """
        meant: list[list[tuple[int, Reading]]] = [[] for _ in by_reader]
        for i, each in enumerate(zip(*by_reader, strict=True)):
            plain = [self._is_plain(reading, lines[i]) for reading in each]
            for j, own in enumerate(each):
                if not plain[j] and not self._matcher.matches(own.text):
                    meant[j] += [
                        (i, other)
                        for other, clear in zip(each, plain, strict=True)
                        if (clear and not _is_evidence(own, other))
                        or self._is_unsure_of(own, other, lines[i])
                    ]
        for reader, readings, asked in zip(self._readers, by_reader, meant, strict=True):
            if not asked:
                continue
            seen = reader.support([lines[i] for i, _ in asked], [said.text for _, said in asked])
            for (i, said), sure in zip(asked, seen, strict=True):
                if sure:
                    least = readings[i].confidence if _are_same(said, readings[i]) else 0.0
                    readings[i] = replace(said, confidence=max(float(sure), least))

    def _is_unsure_of(self, own: Reading, other: Reading, crop: Crop) -> bool:
        """Tell whether a reading is an unsure one of the clinical glyphs that another has too."""
        if own is other or own.confidence >= _SURE or not _are_same(own, other):
            return False
        return self._is_plain(other, crop, slight=True)

    def _is_plain(self, reading: Reading, crop: Crop, *, slight: bool = False) -> bool:
        line = Line((reading,), (0, 0, crop.shape[1], crop.shape[0]))
        return is_plainly_clinical(
            line, matcher=self._matcher, vocabulary=self._vocabulary, slight=slight
        )

    def _readings_of(
        self, reader: Reader, lines: Sequence[Crop], letters: Sequence[Letters | None] = ()
    ) -> list[Reading]:
        transcripts = reader.read(lines)
        scores = self._scorer.score(transcripts.texts)
        read = [
            Reading(text, float(sure), float(score))
            for text, sure, score in zip(
                transcripts.texts, transcripts.confidences, scores, strict=True
            )
        ]
        if not transcripts.glyphs:
            return read
        return [
            replace(
                reading,
                weakest=_weakest(glyphs, reading.text),
                unread=has_unread(inked, glyphs, reading.text),
            )
            for reading, glyphs, inked in zip_longest(read, transcripts.glyphs, letters)
        ]


def _weakest(glyphs: npt.NDArray[np.float32], text: str) -> float:
    """Return the least probability of a character, 1 for none; blanks and separators are none."""
    shown = np.array([character not in _SEPARATORS for character in text], np.bool_)
    return float(glyphs[shown, 2].min(initial=1.0))


def _as_box(box: npt.NDArray[np.int32]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (int(v) for v in box)
    return x0, y0, x1, y1


def _is_evidence(own: Reading, other: Reading) -> bool:
    """Tell whether a reading identifies by a sign that another one lacks."""
    signed = own.confidence >= _SURE and has_other_signs(own.text, other.text)
    return signed and patterns.find(own.text) is not None


def _are_same(a: Reading, b: Reading) -> bool:
    return ocr.glyphs(a.text) == ocr.glyphs(b.text)
