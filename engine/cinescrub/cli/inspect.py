"""`inspect`: a file's structure, and what `run` would do with it."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from cinescrub.cli.models import ensure_models
from cinescrub.cli.progress import progress
from cinescrub.cli.run import cancel_on_signals
from cinescrub.config import EngineConfig
from cinescrub.errors import ConfigError
from cinescrub.pipeline.preview import Examiner, Preview
from cinescrub.report import Status
from cinescrub.stream import CancelToken

__all__ = ["header_words", "inspect_file"]

_DONE: Final = {
    "X": "removed",
    "Z": "emptied or made a pseudonym",
    "D": "replaced by a dummy",
    "U": "UIDs replaced",
    "C": "cleaned",
    "K": "kept",
}
"""What the letters of PS3.15 table E.1-1 mean, for people; reports have the letters."""


def inspect_file(path: Path, config: EngineConfig, *, header_only: bool, json: bool) -> None:
    """Print a preview of one file, and end with the exit code that `run` would have.

    Raises
    ------
    ConfigError
        It is a folder.
    ModelError
        Models are missing and can't be made.
    """
    if path.is_dir():
        raise ConfigError("inspect takes one file: name one in the folder")
    with_models = not header_only and path.is_file()  # none are made for what can't be read
    if with_models:
        ensure_models(config.models)
    token = CancelToken()
    examiner = Examiner.open(config, with_models=with_models)
    with (
        progress() as observer,
        cancel_on_signals(token),
    ):
        preview = examiner.preview(path, token=token, observer=observer)
    typer.echo(jsonlib.dumps(_as_dict(preview)) if json else _as_text(preview, header_only))
    raise typer.Exit(preview.report.exit_code)


def header_words(scrubbed: Mapping[str, int]) -> str:
    """Return how many elements of a header met which fate, in words."""
    counts = [f"{scrubbed[action]} {done}" for action, done in _DONE.items() if action in scrubbed]
    return ", ".join(counts) or "empty"


def _as_dict(preview: Preview) -> dict[str, object]:
    report = preview.report.to_dict()
    wanted = ("status", "reason", "inspected", "redactions", "kept", "rectangles", "scrubbed")
    return {
        "structure": preview.structure,
        **{key: report[key] for key in wanted},
        "transfer_syntax_out": report["transfer_syntax_out"],
    }


def _as_text(preview: Preview, header_only: bool) -> str:
    report = preview.report
    lines = [f"{name:17} {value}" for name, value in preview.structure.items()]
    if report.status is not Status.OK:
        return "\n".join([*lines, f"{'would be':17} {report.status}: {report.reason}"])
    lines.append(f"{'header':17} {header_words(report.scrubbed)}")
    if not header_only:
        reasons = ", ".join(f"{n} {reason}" for reason, n in report.redactions.items())
        lines += [
            f"{'frames inspected':17} {report.inspected}",
            f"{'text redacted':17} {reasons or 'none'}",
            f"{'text kept':17} {report.kept}",
            f"{'rectangles':17} {len(report.rectangles)}",
        ]
        lines += [f"{'':17} x {x0}-{x1} y {y0}-{y1}" for x0, y0, x1, y1 in report.rectangles]
    return "\n".join(lines)
