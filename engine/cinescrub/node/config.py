"""Settings of a node: one strict TOML file, whose `engine` table has the words of `run --config`.

An unknown key is an error, as is a peer that nothing would authenticate, unless that is allowed in
so many words.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from cinescrub.config import EngineConfig, engine_config
from cinescrub.dicom.pseudonym import default_key_path
from cinescrub.dicom.target import lies_in
from cinescrub.errors import ConfigError

__all__ = [
    "HttpConfig",
    "ListenConfig",
    "NodeConfig",
    "RetryConfig",
    "RouteConfig",
    "RouteKind",
    "SpoolConfig",
    "TlsConfig",
    "WorkerConfig",
    "is_loopback",
    "load_node_config",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TITLE: Final = re.compile(
    r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?"
)
"""VR AE without padding (PS3.5 6.2): up to 16 characters, no backslash, no control character."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class RouteKind(StrEnum):
    """How outputs are passed on."""

    FOLDER = "folder"
    SCU = "scu"
    """C-STORE to a peer."""
    STOW = "stow"
    """DICOMweb STOW-RS (PS3.18 10.5)."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Files in PEM form. Which versions and ciphers are used is not for setting (`node.tls`)."""

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    """Who signs the peers' certificates."""


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """The storage SCP."""

    title: str = "CINESCRUB"
    """Our AE title; associations that call another are rejected."""
    address: str = "127.0.0.1"
    port: int = 11112
    calling_titles: tuple[str, ...] = ()
    """AE titles of the scanners; empty: any."""
    calling_addresses: tuple[Network, ...] = ()
    """Addresses or networks of the scanners; empty: any."""
    max_associations: int = 20
    timeout_s: int = 30
    """For a PDU to arrive whole, for the next to begin, and for a handshake."""
    tls: TlsConfig | None = None
    """None is DICOM without TLS."""
    allow_plain: bool = False
    """Whether that is allowed on other addresses than loopback."""
    allow_anonymous: bool = False
    """Whether peers without a certificate are, though there is TLS."""

    def __post_init__(self) -> None:
        _check_titles("listen.title", self.title)
        _check_titles("listen.calling_titles", *self.calling_titles)
        _check_range("listen.port", self.port, 0, 65535)
        _check_range("listen.max_associations", self.max_associations, 1, 200)
        _check_range("listen.timeout_s", self.timeout_s, 1, 3600)
        if self.tls is not None and (self.tls.certificate is None or self.tls.key is None):
            raise ConfigError("listen.tls: name the files of certificate and key")
        if is_loopback(self.address):
            return
        if self.tls is None and not self.allow_plain:
            raise ConfigError(
                "DICOM without TLS is for loopback: set up listen.tls, or allow_plain = true"
            )
        if self.tls is not None and self.tls.ca is None and not self.allow_anonymous:
            raise ConfigError(
                "listen.tls.ca tells peers from strangers: name it, or allow_anonymous"
            )


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """Where instances wait."""

    folder: Path
    """For its owner alone (0700); made if it is not there."""
    key_file: Path
    """Encrypts the originals in the folder; made on first use, 0600. Not in the folder."""
    work_folder: Path | None = None
    """Where the original that is worked on lies decrypted; None is a folder in the spool. A tmpfs
    keeps it off the disk."""
    keep_days: int = 90
    """How long it is remembered what was sent, so that it is not sent again."""
    min_free_mib: int = 1024
    """With less on the disk, instances are refused: the engine needs room for outputs."""
    min_free_memory_mib: int = 256
    """With less memory available, instances are refused."""
    max_instance_mib: int = 4096

    def __post_init__(self) -> None:
        _check_range("spool.keep_days", self.keep_days, 1, 36_500)
        _check_range("spool.min_free_mib", self.min_free_mib, 0, 2**30)
        _check_range("spool.min_free_memory_mib", self.min_free_memory_mib, 0, 2**20)
        _check_range("spool.max_instance_mib", self.max_instance_mib, 1, 2**20)
        if self.key_file.absolute().is_relative_to(self.folder.absolute()):
            raise ConfigError("spool.key_file opens what is in spool.folder: keep it elsewhere")


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The processes that run the engine."""

    count: int = 1
    """Each has models of its own; they share the cores and `engine.max_memory_mib`."""
    stuck_after_s: int = 900
    """One that tells of no progress for so long is ended and begun anew."""
    attempts: int = 3
    """An instance that ended the engine so often is held."""

    def __post_init__(self) -> None:
        _check_range("worker.count", self.count, 1, 64)
        _check_range("worker.stuck_after_s", self.stuck_after_s, 1, 86_400)
        _check_range("worker.attempts", self.attempts, 1, 100)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """When something that failed for its surroundings is tried again."""

    first_s: float = 5.0
    most_s: float = 900.0
    """The wait doubles up to this."""
    days: int = 7
    """After so long the instance is held."""

    def __post_init__(self) -> None:
        _check_range("retry.first_s", self.first_s, 0.01, 86_400)
        _check_range("retry.most_s", self.most_s, self.first_s, 86_400)
        _check_range("retry.days", self.days, 1, 365)


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """`/healthz` and `/metrics`, on loopback only."""

    port: int = 9108

    def __post_init__(self) -> None:
        _check_range("http.port", self.port, 0, 65535)


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """One receiver of every output."""

    name: str
    """In the spool, metrics and logs."""
    kind: RouteKind
    folder: Path | None = None
    host: str = ""
    port: int = 104
    title: str = ""
    """The peer's AE title."""
    calling_title: str = ""
    """Ours towards the peer; empty: that of `listen`."""
    url: str = ""
    """Of the DICOMweb service, without `/studies`."""
    token_file: Path | None = None
    """A bearer token for it."""
    timeout_s: int = 60
    """For a connection, and for an answer."""
    tls: TlsConfig | None = None
    allow_plain: bool = False
    """Whether outputs may go without TLS to other hosts than this one."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError("route.name is of small letters, digits and hyphens")
        where = f"route {self.name}"
        _check_range(f"{where}: timeout_s", self.timeout_s, 1, 3600)
        _check_range(f"{where}: port", self.port, 1, 65535)
        {
            RouteKind.FOLDER: self._check_folder,
            RouteKind.SCU: self._check_scu,
            RouteKind.STOW: self._check_stow,
        }[self.kind](where)

    def _check_folder(self, where: str) -> None:
        if self.folder is None:
            raise ConfigError(f"{where}: name its folder")

    def _check_scu(self, where: str) -> None:
        if not self.host or not self.title:
            raise ConfigError(f"{where}: name host, port and title of the peer")
        _check_titles(f"{where}: title", self.title)
        if self.calling_title:
            _check_titles(f"{where}: calling_title", self.calling_title)
        self._check_plain(where, self.host, plain=self.tls is None)

    def _check_stow(self, where: str) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{where}: url is https://HOST/PATH")
        if parts.username or parts.password:
            raise ConfigError(f"{where}: url holds a secret: put it into token_file")
        self._check_plain(where, parts.hostname, plain=parts.scheme == "http")

    def _check_plain(self, where: str, host: str, *, plain: bool) -> None:
        if plain and not self.allow_plain and not is_loopback(host):
            raise ConfigError(f"{where}: without TLS to another host: set allow_plain if so meant")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All of it."""

    spool: SpoolConfig
    routes: tuple[RouteConfig, ...]
    listen: ListenConfig = field(default_factory=ListenConfig)
    worker: WorkerConfig = field(default_factory=WorkerConfig)
    retry: RetryConfig = field(default_factory=RetryConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        if not self.routes:
            raise ConfigError("there is no [[route]]: name at least one receiver")
        names = [route.name for route in self.routes]
        if len(set(names)) != len(names):
            raise ConfigError("two routes have one name")
        if self.engine.resume or self.engine.jobs != 1:
            raise ConfigError("engine.resume and engine.jobs are for `run`: use worker.count")
        engine_key = self.engine.key_file or default_key_path()
        private = (engine_key, self.spool.key_file, self.spool.work_folder, self.engine.state)
        for route in self.routes:
            if lies_in(route.folder, self.spool.folder):
                raise ConfigError(f"route {route.name}: its folder lies in the spool")
            if any(lies_in(path, route.folder) for path in (*private, self.spool.folder)):
                raise ConfigError(
                    f"route {route.name}: a key, the spool or a work folder lies in its folder"
                )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings of a parsed TOML file.

        Raises
        ------
        ConfigError
            A key is unknown or missing, or a value has the wrong type or range.
        """
        known = ("listen", "spool", "worker", "retry", "http", "engine", "route")
        _check_keys("the file", values, known)
        if "spool" not in values:
            raise ConfigError("there is no [spool]: name its folder and key_file")
        routes, engine = values.get("route", []), values.get("engine", {})
        if not isinstance(routes, list):
            raise ConfigError("routes are written as [[route]]")
        if not isinstance(engine, Mapping):
            raise ConfigError("engine is a table")
        return cls(
            spool=_table(SpoolConfig, "spool", values["spool"]),
            routes=tuple(_table(RouteConfig, "route", route) for route in routes),
            listen=_table(ListenConfig, "listen", values.get("listen", {})),
            worker=_table(WorkerConfig, "worker", values.get("worker", {})),
            retry=_table(RetryConfig, "retry", values.get("retry", {})),
            http=_table(HttpConfig, "http", values.get("http", {})),
            engine=engine_config(engine),
        )


def load_node_config(path: Path) -> NodeConfig:
    """Read the settings of a node.

    Raises
    ------
    ConfigError
        The file can't be read, is not TOML, or says what can't be.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"configuration {path} can't be read") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {path} is not TOML: {error}") from None
    return NodeConfig.of(values)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


T = TypeVar("T")


def _table(kind: type[T], where: str, values: object) -> T:
    """Return one table of the file as its class, every value of its field's type."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is a table")
    own = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # dataclasses all
    _check_keys(where, values, tuple(own))
    made = {
        name: _READ[str(own[name].type)](f"{where}.{name}", value) for name, value in values.items()
    }
    try:
        return kind(**made)
    except TypeError:
        raise ConfigError(f"{where}: a setting without a default is missing") from None


def _check_keys(where: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(
            f"unknown setting {', '.join(unknown)} in {where}: known are {', '.join(known)}"
        )


def _plain(kind: type[T], what: str) -> Callable[[str, Any], T]:
    def read(where: str, value: Any) -> T:
        if type(value) is not kind:  # exactly: true is an int of Python's, too
            raise ConfigError(f"{where} is {what}")
        return value

    return read


def _number(where: str, value: Any) -> float:
    if type(value) not in (int, float):
        raise ConfigError(f"{where} is a number")
    return float(value)


def _path(where: str, value: Any) -> Path:
    return Path(_plain(str, "a path")(where, value)).expanduser()


def _texts(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{where} is a list of texts")
    return tuple(value)


def _networks(where: str, value: Any) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each) for each in _texts(where, value))
    except ValueError:
        raise ConfigError(f"{where} is a list of addresses and networks, as 10.1.2.0/24") from None


def _route_kind(where: str, value: Any) -> RouteKind:
    if value not in tuple(RouteKind):
        raise ConfigError(f"{where}: choose {', '.join(RouteKind)}")
    return RouteKind(value)


def _tls(where: str, value: Any) -> TlsConfig:
    return _table(TlsConfig, where, value)


_READ: Final[dict[str, Callable[[str, Any], Any]]] = {
    "str": _plain(str, "a text"),
    "int": _plain(int, "a whole number"),
    "bool": _plain(bool, "true or false"),
    "float": _number,
    "Path": _path,
    "Path | None": _path,
    "tuple[str, ...]": _texts,
    "tuple[Network, ...]": _networks,
    "RouteKind": _route_kind,
    "TlsConfig | None": _tls,
}
"""How a value is read, by the annotation of its field."""


def _check_titles(where: str, *titles: str) -> None:
    if not all(_TITLE.fullmatch(title) for title in titles):
        raise ConfigError(f"{where}: an AE title has 1 to 16 characters")


def _check_range(where: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{where} is {value}: give a number from {low} to {high}")
