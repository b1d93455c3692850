"""The spool's rows in SQLite: laid out, read and written, each change on the disk when it returns.

Rows hold keyed hashes, states and reasons: no PHI. What a change means is `spool`'s.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from cinescrub.errors import ConfigError, OutputError
from cinescrub.node.entry import Entry, State

__all__ = ["Database"]

FILE: Final = "spool.sqlite3"
_FORMAT: Final = 1
_WAIT_S: Final = 30.0
"""For another process that writes: a command beside the node."""
_COLUMNS: Final = (
    "id", "state", "reason", "peer", "size", "received", "changed", "attempts", "crashes", "due",
    "alone", "output", "sha256",
)  # fmt: skip
"""Those of an `Entry`, in its order."""
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS about (format INT, mark BLOB)",
    "CREATE TABLE IF NOT EXISTS instances (id TEXT PRIMARY KEY, name BLOB, content BLOB,"
    " state TEXT, reason TEXT, peer TEXT, size INT, received REAL, changed REAL,"
    " attempts INT DEFAULT 0, crashes INT DEFAULT 0, starts INT DEFAULT 0, due REAL DEFAULT 0,"
    " alone INT DEFAULT 0, output TEXT, sha256 TEXT)",
    "CREATE INDEX IF NOT EXISTS by_name ON instances (name)",
    "CREATE INDEX IF NOT EXISTS by_state ON instances (state, received)",
    "CREATE TABLE IF NOT EXISTS deliveries (id TEXT, route TEXT, state TEXT, attempts INT,"
    " due REAL, reason TEXT, PRIMARY KEY (id, route))",
    "CREATE INDEX IF NOT EXISTS by_route ON deliveries (route, state)",
)
ENTRY: Final = ", ".join(f"instances.{name}" for name in _COLUMNS)
"""What to select for `entry`."""


class Database:
    """The open database of a spool. For any number of threads.

    Parameters
    ----------
    folder : Path
        Where it lies; its files are 0600.
    clock : callable
        Wall time in seconds.

    Raises
    ------
    OutputError
        It can't be opened or written.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        path = folder / FILE
        self.clock = clock
        self._lock = threading.RLock()
        try:
            # SQLite's other files get the permissions of this one.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error):
            raise OutputError(f"the spool {folder} can't be read and written") from None

    def begin(self, mark: bytes, folder: Path) -> None:
        """Lay out a new database, or check an old one.

        Parameters
        ----------
        mark : bytes
            Tells the key.
        folder : Path
            The spool's, to name it.

        Raises
        ------
        ConfigError
            It is damaged, or of another key or version.
        OutputError
            It can't be written.
        """
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            whole = self._connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        except sqlite3.OperationalError:
            raise OutputError(f"the spool {folder} can't be written") from None
        except sqlite3.DatabaseError:
            whole = False
        if not whole:
            raise ConfigError(
                f"the database of the spool {folder} is damaged: move {FILE}* aside and start"
                " again; the originals that wait are found by their files"
            )
        # What is committed is on the disk: the peer is told so, and deletes its own.
        self._connection.execute("PRAGMA synchronous = FULL")
        with self.writing() as rows:
            for statement in _TABLES:
                rows.execute(statement)
            row = rows.execute("SELECT format, mark FROM about").fetchone()
            if row is None:
                row = (_FORMAT, mark)
                rows.execute("INSERT INTO about VALUES (?, ?)", row)
        if row[0] != _FORMAT:
            raise ConfigError(f"the spool {folder} is of another version of cinescrub")
        if row[1] != mark:
            raise ConfigError(f"the spool {folder} was encrypted with another key file")

    def close(self) -> None:
        """Let the file go. May be called twice."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the database; on leaving, all of the block is on the disk, or nothing.

        Raises
        ------
        OutputError
            The disk is full or fails.
        """
        with self._lock, _told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds.

        Raises
        ------
        OutputError
            The file can't be read.
        """
        with self._lock, _told():
            return self._connection.execute(query, values).fetchall()

    def set(
        self,
        rows: sqlite3.Connection,
        identity: str,
        state: State,
        reason: str | None,
        **columns: Any,
    ) -> None:
        """Write where an instance stands, and other columns of it, in an open `writing`."""
        values = {"state": state.value, "reason": reason, "changed": self.clock()} | columns
        names = ", ".join(f"{name} = ?" for name in values)
        rows.execute(f"UPDATE instances SET {names} WHERE id = ?", (*values.values(), identity))  # noqa: S608


def entry(row: Sequence[Any]) -> Entry:
    """Return a row of `ENTRY` as a value."""
    values = dict(zip(_COLUMNS, row, strict=True))
    return Entry(**values | {"state": State(values["state"]), "alone": bool(values["alone"])})


@contextmanager
def _told() -> Iterator[None]:
    """Turn what SQLite refuses into an OutputError of one line."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
        raise OutputError(f"the spool can't be read or written: {name}") from None
