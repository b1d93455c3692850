"""Frames as stored samples, and as the picture that the models look at.

The picture is what a viewer shows: right colours, black is dark, at most 8 bits. It decides
nothing but what is found in it; redaction never works on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels import native, rle
from cinescrub.pixels.codecs import decode_raw, to_stored
from cinescrub.pixels.codestream import Buffer, inspect_stream, readable
from cinescrub.pixels.jpeg import stream_is_rgb
from cinescrub.pixels.registry import Family, syntax_of
from cinescrub.types import CineInfo, Frame

__all__ = ["Viewer", "decode_stored"]

Samples = npt.NDArray[Any]

_TO_RGB: Final = np.array(
    # PS3.3 C.7.6.3.1.2 (YBR_FULL, ITU-R BT.601 in full range), solved for R, G, B.
    [
        [1.0, 0.0, 1.402, -1.402 * 128],
        [1.0, -0.344136, -0.714136, (0.344136 + 0.714136) * 128],
        [1.0, 1.772, 0.0, -1.772 * 128],
    ],
    np.float32,
)
_TAILS: Final = 0.005
"""Share of the pixels at either end that may saturate: one hot pixel must not hide the rest.
Burned-in text at the extreme stays at the extreme."""


def decode_stored(frame: Buffer, info: CineInfo) -> Samples:
    """Decode a frame to stored samples.

    Parameters
    ----------
    frame : Buffer
        One frame as stored, borrowed.
    info : CineInfo
        The header.

    Returns
    -------
    (H, W) or (H, W, 3) array of `info.dtype`
        Native: a view on `frame` where the byte order is the machine's. Else owned. Native
        YBR_FULL_422 is spread to one Cb and Cr a pixel. Lossy JPEG: its components as coded.
        Whatever the syntax, unused bits are cleared (`native.without_unused_bits`).

    Raises
    ------
    InputError
        The frame is corrupt, truncated, or not what the header says.
    """
    family = syntax_of(info.transfer_syntax).family
    if family is Family.NATIVE:
        view = native.without_unused_bits(native.samples(frame, info), info.bits_stored)
        if info.photometric == "YBR_FULL_422":
            return _spread(view)
        return view if view.dtype.isnative else view.astype(info.dtype)
    if family is Family.RLE:
        return native.without_unused_bits(rle.decode(frame, info), info.bits_stored)
    raw, stream = decode_raw(frame, info)
    return to_stored(raw, info, stream)


def _spread(packed: Samples) -> Samples:
    """Turn (H, W / 2, 4) Y1, Y2, Cb, Cr into (H, W, 3)."""
    rows, pairs, _ = packed.shape
    out = np.empty((rows, pairs, 2, 3), packed.dtype)
    out[..., 0] = packed[..., :2]
    out[..., 1:] = packed[:, :, None, 2:]
    return out.reshape(rows, pairs * 2, 3)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Turns the frames of one cine into pictures; holds what doesn't change between frames."""

    info: CineInfo
    _colours: npt.NDArray[np.uint8] | None = field(init=False, repr=False, default=None)
    """(n, 3): the colour of each stored value of a palette image."""

    def __post_init__(self) -> None:
        palette = self.info.palette
        if self.info.photometric == "PALETTE COLOR" and palette is not None:
            values = np.arange(1 << self.info.bits_stored)
            entries = np.clip(values - palette.first, 0, len(palette.table) - 1)
            object.__setattr__(self, "_colours", palette.table[entries])

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, C of a picture: C is 1 for MONOCHROME1 and 2, else 3 (R, G, B)."""
        gray = self.info.photometric in ("MONOCHROME1", "MONOCHROME2")
        return self.info.rows, self.info.columns, 1 if gray else 3

    def decode(self, frame: Buffer, out: Frame) -> None:
        """Decode a frame into `out`.

        Parameters
        ----------
        frame : Buffer
            One frame as stored, borrowed.
        out : (H, W, C) uint8 array
            Of :attr:`shape`, C-contiguous. Modified in place.

        Raises
        ------
        InputError
            The frame is corrupt, truncated, or not what the header says.
        """
        self._check(out)
        if syntax_of(self.info.transfer_syntax).family is Family.JPEG:
            _decode_jpeg(frame, self.info, out)
        else:
            self.show(decode_stored(frame, self.info), out)

    def show(self, stored: Samples, out: Frame) -> None:
        """Turn stored samples, as :func:`decode_stored` gives them, into a picture.

        Lossy JPEG has no stored samples apart from its stream: use :meth:`decode`.

        Parameters
        ----------
        stored : (H, W) or (H, W, 3) array
            Borrowed.
        out : (H, W, C) uint8 array
            Of :attr:`shape`, C-contiguous. Modified in place.
        """
        self._check(out)
        if self._colours is not None:
            _show_palette(stored, self._colours, out)
        elif self.shape[2] == 1:
            _show_gray(stored, self.info, out)
        else:
            _show_colour(stored, self.info, out)

    def _check(self, out: Frame) -> None:
        if out.shape != self.shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.shape} {out.dtype}, a picture is {self.shape} uint8")


def _decode_jpeg(frame: Buffer, info: CineInfo, out: Frame) -> None:
    """Decode lossy JPEG straight into `out`, its colours converted by the library."""
    stream = inspect_stream(frame, info)
    if info.samples == 1:
        space = target = "GRAYSCALE"
        into = out[..., 0]
    else:
        space, target = ("RGB" if stream_is_rgb(stream, info) else "YCBCR"), "RGB"
        into = out
    try:
        imagecodecs.jpeg8_decode(readable(frame), colorspace=space, outcolorspace=target, out=into)
    except Exception:  # libraries raise what they like; a message may quote the frame
        raise InputError("a JPEG frame is corrupt or truncated") from None
    if info.photometric == "MONOCHROME1":
        np.bitwise_not(out, out=out)


def _show_palette(stored: Samples, colours: npt.NDArray[np.uint8], out: Frame) -> None:
    index = stored & (len(colours) - 1)  # the values are a power of two: bits stored
    if index.dtype == np.uint8:
        # Three look-ups and a merge take a quarter of the time of one gather of triples.
        table = np.zeros((256, 3), np.uint8)
        table[: len(colours)] = colours
        planes = [cv2.LUT(index, np.ascontiguousarray(table[:, c])) for c in range(3)]
        cv2.merge(planes, dst=out)
    else:
        np.take(colours, index, axis=0, out=out, mode="clip")


def _show_gray(stored: Samples, info: CineInfo, out: Frame) -> None:
    into = out[..., 0]
    if stored.dtype == np.uint8 and info.bits_stored == 8:
        np.copyto(into, stored)
    else:
        codes, bits = _ordered(stored, info)
        np.take(_window(codes, bits), codes, out=into, mode="clip")
    if info.photometric == "MONOCHROME1":
        np.bitwise_not(out, out=out)


def _ordered(stored: Samples, info: CineInfo) -> tuple[npt.NDArray[np.uint16], int]:
    """Return unsigned codes of at most 16 bits, in the order of the stored values."""
    bits = info.bits_stored
    mask = (1 << bits) - 1
    code = (
        stored.astype(np.int64) & mask if bits > 16 else stored.view(f"u{stored.itemsize}") & mask
    )
    if info.signed:
        code = code ^ (1 << (bits - 1))
    if bits <= 16:
        return code.astype(np.uint16, copy=False), bits
    low, high = int(code.min()), int(code.max())
    return ((code - low) * 65535 // max(1, high - low)).astype(np.uint16), 16


def _window(codes: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.uint8]:
    """Return the gray level of each code: linear between the tails, saturated beyond."""
    counts = np.bincount(codes.reshape(-1), minlength=1 << bits)
    below = counts.cumsum()
    total = int(below[-1])
    low = int(np.searchsorted(below, total * _TAILS))
    high = int(np.searchsorted(below, total * (1 - _TAILS)))
    if high <= low:  # nearly all of one value: then the rest is what there is to see
        seen = np.flatnonzero(counts)
        low, high = int(seen[0]), int(seen[-1])
    levels = (np.arange(1 << bits, dtype=np.float64) - low) * (255 / max(1, high - low))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _show_colour(stored: Samples, info: CineInfo, out: Frame) -> None:
    eight = _eight_bits(stored, info.bits_stored)
    if info.photometric in ("YBR_FULL", "YBR_FULL_422"):
        cv2.transform(np.ascontiguousarray(eight), _TO_RGB, dst=out)
    else:
        np.copyto(out, eight)


def _eight_bits(stored: Samples, bits: int) -> Samples:
    if bits == 8 and stored.dtype == np.uint8:
        return stored
    value = stored & ((1 << bits) - 1)
    return (value >> (bits - 8) if bits >= 8 else value << (8 - bits)).astype(np.uint8)
