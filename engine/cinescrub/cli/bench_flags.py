"""The options that several `bench` commands share, each said once. No command is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Dynamics",
    "Exam",
    "Files",
    "Frames",
    "Html",
    "Plot",
    "Repeat",
    "Save",
    "Seed",
    "Sizes",
    "Syntaxes",
]

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Files to measure, told by number; default: made cines."),
]
Frames = Annotated[
    list[int] | None, typer.Option("--frames", min=1, help="Made cines: frames; repeatable.")
]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--size", help="Made cines: columns and rows, as 640x480; repeatable."),
]
Syntaxes = Annotated[
    list[str] | None,
    typer.Option(
        "--syntax", help="Made cines: jpeg (default), rle, native, jpegls or j2k; repeatable."
    ),
]
Dynamics = Annotated[
    list[str] | None,
    typer.Option(
        "--dynamic", help="Made cines: what changes over the frames, as static; repeatable."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Made cines: seed.")]
Exam = Annotated[
    int,
    typer.Option("--exam", min=1, help="Made cines: so many below one screen, in one process."),
]
Repeat = Annotated[
    int, typer.Option("--repeat", min=1, help="Runs of each, in turn; the median counts.")
]
Save = Annotated[
    Path | None, typer.Option("--save", help="Write the result here, as JSON for `compare`.")
]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw the result here, as PNG.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the result here, as one page.")]
