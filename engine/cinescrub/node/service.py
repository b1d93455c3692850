"""The node: everything put together, started in order and stopped in order.

Threads of its own: the SCP's, one for each engine process, one for each route, one that keeps
house. All of them end when the node stops, and none is left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self

from cinescrub.dicom.pseudonym import Pseudonyms, load_or_create_key
from cinescrub.errors import CancelledError, CinescrubError, origin_of
from cinescrub.node.backoff import Backoff
from cinescrub.node.config import NodeConfig
from cinescrub.node.deliveries import Deliveries
from cinescrub.node.delivering import Delivering
from cinescrub.node.desk import Desk
from cinescrub.node.observe import HttpServer, Metrics
from cinescrub.node.resources import Resources
from cinescrub.node.routes import open_route
from cinescrub.node.scp import StorageScp
from cinescrub.node.scrubbing import Scrubbing
from cinescrub.node.spool import Spool, make_private
from cinescrub.node.worker import EngineFactory, Worker, open_engine
from cinescrub.pipeline.assembly import shared_by

__all__ = ["Node"]

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
"""How soon a thread sees what became due, or what a command beside the node released."""
_REST_S: Final = 5.0
"""After a fault of the surroundings or of ours, before a thread goes on."""
_TIDY_EVERY_S: Final = 3600.0
_MIB: Final = 1 << 20


class Node:
    """A node that runs while its block does. A context manager.

    Parameters
    ----------
    config : NodeConfig
        Settings.
    factory : EngineFactory, optional
        Opens the engine; by default the real one.
    clock : callable
        Wall time in seconds.
    """

    def __init__(
        self,
        config: NodeConfig,
        factory: EngineFactory | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._factory = factory or open_engine(shared_by(config.engine, config.worker.count))
        self._clock = clock
        self._stack = ExitStack()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._resting: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start everything; the SCP last, so that it takes only what can be worked on.

        Raises
        ------
        ConfigError, ModelError, OutputError
            Something can't be had: nothing is left running.
        """
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        logger.info("node started")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, the SCP first. What is in work is taken up at the next start."""
        logger.info("node stops")
        self._stack.close()
        logger.info("node stopped")

    @property
    def port(self) -> int:
        """Where the SCP listens."""
        return self._scp.port

    @property
    def http_port(self) -> int:
        """Where `/healthz` and `/metrics` are."""
        return self._http.port

    def _start(self, stack: ExitStack) -> None:
        config = self._config
        key = Pseudonyms(load_or_create_key(config.spool.key_file)).derived("spool/1")
        backoff = Backoff(config.retry.first_s, config.retry.most_s, config.retry.days)
        spool = stack.enter_context(
            Spool.open(config.spool.folder, backoff, key, clock=self._clock)
        )
        work = config.spool.work_folder or config.spool.folder / "work"
        make_private(work)
        for left in work.glob("*.dcm"):  # decrypted when the last process ended
            left.unlink()
        metrics, deliveries = Metrics(spool), Deliveries(spool)
        names = tuple(route.name for route in config.routes)
        if count := deliveries.keep_to(names):
            logger.warning("outputs of routes that are gone are held", extra={"count": count})
        work_of: dict[str, Callable[[], bool]] = {"house": self._tidy(spool)}
        for route in config.routes:
            receiver = open_route(route, config)
            stack.callback(receiver.close)
            work_of[f"route {route.name}"] = Delivering(
                route.name, receiver, deliveries, metrics
            ).one
        for number in range(config.worker.count):
            worker = stack.enter_context(Worker(self._factory, config.worker.stuck_after_s))
            scrubbing = Scrubbing(spool, worker, work, names, config.worker.attempts, metrics)
            work_of[f"engine {number}"] = partial(scrubbing.one, self._stopping)
        # Stopped last to first: who takes in, who works, then what they use.
        stack.callback(self._join, spool)
        for name, one in work_of.items():
            self._run(name, spool, one)
        self._resources = Resources(
            config.spool.folder, config.spool.min_free_mib, config.spool.min_free_memory_mib
        )
        self._http = stack.enter_context(HttpServer(config.http.port, self._wrong, metrics))
        self._scp = StorageScp(
            config.listen,
            spool,
            self._resources,
            config.spool.max_instance_mib * _MIB,
            lambda how: metrics.received.labels(how).inc(),
        )
        stack.enter_context(self._scp)

    def _run(self, name: str, spool: Spool, one: Callable[[], bool]) -> None:
        """Do a piece of work after the other in a thread, until the node stops."""

        def work() -> None:
            while not self._stopping.is_set():
                try:
                    more = one()
                except CancelledError:
                    return
                except Exception as error:  # a thread that ends silently would stop the node
                    self._rest(name, error)
                    continue
                self._resting.pop(name, None)
                if not more:
                    with spool.changed:
                        spool.changed.wait(_LOOK_EVERY_S)

        thread = threading.Thread(target=work, name=name)
        self._threads.append(thread)
        thread.start()

    def _rest(self, name: str, error: Exception) -> None:
        if isinstance(error, CinescrubError):
            reason = error.message
        else:
            reason = f"unexpected {type(error).__name__} in {origin_of(error)}"
        self._resting[name] = reason
        logger.error("%s rests", name, extra={"reason": reason})
        self._stopping.wait(_REST_S)

    def _join(self, spool: Spool) -> None:
        self._stopping.set()
        spool.wake()
        for thread in self._threads:
            thread.join()

    def _tidy(self, spool: Spool) -> Callable[[], bool]:
        desk, due = Desk(spool.folder, spool.database), 0.0

        def tidy() -> bool:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + _TIDY_EVERY_S
                if count := desk.forget(self._config.spool.keep_days):
                    logger.info("sent instances forgotten", extra={"count": count})
            return False

        return tidy

    def _wrong(self) -> list[str]:
        """Return what `/healthz` complains of."""
        wrong = [f"{name}: {reason}" for name, reason in sorted(self._resting.items())]
        wrong += [f"{thread.name} ended" for thread in self._threads if not thread.is_alive()]
        if lacking := self._resources.lacking():
            wrong.append(f"too little {lacking}: instances are refused")
        return wrong
