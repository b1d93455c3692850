"""The `bench` commands: their options and help, bodies elsewhere as in `app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cinescrub.bundle import Precision, Slot
from cinescrub.cli.bench_flags import (
    Dynamics,
    Exam,
    Files,
    Frames,
    Html,
    Plot,
    Repeat,
    Save,
    Seed,
    Sizes,
    Syntaxes,
)
from cinescrub.cli.flags import (
    Config,
    Jobs,
    Json,
    Models,
    PolicyFlag,
    PrecisionFlag,
    ProviderFlag,
    Threads,
)
from cinescrub.config import Provider

__all__ = ["app"]

_SIZES = ("640x480",)
_SYNTAXES = ("jpeg",)


class _ThroughputUnlessNamed(TyperGroup):
    """Takes `bench`, alone or with files and options, for `bench throughput`."""

    # typer's releases take their contexts from click or from a private copy of it.
    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in {*self.list_commands(ctx), *ctx.help_option_names}:
            args = ["throughput", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ThroughputUnlessNamed,
    rich_markup_mode=None,
    help="Measure speed, memory, peers, accuracy; `bench [FILE...]` is `bench throughput`.",
)


@app.command()
@app.command("speed", hidden=True)  # its first name
def throughput(
    files: Files = None,
    frames: Frames = None,
    size: Sizes = None,
    syntax: Syntaxes = None,
    dynamic: Dynamics = None,
    seed: Seed = 1,
    exam: Exam = 1,
    repeat: Repeat = 3,
    models: Models = None,
    policy: PolicyFlag = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    threads: Threads = None,
    jobs: Jobs = None,
    config: Config = None,
    json: Json = False,
    save: Save = None,
    plot: Plot = None,
    html: Html = None,
) -> None:
    """Measure frames/s, first output, seconds by stage and peak memory of the main job."""
    from cinescrub.cli.bench import Published, Wanted, measure_throughput
    from cinescrub.config import load_config

    settings = load_config(
        config,
        models=models,
        policy=policy,
        provider=provider,
        precision=precision,
        threads=threads,
        jobs=jobs,
    )
    wanted = Wanted(
        files or (),
        frames or (30,),
        size or _SIZES,
        syntax or _SYNTAXES,
        dynamic or ("static",),
        seed,
        exam,
    )
    published = Published(json, save, plot, html)
    code = measure_throughput("throughput", wanted, settings, published, repeat=repeat)
    raise typer.Exit(code)


@app.command()
def work(
    files: Files = None,
    frames: Frames = None,
    size: Sizes = None,
    dynamic: Dynamics = None,
    repeat: Repeat = 1,
    models: Models = None,
    precision: PrecisionFlag = None,
    config: Config = None,
    json: Json = False,
    save: Save = None,
) -> None:
    """Measure how much of a cine the detectors ran on, of what every frame would cost."""
    from cinescrub.cli.bench import Published, Wanted, measure_throughput
    from cinescrub.config import load_config

    wanted = Wanted(
        files or (),
        frames or (120,),
        size or _SIZES,
        _SYNTAXES,
        dynamic or ("static", "clock", "patient", "frozen"),
    )
    settings = load_config(config, models=models, precision=precision)
    code = measure_throughput("work", wanted, settings, Published(json, save), repeat=repeat)
    raise typer.Exit(code)


@app.command()
def memory(
    files: Files = None,
    frames: Frames = None,
    size: Sizes = None,
    syntax: Syntaxes = None,
    dynamic: Dynamics = None,
    repeat: Repeat = 1,
    models: Models = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    config: Config = None,
    json: Json = False,
    save: Save = None,
    plot: Plot = None,
    html: Html = None,
) -> None:
    """Measure peak memory by number of frames: 30 and 3,000 unless told."""
    from cinescrub.cli.bench import Published, Wanted, measure_throughput
    from cinescrub.config import load_config

    wanted = Wanted(
        files or (),
        frames or (30, 3000),
        size or ("320x240",),
        syntax or _SYNTAXES,
        dynamic or ("frozen",),
    )
    settings = load_config(config, models=models, provider=provider, precision=precision)
    published = Published(json, save, plot, html)
    raise typer.Exit(measure_throughput("memory", wanted, settings, published, repeat=repeat))


@app.command()
def floor(
    files: Files = None,
    frames: Frames = None,
    size: Sizes = None,
    syntax: Syntaxes = None,
    dynamic: Dynamics = None,
    seed: Seed = 1,
    exam: Exam = 1,
    repeat: Repeat = 3,
    models: Models = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    config: Config = None,
    json: Json = False,
    save: Save = None,
    plot: Plot = None,
    html: Html = None,
) -> None:
    """Measure the main job beside the same codecs reading, decoding once, filling and writing."""
    from cinescrub.cli.bench import Published, Wanted, measure_floor
    from cinescrub.config import load_config

    wanted = Wanted(
        files or (),
        frames or (300,),
        size or _SIZES,
        syntax or _SYNTAXES,
        dynamic or ("static",),
        seed,
        exam,
    )
    settings = load_config(config, models=models, provider=provider, precision=precision)
    published = Published(json, save, plot, html)
    raise typer.Exit(measure_floor(wanted, settings, published, repeat=repeat))


@app.command()
def peers(
    files: Files = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            help="easyocr, easyocr-keyframes, easyocr-read, easyocr-batched, rapidocr, tesseract,"
            " presidio, deid; default: all that are installed; repeatable.",
        ),
    ] = None,
    frames: Frames = None,
    size: Sizes = None,
    syntax: Syntaxes = None,
    dynamic: Dynamics = None,
    seed: Seed = 1,
    exam: Exam = 1,
    repeat: Repeat = 1,
    models: Models = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    config: Config = None,
    json: Json = False,
    save: Save = None,
    plot: Plot = None,
    html: Html = None,
) -> None:
    """Measure the main job beside other tools, on the same cines, and what each of them left."""
    from cinescrub.cli.bench import Published, Wanted, measure_peers
    from cinescrub.config import load_config

    wanted = Wanted(
        files or (),
        frames or (30,),
        size or _SIZES,
        syntax or _SYNTAXES,
        dynamic or ("static",),
        seed,
        exam,
    )
    settings = load_config(config, models=models, provider=provider, precision=precision)
    published = Published(json, save, plot, html)
    raise typer.Exit(measure_peers(wanted, settings, peer or ("all",), published, repeat=repeat))


@app.command("models")
def models_alone(
    model: Annotated[
        list[Slot] | None, typer.Option("--model", help="Only this one; repeatable.")
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", min=1, help="Frames, lines or texts at once; repeatable."),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option("--threads", min=0, help="Threads of a run; 0: one a core; repeatable."),
    ] = None,
    provider: Annotated[
        list[Provider] | None,
        typer.Option("--provider", help="Execution provider; never falls back; repeatable."),
    ] = None,
    precision: Annotated[
        list[Precision] | None,
        typer.Option("--precision", help="Default: all that the bundle has; repeatable."),
    ] = None,
    size: Annotated[str, typer.Option("--size", help="Of a detector's frames.")] = _SIZES[0],
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs in each process.")] = 5,
    repeat: Repeat = 3,
    models: Models = None,
    json: Json = False,
    save: Save = None,
    plot: Plot = None,
    html: Html = None,
) -> None:
    """Measure each model alone: milliseconds of the clock and of all cores, and peak memory."""
    from cinescrub.bench.cines import parse_size
    from cinescrub.bench.studies import ModelChoice
    from cinescrub.bundle import default_models_dir
    from cinescrub.cli.bench import Published, measure_models

    rows, columns = parse_size(size)
    choice = ModelChoice(
        slots=tuple(model or Slot),
        batches=tuple(batch or (1, 4)),
        threads=tuple(threads or (0,)),
        providers=tuple(provider or (Provider.AUTO,)),
        precisions=tuple(precision or Precision),
        rows=rows,
        columns=columns,
        runs=runs,
    )
    published = Published(json, save, plot, html)
    code = measure_models(models or default_models_dir(), choice, published, repeat=repeat)
    raise typer.Exit(code)


@app.command("compare")
def compare_results(
    before: Annotated[Path, typer.Argument(help="What `--save` wrote before.")],
    after: Annotated[Path, typer.Argument(help="What it wrote after.")],
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, help="Percent that a figure may get worse by.")
    ] = 10.0,
    figure: Annotated[
        list[str] | None,
        typer.Option("--figure", help="Only this one, as wall_s; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Compare two results: ends with 9 if something got worse by more than the threshold."""
    from cinescrub.cli import bench

    code = bench.compare_results(before, after, percent=threshold, figures=figure or (), json=json)
    raise typer.Exit(code)


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
