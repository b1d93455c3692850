"""Outputs on their way: which is due for which route, and what follows from how it went."""

from __future__ import annotations

from cinescrub.node.database import ENTRY, entry
from cinescrub.node.entry import Delivery, State
from cinescrub.node.spool import Spool, clear

__all__ = ["Deliveries"]


class Deliveries:
    """The routes' side of a spool. For any number of threads, one a route."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._database = spool.database

    def next(self, route: str) -> Delivery | None:
        """Return the oldest output that is due for a route."""
        found = self._database.rows(
            f"SELECT {ENTRY}, deliveries.attempts FROM deliveries JOIN instances USING (id)"  # noqa: S608
            " WHERE route = ? AND deliveries.state = 'waiting' AND output IS NOT NULL"
            " AND (deliveries.due <= ? OR deliveries.due > ?)"
            " ORDER BY deliveries.due, received LIMIT 1",
            (route, *self._spool.backoff.due(self._database.clock())),
        )
        if not found:
            return None
        *row, attempts = found[0]
        of = entry(row)
        path = self._spool.folder / "out" / of.id / str(of.output)
        return Delivery(of, route, path, attempts)

    def done(self, delivery: Delivery) -> State:
        """Note that a route has an output. With the last one the original is shredded.

        Raises
        ------
        OutputError
            The disk fails.
        """
        state = self._note(delivery, "done", delivery.attempts, 0.0, None)
        if state is State.SENT:
            clear(self._spool.folder, delivery.entry.id)
        return state

    def failed(self, delivery: Delivery, reason: str) -> State:
        """Note that a route could not be reached; in the end the output is held."""
        attempts = delivery.attempts + 1
        state = "refused" if self._spool.backoff.is_over(attempts) else "waiting"
        due = self._database.clock() + self._spool.backoff.wait_s(attempts)
        return self._note(delivery, state, attempts, due, reason)

    def refused(self, delivery: Delivery, reason: str) -> State:
        """Note that a route does not take an output: it is held for people."""
        return self._note(delivery, "refused", delivery.attempts, 0.0, reason)

    def without_output(self, delivery: Delivery, reason: str) -> None:
        """Have an output made anew: what lies in the spool is not it."""
        of = delivery.entry
        with self._database.writing() as rows:
            missing = {"output": None, "sha256": None, "due": 0.0}
            self._database.set(rows, of.id, State.FAILED, reason, **missing)
        self._spool.wake()

    def age_s(self, delivery: Delivery) -> float:
        """Return how long ago an instance was received; not less than 0, whatever the clock did."""
        return max(0.0, self._database.clock() - delivery.entry.received)

    def waiting(self) -> dict[str, int]:
        """Return how many outputs wait for which route."""
        query = "SELECT route, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY route"
        return dict(self._database.rows(query))

    def keep_to(self, routes: tuple[str, ...]) -> int:
        """Hold what waits for a route that there is no longer; return how many."""
        marks = ", ".join("?" * len(routes))
        with self._database.writing() as rows:
            orphans = rows.execute(
                "SELECT id, route FROM deliveries WHERE state = 'waiting'"  # noqa: S608
                f" AND route NOT IN ({marks})",
                routes,
            ).fetchall()
            for identity, route in orphans:
                reason = "it is no route of the configuration any more"
                rows.execute(
                    "UPDATE deliveries SET state = 'refused', reason = ?"
                    " WHERE id = ? AND route = ?",
                    (reason, identity, route),
                )
                self._database.set(rows, identity, State.HELD, f"{route}: {reason}")
        return len(orphans)

    def _note(
        self, delivery: Delivery, state: str, attempts: int, due: float, reason: str | None
    ) -> State:
        """Write where a delivery stands, and what follows for its instance."""
        identity = delivery.entry.id
        with self._database.writing() as rows:
            rows.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, due = ?, reason = ?"
                " WHERE id = ? AND route = ?",
                (state, attempts, due, reason, identity, delivery.route),
            )
            all_of_them = rows.execute(
                "SELECT state, attempts, route, reason FROM deliveries WHERE id = ? ORDER BY route",
                (identity,),
            ).fetchall()
            follows, why = _follows(all_of_them)
            self._database.set(rows, identity, follows, why)
        return follows


def _follows(deliveries: list[tuple[str, int, str, str | None]]) -> tuple[State, str | None]:
    """Return the state of an instance, and why, by those of its deliveries."""
    for state, _, route, reason in deliveries:
        if state == "refused":
            return State.HELD, f"{route}: {reason}"
    waiting = [each for each in deliveries if each[0] == "waiting"]
    for _, attempts, route, reason in waiting:
        if attempts:
            return State.FAILED, f"{route}: {reason}"
    return (State.WORKING if waiting else State.SENT), None
