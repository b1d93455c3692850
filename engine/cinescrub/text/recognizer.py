"""Text recognition with a CTC recogniser (EasyOCR's english_g2): boxes in, transcripts out.

What a crop reads depends on the crop alone, never on its neighbours in a batch: crops are padded
to their own width class and batched with crops of the same class only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import ctc
from cinescrub.runtime.session import Model
from cinescrub.types import Boxes, Frame, Transcripts

__all__ = ["Crop", "Recognizer", "RecognizerSettings", "crop_boxes", "crop_lines"]

HEIGHT = 64
"""Input height of english_g2."""
_WIDTH_CLASS = 64
"""Widths are padded to multiples of this."""

Crop = npt.NDArray[np.uint8]
"""(h, w) uint8 luma of one line, owned."""


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """How crops are read."""

    batch: int = 16
    """Crops a run."""
    retry_below: float = 0.3
    """Readings with less confidence are tried again with stretched contrast; the better counts."""
    widest: int = 1536
    """Input width cap: a longer line is squeezed, which costs reading quality, not safety."""


def crop_boxes(xyxy: Boxes, rows: int, columns: int) -> Boxes:
    """Return what is cut out for each line: its box and a tenth of its height around it."""
    margin = np.maximum(1, np.rint((xyxy[:, 3] - xyxy[:, 1]) * 0.1)).astype(np.int32)
    grown = xyxy + np.stack([-margin, -margin, margin, margin], axis=1)
    grown[:, 0::2] = grown[:, 0::2].clip(0, columns)
    grown[:, 1::2] = grown[:, 1::2].clip(0, rows)
    cut: Boxes = grown
    return cut


def crop_lines(frame: Frame, xyxy: Boxes) -> list[Crop]:
    """Cut lines out of a frame as luma, each with the margin of `crop_boxes`.

    Parameters
    ----------
    frame : (H, W, C) uint8 array
        Borrowed; R, G, B or gray.
    xyxy : (n, 4) int32 array
        Lines inside the frame.
    """
    rows, columns, channels = frame.shape
    crops = []
    for x0, y0, x1, y1 in crop_boxes(xyxy, rows, columns):
        part = frame[y0:y1, x0:x1]
        gray = part[..., 0] if channels == 1 else cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
        crops.append(np.ascontiguousarray(gray, dtype=np.uint8))
    return crops


class Recognizer:
    """Read crops.

    Parameters
    ----------
    model : Model
        A session of the `recognizer` slot.
    settings : RecognizerSettings
        How crops are read.
    """

    def __init__(self, model: Model, settings: RecognizerSettings | None = None) -> None:
        self._model = model
        self._settings = settings or RecognizerSettings()

    def read(self, crops: Sequence[Crop]) -> Transcripts:
        """Read crops, in their order."""
        first = self._read_once(crops)
        doubtful = [i for i, c in enumerate(first.confidences) if c < self._settings.retry_below]
        if not doubtful:
            return first
        again = self._read_once([_stretch(crops[i]) for i in doubtful])
        texts, confidences = list(first.texts), first.confidences.copy()
        for i, text, confidence in zip(doubtful, again.texts, again.confidences, strict=True):
            if confidence > confidences[i]:
                texts[i], confidences[i] = text, confidence
        return Transcripts(tuple(texts), confidences)

    def _read_once(self, crops: Sequence[Crop]) -> Transcripts:
        texts = [""] * len(crops)
        confidences = np.zeros(len(crops), np.float32)
        by_width: dict[int, list[int]] = {}
        for i, crop in enumerate(crops):
            by_width.setdefault(_width_class(crop, self._settings.widest), []).append(i)
        name = self._model.contract.inputs[0].name
        for width, members in sorted(by_width.items()):
            for start in range(0, len(members), self._settings.batch):
                batch = members[start : start + self._settings.batch]
                lines = np.stack([_prepare(crops[i], width) for i in batch])
                logits = self._model.run({name: lines})
                read, sure = ctc.decode_greedy(logits, self._model.contract.charset)
                for i, text, confidence in zip(batch, read, sure, strict=True):
                    texts[i], confidences[i] = text, confidence
        return Transcripts(tuple(texts), confidences)


def _scaled_width(crop: Crop) -> int:
    return max(1, math.ceil(int(crop.shape[1]) * HEIGHT / int(crop.shape[0])))


def _width_class(crop: Crop, widest: int) -> int:
    return min(math.ceil(_scaled_width(crop) / _WIDTH_CLASS) * _WIDTH_CLASS, widest)


def _prepare(crop: Crop, width: int) -> npt.NDArray[np.uint8]:
    """Scale to the model's height and pad to `width` by repeating the last column."""
    scaled = min(_scaled_width(crop), width)
    resized = cv2.resize(crop, (scaled, HEIGHT), interpolation=cv2.INTER_CUBIC)
    padded = np.empty((HEIGHT, width, 1), np.uint8)
    padded[:, :scaled, 0] = resized
    padded[:, scaled:, 0] = resized[:, -1:]
    return padded


def _stretch(crop: Crop) -> Crop:
    """Return the crop with its 10th to 90th percentile spread over most of the range."""
    low, high = np.percentile(crop, (10, 90))
    scale = 200.0 / max(high - low, 10.0)
    stretched = (crop.astype(np.float32) - low + 25.0 / scale) * scale
    bounded: Crop = np.clip(stretched, 0, 255).astype(np.uint8)
    return bounded
