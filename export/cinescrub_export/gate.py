"""The recall gate: whether a variant finds what the model finds that it was made of.

Both look at made frames of every kind of the accuracy suite, of other seeds than the suite's and
calibration's, as the engine looks: a detector's words are joined to lines and padded, and a text
counts as found if what would be filled covers its ink. A recogniser finds a text if it reads it as
it was drawn. This module knows nothing of files; who calls decides what a lost text means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.bundle import MODEL_FILE, Gate, Slot
from cinescrub.masks import padded
from cinescrub.runtime.session import Model
from cinescrub.testing import TextItem, draw_frames, plan_drawing
from cinescrub.testing.suite import accuracy_suite
from cinescrub.text.dbnet import DbDetector
from cinescrub.text.detector import CraftDetector
from cinescrub.text.lines import LineSettings
from cinescrub.text.looks import Detector
from cinescrub.text.recognizer import Recognizer, crop_lines
from cinescrub.types import Boxes, Frame

__all__ = ["GATE_SEED", "Shown", "found_items", "measure_gate", "shown_frames"]

GATE_SEED: Final = 8_000_000
"""Far from the seeds of the accuracy suite (thousands), of calibration (5,000,000) and of what the
recipes were chosen by (7,000,000)."""
FOUND: Final = 0.95
"""Share of an item's ink that has to be covered, as in `testing.score`."""
_ROWS, _COLUMNS = 360, 480
"""Size of the frames, where it isn't what is special about them: text is as large in pixels as in
larger ones, and a frame costs half of 640 x 480."""
_MOST_PIXELS: Final = 1_000_000

_Found: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A made frame and all text in it."""

    kind: str
    """Group of the accuracy suite."""
    frame: Frame
    items: tuple[TextItem, ...]


def shown_frames(
    seed: int = GATE_SEED, *, size: tuple[int, int] = (_ROWS, _COLUMNS)
) -> Iterator[Shown]:
    """Draw one frame of each kind; equal seeds and sizes draw equal frames.

    Parameters
    ----------
    seed : int
        Of the first kind; those of the others follow.
    size : (int, int)
        Rows and columns, but for the kinds whose size is what is special about them.

    Yields
    ------
    Shown
        Kinds of more than a million pixels are left out.
    """
    rows, columns = size
    for k, case in enumerate(accuracy_suite(1, frames=2, rows=rows, columns=columns)):
        if case.spec.rows * case.spec.columns > _MOST_PIXELS:
            continue
        drawing = plan_drawing(replace(case.spec, seed=seed + k))
        *_, frame = draw_frames(drawing)  # the last one: what fades in has come up
        index = case.spec.frames - 1
        yield Shown(case.group, frame, tuple(drawing.truth.at(index)))


def measure_gate(slot: Slot, base: Model, variant: Model) -> Gate:
    """Let both models look at all frames.

    Parameters
    ----------
    slot : Slot
        Of both.
    base, variant : Model
        Borrowed.
    """
    frames = list(shown_frames())
    looks = _LOOKS[slot]
    was = np.concatenate(list(map(looks(base), frames)))
    now = np.concatenate(list(map(looks(variant), frames)))
    return Gate(
        base=base.contract.files[MODEL_FILE],
        frames=len(frames),
        items=int(was.sum()),
        lost=int((was & ~now).sum()),
        gained=int((now & ~was).sum()),
    )


def found_items(boxes: Boxes, frame: Frame, items: Sequence[TextItem]) -> _Found:
    """Return which items would be covered if all detected words were redacted.

    Parameters
    ----------
    boxes : (n, 4) int32 array
        Words, in pixels of the frame.
    frame : (H, W, C) uint8 array
        Borrowed; only its size is used.
    items : sequence of TextItem
        What is written in it.
    """
    rows, columns = frame.shape[:2]
    filled = np.zeros((rows, columns), np.bool_)
    for x0, y0, x1, y1 in padded(_lines(boxes), rows=rows, columns=columns):
        filled[y0:y1, x0:x1] = True
    shares = []
    for item in items:
        x0, y0, x1, y1 = item.box
        ink = filled[y0:y1, x0:x1][item.ink]
        shares.append(float(ink.mean()) if len(ink) else 0.0)
    return np.array(shares) >= FOUND


def _lines(boxes: Boxes) -> Boxes:
    words = geometry.merge_overlapping(boxes)
    members = geometry.group_lines(words, gap=LineSettings().line_gap)
    return geometry.as_boxes(
        [np.concatenate([words[m, :2].min(axis=0), words[m, 2:].max(axis=0)]) for m in members]
    )


def _detected(detector: Detector, *scales: float) -> Callable[[Shown], _Found]:
    def look(shown: Shown) -> _Found:
        frames = np.ascontiguousarray(shown.frame[None])
        words = [detector.detect(frames, scale=scale)[0].xyxy for scale in scales]
        return found_items(np.concatenate(words), shown.frame, shown.items)

    return look


def _read(recognizer: Recognizer) -> Callable[[Shown], _Found]:
    def look(shown: Shown) -> _Found:
        boxes = geometry.as_boxes([item.box for item in shown.items])
        texts = recognizer.read(crop_lines(shown.frame, boxes)).texts
        return np.array([text == item.text for text, item in zip(texts, shown.items, strict=True)])

    return look


_LOOKS: Final[dict[Slot, Callable[[Model], Callable[[Shown], _Found]]]] = {
    Slot.CRAFT: lambda model: _detected(CraftDetector(model), 1.0),
    Slot.PPOCR_DETECTOR: lambda model: _detected(DbDetector(model), 1.0, 2.0),
    Slot.RECOGNIZER: lambda model: _read(Recognizer(model)),
    Slot.PPOCR_RECOGNIZER: lambda model: _read(Recognizer(model)),
}
