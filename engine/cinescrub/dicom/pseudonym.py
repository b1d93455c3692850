"""Keyed pseudonyms for patients and UIDs, and the site's key file.

One key gives the same pseudonym everywhere and for ever; without it no pseudonym can be
recomputed from a guessed value. The key is never logged, printed or part of a report: its
fingerprint is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import platformdirs

from cinescrub.dicom.standard import is_registered
from cinescrub.dicom.target import sync_folder
from cinescrub.errors import ConfigError, OutputError

__all__ = [
    "KEY_BYTES",
    "Pseudonyms",
    "default_key_path",
    "fingerprint",
    "is_own_uid",
    "is_pseudonym",
    "load_key",
    "load_or_create_key",
]

KEY_BYTES: Final = 32
"""The length of a new key and the least of any: that of the hash (RFC 2104, section 3)."""
NAME: Final = "SUBJECT"
"""Family name of every pseudonymous patient."""

_SCHEME: Final = b"cinescrub/1/"
"""Part of every hashed message: pseudonyms of a later scheme can't collide with these."""
_TOKEN_BYTES: Final = 10
"""80 bit: 16 characters; any two of 10^6 patients collide with a chance under 10^-12."""
_LEAST_SHIFT: Final = timedelta(days=365)
"""A day of a year before is hidden among all others; a day of last week would not be."""
_SHIFTS: Final = 9 * 365 * 86_400
"""Seconds, so that the time of day moves too. 64 bits make the bias of the remainder 10^-11."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA-256 with the site's key, a domain of its own for each kind of value."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ConfigError(f"the key is shorter than {KEY_BYTES} bytes: make a new key file")

    def patient_id(self, value: str, issuer: str = "") -> str:
        """Return the pseudonym of a PatientID; of an empty one, nothing.

        Parameters
        ----------
        value : str
            PatientID as read.
        issuer : str
            IssuerOfPatientID: two sites may give out one number.
        """
        identity = _plain(value)
        return f"P{self._token(b'patient', identity, _plain(issuer))}" if identity else ""

    def name(self, value: str, *, patient_id: str = "", issuer: str = "") -> str:
        """Return the pseudonym of a PatientName; of an empty one, nothing.

        It follows the PatientID where there is one: a name is spelt in many ways, and two
        patients may share it.
        """
        name, identity = _plain(value), _plain(patient_id)
        if not name:
            return ""
        if identity:
            return f"{NAME}^{self._token(b'patient', identity, _plain(issuer))}"
        return f"{NAME}^{self._token(b'name', name.casefold())}"

    def uid(self, value: str) -> str:
        """Return the UID that stands for `value`, in the 2.25 form of PS3.5 B.2.

        UIDs that the standard registers (SOP classes, transfer syntaxes, well-known instances)
        name nothing of a patient and are returned as they are.
        """
        plain = value.strip("\0 ")
        if not plain or is_registered(plain):
            return plain
        digest = bytearray(self._digest(b"uid", plain)[:16])
        digest[6] = digest[6] & 0x0F | 0x80  # version 8 of RFC 9562: made by a scheme of our own
        digest[8] = digest[8] & 0x3F | 0x80  # its variant
        return f"{_UID_ROOT}{int.from_bytes(digest, 'big')}"

    def title(self, value: str) -> str:
        """Return the application entity title that stands for `value`, in 16 characters."""
        plain = _plain(value)
        return f"AE{self._token(b'title', plain)[:14]}" if plain else ""

    def shift(self, *identity: str) -> timedelta:
        """Return how far the dates of a patient move: 1 to 10 years back, to the second.

        Parameters
        ----------
        *identity : str
            What tells patients apart, as for `patient_id`.
        """
        digest = self._digest(b"shift", *(_plain(part) for part in identity))
        return -(_LEAST_SHIFT + timedelta(seconds=int.from_bytes(digest[:8], "big") % _SHIFTS))

    def derived(self, purpose: str) -> bytes:
        """Return 32 bytes that the key stands behind and that tell nothing of it."""
        return self._digest(b"derived", purpose)

    def _token(self, domain: bytes, *parts: str) -> str:
        return base64.b32encode(self._digest(domain, *parts)[:_TOKEN_BYTES]).decode("ascii")

    def _digest(self, domain: bytes, *parts: str) -> bytes:
        message = _keyed(self.key).copy()
        message.update(_SCHEME + domain)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            message.update(len(data).to_bytes(8, "big") + data)  # ("ab", "c") is not ("a", "bc")
        return message.digest()


@lru_cache(maxsize=1)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return the start of every message under a key, which costs more than most messages."""
    return hmac.new(key, digestmod=hashlib.sha256)


def is_own_uid(uid: str) -> bool:
    """Tell whether a UID has the form of those that `Pseudonyms.uid` makes."""
    number = uid.removeprefix(_UID_ROOT)
    if number == uid or not number.isascii() or not number.isdecimal() or len(number) > _UID_DIGITS:
        return False
    value = int(number)
    ours = value >> 76 & 0xF == 8 and value >> 62 & 0b11 == 0b10 and value < 1 << 128
    return ours and str(value) == number


_UID_ROOT: Final = "2.25."
_UID_DIGITS: Final = 39


def is_pseudonym(value: str) -> bool:
    """Whether `value` has the form of a pseudonymous PatientID or PatientName of ours."""
    token = value.removeprefix(f"{NAME}^") if value.startswith(NAME) else value.removeprefix("P")
    length = _TOKEN_BYTES * 8 // 5
    return token != value and len(token) == length and set(token) <= set(_BASE32)


_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _plain(value: str) -> str:
    """Return what identifies in a value: without padding (PS3.5 6.2) and of one Unicode form."""
    return unicodedata.normalize("NFC", value).strip("\0 ")


def fingerprint(key: bytes) -> str:
    """Return 16 hexadecimal digits that tell keys apart and say nothing of them."""
    return hmac.new(key, _SCHEME + b"fingerprint", hashlib.sha256).hexdigest()[:16]


def default_key_path() -> Path:
    """Return where the user's key is kept on this platform."""
    return Path(platformdirs.user_config_dir("cinescrub", appauthor=False)) / "key"


def load_or_create_key(path: Path | None = None) -> bytes:
    """Return the key in `path`; where there is no file, make one from the system's random source.

    Parameters
    ----------
    path : Path, optional
        The key file, raw bytes; `default_key_path` by default.

    Returns
    -------
    bytes
        At least `KEY_BYTES`.

    Raises
    ------
    ConfigError
        Others than its owner may read the file, or it is short, or can't be read.
    OutputError
        It can't be made.
    """
    target = default_key_path() if path is None else path
    try:
        return _load(target)
    except FileNotFoundError:
        pass
    try:
        _create(target)
    except OSError:
        raise OutputError(f"the key file {target} can't be made: name another one") from None
    return _load(target)


def load_key(path: Path | None = None) -> bytes:
    """Return the key in `path` as `load_or_create_key` does, and never make one.

    Raises
    ------
    ConfigError
        There is none, others than its owner may read it, it is short, or can't be read.
    """
    target = default_key_path() if path is None else path
    try:
        return _load(target)
    except FileNotFoundError:
        raise ConfigError(f"there is no key file {target}: name the one of the run") from None


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read()
    except FileNotFoundError:
        raise
    except OSError:
        raise ConfigError(f"the key file {path} can't be read: check its permissions") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"others may read the key file {path}: run `chmod 600` on it")
    if len(key) < KEY_BYTES:
        raise ConfigError(f"the key file {path} holds less than {KEY_BYTES} bytes: make a new one")
    return key


def _create(path: Path) -> None:
    """Write a new key so that nobody ever sees a half-written one, nor two processes two keys."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key is the key
            os.link(aside, path)  # fails if there is one, which a rename would not
    finally:
        aside.unlink()
    sync_folder(path.parent)  # outputs must not outlive the key that made their pseudonyms
