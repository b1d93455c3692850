"""Searches a written file for planted identifiers: raw bytes, inflated bytes, decoded values.

Nothing here knows how a scrub works: it reads files only.
"""

from __future__ import annotations

import mmap
import warnings
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pydicom

from cinescrub.testing.spec import Syntax
from cinescrub.testing.truth import Planted

__all__ = ["find_leaks"]

_BLOCK: Final = 1 << 20
_OVERLAP: Final = 256
"""Longer than any needle, so that none is cut in two by a block's end."""


def find_leaks(path: Path, planted: Iterable[Planted]) -> tuple[Planted, ...]:
    """Return the planted identifiers that a file still holds.

    Each is looked for as it was written, in upper and in lower case, in the file's bytes; in the
    inflated data set of a deflated file; and in every decoded value at every depth.

    Parameters
    ----------
    path : Path
        A DICOM file.
    planted : iterable of Planted
        What was hidden in its source.
    """
    left = list(planted)
    found: list[Planted] = []
    for haystack in _haystacks(path):
        hits = [plant for plant in left if _holds(haystack, plant.needle)]
        found += hits
        left = [plant for plant in left if plant not in hits]
    return tuple(found)


def _haystacks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for start in range(0, len(mapped), _BLOCK):
            yield mapped[start : start + _BLOCK + _OVERLAP]
    with warnings.catch_warnings():
        # Values of unknown tags or of bad form are what we plant: pydicom's remarks are no news.
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        values = [e.value for e in (*dataset.file_meta, *dataset.iterall()) if e.VR != "SQ"]
    yield from (value if isinstance(value, bytes) else str(value).encode() for value in values)
    if str(dataset.file_meta.TransferSyntaxUID) == Syntax.DEFLATED.value:
        yield from _inflated(path, 144 + dataset.file_meta.FileMetaInformationGroupLength)


def _inflated(path: Path, start: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    before = b""
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_BLOCK):
            while chunk:
                block = inflater.decompress(chunk, _BLOCK)
                chunk = inflater.unconsumed_tail
                yield before + block
                before = block[-_OVERLAP:]


def _holds(haystack: bytes, needle: bytes) -> bool:
    return needle in haystack or needle.upper() in haystack or needle.lower() in haystack
