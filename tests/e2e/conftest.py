"""The real command in processes of its own, as a user starts it, with the real models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from cinescrub.testing import CineSpec, CineTruth, Photometric, Syntax, make_cine

KEY = bytes(range(32))

_TIME_LIMIT_S = 300
"""Of one command: it needs seconds, and a machine may be slow; a deadlock must not go on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@dataclass(frozen=True, slots=True)
class Batch:
    """One run over a folder with a good cine between files that can't be handled."""

    outcome: Outcome
    truth: CineTruth
    cine: Path
    before: bytes
    """The cine's bytes before the run."""
    report: str
    lines: dict[str, dict[str, Any]]
    """Report lines by the name of their input."""
    order: list[str]
    out: Path


def jpeg_cine(**changes: Any) -> CineSpec:
    """A small cine with a name burned in and identifiers planted all over its header."""
    small: dict[str, Any] = {
        "seed": 2,
        "frames": 2,
        "rows": 240,
        "columns": 320,
        "syntax": Syntax.JPEG_BASELINE,
        "photometric": Photometric.YBR_FULL_422,
    }
    return CineSpec(**(small | changes))


def secrets_of(truth: CineTruth) -> set[str]:
    """What of a made cine no output may hold: its burned-in PHI and its planted identifiers."""
    burned_in = {item.text.strip(" .") for item in truth.phi}
    return burned_in | {plant.needle.decode("latin-1") for plant in truth.planted}


def left_in(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The empty home of a user: nothing of this machine's own is read or changed."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def environment(home: Path) -> dict[str, str]:
    """What that user's commands find around them."""
    # ONNX Runtime sends nothing where it finds these, and we test that it never does.
    inherited = {k: v for k, v in os.environ.items() if k not in {"CI", "ORT_DISABLE_TELEMETRY"}}
    folders = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_CACHE_HOME": home / "cache"}
    # A warning in a process of ours is as much a fault as one in a test.
    return inherited | {k: str(v) for k, v in folders.items()} | {"PYTHONWARNINGS": "error"}


@pytest.fixture(scope="session")
def command(environment: dict[str, str]) -> Command:
    """Run `cinescrub` with arguments and wait for its end."""

    def run(*arguments: str | Path) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "cinescrub", *map(str, arguments)],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIME_LIMIT_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file whose key is known, so that runs can be compared."""
    path = tmp_path_factory.mktemp("key") / "key"
    path.touch(0o600)
    path.write_bytes(KEY)
    return path


@pytest.fixture(scope="session")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings that look at as little as is allowed, for tests of something else."""
    path = tmp_path_factory.mktemp("settings") / "brief.toml"
    path.write_text("detail_frames = 1\nverify_frames = 1\n")
    return path


@pytest.fixture(scope="session")
def batch(
    tmp_path_factory: pytest.TempPathFactory, command: Command, models_dir: Path, key: Path
) -> Batch:
    """Run the main job once; many tests look at what it left."""
    place = tmp_path_factory.mktemp("batch")
    folder = place / "in"
    folder.mkdir()
    directory = get_testdata_file("DICOMDIR", download=False)
    assert isinstance(directory, str)
    shutil.copyfile(directory, folder / "DICOMDIR")
    cine = folder / "cine"
    truth = make_cine(jpeg_cine(), cine)
    before = cine.read_bytes()
    (folder / "broken.dcm").write_bytes(before[: len(before) // 2])
    (folder / "notes.txt").write_text("not an image\n" * 40)

    outcome = command(
        "run", folder, "--out", place / "out", "--report", place / "report.jsonl", "--json",
        "--models", models_dir, "--key", key,
    )  # fmt: skip

    report = (place / "report.jsonl").read_text()
    lines = [json.loads(line) for line in report.splitlines()]
    return Batch(
        outcome=outcome,
        truth=truth,
        cine=cine,
        before=before,
        report=report,
        lines={Path(line["source"]).name: line for line in lines},
        order=[Path(line["source"]).name for line in lines],
        out=place / "out",
    )
