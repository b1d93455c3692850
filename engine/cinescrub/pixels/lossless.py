"""Touched frames of lossless syntaxes: decoded, masked as stored, coded again without loss.

Every new frame is decoded once more and compared sample by sample; one difference refuses it. The
syntax's own coding parameters (precision, sign, component transform) are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError, RedactionError
from cinescrub.pixels import j2k_markers, jpeg_markers, rle
from cinescrub.pixels.codecs import decode_raw, sign_bits
from cinescrub.pixels.codestream import Buffer, Stream
from cinescrub.pixels.native import fill_value, paint, without_unused_bits
from cinescrub.pixels.registry import Family, output_photometric, output_syntax, syntax_of
from cinescrub.types import Boxes, CineInfo

__all__ = ["recode"]

Samples = npt.NDArray[Any]


def recode(frame: Buffer, info: CineInfo, rectangles: Boxes) -> bytes:
    """Decode a frame, fill rectangles, and code it without loss in the output syntax.

    Bits above BitsStored are cleared on the way.

    Parameters
    ----------
    frame : Buffer
        One frame of an RLE, lossless JPEG, JPEG-LS, JPEG 2000 or HTJ2K syntax, borrowed. Lossy
        ones are written in their lossless sibling: what was lost stays lost, no more is.
    info : CineInfo
        The header.
    rectangles : (n, 4) int32 array
        x0, y0, x1, y1 in pixels, ends exclusive. May be empty.

    Raises
    ------
    InputError
        The frame is corrupt, or can't be coded again.
    RedactionError
        What was written doesn't decode to what was meant.
    """
    family = syntax_of(info.transfer_syntax).family
    if family is Family.RLE:
        samples = _owned(without_unused_bits(rle.decode(frame, info), info))
        paint(samples, fill_value(info), rectangles)
        coded = rle.encode(samples)
        _same(rle.decode(coded, info), samples)
        return coded
    raw, stream = decode_raw(frame, info)
    samples = _owned(raw)
    if stream.precision > info.bits_stored and not stream.signed:
        samples &= samples.dtype.type((1 << info.bits_stored) - 1)
    paint(samples, _raw_value(info, stream), rectangles)
    try:
        coded = _encode(samples, family, stream)
    except Exception:  # libraries raise what they like
        raise InputError("a frame can't be coded again: convert the file first") from None
    target = replace(
        info, transfer_syntax=output_syntax(info), photometric=output_photometric(info)
    )
    again, coded_stream = decode_raw(coded, target)
    _same(again, samples)
    if coded_stream.signed != stream.signed or coded_stream.subsampled:
        raise RedactionError("a frame coded again differs from what was meant: review required")
    return coded


def _owned(samples: Samples) -> Samples:
    return np.array(samples, order="C")


def _same(again: Samples, meant: Samples) -> None:
    if again.dtype != meant.dtype or not np.array_equal(again, meant):
        raise RedactionError("a frame coded again differs from what was meant: review required")


def _raw_value(info: CineInfo, stream: Stream) -> tuple[int, ...]:
    """Return black as the codestream's samples hold it."""
    value = fill_value(info, stream.precision)
    if stream.signed:
        return value
    mask = (1 << sign_bits(info, stream)) - 1
    return tuple(v & mask for v in value)


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
