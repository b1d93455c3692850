"""The marker layer of JPEG 2000 and HTJ2K codestreams: keep what decoding needs, drop the rest.

ISO/IEC 15444-1 annex A. Copies segments; looks at no packet.
"""

from __future__ import annotations

import struct
from typing import Final

from cinescrub.errors import InputError
from cinescrub.pixels.codestream import Buffer, j2k_start

__all__ = ["clean"]

TLM: Final = 0xFF55
_NEEDED: Final = frozenset(
    {0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF56, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F}
)
"""CAP, SIZ, COD, COC, PRF, CPF, QCD, QCC, RGN, POC (table A.2; CAP and CPF: 15444-15)."""
_POINTERS: Final = frozenset({TLM, 0xFF57, 0xFF58, 0xFF60, 0xFF61})
"""TLM, PLM, PLT, PPM, PPT: where packets are, and their heads."""
_KEPT: Final = _NEEDED | _POINTERS
SOT: Final = 0xFF90
SOD: Final = 0xFF93
EOC: Final = b"\xff\xd9"

_CORRUPT: Final = "a JPEG 2000 codestream is corrupt or truncated"


def clean(frame: Buffer) -> Buffer:
    """Drop comments, registrations, unknown segments, a JP2 file's boxes, bytes behind the end.

    Parameters
    ----------
    frame : Buffer
        One JPEG 2000 or HTJ2K frame, borrowed.

    Returns
    -------
    Buffer
        `frame` itself where nothing had to go, else new bytes. One zero byte behind the end (the
        padding to even length, PS3.5 A.4) is nothing.

    Raises
    ------
    InputError
        The stream is corrupt or truncated.
    """
    start = j2k_start(frame)
    view = memoryview(frame)[start:]
    try:
        head, position, dropped = _segments(view, 2, SOT, _KEPT)
        parts: list[bytes | memoryview] = []
        touched = False
        while position < len(view) and bytes(view[position : position + 2]) != EOC:
            pieces, position, changed = _tile_part(view, position)
            parts.extend(pieces)
            touched |= changed
    except struct.error:
        raise InputError(_CORRUPT) from None
    if not (start or dropped or touched) and bytes(view[position + 2 :]) in (b"", b"\0"):
        return frame
    if touched:
        # TLM repeats the lengths of tile-parts, which changed; it is optional.
        head, _, _ = _segments(view, 2, SOT, _KEPT - {TLM})
    return b"".join([view[:2], *head, *parts, EOC])


def _segments(
    view: memoryview, position: int, until: int, keep: frozenset[int]
) -> tuple[list[memoryview], int, bool]:
    """Return the marker segments up to the marker `until`, its offset, and whether any went."""
    out: list[memoryview] = []
    dropped = False
    while True:
        marker, length = struct.unpack_from(">HH", view, position)
        if marker == until:
            return out, position, dropped
        end = position + 2 + length
        if marker < 0xFF00 or length < 2 or end > len(view):
            raise InputError(_CORRUPT)
        if marker in keep:
            out.append(view[position:end])
        else:
            dropped = True
        position = end


def _tile_part(view: memoryview, position: int) -> tuple[list[bytes | memoryview], int, bool]:
    """Return a tile-part with what is kept, its end, and whether anything went (A.4.2)."""
    marker, size, tile, length, part, parts = struct.unpack_from(">HHHIBB", view, position)
    if marker != SOT or size != 10:
        raise InputError(_CORRUPT)
    end = position + length if length else len(view)
    if end > len(view) or end < position + 14:
        raise InputError(_CORRUPT)
    head, data, dropped = _segments(view[:end], position + 12, SOD, _KEPT)
    if length == 0:  # the last tile-part may leave its length open: up to EOC
        end = bytes(view).find(EOC, data)  # packets hold no code above FF8F (A.1.1)
        end = len(view) if end < 0 else end
    if not dropped:
        return [view[position:end]], end, False
    kept = 12 + sum(map(len, head)) + end - data
    new = struct.pack(">HHHIBB", SOT, 10, tile, kept if length else 0, part, parts)
    return [new, *head, view[data:end]], end, True
