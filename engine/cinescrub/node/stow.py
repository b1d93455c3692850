"""Outputs to a DICOMweb service by STOW-RS (PS3.18 10.5): a request each, streamed from the disk.

dicomweb-client's `store_instances` takes data sets that are read and written again, and holds each
several times in memory; here a file's bytes go as they are.
"""

from __future__ import annotations

import json
import secrets
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import requests

from cinescrub.errors import ConfigError
from cinescrub.node.config import RouteConfig
from cinescrub.node.routes import DONE, DUPLICATE, NO_ROOM, How, Outcome

__all__ = ["StowRoute"]

_FAILED: Final = "00081198"
"""Failed SOP Sequence (0008,1198), PS3.18 table I.2-1."""
_REASON: Final = "00081197"
"""Failure Reason (0008,1197): a status as C-STORE has it."""
_LATER: Final = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Not this instance's fault: a secret, a path or the load is to be put right."""
_LONGEST_ANSWER: Final = 1 << 20


class StowRoute:
    """A DICOMweb service as receiver.

    Parameters
    ----------
    route : RouteConfig
        Which one.

    Raises
    ------
    ConfigError
        The token or a certificate can't be read.
    """

    def __init__(self, route: RouteConfig) -> None:
        self._url = f"{route.url.rstrip('/')}/studies"
        self._timeout_s = route.timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies, passwords or certificates from elsewhere
        self._session.headers["Accept"] = "application/dicom+json"
        if route.token_file is not None:
            self._session.headers["Authorization"] = f"Bearer {_token(route.token_file)}"
        if route.tls is not None:
            for path in (route.tls.ca, route.tls.certificate, route.tls.key):
                if path is not None and not path.is_file():
                    raise ConfigError(f"route {route.name}: {path} can't be read")
            if route.tls.ca is not None:
                self._session.verify = str(route.tls.ca)
            if route.tls.certificate is not None:
                self._session.cert = (str(route.tls.certificate), str(route.tls.key))

    def deliver(self, path: Path) -> Outcome:
        """Store one output."""
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        try:
            with (
                _Body(path, boundary) as body,
                self._session.post(
                    self._url,
                    data=body,
                    headers={"Content-Type": kind},
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                return _outcome(answer.status_code, _failures(answer))
        except requests.exceptions.SSLError:
            return Outcome(How.LATER, "the service's certificate is not trusted, or ours is not")
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            return Outcome(How.LATER, "the service's answer breaks off or can't be decoded")
        except requests.RequestException:
            return Outcome(How.LATER, "the service can't be reached")
        except OSError:
            return Outcome(How.LATER, "the output can't be read")

    def rest(self) -> None:
        """Do nothing: a connection that is kept alive is the session's."""

    def close(self) -> None:
        """Let connections go."""
        self._session.close()


class _Body:
    """A multipart body of one file, read as it is sent. Its length is known beforehand."""

    def __init__(self, path: Path, boundary: str) -> None:
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n"
        self._parts: list[BinaryIO] = [
            BytesIO(head.encode()),
            path.open("rb"),
            BytesIO(f"\r\n--{boundary}--\r\n".encode()),
        ]
        self._length = len(head) + path.stat().st_size + len(boundary) + 8

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for part in self._parts:
            part.close()

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, empty at the end."""
        for part in self._parts:
            if piece := part.read(size):
                return piece
        return b""


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token or not token.isprintable():
        raise ConfigError(f"{path} holds no token that can be read")
    return token


def _failures(answer: requests.Response) -> list[int] | None:
    """Return the reasons of what failed, from the service's answer; None if it says nothing."""
    # Not `raw`, whose errors are those of another package.
    content = next(answer.iter_content(_LONGEST_ANSWER), b"")
    try:
        said: Any = json.loads(content)
        failed = (said[0] if isinstance(said, list) else said).get(_FAILED, {}).get("Value", [])
        return [int(item.get(_REASON, {}).get("Value", [0])[0]) for item in failed]
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError, OverflowError):
        return None


def _outcome(status: int, failures: list[int] | None) -> Outcome:
    """Return what an answer means (PS3.18 table 10.5.3-1)."""
    others = [reason for reason in failures or () if reason != DUPLICATE]
    if not others and (status in {200, 202} or (status == 409 and failures)):
        return DONE  # or the service has it from an attempt whose answer was lost
    codes = "".join(f", 0x{reason:04X}" for reason in others)
    reason = f"the service answered with {status}{codes}"
    out_of_room = bool(others) and all(code >> 8 == NO_ROOM for code in others)
    later = status >= 500 or 300 <= status < 400 or status in _LATER or out_of_room
    return Outcome(How.LATER if later else How.REFUSED, reason)
