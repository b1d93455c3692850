"""Cases take turns, each time in a process of its own, and one that fails ends nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from cinescrub.bench.cines import Cine
from cinescrub.bench.memory import ChildPeak
from cinescrub.bench.peers import RunPeer
from cinescrub.bench.trials import Attempt, Case, Stopwatch, Trial, in_own_process, measure
from cinescrub.bench.ways import Copy, Place
from cinescrub.errors import CancelledError, ConfigError, InferenceError
from cinescrub.stream import CancelToken


def directly(attempt: Attempt, token: CancelToken) -> Trial:
    token.check()
    return attempt(time.perf_counter())


def test_cases_take_turns_and_a_row_has_the_median_and_the_spread_of_its_runs() -> None:
    order: list[str] = []

    def case(name: str, *seconds: float) -> Case:
        left = iter(seconds)

        def attempt(_: float) -> Trial:
            order.append(name)
            return Trial({"wall_s": next(left)}, {"status": "ok"})

        return Case("engine", name, attempt, {"frames": 2})

    rows = measure(
        [case("a", 3.0, 1.0, 2.0), case("b", 5.0, 5.0, 8.0)],
        3,
        isolate=directly,
        token=CancelToken(),
        say=lambda _: None,
    )

    assert order == ["a", "b"] * 3
    figure = rows[0].figures["wall_s"]
    assert (figure.low, figure.median, figure.high) == (1.0, 2.0, 3.0)
    assert rows[1].figures["wall_s"].runs == (5.0, 5.0, 8.0)
    assert rows[0].facts == {"frames": 2, "status": "ok"}
    assert rows[0].error is None


def test_a_case_that_fails_is_not_tried_again_and_keeps_nobody_up() -> None:
    tried: list[str] = []

    def fails(_: float) -> Trial:
        tried.append("fails")
        raise InferenceError("no memory")

    def works(_: float) -> Trial:
        tried.append("works")
        return Trial({"wall_s": 1.0})

    rows = measure(
        [Case("peer", "x", fails), Case("engine", "x", works)],
        2,
        isolate=directly,
        token=CancelToken(),
        say=lambda _: None,
    )

    assert tried == ["fails", "works", "works"]
    assert (rows[0].error, rows[0].facts["exit_code"]) == ("no memory", 5)
    assert rows[0].figures == {}
    assert len(rows[1].figures["wall_s"].runs) == 2


def test_a_stage_that_only_some_runs_had_is_no_figure() -> None:
    runs = iter([Trial({"wall_s": 1.0, "stage_x_s": 1.0}), Trial({"wall_s": 1.0})])

    (row,) = measure(
        [Case("engine", "x", lambda _: next(runs))],
        2,
        isolate=directly,
        token=CancelToken(),
        say=lambda _: None,
    )

    assert set(row.figures) == {"wall_s"}


def test_a_stopwatch_counts_what_is_done_in_its_block() -> None:
    with Stopwatch() as watch:
        # Both clocks: by the other one, a core's second can be a little less.
        busy, passed = time.process_time() + 0.02, time.perf_counter() + 0.02
        while time.process_time() < busy or time.perf_counter() < passed:
            pass

    assert watch.cpu >= 0.02
    assert watch.wall >= 0.02


def test_a_program_has_the_peak_of_its_own_and_not_of_who_started_it() -> None:
    ballast = bytearray(300 << 20)
    code = "import time; held = bytearray(40 << 20); time.sleep(1)"

    with ChildPeak() as children:
        subprocess.run([sys.executable, "-c", code], check=True)

    assert len(ballast)
    assert 40 < children.mib < 120


# --- in a process of its own -----------------------------------------------------------------


def test_an_attempt_in_its_own_process_tells_its_own_peak_of_memory(tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(bytes(100_000))
    ballast = bytearray(300 << 20)  # of this process, not of that one
    cine = Cine("file 1", (tmp_path / "in.dcm",), {"frames": 4})

    trial = in_own_process(Copy(cine, Place(tmp_path)), CancelToken())

    assert len(ballast)
    assert 20 < trial.figures["peak_mib"] < 280
    assert trial.figures["first_output_s"] > trial.figures["wall_s"] > 0
    assert (tmp_path / "copy-0.dcm").stat().st_size == 100_000


def test_an_error_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    cine = Cine("file 1", (), {})

    with pytest.raises(ConfigError, match="--peer nosuch: choose of easyocr"):
        in_own_process(RunPeer("nosuch", cine, Place(tmp_path)), CancelToken())


def test_an_unexpected_error_shows_no_value() -> None:
    with pytest.raises(InferenceError, match=r"^KeyError in ") as raised:
        in_own_process(partial(str.format, "{ROE^RICHARD}"), CancelToken())  # type: ignore[arg-type]

    assert "ROE" not in raised.value.message


class Deadly:
    """Ends the process that unpickles it."""

    def __call__(self, _: float) -> Trial:
        raise NotImplementedError

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)


def test_a_process_that_ends_without_a_word_is_an_error() -> None:
    with pytest.raises(InferenceError, match="its process ended with 7"):
        in_own_process(Deadly(), CancelToken())


def test_a_token_ends_an_attempt_at_once() -> None:
    token = CancelToken()
    token.cancel(CancelledError("stopped"))
    begun = time.monotonic()

    with pytest.raises(CancelledError):
        in_own_process(time.sleep, token)  # type: ignore[arg-type]  # for as long as the clock says

    assert time.monotonic() - begun < 60
