"""A model between the threads that call it: so many runs at once, and who waits shares a run.

A device that computes one run at a time is used best by large ones. So calls that wait while the
model is busy are joined along the first axis where their inputs are of equal shape, and each gets
its part of the answer. A call that need not wait runs at once, as it is. There is no thread but the
callers': the one that waited longest runs what is joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.bundle import Contract
from cinescrub.errors import InferenceError
from cinescrub.runtime.session import Model

__all__ = ["SharedModel"]

_Inputs: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(slots=True, eq=False)
class _Call:
    """What a thread asks, and in the end what it is answered."""

    inputs: _Inputs
    rows: int
    alone: bool
    """Whether it is run by itself: after a run that failed, so that only the guilty call fails."""
    answer: npt.NDArray[np.float32] | None = None
    given_up: bool = False
    """Whether its thread left: nobody would run it, nor what waits behind it."""

    @property
    def is_open(self) -> bool:
        """Whether a thread waits for its answer."""
        return self.answer is None and not self.given_up

    @classmethod
    def of(cls, inputs: _Inputs) -> _Call:
        rows = {value.shape[0] if value.ndim else 0 for value in inputs.values()}
        return cls(inputs, max(rows, default=0), alone=len(rows) != 1)

    def goes_with(self, other: _Call) -> bool:
        """Return whether both can be one run: but for the first axis their shapes are equal."""
        return not (self.alone or other.alone) and self._form() == other._form()

    def _form(self) -> dict[str, tuple[object, ...]]:
        return {name: (value.dtype, *value.shape[1:]) for name, value in self.inputs.items()}


class SharedModel:
    """A model that runs so many calls at once, and joins those that wait.

    Parameters
    ----------
    model : Model
        What runs; from `runs` threads at once. What it says of a row does not depend on the rows
        beside it.
    runs : int
        How many at once, at least 1.
    rows : int
        Rows of a joined run, at most; 1 joins nothing. A call by itself may have more.
    """

    def __init__(self, model: Model, *, runs: int, rows: int) -> None:
        self._model = model
        self._rows = rows if _is_batched(model.contract) else 1
        self._free = runs
        self._waiting: list[_Call] = []
        self._changed = Condition()

    @property
    def contract(self) -> Contract:
        """What the model promises."""
        return self._model.contract

    def run(self, inputs: _Inputs) -> npt.NDArray[np.float32]:
        """Run the model, or let another thread run it with what that one asks.

        Parameters
        ----------
        inputs : mapping
            Arrays by input name, borrowed for the call.

        Returns
        -------
        array
            The first output, owned by the caller.

        Raises
        ------
        InferenceError
            The model failed on these inputs by themselves.
        """
        call = _Call.of(inputs)
        with self._changed:
            self._waiting.append(call)
            try:
                self._changed.wait_for(lambda: call.answer is not None or self._is_next(call))
            except BaseException:  # a signal's
                call.given_up = True
                self._waiting = [each for each in self._waiting if each is not call]
                self._changed.notify_all()
                raise
            if call.answer is not None:
                return call.answer
            batch = self._take()
        try:
            return self._answer(batch)
        finally:
            with self._changed:
                self._free += 1
                self._waiting[:0] = [each for each in batch[1:] if each.is_open]
                self._changed.notify_all()

    def _is_next(self, call: _Call) -> bool:
        return self._free > 0 and bool(self._waiting) and self._waiting[0] is call

    def _take(self) -> list[_Call]:
        """Take a free run, the first call that waits, and those that go with it."""
        first, *others = self._waiting
        batch, rows = [first], first.rows
        for other in others:
            if rows + other.rows <= self._rows and first.goes_with(other):
                batch.append(other)
                rows += other.rows
        self._waiting = [each for each in others if each not in batch]
        self._free -= 1
        if self._waiting:
            self._changed.notify_all()  # another run may be free
        return batch

    def _answer(self, batch: Sequence[_Call]) -> npt.NDArray[np.float32]:
        """Answer all calls, or, where they fail together, the first alone; return its answer."""
        first, *others = batch
        if others:
            try:
                self._answer_together(batch)
            except Exception:  # of whichever it is: each is told by its own run
                for call in batch:
                    call.alone = True
        if first.answer is None:
            first.answer = self._model.run(first.inputs)
        return first.answer

    def _answer_together(self, batch: Sequence[_Call]) -> None:
        joined = {
            name: np.concatenate([call.inputs[name] for call in batch]) for name in batch[0].inputs
        }
        said = self._model.run(joined)
        ends = np.cumsum([call.rows for call in batch])
        if len(said) != ends[-1]:
            raise InferenceError(f"{len(said)} answers to {ends[-1]} rows")
        for call, end in zip(batch, ends, strict=True):
            call.answer = said[end - call.rows : end].copy()


def _is_batched(contract: Contract) -> bool:
    """Return whether the first axis of all inputs and outputs is one and the same, and open."""
    first, *others = {spec.shape[:1] for spec in (*contract.inputs, *contract.outputs)}
    return not others and len(first) == 1 and isinstance(first[0], str)
