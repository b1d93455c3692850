"""Choose who rewrites scans: the compiled `_jpeg`, or `jpeg_walk`, which gives the same bytes.

The package installs without a compiler; it then says once that JPEG is slow.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Final

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_walk
from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.jpeg_walk import Component, Covered, Rewritten

_INTERFACE: Final = 2
"""What an extension must say of itself: an editable tree can hold one that was built before the
sources that it belongs to."""
try:
    from cinescrub.pixels import _jpeg
except ImportError:
    COMPILED = False
else:
    COMPILED = getattr(_jpeg, "INTERFACE", 0) == _INTERFACE

__all__ = ["COMPILED", "describe", "rewrite", "scan_end"]

logger = logging.getLogger(__name__)

_END_OF_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SLOW: Final = (
    "the compiled JPEG core is missing or of another version: JPEG frames are redacted about 15 "
    "times slower; install a C compiler and the Python headers and reinstall"
)


def describe() -> str:
    """Say which core is in use, for `doctor`."""
    return "compiled JPEG core" if COMPILED else f"pure Python JPEG core: {_SLOW}"


@cache
def _warn_once() -> None:
    logger.warning(_SLOW)


def scan_end(data: Buffer, start: int) -> int:
    """Return where the entropy-coded JPEG data that begins at `start` ends.

    In it 0xFF is followed by 0x00 (T.81 B.1.1.5) or is part of a restart marker or its fill bytes.
    """
    if COMPILED:
        return _jpeg.scan_end(data, start)
    found = _END_OF_SCAN.search(data, start)
    return found.start() if found else len(data)


def rewrite(
    data: Buffer,
    components: tuple[Component, ...],
    covered: Covered,
    restart: int,
) -> Rewritten:
    """Replace the covered units of a scan: :func:`jpeg_walk.rewrite`, compiled where possible.

    Raises
    ------
    InputError
        The data is corrupt or truncated.
    """
    if not COMPILED:
        _warn_once()
        return jpeg_walk.rewrite(data, components, covered, restart)
    described = tuple(
        (c.dc.counts, c.dc.symbols, c.ac.counts, c.ac.symbols, c.blocks, c.fill) for c in components
    )
    try:
        return Rewritten(*_jpeg.rewrite(data, covered, restart, described))
    except ValueError as error:
        raise InputError(str(error)) from None
