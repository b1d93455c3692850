"""The typer application: every command's options and help, bodies elsewhere.

Heavy imports live in the command bodies, so that `--help` costs none of them.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from cinescrub import __version__
from cinescrub.cli import bench_commands
from cinescrub.cli import node as node_commands
from cinescrub.cli import profile as profile_commands
from cinescrub.cli.flags import (
    Actors,
    CleanDescriptors,
    CleanGraphics,
    CleanStructured,
    Config,
    DetectorFlag,
    FillFlag,
    GpusPerActor,
    Inputs,
    InspectFlag,
    Jobs,
    Json,
    Key,
    MaxMemory,
    Models,
    PolicyFlag,
    PrecisionFlag,
    ProfileFlag,
    ProviderFlag,
    RayFlag,
    ResumeFlag,
    RetainDates,
    RetainDevice,
    RetainInstitution,
    RetainPatient,
    RetainPrivate,
    RetainUids,
    StateFlag,
    Threads,
    VocabularyFlag,
    asked_options,
)
from cinescrub.config import MaskScope, OnDoubt, PrecisionChoice, Provider
from cinescrub.errors import CancelledError, CinescrubError, OutputError, origin_of

__all__ = ["app", "main"]

app = typer.Typer(
    name="cinescrub",
    help="De-identify ultrasound cine DICOM: burned-in text, header and container.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # rich's help is 0.2 CPU seconds of imports, more than all the rest
    pretty_exceptions_enable=False,  # a rich traceback prints local variables, which may hold PHI
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app.add_typer(profile_commands.app, name="profile")
app.add_typer(bench_commands.app, name="bench")
app.add_typer(node_commands.app, name="node")


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
    out: Annotated[str, typer.Option("--out", help="Output folder or URL, outside of the inputs.")],
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
    precision: PrecisionFlag = None,
    device_id: Annotated[
        int | None, typer.Option("--device-id", min=0, help="Which GPU, as CUDA counts them.")
    ] = None,
    gpu_memory_mib: Annotated[
        int | None,
        typer.Option(
            "--gpu-memory-mib", min=0, help="Most that a model's arena takes; 0: no limit."
        ),
    ] = None,
    cuda_graphs: Annotated[
        bool | None,
        typer.Option(
            "--cuda-graphs", help="Replay shapes seen again as CUDA graphs (never tried)."
        ),
    ] = None,
    threads: Threads = None,
    jobs: Jobs = None,
    max_memory: MaxMemory = None,
    ray: RayFlag = None,
    actors: Actors = None,
    gpus_per_actor: GpusPerActor = 0.0,
    state: StateFlag = None,
    resume: ResumeFlag = None,
    config: Config = None,
    json: Json = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input without an output.")
    ] = False,
    profile: ProfileFlag = None,
    retain_dates: RetainDates = None,
    retain_patient: RetainPatient = False,
    retain_device: RetainDevice = False,
    retain_institution: RetainInstitution = False,
    retain_uids: RetainUids = False,
    retain_private: RetainPrivate = None,
    clean_descriptors: CleanDescriptors = False,
    clean_structured: CleanStructured = False,
    clean_graphics: CleanGraphics = False,
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
    from cinescrub.cli.run import ClusterFlags, run_inputs
    from cinescrub.config import load_config
    from cinescrub.integrations.stores import located

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
        precision=precision,
        device_id=device_id,
        gpu_memory_mib=gpu_memory_mib,
        cuda_graphs=cuda_graphs,
        threads=threads,
        jobs=jobs,
        max_memory_mib=max_memory,
        state=state,
        resume=resume,
        profile=profile,
        options=asked_options(
            dates=retain_dates,
            private=retain_private,
            retain_patient=retain_patient,
            retain_device=retain_device,
            retain_institution=retain_institution,
            retain_uids=retain_uids,
            clean_descriptors=clean_descriptors,
            clean_structured=clean_structured,
            clean_graphics=clean_graphics,
        ),
    )
    code = run_inputs(
        [located(text) for text in inputs],
        located(out),
        settings,
        settings_file=config,
        report=report,
        json=json,
        fail_fast=fail_fast,
        crosswalk=crosswalk,
        midi_b=midi_b_export,
        cluster=ClusterFlags.of(ray, actors, gpus_per_actor),
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
    profile: ProfileFlag = None,
    retain_dates: RetainDates = None,
    retain_patient: RetainPatient = False,
    retain_device: RetainDevice = False,
    retain_institution: RetainInstitution = False,
    retain_uids: RetainUids = False,
    retain_private: RetainPrivate = None,
    clean_descriptors: CleanDescriptors = False,
    clean_structured: CleanStructured = False,
    clean_graphics: CleanGraphics = False,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
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
        precision=precision,
        profile=profile,
        options=asked_options(
            dates=retain_dates,
            private=retain_private,
            retain_patient=retain_patient,
            retain_device=retain_device,
            retain_institution=retain_institution,
            retain_uids=retain_uids,
            clean_descriptors=clean_descriptors,
            clean_structured=clean_structured,
            clean_graphics=clean_graphics,
        ),
    )
    inspect_file(file, settings, header_only=header_only, json=json)


@app.command()
def serve(
    config: Annotated[Path, typer.Option("--config", help="TOML file of the node.")],
) -> None:
    """Run a DICOM node: de-identify what comes by C-STORE, and pass it on. Logs JSON to stderr."""
    from cinescrub.cli.serve import serve_node

    serve_node(config)


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
    retain_dates: RetainDates = None,
    retain_patient: RetainPatient = False,
    retain_device: RetainDevice = False,
    retain_institution: RetainInstitution = False,
    retain_uids: RetainUids = False,
    retain_private: RetainPrivate = None,
    clean_descriptors: CleanDescriptors = False,
    clean_structured: CleanStructured = False,
    clean_graphics: CleanGraphics = False,
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
        config,
        models=models,
        profile=profile,
        options=asked_options(
            dates=retain_dates,
            private=retain_private,
            retain_patient=retain_patient,
            retain_device=retain_device,
            retain_institution=retain_institution,
            retain_uids=retain_uids,
            clean_descriptors=clean_descriptors,
            clean_structured=clean_structured,
            clean_graphics=clean_graphics,
        ),
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
    precision: Annotated[
        PrecisionChoice,
        typer.Option(
            "--precision", help="Beside the published models: variants, where they exist."
        ),
    ] = PrecisionChoice.AUTO,
    json: Json = False,
) -> None:
    """Convert published checkpoints to ONNX models with contracts."""
    from cinescrub.cli.models import export_models

    export_models(what, out, weights=weights, source=source, precision=precision, json=json)


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
def doctor(
    models: Models = None,
    provider: ProviderFlag = None,
    precision: PrecisionFlag = None,
    json: Json = False,
) -> None:
    """Check this installation: versions, providers, codecs, models, a run on a made cine."""
    from cinescrub.cli.doctor import examine
    from cinescrub.config import load_config

    config = load_config(None, models=models, provider=provider, precision=precision)
    raise typer.Exit(examine(config, json=json))


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
        if isinstance(end.__context__, BrokenPipeError):  # typer ends with 1, which is our faults'
            message, code = "standard output can't be written", OutputError.exit_code
        elif end.code != CancelledError.exit_code:
            raise
        else:
            message, code = "stopped; nothing half-written is left", CancelledError.exit_code
    except Exception as error:  # a fault of ours
        message = f"unexpected {type(error).__name__} in {origin_of(error)}: report how it came"
        code = CinescrubError.exit_code
    typer.echo(f"cinescrub: {message}", err=True)
    sys.exit(code)
