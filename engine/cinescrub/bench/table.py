"""A result as a table: for a terminal, for Markdown and for HTML, from the same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

from cinescrub.bench.compare import Change
from cinescrub.bench.results import Figure, Result, Row, Scalar

__all__ = ["Table", "shown", "table_of", "table_of_changes"]

Cell: TypeAlias = Callable[[Result, Row], str]


@dataclass(frozen=True, slots=True)
class Table:
    """Headings, and rows of as many cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_text(self) -> str:
        """Return columns as wide as they must be; all but the first two end at the right."""
        lines = (self.head, *self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if n < _LEFT else cell.rjust(width)
                for n, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def as_markdown(self) -> str:
        """Return a table of Markdown."""
        head, *rows = (
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
            for line in (self.head, *self.rows)
        )
        return "\n".join((head, "|" + "---|" * len(self.head), *rows))

    def only(self, *headings: str) -> Table:
        """Return the columns of these headings, in this order."""
        columns = [self.head.index(heading) for heading in headings]
        return Table(headings, tuple(tuple(row[n] for n in columns) for row in self.rows))

    def as_html(self) -> str:
        """Return a table of HTML; what is in the cells is text."""
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.head)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


_LEFT: Final = 2


def shown(value: Scalar | Figure) -> str:
    """Return a value in three digits; a figure with its spread, where it was measured again."""
    if value is None:
        return ""
    if isinstance(value, Figure):
        if len(value.runs) == 1:
            return shown(value.median)
        return f"{shown(value.median)} ({shown(value.low)}-{shown(value.high)})"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
    return str(value)


def table_of(result: Result) -> Table:
    """Return a result's table: the columns that its kind is about."""
    columns = _COLUMNS[result.kind]
    if any("later_cpu_s" in row.figures for row in result.rows):
        columns += _EXAM
        columns += _EXAM_TIMES if result.reference else ()
    if any(row.error for row in result.rows):
        columns = (*columns, ("", lambda _, row: row.error or ""))
    return Table(
        tuple(heading for heading, _ in columns),
        tuple(tuple(cell(result, row) for _, cell in columns) for row in result.rows),
    )


def table_of_changes(changes: Sequence[Change]) -> Table:
    """Return what `compare` found."""
    return Table(
        ("subject", "case", "figure", "before", "after", "times", ""),
        tuple(
            (
                change.subject,
                change.case,
                change.figure,
                shown(change.before),
                shown(change.after),
                shown(change.times),
                str(change.verdict),
            )
            for change in changes
        ),
    )


def _subject(_: Result, row: Row) -> str:
    return row.subject


def _case(_: Result, row: Row) -> str:
    return row.case


def _figure(name: str) -> Cell:
    return lambda _, row: shown(row.figures.get(name))


def _fact(name: str) -> Cell:
    return lambda _, row: shown(row.facts.get(name))


def _percent(name: str) -> Cell:
    def cell(_: Result, row: Row) -> str:
        share = row.facts.get(name)
        return f"{100 * share:.1f} %" if isinstance(share, int | float) else ""

    return cell


def _gone(_: Result, row: Row) -> str:
    gone = row.facts.get("strings_gone")
    return "" if gone is None else f"{gone} of {row.facts['strings']}"


def _times(name: str) -> Cell:
    """Return how many times the reference's a figure is."""

    def cell(result: Result, row: Row) -> str:
        reference = result.reference_of(row)
        mine, its = row.median(name), reference.median(name) if reference else None
        return "" if mine is None or not its else f"{shown(mine / its)} x"

    return cell


def _growth(_: Result, row: Row) -> str:
    loaded, peak = row.median("loaded_mib"), row.median("peak_mib")
    return "" if loaded is None or peak is None else shown(peak - loaded)


_COLUMNS: Final[dict[str, tuple[tuple[str, Cell], ...]]] = {
    "throughput": (
        ("case", _case),
        ("status", _fact("status")),
        ("frames/s", _figure("frames_per_s")),
        ("s", _figure("wall_s")),
        ("CPU s", _figure("cpu_s")),
        ("first output s", _figure("first_output_s")),
        ("inspect s", _figure("stage_inspect_s")),
        ("verify s", _figure("stage_verify_s")),
        ("apply s", _figure("stage_apply_s")),
        ("peak MiB", _figure("peak_mib")),
    ),
    "work": (
        ("case", _case),
        ("status", _fact("status")),
        ("pixels inspected", _percent("inspected_share")),
        ("inspect s", _figure("stage_inspect_s")),
        ("verify s", _figure("stage_verify_s")),
        ("s", _figure("wall_s")),
    ),
    "memory": (
        ("case", _case),
        ("status", _fact("status")),
        ("loaded MiB", _figure("loaded_mib")),
        ("peak MiB", _figure("peak_mib")),
        ("grown MiB", _growth),
        ("s", _figure("wall_s")),
    ),
    "floor": (
        ("case", _case),
        ("subject", _subject),
        ("s", _figure("wall_s")),
        ("of the floor", _times("wall_s")),
        ("CPU s", _figure("cpu_s")),
        ("of the floor", _times("cpu_s")),
        ("peak MiB", _figure("peak_mib")),
    ),
    "peers": (
        ("case", _case),
        ("subject", _subject),
        ("frames/s", _figure("frames_per_s")),
        ("CPU s", _figure("cpu_s")),
        ("of cinescrub's", _times("cpu_s")),
        ("first output s", _figure("first_output_s")),
        ("peak MiB", _figure("peak_mib")),
        ("strings gone", _gone),
        ("clinical kept", _percent("kept")),
        ("version", _fact("version")),
    ),
    "models": (
        ("model", _subject),
        ("case", _case),
        ("input", _fact("input")),
        ("precision", _fact("precision")),
        ("provider", _fact("provider")),
        ("ms", _figure("wall_ms")),
        ("ms an item", _figure("wall_item_ms")),
        ("CPU ms an item", _figure("cpu_item_ms")),
        ("peak MiB", _figure("peak_mib")),
    ),
}
_EXAM: Final[tuple[tuple[str, Cell], ...]] = (
    ("first cine CPU s", _figure("first_cpu_s")),
    ("later CPU s", _figure("later_cpu_s")),
    ("later s", _figure("later_wall_s")),
)
_EXAM_TIMES: Final[tuple[tuple[str, Cell], ...]] = (
    ("later CPU, times", _times("later_cpu_s")),
    ("later, times", _times("later_wall_s")),
)
