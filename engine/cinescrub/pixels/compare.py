"""The check of one written frame: equal to its source outside of its rectangles, filled inside.

Decodes both and compares every sample; shares no drawing code with what wrote the frame.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinescrub.errors import RedactionError
from cinescrub.pixels import jpeg
from cinescrub.pixels.apply import has_unused_bits
from cinescrub.pixels.codestream import Buffer, inspect_stream
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.fill import fill_colours
from cinescrub.pixels.native import Colours
from cinescrub.pixels.registry import Family, syntax_of
from cinescrub.types import Boxes, CineInfo, Fill

__all__ = ["check_frame", "same_bytes"]

_CHROMA_REACH_PX: Final = 2
"""How far subsampled components are interpolated across a block's border: one of their samples,
two pixels at 4:2:0 (libjpeg's triangle filter)."""
_BLACK_TOLERANCE: Final = 8
"""Lossy JPEG: black is a DC level of whole steps, that decode to it within half of one."""
_MEAN_TOLERANCE: Final = 64
"""As above, for any colour and the coarsest quantiser that is written: 1024 / 8 / 2."""

Samples = npt.NDArray[Any]


def same_bytes(one: Buffer, other: Buffer) -> bool:
    """Whether two buffers hold the same bytes; neither is copied."""
    return np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8))


def check_frame(
    before: Buffer,
    after: Buffer,
    info: CineInfo,
    written: CineInfo,
    rectangles: Boxes,
    fill: Fill = Fill.BLACK,
) -> None:
    """Compare a written frame with its source.

    Parameters
    ----------
    before, after : Buffer
        The frame as stored in the source and in the output. Borrowed.
    info, written : CineInfo
        Their headers.
    rectangles : (n, 4) int32 array
        What was to be filled, snapped to the codec's blocks, inside of the frame.
    fill : Fill, optional
        With what.

    Raises
    ------
    RedactionError
        A sample outside of the rectangles differs, or one inside is not filled.
    InputError
        A frame can't be decoded.
    """
    was = decode_stored(before, info)
    now = decode_stored(after, written)
    if has_unused_bits(after, written):  # decoding clears them: the output must have none itself
        raise RedactionError("has bits set above BitsStored: report this file")
    if was.shape != now.shape or was.dtype != now.dtype:
        raise RedactionError("is another image than its source: report this file")
    # As it lies in memory, by pixel or by plane, so that both are read in one go.
    expected = np.array(was, order="K")
    lossy = syntax_of(info.transfer_syntax).family is Family.JPEG
    black = jpeg.black(before, info) if lossy else None
    values = fill_colours(was, info, rectangles, fill, black)
    if lossy:
        filled = _lossy(before, info, expected, now, rectangles, values, fill)
    else:
        filled = True
        for (x0, y0, x1, y1), value in zip(rectangles.tolist(), values, strict=True):
            colour = np.array(value).astype(now.dtype)
            inside = now[y0:y1, x0:x1]
            filled &= bool((inside == (colour if now.ndim == 3 else colour[0])).all())
            expected[y0:y1, x0:x1] = inside
    if not filled:
        raise RedactionError("is not filled where text was found: report this file")
    if not np.array_equal(expected, now):
        raise RedactionError("changed outside of its redactions: report this file")


def _lossy(
    before: Buffer,
    info: CineInfo,
    expected: Samples,
    now: Samples,
    rectangles: Boxes,
    values: Colours,
    fill: Fill,
) -> bool:
    """Take what may differ over into `expected`; return whether the rest of it is filled.

    Components that are not subsampled differ in the rectangles and nowhere else. Of subsampled
    ones decoders interpolate a border's samples from both sides: a strip there is free.
    """
    tolerance = _BLACK_TOLERANCE if fill is Fill.BLACK else _MEAN_TOLERANCE
    reaches = [
        0 if whole else _CHROMA_REACH_PX for whole in inspect_stream(before, info).full_resolution
    ]
    filled = True
    for (x0, y0, x1, y1), value in zip(rectangles.tolist(), values, strict=True):
        for i, (reach, level) in enumerate(zip(reaches, value, strict=True)):
            mine, ours = (a[..., i] if a.ndim == 3 else a for a in (now, expected))
            # Beyond the frame there is no neighbour to interpolate from: its edge is no border.
            left, top = (reach if x0 else 0), (reach if y0 else 0)
            right = reach if x1 < info.columns else 0
            bottom = reach if y1 < info.rows else 0
            inside = mine[y0 + top : y1 - bottom, x0 + left : x1 - right]
            # Blocks of one DC level and nothing else decode to exactly one value. Of a strip of one
            # or two pixels at the frame's end, all that is subsampled is free.
            if inside.size:
                low, high = int(inside.min()), int(inside.max())
                filled &= low == high and abs(low - level) <= tolerance
            grown = np.s_[max(0, y0 - top) : y1 + bottom, max(0, x0 - left) : x1 + right]
            ours[grown] = mine[grown]
    return filled
