"""Places of outputs: one for each input, in the inputs' order, also if a worker dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cinescrub.errors import DuplicateError
from cinescrub.pipeline.targets import LocalPlaces

_FIRST, _OWN = Path("out/1.dcm"), Path("out/own.dcm")


def _later(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(0.1)
    return thread


def test_the_first_gets_its_first_choice_and_another_with_its_name_one_of_its_own() -> None:
    places = LocalPlaces()
    assert places.take(0, "a", [_FIRST, _OWN]) == 0
    places.settle(_FIRST)

    assert places.take(1, "b", [_FIRST, _OWN]) == 1


def test_a_copy_gets_none() -> None:
    places = LocalPlaces()
    places.take(0, "a", [_FIRST, _OWN])
    places.settle(_FIRST)

    with pytest.raises(DuplicateError):
        places.take(1, "a", [_FIRST, _OWN])
    with pytest.raises(DuplicateError):
        places.hold(2, "a", _FIRST)


@pytest.mark.parametrize("settled", [False, True])
def test_an_input_that_is_begun_again_gets_the_same_place(settled: bool) -> None:
    places = LocalPlaces()
    places.take(0, "a", [_FIRST, _OWN])
    if settled:
        places.settle(_FIRST)

    assert places.take(0, "a", [_FIRST, _OWN]) == 0
    assert places.hold(0, "a", _FIRST)


@pytest.mark.parametrize(("end", "choice"), [("settle", 1), ("give_back", 0), ("abandon", 0)])
def test_another_waits_until_it_is_clear_who_keeps_a_place(end: str, choice: int) -> None:
    places, got = LocalPlaces(), []
    places.take(0, "a", [_FIRST, _OWN])
    waits = _later(lambda: got.append(places.take(1, "b", [_FIRST, _OWN])))
    assert got == []

    getattr(places, end)(0 if end == "abandon" else _FIRST)

    waits.join(10)
    assert got == [choice]


def test_what_was_settled_stays_when_its_input_is_abandoned() -> None:
    places = LocalPlaces()
    places.take(0, "a", [_FIRST, _OWN])
    places.settle(_FIRST)

    places.abandon(0)

    assert places.take(1, "b", [_FIRST, _OWN]) == 1


def test_an_input_that_is_abandoned_before_it_took_a_place_holds_up_nobody() -> None:
    places, got = LocalPlaces(), []
    waits = _later(lambda: got.append(places.take(1, "b", [_FIRST, _OWN])))
    assert got == []

    places.abandon(0)

    waits.join(10)
    assert got == [0]
