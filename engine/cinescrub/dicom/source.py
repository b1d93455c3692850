"""An input opened: its header, what its pixels are and where each frame's bytes lie.

The file is memory-mapped and never written to. No frame is decoded here and none is held: a
frame is a view of the map, or one frame's bytes where they aren't in one piece.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Self, cast

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag

from cinescrub.dicom import header as headers
from cinescrub.dicom.describe import (
    describe,
    refuse_without_pixels,
    require_identity,
)
from cinescrub.dicom.fragments import OffsetTable
from cinescrub.dicom.frames import (
    Frames,
    Native,
    Swapped,
    check_pixels,
    encapsulated_frames,
    native_frames,
    native_vr,
)
from cinescrub.dicom.header import Layout, syntax_name
from cinescrub.dicom.inflate import InflatedFrames, InflateReader
from cinescrub.dicom.structure import Element, label
from cinescrub.errors import InputError, NotDicomError
from cinescrub.syntaxes import COMPRESSED, DEFLATED, NATIVE, RLE
from cinescrub.types import CineInfo

__all__ = ["Source", "open_source", "probe"]

_PIXEL_DATA = 0x7FE00010
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_BLOCK = 1 << 20
_VIDEO = frozenset(str(number) for number in range(100, 109))  # MPEG-2 to HEVC, PS3.6 table A-1
_REFERENCED = frozenset({"94", "95", "204", "205"})  # JPIP
_RELEASE_BYTES = 1 << 21
"""Mapped pages behind the reader are let go every 2 MiB: they count as resident otherwise."""


@dataclass(slots=True)
class Source:
    """An open input. A context manager; made by `open_source`.

    Frames may be asked for from several threads. A view is borrowed: it must be gone before the
    source is closed.
    """

    path: Path
    header: Dataset
    """Root elements before the pixel data, without group 7FE0, values as pydicom reads them. The
    receiver copies: it is not to be changed."""
    file_meta: FileMetaDataset
    info: CineInfo
    size: int
    """Bytes of the file."""
    pixel_vr: str
    """VR of Pixel Data as `frame` yields native frames, OB or OW."""
    pixel_span: tuple[int, int] | None
    """(offset, length) of native pixel data in the file, padding excluded; None where they don't
    lie there as `frame` yields them (encapsulated, deflated, odd frames in swapped words)."""
    notes: tuple[str, ...]
    """What was tolerated or concluded; no PHI."""
    extended_offsets: bool
    """Whether it has an Extended Offset Table (PS3.3 C.7.6.3.1.8)."""
    left_out: tuple[int, ...]
    """Tags of private elements over 1 MiB that were not read."""
    _file: BinaryIO = field(repr=False)
    _map: mmap.mmap = field(repr=False)
    _frames: Frames = field(repr=False)
    _digest: str = field(default="", repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go. Frames that are still held keep the map until they are dropped."""
        self._frames.close()
        with suppress(BufferError):  # raised where a view is still out there
            self._map.close()
        self._file.close()

    @property
    def transfer_syntax(self) -> str:
        """UID of the transfer syntax."""
        return self.info.transfer_syntax

    @property
    def fileno(self) -> int:
        """Descriptor of the open file, for copies within the kernel. Borrowed."""
        return self._file.fileno()

    @property
    def sha256(self) -> str:
        """Hash of the whole file in hex, computed when first asked for."""
        with self._lock:
            if not self._digest:
                digest = hashlib.sha256()
                for at in range(0, self.size, _BLOCK):
                    digest.update(os.pread(self.fileno, _BLOCK, at))
                self._digest = digest.hexdigest()
            return self._digest

    def frame(self, k: int) -> memoryview:
        """Return the stored bytes of frame `k`.

        Parameters
        ----------
        k : int
            0 to `info.frames` - 1.

        Returns
        -------
        memoryview
            Read-only. Native: a view of the map, exactly `info.frame_bytes` long. Encapsulated:
            the frame's fragments, joined in memory only if there are several; a byte of padding
            to even length stays. Deflated: one frame's bytes, quick in order only.

        Raises
        ------
        InputError
            The deflated stream ends before, is corrupt, or is larger than declared.
        """
        if not 0 <= k < self.info.frames:
            raise IndexError(f"frame {k} of {self.info.frames}")
        return self._frames.frame(k)

    def frames_in_order(self) -> Iterator[memoryview]:
        """Yield every frame, letting go of mapped pages behind it.

        Frames that were yielded stay valid; they are only read from the file again.
        """
        passed = 0
        for k in range(self.info.frames):
            frame = self.frame(k)
            passed += len(frame)  # before it is handed over: the receiver may release it
            yield frame
            if passed > _RELEASE_BYTES:
                self.release()
                passed = 0

    def release(self) -> None:
        """Let go of the mapped pages. Views stay valid: what is read again comes from the cache."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)


def probe(path: Path) -> None:
    """Tell by content whether `path` is a DICOM instance; the suffix doesn't matter.

    Raises
    ------
    NotDicomError
        It isn't, or it is a DICOMDIR.
    InputError
        It can't be read, or it is DICOM but broken from the start.
    """
    file, size = _open(path)
    with file:
        headers.open_container(file, size)


def open_source(path: Path) -> Source:
    """Open an input, read its header and check that its frames are all there.

    Raises
    ------
    NotDicomError
        The content isn't DICOM, or it is a DICOMDIR.
    InputError
        Unreadable, truncated, malformed or of a kind that isn't supported. The message names the
        tag or the length that is wrong and never a value.
    """
    file, size = _open(path)
    try:
        with headers.quiet():
            return _source(path, file, size)
    except BaseException:
        file.close()
        raise


def _open(path: Path) -> tuple[BinaryIO, int]:
    try:
        # O_NONBLOCK: opening a pipe would wait for its writer; it does nothing to a file
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror or 'no such file'}") from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size >= 8:  # tag and length: the least element
        return os.fdopen(descriptor, "rb"), status.st_size
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise NotDicomError("not a regular file")
    raise NotDicomError("not DICOM: too short" if status.st_size else "not DICOM: empty")


def _source(path: Path, file: BinaryIO, size: int) -> Source:
    container = headers.open_container(file, size)
    _refuse_by_syntax(container.syntax)
    inflated = None
    stream, start = file, container.dataset
    end: int | None = size
    if container.syntax == DEFLATED:
        inflated = InflateReader(file.fileno(), container.dataset)
        stream, start, end = cast(BinaryIO, inflated), 0, None  # it has all that is called
    layout = headers.lay_out(stream, start, container.encoding, end)
    dataset, left_out = headers.read_header(stream, layout)
    notes = container.notes + layout.notes + _complete_identity(dataset, container.meta)
    pixels = _pixel_element(layout, dataset)
    extended = _take_extended_offsets(dataset)
    require_identity(dataset)
    info = describe(
        dataset, container.syntax, little=layout.encoding.little, words=pixels.vr == "OW"
    )
    check_pixels(info, pixels, size, deflated=inflated is not None)
    mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    if inflated is not None:
        frames: Frames = InflatedFrames(inflated, pixels.value, info.frame_bytes, info.frames)
    elif info.native:
        frames = native_frames(info, pixels, mapped)
    else:
        frames = encapsulated_frames(info, pixels, mapped, file.fileno(), extended)
        notes += frames.index.notes
    span = None
    if isinstance(frames, Native):
        span = (pixels.value, info.frame_bytes * info.frames)
    if isinstance(frames, Swapped):
        info = replace(info, words=False)
    return Source(
        path=path,
        header=dataset,
        file_meta=container.meta,
        info=info,
        size=size,
        pixel_vr=native_vr(info, container.encoding, pixels.vr),
        pixel_span=span,
        notes=notes,
        extended_offsets=extended is not None,
        left_out=left_out,
        _file=file,
        _map=mapped,
        _frames=frames,
    )


def _refuse_by_syntax(uid: str) -> None:
    """Refuse what isn't one dataset with its frames inside of it, by the standard's name.

    What remains of encapsulated syntaxes is for the codecs' registry to accept or refuse.
    """
    name = f"transfer syntax {syntax_name(uid)}"
    if uid in NATIVE or uid == RLE:
        return
    if not uid.startswith(COMPRESSED):
        raise InputError(f"{name} is not supported")
    number = uid.removeprefix(COMPRESSED)
    if number.partition(".")[0] in _VIDEO:
        raise InputError(f"{name} is video, which is not supported yet")
    if number in _REFERENCED:
        raise InputError(f"{name} has its pixels elsewhere: not supported")


def _complete_identity(dataset: Dataset, meta: FileMetaDataset) -> tuple[str, ...]:
    """Take SOP Class and Instance UID from the file meta where the dataset lacks them."""
    notes = []
    for tag, in_meta in ((0x00080016, 0x00020002), (0x00080018, 0x00020003)):
        if BaseTag(tag) not in dataset and BaseTag(in_meta) in meta:
            with headers.guarded(f"malformed: {label(in_meta)} can't be read"):
                dataset.add_new(tag, "UI", meta[in_meta].value)
            notes.append(f"{label(tag)} was taken from the file meta information")
    return tuple(notes)


def _pixel_element(layout: Layout, dataset: Dataset) -> Element:
    if layout.pixels is None:
        raise refuse_without_pixels(dataset)
    if layout.pixels.tag != _PIXEL_DATA:
        raise InputError(f"{label(layout.pixels.tag)} is not supported: only integer pixel data")
    return layout.pixels


def _take_extended_offsets(dataset: Dataset) -> OffsetTable | None:
    """Take group 7FE0 out of the header: it would be stale in any output."""
    tables = []
    for tag in (_OFFSETS, _LENGTHS):
        raw = headers.raw_element(dataset, tag)
        value = None if raw is None else raw.value
        if isinstance(value, bytes) and value and len(value) % 8 == 0:
            tables.append(struct.unpack(f"<{len(value) // 8}Q", value))
    for key in [key for key in dataset.keys() if key >> 16 == 0x7FE0]:  # noqa: SIM118 - a Dataset iterates over elements
        del dataset[key]
    return OffsetTable(*tables) if len(tables) == 2 else None
