"""The studies of `bench`: cines made or taken, measured by `cinescrub.bench`, and published."""

from __future__ import annotations

import json as jsonlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from cinescrub.bench.cines import Cine, given_cines, made_cines
from cinescrub.bench.compare import Verdict, compare, machines_differ
from cinescrub.bench.page import html_page, png_picture
from cinescrub.bench.results import Result, write_file
from cinescrub.bench.studies import Bench, ModelChoice
from cinescrub.bench.table import table_of, table_of_changes
from cinescrub.bench.trials import in_own_process
from cinescrub.cli.models import ensure_models, say
from cinescrub.cli.run import NO_INPUT, cancel_on_signals
from cinescrub.config import EngineConfig
from cinescrub.errors import ConfigError, RegressionError
from cinescrub.pipeline.batch import find_inputs
from cinescrub.stream import CancelToken

__all__ = [
    "Published",
    "Wanted",
    "compare_results",
    "measure_floor",
    "measure_models",
    "measure_peers",
    "measure_throughput",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured: files, or every combination of what made cines can be."""

    files: Sequence[Path]
    frames: Sequence[int]
    sizes: Sequence[str]
    syntaxes: Sequence[str]
    dynamics: Sequence[str]
    seed: int = 1
    exam: int = 1

    def cines(self, folder: Path) -> list[Cine]:
        """Return the cines, made in `folder` where they are made.

        Raises
        ------
        ConfigError
            No file is found in the folders given, or a made cine can't be made.
        """
        if self.files:
            paths = list(find_inputs(self.files))
            if not paths:
                raise ConfigError(NO_INPUT)
            return given_cines(paths)
        made = made_cines(
            self.frames,
            self.sizes,
            self.syntaxes,
            self.dynamics,
            seed=self.seed,
            exam=self.exam,
        )
        folder.mkdir()
        cines = []
        for each in made:
            say(f"making {each.name}")
            cines.append(each.write(folder))
        return cines


@dataclass(frozen=True, slots=True)
class Published:
    """Where a result goes, besides the terminal."""

    json: bool = False
    """Print JSON instead of a table."""
    save: Path | None = None
    plot: Path | None = None
    html: Path | None = None


def measure_throughput(
    kind: str, wanted: Wanted, config: EngineConfig, published: Published, *, repeat: int
) -> int:
    """Run the main job on cines, publish what it cost as `kind` tells it, return the exit code."""
    ensure_models(config.models)
    with _bench(repeat) as bench:
        result = bench.throughput(kind, wanted.cines(bench.folder / "in"), config)
    return _publish(result, published)


def measure_floor(
    wanted: Wanted, config: EngineConfig, published: Published, *, repeat: int
) -> int:
    """Run the main job and what nobody can go below; return the exit code."""
    ensure_models(config.models)
    with _bench(repeat) as bench:
        result = bench.floor(wanted.cines(bench.folder / "in"), config)
    return _publish(result, published)


def measure_peers(
    wanted: Wanted,
    config: EngineConfig,
    peers: Sequence[str],
    published: Published,
    *,
    repeat: int,
) -> int:
    """Run the main job and peers on the same cines; return the main job's exit code."""
    ensure_models(config.models)
    with _bench(repeat) as bench:
        result = bench.peers(wanted.cines(bench.folder / "in"), config, peers)
    return _publish(result, published)


def measure_models(models: Path, choice: ModelChoice, published: Published, *, repeat: int) -> int:
    """Run models alone; return the exit code."""
    ensure_models(models)
    with _bench(repeat) as bench:
        result = bench.models(models, choice)
    return _publish(result, published)


def compare_results(
    before: Path, after: Path, *, percent: float, figures: Sequence[str], json: bool
) -> int:
    """Print what changed between two results.

    Raises
    ------
    ConfigError
        They are no results, or have nothing in common.
    RegressionError
        Something got worse by more than `percent`, or failed; after all is printed.
    """
    old, new = Result.load(before), Result.load(after)
    changes = compare(old, new, threshold=percent / 100, figures=figures)
    if machines_differ(old, new):
        say("the results are of different machines: figures of the code don't follow from them")
    if json:
        rows = [
            {
                "subject": change.subject,
                "case": change.case,
                "figure": change.figure,
                "before": change.before,
                "after": change.after,
                "verdict": change.verdict.value,
            }
            for change in changes
        ]
        typer.echo(jsonlib.dumps({"threshold": percent / 100, "changes": rows}))
    else:
        typer.echo(table_of_changes(changes).as_text())
    bad = sum(change.verdict in (Verdict.WORSE, Verdict.LOST) for change in changes)
    if bad:
        raise RegressionError(f"{bad} of {len(changes)} figures are worse by over {percent:g} %")
    return 0


@contextmanager
def _bench(repeat: int) -> Iterator[Bench]:
    """Give a study a scratch folder that goes, also where a signal ends it."""
    token = CancelToken()
    with (
        tempfile.TemporaryDirectory(prefix="cinescrub-bench-") as scratch,
        cancel_on_signals(token),
    ):
        yield Bench(Path(scratch), repeat, in_own_process, token, say)


def _publish(result: Result, published: Published) -> int:
    if published.save is not None:
        result.save(published.save)
    if published.plot is not None:
        write_file(published.plot, png_picture(result))
    if published.html is not None:
        write_file(published.html, html_page(result).encode())
    for row in result.rows:
        if row.error is not None:
            say(f"{row.subject}: {row.case}: {row.error}")
    typer.echo(jsonlib.dumps(result.to_dict()) if published.json else table_of(result).as_text())
    # A peer that fails is a result, not a failure of ours.
    ours = [row for row in result.rows if result.kind != "peers" or row.subject == "cinescrub"]
    return max((int(row.facts.get("exit_code") or 0) for row in ours), default=0)
