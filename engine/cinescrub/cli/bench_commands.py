"""The `bench` commands: their options and help, bodies elsewhere as in `app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cinescrub.cli.flags import (
    Config,
    Json,
    Models,
    PolicyFlag,
    PrecisionFlag,
    ProviderFlag,
    Threads,
)

__all__ = ["app"]


class _SpeedUnlessNamed(TyperGroup):
    """Takes `bench`, alone or with files and options, for `bench speed`."""

    # typer's releases take their contexts from click or from a private copy of it.
    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in {*self.list_commands(ctx), *ctx.help_option_names}:
            args = ["speed", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_SpeedUnlessNamed,
    help="Measure speed (`bench [FILE...]`, as `bench speed`), accuracy, or detectors' work.",
)


@app.command()
def speed(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Files to measure; default: a made cine.")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Made cine: frames.")] = 30,
    rows: Annotated[int, typer.Option("--rows", min=96, help="Made cine: rows.")] = 480,
    columns: Annotated[int, typer.Option("--columns", min=96, help="Made cine: columns.")] = 640,
    syntax: Annotated[
        str, typer.Option("--syntax", help="Made cine: jpeg, rle, native, jpegls, j2k.")
    ] = "jpeg",
    still: Annotated[
        bool, typer.Option("--still", help="Made cine: the sector does not move.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Made cine: seed.")] = 1,
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="Runs; the median counts.")] = 1,
    models: Models = None,
    policy: PolicyFlag = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    threads: Threads = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Measure frames/s, seconds by stage and peak memory of the main job."""
    from cinescrub.cli.bench import MadeCine, measure
    from cinescrub.config import load_config

    settings = load_config(
        config,
        models=models,
        policy=policy,
        provider=provider,
        precision=precision,
        threads=threads,
    )
    made = MadeCine(frames, rows, columns, syntax, still, seed)
    raise typer.Exit(measure(inputs or [], made, settings, repeat=repeat, json=json))


@app.command()
def accuracy(
    run_options: Annotated[
        list[str] | None,
        typer.Argument(help="After `--`: options of `cinescrub run`, which is measured."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Cines of each group.")] = 1,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of each cine.")] = 5,
    rows: Annotated[int, typer.Option("--rows", min=96, help="Rows, but in `size-` groups.")] = 480,
    columns: Annotated[
        int, typer.Option("--columns", min=96, help="Columns, but in `size-` groups.")
    ] = 640,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="Only this group, or pattern `jpeg-*`; repeatable."),
    ] = None,
    face: Annotated[
        list[Path] | None,
        typer.Option("--face", help="TrueType file: adds the group `face-NAME`; repeatable."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            help="Score this one, too: easyocr, easyocr-keyframes, rapidocr, tesseract, or `all`"
            " that are installed; repeatable.",
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all figures and every miss here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw recall and text kept here, as PNG.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Parent of the scratch folder.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave cines and outputs there.")] = False,
    explain: Annotated[
        bool, typer.Option("--causes/--no-causes", help="Run missed cines again to say why.")
    ] = True,
) -> None:
    """Measure what is left of identifiers, and of clinical text, on made cines with truth.

    The figures are defined in `cinescrub.testing.score`.
    """
    from cinescrub.cli.accuracy import Choice, Targets, measure_accuracy

    choice = Choice(seeds, frames, rows, columns, tuple(group or ()), tuple(face or ()))
    targets = Targets(json, plot, work, keep)
    code = measure_accuracy(choice, peer or (), run_options or (), targets, explain=explain)
    raise typer.Exit(code)


@app.command()
def work(
    run_options: Annotated[
        list[str] | None,
        typer.Argument(help="After `--`: options of `cinescrub run`, which is measured."),
    ] = None,
    dynamic: Annotated[
        list[str] | None,
        typer.Option("--dynamic", help="What changes over the frames; repeatable."),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=1, help="Frames of each cine.")] = 120,
    rows: Annotated[int, typer.Option("--rows", min=96, help="Rows of each cine.")] = 480,
    columns: Annotated[int, typer.Option("--columns", min=96, help="Columns.")] = 640,
    json: Json = False,
) -> None:
    """Measure how much of a cine the detectors ran on, of what every frame would cost."""
    from cinescrub.cli.work import measure_work
    from cinescrub.testing import Dynamic

    known = {each.value: each for each in Dynamic}
    for name in dynamic or ():
        if name not in known:
            raise typer.BadParameter(f"{name}: choose of {', '.join(known)}")
    chosen = [known[name] for name in dynamic or ("static", "clock", "patient", "frozen")]
    code = measure_work(
        chosen, run_options or (), frames=frames, rows=rows, columns=columns, json=json
    )
    raise typer.Exit(code)
