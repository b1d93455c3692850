"""What leads back from outputs to inputs, where somebody asked for it: kept apart, for few eyes.

A crosswalk is a file of Fernet tokens (AES-128-CBC and HMAC-SHA-256, of the `cryptography`
library), one a line, under a key derived from the site's: who has the key file can read it, and
nobody else. Lines are only ever added, each in one write under a lock, so that runs side by side
and a crash cost at most the line that was being written. The two CSV files for the validation
script of MIDI-B are not encrypted.
"""

from __future__ import annotations

import base64
import csv
import fcntl
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeAlias

from cinescrub.dicom.outcome import Links
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.errors import ConfigError, OutputError

__all__ = ["Crosswalk", "Entry", "MidiMaps", "Recorder", "read_crosswalk"]

_PURPOSE: Final = "crosswalk/1"

_Token: TypeAlias = Callable[[bytes], bytes]


class Recorder(Protocol):
    """Who is told what leads back, before an output gets its name."""

    def record(self, links: Links) -> None:
        """Keep the links of one output."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair of a crosswalk."""

    kind: str
    """`patient`, `uid` or `shift` (seconds that a patient's dates were moved by)."""
    old: str = field(repr=False)
    issuer: str = field(repr=False)
    """IssuerOfPatientID, of a patient."""
    new: str


@dataclass(slots=True)
class Crosswalk:
    """An encrypted file to which the links of outputs are added."""

    path: Path
    _encrypt: _Token = field(repr=False)
    _known: set[Entry] = field(repr=False)

    @classmethod
    def open(cls, path: Path, pseudonyms: Pseudonyms) -> Self:
        """Open a crosswalk for more, or begin one with mode 0600.

        Raises
        ------
        ConfigError
            The `cryptography` library isn't installed, others may read the file, or it was
            written with another key.
        OutputError
            It can't be made.
        """
        encrypt, _ = _fernet(pseudonyms)
        known: set[Entry] = set()
        if path.exists():
            _check_private(path)
            known.update(entry for entry in read_crosswalk(path, pseudonyms) if entry is not None)
        _append(path, b"")  # now, rather than after the first cine
        return cls(path, encrypt, known)

    def record(self, links: Links) -> None:
        """Add what isn't there yet as one line.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        new = [entry for entry in _entries(links) if entry not in self._known]
        if new:
            rows = [[entry.kind, entry.old, entry.issuer, entry.new] for entry in new]
            _append(self.path, self._encrypt(json.dumps(rows).encode("utf-8")) + b"\n")
            self._known.update(new)


def read_crosswalk(path: Path, pseudonyms: Pseudonyms) -> Iterator[Entry | None]:
    """Yield what a crosswalk holds; None for a line that was cut off or changed.

    Raises
    ------
    ConfigError
        The file can't be read, or no line of it with this key.
    """
    _, decrypt = _fernet(pseudonyms)
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError:
        raise ConfigError(f"the crosswalk {path} can't be read") from None
    read = [_rows(line, decrypt) for line in lines]
    if lines and all(rows is None for rows in read):
        raise ConfigError(f"the crosswalk {path} was written with another key, or is none")
    for rows in read:
        if rows is None:
            yield None
        else:
            yield from (Entry(*row) for row in rows)


@dataclass(slots=True)
class MidiMaps:
    """The mappings that the validation script of the MIDI-B challenge reads, as two CSV files.

    They hold identifiers in clear: the challenge's are made up.
    """

    folder: Path
    _known: set[tuple[str, str, str]] = field(default_factory=set, repr=False)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Begin both files anew, with mode 0600.

        Raises
        ------
        OutputError
            The folder can't be made or written.
        """
        maps = cls(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in _MAPS.values():
                (folder / name).unlink(missing_ok=True)
        except OSError:
            raise OutputError(f"{folder} can't be written: name another folder") from None
        for name in _MAPS.values():
            _append(folder / name, b"id_old,id_new\r\n")
        return maps

    def record(self, links: Links) -> None:
        """Add the links of one output.

        Raises
        ------
        OutputError
            A file can't be written.
        """
        for entry in _entries(links):
            key = entry.kind, entry.old, entry.new
            if entry.kind in _MAPS and key not in self._known:
                text = io.StringIO()
                csv.writer(text).writerow([entry.old, entry.new])
                _append(self.folder / _MAPS[entry.kind], text.getvalue().encode("utf-8"))
                self._known.add(key)


_MAPS: Final = {"uid": "uid_mapping.csv", "patient": "patid_mapping.csv"}


def _entries(links: Links) -> Iterator[Entry]:
    old, issuer, new = links.patient
    if old:
        yield Entry("patient", old, issuer, new)
        if links.shift_seconds is not None:
            yield Entry("shift", old, issuer, str(links.shift_seconds))
    for before, after in links.uids.items():
        yield Entry("uid", before, "", after)


def _rows(line: bytes, decrypt: _Token) -> list[list[str]] | None:
    try:
        rows: list[list[str]] = json.loads(decrypt(line.strip()))
    except ValueError:
        return None
    return rows


def _fernet(pseudonyms: Pseudonyms) -> tuple[_Token, _Token]:
    """Return functions that encrypt, and decrypt or raise ValueError."""
    try:
        from cryptography.fernet import Fernet, InvalidToken
    except ImportError:
        raise ConfigError(
            "a crosswalk needs the cryptography library: pip install 'cinescrub[crosswalk]'"
        ) from None
    fernet = Fernet(base64.urlsafe_b64encode(pseudonyms.derived(_PURPOSE)))

    def decrypt(token: bytes) -> bytes:
        try:
            return fernet.decrypt(token)
        except InvalidToken:
            raise ValueError from None

    return fernet.encrypt, decrypt


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        raise ConfigError(f"the crosswalk {path} can't be read") from None
    if not stat.S_ISREG(mode):
        raise ConfigError(f"the crosswalk {path} is no file")
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"others may read the crosswalk {path}: run `chmod 600` on it")


def _append(path: Path, data: bytes) -> None:
    """Add bytes at the end of a file as a whole, and see that they are on the disk."""
    written: int | None
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_cut_off(file):
                data = b"\n" + data  # of a run that was killed: its line stays damaged, ours not
            written = file.write(data)
            os.fsync(file.fileno())
    except OSError:
        written = None
    if written != len(data):
        raise OutputError(f"{path} can't be written: its disk may be full")


def _is_cut_off(file: Any) -> bool:
    size = os.fstat(file.fileno()).st_size
    return size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
