"""A signal may come between any two steps of the thread that it stops: also in the hand-over."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from cinescrub import stream
from cinescrub.cli.run import cancel_on_signals
from cinescrub.errors import CancelledError
from cinescrub.stream import CancelToken, prefetch

_PLACES = {stream.__file__, threading.__file__}


class _SignalAt:
    """Sends this process a signal at the n-th line that this thread runs in the hand-over."""

    def __init__(self, line: int) -> None:
        self._left = line
        self.sent = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename not in _PLACES:
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                sys.settrace(None)
                frame.f_trace = None
                self.sent = True
                signal.raise_signal(signal.SIGINT)
        return self


def _hand_over(tracer: _SignalAt, seen: list[int]) -> None:
    """Take three items that a slow producer makes, so that the consumer waits for each."""
    token = CancelToken()

    def produce() -> Iterator[int]:
        for k in range(3):
            threading.Event().wait(0.001)
            yield k

    with cancel_on_signals(token):
        sys.settrace(tracer)
        try:
            with prefetch(produce(), depth=1, token=token) as items:
                seen.extend(items)
        finally:
            sys.settrace(None)
        token.check()


@pytest.mark.timeout(60)  # what is tested for is a deadlock
def test_a_signal_at_any_line_of_the_hand_over_stops_it() -> None:
    before = threading.active_count()
    line = 0
    while True:
        line += 1
        tracer, seen = _SignalAt(line), list[int]()

        try:
            _hand_over(tracer, seen)
        except CancelledError:
            assert tracer.sent
        else:
            assert not tracer.sent, f"line {line}: the signal was lost"
            assert seen == [0, 1, 2]
            break

        assert threading.active_count() == before

    assert line > 100, "the hand-over was not traced"
