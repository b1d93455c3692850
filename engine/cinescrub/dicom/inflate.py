"""Deflated Explicit VR Little Endian (PS3.5 A.5): reading the dataset without inflating it whole.

`InflateReader` is a forward-reading binary file over the raw deflate stream; a seek back starts
over. `InflatedFrames` hands out native frames in order. Neither holds more than a frame.
"""

from __future__ import annotations

import io
import os
import zlib
from threading import Lock

from cinescrub.errors import InputError

__all__ = ["MAX_RATIO", "InflateReader", "InflatedFrames"]

MAX_RATIO = 1032
"""Deflate can't expand more: a 258-byte match in two bits (RFC 1951 3.2.5)."""

MAX_HEADER_BYTES = 1 << 28
"""256 MiB inflated before the pixel data: more is refused as a bomb."""

MAX_TAIL_BYTES = 1 << 20
"""1 MiB inflated after the pixel data: padding and signatures, no more."""

_BLOCK = 1 << 18


class InflateReader(io.RawIOBase):
    """A read-only binary file of the inflated dataset.

    Parameters
    ----------
    descriptor : int
        Open file, read by position: nothing else that uses it is disturbed. Borrowed.
    start : int
        Offset of the deflated bytes.
    limit : int, optional
        Inflated bytes that may be asked for, `MAX_HEADER_BYTES` if not given; beyond, the stream
        is refused.
    """

    def __init__(self, descriptor: int, start: int, limit: int | None = None) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = start
        self.limit = MAX_HEADER_BYTES if limit is None else limit
        self._restart()

    def _restart(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._next = self._start
        self._pending = b""
        self._tell = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: backwards at the price of starting over."""
        return True

    def tell(self) -> int:
        """Return the position in the inflated dataset."""
        return self._tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset from the start, or from here; the end isn't known.

        Raises
        ------
        InputError
            The stream ends before.
        """
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the end of a deflated dataset isn't known")
        target = offset + (self._tell if whence == os.SEEK_CUR else 0)
        if target < self._tell:
            self._restart()
        while self._tell < target:
            if not self.read(min(_BLOCK, target - self._tell)):
                raise InputError("truncated: the deflated dataset ends inside an element")
        return self._tell

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer at the end of the stream. `size` must be given."""
        if size < 0:
            raise io.UnsupportedOperation("a deflated dataset is never read whole")
        if self._tell + size > self.limit:
            raise InputError("the deflated dataset is larger than its header allows: refused")
        parts = []
        need = size
        while need and (part := self._some(need)):
            parts.append(part)
            need -= len(part)
        self._tell += size - need
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, most: int) -> bytes:
        """Inflate up to `most` bytes; empty at the end."""
        while not self._inflater.eof:
            raw = self._pending or os.pread(self._descriptor, _BLOCK, self._next)
            if not self._pending:
                self._next += len(raw)
            try:
                out = self._inflater.decompress(raw, most)
            except zlib.error:
                raise InputError("corrupt: the deflated dataset can't be inflated") from None
            self._pending = self._inflater.unconsumed_tail
            if out:
                return out
            if not raw:
                raise InputError("truncated: the deflated dataset has no end")
        return b""


class InflatedFrames:
    """Native frames of a deflated dataset: quick in order, started over otherwise.

    Parameters
    ----------
    reader : InflateReader
        Owned.
    start : int
        Inflated offset of the value of Pixel Data.
    frame_bytes, frames : int
        Layout, already checked against the declared length.
    """

    def __init__(self, reader: InflateReader, start: int, frame_bytes: int, frames: int) -> None:
        reader.limit = start + frame_bytes * frames + MAX_TAIL_BYTES
        self._reader = reader
        self._start = start
        self._frame_bytes = frame_bytes
        self._frames = frames
        self._lock = Lock()

    def frame(self, k: int) -> memoryview:
        """Return the bytes of frame `k`, owned by the caller."""
        with self._lock:
            self._reader.seek(self._start + k * self._frame_bytes)
            raw = self._reader.read(self._frame_bytes)
            if len(raw) < self._frame_bytes:
                raise InputError(f"truncated: the deflated dataset ends inside frame {k}")
            if k == self._frames - 1:
                self._drain()
        return memoryview(raw)

    def close(self) -> None:
        """Drop the stream."""
        self._reader.close()

    def _drain(self) -> None:
        """Read to the end of the stream, so that a cut or swollen one is refused."""
        while self._reader.read(4096):
            pass
