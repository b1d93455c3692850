"""Touched frames of lossless syntaxes: decoded, masked as stored, coded again without loss.

The stream's own coding parameters (precision, sign, component transform) are kept. That a new frame
decodes to what was meant is checked where the written file is (`compare`), not twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError, RedactionError
from cinescrub.pixels import j2k_markers, jpeg_markers, native, rle
from cinescrub.pixels.codecs import decode_raw, to_stored, without_unused_bits
from cinescrub.pixels.codestream import Buffer, Stream, inspect_stream
from cinescrub.pixels.fill import fill_colours
from cinescrub.pixels.native import fill_value, paint
from cinescrub.pixels.registry import (
    Family,
    is_lossless,
    output_photometric,
    output_syntax,
    syntax_of,
)
from cinescrub.types import Boxes, CineInfo, Fill

__all__ = ["recode"]

Samples = npt.NDArray[Any]


def recode(frame: Buffer, info: CineInfo, rectangles: Boxes, fill: Fill = Fill.BLACK) -> bytes:
    """Decode a frame, fill rectangles, and code it without loss in the output syntax.

    Parameters
    ----------
    frame : Buffer
        One frame of an RLE, lossless JPEG, JPEG-LS, JPEG 2000 or HTJ2K syntax, borrowed. One that
        was coded with loss is coded without: what was lost stays lost, no more is.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive, inside of the frame. May be empty.
    fill : Fill, optional
        With what.

    Raises
    ------
    InputError
        The frame is corrupt, or can't be coded again.
    RedactionError
        The encoder wrote samples of another kind.
    """
    family = syntax_of(info.transfer_syntax).family
    if family is Family.RLE:
        # By plane, as it is coded again. The one copy: the decoder gives bytes, and overruns memory
        # that it is given (`out=`) where a frame is damaged.
        samples = np.array(rle.decode(frame, info), order="K")
        samples = native.without_unused_bits(samples, info.bits_stored)
        values = fill_colours(samples, info, rectangles, fill)
        paint(samples, values, rectangles)
        return rle.encode(samples)
    raw, stream = decode_raw(frame, info)
    depth = stream.precision
    if without_unused_bits(raw, info, stream) is not raw:
        _require_lossless(info)
    if family is Family.JPEG_LS:  # its encoder writes the precision of the dtype
        stream = replace(stream, precision=8 * raw.itemsize)
    if fill is Fill.BLACK:
        values = [fill_value(info, depth)] * len(rectangles)
    else:
        values = fill_colours(to_stored(raw, info, stream), info, rectangles, fill)
    samples = np.require(
        without_unused_bits(raw, info, stream), requirements=["C", "W"]
    )  # itself: it is owned
    paint(samples, [_coded(value, stream) for value in values], rectangles)
    try:
        coded = _encode(samples, family, stream)
    except Exception:  # libraries raise what they like
        raise InputError("a frame can't be coded again: convert the file first") from None
    target = replace(
        info, transfer_syntax=output_syntax(info), photometric=output_photometric(info)
    )
    new = inspect_stream(coded, target)
    if new.signed != stream.signed or new.precision < stream.precision:
        raise RedactionError("a frame coded again differs from what was meant: review required")
    return coded


def _coded(value: tuple[int, ...], stream: Stream) -> tuple[int, ...]:
    """Return stored samples as the codestream holds them."""
    if stream.signed:
        return value
    mask = (1 << stream.precision) - 1
    return tuple(v & mask for v in value)


def _require_lossless(info: CineInfo) -> None:
    """Refuse to clear unused bits of frames coded with loss.

    There a sample at the upper end of the stored bits overshoots: cleared, white would be black.
    """
    if not is_lossless(info.transfer_syntax):
        name = syntax_of(info.transfer_syntax).name
        raise InputError(
            f"bits above BitsStored can't be cleared in {name}: convert the file first"
        )


def _encode(samples: Samples, family: Family, stream: Stream) -> bytes:
    if family is Family.JPEG_LOSSLESS:
        space = "GRAYSCALE" if samples.ndim == 2 else "RGB"
        # First-order prediction is the one selection value that .70 allows, and valid in .57.
        return bytes(
            imagecodecs.jpeg8_encode(
                samples,
                lossless=True,
                predictor=1,
                bitspersample=max(2, stream.precision),
                colorspace=space,
                outcolorspace=space,
            )
        )
    if family is Family.JPEG_LS:
        return bytes(jpeg_markers.clean(imagecodecs.jpegls_encode(samples)))
    # As the stream has it, whatever the header calls its colours.
    transform = bool(stream.transform)
    if family is Family.J2K:
        coded = imagecodecs.jpeg2k_encode(
            samples,
            reversible=True,
            codecformat="j2k",
            mct=transform,
            bitspersample=stream.precision,
        )
        return bytes(j2k_markers.clean(coded))
    return bytes(j2k_markers.clean(_htj2k(samples, stream, transform=transform)))


def _htj2k(samples: Samples, stream: Stream, *, transform: bool) -> bytes:
    """Code HTJ2K without loss in the stream's own precision.

    The library writes the precision of the dtype. Other precisions are coded as signed samples,
    which JPEG 2000 doesn't level-shift (ISO/IEC 15444-1 G.1), shifted here, and the size segment
    is then set to what they are: the coded bit planes are the same.
    """
    whole = stream.precision == 8 * samples.itemsize
    shifted = samples
    if not whole and not stream.signed:
        shifted = (samples.astype(np.int32) - (1 << (stream.precision - 1))).astype(np.int16)
    coded = bytearray(imagecodecs.htj2k_encode(shifted, reversible=True, rgb=transform))
    if not whole:
        depth = (0x80 if stream.signed else 0) | (stream.precision - 1)
        for component in range(stream.components):
            coded[42 + 3 * component] = depth  # Ssiz (A.5.1)
    return bytes(coded)
