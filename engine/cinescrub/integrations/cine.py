"""A cine file as one array with its facts, for programs that work on arrays. Knows no framework.

It reads whatever file it is given, also one that was never de-identified.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinescrub.dicom.json_model import header_to_json
from cinescrub.dicom.source import Source, open_source
from cinescrub.pixels import registry
from cinescrub.pixels.decode import Viewer, decode_stored

__all__ = ["Cine", "read_cine"]

_PIXEL_SPACING: Final = "00280030"
_REGIONS: Final = "00186011"
_FORMAT, _UNITS_X, _UNITS_Y = "00186012", "00186024", "00186026"
_DELTA_X, _DELTA_Y = "0018602C", "0018602E"
_TWO_D, _CENTIMETRES = 1, 3
"""PS3.3 C.8.5.5.1.1 and C.8.5.5.1.15."""


@dataclass(frozen=True, slots=True, eq=False)
class Cine:
    """All frames of a file in memory, upright, in the order in which they were taken."""

    frames: npt.NDArray[Any]
    """(F, H, W) or (F, H, W, 3), R, G, B, owned: uint8, as a viewer shows them; of gray samples
    deeper than 8 bits the stored values."""
    rate: float
    """Frames a second as recorded; NaN where the header doesn't tell."""
    spacing: tuple[float, float]
    """Millimetres from row to row and from column to column; NaN where the header doesn't tell, or
    where not all 2-D regions of the picture agree."""
    header: Mapping[str, Any] = field(repr=False)
    """The file's header, of the DICOM JSON Model, as it is: PHI, unless it was scrubbed."""


def read_cine(path: Path) -> Cine:
    """Read and decode a file.

    Raises
    ------
    NotDicomError
        The content isn't DICOM.
    InputError
        It is of a kind that isn't supported, truncated or corrupt.
    """
    with open_source(path) as source:
        registry.check(source.info)
        header = header_to_json(source.header)
        rate = source.info.rate
        return Cine(_decoded(source), math.nan if rate is None else rate, _spacing(header), header)


def _decoded(source: Source) -> npt.NDArray[Any]:
    info = source.info
    viewer = Viewer(info)
    rows, columns, samples = viewer.shape
    if samples == 1 and info.bits_stored > 8:
        deep = np.empty((info.frames, rows, columns), info.dtype)
        for k, frame in enumerate(source.frames_in_order()):
            deep[k] = decode_stored(frame, info)
        return deep
    frames = np.empty((info.frames, rows, columns, samples), np.uint8)
    for k, frame in enumerate(source.frames_in_order()):
        viewer.decode(frame, frames[k])
    return frames[..., 0] if samples == 1 else frames


def _spacing(header: Mapping[str, Any]) -> tuple[float, float]:
    """Return PixelSpacing, or what all 2-D regions say that are measured in centimetres."""
    told = list(_numbers(header, _PIXEL_SPACING))
    if len(told) == 2:
        return told[0], told[1]
    regions = header.get(_REGIONS, {}).get("Value") or []
    deltas = {
        (10 * abs(y), 10 * abs(x))
        for region in regions
        if _first(region, _FORMAT) == _TWO_D
        and _first(region, _UNITS_X) == _first(region, _UNITS_Y) == _CENTIMETRES
        and abs(y := _first(region, _DELTA_Y)) > 0
        and abs(x := _first(region, _DELTA_X)) > 0
    }
    return deltas.pop() if len(deltas) == 1 else (math.nan, math.nan)


def _first(header: Mapping[str, Any], tag: str) -> float:
    return next(_numbers(header, tag), math.nan)


def _numbers(header: Mapping[str, Any], tag: str) -> Iterator[float]:
    for value in header.get(tag, {}).get("Value") or []:
        if isinstance(value, int | float) and math.isfinite(value):
            yield float(value)
