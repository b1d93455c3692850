"""Text recognition with a CTC recogniser (EasyOCR's english_g2, PP-OCR): boxes in, transcripts out.

What a crop reads depends on the crop alone, never on its neighbours in a batch: crops are padded
to their own width class and batched with crops of the same class only. What the model wants (its
height, how it is padded) stands in its contract.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import ctc
from cinescrub.bundle import Contract
from cinescrub.policy import ocr
from cinescrub.runtime.session import Model
from cinescrub.text.tilted import along_diagonal, may_hold_tilted, spanned
from cinescrub.types import Boxes, Frame, Transcripts

__all__ = [
    "Crop",
    "Reader",
    "Recognizer",
    "RecognizerSettings",
    "crop_boxes",
    "crop_lines",
    "is_high",
    "lying",
]

Crop = npt.NDArray[np.uint8]
"""(h, w) uint8 of one line, owned: its luma, or a colour channel (`crop_lines`)."""


_HIGH: Final = 1.5


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """How crops are read."""

    batch: int = 16
    """Crops a run, at most."""
    batch_columns: int = 4096
    """Input columns a run, all crops together: a column costs PP-OCR 9 kB of scores, as it has
    18,710 classes for every eighth."""
    retry_below: float = 0.3
    """Readings with less confidence are tried again with stretched contrast; the better counts."""
    widest: float = 24.0
    """Longest line in units of its height: a longer one is squeezed, which costs reading quality,
    not safety."""
    turned_above: float = _HIGH
    """A crop taller than this many widths is also read turned, by 90 and by 270 degrees, as text
    along the side of a frame is; the best reading counts, but a turned one of `line_glyphs`
    and more before what is read upright."""
    tilted_from: int = 32
    """A crop whose sides are so many pixels at least, and that says no line, is also read along
    its diagonals: in the box around a line that is tilted the line runs so."""
    tilted_span: float = 0.4
    """Share of the diagonal that its glyphs take: the middle of a roomy box may hold a label."""
    line_glyphs: int = 3
    """Echoes that are high are read as two."""

    def is_line(self, turned: str, confidence: float) -> bool:
        """Return whether a turned reading of a high crop counts whatever was read upright.

        A high crop holds one glyph upright, or two narrow ones, and a line that stands on its end
        looks like one: `1`, read surely.
        """
        glyphs = sum(map(str.isalnum, turned))
        return glyphs >= self.line_glyphs and confidence >= self.retry_below


def crop_boxes(xyxy: Boxes, rows: int, columns: int) -> Boxes:
    """Return what is cut out for each line: its box and a tenth of its height around it."""
    margin = np.maximum(1, np.rint((xyxy[:, 3] - xyxy[:, 1]) * 0.1)).astype(np.int32)
    grown = xyxy + np.stack([-margin, -margin, margin, margin], axis=1)
    grown[:, 0::2] = grown[:, 0::2].clip(0, columns)
    grown[:, 1::2] = grown[:, 1::2].clip(0, rows)
    cut: Boxes = grown
    return cut


def crop_lines(frame: Frame, xyxy: Boxes) -> list[Crop]:
    """Cut lines out of a frame in gray, each with the margin of `crop_boxes`.

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
        crops.append(np.ascontiguousarray(_legible(part) if channels > 1 else part[..., 0]))
    return crops


def _legible(part: Frame) -> npt.NDArray[np.uint8]:
    """Return the luma of a line, or the colour channel that shows what luma hides.

    Red on gray may be plain to see and have one luma. So where luma is that of the ground, the
    channels are compared: they differ there only if something is written in colour alone.
    """
    luma = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.uint8)
    ground = np.abs(luma - np.median(luma)) <= _SAME_LUMA
    if not ground.any():  # half of it dark, half bright: luma shows all
        return luma
    best = max(range(3), key=lambda channel: part[..., channel][ground].std())
    if part[..., best][ground].std() < _COLOURED:
        return luma
    return part[..., best]


_SAME_LUMA = 12.0
"""Levels of luma within which a pixel counts as ground."""
_SHARPENED_PX = 1.5
"""Standard deviation of the blur that sharpening takes off."""
_COLOURED = 12.0
"""Deviation, in levels, of a channel on the ground from which colour alone writes there. The tinted
edges of letters leave a third of that."""


class Reader(Protocol):
    """A recogniser."""

    def read(self, crops: Sequence[Crop]) -> Transcripts:
        """Read crops, in their order."""

    def support(self, crops: Sequence[Crop], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how surely each crop reads as a text given for it, 0 where it doesn't."""


class Recognizer:
    """Read crops.

    Parameters
    ----------
    model : Model
        A session of the `recognizer` or the `ppocr-recognizer` slot.
    settings : RecognizerSettings
        How crops are read.
    """

    def __init__(self, model: Model, settings: RecognizerSettings | None = None) -> None:
        self._model = model
        self._settings = settings or RecognizerSettings()
        self._form = _Form.of(model.contract)

    def read(self, crops: Sequence[Crop]) -> Transcripts:
        """Read crops, in their order."""
        read = self._read_ways(crops)
        high = [i for i, crop in enumerate(crops) if is_high(crop, self._settings.turned_above)]
        read = self._read_turned(
            read,
            crops,
            high,
            lying,
            self._read_ways,
            lambda text, sure, _, i: (
                sure > read.confidences[i] or self._settings.is_line(text, sure)
            ),
        )
        tilted = [
            i
            for i, crop in enumerate(crops)
            if self._may_be_tilted(crop, read.texts[i], read.confidences[i])
        ]
        return self._read_turned(
            read,
            crops,
            tilted,
            along_diagonal,
            self._read_once,
            lambda text, sure, glyphs, _: (
                self._settings.is_line(text, sure) and spanned(glyphs) >= self._settings.tilted_span
            ),
        )

    def support(self, crops: Sequence[Crop], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how surely each crop reads as a text that is given for it.

        Looked at are the crop, the crop inverted and the crop sharpened, high ones lying either
        way; the best counts. Case, what is no letter or digit, and glyphs that are mistaken for
        each other are left open.

        Parameters
        ----------
        crops : sequence of n Crop
            Upright lines, or turned by 90 degrees.
        texts : sequence of n str

        Returns
        -------
        (n,) float32 array
            As `ctc.support` gives them: 0 where nothing reads so.
        """
        best = np.zeros(len(crops), np.float32)
        nothing, classes = self._classes
        meant = [_shapes(text) for text in texts]
        spelled = [i for i, glyphs in enumerate(meant) if all(map(classes.__contains__, glyphs))]
        above = self._settings.turned_above
        looks = [
            (i, look)
            for i in spelled
            for way in (lying(crops[i]) if is_high(crops[i], above) else (crops[i],))
            for look in (way, *_views(way))
        ]
        for members, scores in self._scored([look for _, look in looks]):
            for k, of_line in zip(members, scores, strict=True):
                i = looks[k][0]
                sure = ctc.support(
                    of_line,
                    nothing,
                    [classes[glyph] for glyph in meant[i]],
                    probabilities=self._form.gives_probabilities,
                )
                best[i] = max(best[i], sure)
        return best

    @cached_property
    def _classes(self) -> tuple[npt.NDArray[np.intp], dict[str, npt.NDArray[np.intp]]]:
        """Return the classes that are no letter or digit, and of each of these its own."""
        by_glyph: dict[str, list[int]] = {"": [0]}
        for number, character in enumerate(self._model.contract.charset, 1):
            by_glyph.setdefault(_shapes(character), []).append(number)
        arrays = {glyph: np.array(classes, np.intp) for glyph, classes in by_glyph.items()}
        return arrays.pop(""), arrays

    @cached_property
    def _kin(self) -> tuple[npt.NDArray[np.intp], ...]:
        """Return of each class those that are mistaken for it; signs are their own."""
        kin = [
            np.array([number], np.intp) for number in range(len(self._model.contract.charset) + 1)
        ]
        for alike in self._classes[1].values():
            for number in alike:
                kin[number] = alike
        return tuple(kin)

    def _read_turned(
        self,
        read: Transcripts,
        crops: Sequence[Crop],
        members: Sequence[int],
        turned: Callable[[Crop], tuple[Crop, ...]],
        look: Callable[[Sequence[Crop]], Transcripts],
        counts: Callable[[str, float, npt.NDArray[np.float32], int], bool],
    ) -> Transcripts:
        """Return transcripts in which the best reading of turned crops replaces the one read."""
        ways = [(i, way) for i in members for way in turned(crops[i])]
        owners = [*dict.fromkeys(i for i, _ in ways)]
        if not owners:
            return read
        found = look([way for _, way in ways])
        best = _best_of(found, [owners.index(i) for i, _ in ways], len(owners))
        texts, confidences, glyphs = [*read.texts], read.confidences.copy(), [*read.glyphs]
        for i, text, sure, of_text in zip(
            owners, best.texts, best.confidences, best.glyphs, strict=True
        ):
            if counts(text, float(sure), of_text, i):
                texts[i], confidences[i], glyphs[i] = text, sure, _nowhere(of_text)
        return Transcripts(tuple(texts), confidences, tuple(glyphs))

    def _may_be_tilted(self, crop: Crop, text: str, confidence: float) -> bool:
        """Tell whether a line may run along a diagonal of a crop that nobody can read."""
        large = min(crop.shape) >= self._settings.tilted_from and may_hold_tilted(crop.shape)
        return large and not self._settings.is_line(text, confidence)

    def _read_ways(self, crops: Sequence[Crop]) -> Transcripts:
        """Read crops as they are, and where that is doubtful with stretched contrast."""
        first = self._read_once(crops)
        doubtful = [i for i, c in enumerate(first.confidences) if c < self._settings.retry_below]
        if not doubtful:
            return first
        again = self._read_once([_stretch(crops[i]) for i in doubtful])
        both = Transcripts(
            first.texts + again.texts,
            np.concatenate([first.confidences, again.confidences]),
            first.glyphs + again.glyphs,
        )
        return _best_of(both, [*range(len(crops)), *doubtful], len(crops))

    def _read_once(self, crops: Sequence[Crop]) -> Transcripts:
        texts = [""] * len(crops)
        confidences = np.zeros(len(crops), np.float32)
        glyphs = [np.zeros((0, 3), np.float32)] * len(crops)
        for members, scores in self._scored(crops):
            read, sure, steps = ctc.decode_greedy(
                scores,
                self._model.contract.charset,
                probabilities=self._form.gives_probabilities,
                kin=self._kin,
            )
            for i, text, confidence, of_text in zip(members, read, sure, steps, strict=True):
                texts[i], confidences[i] = text, confidence
                glyphs[i] = self._placed(of_text, scores.shape[1], crops[i])
        return Transcripts(tuple(texts), confidences, tuple(glyphs))

    def _placed(
        self, glyphs: npt.NDArray[np.float32], steps: int, crop: Crop
    ) -> npt.NDArray[np.float32]:
        """Return glyphs with places in shares of the crop's width instead of steps."""
        shares = self._form.padded_by(crop, self._settings.widest) / np.float32(steps)
        placed = glyphs.copy()
        placed[:, :2] = np.minimum((glyphs[:, :2] + np.float32(0.5)) * shares, 1.0)
        return placed

    def _scored(self, crops: Sequence[Crop]) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Yield the numbers of the crops of each run, and their scores, (n, steps, classes)."""
        by_width: dict[int, list[int]] = {}
        for i, crop in enumerate(crops):
            by_width.setdefault(self._form.width_class(crop, self._settings.widest), []).append(i)
        name = self._model.contract.inputs[0].name
        for width, members in sorted(by_width.items()):
            step = max(1, min(self._settings.batch, self._settings.batch_columns // width))
            for start in range(0, len(members), step):
                batch = members[start : start + step]
                lines = np.stack([self._form.prepared(crops[i], width) for i in batch])
                yield batch, self._model.run({name: lines})


@dataclass(frozen=True, slots=True)
class _Form:
    """The form in which a model wants its lines; the defaults are english_g2's."""

    height: int
    channels: int
    pad_value: int | None
    """None repeats the last column."""
    pad_to_multiple: int
    gives_probabilities: bool

    @classmethod
    def of(cls, contract: Contract) -> _Form:
        said = contract.preprocessing
        shape = contract.inputs[0].shape
        channels = shape[3] if len(shape) == 4 else 1
        constant = said.get("pad") == "right-constant"
        return cls(
            height=int(said.get("height", 64)),
            channels=channels if isinstance(channels, int) else 1,
            pad_value=int(said["pad_value"]) if constant else None,
            pad_to_multiple=int(said.get("pad_to_multiple", 64)),
            gives_probabilities=said.get("scores") == "probabilities",
        )

    def width_class(self, crop: Crop, widest: float) -> int:
        """Return the input width of a crop: its own, rounded up."""
        step = self.pad_to_multiple
        limit = max(1, int(widest * self.height) // step) * step
        return min(math.ceil(self._scaled_width(crop) / step) * step, limit)

    def padded_by(self, crop: Crop, widest: float) -> float:
        """Return how many times as wide as the scaled crop its input is."""
        width = self.width_class(crop, widest)
        return width / min(self._scaled_width(crop), width)

    def prepared(self, crop: Crop, width: int) -> npt.NDArray[np.uint8]:
        """Return `(height, width, channels)`: scaled to the height, padded on the right."""
        scaled = min(self._scaled_width(crop), width)
        shrinks = crop.shape[0] > 2 * self.height  # else INTER_AREA blurs more than it saves
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        resized = cv2.resize(crop, (scaled, self.height), interpolation=how)
        padded = np.empty((self.height, width), np.uint8)
        padded[:, :scaled] = resized
        padded[:, scaled:] = resized[:, -1:] if self.pad_value is None else self.pad_value
        return np.repeat(padded[..., None], self.channels, axis=2)

    def _scaled_width(self, crop: Crop) -> int:
        return max(1, math.ceil(int(crop.shape[1]) * self.height / int(crop.shape[0])))


def _best_of(read: Transcripts, owner: Sequence[int], count: int) -> Transcripts:
    """Return the reading with the highest confidence of each owner; the first wins a tie."""
    best = np.zeros(count, np.intp)
    confidences = np.full(count, -1.0, np.float32)
    for k, (i, confidence) in enumerate(zip(owner, read.confidences, strict=True)):
        if confidence > confidences[i]:
            best[i], confidences[i] = k, confidence
    return Transcripts(
        tuple(read.texts[k] for k in best), confidences, tuple(read.glyphs[k] for k in best)
    )


def _nowhere(glyphs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return glyphs of a turned line: where they stand along the crop's width isn't known."""
    lost = glyphs.copy()
    lost[:, :2] = np.nan
    return lost


def is_high(crop: Crop, above: float = _HIGH) -> bool:
    """Tell whether a crop is so many times as high as wide that its line may stand on its end."""
    return bool(crop.shape[0] > above * crop.shape[1])


def lying(crop: Crop) -> tuple[Crop, Crop]:
    """Return the crop turned by 90 degrees, both ways."""
    return (
        np.ascontiguousarray(cv2.rotate(crop, cv2.ROTATE_90_CLOCKWISE), dtype=np.uint8),
        np.ascontiguousarray(cv2.rotate(crop, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8),
    )


def _shapes(text: str) -> str:
    return ocr.alike(ocr.glyphs(text))


def _views(crop: Crop) -> tuple[Crop, Crop]:
    """Return the crop inverted, and sharpened.

    Of 252 lines of 64 made cines that english_g2 misread and PP-OCRv6 did not, it reads 62
    inverted, 41 sharpened, 86 in one of the two.
    """
    gray = crop.astype(np.float32)
    sharp = 2.0 * gray - np.asarray(cv2.GaussianBlur(gray, (0, 0), _SHARPENED_PX))
    return np.asarray(255 - crop, np.uint8), np.clip(sharp, 0, 255).astype(np.uint8)


def _stretch(crop: Crop) -> Crop:
    """Return the crop with its 10th to 90th percentile spread over most of the range."""
    low, high = np.percentile(crop, (10, 90))
    scale = 200.0 / max(high - low, 10.0)
    stretched = (crop.astype(np.float32) - low + 25.0 / scale) * scale
    bounded: Crop = np.clip(stretched, 0, 255).astype(np.uint8)
    return bounded
