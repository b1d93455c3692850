from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cinescrub.policy.counters import counts, has_form

RATE = 20.0


def clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@pytest.mark.parametrize(
    "observed",
    [
        [(k, f"{k + 1}") for k in range(6)],
        [(k, f"Frame {k + 1}/120") for k in range(0, 120, 30)],
        [(k, f"{k}/59") for k in range(5)],
        [(k, f"{119 - k}") for k in range(0, 60, 9)],
        [(k, f"F{k}") for k in range(5)],
        [(k, f"{200 + k}") for k in range(8)],
    ],
    ids=["from one", "of a total", "from zero", "down", "with a label", "from any number"],
)
def test_a_number_that_steps_with_the_frames_counts_them(observed: list[tuple[int, str]]) -> None:
    assert counts(observed)


@pytest.mark.parametrize(
    "observed",
    [
        [(k, clock(k / RATE)) for k in range(0, 200, 20)],
        [(k, f"{k / RATE / 60:02.0f}:{k / RATE % 60:05.2f}") for k in range(0, 100, 7)],
        [(k, f"00:{int(k / RATE):02d}:{int(k / RATE * 100) % 100:02d}") for k in range(0, 100, 7)],
        [(k, f"{k / RATE:.2f} s") for k in range(0, 100, 7)],
    ],
    ids=["h:mm:ss", "mm:ss.cc", "m:ss:cc", "seconds"],
)
def test_a_time_from_the_cines_start_counts(observed: list[tuple[int, str]]) -> None:
    assert counts(observed, rate=RATE)
    assert not counts(observed)


@pytest.mark.parametrize(
    "observed",
    [
        [(k, clock(11 * 3600 + 34 * 60 + k / RATE)) for k in range(0, 400, 20)],
        [(k, clock(83 + k / RATE)) for k in range(0, 400, 20)],
        [(k, "00:00:00") for k in range(10)],
        [(k, "12") for k in range(10)],
        [(0, "00:00:00"), (20, "00:00:01"), (40, "00:00:02")],
        [(0, "1"), (0, "1"), (1, "2"), (2, "3")],
        [(k, f"{7 * k}") for k in range(10)],
        [(k, f"{k}" if k % 3 else "DOE") for k in range(9)],
        [],
    ],
    ids=[
        "a clock", "a stopwatch that ran before", "a time that stands", "a number that stands",
        "too few frames", "frames seen twice", "other steps", "a third is a name", "nothing",
    ],
)  # fmt: skip
def test_what_is_not_seen_to_count_does_not(observed: list[tuple[int, str]]) -> None:
    assert not counts(observed, rate=RATE)


def test_a_misreading_now_and_then_is_forgiven() -> None:
    observed = [(k, clock(k / RATE)) for k in range(0, 200, 20)]
    observed[4] = (80, "O0:oo:04")

    assert counts(observed, rate=RATE)


@pytest.mark.parametrize("rate", [0.0, -5.0, float("nan"), float("inf")])
def test_a_broken_rate_proves_nothing(rate: float) -> None:
    assert not counts([(k, clock(k / RATE)) for k in range(0, 200, 20)], rate=rate)


@example(start=648, rate=20.0, frames=[192, 193, 200, 240])
@given(
    st.integers(60, 86_000),
    st.floats(5, 100),
    st.lists(st.integers(0, 400), min_size=4, unique=True),
)
def test_no_clock_that_started_a_minute_before_counts(
    start: int, rate: float, frames: list[int]
) -> None:
    observed = [(k, clock(start + k / rate)) for k in frames if k / rate < 60]

    assert not counts(observed, rate=rate)


@pytest.mark.parametrize("text", ["00:01:23", "01:23.45", "12", "Frame 12/120", "3.2 s", "12 / 90"])
def test_the_form_of_a_counter_is_known(text: str) -> None:
    assert has_form(text)


@pytest.mark.parametrize("text", ["", "DOE", "00:01:23 DOE", "12345", "1.2.3", "12:345"])
def test_other_texts_have_another_form(text: str) -> None:
    assert not has_form(text)
