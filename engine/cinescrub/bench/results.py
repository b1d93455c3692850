"""Results as values and as JSON: one form for every study, documented in `schema.json`.

The unit of a figure is the end of its name: `_s` seconds, `_ms` milliseconds, `_mib` MiB, `_per_s`
and `_per_cpu_s` a second. More is better of the latter two, less of all others.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from cinescrub.errors import ConfigError, OutputError

__all__ = ["SCHEMA", "Figure", "Result", "Row", "Scalar", "more_is_better", "write_file"]

SCHEMA: Final = "cinescrub-bench-1"
"""Name and version of the form. A reader refuses any other."""

Scalar: TypeAlias = str | int | float | bool | None

_DIGITS: Final = 5
"""Significant digits in a file: no timer here is better."""


def more_is_better(figure: str) -> bool:
    """Return whether a larger value of a figure is the better one, by its name."""
    return figure.endswith(("_per_s", "_per_cpu_s"))


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, measured at least once."""

    runs: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ConfigError("a figure without runs is none")

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.runs)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.runs)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "median": _rounded(self.median),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "runs": [_rounded(run) for run in self.runs],
        }


@dataclass(frozen=True, slots=True)
class Row:
    """What one subject took for one case."""

    subject: str
    """Who did it: `cinescrub`, `floor`, a peer, a model."""
    case: str
    """On what, in words that are the same in every run of the same study."""
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    """What the case is and what became of it."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    error: str | None = None
    """Why there are no figures, or why those there are don't count."""

    def median(self, figure: str) -> float | None:
        """Return the median of a figure; None where it was not measured."""
        found = self.figures.get(figure)
        return None if found is None else found.median

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "subject": self.subject,
            "case": self.case,
            "facts": dict(self.facts),
            "figures": {name: figure.to_dict() for name, figure in self.figures.items()},
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """One study: what was measured, where, and how."""

    kind: str
    """Name of the command under `bench`."""
    started: str
    """When, in UTC, ISO 8601."""
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    rows: Sequence[Row]
    reference: str | None = None
    """The subject that others are told as multiples of; None where there is none."""

    def reference_of(self, row: Row) -> Row | None:
        """Return the row that `row` is compared with: the reference's of the same case."""
        alike = (r for r in self.rows if r.subject == self.reference and r.case == row.case)
        return next(alike, None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `schema.json` describes them."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "started": self.started,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "reference": self.reference,
            "rows": [row.to_dict() for row in self.rows],
        }

    def save(self, path: Path) -> None:
        """Write the result as JSON.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        write_file(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read what `save` wrote.

        Raises
        ------
        ConfigError
            It can't be read, or is no result of this form.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} can't be read as a result of `cinescrub bench`") from error
        if not isinstance(told, dict) or told.get("schema") != SCHEMA:
            raise ConfigError(f"{path} is no result of the form {SCHEMA}: measure again")
        try:
            return cls(
                kind=str(told["kind"]),
                started=str(told["started"]),
                machine=dict(told["machine"]),
                settings=dict(told["settings"]),
                rows=tuple(_rows(told["rows"])),
                reference=told["reference"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{path} does not hold what {SCHEMA} promises") from error


def write_file(path: Path, content: bytes) -> None:
    """Write what a study is published as.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} can't be written") from error


def _rows(told: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    for row in told:
        yield Row(
            subject=str(row["subject"]),
            case=str(row["case"]),
            facts=dict(row["facts"]),
            figures={
                str(name): Figure(tuple(float(run) for run in figure["runs"]))
                for name, figure in row["figures"].items()
            },
            error=row["error"],
        )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
