"""Two results of the same study: what got worse, by more than chance explains.

A figure is worse where its median *and* its best run are worse by more than the threshold. Other
work on a machine only ever adds time, so the best run is what such work touched least: a median
alone would call every busy hour a regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cinescrub.bench.results import Figure, Result, Row, more_is_better
from cinescrub.errors import ConfigError

__all__ = ["JUDGED", "Change", "Verdict", "compare", "machines_differ"]

JUDGED: Final = (
    "wall_s",
    "cpu_s",
    "first_output_s",
    "load_s",
    "later_wall_s",
    "later_cpu_s",
    "peak_mib",
    "wall_ms",
    "cpu_ms",
)
"""What is compared unless figures are named. Rates follow from seconds, stages overlap."""

_SAME: Final = ("processor", "cores", "system")


class Verdict(StrEnum):
    """What became of a figure."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    """Within the threshold, or by the median alone."""
    LOST = "lost"
    """It was measured before and failed now."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after."""

    subject: str
    case: str
    figure: str
    before: float
    after: float | None
    verdict: Verdict

    @property
    def times(self) -> float | None:
        """How many times the value before the one after is."""
        return self.after / self.before if self.after is not None and self.before else None


def compare(
    before: Result, after: Result, *, threshold: float, figures: Sequence[str] = ()
) -> list[Change]:
    """Return each figure that both results have, and those that were lost to an error.

    Parameters
    ----------
    before, after : Result
        Of the same study.
    threshold : float
        Share by which a figure may get worse: 0.1 is a tenth.
    figures : sequence of str
        Which figures; `JUDGED` where none is named.

    Raises
    ------
    ConfigError
        The results are of different studies, or have nothing in common.
    """
    if before.kind != after.kind:
        raise ConfigError(f"a result of `{before.kind}` and one of `{after.kind}` don't compare")
    now = {(row.subject, row.case): row for row in after.rows}
    changes = [
        change
        for row in before.rows
        if row.error is None and (row.subject, row.case) in now
        for change in _of_row(row, now[row.subject, row.case], figures or JUDGED, threshold)
    ]
    if not changes:
        raise ConfigError("the two results have no case and figure in common")
    return changes


def machines_differ(before: Result, after: Result) -> bool:
    """Return whether the results are of different machines, so that figures don't compare."""
    return any(before.machine.get(name) != after.machine.get(name) for name in _SAME)


def _of_row(before: Row, after: Row, names: Sequence[str], threshold: float) -> Iterator[Change]:
    for name in names:
        old, new = before.figures.get(name), after.figures.get(name)
        if old is None:
            continue
        if after.error is not None or new is None:
            yield Change(before.subject, before.case, name, old.median, None, Verdict.LOST)
        else:
            verdict = _verdict(name, old, new, threshold)
            yield Change(before.subject, before.case, name, old.median, new.median, verdict)


def _verdict(name: str, old: Figure, new: Figure, threshold: float) -> Verdict:
    def worse(a: Figure, b: Figure) -> bool:
        if more_is_better(name):
            return all(x * (1 + threshold) < y for x, y in ((b.median, a.median), (b.high, a.high)))
        return all(y > x * (1 + threshold) for x, y in ((a.median, b.median), (a.low, b.low)))

    if worse(old, new):
        return Verdict.WORSE
    return Verdict.BETTER if worse(new, old) else Verdict.SAME
