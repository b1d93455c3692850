"""RLE Lossless frames: split into segments, decoded, encoded (PS3.5 annex G).

A frame is one byte plane a segment: for each sample its bytes, most significant first.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer, readable
from cinescrub.types import CineInfo

__all__ = ["clean", "decode", "encode"]

HEADER: Final = 64
"""Bytes: the number of segments and up to 15 offsets, 32 bits each (G.5)."""
MAX_RATIO: Final = 64
"""PackBits makes at most 128 bytes of two."""

Samples = npt.NDArray[Any]


def decode(frame: Buffer, info: CineInfo) -> Samples:
    """Decode a frame.

    Parameters
    ----------
    frame : Buffer
        One RLE frame, borrowed.
    info : CineInfo
        The header: how many segments there must be and how long they are.

    Returns
    -------
    (H, W) or (H, W, 3) array
        Stored samples of `info.dtype`. Owned; colour by plane in memory.

    Raises
    ------
    InputError
        The frame is corrupt or truncated.
    """
    planes = info.samples * (info.bits_allocated // 8)
    pixels = info.rows * info.columns
    _check_header(frame, planes, pixels)
    dtype = np.dtype(f"u{info.bits_allocated // 8}")
    try:
        raw = imagecodecs.dicomrle_decode(readable(frame), dtype)
        samples = np.frombuffer(raw, dtype).view(info.dtype)
    except (ValueError, RuntimeError, TypeError):
        raise InputError("an RLE frame is corrupt or truncated") from None
    if samples.size != pixels * info.samples:
        raise InputError("an RLE frame decodes to another size than the header says")
    if info.samples == 1:
        return samples.reshape(info.rows, info.columns)
    return samples.reshape(info.samples, info.rows, info.columns).transpose(1, 2, 0)


def clean(frame: Buffer, info: CineInfo) -> Buffer:
    """Drop what the header's unused offsets hold; refuse segments that hold more than a plane.

    Parameters
    ----------
    frame : Buffer
        One RLE frame, borrowed.
    info : CineInfo
        The header.

    Returns
    -------
    Buffer
        `frame` itself, or a copy with the unused offsets zeroed (G.5).

    Raises
    ------
    InputError
        The frame is corrupt or truncated, or has bytes behind a plane.
    """
    decode(frame, info)  # takes exactly a plane of each segment
    count, *offsets = struct.unpack_from("<16I", frame)
    if not any(offsets[count:]):
        return frame
    used = 4 * (1 + count)
    return bytes(frame[:used]) + bytes(HEADER - used) + bytes(frame[HEADER:])


def _check_header(frame: Buffer, planes: int, pixels: int) -> None:
    size = len(frame)
    if size < HEADER:
        raise InputError("an RLE frame is truncated: no header")
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != planes:
        raise InputError(f"an RLE frame has {count} segments, the header asks for {planes}")
    bounds = [*offsets[:count], size]
    if bounds[0] != HEADER or any(a >= b for a, b in pairwise(bounds)):
        raise InputError("an RLE frame is corrupt: its segment offsets")
    if any((b - a) * MAX_RATIO < pixels for a, b in pairwise(bounds)):
        raise InputError("an RLE frame is truncated: a segment is too short for its plane")


def encode(samples: Samples) -> bytes:
    """Encode a frame.

    Parameters
    ----------
    samples : (H, W) or (H, W, S) array
        Stored samples of 1, 2 or 4 bytes, borrowed.

    Returns
    -------
    bytes
        Header and segments; each segment of even length (G.3.1), runs within rows.
    """
    width = samples.dtype.itemsize
    stacked = samples[..., None] if samples.ndim == 2 else samples
    segments = []
    for s in range(stacked.shape[2]):
        plane = np.ascontiguousarray(stacked[..., s].astype(f">i{width}" if width > 1 else "u1"))
        by_byte = plane.view(np.uint8).reshape(*plane.shape, width)
        for b in range(width):
            # Not ascontiguousarray: it leaves the strides of axes of length 1 as they are.
            rows = np.empty(plane.shape, np.uint8)
            rows[...] = by_byte[..., b]
            coded = imagecodecs.packbits_encode(rows, axis=-1)
            segments.append(coded + bytes(len(coded) % 2))
    offsets = [HEADER]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    header = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets)))
    return b"".join([header, *segments])
