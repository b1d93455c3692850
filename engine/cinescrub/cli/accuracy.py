"""`bench accuracy`: what a run leaves of burned-in and planted identifiers, on made cines."""

from __future__ import annotations

import json as jsonlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from cinescrub import __version__
from cinescrub.cli.models import say
from cinescrub.errors import ConfigError, OutputError
from cinescrub.testing.accuracy import make_cases, measure_tool, summarise, table
from cinescrub.testing.suite import Case, accuracy_suite

__all__ = ["Choice", "measure_accuracy"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are measured."""

    seeds: int
    frames: int
    rows: int
    columns: int
    groups: tuple[str, ...] = ()
    """All where empty."""

    def cases(self) -> list[Case]:
        """Return the cases.

        Raises
        ------
        ConfigError
            A group is not one of the suite's.
        """
        suite = accuracy_suite(self.seeds, frames=self.frames, rows=self.rows, columns=self.columns)
        known = dict.fromkeys(case.group for case in suite)
        for group in self.groups:
            if group not in known:
                raise ConfigError(f"--group {group}: choose of {', '.join(known)}")
        return [case for case in suite if not self.groups or case.group in self.groups]


def measure_accuracy(
    choice: Choice,
    run_options: Sequence[str],
    *,
    json: Path | None,
    work: Path | None,
    keep: bool,
    explain: bool,
) -> int:
    """Measure, print the table, write the JSON, and return the exit code.

    A leak is a result, not a failure: the code is 0 whatever was found.
    """
    cases = choice.cases()
    folder = Path(tempfile.mkdtemp(prefix="cinescrub-accuracy-", dir=work))
    try:
        made = make_cases(cases, folder / "in", say)
        tool = measure_tool(
            made,
            folder / "cinescrub",
            run_options,
            version=__version__,
            explain=explain,
            say=say,
        )
    finally:
        if keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    subjects = [tool]
    typer.echo(table(subjects))
    if json is not None:
        settings = asdict(choice) | {"run_options": list(run_options)}
        _write(json, jsonlib.dumps(summarise(subjects, settings), indent=1, ensure_ascii=False))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} can't be written") from error
