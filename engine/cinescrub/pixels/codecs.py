"""The decoders: one encapsulated frame to the samples that its codestream holds.

Which library decodes what was chosen by measurement; each is checked against independent decoders
in the tests. Errors of a library become one line without a byte of the frame.
"""

from __future__ import annotations

from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_markers, native
from cinescrub.pixels.codestream import Buffer, Stream, inspect_stream, readable
from cinescrub.pixels.registry import Family, syntax_of
from cinescrub.types import CineInfo

__all__ = ["decode_raw", "to_stored", "without_unused_bits"]

Samples = npt.NDArray[Any]

_NAMES: Final = {
    Family.JPEG: "JPEG",
    Family.JPEG_LOSSLESS: "lossless JPEG",
    Family.JPEG_LS: "JPEG-LS",
    Family.J2K: "JPEG 2000",
    Family.HTJ2K: "HTJ2K",
}


def decode_raw(frame: Buffer, info: CineInfo) -> tuple[Samples, Stream]:
    """Decode a frame of a JPEG or JPEG 2000 family syntax to its components.

    Component transforms that belong to the codestream (JPEG 2000 RCT and ICT) are undone; YCbCr
    that the header names (YBR_FULL) or lossy JPEG holds is not.

    Returns
    -------
    samples : (H, W) or (H, W, 3) array
        uint8, uint16 or, where a JPEG 2000 stream is signed, int8 or int16. Owned.
    stream : Stream
        What the codestream's head says.

    Raises
    ------
    InputError
        The frame is corrupt, or declares another image than the header.
    """
    family = syntax_of(info.transfer_syntax).family
    stream = inspect_stream(frame, info)
    try:
        raw = _decode(frame, family, stream)
    except Exception:  # libraries raise what they like; a message may quote the frame
        raise InputError(f"a {_NAMES[family]} frame is corrupt or truncated") from None
    shape = (info.rows, info.columns) if info.samples == 1 else (info.rows, info.columns, 3)
    if raw.shape != shape or raw.dtype.kind not in "ui" or raw.itemsize > 2:
        raise InputError(f"a {_NAMES[family]} frame decodes to another image than it declares")
    return raw, stream


def _decode(frame: Buffer, family: Family, stream: Stream) -> Samples:
    raw: Samples
    if family in (Family.JPEG, Family.JPEG_LOSSLESS):
        # Same colour space in and out: no conversion, whatever the markers say.
        space = "GRAYSCALE" if stream.components == 1 else "RGB"
        raw = imagecodecs.jpeg8_decode(readable(frame), colorspace=space, outcolorspace=space)
    elif family is Family.JPEG_LS:
        # Without its application segments: the library believes a SPIFF header's size.
        raw = imagecodecs.jpegls_decode(readable(jpeg_markers.clean(frame)))
    else:
        # HTJ2K too: the library made for it is twice as fast, but returns uninitialised memory
        # for a corrupt stream, and wraps an irreversible stream's overshoot (256 to 0).
        raw = imagecodecs.jpeg2k_decode(readable(memoryview(frame)[stream.start :]))
    return raw


def without_unused_bits(raw: Samples, info: CineInfo, stream: Stream) -> Samples:
    """Return a codestream's samples with nothing above BitsStored but the extension of a sign.

    Returns
    -------
    (H, W) or (H, W, 3) array
        `raw` itself where no bit is to change, else owned by the caller.
    """
    if stream.precision <= info.bits_stored:
        return raw
    kind = np.dtype(f"{'i' if info.signed else 'u'}{raw.itemsize}")
    cleared = native.without_unused_bits(raw.view(kind), info.bits_stored).view(raw.dtype)
    if info.signed and not stream.signed:  # in as many bits as the stream has
        cleared = cleared & np.array((1 << stream.precision) - 1).astype(raw.dtype)
    return cleared if (cleared != raw).any() else raw


def _sign_bits(info: CineInfo, stream: Stream) -> int:
    """Return in how many bits a stored value's two's complement is coded."""
    return min(info.bits_stored, stream.precision)


def to_stored(raw: Samples, info: CineInfo, stream: Stream) -> Samples:
    """Turn a codestream's samples into stored samples of `info.dtype`.

    Signed values in an unsigned stream (always in the JPEG family) are two's complement.

    Returns
    -------
    (H, W) or (H, W, 3) array of `info.dtype`
        Owned, or `raw` itself where nothing differs.
    """
    raw = without_unused_bits(raw, info, stream)
    if raw.dtype == info.dtype:
        return raw
    if info.signed and not stream.signed:
        bits = _sign_bits(info, stream)
        sign = 1 << (bits - 1)
        value = raw.astype(np.int32) & ((1 << bits) - 1)
        return ((value ^ sign) - sign).astype(info.dtype)
    if stream.signed and not info.signed:
        return (raw.astype(np.int32) & ((1 << info.bits_stored) - 1)).astype(info.dtype)
    return raw.astype(info.dtype)
