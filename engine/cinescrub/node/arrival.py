"""An instance on its way in: encrypted as it comes, hashed on the way."""

from __future__ import annotations

import hashlib
from typing import Final

from cinescrub.node.vault import LABEL_BYTES, SealedFile

__all__ = ["HASH_BYTES", "Arrival", "hashed"]

HASH_BYTES: Final = LABEL_BYTES // 2
"""Of a keyed hash: the name's and the content's make a label."""


def hashed(key: bytes, value: bytes) -> bytes:
    """Return a keyed hash: without the key nothing can be guessed and compared."""
    return hashlib.blake2b(value, key=key, digest_size=HASH_BYTES).digest()


class Arrival:
    """What has come of an instance so far. Not for several threads at once.

    Parameters
    ----------
    identity : str
        Of the entry that it becomes.
    sealed : SealedFile
        Where it goes; owned.
    key : bytes
        Of the hashes.
    """

    def __init__(self, identity: str, sealed: SealedFile, key: bytes) -> None:
        self.id = identity
        self.sealed = sealed
        self.size = 0
        """Bytes of the data set."""
        self._digest = hashlib.blake2b(key=key, digest_size=HASH_BYTES)

    def begin(self, head: bytes, syntax: str) -> None:
        """Write what precedes the data set in a file; of that, only the syntax counts for copies.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        self._digest.update(syntax.encode())
        self.sealed.write(head)

    def write(self, data: bytes | memoryview) -> None:
        """Add to the data set.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        self._digest.update(data)
        self.size += len(data)
        self.sealed.write(data)

    def discard(self) -> None:
        """Remove it. May be called twice."""
        self.sealed.discard()

    @property
    def content(self) -> bytes:
        """Keyed hash of the data set and its syntax."""
        return self._digest.digest()
