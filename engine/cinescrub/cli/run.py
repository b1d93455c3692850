"""`run`: inputs in, outputs and report lines out, progress on a terminal."""

from __future__ import annotations

import os
import signal
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Final, Self

import typer

from cinescrub.cli.models import ensure_models, say
from cinescrub.cli.places import check_places
from cinescrub.cli.progress import progress
from cinescrub.config import EngineConfig
from cinescrub.dicom.profiles import READY
from cinescrub.dicom.pseudonym import default_key_path
from cinescrub.errors import CancelledError, ConfigError, OutputError
from cinescrub.integrations.stores import objects_in, open_stores
from cinescrub.kinds import Location, Url
from cinescrub.pipeline.batch import find_inputs, run_all
from cinescrub.pipeline.engine import Engine
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken

if TYPE_CHECKING:
    from cinescrub.integrations.ray import Cluster

__all__ = ["NO_INPUT", "ClusterFlags", "cancel_on_signals", "run_inputs"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NO_INPUT: Final = "no input found: give files or folders that hold files"


def run_inputs(
    inputs: list[Location],
    out: Location,
    config: EngineConfig,
    *,
    settings_file: Path | None = None,
    report: Path | None,
    json: bool,
    fail_fast: bool,
    crosswalk: Path | None = None,
    midi_b: Path | None = None,
    cluster: ClusterFlags | None = None,
) -> int:
    """Run the main job and return the exit code of the command.

    Raises
    ------
    ClusterError
        Workers can't be had, or none is left.
    ConfigError
        The output, report or key would lie where it must not, or the key file is not safe.
    ModelError
        A model is missing or differs from its contract.
    OutputError
        The output folder or the report can't be written.
    CancelledError
        The operator stopped the run.
    """
    paths = [given for given in inputs if isinstance(given, Path)]
    urls = [given for given in inputs if isinstance(given, Url)]
    check_places(
        out=out if isinstance(out, Path) else None,
        inputs=paths,
        report=report,
        key=config.key_file or default_key_path(),
        state=config.state,
        crosswalk=crosswalk,
        midi_b=midi_b,
        others=[
            settings_file,
            config.models,
            config.engine_cache,
            config.vocabulary,
            None if config.profile in READY else Path(config.profile),
        ],
    )
    if cluster is not None:
        _check_cluster(config, crosswalk, midi_b)
    token = CancelToken()
    with ExitStack() as stack:
        stores = stack.enter_context(open_stores(out, inputs, resume=config.resume))
        ensure_models(config.models)
        if cluster is None:
            engine = stack.enter_context(Engine.open(config))
            if crosswalk is not None or midi_b is not None:
                engine.keep_links(crosswalk, midi_b)
            runner, targets, jobs = stores.around(engine), stores.targets, config.jobs
        else:
            workers = stack.enter_context(_joined(cluster, config, out, fetches=bool(urls)))
            targets = replace(stores.targets, places=workers.places)
            runner, jobs = workers, workers.jobs
        sink = stack.enter_context(_open_report(report))
        observer = stack.enter_context(progress(jobs))
        stack.enter_context(cancel_on_signals(token))
        counts: Counter[Status] = Counter()
        frames, resumed, code = 0, 0, 0
        for line in run_all(
            runner,
            chain(find_inputs(paths), objects_in(urls)),
            targets,
            token=token,
            observer=observer,
            fail_fast=fail_fast,
            jobs=jobs,
        ):
            counts[line.status] += 1
            frames += line.frames if line.status is Status.OK else 0
            resumed += line.resumed
            code = max(code, line.exit_code)
            _write(line, sink, json=json)
    if not counts:
        raise ConfigError(NO_INPUT)
    say(_summary(counts, frames, resumed))
    return code


@dataclass(frozen=True, slots=True)
class ClusterFlags:
    """What `run` is asked for, where it runs on a cluster."""

    address: str
    actors: int | None = None
    gpus_per_actor: float = 0.0

    @classmethod
    def of(cls, address: str | None, actors: int | None, gpus: float) -> Self | None:
        """Return what the flags ask for; None without a cluster.

        Raises
        ------
        ConfigError
            A flag is for a cluster, and none is named.
        """
        if address is not None:
            return cls(address, actors, gpus)
        if actors is not None or gpus:
            raise ConfigError("--actors and --gpus-per-actor are for a cluster: give --ray, too")
        return None


def _check_cluster(config: EngineConfig, crosswalk: Path | None, midi_b: Path | None) -> None:
    if config.jobs != 1:
        raise ConfigError("--jobs is for one machine: with --ray give --actors")
    if crosswalk is not None or midi_b is not None:
        raise ConfigError(
            "--crosswalk and --midi-b-export hold what leads back to patients, which doesn't go"
            " through a cluster: run without --ray"
        )


def _joined(
    flags: ClusterFlags, config: EngineConfig, out: Location, *, fetches: bool
) -> AbstractContextManager[Cluster]:
    try:
        from cinescrub.integrations.ray import open_cluster
    except ImportError:
        raise ConfigError("--ray needs Ray: run `pip install 'cinescrub[ray]'`") from None
    return open_cluster(
        config,
        out,
        address=flags.address,
        actors=flags.actors,
        gpus_per_actor=flags.gpus_per_actor,
        fetches=fetches,
    )


def _write(line: FileReport, sink: IO[str] | None, *, json: bool) -> None:
    if sink is not None:
        try:
            sink.write(line.to_json() + "\n")
            # What is reported has happened, also if the next input takes the machine down.
            sink.flush()
        except OSError:
            raise OutputError("the report can't be written: its disk may be full") from None
    if json:
        try:
            typer.echo(line.to_json())
        except OSError:
            raise OutputError("standard output can't be written") from None
    if line.reason is not None:
        say(f"{line.status}: {_printable(line.origin)}: {line.reason}")


def _printable(name: str) -> str:
    """Return a path as one line that steers no terminal: a name can hold any byte but two."""
    return name if name.isprintable() else ascii(name)


def _summary(counts: Counter[Status], frames: int, resumed: int) -> str:
    done = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    before = f"; {resumed} of the inputs in an earlier run" if resumed else ""
    return f"{done}; {frames} frames de-identified{before}"


@contextmanager
def _open_report(report: Path | None) -> Iterator[IO[str] | None]:
    if report is None:
        with nullcontext() as nothing:
            yield nothing
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        descriptor = os.open(report, flags, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)  # one that was there keeps its mode else
        sink = os.fdopen(descriptor, "w", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"the report {report} can't be written") from error
    try:
        yield sink
    finally:
        with suppress(OSError):  # what was written is flushed; a full disk was told of then
            sink.close()


@contextmanager
def cancel_on_signals(token: CancelToken) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into a cancellation: the file in work cleans up.

    A signal that whoever started us chose to ignore (`nohup`, a shell's background job) stays
    ignored.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        token.cancel(CancelledError("stopped; nothing half-written is left"))

    heard = [s for s in _SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    previous = {s: signal.signal(s, stop) for s in heard}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
