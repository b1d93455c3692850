"""Waits double, end, and don't believe a clock that jumps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cinescrub.node.backoff import Backoff

_BACKOFF = Backoff(first_s=5.0, most_s=900.0, days=7)


def _is_due(due: float, now: float) -> bool:
    first, second = _BACKOFF.due(now)
    return due <= first or due > second


def test_waits_double_up_to_the_most() -> None:
    waits = [_BACKOFF.wait_s(n) for n in (1, 2, 3, 8, 9, 10, 10_000)]

    assert waits == [5.0, 10.0, 20.0, 640.0, 900.0, 900.0, 900.0]


def test_it_goes_on_for_the_days_that_are_set() -> None:
    slept = sum(_BACKOFF.wait_s(n) for n in range(1, _BACKOFF.attempts))

    assert 6.9 * 86_400 < slept < 7.1 * 86_400
    assert not _BACKOFF.is_over(_BACKOFF.attempts - 1)
    assert _BACKOFF.is_over(_BACKOFF.attempts)


@given(jump=st.floats(-1e9, 1e9), attempts=st.integers(1, 1000))
def test_no_jump_of_the_clock_makes_anything_wait_longer_than_the_most(
    jump: float, attempts: int
) -> None:
    due = 1e9 + _BACKOFF.wait_s(attempts)

    now = 1e9 + jump

    assert _is_due(due, now) or _is_due(due, now + _BACKOFF.most_s)


def test_what_is_not_yet_due_waits() -> None:
    assert not _is_due(1005.0, 1000.0)
    assert _is_due(1005.0, 1005.0)
