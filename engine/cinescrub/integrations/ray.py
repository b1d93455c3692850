"""Many machines, through Ray: an engine in each worker, one desk that says who takes which place.

The driver schedules inputs as it does for threads (`pipeline.batch`); here a thread hands its
input to a worker and waits. Inputs, outputs and models lie where every node finds them under the
same path, or in a store. What passes through Ray: paths, settings, report lines, and the key,
sealed for the process that gets it; no pixels and no header.

Ray is imported here and in `integrations.desk` only.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cinescrub.config import EngineConfig
from cinescrub.dicom.pseudonym import Pseudonyms, load_or_create_key
from cinescrub.dicom.target import sweep
from cinescrub.errors import (
    CancelledError,
    CinescrubError,
    ClusterError,
    ConfigError,
    InputError,
)
from cinescrub.integrations.cluster import Sealed, Share, as_given, everywhere, seal, share_of
from cinescrub.integrations.desk import Desk, DeskPlaces, DeskRows, answer, ask_desk
from cinescrub.integrations.stores import open_stores
from cinescrub.kinds import Location, Url
from cinescrub.pipeline.assembly import shared_by
from cinescrub.pipeline.engine import Engine
from cinescrub.pipeline.job import Nobody, Observer
from cinescrub.pipeline.state import secret_of_inputs
from cinescrub.pipeline.targets import Targets
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken, Turns, usable_cores

__all__ = ["Cluster", "open_cluster"]

logger = logging.getLogger(__name__)

OpenEngine: TypeAlias = Callable[..., Engine]

_ATTEMPTS: Final = 3
"""Workers that may die of one input. A third time it isn't the machine any more."""
_START_S: Final = 120.0
"""For a worker to be placed, and to load its models."""
_TICK_S: Final = 0.2
_STOP_S: Final = 60.0
"""For an input in work to clean up after a stop; then its worker is killed."""
_OBJECT_STORE_BYTES: Final = 80 << 20
"""Of a cluster of our own: Ray's least, since nothing large passes through it."""


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is to know before it works. Holds no key."""

    config: EngineConfig
    out: Location
    fetches: bool
    """Whether inputs lie in stores."""
    cpus: int
    """Cores of its node that it counts for."""
    desk: Any
    open_engine: OpenEngine


class _Worker(Sealed):
    """An engine in a process of its own. An actor: works on one input, and may be told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._token = CancelToken()

    def open(self, task: _Task, sealed: bytes) -> dict[str, str]:
        """Load everything; return what outputs depend on besides settings and key."""
        key = self.opened(sealed)
        rows = None
        if task.config.state is not None:
            rows = DeskRows(task.desk, secret_of_inputs(Pseudonyms(key).derived("state")))
        neighbours = max(1, usable_cores(1 << 10) // task.cpus)
        config = shared_by(task.config, neighbours)
        engine = self._stack.enter_context(task.open_engine(config, key=key, rows=rows))
        stores = self._stack.enter_context(open_stores(task.out, [], fetches=task.fetches))
        self._runner = stores.around(engine)
        places = DeskPlaces(task.desk, stores.targets.root)
        self._targets = replace(stores.targets, places=places)
        return dict(engine.versions)

    def run(self, source: Location, number: int) -> FileReport:
        """De-identify one input."""
        self._token = CancelToken()
        targets = self._targets.in_turn(number)
        return self._runner.run(source, targets, token=self._token, observer=Nobody())

    def stop(self) -> None:
        """Stop the input in work."""
        self._token.cancel(CancelledError("stopped; nothing half-written is left"))

    def close(self) -> None:
        """Let models and spool go."""
        self._stack.close()


def _report(ref: Any) -> FileReport:
    report: FileReport = answer(ref)
    return report


class Cluster:
    """The workers of a run (`pipeline.batch.Runner`). Made by `open_cluster`.

    Each input goes to one worker at a time. If that dies, another one takes the input over, with
    the same place: an output has one name however often its input was begun.
    """

    def __init__(self, task: _Task, key: bytes, share: Share) -> None:
        self._task = task
        self._key = key
        self._share = share
        self._versions: Mapping[str, str] | None = None
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive: set[Any] = set()
        self._turns = Turns()
        self.places = DeskPlaces(task.desk, Path())
        """For the driver, which only says which inputs have left."""

    @property
    def jobs(self) -> int:
        """Inputs in work at once, and never one alone: only side by side they have numbers."""
        return max(2, self._share.workers)

    def start(self) -> None:
        """Place all workers and have them load their models, all at once.

        Raises
        ------
        ClusterError
            There is no room for them, or they differ.
        CinescrubError
            What a worker failed with.
        """
        begun = [self._begin() for _ in range(self._share.workers)]
        for worker, versions in [(worker, self._load(worker)) for worker in begun]:
            self._join(worker, versions)
            self._idle.put(worker)

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            alive, self._alive = self._alive, set()
        with suppress(RayError):  # it is gone, and they with it
            closing = [worker.close.remote() for worker in alive]
            if closing:
                ray.wait(closing, num_returns=len(closing), timeout=_STOP_S)
            for worker in alive:
                ray.kill(worker)

    def run(
        self, source: Location, out: Targets, /, *, token: CancelToken, observer: Observer
    ) -> FileReport:
        """De-identify one input on some worker; called from several threads.

        Raises
        ------
        CancelledError
            The token was set.
        ClusterError
            No worker is left.
        """
        number = out.number
        if number is None:
            raise ValueError("inputs on a cluster have numbers: give them `jobs` of it")
        # In the order of the inputs: one that waits for a worker, while those of later inputs wait
        # for its place, would wait for ever.
        self._turns.wait(number)
        try:
            worker = self._taken()
        finally:
            self._turns.leave(number)
        for _ in range(_ATTEMPTS):
            try:
                report = self._await(worker, source, number, token)
            except RayError as error:
                logger.warning("a worker died: %s", type(error).__name__)
                worker = self._successor(worker, out.root, number)
                continue
            except BaseException:
                self._idle.put(worker)
                raise
            self._idle.put(worker)
            return as_given(report, source, out.root)
        self._idle.put(worker)
        ask_desk(self._task.desk.ask.remote("abandon", number))
        return FileReport(
            Path(source),
            Status.QUARANTINED,
            reason=f"its worker died {_ATTEMPTS} times: report this file",
            exit_code=InputError.exit_code,
            fetched_from=source if isinstance(source, Url) else None,
        )

    def _await(self, worker: Any, source: Location, number: int, token: CancelToken) -> FileReport:
        given = source if isinstance(source, Url) else Path(os.path.abspath(source))
        ref = worker.run.remote(given, number)
        stopping = 0
        while not ray.wait([ref], timeout=_TICK_S)[0]:
            if token.cause is not None:
                # More than once: the first may come before the input is begun.
                worker.stop.remote()
                stopping += 1
                if stopping * _TICK_S > _STOP_S:
                    ray.kill(worker)
        if token.cause is not None:
            with suppress(RayError):
                return _report(ref)
            raise CancelledError("a worker was stopped the hard way")
        return _report(ref)

    def _successor(self, dead: Any, root: Path, number: int) -> Any:
        """Start a worker in place of one that died; where that can't be, wait for another's."""
        with suppress(RayError):
            ray.kill(dead)
        with self._lock:
            self._alive.discard(dead)
        if not isinstance(self._task.out, Url):
            sweep(root)
        try:
            worker = self._begin()
            self._join(worker, self._load(worker))
        except CinescrubError as error:
            logger.warning("no other worker can be had: %s", type(error).__name__)
            # Those that wait for this input's place hold the workers that are left.
            self.places.leave(number)
            with self._lock:
                if not self._alive:
                    self._idle.put(None)
            return self._taken()
        return worker

    def _taken(self) -> Any:
        worker = self._idle.get()
        if worker is None:
            self._idle.put(None)  # for all others that wait
            raise ClusterError("no worker of the cluster is left: run again with --resume")
        return worker

    def _begin(self) -> Any:
        worker = (
            ray.remote(_Worker)
            .options(
                num_cpus=self._share.cpus,
                num_gpus=self._share.gpus,
                max_concurrency=2,  # one works, the other may stop it
                scheduling_strategy="SPREAD",
            )
            .remote()
        )
        with self._lock:
            self._alive.add(worker)
        return worker

    def _load(self, worker: Any) -> Any:
        """Have a worker load everything; return what will say of what versions."""
        with self._starting(worker):
            public = ray.get(worker.public_key.remote(), timeout=_START_S)
            return worker.open.remote(self._task, seal(self._key, public))

    def _join(self, worker: Any, loading: Any) -> None:
        """Wait until a worker has loaded everything, and see that it is as the others are."""
        with self._starting(worker):
            versions: dict[str, str] = answer(loading)
            with self._lock:
                known = self._versions = self._versions or versions
            names = sorted(known.keys() | versions.keys())
            differs = [name for name in names if known.get(name) != versions.get(name)]
            if differs:
                raise ClusterError(f"nodes differ in {', '.join(differs)}: make them the same")

    @contextmanager
    def _starting(self, worker: Any) -> Iterator[None]:
        """Let a worker go that doesn't come to work."""
        try:
            yield
        except BaseException as error:
            with suppress(RayError):
                ray.kill(worker)
            with self._lock:
                self._alive.discard(worker)
            if isinstance(error, RayError):
                raise ClusterError(
                    "a worker can't be started: ask for fewer, or look after the nodes"
                ) from None
            raise


@contextmanager
def open_cluster(
    config: EngineConfig,
    out: Location,
    *,
    address: str,
    actors: int | None = None,
    gpus_per_actor: float = 0.0,
    fetches: bool = False,
    open_engine: OpenEngine = Engine.open,
) -> Iterator[Cluster]:
    """Join a cluster, or start one on this machine, and have its workers ready.

    Parameters
    ----------
    config : EngineConfig
        Settings; `jobs` and `threads` of a worker follow from its share of its node.
    out : Path or Url
        Where outputs go, the same for all nodes.
    address : str
        Of a cluster that this machine is a node of, or `local`.
    actors : int, optional
        Workers; by default one a core, or as many as GPUs can be shared by.
    gpus_per_actor : float
        What each takes of a GPU, 0 to 1 or whole ones.
    fetches : bool
        Whether inputs lie in stores.
    open_engine : callable
        What loads an engine in a worker, of `Engine.open`'s parameters.

    Raises
    ------
    ConfigError
        The address is not supported.
    ClusterError
        No cluster is there, it has no room, or its nodes differ.
    CinescrubError
        What a worker failed with: models are missing there, say.
    """
    with _connected(address):
        share = share_of(ray.nodes(), actors, gpus_per_actor)
        key = load_or_create_key(config.key_file)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        desk = (
            ray.remote(Desk)
            .options(
                num_cpus=0,
                # All workers may wait for their turn at once, and what ends the waiting comes in.
                max_concurrency=2 * share.workers + 4,
                scheduling_strategy=here,
            )
            .remote()
        )
        config = everywhere(config)
        if config.state is not None:
            secret = seal(Pseudonyms(key).derived("state"), ask_desk(desk.public_key.remote()))
            ask_desk(desk.open_state.remote(config.state, secret))
        given = out if isinstance(out, Url) else Path(os.path.abspath(out))
        task = _Task(config, given, fetches, share.cpus, desk, open_engine)
        cluster = Cluster(task, key, share)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()
            ask_desk(desk.close.remote())
            ray.kill(desk)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Join a cluster for as long as the block runs; one that the program has joined is used."""
    if address.startswith("ray://"):
        raise ConfigError("--ray needs a node of the cluster, not its client port: run there")
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    if address == "local" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        # A new cluster listens on all interfaces and asks for a token (since Ray 2.60 by itself),
        # which would lie in the home folder for all to read: one of this run's own instead.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    own = {
        "num_cpus": usable_cores(1 << 10),
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_node_ip_address": "127.0.0.1",
    }
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(own if address == "local" else {}),
        )
    except Exception as error:  # Ray raises a dozen kinds
        raise ClusterError(
            f"no cluster can be joined ({type(error).__name__}): check the address, or use `local`"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()
