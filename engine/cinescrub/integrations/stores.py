"""Object stores as source and target, through fsspec: copied in, worked on here, put out whole.

An input is copied into a private spool folder and removed as soon as it was worked on. An output
is written and checked there; then it is put into the store in one piece, looked at again, and
removed from the spool. Credentials, endpoints and retries are the store library's own business.

The only module that imports fsspec.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from cinescrub.errors import CinescrubError, ConfigError, InputError, OutputError
from cinescrub.kinds import Location, Url
from cinescrub.pipeline.batch import Runner
from cinescrub.pipeline.job import Job, Observer
from cinescrub.pipeline.targets import Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken

__all__ = ["StoreRunner", "StoreTarget", "Stores", "located", "objects_in", "open_stores"]

_STORES: Final = {
    "s3": ("s3", "s3fs"),
    "s3a": ("s3", "s3fs"),
    "gs": ("gs", "gcsfs"),
    "gcs": ("gs", "gcsfs"),
    "az": ("az", "adlfs"),
    "abfs": ("az", "adlfs"),
    "abfss": ("az", "adlfs"),
}
"""Schemes, what each is short for, and the package that speaks it. All of them show an object when
all of it is there, and not before; what may show a part of one is no target for us."""
_PREFIX: Final = "cinescrub-spool-"
_LOCK: Final = ".lock"
_YOUNG_S: Final = 60.0
"""A spool that is younger may be about to be locked by its maker."""
_BLOCK: Final = 1 << 20


def located(text: str) -> Location:
    """Return what a word of the command line names: a path, or a place in a store.

    Raises
    ------
    ConfigError
        It is empty, or a URL of a kind that isn't supported or that holds credentials.
    """
    if not text:  # a variable of a script that is not set; as a path, the current folder
        raise ConfigError("an input or --out is empty: name a path")
    scheme, separator, _ = text.partition("://")
    if not separator or "/" in scheme:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme not in _STORES:
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "az", "file"))
        raise ConfigError(f"a URL of this kind is not supported: known are {known}")
    if parts.username is not None:
        raise ConfigError("credentials in a URL end in reports: put them where the store's do lie")
    kind, _ = _STORES[parts.scheme]
    return Url(f"{kind}://{text.partition('://')[2].rstrip('/')}")


def objects_in(urls: Iterable[Url]) -> Iterator[Url]:
    """Yield the objects that are named, and those below prefixes, depth first and sorted.

    Listed a level at a time, while they are worked on. A prefix with nothing below it is yielded
    as it is, so that it ends as a line of the report.

    Raises
    ------
    ConfigError
        The package that speaks the scheme is missing.
    InputError
        A store can't be listed.
    """
    for url in urls:
        found = False
        for path in _walk(url, _path_of(url)):
            found = True
            yield Url(f"{url.partition('://')[0]}://{path}")
        if not found:
            yield url


def _walk(url: Url, path: str) -> Iterator[str]:
    store = _store(url)
    entries: list[Mapping[str, Any]] = []
    with _heard(InputError, "a store can't be listed"), suppress(FileNotFoundError):
        entries = sorted(store.ls(path, detail=True), key=lambda entry: str(entry["name"]))
    for entry in entries:
        name = str(entry["name"])
        if entry["type"] == "directory":
            if name.rstrip("/") != path.rstrip("/"):
                yield from _walk(url, name.rstrip("/"))
        elif not name.endswith("/"):  # some tools mark folders by empty objects
            yield name


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the outputs of a run go, and what leads there. Made by `open_stores`."""

    targets: Targets
    _spool: Path | None = None
    _target: StoreTarget | None = None

    def around(self, runner: Runner) -> Runner:
        """Return a runner that takes inputs, and gives outputs, wherever they lie."""
        return runner if self._spool is None else StoreRunner(runner, self._spool, self._target)


@contextmanager
def open_stores(
    out: Location,
    inputs: Sequence[Location],
    *,
    resume: bool = False,
    fetches: bool = False,
) -> Iterator[Stores]:
    """Check the target of a run before any work is done, and make the spool if it needs one.

    Parameters
    ----------
    out : Path or Url
        Where outputs go.
    inputs : sequence of Path or Url
        What is read; `out` lies in none of it.
    resume : bool
        Remove what a killed run left half-written in a folder. In a store there is nothing such.
    fetches : bool
        Inputs lie in stores, whether or not they are among `inputs`.

    Raises
    ------
    ConfigError
        The target lies in the inputs, or a store's package is missing.
    OutputError
        The target or the spool can't be written.
    """
    paths = [given for given in inputs if isinstance(given, Path)]
    for url in (given for given in inputs if isinstance(given, Url)):
        _store(url)
    if isinstance(out, Path):
        targets = Targets.open(out, paths, resume=resume)
        if len(paths) == len(inputs) and not fetches:
            yield Stores(targets)
            return
        with _private_spool() as spool:
            yield Stores(targets, spool)
        return
    with _private_spool() as spool:
        target = StoreTarget.open(out, inputs, spool / "out")
        yield Stores(Targets(target.root, delivery=target), spool, target)


@contextmanager
def _private_spool() -> Iterator[Path]:
    """Give a folder for copies, for its owner alone (0700), and remove it with all that is in it.

    It lies where temporary files do (`TMPDIR`). What a killed run left there goes first.

    Raises
    ------
    OutputError
        It can't be made.
    """
    _remove_abandoned()
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # 0700
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        raise OutputError("the spool folder can't be made: set TMPDIR to another place") from None
    try:
        with suppress(OSError):  # where there are no locks nobody takes spools for abandoned
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned() -> None:
    """Remove spools whose owner is gone: what they hold was not de-identified."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another's, in use, or somebody else was quicker
            if time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A prefix in a store, as where outputs go on to from a spool (`pipeline.targets.Delivery`)."""

    url: Url
    root: Path
    """Output folder in the spool."""

    @classmethod
    def open(cls, url: Url, inputs: Iterable[Location], root: Path) -> Self:
        """Check the target before any work is done.

        Raises
        ------
        ConfigError
            It lies in a prefix of the inputs, or is one, or its store's package is missing.
        """
        for given in inputs:
            if isinstance(given, Url) and f"{url}/".startswith(f"{given}/"):
                raise ConfigError("the target lies inside of a source prefix: choose another")
        _store(url)
        return cls(url, root)

    def url_of(self, path: Path) -> Url:
        """Return where the output goes that is written at `path`."""
        return Url(f"{self.url}/{path.relative_to(self.root).as_posix()}")

    def deliver(self, path: Path, sha256: str) -> None:
        """Put an output into the store, see that it is there, and remove it here.

        An object of that name is replaced. An output that isn't there as it was written is taken
        away again.

        Raises
        ------
        OutputError
            It can't be put, or what is there differs.
        """
        url = self.url_of(path)
        store, name = _store(url), _path_of(url)
        try:
            with _heard(OutputError, "an output can't be put into the store"):
                store.put_file(str(path), name)
                same = _is_there(store, name, path, sha256)
                if not same:
                    store.rm_file(name)
        finally:
            self._remove(path)
        if not same:
            raise OutputError("what the store holds is not what was put: run again")

    def sha256(self, path: Path) -> str | None:
        """Return the hash of the object that stands for an output, in hex: it is read for it."""
        url = self.url_of(path)
        with _heard(OutputError, "the store can't be read"), suppress(FileNotFoundError):
            return _sha256(_store(url), _path_of(url))
        return None

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            with suppress(OSError):  # another output is in it
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class StoreRunner:
    """Fetches an input before the runner works on it, if it lies in a store."""

    runner: Runner
    spool: Path
    """For copies of inputs; private."""
    target: StoreTarget | None = None
    """Where outputs go on to; None if they stay in a folder."""

    def run(
        self, source: Location, out: Targets, /, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        """De-identify one input; its report names it, and its output, as they lie in stores."""
        if isinstance(source, Url):
            report = self._fetched(source, out, token, observer)
        else:
            report = self.runner.run(source, out, token=token, observer=observer)
        if self.target is None or report.output is None:
            return report
        return replace(report, uploaded_to=self.target.url_of(report.output))

    def _fetched(
        self, url: Url, out: Targets, token: CancelToken, observer: Observer
    ) -> FileReport:
        copy = self.spool / secrets.token_hex(8)
        token.check()

        def fetch(job: Job) -> None:
            with job.timer.stage("fetch"):
                _fetch(url, copy)

        try:
            report = fetched = Job(copy, token, observer).ended(fetch)
            if fetched.status is Status.OK:
                report = self.runner.run(copy, out, token=token, observer=observer)
        finally:
            copy.unlink(missing_ok=True)
        return replace(report, fetched_from=url, seconds={**fetched.seconds, **report.seconds})


def _fetch(url: Url, copy: Path) -> None:
    """Copy an object into a file for its owner alone.

    Raises
    ------
    InputError
        It isn't there, can't be read, or ends before its size.
    OutputError
        The spool is full.
    """
    store, name = _store(url), _path_of(url)
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with _heard(InputError, "can't be fetched"):
        size = store.info(name)["size"]
    if shutil.disk_usage(copy.parent).free <= size:
        raise OutputError("the spool is full: free space, or set TMPDIR to another place")
    with _heard(InputError, "can't be fetched"):
        store.get_file(name, str(copy))
    if copy.stat().st_size != size:
        raise InputError("can't be fetched whole: run again")


def _is_there(store: Any, name: str, path: Path, sha256: str) -> bool:
    """Return whether an object is the file, byte for byte.

    What the store says of it is enough where it says its MD5; else it is read back.
    """
    info = store.info(name)
    if info["size"] != path.stat().st_size:
        return False
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return md5.hexdigest() in _said_md5(info) or _sha256(store, name) == sha256


def _said_md5(info: Mapping[str, Any]) -> set[str]:
    """Return MD5s that a store may say of an object, in hex. Of parts or encrypted, it is none."""
    said = {str(info.get("ETag", "")).strip('"')}  # S3
    settings = info.get("content_settings")
    for encoded in (
        info.get("md5Hash"),  # Google Cloud Storage
        settings.get("content_md5") if isinstance(settings, Mapping) else None,  # Azure
    ):
        if isinstance(encoded, str):
            with suppress(ValueError):
                said.add(base64.b64decode(encoded).hex())
        elif isinstance(encoded, bytes | bytearray):
            said.add(bytes(encoded).hex())
    return said


def _sha256(store: Any, name: str) -> str:
    digest = hashlib.sha256()
    with store.open(name, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _store(url: Url) -> Any:
    """Return fsspec's file system of a URL; it keeps one for each kind.

    Raises
    ------
    ConfigError
        A package is missing, or what it needs to know.
    """
    kind = url.partition("://")[0]
    package = _STORES[kind][1]
    try:
        import fsspec

        return fsspec.filesystem(kind, use_listings_cache=False)  # which would grow, and grow old
    except ImportError:
        raise ConfigError(
            f"{kind}:// needs a package that isn't installed:"
            f" run `pip install 'cinescrub[fsspec]' {package}`"
        ) from None
    except Exception as error:
        raise ConfigError(f"the store of {kind}:// can't be opened: {_cause(error)}") from None


def _path_of(url: Url) -> str:
    return url.partition("://")[2]


@contextmanager
def _heard(kind: type[CinescrubError], what: str) -> Iterator[None]:
    """Turn what a store's library raises into an error of ours, of one line."""
    try:
        yield
    except CinescrubError:
        raise
    except Exception as error:
        raise kind(f"{what}: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    """Return what to say of a library's error: its own words can name objects."""
    if isinstance(error, FileNotFoundError):
        return "no such object"
    if isinstance(error, PermissionError):
        return "access is denied: check the credentials"
    return f"{type(error).__name__}: check network, endpoint and credentials"
