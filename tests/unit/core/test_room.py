from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.errors import CancelledError
from cinescrub.stream import CancelToken, Room


@given(parts=st.lists(st.integers(0, 10), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_never_more_is_taken_than_there_is_and_all_have_their_turn(parts: list[int]) -> None:
    room, token = Room(10), CancelToken()
    lock, taken, most = threading.Lock(), 0, 0

    def work(part: int) -> None:
        nonlocal taken, most
        with room.taken(part, token):
            with lock:
                taken += part
                most = max(most, taken)
            time.sleep(0.0005)
            with lock:
                taken -= part

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, parts))

    assert taken == 0
    assert most <= 10
    with room.taken(10, token):  # all of it was given back
        pass


def test_who_asks_for_much_is_not_passed_by_who_asks_for_little() -> None:
    room, token, order = Room(10), CancelToken(), []

    def work(name: str, part: int) -> None:
        with room.taken(part, token):
            order.append(name)

    with room.taken(6, token):
        threads = [
            threading.Thread(target=work, args=("much", 8)),
            threading.Thread(target=work, args=("little", 1)),
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join()

    assert order == ["much", "little"]


def test_a_wait_ends_with_the_run_and_leaves_nothing_taken() -> None:
    room, token, ended = Room(10), CancelToken(), []

    def work() -> None:
        try:
            with room.taken(5, token):
                pass
        except CancelledError as error:
            ended.append(error)

    with room.taken(6, CancelToken()):
        thread = threading.Thread(target=work)
        thread.start()
        token.cancel(CancelledError("stopped"))
        thread.join(5)

    assert len(ended) == 1
    with room.taken(10, CancelToken()):
        pass


def test_what_was_taken_is_free_again_after_an_error() -> None:
    room = Room(10)

    with pytest.raises(OSError, match="broken"), room.taken(10, CancelToken()):
        raise OSError("broken")

    with room.taken(10, CancelToken()):
        pass


def test_more_than_there_is_can_never_be_had() -> None:
    with pytest.raises(ValueError, match="11 of 10"), Room(10).taken(11, CancelToken()):
        pass
