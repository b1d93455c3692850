"""When something that failed is tried again. Pure.

Times of trial are wall time, as they outlive the process; a clock that jumps must neither hold
anything up nor give it up. So what is due further ahead than any wait is due now, and giving up is
a number of attempts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["Backoff"]

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double."""

    first_s: float
    most_s: float
    days: int

    def wait_s(self, attempts: int) -> float:
        """Return how long to wait after so many failed attempts, 1 or more."""
        doublings = min(attempts - 1, 64)  # a float holds that
        return min(self.first_s * 2.0**doublings, self.most_s)

    def due(self, now: float) -> tuple[float, float]:
        """Return what times of trial have come: those up to the first, and those after the second.

        The latter lie where no clock that ran on can have put them.
        """
        return now, now + self.most_s

    def is_over(self, attempts: int) -> bool:
        """Whether so many failed attempts have taken `days`, if nothing stopped the clock."""
        return attempts >= self.attempts

    @property
    def attempts(self) -> int:
        """How many attempts fit in `days`."""
        doubling = math.ceil(math.log2(self.most_s / self.first_s)) if self.first_s else 0
        spent = sum(self.wait_s(n) for n in range(1, doubling + 1))
        return doubling + max(1, math.ceil((self.days * _DAY_S - spent) / self.most_s))
