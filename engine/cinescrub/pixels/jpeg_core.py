"""Choose who rewrites scans: the compiled `_jpeg`, or `jpeg_walk`, which gives the same bytes.

The package installs without a compiler; it then says once that JPEG is slow.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Final

from cinescrub.errors import InputError
from cinescrub.pixels import jpeg_walk
from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.jpeg_walk import Component, Covered, Rewritten

try:
    from cinescrub.pixels import _jpeg
except ImportError:
    COMPILED = False
else:
    COMPILED = True

__all__ = ["COMPILED", "describe", "rewrite"]

logger = logging.getLogger(__name__)

_SLOW: Final = (
    "the compiled JPEG core is missing: JPEG frames are redacted about 15 times slower; "
    "install a C compiler and the Python headers and reinstall"
)


def describe() -> str:
    """Say which core is in use, for `doctor`."""
    return "compiled JPEG core" if COMPILED else f"pure Python JPEG core: {_SLOW}"


@cache
def _warn_once() -> None:
    logger.warning(_SLOW)


def rewrite(
    data: Buffer,
    components: tuple[Component, ...],
    covered: Covered,
    restart: int,
    *,
    mean: bool = False,
) -> Rewritten:
    """Replace the covered units of a scan: :func:`jpeg_walk.rewrite`, compiled where possible.

    Raises
    ------
    InputError
        The data is corrupt or truncated.
    """
    if not COMPILED:
        _warn_once()
        return jpeg_walk.rewrite(data, components, covered, restart, mean=mean)
    described = tuple(
        (c.dc.counts, c.dc.symbols, c.ac.counts, c.ac.symbols, c.blocks, c.fill) for c in components
    )
    try:
        return Rewritten(*_jpeg.rewrite(data, covered, restart, mean, described))
    except ValueError as error:
        raise InputError(str(error)) from None
