"""Writing an output aside and committing it: it exists whole under its name, or not at all.

The temporary file lies in the target's folder, is readable by its owner alone, and has a name
that says nothing. What is written here is given: nothing is scrubbed or redacted.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from array import array
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset

from cinescrub.dicom.encode import encoded_dataset, encoded_meta
from cinescrub.dicom.source import Source
from cinescrub.dicom.target import (
    claim,
    copy_range,
    make_folders,
    os_errors,
    sync_folder,
    temporary_name,
)
from cinescrub.errors import OutputError, ScrubError
from cinescrub.syntaxes import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE

__all__ = ["OutputFile"]

_PIXEL_DATA = (0x7FE0, 0x0010)
_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = (0x7FE0, 0x0001), (0x7FE0, 0x0002)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_MAX_LENGTH = 0xFFFFFFFE  # PS3.5 7.1.1: even, and 0xFFFFFFFF is taken
MAX_OFFSET = 0xFFFFFFFF
"""What an entry of the Basic Offset Table holds (PS3.5 A.4)."""

_BLOCK = 1 << 20


class _State(Enum):
    NEW = "new"
    HEADER = "header"
    NATIVE = "native"
    ENCAPSULATED = "encapsulated"
    FINISHED = "finished"
    COMMITTED = "committed"


class OutputFile:
    """One output, written aside. A context manager: left without `commit`, nothing remains.

    The order of calls is `write_header`, then one of

    - `copy_native`, whose view is filled in place (uncompressed, not deflated);
    - `native` and `append_native` for each frame (uncompressed; the only way if deflated);
    - `encapsulated` and `append` for each frame (compressed);

    then `finish`, after which `path` can be opened and checked, then `commit`.

    Parameters
    ----------
    target : Path
        What the file is called in the end. Its folders are created, and removed again if they
        are empty after an abort.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._state = _State.NEW
        self._created: list[Path] = []
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None
        self._map: mmap.mmap | None = None
        self._deflater: zlib._Compress | None = None
        self._implicit = False
        self._little = True
        self._left = 0
        self._pad = False
        self._frames = 0
        self._extended = False
        self._element_at = 0
        self._first_at = 0
        self._offsets = array("Q")
        self._lengths = array("Q")

    def __enter__(self) -> Self:
        with os_errors():
            for _ in range(
                3
            ):  # another's abort may remove the folder in between, or a sweep the file
                self._created += make_folders(self._target.parent)
                path = self._target.parent / temporary_name()
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
                with suppress(FileNotFoundError):
                    file = os.fdopen(os.open(path, flags, 0o600), "w+b", buffering=_BLOCK)
                    if claim(file.fileno()):
                        self._file, self._temporary = file, path
                        return self
                    file.close()
            raise OutputError("the target's folder disappears while it is written to")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unmap()
        if self._file is not None:
            with suppress(OSError):  # flushing may fail again; the file is dropped anyway
                self._file.close()
        if self._state is not _State.COMMITTED:
            self._discard()

    @property
    def path(self) -> Path:
        """Where the bytes are now: the temporary file, then the target."""
        if self._temporary is None:
            raise RuntimeError("the output is not open")
        return self._temporary

    def write_header(self, file_meta: FileMetaDataset, dataset: Dataset) -> None:
        """Write a zeroed preamble, group 0002 and the dataset without its pixels.

        Parameters
        ----------
        file_meta : FileMetaDataset
            Its transfer syntax decides how the dataset is encoded. Not modified.
        dataset : Dataset
            Everything before group 7FE0; not modified, and nothing after is accepted.

        Raises
        ------
        ScrubError
            The dataset holds what can't be encoded.
        OutputError
            The target can't be written.
        """
        file = self._at(_State.NEW)
        if max(map(int, dataset.keys()), default=0) >> 16 >= 0x7FE0:
            raise ScrubError(
                "the scrubbed header has an element in or after the pixel data's group"
            )
        syntax = str(file_meta.TransferSyntaxUID)
        self._implicit = syntax == IMPLICIT_LITTLE
        self._little = syntax != EXPLICIT_BIG
        meta = encoded_meta(file_meta)
        body = encoded_dataset(dataset, implicit=self._implicit, little=self._little)
        with os_errors():
            file.write(bytes(128) + b"DICM" + meta)
            if syntax == DEFLATED:
                self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            self._write(body)
        self._state = _State.HEADER

    def native(self, length: int, vr: str) -> None:
        """Start uncompressed pixel data of `length` bytes; `append_native` has to fill it.

        Parameters
        ----------
        length : int
            Without the byte of padding that an odd one gets (PS3.5 8.1.1).
        vr : str
            OB or OW, as `Source.pixel_vr` says.
        """
        self._at(_State.HEADER)
        if length + length % 2 > _MAX_LENGTH:
            raise OutputError("uncompressed pixel data over 4 GiB can't be written (PS3.5 7.1.1)")
        with os_errors():
            self._write(self._element(vr, length + length % 2))
        self._left, self._pad = length, length % 2 == 1
        self._state = _State.NATIVE

    def append_native(self, frame: bytes | memoryview) -> None:
        """Write the next bytes of uncompressed pixel data."""
        self._at(_State.NATIVE)
        if len(frame) > self._left:
            raise OutputError("more pixel data than declared: nothing was written")
        with os_errors():
            self._write(frame)
        self._left -= len(frame)

    def copy_native(self, source: Source) -> memoryview:
        """Write the pixel data of `source` as they are and map them for changes in place.

        The bytes are written, and so have their place on the disk, before they are mapped: a full
        disk shows as an error here and not as a signal on a later change of a page.

        Parameters
        ----------
        source : Source
            Uncompressed. Not for deflated outputs.

        Returns
        -------
        memoryview
            Writable, the pixel data without padding. Borrowed until `finish`.
        """
        if self._deflater is not None:
            raise RuntimeError("a deflated output has no pixels to map: use append_native")
        length = source.info.frame_bytes * source.info.frames
        self.native(length, source.pixel_vr)
        file = self._at(_State.NATIVE)
        with os_errors():
            start = file.tell()
            if source.pixel_span is None:
                for frame in source.frames_in_order():
                    self._write(frame)
            else:
                file.flush()
                copy_range(source.fileno, source.pixel_span[0], file.fileno(), start, length)
                file.seek(start + length)
            self._left = 0
            self._end_native()
            file.flush()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE)
        return memoryview(self._map)[start : start + length]

    def release(self) -> None:
        """Let go of mapped pages, so that they don't count as resident. Views stay valid.

        What was changed stays in the system's cache, as the map is a shared one.
        """
        if self._map is not None and hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def encapsulated(self, frames: int, *, extended: bool = False) -> None:
        """Start compressed pixel data with a table of the offsets of `frames` frames.

        Parameters
        ----------
        frames : int
            How many `append` will be given.
        extended : bool, optional
            Write the Extended Offset Table (PS3.3 C.7.6.3.1.8) instead of the Basic one, for what
            may get larger than 4 GiB. A Basic one that is outgrown is replaced by it, which
            moves all frames once.
        """
        file = self._at(_State.HEADER)
        self._frames = frames
        with os_errors():
            self._element_at = file.tell()
            self._write(self._tables(extended=extended))
            self._first_at = file.tell()
        self._extended = extended
        self._state = _State.ENCAPSULATED

    def append(self, frame: bytes | memoryview) -> None:
        """Write the next compressed frame as one fragment, padded to even length (PS3.5 A.4)."""
        file = self._at(_State.ENCAPSULATED)
        length = len(frame) + len(frame) % 2
        if length > _MAX_LENGTH:
            raise OutputError("a compressed frame over 4 GiB can't be written (PS3.5 7.1.1)")
        if len(self._offsets) == self._frames:
            raise OutputError("more frames than declared: nothing was written")
        with os_errors():
            offset = file.tell() - self._first_at
            if offset > MAX_OFFSET and not self._extended:
                self._extend()
            self._offsets.append(offset)
            self._lengths.append(length)
            self._write(struct.pack("<HHL", *_ITEM, length))
            self._write(frame)
            self._write(bytes(len(frame) % 2))

    def finish(self) -> None:
        """Complete the file, so that it can be opened and checked at `path`.

        Raises
        ------
        OutputError
            Fewer bytes or frames were written than declared, or the target can't be written.
        """
        if self._state is _State.FINISHED:
            return
        file = self._opened()
        if self._state is _State.ENCAPSULATED:
            if len(self._offsets) != self._frames:
                raise OutputError("fewer frames than declared were written: output dropped")
            with os_errors():
                self._write(struct.pack("<HHL", *_SEQUENCE_END, 0))
                file.flush()
                tables = self._tables(extended=self._extended)
                _write_all(file.fileno(), tables, self._element_at)
        elif self._state is not _State.NATIVE or self._left:
            raise OutputError("less pixel data than declared was written: output dropped")
        with os_errors():
            self._end_native()
            if self._deflater is not None:
                file.write(self._deflater.flush())
                file.write(bytes(file.tell() % 2))  # PS3.5 A.5: a zero byte to even length
            file.flush()
        self._unmap()
        self._state = _State.FINISHED

    def commit(self) -> None:
        """Make the file durable and give it its name, replacing what was there, in one step."""
        self.finish()
        file = self._opened()
        with os_errors():
            os.fsync(file.fileno())
            os.replace(self.path, self._target)
            self._temporary = self._target  # an error from here on removes it again
            file.close()  # and with it the claim: a `sweep` in between would take it for abandoned
            sync_folder(self._target.parent)
        self._state = _State.COMMITTED

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("the output is not open")
        return self._file

    def _at(self, state: _State) -> BinaryIO:
        if self._state is not state:
            raise RuntimeError(f"out of order: {self._state.value}, expected {state.value}")
        return self._opened()

    def _write(self, data: bytes | memoryview) -> None:
        file = self._opened()
        file.write(data if self._deflater is None else self._deflater.compress(data))

    def _element(self, vr: str, length: int) -> bytes:
        """Encode tag, VR and length of Pixel Data."""
        order = "<" if self._little else ">"
        if self._implicit:
            return struct.pack(f"{order}HHL", *_PIXEL_DATA, length)
        return struct.pack(f"{order}HH2sHL", *_PIXEL_DATA, vr.encode(), 0, length)

    def _end_native(self) -> None:
        if self._pad:
            self._write(b"\0")
            self._pad = False

    def _tables(self, *, extended: bool) -> bytes:
        """Encode what precedes the first frame's item, with the offsets that are known so far."""
        missing = [0] * (self._frames - len(self._offsets))
        head = self._element("OB", _UNDEFINED)
        if not extended:
            basic = struct.pack(f"<{self._frames}L", *self._offsets, *missing)
            return head + struct.pack("<HHL", *_ITEM, len(basic)) + basic
        tables = b""
        for tag, values in ((_EXTENDED_OFFSETS, self._offsets), (_EXTENDED_LENGTHS, self._lengths)):
            tables += struct.pack("<HH2sHL", *tag, b"OV", 0, 8 * self._frames)
            tables += struct.pack(f"<{self._frames}Q", *values, *missing)
        return tables + head + struct.pack("<HHL", *_ITEM, 0)

    def _extend(self) -> None:
        """Replace the Basic Offset Table, which can't hold what follows, by the Extended one.

        Frames move up by what the larger table takes, last block first.
        """
        file = self._opened()
        file.flush()
        end, descriptor = file.tell(), file.fileno()
        tables = self._tables(extended=True)
        by = self._element_at + len(tables) - self._first_at
        while end > self._first_at:
            start = max(self._first_at, end - _BLOCK)
            _write_all(descriptor, os.pread(descriptor, end - start, start), start + by)
            end = start
        _write_all(descriptor, tables, self._element_at)
        self._first_at += by
        self._extended = True
        file.seek(0, os.SEEK_END)

    def _unmap(self) -> None:
        if self._map is not None:
            with suppress(BufferError):  # a view is still held; the map goes with it
                self._map.close()
            self._map = None

    def _discard(self) -> None:
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()
        for folder in reversed(self._created):
            with suppress(OSError):  # others have put something there
                folder.rmdir()


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    """Write at an offset, also where the system takes only a part at a time."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], at + done)
