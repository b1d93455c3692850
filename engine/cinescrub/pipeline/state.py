"""What runs leave for later ones, in a folder of the operator's: a SQLite file, safe to kill.

It holds keyed hashes, boxes and report lines without paths: no pixels, no text, no names. A row
that was not written with the site's key is not believed, so that who can write to the folder can't
make a run skip anything.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from cinescrub.errors import ConfigError, OutputError

__all__ = ["Rows", "State", "Table", "secret_of_inputs"]

_FILE: Final = "state.sqlite3"
_FORMAT: Final = 1
_TAG: Final = 16
_INPUTS: Final = b"inputs"
_WAIT_S: Final = 30.0
"""For another process that writes."""
_WRITTEN_AT_ONCE: Final = 64
"""Rows that wait to be written in one transaction, which takes a millisecond or more."""
_ROWS: Final = 200_000
"""Looks that are kept, about 1 kB each, and inputs, about 2 kB. The oldest runs' go first."""


class State:
    """The open state of one site key. A context manager; made by `open`."""

    def __init__(self, database: sqlite3.Connection, key: bytes, run: int) -> None:
        self._database = database
        self._closed = False
        self._lock = threading.RLock()
        self.looks = Table(self, "looks", _derived(key, b"looks"), run)
        """Boxes of looks (`text.memory`)."""
        self.inputs = Table(self, "inputs", _derived(key, _INPUTS), run)
        """Report lines of inputs that have an output (`pipeline.ledger`)."""

    @classmethod
    def open(cls, folder: Path, key: bytes) -> Self:
        """Open the state in a folder, or begin it.

        Parameters
        ----------
        folder : Path
            Made with mode 0700 if it is not there; its files are 0600.
        key : bytes
            Secret that is derived from the site's key.

        Raises
        ------
        ConfigError
            Others may use the folder, it is of another key or version, or it is damaged.
        OutputError
            It can't be made or written.
        """
        _make_private(folder)
        try:
            database = sqlite3.connect(
                folder / _FILE, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error:
            raise OutputError(
                f"the state in {folder} can't be opened: name another folder"
            ) from None
        try:
            return cls(database, key, _begin(database, key, folder))
        except BaseException:
            database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def flush(self) -> None:
        """Write what waits.

        Raises
        ------
        OutputError
            The disk is full, or the folder gone.
        """
        self.looks.flush()
        self.inputs.flush()

    def close(self) -> None:
        """Write what waits, drop what is too much and close the file. May be called twice.

        Raises
        ------
        OutputError
            Not all could be written.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self.flush()
                self.looks.trim()
                self.inputs.trim()
            finally:
                self._database.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the database; on leaving, all of the block is written, or nothing."""
        with self._lock, _told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def row(self, query: str, values: Sequence[bytes]) -> tuple[bytes, ...] | None:
        """Return the first row of a query."""
        with self._lock, _told():
            found: tuple[bytes, ...] | None = self._database.execute(query, values).fetchone()
            return found


class Rows(Protocol):
    """Values by keyed hash, wherever they are kept."""

    @property
    def secret(self) -> bytes:
        """With which keys are to be hashed."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None: there is none, or it is not ours."""

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value; it is safe after `flush`."""

    def flush(self) -> None:
        """Write what waits."""


class Table:
    """Values by keyed hash, each with a tag that only the key's holder can make."""

    def __init__(self, state: State, name: str, key: bytes, run: int) -> None:
        self._state = state
        self._name = name
        self._run = run
        self._tags = _derived(key, b"tags")
        self._lock = threading.Lock()
        self._waiting: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()
        self.secret = _hashes(key)
        """With which its keys are to be hashed."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None: there is none, or it is not ours.

        Raises
        ------
        OutputError
            The file can't be read.
        """
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
        query = f"SELECT value, tag FROM {self._name} WHERE key = ?"  # noqa: S608  # two names of ours
        row = self._state.row(query, (key,))
        if row is None or not hmac.compare_digest(self._tag(key, row[0]), row[1]):
            return None
        with self._lock:
            self._used.add(key)
        return row[0]

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value; it is on the disk after `flush`, or when enough of them wait.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        with self._lock:
            self._waiting[key] = value
            full = len(self._waiting) >= _WRITTEN_AT_ONCE
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and which rows were used.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            used, self._used = self._used, set()
        if not waiting and not used:
            return
        rows = [(key, value, self._tag(key, value), self._run) for key, value in waiting.items()]
        with self._state.writing() as database:
            database.executemany(
                f"INSERT OR REPLACE INTO {self._name} VALUES (?, ?, ?, ?)",  # noqa: S608
                rows,
            )
            database.executemany(
                f"UPDATE {self._name} SET run = ? WHERE key = ? AND run < ?",  # noqa: S608
                [(self._run, key, self._run) for key in used],
            )

    def trim(self) -> None:
        """Drop the rows that the oldest runs used, if there are too many."""
        with self._state.writing() as database:
            (count,) = database.execute(f"SELECT count(*) FROM {self._name}").fetchone()  # noqa: S608
            if count > _ROWS:
                database.execute(
                    f"DELETE FROM {self._name} WHERE key IN"  # noqa: S608
                    f" (SELECT key FROM {self._name} ORDER BY run LIMIT ?)",
                    (count - _ROWS,),
                )

    def _tag(self, key: bytes, value: bytes) -> bytes:
        tag = hashlib.blake2b(key=self._tags, digest_size=_TAG)
        tag.update(len(key).to_bytes(8, "big") + key + value)
        return tag.digest()


def secret_of_inputs(key: bytes) -> bytes:
    """Return `State.inputs.secret` of a site key's state, for who has the key and not the state."""
    return _hashes(_derived(key, _INPUTS))


def _hashes(key: bytes) -> bytes:
    return _derived(key, b"hashes")


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(purpose, key=key, digest_size=32).digest()


def _make_private(folder: Path) -> None:
    """Make the folder and its file for their owner alone, or see that they are.

    Raises
    ------
    ConfigError
        They are not.
    OutputError
        They can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite's other files get the permissions of this one.
        os.close(os.open(folder / _FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (folder, folder / _FILE)]
    except OSError:
        raise OutputError(f"the state folder {folder} can't be made: name another") from None
    if any(mode & 0o077 for mode in modes):
        raise ConfigError(f"others may use the state folder {folder}: run `chmod -R go= ` on it")


def _begin(database: sqlite3.Connection, key: bytes, folder: Path) -> int:
    """Lay out a new file or check an old one; return the number of this run.

    Raises
    ------
    ConfigError
        It is of another version or key, or damaged.
    OutputError
        It can't be written.
    """
    mark = _derived(key, b"mark")[:_TAG]
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # A lost power can take the last rows, whose work is done again; it can damage none.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE IF NOT EXISTS about (format INT, mark BLOB, run INT)")
        for name in ("looks", "inputs"):
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {name}"
                " (key BLOB PRIMARY KEY, value BLOB, tag BLOB, run INT) WITHOUT ROWID"
            )
        row = database.execute("SELECT format, mark, run FROM about").fetchone()
        if row is None:
            row = (_FORMAT, mark, 0)
            database.execute("INSERT INTO about VALUES (?, ?, ?)", row)
        database.execute("UPDATE about SET run = run + 1")
        database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise OutputError(f"the state in {folder} can't be written: {_cause(error)}") from None
    except sqlite3.DatabaseError:
        raise ConfigError(f"the state in {folder} is damaged: remove the folder") from None
    if row[0] != _FORMAT or not hmac.compare_digest(bytes(row[1]), mark):
        raise ConfigError(f"the state in {folder} is of another key or version: name another")
    return int(row[2]) + 1


@contextmanager
def _told() -> Iterator[None]:
    """Turn what SQLite refuses into an OutputError of one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"the state can't be read or written: {_cause(error)}") from None


def _cause(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    return f"{name}: free space, or name another folder"
