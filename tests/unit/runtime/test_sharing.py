"""A shared model gives each caller its own answer, however the calls of many are joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock
from time import sleep
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.errors import InferenceError
from cinescrub.runtime.sharing import SharedModel

CONTRACT = Contract(
    slot=Slot.CRAFT,
    name="adds",
    precision="fp32",
    opset=17,
    inputs=(TensorSpec("x", "uint8", ("N", "W")),),
    outputs=(TensorSpec("y", "float32", ("N",)),),
    files={MODEL_FILE: "0"},
    origin=Origin("test", "none", "0", "none"),
)
POISON = 255


class Adder:
    """Adds the numbers of each row up; its runs wait until it is let go, and are remembered."""

    def __init__(self, contract: Contract = CONTRACT) -> None:
        self.contract = contract
        self.go = Event()
        self.begun = Event()
        self.rows: list[int] = []
        self.most = 0
        self._running = 0
        self._lock = Lock()

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
            self.rows.append(len(inputs["x"]))
        self.begun.set()
        try:
            assert self.go.wait(10)
            if (inputs["x"] == POISON).any():
                raise InferenceError("poison")
            return np.asarray(inputs["x"].sum(axis=1), np.float32)
        finally:
            with self._lock:
                self._running -= 1


def lines(*values: int, width: int = 3) -> npt.NDArray[np.uint8]:
    """Return a row of `width` equal numbers for each value."""
    return np.array([[value] * width for value in values], np.uint8)


Asked = Sequence[npt.NDArray[Any]]
Answers = list[Future[npt.NDArray[np.float32]]]


def ask_together(model: Adder, shared: SharedModel, asked: Asked) -> Answers:
    """Ask all, each in a thread, in order, and let the model go when all of them wait."""
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = []
        for number, value in enumerate(asked):
            answers.append(pool.submit(shared.run, {"x": value}))
            until(lambda n=number: len(model.rows) + len(shared._waiting) > n)  # type: ignore[misc]
        model.go.set()
    return answers


def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        sleep(0.005)
    raise AssertionError("waited for nothing")


def test_a_call_that_need_not_wait_runs_as_it_is() -> None:
    model = Adder()
    model.go.set()
    shared = SharedModel(model, runs=1, rows=8)

    assert shared.run({"x": lines(1, 2)}).tolist() == [3, 6]
    assert model.rows == [2]
    assert shared.contract is CONTRACT


def test_calls_that_wait_are_one_run_and_each_gets_its_part() -> None:
    model = Adder()
    asked = [lines(1), lines(2), lines(3, 4), lines(5)]

    answers = ask_together(model, SharedModel(model, runs=1, rows=8), asked)

    assert [each.result().tolist() for each in answers] == [[3], [6], [9, 12], [15]]
    assert model.rows == [1, 4]
    assert model.most == 1


def test_an_answer_is_owned() -> None:
    model = Adder()

    answers = ask_together(
        model, SharedModel(model, runs=1, rows=8), [lines(1), lines(2), lines(3)]
    )

    assert all(each.result().base is None for each in answers)


def test_a_joined_run_has_no_more_rows_than_it_may_and_a_large_call_runs_alone() -> None:
    model = Adder()
    asked = [lines(1), lines(2), lines(3), lines(4), lines(*range(9)), lines(5)]

    answers = ask_together(model, SharedModel(model, runs=1, rows=3), asked)

    assert model.rows == [1, 3, 9, 1]
    assert [each.result()[0] for each in answers] == [3, 6, 9, 12, 0, 15]


def test_calls_of_other_shapes_and_types_are_not_joined() -> None:
    model = Adder()
    asked: Asked = [lines(1), lines(2), lines(3, width=4), lines(4).astype(np.uint16)]

    answers = ask_together(model, SharedModel(model, runs=1, rows=8), asked)

    assert model.rows == [1, 1, 1, 1]
    assert [each.result().tolist() for each in answers] == [[3], [6], [12], [12]]


@pytest.mark.parametrize(
    "contract",
    [
        replace(CONTRACT, inputs=(TensorSpec("x", "uint8", (1, "W")),)),
        replace(CONTRACT, outputs=(TensorSpec("y", "float32", ("M",)),)),
        replace(CONTRACT, outputs=(TensorSpec("y", "float32", ()),)),
    ],
)
def test_a_model_without_an_open_axis_for_batches_joins_nothing(contract: Contract) -> None:
    model = Adder(contract)

    ask_together(model, SharedModel(model, runs=1, rows=8), [lines(1), lines(2), lines(3)])

    assert model.rows == [1, 1, 1]


def test_as_many_run_at_once_as_may() -> None:
    model = Adder()
    shared = SharedModel(model, runs=3, rows=8)

    ask_together(model, shared, [lines(k) for k in range(5)])

    assert model.most == 3
    assert model.rows == [1, 1, 1, 2]


def test_of_a_joined_run_that_fails_only_the_guilty_call_fails() -> None:
    model = Adder()
    asked = [lines(1), lines(2), lines(POISON), lines(3)]

    answers = ask_together(model, SharedModel(model, runs=1, rows=8), asked)

    with pytest.raises(InferenceError, match="poison"):
        answers[2].result()
    assert [answers[k].result().tolist() for k in (0, 1, 3)] == [[3], [6], [9]]
    assert model.rows == [1, 3, 1, 1, 1]


def test_a_call_that_fails_frees_the_model() -> None:
    model = Adder()
    model.go.set()
    shared = SharedModel(model, runs=1, rows=8)

    with pytest.raises(InferenceError):
        shared.run({"x": lines(POISON)})
    with pytest.raises(KeyError):
        shared.run({})

    assert shared.run({"x": lines(1)}).tolist() == [3]


def test_a_caller_that_is_interrupted_while_it_waits_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Adder()
    shared = SharedModel(model, runs=1, rows=8)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.run, {"x": lines(1)})
        assert model.begun.wait(10)
        with monkeypatch.context() as patch:
            patch.setattr(shared._changed, "wait_for", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                shared.run({"x": lines(2)})
        last = pool.submit(shared.run, {"x": lines(3)})
        model.go.set()

        assert [first.result(10).tolist(), last.result(10).tolist()] == [[3], [9]]
    assert model.rows == [1, 1]


class Patient(Adder):
    """Begins no joined run before it is told that somebody left."""

    def __init__(self) -> None:
        super().__init__()
        self.left = Event()

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        assert len(inputs["x"]) == 1 or self.left.wait(10)
        return super().run(inputs)


def test_a_caller_that_is_interrupted_while_its_joined_run_fails_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Patient()
    shared = SharedModel(model, runs=1, rows=8)

    def leaves(_: Callable[[], bool]) -> bool:
        model.go.set()
        while shared._waiting:
            shared._changed.wait(0.005)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(shared.run, {"x": lines(1)})]
        assert model.begun.wait(10)
        for number, value in enumerate((2, POISON), 1):
            answers.append(pool.submit(shared.run, {"x": lines(value)}))
            until(lambda n=number: len(shared._waiting) == n)  # type: ignore[misc]
        with monkeypatch.context() as patch:
            patch.setattr(shared._changed, "wait_for", leaves)
            with pytest.raises(KeyboardInterrupt):
                shared.run({"x": lines(3)})
        model.left.set()

        assert [answers[k].result(10).tolist() for k in (0, 1)] == [[3], [6]]
        assert isinstance(answers[2].exception(10), InferenceError)
        assert pool.submit(shared.run, {"x": lines(4)}).result(10).tolist() == [12]
    assert model.rows == [1, 3, 1, 1, 1]


class Short(Adder):
    """Answers one row of a joined run only."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        return super().run(inputs)[:1]


def test_a_joined_run_with_too_few_answers_is_none() -> None:
    model = Short()

    answers = ask_together(
        model, SharedModel(model, runs=1, rows=8), [lines(1), lines(2), lines(3)]
    )

    assert [each.result().tolist() for each in answers] == [[3], [6], [9]]
    assert model.rows == [1, 2, 1, 1]


def _interrupted(_: Callable[[], bool]) -> bool:
    raise KeyboardInterrupt


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.lists(st.integers(0, POISON), min_size=1, max_size=4), st.integers(1, 2)),
        min_size=1,
        max_size=8,
    ),
    runs=st.integers(1, 3),
    rows=st.integers(1, 9),
)
def test_each_call_is_answered_as_if_it_were_alone(
    asked: list[tuple[list[int], int]], runs: int, rows: int
) -> None:
    model = Adder()
    inputs = [lines(*values, width=width) for values, width in asked]

    answers = ask_together(model, SharedModel(model, runs=runs, rows=rows), inputs)

    for value, answer in zip(inputs, answers, strict=True):
        if (value == POISON).any():
            assert isinstance(answer.exception(), InferenceError)
        else:
            assert answer.result().tolist() == value.sum(axis=1).tolist()
    assert model.most <= runs
