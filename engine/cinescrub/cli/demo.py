"""`demo`: a real and a made cine through the main job, with a picture of before and after."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import typer

from cinescrub import bundle
from cinescrub.cli.inspect import header_words
from cinescrub.cli.models import ensure_models, say
from cinescrub.cli.progress import progress
from cinescrub.cli.run import cancel_on_signals
from cinescrub.config import EngineConfig, Provider
from cinescrub.dicom.source import open_source
from cinescrub.errors import ConfigError, OutputError
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pixels.decode import Viewer
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine
from cinescrub.testing.samples import copy_real_cine

__all__ = ["demonstrate"]


def demonstrate(out: Path, models: Path | None, provider: Provider) -> int:
    """Run the demo into `out` and return the exit code."""
    inputs = _new_folder(out) / "in"
    config = EngineConfig(
        models=models or bundle.default_models_dir(), provider=provider, key_file=out / "demo.key"
    )
    ensure_models(config.models)  # before anything is put into `out`: if it fails, one can repeat
    inputs.mkdir()
    say("a real ultrasound cine (from pydicom's wheel) and a made one with a name burned in")
    copy_real_cine(inputs / "real.dcm")
    make_cine(
        CineSpec(
            seed=3,
            frames=8,
            syntax=Syntax.JPEG_BASELINE,
            photometric=Photometric.YBR_FULL_422,
        ),
        inputs / "made.dcm",
    )
    engine = Engine.open(config)
    targets = Targets.open(out / "out", [inputs])
    token = CancelToken()
    code = 0
    with (
        progress() as observer,
        cancel_on_signals(token),
    ):
        for name in ("real", "made"):
            start = time.perf_counter()
            observer.begins(inputs / f"{name}.dcm")
            report = engine.run(inputs / f"{name}.dcm", targets, token=token, observer=observer)
            typer.echo(_line(name, report, time.perf_counter() - start))
            if report.output is not None:
                picture = out / f"{name}-before-after.png"
                _draw(report.source, report.output, picture)
                typer.echo(f"      picture: {picture}")
            code = max(code, report.exit_code)
    return code


def _new_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        taken = any(out.iterdir())
    except OSError as error:
        raise OutputError(f"{out} can't be made: choose another with --out") from error
    if taken:
        raise ConfigError(f"{out} is not empty: remove it, or choose another with --out")
    return out


def _line(name: str, report: FileReport, seconds: float) -> str:
    if report.status is not Status.OK:
        return f"{name}: {report.status}: {report.reason}"
    redacted = sum(report.redactions.values())
    return (
        f"{name}: {report.frames} frames in {seconds:.1f} s"
        f" ({report.frames / seconds:.1f} frames/s)\n"
        f"      text:    {redacted} lines redacted, {report.kept} kept as clinical\n"
        f"      header:  {header_words(report.scrubbed)}\n"
        f"      output:  {report.output}"
    )


def _draw(before: Path, after: Path, picture: Path) -> None:
    """Write the first frames of two files side by side as PNG."""
    pair = np.hstack([_first_frame(before), _first_frame(after)])
    if not cv2.imwrite(str(picture), pair[..., ::-1]):
        raise OutputError(f"{picture} can't be written")


def _first_frame(path: Path) -> npt.NDArray[np.uint8]:
    with open_source(path) as source:
        viewer = Viewer(source.info)
        frame = np.empty(viewer.shape, np.uint8)
        viewer.decode(source.frame(0), frame)
    return np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame
