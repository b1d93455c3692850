"""Files encrypted at rest: written as they arrive, read whole or not at all, and shredded.

Each file has a data key of its own, wrapped with the vault's and kept in the file's head. Content
goes in chunks, each under AES-256-GCM with its number and whether it is the last as nonce (the
STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizar, 2015), so that nothing can be changed,
cut off, moved or swapped without being noticed. Knows nothing of DICOM.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cinescrub.dicom.target import sync_folder
from cinescrub.errors import InputError

__all__ = ["LABEL_BYTES", "SealedFile", "Vault", "label_of", "shred"]

_MAGIC: Final = b"CINESPL\x01"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_CHUNK: Final = 1 << 20
"""Bytes that are encrypted at once; what a file costs in memory is a few of them."""
LABEL_BYTES: Final = 32
"""What the writer may put into the head in clear: keyed hashes, by which a file without a row in
the database is known again."""
_WRAPPED_AT: Final = len(_MAGIC)
_WRAPPED_BYTES: Final = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES
_LABEL_AT: Final = _WRAPPED_AT + _WRAPPED_BYTES
_HEAD_BYTES: Final = _LABEL_AT + LABEL_BYTES
_DAMAGED: Final = "the spooled original is damaged, or of another key"


@dataclass(frozen=True, slots=True)
class Vault:
    """Makes and reads encrypted files under one secret."""

    secret: bytes
    """32 bytes."""

    def __repr__(self) -> str:
        return "Vault(...)"

    def create(self, path: Path, name: str) -> SealedFile:
        """Begin a file of mode 0600.

        Parameters
        ----------
        path : Path
            Where; there must be none.
        name : str
            Belongs to the content: under another it can't be read.

        Raises
        ------
        OSError
            It can't be made.
        """
        key, nonce = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        wrapped = nonce + AESGCM(self.secret).encrypt(nonce, key, _bound(name))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
        try:
            file.write(_MAGIC + wrapped + bytes(LABEL_BYTES))
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return SealedFile(path, file, AESGCM(key))

    def read(self, path: Path, name: str) -> Iterator[bytes]:
        """Yield the content in pieces. It is whole, and unchanged, once the last was yielded.

        Raises
        ------
        InputError
            The file is damaged, cut off, of another key or name, or shredded.
        OSError
            It can't be read.
        """
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if len(head) != _HEAD_BYTES or not head.startswith(_MAGIC):
                raise InputError(_DAMAGED)
            wrapped = head[_WRAPPED_AT:_LABEL_AT]
            try:
                key = AESGCM(self.secret).decrypt(
                    wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound(name)
                )
                yield from _chunks(file, AESGCM(key))
            except InvalidTag:
                raise InputError(_DAMAGED) from None


def _chunks(file: BinaryIO, cipher: AESGCM) -> Iterator[bytes]:
    number, piece = 0, file.read(_CHUNK + _TAG_BYTES)
    while True:
        following = file.read(_CHUNK + _TAG_BYTES)
        yield cipher.decrypt(_nonce(number, last=not following), piece, None)
        if not following:
            return
        number, piece = number + 1, following


class SealedFile:
    """A file that is being written. Without `seal` it is worth nothing, and `discard` removes it.

    Not for several threads at once.
    """

    def __init__(self, path: Path, file: BinaryIO, cipher: AESGCM) -> None:
        self.path = path
        self._file = file
        self._cipher = cipher
        self._held = bytearray()
        self._number = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add content.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        self._held += data
        # One chunk's worth stays: the last one is marked, and which that is shows at the end.
        while len(self._held) > _CHUNK:
            self._put(bytes(self._held[:_CHUNK]), last=False)
            del self._held[:_CHUNK]

    def seal(self, label: bytes) -> None:
        """Write what is left and the label; all of it is on the disk when this returns.

        The name is not, until `sync_folder`.

        Parameters
        ----------
        label : bytes
            `LABEL_BYTES` of them, which say nothing to who has no key.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        self._put(bytes(self._held), last=True)
        self._held.clear()
        os.pwrite(self._file.fileno(), label, _LABEL_AT)
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Remove it. May be called twice."""
        self._held.clear()
        self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), chunk, None)
        self._number += 1
        view = memoryview(sealed)
        while view:  # an unbuffered file may take less
            view = view[self._file.write(view) :]


def label_of(path: Path) -> bytes | None:
    """Return the label of a sealed file; None if it is none.

    Raises
    ------
    OSError
        It can't be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head[_LABEL_AT:] if len(head) == _HEAD_BYTES and head.startswith(_MAGIC) else None


def shred(path: Path) -> None:
    """Destroy a file's data key, then the file. One that is not there is shredded.

    The key is overwritten in place. On flash and on file systems that write elsewhere an old copy
    may outlive that; to use it takes the vault's key too.

    Raises
    ------
    OSError
        It can't be written or removed.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        os.pwrite(descriptor, secrets.token_bytes(_WRAPPED_BYTES), _WRAPPED_AT)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _bound(name: str) -> bytes:
    return _MAGIC + name.encode("ascii")


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">QI", number, last)
