"""Ctrl-C and SIGTERM while a cine is in work: the right code, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import jpeg_cine, left_in

from cinescrub.testing import make_cine

pytestmark = pytest.mark.models

_PATIENCE_S = 120
_POLL_S = 0.01


@pytest.fixture(autouse=True)
def interrupts_are_heard() -> Iterator[None]:
    """A shell's background job hands on SIGINT as ignored; a command in a terminal hears it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _writes_aside(out: Path, _report: Path) -> bool:
    """The models look at the temporary file, which takes seconds, before it gets its name."""
    return any(out.rglob("*.part"))


def _is_at_work(_out: Path, report: Path) -> bool:
    """The report is opened when the models are loaded; frames are looked at from then on."""
    if report.exists():
        time.sleep(0.5)
        return True
    return False


@pytest.mark.parametrize(
    ("number", "frames", "moment"),
    [(signal.SIGINT, 2, _writes_aside), (signal.SIGTERM, 30, _is_at_work)],
    ids=["ctrl-c-while-written", "sigterm-while-inspected"],
)
def test_a_stopped_run_ends_with_130_and_leaves_nothing(
    tmp_path: Path,
    environment: dict[str, str],
    models_dir: Path,
    key: Path,
    number: signal.Signals,
    frames: int,
    moment: Callable[[Path, Path], bool],
) -> None:
    cine, out, report = tmp_path / "cine.dcm", tmp_path / "out", tmp_path / "report.jsonl"
    make_cine(jpeg_cine(frames=frames), cine)
    (tmp_path / "settings.toml").write_text("detail_frames = 1\n")
    before = cine.read_bytes()
    arguments = [
        "run", cine, "--out", out, "--report", report, "--json", "--models", models_dir,
        "--key", key, "--config", tmp_path / "settings.toml",
    ]  # fmt: skip

    with subprocess.Popen(
        [sys.executable, "-m", "cinescrub", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not moment(out, report):
                assert process.poll() is None, "it ended before it was stopped"
                assert time.monotonic() < deadline
                time.sleep(_POLL_S)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=_PATIENCE_S)
        finally:
            process.kill()

    assert process.returncode == 130
    assert (stdout, stderr) == ("", "cinescrub: stopped; nothing half-written is left\n")
    assert left_in(tmp_path) == sorted(["cine.dcm", "report.jsonl", "settings.toml"])
    assert report.read_text() == ""
    assert cine.read_bytes() == before
