"""Turns drawn RGB frames into stored bytes, in every photometric interpretation and syntax we make.

Independent of the engine's own codecs room on purpose: it is what that room is tested with.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.testing.graphics import Canvas
from cinescrub.testing.spec import CineSpec, Photometric, Syntax

__all__ = ["Stored", "encode_frame", "insert_jpeg_segments", "palette_tables", "to_stored"]

Stored = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Sample values as stored: (H, W), (H, W, 3), or (H, W / 2, 4) for native YBR_FULL_422."""

_CUBE_LEVELS: Final = (0, 85, 170, 255)
_GRAYS_8: Final = 192
"""Grey entries of an 8-bit palette; the other 64 are a cube of 4 x 4 x 4 colours."""
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""
_DEFAULT_QUALITY: Final = 90


def to_stored(frame: Canvas, spec: CineSpec) -> Stored:
    """Convert a drawn frame to the sample values of `spec.photometric`.

    Parameters
    ----------
    frame : (H, W, 3) uint8 array
        R, G, B; borrowed.
    spec : CineSpec
        How it is stored.

    Returns
    -------
    array
        As `Stored` says; owned by the caller. YBR_RCT and JPEG's YBR_FULL and YBR_FULL_422 stay
        R, G, B here: their encoders make the transform.
    """
    match spec.photometric:
        case Photometric.MONOCHROME2:
            return _luma(frame)
        case Photometric.MONOCHROME1:
            return np.asarray(255 - _luma(frame), np.uint8)
        case Photometric.PALETTE:
            return _indices_16(frame) if spec.palette_bits == 16 else _indices_8(frame)
        case Photometric.YBR_FULL if spec.syntax is not Syntax.JPEG_BASELINE:
            return _ybr(frame)
        case Photometric.YBR_FULL_422 if spec.syntax.native:
            return _packed_422(_ybr(frame))
        case _:
            return frame.copy()


def encode_frame(stored: Stored, spec: CineSpec) -> bytes:
    """Return the bytes of one frame in the pixel data element, without padding to even length."""
    encoder = _ENCODERS.get(spec.syntax)
    return encoder(stored, spec) if encoder is not None else _native(stored, spec)


def palette_tables(bits: int) -> tuple[npt.NDArray[np.uint16], ...]:
    """Return the red, green and blue tables of our palette, 16-bit entries (PS3.3 C.7.9.2).

    Returns
    -------
    three (n,) uint16 arrays
        n = 256 for 8 bits, 65536 for 16; R, G, B.
    """
    if bits == 8:
        gray = np.linspace(0, 255, _GRAYS_8).round()
        cube = np.array(
            [(r, g, b) for r in _CUBE_LEVELS for g in _CUBE_LEVELS for b in _CUBE_LEVELS]
        )
        table = np.vstack([np.repeat(gray[:, None], 3, axis=1), cube])
    else:
        index = np.arange(65536)
        gray = np.minimum(index >> 7, 255)
        channels = [(index >> shift & 31) * 255 / 31 for shift in (10, 5, 0)]
        table = np.stack([np.where(index < 32768, gray, channel) for channel in channels], axis=1)
    # 257 spreads 8 bits over 16, so that 255 becomes 65535.
    red, green, blue = (table.round().astype(np.uint16) * np.uint16(257)).T
    return red, green, blue


def insert_jpeg_segments(stream: bytes, segments: tuple[tuple[int, bytes], ...]) -> bytes:
    """Insert marker segments (code, payload) right after SOI (ITU-T T.81 B.2.4)."""
    inserted = b"".join(
        struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload for code, payload in segments
    )
    return stream[:2] + inserted + stream[2:]


def _luma(frame: Canvas) -> npt.NDArray[np.uint8]:
    return np.asarray((frame @ _LUMA).round(), np.uint8)


def _ybr(frame: Canvas) -> npt.NDArray[np.uint8]:
    swapped = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
    return np.ascontiguousarray(swapped[..., [0, 2, 1]], np.uint8)


def _packed_422(ybr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pack as Y1 Y2 CB CR; the chroma of a pair is its left pixel's (PS3.3 C.7.6.3.1.2)."""
    left, right = ybr[:, 0::2], ybr[:, 1::2]
    return np.stack([left[..., 0], right[..., 0], left[..., 1], left[..., 2]], axis=-1)


def _is_gray(frame: Canvas) -> npt.NDArray[np.bool_]:
    return np.asarray(np.ptp(frame, axis=-1) <= 8)


def _indices_8(frame: Canvas) -> npt.NDArray[np.uint8]:
    gray = (_luma(frame).astype(np.float32) * ((_GRAYS_8 - 1) / 255)).round()
    level = (frame.astype(np.int32) + 42) // 85
    cube = _GRAYS_8 + 16 * level[..., 0] + 4 * level[..., 1] + level[..., 2]
    return np.where(_is_gray(frame), gray, cube).astype(np.uint8)


def _indices_16(frame: Canvas) -> npt.NDArray[np.uint16]:
    gray = _luma(frame).astype(np.uint16) << 7
    level = ((frame.astype(np.int32) * 31 + 127) // 255).astype(np.uint16)
    colour = 0x8000 | level[..., 0] << 10 | level[..., 1] << 5 | level[..., 2]
    return np.where(_is_gray(frame), gray, colour).astype(np.uint16)


def _native(stored: Stored, spec: CineSpec) -> bytes:
    planes = stored.transpose(2, 0, 1) if spec.planar else stored
    big = spec.syntax is Syntax.EXPLICIT_BIG
    return planes.astype(planes.dtype.newbyteorder(">" if big else "<")).tobytes()


def _rle(stored: Stored, _spec: CineSpec) -> bytes:
    """Encode as PS3.5 annex G: a segment a byte plane, most significant first, rows apart."""
    samples = stored[..., None] if stored.ndim == 2 else stored
    wide = samples.dtype.itemsize == 2
    planes = [
        (samples[..., channel] >> shift).astype(np.uint8)
        for channel in range(samples.shape[-1])
        for shift in ((8, 0) if wide else (0,))
    ]
    segments = [b"".join(bytes(imagecodecs.packbits_encode(row)) for row in p) for p in planes]
    padded = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64 + sum(map(len, padded[:index])) for index in range(len(padded))]
    header = struct.pack("<16I", len(padded), *offsets, *([0] * (15 - len(padded))))
    return header + b"".join(padded)


def _jpeg(stored: Stored, spec: CineSpec) -> bytes:
    quality = spec.tier.jpeg_quality or _DEFAULT_QUALITY
    if stored.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(stored, level=quality))
    if spec.photometric is Photometric.RGB:
        return bytes(
            imagecodecs.jpeg8_encode(
                stored, level=quality, colorspace="RGB", outcolorspace="RGB", subsampling="444"
            )
        )
    subsampling = "422" if spec.photometric is Photometric.YBR_FULL_422 else "444"
    return bytes(
        imagecodecs.jpeg8_encode(
            stored, level=quality, colorspace="RGB", outcolorspace="YCBCR", subsampling=subsampling
        )
    )


def _jpeg_lossless(stored: Stored, _spec: CineSpec) -> bytes:
    # Predictor 1, first-order: the one selection value that .70 allows (PS3.5 A.4.1).
    colour = "RGB" if stored.ndim == 3 else None
    return bytes(
        imagecodecs.jpeg8_encode(
            stored, lossless=True, predictor=1, colorspace=colour, outcolorspace=colour
        )
    )


def _jpeg_ls(stored: Stored, _spec: CineSpec) -> bytes:
    return bytes(imagecodecs.jpegls_encode(stored, level=0))


def _jpeg_2000(stored: Stored, spec: CineSpec) -> bytes:
    reversible_colour = spec.photometric is Photometric.YBR_RCT
    return bytes(
        imagecodecs.jpeg2k_encode(
            stored, level=0, reversible=True, codecformat="J2K", mct=reversible_colour, numthreads=1
        )
    )


_ENCODERS: Final[dict[Syntax, Callable[[Stored, CineSpec], bytes]]] = {
    Syntax.RLE: _rle,
    Syntax.JPEG_BASELINE: _jpeg,
    Syntax.JPEG_LOSSLESS: _jpeg_lossless,
    Syntax.JPEG_LS: _jpeg_ls,
    Syntax.JPEG_2000_LOSSLESS: _jpeg_2000,
}
