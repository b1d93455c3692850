from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cinescrub.errors import CancelledError
from cinescrub.stream import CancelToken, mapped, prefetch


def _threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("cinescrub-")]


def test_items_come_in_order_and_all_of_them() -> None:
    with prefetch(iter(range(100)), depth=3, token=CancelToken()) as items:
        assert list(items) == list(range(100))

    assert not _threads()


def test_the_producer_runs_no_further_ahead_than_the_depth() -> None:
    made: list[int] = []

    def produce() -> Iterator[int]:
        for k in range(20):
            made.append(k)
            yield k

    with prefetch(produce(), depth=2, token=CancelToken()) as items:
        next(items)
        time.sleep(0.05)

        # one taken, two waiting, one in the producer's hands
        assert len(made) <= 4


def test_an_error_of_the_producer_reaches_the_consumer_with_its_cause() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken frame")

    with (
        pytest.raises(RuntimeError, match="broken frame"),
        prefetch(produce(), depth=1, token=CancelToken()) as items,
    ):
        list(items)

    assert not _threads()


def test_a_consumer_that_leaves_early_stops_a_blocked_producer() -> None:
    def produce() -> Iterator[int]:
        yield from range(1_000_000)

    with prefetch(produce(), depth=1, token=CancelToken()) as items:
        assert next(items) == 0

    assert not _threads()


def test_cancelling_wakes_a_waiting_consumer_with_the_first_cause() -> None:
    token, gate = CancelToken(), threading.Event()

    def produce() -> Iterator[int]:
        yield 1
        gate.wait(5)

    def cancel() -> None:
        time.sleep(0.02)
        token.cancel(CancelledError("first"))
        token.cancel(CancelledError("second"))
        gate.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with (
        pytest.raises(CancelledError, match="first"),
        prefetch(produce(), depth=1, token=token) as items,
    ):
        list(items)
    canceller.join()

    assert not _threads()


def test_a_token_that_is_set_already_starts_nothing() -> None:
    token = CancelToken()
    token.cancel(CancelledError("stopped"))

    with (
        pytest.raises(CancelledError, match="stopped"),
        prefetch(iter([1]), depth=1, token=token),
    ):
        pytest.fail("the block ran")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_mapped_results_come_in_order(workers: int) -> None:
    def slower_first(n: int) -> int:
        time.sleep(0.01 if n % 3 == 0 else 0)
        return n * n

    with mapped(slower_first, range(40), workers=workers, token=CancelToken()) as results:
        assert list(results) == [n * n for n in range(40)]


@pytest.mark.parametrize("workers", [1, 3])
def test_mapped_takes_items_no_further_ahead_than_its_workers_need(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    with mapped(lambda n: n, items(), workers=workers, token=CancelToken()) as results:
        for done in results:
            assert taken[-1] - done < 2 * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_of_mapped_work_is_raised_in_its_place(workers: int) -> None:
    def fail(n: int) -> int:
        if n >= 7:
            raise ValueError(n)
        return n

    with mapped(fail, range(100), workers=workers, token=CancelToken()) as results:
        assert [next(results) for _ in range(7)] == list(range(7))
        with pytest.raises(ValueError, match="7"):
            next(results)

    assert not _threads()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_cancelled_token_stops_mapped_work(workers: int) -> None:
    token = CancelToken()

    with mapped(lambda n: n, range(1000), workers=workers, token=token) as results:
        next(results)
        token.cancel(CancelledError("enough"))
        with pytest.raises(CancelledError):
            list(results)

    assert not _threads()
