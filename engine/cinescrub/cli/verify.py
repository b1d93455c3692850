"""`verify`: a finished folder audited again, on its own or against its inputs."""

from __future__ import annotations

import json as json_module
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import typer

from cinescrub.cli.models import ensure_models, say
from cinescrub.cli.progress import Quiet
from cinescrub.config import EngineConfig
from cinescrub.dicom.profiles import load_profile
from cinescrub.errors import ConfigError, ScrubError
from cinescrub.pipeline.preview import Examiner
from cinescrub.pipeline.reaudit import FileFindings, Inputs, reaudit
from cinescrub.report import Status
from cinescrub.stream import CancelToken

__all__ = ["PixelCheck", "pixel_check", "verify_folder"]

PixelCheck: TypeAlias = Callable[[Path], tuple[str, ...]]
"""Looks at a file's frames and says what is wrong with them, a line each."""


def verify_folder(
    folder: Path,
    against: list[Path],
    *,
    profile: str = "basic",
    options: tuple[str, ...] = (),
    json: bool,
    pixels: PixelCheck | None = None,
) -> int:
    """Audit a folder and return the exit code of the command: 0, or `ScrubError`'s.

    Parameters
    ----------
    folder : Path
        What `run` wrote.
    against : list of Path
        The inputs; may be empty.
    profile : str
        Of the run: a ready one or a file.
    options : tuple of str
        That the run added to it.
    json : bool
        One JSON object a file on stdout.
    pixels : PixelCheck, optional
        Looked through for each file besides the audit of its bytes.

    Raises
    ------
    ConfigError
        The folder or an input is not there, the folder holds no file, or the profile is not known.
    """
    if not all(map(os.path.lexists, (folder, *against))):
        raise ConfigError("there is no such folder: give the one that `run --out` wrote to")
    applied = load_profile(profile, options)
    inputs = Inputs.of(against) if against else None
    checked = failed = 0
    for audited in reaudit(folder, inputs, profile=applied):
        seen = () if pixels is None else pixels(audited.path)
        result = FileFindings(audited.path, audited.findings + seen, audited.compared)
        checked += 1
        failed += bool(result.findings)
        _tell(result, json=json)
    if not checked:
        raise ConfigError("no file found: give the folder that `run --out` wrote to")
    say(f"{checked - failed} of {checked} files are clean")
    return ScrubError.exit_code if failed else 0


def pixel_check(config: EngineConfig) -> PixelCheck:
    """Return a check that looks for text in all overlay states of a file, as `run` does.

    Raises
    ------
    ModelError
        A model is missing or differs from its contract.
    """
    ensure_models(config.models)
    examiner = Examiner.open(config, with_models=True)

    def look(path: Path) -> tuple[str, ...]:
        report = examiner.verify(path, token=CancelToken(), observer=Quiet())
        return () if report.status is Status.OK else (report.reason or report.status.value,)

    return look


def _tell(result: FileFindings, *, json: bool) -> None:
    if json:
        typer.echo(json_module.dumps(result.to_dict()))
    for line in result.findings:
        name = str(result.path)
        say(f"failed: {name if name.isprintable() else ascii(name)}: {line}")
