"""From the spool through the engine and back: one instance at a time, whatever becomes of it."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Final

from cinescrub.errors import CancelledError, CinescrubError, InputError
from cinescrub.node.entry import Entry, State
from cinescrub.node.observe import Metrics
from cinescrub.node.spool import Spool
from cinescrub.node.worker import Result, Task, Worker, WorkerDied
from cinescrub.report import Status

__all__ = ["Scrubbing"]

logger = logging.getLogger(__name__)

_NO_ROOM: Final = "the decrypted original can't be written: free space in the work folder"


class Scrubbing:
    """What one engine process does for the spool.

    Parameters
    ----------
    spool : Spool
        Where instances wait, and outputs go.
    worker : Worker
        The process; owned by the caller.
    work : Path
        Private folder in which the original of the moment lies decrypted.
    routes : tuple of str
        For whom outputs are.
    attempts : int
        An instance that ended the process so often is held.
    metrics : Metrics
        What is counted.
    """

    def __init__(
        self,
        spool: Spool,
        worker: Worker,
        work: Path,
        routes: tuple[str, ...],
        attempts: int,
        metrics: Metrics,
    ) -> None:
        self._spool = spool
        self._worker = worker
        self._work = work
        self._routes = routes
        self._attempts = attempts
        self._metrics = metrics
        self._unfinished: Entry | None = None
        """What was claimed and could not be written down: it would be nobody's."""

    def one(self, stopping: threading.Event) -> bool:
        """Work on the oldest instance that is due; return whether there was one.

        Raises
        ------
        OutputError
            The spool can't be written.
        CancelledError
            The node stops; the instance is as it was.
        """
        if self._unfinished is not None:
            self._spool.again(self._unfinished)
        entry = self._unfinished = self._spool.claim()
        if entry is None:
            return False
        source = self._work / f"{entry.id}.dcm"
        try:
            if self._decrypt(entry, source):
                self._scrub(entry, source, stopping)
        finally:
            source.unlink(missing_ok=True)
        self._unfinished = None
        return True

    def _decrypt(self, entry: Entry, target: Path) -> bool:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
                for piece in self._spool.original(entry):
                    file.write(piece)
        except InputError as error:
            self._spool.lost(entry, error.message)
            self._tell(entry, State.HELD, error.message)
            return False
        except OSError:
            self._tell(entry, self._spool.failed(entry, _NO_ROOM), _NO_ROOM)
            return False
        return True

    def _scrub(self, entry: Entry, source: Path, stopping: threading.Event) -> None:
        begun = self._worker.starts
        try:
            task = Task(source, self._spool.output_folder(entry), entry.alone)
            result = self._worker.run(task, stopping)
        except CancelledError:
            self._spool.again(entry)
            raise
        except WorkerDied as died:
            self._metrics.restarts.inc()
            reason = f"the engine's process ended on it: {died.reason}"
            self._tell(entry, self._spool.crashed(entry, reason, self._attempts), reason)
            return
        except CinescrubError as error:  # no engine can be begun, or there is no room
            self._tell(entry, self._spool.failed(entry, error.message), error.message)
            return
        finally:
            if self._worker.starts > begun:
                logger.info("engine process begun anew")
        self._metrics.scrubbed.labels(result.status.value).inc()
        self._metrics.engine_seconds.observe(result.seconds)
        self._conclude(entry, result)

    def _conclude(self, entry: Entry, result: Result) -> None:
        """Write down how the engine ended with an instance."""
        if result.status is Status.OK and result.output is not None and result.sha256 is not None:
            self._spool.scrubbed(entry, result.output, result.sha256, self._routes)
            facts = {"instance": entry.id, "seconds": round(result.seconds, 2)}
            logger.info("instance de-identified", extra=facts)
            return
        reason = result.reason or result.status.value
        if result.status is Status.FAILED:
            self._tell(entry, self._spool.failed(entry, reason), reason)
            return
        self._spool.hold(entry, reason)
        self._tell(entry, State.HELD, reason)

    def _tell(self, entry: Entry, state: State, reason: str) -> None:
        facts = {"instance": entry.id, "state": state.value, "reason": reason}
        logger.warning("instance not de-identified", extra=facts)
