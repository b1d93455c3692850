"""The typer application: every command's options and help, bodies elsewhere.

Heavy imports live in the command bodies, so that `--help` costs none of them.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cinescrub import __version__
from cinescrub.cli import profile as profile_commands
from cinescrub.config import DetectorChoice, InspectMode, MaskScope, OnDoubt, Policy, Provider
from cinescrub.errors import CancelledError, CinescrubError, origin_of
from cinescrub.types import Fill

__all__ = ["app", "main"]

app = typer.Typer(
    name="cinescrub",
    help="De-identify ultrasound cine DICOM: burned-in text, header and container.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # a rich traceback prints local variables, which may hold PHI
    add_completion=False,
)

Inputs = Annotated[
    list[Path], typer.Argument(help="Files and folders; content decides, not the suffix.")
]
Models = Annotated[
    Path | None, typer.Option("--models", help="Bundle folder; default: the user's cache.")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
PolicyFlag = Annotated[
    Policy | None, typer.Option("--policy", help="What happens to burned-in text.")
]
FillFlag = Annotated[
    Fill | None, typer.Option("--fill", help="What redacted rectangles are filled with.")
]
ProviderFlag = Annotated[
    Provider | None, typer.Option("--provider", help="Execution provider; never falls back.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=0, help="Threads of a model run; 0: one a core.")
]
DetectorFlag = Annotated[
    DetectorChoice | None, typer.Option("--detector", help="Which detectors look for text.")
]
InspectFlag = Annotated[
    InspectMode | None,
    typer.Option("--inspect", help="Look at each new piece of overlay once, or at every frame."),
]
VocabularyFlag = Annotated[
    Path | None,
    typer.Option("--vocabulary", help="File with more clinical terms, one a line."),
]
ProfileFlag = Annotated[
    str | None,
    typer.Option("--profile", help="basic, research-echo, public-release, or a TOML file."),
]
OptionNames = Annotated[
    list[str] | None,
    typer.Option("--option", help="An option that the run had, as retain-uids; repeatable."),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="Key file of the pseudonyms; created 0600 on first use."),
]


class Dates(StrEnum):
    """What `--retain-dates` may be."""

    FULL = "full"
    MODIFIED = "modified"


class Private(StrEnum):
    """What `--retain-private` may be."""

    PS315 = "ps315"
    TCIA = "tcia"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app.add_typer(profile_commands.app, name="profile")


@app.callback()
def _common(
    _version: Annotated[
        bool,
        # Eager: it is answered before a command is missed.
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log to stderr.")] = False,
) -> None:
    if verbose:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logging.getLogger("cinescrub").addHandler(handler)
        logging.getLogger("cinescrub").setLevel(logging.DEBUG)


@app.command()
def run(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", help="Output folder, outside of the inputs.")],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="JSON line an input; names source paths, so not in --out."),
    ] = None,
    models: Models = None,
    key: Key = None,
    policy: PolicyFlag = None,
    detector: DetectorFlag = None,
    inspect: InspectFlag = None,
    vocabulary: VocabularyFlag = None,
    mask_scope: Annotated[
        MaskScope | None,
        typer.Option(
            "--mask-scope", help="Fill a redacted place in all frames, or while it lasts."
        ),
    ] = None,
    on_doubt: Annotated[
        OnDoubt | None,
        typer.Option("--on-doubt", help="What happens to files with text out of the ordinary."),
    ] = None,
    blank_outside_sector: Annotated[
        bool | None,
        typer.Option(
            "--blank-outside-sector", help="Fill all outside of the sector, the classic way."
        ),
    ] = None,
    fill: FillFlag = None,
    provider: ProviderFlag = None,
    threads: Threads = None,
    config: Config = None,
    json: Json = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input without an output.")
    ] = False,
    profile: ProfileFlag = None,
    retain_dates: Annotated[
        Dates | None, typer.Option("--retain-dates", help="Keep dates, or move all of a patient's.")
    ] = None,
    retain_patient: Annotated[
        bool, typer.Option("--retain-patient", help="Keep age, sex, size, weight and the like.")
    ] = False,
    retain_device: Annotated[
        bool, typer.Option("--retain-device", help="Keep serial numbers and station names.")
    ] = False,
    retain_institution: Annotated[
        bool, typer.Option("--retain-institution", help="Keep name and address of the site.")
    ] = False,
    retain_uids: Annotated[bool, typer.Option("--retain-uids", help="Keep UIDs.")] = False,
    retain_private: Annotated[
        Private | None,
        typer.Option("--retain-private", help="Keep private elements on a list of safe ones."),
    ] = None,
    clean_descriptors: Annotated[
        bool, typer.Option("--clean-descriptors", help="Keep free text in which nothing is found.")
    ] = False,
    clean_structured: Annotated[
        bool, typer.Option("--clean-structured", help="Keep structured content, cleaned.")
    ] = False,
    clean_graphics: Annotated[
        bool, typer.Option("--clean-graphics", help="Keep graphic annotations, cleaned.")
    ] = False,
    crosswalk: Annotated[
        Path | None,
        typer.Option("--crosswalk", help="Encrypted file of what leads back; outside of --out."),
    ] = None,
    midi_b_export: Annotated[
        Path | None,
        typer.Option("--midi-b-export", help="Folder for MIDI-B's two mappings, in clear."),
    ] = None,
) -> None:
    """De-identify cines: the main job.

    Ends with 0 when every input has an output or was no DICOM, else with the highest exit code
    of its errors.
    """
    from cinescrub.cli.run import asked_options, run_inputs
    from cinescrub.config import load_config

    settings = load_config(
        config,
        models=models,
        key_file=key,
        policy=policy,
        detector=detector,
        inspect=inspect,
        vocabulary=vocabulary,
        mask_scope=mask_scope,
        on_doubt=on_doubt,
        blank_outside_sector=blank_outside_sector,
        fill=fill,
        provider=provider,
        threads=threads,
        profile=profile,
        options=asked_options(
            dates=retain_dates,
            private=retain_private,
            flags={
                "retain-patient-characteristics": retain_patient,
                "retain-device-identity": retain_device,
                "retain-institution-identity": retain_institution,
                "retain-uids": retain_uids,
                "clean-descriptors": clean_descriptors,
                "clean-structured-content": clean_structured,
                "clean-graphics": clean_graphics,
            },
        ),
    )
    code = run_inputs(
        inputs,
        out,
        settings,
        report=report,
        json=json,
        fail_fast=fail_fast,
        crosswalk=crosswalk,
        midi_b=midi_b_export,
    )
    raise typer.Exit(code)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="One DICOM file.")],
    header_only: Annotated[
        bool, typer.Option("--header-only", help="Run no model; tell of structure and header.")
    ] = False,
    models: Models = None,
    policy: PolicyFlag = None,
    detector: DetectorFlag = None,
    inspect_mode: InspectFlag = None,
    vocabulary: VocabularyFlag = None,
    provider: ProviderFlag = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Tell a file's structure and what `run` would do with it. Prints no PHI, writes nothing."""
    from cinescrub.cli.inspect import inspect_file
    from cinescrub.config import load_config

    settings = load_config(
        config,
        models=models,
        policy=policy,
        detector=detector,
        inspect=inspect_mode,
        vocabulary=vocabulary,
        provider=provider,
    )
    inspect_file(file, settings, header_only=header_only, json=json)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="What `run --out` wrote.")],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="The inputs: their identifiers are searched for too."),
    ] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Look for text in the frames too, with the models.")
    ] = False,
    profile: ProfileFlag = None,
    options: OptionNames = None,
    models: Models = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Audit a finished folder again: every byte, and identifiers of the inputs if they are given.

    Profile and options are to be those of the run: what it kept by them is no finding.

    Ends with 0 when every file is clean, with 7 when one isn't.
    """
    from cinescrub.cli.verify import pixel_check, verify_folder
    from cinescrub.config import load_config

    settings = load_config(
        config, models=models, profile=profile, options=tuple(options) if options else None
    )
    check = pixel_check(settings) if pixels else None
    code = verify_folder(
        folder,
        against or [],
        profile=settings.profile,
        options=settings.options,
        json=json,
        pixels=check,
    )
    raise typer.Exit(code)


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="One of the names that `models` lists, or all.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Bundle folder; default: the user's cache.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Folder with the weights, or a hub name with `stanford`."),
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="Deidentifier: rampart (embedded) or stanford.")
    ] = "rampart",
    json: Json = False,
) -> None:
    """Convert published checkpoints to ONNX models with contracts."""
    from cinescrub.cli.models import export_models

    export_models(what, out, weights=weights, source=source, json=json)


@app.command()
def models(
    folder: Models = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check every file's hash.")] = False,
    json: Json = False,
) -> None:
    """List the exported models, and check them with --verify."""
    from cinescrub.cli.models import list_models

    list_models(folder, verify=verify, json=json)


@app.command()
def crosswalk(
    file: Annotated[Path, typer.Argument(help="What `run --crosswalk` wrote.")],
    key: Key = None,
    find: Annotated[
        str | None, typer.Option("--find", help="Only pairs with this value, old or new.")
    ] = None,
    json: Json = False,
) -> None:
    """Print what leads from pseudonyms back to patients, for who holds the key: PHI."""
    from cinescrub.cli.crosswalk import read_back

    raise typer.Exit(read_back(file, key, find=find, json=json))


@app.command()
def doctor(models: Models = None, provider: ProviderFlag = None, json: Json = False) -> None:
    """Check this installation: versions, providers, codecs, models, a run on a made cine."""
    from cinescrub.cli.doctor import examine

    raise typer.Exit(examine(models, provider or Provider.AUTO, json=json))


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the demo's files; must be new or empty.")
    ] = Path("cinescrub-demo"),
    models: Models = None,
    provider: ProviderFlag = None,
) -> None:
    """De-identify a real and a made cine, and draw them before and after."""
    from cinescrub.cli.demo import demonstrate

    raise typer.Exit(demonstrate(out, models, provider or Provider.AUTO))


class _SpeedUnlessNamed(TyperGroup):
    """Takes `bench`, alone or with files and options, for `bench speed`."""

    # typer's releases take their contexts from click or from a private copy of it.
    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in {*self.list_commands(ctx), *ctx.help_option_names}:
            args = ["speed", *args]
        return super().parse_args(ctx, args)


bench = typer.Typer(
    cls=_SpeedUnlessNamed,
    help="Measure speed (`bench [FILE...]`, as `bench speed`), accuracy, or detectors' work.",
)
app.add_typer(bench, name="bench")


@bench.command()
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
    threads: Threads = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Measure frames/s, seconds by stage and peak memory of the main job."""
    from cinescrub.cli.bench import MadeCine, measure
    from cinescrub.config import load_config

    settings = load_config(config, models=models, policy=policy, provider=provider, threads=threads)
    made = MadeCine(frames, rows, columns, syntax, still, seed)
    raise typer.Exit(measure(inputs or [], made, settings, repeat=repeat, json=json))


@bench.command()
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


@bench.command()
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


def main() -> None:
    """Run the command line and end the process with its exit code.

    Usage errors are shown and coded by typer. No error ends as a traceback: its last line is a
    message that can hold PHI.
    """
    try:
        app()
    except CinescrubError as error:
        message, code = error.message, error.exit_code
    except SystemExit as end:
        if end.code != CancelledError.exit_code:
            raise
        message, code = "stopped; nothing half-written is left", CancelledError.exit_code
    except Exception as error:  # a fault of ours
        message = f"unexpected {type(error).__name__} in {origin_of(error)}: report how it came"
        code = CinescrubError.exit_code
    typer.echo(f"cinescrub: {message}", err=True)
    sys.exit(code)
