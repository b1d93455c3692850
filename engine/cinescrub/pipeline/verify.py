"""The check of a written file before it gets its name: pixel for pixel against source and plan.

A file passes when every frame equals its source outside of the planned rectangles (but for bits
above BitsStored, which are cleared) and is filled inside of them. Text that the policy would
redact is looked for elsewhere (`engine`), with the models; here is what needs none.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub.dicom.source import Source
from cinescrub.errors import RedactionError
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.native import fill_value, without_unused_bits
from cinescrub.stream import CancelToken
from cinescrub.types import Boxes, CineInfo, MaskPlan

__all__ = ["compare_frames"]

_LOSSY: Final = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
"""JPEG baseline and extended: decoders interpolate subsampled chroma across block borders."""
_CHROMA_REACH_PX: Final = 2
"""How far a border's chroma is interpolated from the other side: one chroma sample, two pixels
at 4:2:0 (libjpeg's triangle filter)."""
_LOSSY_TOLERANCE: Final = 8
"""A DC level that is a whole quantisation step decodes to black only within half a step."""
_RELEASE_EVERY: Final = 8
"""Frames after which mapped pages are let go, so that they don't count as resident memory."""

Mask = npt.NDArray[np.bool_]


def compare_frames(source: Source, written: Source, plan: MaskPlan, token: CancelToken) -> None:
    """Compare every frame of the written file with its source and the plan.

    Parameters
    ----------
    source, written : Source
        Open files; frames are read in order.
    plan : MaskPlan
        What was to be filled, already snapped to the codec's blocks.
    token : CancelToken
        Checked before each frame.

    Raises
    ------
    RedactionError
        A pixel outside of the plan differs, or one inside is not filled.
    InputError
        A frame can't be decoded.
    """
    masks = _Masks(source.info, plan)
    same_coding = source.transfer_syntax == written.transfer_syntax
    for k in range(plan.frames):
        token.check()
        if k % _RELEASE_EVERY == _RELEASE_EVERY - 1:
            source.release()
            written.release()
        before, after = source.frame(k), written.frame(k)
        rectangles = plan.at(k)
        if not len(rectangles) and same_coding and before == after:
            continue
        inside, outside = masks.of(rectangles)
        was = without_unused_bits(decode_stored(before, source.info), source.info)
        now = decode_stored(after, written.info)
        if was.shape != now.shape or not np.array_equal(was[outside], now[outside]):
            raise RedactionError(f"frame {k} changed outside of its redactions: report this file")
        if not masks.is_filled(now[inside]):
            raise RedactionError(f"frame {k} is not filled where text was found: report this file")


class _Masks:
    """What must be filled and what must be equal, for each set of rectangles that occurs."""

    def __init__(self, info: CineInfo, plan: MaskPlan) -> None:
        self._shape = (plan.rows, plan.columns)
        self._lossy = info.transfer_syntax in _LOSSY
        self._fill = np.asarray(fill_value(info), dtype=np.int64)
        self._known: dict[bytes, tuple[Mask, Mask]] = {}

    def of(self, rectangles: Boxes) -> tuple[Mask, Mask]:
        """Return `(inside, outside)`, each `(H, W)`; at lossy borders neither holds."""
        key = rectangles.tobytes()
        if key not in self._known:
            self._known = {key: self._make(rectangles)}  # one at a time: plans change seldom
        return self._known[key]

    def _make(self, rectangles: Boxes) -> tuple[Mask, Mask]:
        drawn = np.zeros(self._shape, np.uint8)
        for x0, y0, x1, y1 in rectangles:
            drawn[y0:y1, x0:x1] = 1
        if not self._lossy:
            return drawn != 0, drawn == 0
        reach = np.ones((2 * _CHROMA_REACH_PX + 1,) * 2, np.uint8)
        # Beyond the frame there is no neighbour to interpolate from: its edge is no border.
        shrunk = cv2.erode(drawn, reach, borderType=cv2.BORDER_CONSTANT, borderValue=1.0)
        grown = cv2.dilate(drawn, reach, borderType=cv2.BORDER_CONSTANT, borderValue=0.0)
        return shrunk != 0, grown == 0

    def is_filled(self, samples: npt.NDArray[np.integer]) -> bool:
        """Return whether samples, `(n,)` or `(n, S)`, have the fill's value."""
        tolerance = _LOSSY_TOLERANCE if self._lossy else 0
        return bool((np.abs(samples.astype(np.int64) - self._fill) <= tolerance).all())
