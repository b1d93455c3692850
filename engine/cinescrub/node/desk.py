"""The operator's side of a spool: counts, lists, and what people decide. Needs no key.

Works beside a running node, which sees within seconds what was changed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from cinescrub.errors import ConfigError
from cinescrub.node.database import ENTRY, FILE, Database, entry
from cinescrub.node.entry import OTHER_BYTES, Entry, State
from cinescrub.node.spool import clear

__all__ = ["Desk"]


class Desk:
    """What people see and do. A context manager.

    Parameters
    ----------
    folder : Path
        The spool's.
    database : Database
        Its rows; owned.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the spool of a node, which may be running.

        Raises
        ------
        ConfigError
            There is none that this user may read.
        OutputError
            It can't be opened.
        """
        try:
            is_there = (folder / FILE).is_file()
        except OSError:
            is_there = False
        if not is_there:
            raise ConfigError(f"there is no spool in {folder} that this user may read")
        return cls(folder, Database(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def counts(self) -> dict[State, int]:
        """Return how many instances are in which state."""
        found = self._database.rows("SELECT state, count(*) FROM instances GROUP BY state")
        counted = dict(found)
        return {state: counted.get(state.value, 0) for state in State}

    def entries(self, *states: State) -> list[Entry]:
        """Return instances in the order they came; without `states` all that are not sent."""
        wanted = states or tuple(state for state in State if state is not State.SENT)
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT {ENTRY} FROM instances WHERE state IN ({marks}) ORDER BY received"  # noqa: S608
        return [entry(row) for row in self._database.rows(query, [s.value for s in wanted])]

    def release(self, identity: str) -> None:
        """Let a held instance, or one that waits for another attempt, go on now.

        Raises
        ------
        ConfigError
            There is none of that id, or it is not held or failed.
        """
        with self._database.writing() as rows:
            known = _known(rows, identity)
            if known.state not in {State.HELD, State.FAILED}:
                raise ConfigError(f"{identity} is {known.state}: only held and failed ones wait")
            state = State.RECEIVED if known.output is None else State.WORKING
            anew = {"attempts": 0, "crashes": 0, "starts": 0, "due": 0.0}
            alone = int(known.alone or known.reason == OTHER_BYTES)
            self._database.set(rows, identity, state, None, alone=alone, **anew)
            rows.execute(
                "UPDATE deliveries SET state = 'waiting', attempts = 0, due = 0, reason = NULL"
                " WHERE id = ? AND state != 'done'",
                (identity,),
            )

    def delete(self, identity: str) -> None:
        """Shred an instance and forget it: sent again, it is a new one.

        Raises
        ------
        ConfigError
            There is none of that id, or it is in work.
        OutputError
            The disk fails.
        """
        with self._database.writing() as rows:
            known = _known(rows, identity)
            if known.state in {State.RECEIVED, State.WORKING}:
                raise ConfigError(f"{identity} is {known.state}: only what waits can be deleted")
            clear(self._folder, identity)
            rows.execute("DELETE FROM deliveries WHERE id = ?", (identity,))
            rows.execute("DELETE FROM instances WHERE id = ?", (identity,))

    def forget(self, keep_days: int) -> int:
        """Drop what is remembered of instances that were sent long ago; return how many."""
        before = self._database.clock() - keep_days * 86_400
        old = "SELECT id FROM instances WHERE state = 'sent' AND changed < ?"
        with self._database.writing() as rows:
            rows.execute(f"DELETE FROM deliveries WHERE id IN ({old})", (before,))  # noqa: S608
            return rows.execute(f"DELETE FROM instances WHERE id IN ({old})", (before,)).rowcount  # noqa: S608


def _known(rows: sqlite3.Connection, identity: str) -> Entry:
    query = f"SELECT {ENTRY} FROM instances WHERE id = ?"  # noqa: S608
    found = rows.execute(query, (identity,)).fetchone()
    if found is None:
        raise ConfigError("there is no such instance: `cinescrub node list` has their ids")
    return entry(found)
