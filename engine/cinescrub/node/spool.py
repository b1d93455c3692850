"""The spool: every instance that was accepted and not yet delivered, whatever happens in between.

An original lies encrypted in a file; its row says where it stands. An instance is accepted once
both are on the disk. How an instance goes from state to state is decided here, for deliveries in
`deliveries`, and for what people decide in `desk`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cinescrub.dicom.target import sync_folder
from cinescrub.errors import ConfigError, InputError, OutputError
from cinescrub.node.arrival import HASH_BYTES, Arrival, hashed
from cinescrub.node.backoff import Backoff
from cinescrub.node.database import ENTRY, Database, entry
from cinescrub.node.entry import OTHER_BYTES, Accepted, Entry, State
from cinescrub.node.vault import Vault, label_of, shred

__all__ = ["Spool", "clear", "make_private"]

_MOST_STARTS: Final = 20
"""Starts of work on one instance that no end followed: power cuts, or it takes the machine down."""
_NO_FILE: Final = "its file is missing in the spool"
_NOBODY: Final[dict[str, None]] = {"name": None, "content": None}
"""Columns of an instance that no other is a copy of, as its bytes are not there any more."""


class Spool:
    """The open spool of the one node that works on it. A context manager; made by `open`.

    For any number of threads.
    """

    def __init__(
        self, folder: Path, database: Database, backoff: Backoff, secret: bytes, lock: int
    ) -> None:
        self.folder = folder
        self.database = database
        self.backoff = backoff
        self.changed = threading.Condition()
        """Notified when there may be work."""
        self._hashing = _derived(secret, b"hashes")
        self._vault = Vault(_derived(secret, b"vault"))
        self._lock_file = lock

    @classmethod
    def open(
        cls,
        folder: Path,
        backoff: Backoff,
        secret: bytes,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open the spool, and put right what a crash left.

        Parameters
        ----------
        folder : Path
            Made with mode 0700 if it is not there.
        backoff : Backoff
            When what failed is tried again.
        secret : bytes
            32 bytes, derived from the key file.
        clock : callable
            Wall time in seconds.

        Raises
        ------
        ConfigError
            Others may use the folder, another node does, the key is another, or the database is
            damaged.
        OutputError
            The folder can't be made or written.
        """
        for each in (folder, folder / "in", folder / "out"):
            make_private(each)
        lock = _only_one(folder)
        try:
            database = Database(folder, clock)
            database.begin(_derived(secret, b"mark")[:HASH_BYTES], folder)
            spool = cls(folder, database, backoff, secret, lock)
            spool._recover()
        except BaseException:
            os.close(lock)
            raise
        return spool

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
        """Let the database and the folder go. May be called twice."""
        self.database.close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def wake(self) -> None:
        """Tell whoever waits that there may be work."""
        with self.changed:
            self.changed.notify_all()

    # What arrives

    def arrival(self) -> Arrival:
        """Begin to receive an instance.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        identity = secrets.token_hex(16)
        path = self.folder / "in" / f"{identity}.part"
        return Arrival(identity, self._vault.create(path, identity), self._hashing)

    def accept(self, arrival: Arrival, sop_instance: str, peer: str) -> tuple[Accepted, str]:
        """Take an instance that has arrived whole. It is safe when this returns.

        Returns
        -------
        Accepted, str
            How it was taken, and the id of the entry that stands for it.

        Raises
        ------
        OutputError
            The disk is full or fails: it is not accepted, and nothing of it is left.
        """
        name, content = hashed(self._hashing, sop_instance.encode()), arrival.content
        path = self._original(arrival.id)
        try:
            known = self._copy_of(name, content)
            if known is not None:
                arrival.discard()
                return Accepted.COPY, known
            arrival.sealed.seal(name + content)
            arrival.sealed.path.rename(path)
            sync_folder(path.parent)
        except OSError:  # an OutputError is one
            arrival.discard()
            with suppress(OSError):  # it lies there if its folder could not be synced
                path.unlink(missing_ok=True)
            raise OutputError("the spool can't be written: its disk may be full") from None
        try:
            with self.database.writing() as rows:
                twin = self._copy_of(name, content)  # another association was quicker
                taken = Accepted.COPY
                if twin is None:
                    now = self.database.clock()
                    taken = _insert(rows, arrival.id, name, content, arrival.size, peer, now)
        except OutputError:
            path.unlink(missing_ok=True)
            raise
        if twin is not None:
            shred(path)
            return taken, twin
        self.wake()
        return taken, arrival.id

    # The engine's part

    def claim(self) -> Entry | None:
        """Take the oldest instance that is due for the engine; it is `working` from now on."""
        with self.database.writing() as rows:
            found = rows.execute(
                f"SELECT {ENTRY} FROM instances WHERE output IS NULL AND (state = 'received'"  # noqa: S608
                " OR state = 'failed' AND (due <= ? OR due > ?)) ORDER BY received LIMIT 1",
                self.backoff.due(self.database.clock()),
            ).fetchone()
            if found is None:
                return None
            taken = entry(found)
            rows.execute("UPDATE instances SET starts = starts + 1 WHERE id = ?", (taken.id,))
            self.database.set(rows, taken.id, State.WORKING, None)
        return taken

    def original(self, of: Entry) -> Iterator[bytes]:
        """Yield an original in pieces; it is what was received once the last was yielded.

        Raises
        ------
        InputError
            It is damaged or missing.
        OSError
            It can't be read.
        """
        try:
            yield from self._vault.read(self._original(of.id), of.id)
        except FileNotFoundError:
            raise InputError(_NO_FILE) from None

    def output_folder(self, of: Entry) -> Path:
        """Return where the engine writes the output of an instance, empty and private."""
        folder = self.folder / "out" / of.id
        shutil.rmtree(folder, ignore_errors=True)
        make_private(folder)
        return folder

    def scrubbed(self, of: Entry, output: Path, sha256: str, routes: tuple[str, ...]) -> None:
        """Note that the output of an instance is there, and for whom."""
        relative = str(output.relative_to(self.folder / "out" / of.id))
        with self.database.writing() as rows:
            rows.executemany(
                "INSERT OR IGNORE INTO deliveries VALUES (?, ?, 'waiting', 0, 0, NULL)",
                [(of.id, route) for route in routes],
            )
            new = {"output": relative, "sha256": sha256, "attempts": 0, "starts": 0}
            self.database.set(rows, of.id, State.WORKING, None, **new)
        self.wake()

    def again(self, of: Entry) -> None:
        """Put an instance back as it was: the node stops."""
        with self.database.writing() as rows:
            self.database.set(rows, of.id, State.RECEIVED, None, starts=0)

    def crashed(self, of: Entry, reason: str, most: int) -> State:
        """Note that an instance ended the engine; after `most` times it is held."""
        crashes = of.crashes + 1
        state = State.HELD if crashes >= most else State.RECEIVED
        with self.database.writing() as rows:
            self.database.set(rows, of.id, state, reason, crashes=crashes, starts=0)
        return state

    def failed(self, of: Entry, reason: str) -> State:
        """Note that the surroundings of the engine failed; in the end the instance is held."""
        attempts = of.attempts + 1
        state = State.HELD if self.backoff.is_over(attempts) else State.FAILED
        due = self.database.clock() + self.backoff.wait_s(attempts)
        with self.database.writing() as rows:
            self.database.set(rows, of.id, state, reason, attempts=attempts, due=due, starts=0)
        return state

    def hold(self, of: Entry, reason: str) -> None:
        """Leave an instance to people."""
        with self.database.writing() as rows:
            self.database.set(rows, of.id, State.HELD, reason, starts=0)

    def lost(self, of: Entry, reason: str) -> None:
        """Leave an instance to people whose original is damaged: sent again, it is a new one."""
        with self.database.writing() as rows:
            self.database.set(rows, of.id, State.HELD, reason, starts=0, **_NOBODY)

    # What the end of a process leaves

    def _recover(self) -> None:
        for part in (self.folder / "in").glob("*.part"):
            part.unlink(missing_ok=True)
        with self.database.writing() as rows:
            interrupted = "WHERE state = 'working' AND output IS NULL"
            rows.execute(
                f"UPDATE instances SET state = 'held', reason = ? {interrupted} AND starts >= ?",  # noqa: S608
                (f"the node ended {_MOST_STARTS} times while it was in work", _MOST_STARTS),
            )
            rows.execute(f"UPDATE instances SET state = 'received' {interrupted}")  # noqa: S608
            states = dict(rows.execute("SELECT id, state FROM instances").fetchall())
        files = {path.stem: path for path in (self.folder / "in").glob("*.sealed")}
        for identity, path in files.items():
            if identity not in states:
                self._adopt(identity, path)
            elif states[identity] == State.SENT:  # it ended between the last answer and this
                clear(self.folder, identity)
        for folder in (self.folder / "out").iterdir():
            if states.get(folder.name) in {None, State.SENT}:
                shutil.rmtree(folder, ignore_errors=True)
        with self.database.writing() as rows:
            for identity, state in states.items():
                if state not in {State.SENT, State.HELD} and identity not in files:
                    self.database.set(rows, identity, State.HELD, _NO_FILE, **_NOBODY)

    def _adopt(self, identity: str, path: Path) -> None:
        """Take up a sealed file without a row: the end came in between, or the database is new."""
        label = label_of(path)
        if label is None:
            path.unlink()
            return
        name, content = label[:HASH_BYTES], label[HASH_BYTES:]
        if self._copy_of(name, content) is not None:
            shred(path)
            return
        status = path.stat()
        with self.database.writing() as rows:
            _insert(rows, identity, name, content, status.st_size, "", status.st_mtime)

    def _copy_of(self, name: bytes, content: bytes) -> str | None:
        query = "SELECT id FROM instances WHERE name = ? AND content = ?"
        found = self.database.rows(query, (name, content))
        return str(found[0][0]) if found else None

    def _original(self, identity: str) -> Path:
        return self.folder / "in" / f"{identity}.sealed"


def clear(folder: Path, identity: str) -> None:
    """Shred the original of an instance in a spool's folder, and remove its output.

    Raises
    ------
    OutputError
        The disk fails.
    """
    try:
        shred(folder / "in" / f"{identity}.sealed")
    except OSError:
        raise OutputError("an original can't be shredded: check the spool's disk") from None
    shutil.rmtree(folder / "out" / identity, ignore_errors=True)


def make_private(folder: Path) -> None:
    """Make a folder for its owner alone, or see that it is.

    Raises
    ------
    ConfigError
        Others may use it.
    OutputError
        It can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        raise OutputError(f"the folder {folder} can't be made: name another") from None
    if mode & 0o077:
        raise ConfigError(f"others may use the folder {folder}: run `chmod 700` on it")


def _only_one(folder: Path) -> int:
    """Return a descriptor that keeps other nodes off the spool while it is open."""
    try:
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        raise OutputError(f"the spool {folder} can't be written: name another folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(f"another node uses the spool {folder}") from None
    return descriptor


def _insert(
    rows: sqlite3.Connection,
    identity: str,
    name: bytes,
    content: bytes,
    size: int,
    peer: str,
    now: float,
) -> Accepted:
    """Write the row of a new instance; one of a known name is held."""
    other = rows.execute("SELECT 1 FROM instances WHERE name = ?", (name,)).fetchone()
    state, reason = (State.HELD, OTHER_BYTES) if other else (State.RECEIVED, None)
    rows.execute(
        "INSERT INTO instances (id, name, content, state, reason, peer, size, received, changed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (identity, name, content, state.value, reason, peer, size, now, now),
    )
    return Accepted.CONFLICT if other else Accepted.NEW


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(purpose, key=secret, digest_size=32).digest()
