"""Bounded, ordered hand-over between threads, and the one token that stops everything.

Knows nothing of DICOM or models. A token is set once: the first cause wins, every waiting
call wakes, and whoever owns a thread joins it before its block ends.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from cinescrub.errors import CancelledError

__all__ = ["CancelToken", "Room", "Turns", "mapped", "prefetch", "usable_cores"]

_LOOK_S: Final = 0.1
"""How often who waits for room looks at the token."""

S = TypeVar("S")
T = TypeVar("T")


class CancelToken:
    """A failure channel that is set once; later causes are ignored."""

    def __init__(self) -> None:
        # Reentrant: a signal handler cancels in the thread that it interrupts, here maybe.
        self._lock = threading.RLock()
        self._cause: BaseException | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def cause(self) -> BaseException | None:
        """The first cause, or None while all is well."""
        return self._cause

    def cancel(self, cause: BaseException) -> None:
        """Set the cause if there is none yet, and wake whoever waits."""
        with self._lock:
            if self._cause is not None:
                return
            self._cause = cause
            listeners = tuple(self._listeners)
        for wake in listeners:  # outside of the lock: a listener takes its own
            wake()

    def check(self) -> None:
        """Raise the first cause, if there is one."""
        if self._cause is not None:
            raise self._cause

    @contextmanager
    def wakes(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` on cancellation while the block runs."""
        with self._lock:
            self._listeners.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(wake)


class _Slots(Generic[T]):
    """A bounded queue that ends, and that a token can break."""

    def __init__(self, depth: int, token: CancelToken) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._token = token
        self._ended = False
        self._changed = threading.Condition()
        self._telling = False

    def wake(self) -> None:
        with self._changed:
            # A signal handler may come here while its own thread notifies, whose list of waiters
            # must not change under it; that call wakes them all anyway.
            if not self._telling:
                self._changed.notify_all()

    def _tell(self) -> None:
        """Notify all; the lock is held."""
        self._telling = True
        try:
            self._changed.notify_all()
        finally:
            self._telling = False

    def put(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._items) < self._depth or self._token.cause is not None
            )
            self._token.check()
            self._items.append(item)
            self._tell()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._tell()

    def get(self) -> T | None:
        """Return the next item, or None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: bool(self._items) or self._ended or self._token.cause is not None
            )
            self._token.check()
            if not self._items:
                return None
            item = self._items.popleft()
            self._tell()
            return item


@contextmanager
def prefetch(produce: Iterator[T], *, depth: int, token: CancelToken) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread, at most `depth` items ahead, and give its items in order.

    Parameters
    ----------
    produce : iterator
        Advanced in one other thread only. An item must not be None. If items borrow memory that
        is reused, the producer needs at least `depth` + 2 buffers: `depth` waiting, one in the
        hands of the consumer and one being made.
    depth : int
        Items that may wait.
    token : CancelToken
        Set by an error of the producer (its cause is raised to the consumer), or by leaving the
        block early, which stops the producer.

    Yields
    ------
    iterator
        The items, in order.
    """
    own = CancelToken()
    slots: _Slots[T] = _Slots(depth, own)

    def work() -> None:
        try:
            for item in produce:
                slots.put(item)
        except BaseException as error:
            own.cancel(error)
        finally:
            # Also after an error: a signal may have cancelled, and woken nobody, between the
            # consumer's look at the token and its sleep.
            slots.end()

    def consume() -> Iterator[T]:
        while (item := slots.get()) is not None:
            yield item

    def stop_own() -> None:
        own.cancel(token.cause or CancelledError("the run was stopped"))

    thread = threading.Thread(target=work, name="cinescrub-prefetch")
    with own.wakes(slots.wake), token.wakes(stop_own):
        token.check()
        thread.start()
        try:
            yield consume()
        finally:
            own.cancel(CancelledError("the consumer left"))
            thread.join()


class Turns:
    """Lets numbered workers pass a point in the order of their numbers, whoever is quicker."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = 0
        self._passed: set[int] = set()

    def wait(self, number: int) -> None:
        """Wait until all lower numbers have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._next >= number)

    def leave(self, number: int) -> None:
        """Pass, or end without having come to the point. May be called twice."""
        with self._changed:
            if number >= self._next:
                self._passed.add(number)
            while self._next in self._passed:
                self._passed.remove(self._next)
                self._next += 1
            self._changed.notify_all()


class Room:
    """Something bounded, such as memory, that threads take parts of; first come, first served.

    Parameters
    ----------
    size : int
        How much there is.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def size(self) -> int:
        """How much there is, taken or free."""
        return self._size

    @contextmanager
    def taken(self, part: int, token: CancelToken) -> Iterator[None]:
        """Hold a part while the block runs; waits until it is free.

        Who asks for much is not passed by those who ask for little, so each has its turn. A thread
        that holds a part must not ask for another.

        Parameters
        ----------
        part : int
            At most `size`.
        token : CancelToken
            Ends the wait.

        Raises
        ------
        ValueError
            There is less than that at all.
        """
        if part > self._size:
            raise ValueError(f"{part} of {self._size} can never be free")
        turn = object()
        with self._changed:
            self._queue.append(turn)
            try:
                token.check()
                while self._queue[0] is not turn or part > self._free:
                    # No listener of the token: it would be called in a signal handler, maybe
                    # inside of this very lock.
                    self._changed.wait(_LOOK_S)
                    token.check()
                self._free -= part
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += part
                self._changed.notify_all()


def usable_cores(at_most: int) -> int:
    """Return how many cores this process may run on, `at_most` as many."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and `taskset` grant some of them
        return min(at_most, len(os.sched_getaffinity(0)))
    return min(at_most, os.cpu_count() or 1)


@contextmanager
def mapped(
    work: Callable[[S], T], items: Iterable[S], *, workers: int, token: CancelToken
) -> Iterator[Iterator[T]]:
    """Apply a function to items in several threads, and give the results in the items' order.

    Items are taken in the consumer's thread, in order, at most two a worker ahead of the result
    that is handed out. With one worker everything happens in the consumer's thread.

    Parameters
    ----------
    work : callable
        Called from several threads at once.
    items : iterable
        What it is called with.
    workers : int
        Threads.
    token : CancelToken
        Checked before each item and each result.

    Yields
    ------
    iterator
        The results. An error of `work` is raised in the place of its result; when the block ends,
        all threads have ended.
    """

    def checked(item: S) -> T:
        token.check()
        return work(item)

    if workers <= 1:
        yield map(checked, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cinescrub-mapped")

    def results() -> Iterator[T]:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(checked, item))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield results()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
