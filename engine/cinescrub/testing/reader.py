"""Reads frames back through pydicom's decoders: the second opinion that scores are made with.

Independent of the engine's source and codecs. Encapsulated syntaxes need pydicom's plug-ins (the
`test` extra).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels, pixel_array

from cinescrub.testing.graphics import Canvas
from cinescrub.testing.spec import Photometric, Syntax

__all__ = ["read_frames"]


def read_frames(path: Path) -> Iterator[Canvas]:
    """Yield a file's frames in display colours.

    Parameters
    ----------
    path : Path
        A DICOM file with 8-bit samples or a palette.

    Yields
    ------
    (H, W, 3) uint8 array
        R, G, B, owned by the caller; MONOCHROME1 is inverted, palettes are applied.
    """
    header = pydicom.dcmread(path, stop_before_pixels=True)
    photometric = header.PhotometricInterpretation
    for frame in _decoded(path, header):
        if photometric == Photometric.PALETTE:
            coloured = apply_color_lut(frame, header)
            yield (coloured >> 8).astype(np.uint8) if coloured.dtype == np.uint16 else coloured
        elif frame.ndim == 2:
            gray = 255 - frame if photometric == Photometric.MONOCHROME1 else frame
            yield np.repeat(gray[..., None], 3, axis=2).astype(np.uint8)
        else:
            yield np.ascontiguousarray(frame, np.uint8)


def _decoded(path: Path, header: pydicom.Dataset) -> Iterator[npt.NDArray[Any]]:
    syntax = Syntax(str(header.file_meta.TransferSyntaxUID))
    packed = header.PhotometricInterpretation == Photometric.YBR_FULL_422 and syntax.native
    if packed and int(header.get("NumberOfFrames") or 1) > 1:
        # pydicom 3.0's iter_pixels takes three samples a pixel for granted here and runs out of
        # data; pixel_array counts them right, at the price of the whole cine. Go back when fixed.
        yield from pixel_array(pydicom.dcmread(path))
    elif syntax is Syntax.DEFLATED:
        # Read by path, pydicom looks for the pixel data in the bytes that are still deflated.
        yield from iter_pixels(pydicom.dcmread(path))
    else:
        yield from iter_pixels(path)
