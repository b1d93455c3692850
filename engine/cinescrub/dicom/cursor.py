"""A file read once from front to end, and searched for identifiers on the way.

Blocks of 1 MiB, so that memory knows nothing of the file's size. Deflated data are inflated.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

from cinescrub.dicom.needles import Needles
from cinescrub.dicom.walker import UnaccountedError

__all__ = ["SearchedCursor", "file_blocks", "inflated_blocks"]

BLOCK = 1 << 20

Blocks = Callable[[], bytes]
"""Returns the next bytes, at least one; none at the end."""


class SearchedCursor:
    """A forward cursor over blocks. What was read is searched, each byte once.

    Parameters
    ----------
    blocks : callable
        Returns the next bytes, none at the end.
    needles : Needles
        What is searched for first.
    """

    def __init__(self, blocks: Blocks, needles: Needles) -> None:
        self._blocks = blocks
        self._needles = needles
        self._block = b""
        self._held = 0
        self._base = 0
        self._at = 0
        self._searched = 0
        self._tail = b""
        self._hit = False

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._base + self._at

    def read(self, size: int, /) -> bytes:
        """Read `size` bytes; fewer at the end."""
        at = self._at
        end = at + size
        if end <= self._held:
            self._at = end
            return self._block[at:end]
        parts = []
        while size:
            part = self._block[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
            if size and not self._load():
                break
        return b"".join(parts)

    def take_hit(self, needles: Needles) -> bool:
        """Tell whether what was read holds an identifier; search for others from here on."""
        self._search(self._at)
        hit, self._hit = self._hit, False
        self._needles, self._tail = needles, b""
        return hit

    def _load(self) -> bool:
        self._search(len(self._block))
        block = self._blocks()
        self._base += len(self._block)
        self._block, self._held, self._at, self._searched = block, len(block), 0, 0
        return bool(block)

    def _search(self, end: int) -> None:
        if not len(self._needles) or self._hit:
            return
        data = self._tail + self._block[self._searched : end]
        self._searched = end
        self._hit = self._needles.occur_in(data)
        self._tail = data[len(data) - self._needles.overlap :] if self._needles.overlap else b""


def file_blocks(descriptor: int, start: int = 0) -> Blocks:
    """Return a reader of a file's blocks by position, so that nobody else is disturbed."""
    at = start
    end = os.fstat(descriptor).st_size

    def read() -> bytes:
        nonlocal at
        # Not more than there is: what is read short is copied once more. At the end one byte asks.
        block = os.pread(descriptor, min(BLOCK, max(1, end - at)), at)
        at += len(block)
        return block

    return read


def inflated_blocks(descriptor: int, start: int) -> Blocks:
    """Return a reader of a raw deflate stream that must reach to the end of the file.

    Parameters
    ----------
    descriptor : int
        Open file. Borrowed.
    start : int
        Offset of the stream.

    Raises
    ------
    UnaccountedError
        By the reader: the stream is corrupt, or more than a zero byte of padding (PS3.5 A.5)
        follows it.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    compressed = file_blocks(descriptor, start)

    def read() -> bytes:
        while not inflater.eof:
            raw = inflater.unconsumed_tail or compressed()
            try:
                out = inflater.decompress(raw, BLOCK)
            except zlib.error:
                raise UnaccountedError("the deflated dataset can't be inflated") from None
            if out:
                return out
            if not raw and not inflater.eof:
                raise UnaccountedError("the deflated dataset has no end")
        if inflater.unused_data + compressed() not in (b"", b"\0"):
            raise UnaccountedError("bytes follow the deflated dataset")
        return b""

    return read
