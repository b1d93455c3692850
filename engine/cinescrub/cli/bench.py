"""`bench`: frames/s, seconds by stage and peak memory of the main job."""

from __future__ import annotations

import json as jsonlib
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import typer

from cinescrub import __version__
from cinescrub.cli.models import ensure_models, say
from cinescrub.cli.progress import progress
from cinescrub.cli.run import NO_INPUT, cancel_on_signals
from cinescrub.config import EngineConfig
from cinescrub.errors import ConfigError
from cinescrub.pipeline.batch import find_inputs
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport, Status
from cinescrub.runtime.providers import installed_runtimes
from cinescrub.stream import CancelToken
from cinescrub.telemetry import peak_memory_bytes
from cinescrub.testing import CineSpec, Dynamic, Photometric, Syntax, make_cine

__all__ = ["MadeCine", "machine", "measure"]

_SYNTAXES: Final = {
    "jpeg": (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    "rle": (Syntax.RLE, Photometric.RGB),
    "native": (Syntax.EXPLICIT_LITTLE, Photometric.RGB),
    "jpegls": (Syntax.JPEG_LS, Photometric.RGB),
    "j2k": (Syntax.JPEG_2000_LOSSLESS, Photometric.RGB),
}


@dataclass(frozen=True, slots=True)
class MadeCine:
    """The cine that is measured when no file is given."""

    frames: int
    rows: int
    columns: int
    syntax: str
    still: bool
    seed: int

    def write(self, path: Path) -> None:
        """Make the cine."""
        if self.syntax not in _SYNTAXES:
            raise ConfigError(f"--syntax {self.syntax}: choose {', '.join(_SYNTAXES)}")
        syntax, photometric = _SYNTAXES[self.syntax]
        make_cine(
            CineSpec(
                seed=self.seed,
                frames=self.frames,
                rows=self.rows,
                columns=self.columns,
                syntax=syntax,
                photometric=photometric,
                dynamic=Dynamic.FROZEN if self.still else Dynamic.STATIC,
            ),
            path,
        )


def measure(
    inputs: list[Path], made: MadeCine, config: EngineConfig, *, repeat: int, json: bool
) -> int:
    """Run the main job on inputs, several times, print what it cost, and return the exit code.

    Raises
    ------
    ConfigError
        No input is found in the folders given, or the made cine can't be made.
    """
    ensure_models(config.models)
    token = CancelToken()
    with tempfile.TemporaryDirectory(prefix="cinescrub-bench-") as scratch:
        folder = Path(scratch)
        if not inputs:
            made.write(folder / "made.dcm")
            inputs = [folder / "made.dcm"]
        paths = list(find_inputs(inputs))
        if not paths:
            raise ConfigError(NO_INPUT)
        start = time.perf_counter()
        engine = Engine.open(_with_scratch_key(config, folder))
        loading = time.perf_counter() - start
        rows: dict[Path, list[FileReport]] = {path: [] for path in paths}
        walls: dict[Path, list[float]] = {path: [] for path in paths}
        with (
            progress() as observer,
            cancel_on_signals(token),
        ):
            for n in range(repeat):  # interleaved, so that a drift of the machine hits all alike
                for path in paths:
                    targets = Targets.open(folder / f"out{n}", [path])
                    begun = time.perf_counter()
                    rows[path].append(engine.run(path, targets, token=token, observer=observer))
                    walls[path].append(time.perf_counter() - begun)
    result = {
        "machine": machine(),
        "load_models_s": round(loading, 3),
        "peak_memory_mib": round(peak_memory_bytes() / 2**20, 1),
        "inputs": [_row(p, rows[p], walls[p]) for p in paths],
    }
    typer.echo(jsonlib.dumps(result) if json else _as_text(result))
    return max(report.exit_code for reports in rows.values() for report in reports)


def _with_scratch_key(config: EngineConfig, folder: Path) -> EngineConfig:
    """Use a key of the benchmark's own: measuring must not create the site's key.

    Every repeat is to cost what the first does, so nothing is remembered.
    """
    return replace(config, key_file=folder / "key", reuse=False, state=None, resume=False)


def _row(path: Path, reports: list[FileReport], walls: list[float]) -> dict[str, Any]:
    last, wall = reports[-1], statistics.median(walls)
    stages = {
        stage: round(statistics.median(r.seconds.get(stage, 0.0) for r in reports), 4)
        for stage in last.seconds
    }
    return {
        "name": path.name,
        "status": last.status.value,
        "reason": last.reason,
        "frames": last.frames,
        "inspected": last.inspected,
        "wall_s": round(wall, 3),
        "spread_s": [round(min(walls), 3), round(max(walls), 3)],
        "frames_per_s": round(last.frames / wall, 2) if last.status is Status.OK else None,
        "stages_s": stages,
        "rectangles": len(last.rectangles),
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on: versions, system, cores."""
    packages = ("numpy", "pydicom", "opencv-python-headless", "imagecodecs", "tokenizers")
    return {
        "cinescrub": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **installed_runtimes(),
        **{name: metadata.version(name) for name in packages},
    }


def _as_text(result: dict[str, Any]) -> str:
    machine = ", ".join(f"{k} {v}" for k, v in result["machine"].items())
    lines = [
        machine,
        f"models loaded in {result['load_models_s']} s;"
        f" peak memory {result['peak_memory_mib']} MiB",
    ]
    for row in result["inputs"]:
        lines.append(
            f"{row['name']}: {row['status']}, {row['frames']} frames ({row['inspected']} inspected)"
            f" in {row['wall_s']} s"
            + (f" = {row['frames_per_s']} frames/s" if row["frames_per_s"] is not None else "")
        )
        stages = ", ".join(f"{stage} {s}" for stage, s in row["stages_s"].items())
        lines.append(f"  seconds: {stages}")
        if row["reason"]:
            say(f"{row['name']}: {row['reason']}")
    return "\n".join(lines)
