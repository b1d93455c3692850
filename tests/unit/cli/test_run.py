"""`run` in this process, with fake models: places, keys, inputs, settings, what is told."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

from cinescrub.cli import run as run_module
from cinescrub.cli.progress import Quiet
from cinescrub.errors import ConfigError
from cinescrub.kinds import Location
from cinescrub.pipeline.engine import Engine
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in, made


def _lines(report: Path) -> list[tuple[str, str]]:
    """The report as (input's name, status)."""
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return [(Path(line["source"]).name, line["status"]) for line in lines]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything is loaded or made."""

    def loaded(*_: object) -> None:
        pytest.fail("work began before the arguments were checked")

    monkeypatch.setattr(Engine, "open", loaded)
    monkeypatch.setattr(run_module, "ensure_models", loaded)


# --- what goes in and what comes out ---------------------------------------------------------


def test_a_good_cine_ends_with_0(cinescrub: Command, tmp_path: Path, fake_models: Path) -> None:
    truth = made(tmp_path / "in.dcm")

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models
    )

    (output,) = left_in(tmp_path / "out")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "1 ok; 2 frames de-identified\n"
    assert find_leaks(tmp_path / "out" / output, truth.planted) == ()


def test_inputs_that_are_no_dicom_are_skipped_and_no_error(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("not an image\n" * 9)

    outcome = cinescrub("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)

    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == "1 skipped; 0 frames de-identified"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.write_bytes(b"\0" * 128 + b"DICM"), ""),
    ],
    ids=["missing", "link-to-itself", "broken"],
)
def test_an_input_that_cant_be_read_is_told_and_the_others_go_on(
    cinescrub: Command,
    tmp_path: Path,
    fake_models: Path,
    make: Callable[[Path], object],
    reason: str,
) -> None:
    made(tmp_path / "good.dcm")
    make(tmp_path / "bad.dcm")

    outcome = cinescrub(
        "run", tmp_path / "bad.dcm", tmp_path / "good.dcm", "--out", tmp_path / "out",
        "--models", fake_models, "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert outcome.code == 4
    assert _lines(tmp_path / "report.jsonl") == [("bad.dcm", "quarantined"), ("good.dcm", "ok")]
    assert outcome.err.startswith(f"quarantined: {tmp_path / 'bad.dcm'}: ")
    assert reason in outcome.err


def test_a_name_that_is_too_long_is_a_line_and_no_crash(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    outcome = cinescrub("run", "a" * 300, "--out", tmp_path / "out", "--models", fake_models)

    assert outcome.code == 4
    assert "File name too long" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cant_be_listed_is_a_line(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "in" / "closed").mkdir(parents=True, mode=0)

    outcome = cinescrub("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)

    assert outcome.code == 4
    assert "Permission denied" in outcome.err


def test_an_empty_folder_is_an_error_of_usage(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)

    outcome = cinescrub("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "cinescrub: no input found: give files or folders that hold files\n"


def test_fail_fast_stops_at_the_first_input_without_an_output(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.txt").write_text("not an image\n" * 9)
    (tmp_path / "in" / "2.dcm").write_bytes(b"\0" * 128 + b"DICM")
    made(tmp_path / "in" / "3.dcm")

    outcome = cinescrub(
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models, "--fail-fast",
        "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert outcome.code == 4
    assert _lines(tmp_path / "report.jsonl") == [("1.txt", "skipped"), ("2.dcm", "quarantined")]


def test_json_on_stdout_is_the_report_line_by_line(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")
    (tmp_path / "in" / "b.txt").write_text("not an image\n" * 9)

    outcome = cinescrub(
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models, "--json",
        "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert outcome.out == (tmp_path / "report.jsonl").read_text()
    assert [json.loads(line)["status"] for line in outcome.out.splitlines()] == ["ok", "skipped"]


def test_names_of_any_bytes_are_valid_json_and_one_line_for_people(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "in").mkdir()
    name = os.fsdecode(b"\x1b[2Jcl\near\xff.txt")
    (tmp_path / "in" / name).write_text("not an image\n" * 9)

    outcome = cinescrub(
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models, "--json",
        "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert outcome.out.isascii()
    assert Path(json.loads(outcome.out)["source"]).name == name
    assert _lines(tmp_path / "report.jsonl") == [(name, "skipped")]
    assert len(outcome.err.splitlines()) == 2
    assert "\x1b" not in outcome.err


# --- places ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("out", "options", "says"),
    [
        ("in", [], "inside of a source folder"),
        ("in/deeper/out", [], "inside of a source folder"),
        ("link/out", [], "inside of a source folder"),
        ("in/a.dcm", [], "inside of a source folder"),
        ("out", ["--report", "out/report.jsonl"], "outside of --out"),
        ("out", ["--report", "link/../out/report.jsonl"], "outside of --out"),
        ("out", ["--report", "in/a.dcm"], "change an input"),
        ("out", ["--report", "in/report.jsonl"], "change an input"),
        ("out", ["--report", "here", "--key", "here"], "overwrite another file"),
        ("out", ["--report", "here", "--crosswalk", "here"], "overwrite another file"),
        ("out", ["--report", "here", "--vocabulary", "here"], "overwrite another file"),
        ("out", ["--report", "state/of.jsonl", "--state", "state"], "overwrite another file"),
        ("out", ["--report", "c.toml", "--config", "c.toml"], "overwrite another file"),
        ("out", ["--report", "m/craft/contract.json", "--models", "m"], "overwrite another file"),
        ("", [], "empty"),
        ("memory://out", [], "not supported"),
        ("out", ["--actors", "2"], "give --ray"),
        ("out", ["--gpus-per-actor", "0.5"], "give --ray"),
        ("out", ["--key", "in/key"], "made in an input's folder"),
        ("out", ["--key", "out/key"], "outside of --out"),
        ("out", ["--state", "out/state"], "outside of --out"),
        ("out", ["--state", "."], "outside of --out"),
        ("out", ["--state", "in/state"], "change an input"),
        ("out", ["--resume"], "needs the state"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_places_that_would_mix_are_refused_before_any_work(
    cinescrub: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    options: list[str],
    says: str,
) -> None:
    made(tmp_path / "in" / "a.dcm")
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "c.toml").write_text("policy = 'all-text'\n")
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "in" / "a.dcm").read_bytes(), left_in(tmp_path)

    outcome = cinescrub("run", "in", "--out", out, *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert ((tmp_path / "in" / "a.dcm").read_bytes(), left_in(tmp_path)) == before


@pytest.mark.usefixtures("no_work")
def test_the_key_that_nobody_named_is_not_put_among_outputs_either(
    cinescrub: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "a.dcm")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "out"))

    outcome = cinescrub("run", tmp_path / "a.dcm", "--out", tmp_path / "out")

    assert outcome.code == 2
    assert "leads back to patients" in outcome.err
    assert left_in(tmp_path) == ["a.dcm"]


@pytest.mark.usefixtures("no_work")
def test_an_empty_input_is_not_the_current_folder(cinescrub: Command, tmp_path: Path) -> None:
    outcome = cinescrub("run", "", "--out", tmp_path / "out")

    assert outcome.code == 2
    assert "empty" in outcome.err


@pytest.mark.usefixtures("no_work")
def test_a_report_over_its_only_input_is_refused(cinescrub: Command, tmp_path: Path) -> None:
    made(tmp_path / "a.dcm")
    before = (tmp_path / "a.dcm").read_bytes()

    outcome = cinescrub(
        "run", tmp_path / "a.dcm", "--out", tmp_path / "out", "--report", tmp_path / "a.dcm"
    )

    assert outcome.code == 2
    assert (tmp_path / "a.dcm").read_bytes() == before


def test_a_report_over_an_older_one_is_its_owners_too(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "a.dcm")
    report = tmp_path / "report.jsonl"
    report.touch(0o644)
    report.chmod(0o644)

    cinescrub(
        "run", tmp_path / "a.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--report", report,
    )  # fmt: skip

    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_report_may_lie_in_a_folder_named_like_its_profile(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "a.dcm")
    (tmp_path / "basic").mkdir()
    monkeypatch.chdir(tmp_path)

    outcome = cinescrub(
        "run", "a.dcm", "--out", "out", "--models", fake_models, "--report", "basic/report.jsonl"
    )

    assert outcome.code == 0
    assert _lines(tmp_path / "basic" / "report.jsonl") == [("a.dcm", "ok")]


def test_a_report_is_readable_by_its_owner_alone(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in.dcm")

    cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert stat.S_IMODE((tmp_path / "report.jsonl").stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_report_on_a_full_disk_ends_the_run_with_8(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in.dcm")
    mode = stat.S_IMODE(Path("/dev/full").stat().st_mode)

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--report", "/dev/full",
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (8, "")
    assert outcome.err == "cinescrub: the report can't be written: its disk may be full\n"
    assert stat.S_IMODE(Path("/dev/full").stat().st_mode) == mode, "a device is no report of ours"


def test_lines_to_a_full_disk_end_the_run_with_8(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "in.dcm")

    def full(_: str, *, err: bool = False) -> None:
        if not err:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("typer.echo", full)
    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models, "--json"
    )

    assert outcome.code == 8


def test_a_report_in_no_folder_is_refused_before_any_input_is_opened(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in.dcm")

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--report", tmp_path / "none" / "report.jsonl",
    )  # fmt: skip

    assert outcome.code == 8
    assert left_in(tmp_path / "out") == []


# --- settings --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("polcy = 'all-text'", "unknown setting polcy: known are models, key_file, policy"),
        ("policy = 'none'", "default-deny, phi-only, all-text"),
        ("provider = 'abacus'", "cpu"),
        ("threads = 'two'", "threads is a whole number"),
        ("threads = true", "threads is a whole number"),
        ("threads = 5000", "from 0 to 1024"),
        ("models = 5", "wrong type"),
        ("= =", "not TOML"),
        (None, "can't be read"),
    ],
)
def test_settings_that_are_not_understood_are_refused(
    cinescrub: Command, tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "settings.toml").write_text(text)

    outcome = cinescrub(
        "run", tmp_path, "--out", tmp_path / "out", "--config", tmp_path / "settings.toml"
    )

    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err


def test_settings_come_from_the_file_and_flags_go_over_them(
    cinescrub: Command, tmp_path: Path, reading_models: Path
) -> None:
    made(tmp_path / "in.dcm")
    (tmp_path / "settings.toml").write_text(
        f"policy = 'all-text'\nmodels = '{reading_models}'\nkey_file = '{tmp_path / 'key'}'\n"
    )
    reasons = []

    for flags in ([], ["--policy", "default-deny"]):
        outcome = cinescrub(
            "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--json",
            "--config", tmp_path / "settings.toml", *flags,
        )  # fmt: skip
        reasons.append(set(json.loads(outcome.out)["redactions"]))

    assert reasons == [{"all-text"}, {"unknown"}]
    assert (tmp_path / "key").exists()


@pytest.mark.parametrize(
    ("policy", "redacted"),
    [("default-deny", {"unknown"}), ("all-text", {"all-text"}), ("phi-only", set())],
)
def test_what_is_read_and_unknown_goes_by_the_policy(
    cinescrub: Command, tmp_path: Path, reading_models: Path, policy: str, redacted: set[str]
) -> None:
    made(tmp_path / "in.dcm")

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--json", "--policy", policy,
        "--models", reading_models,
    )  # fmt: skip

    line = json.loads(outcome.out)
    before = np.stack(list(read_frames(tmp_path / "in.dcm")))
    after = np.stack(list(read_frames(Path(line["output"]))))
    assert set(line["redactions"]) == redacted
    assert (line["kept"] > 0) == (not redacted)
    assert np.array_equal(before, after) == (not redacted)


# --- keys ------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_alone(
    cinescrub: Command, tmp_path: Path, fake_models: Path, home: Path
) -> None:
    made(tmp_path / "in.dcm")
    keys = []

    for name in ("one", "two"):
        outcome = cinescrub(
            "run", tmp_path / "in.dcm", "--out", tmp_path / name, "--models", fake_models
        )
        assert outcome.code == 0
        (path,) = (p for p in home.rglob("key") if p.is_file())
        keys.append((path, path.read_bytes(), stat.S_IMODE(path.stat().st_mode)))

    assert keys[0] == keys[1]
    assert len(keys[0][1]) == 32
    assert keys[0][2] == 0o600


def test_a_key_that_others_can_read_is_refused(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in.dcm")
    (tmp_path / "key").write_bytes(bytes(32))
    (tmp_path / "key").chmod(0o640)

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--key", tmp_path / "key",
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (2, "")
    assert "chmod 600" in outcome.err
    assert not (tmp_path / "out").exists()


def test_one_key_gives_one_output_and_another_key_other_names(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    made(tmp_path / "in.dcm")

    def outputs(folder: str, key: str) -> dict[str, bytes]:
        out = tmp_path / folder
        outcome = cinescrub(
            "run", tmp_path / "in.dcm", "--out", out, "--models", fake_models,
            "--key", tmp_path / key,
        )  # fmt: skip
        assert outcome.code == 0
        return {name: (out / name).read_bytes() for name in left_in(out)}

    first, again, other = outputs("1", "key"), outputs("2", "key"), outputs("3", "other")

    assert first == again
    assert not {part for name in first for part in Path(name).parts} & {
        part for name in other for part in Path(name).parts
    }
    patients = [
        pydicom.dcmread(tmp_path / folder / name, stop_before_pixels=True).PatientID
        for folder, names in (("1", first), ("3", other))
        for name in names
    ]
    assert patients[0] != patients[1]


# --- being stopped ---------------------------------------------------------------------------


class _Signals(Quiet):
    """An observer that sends this process a signal when a stage is under way."""

    def __init__(self, number: signal.Signals, stage: str) -> None:
        self._number, self._stage = number, stage

    def frames(self, stage: str, done: int, total: int) -> None:
        if stage == self._stage and done == 1:
            signal.raise_signal(self._number)


@pytest.mark.parametrize("stage", ["inspect", "apply"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_run_and_leaves_nothing_half_written(
    cinescrub: Command,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    stage: str,
) -> None:
    made(tmp_path / "in.dcm", frames=3)
    (tmp_path / "settings.toml").write_text("batch_frames = 1\n")
    monkeypatch.setattr(run_module, "progress", lambda _: _Signals(number, stage))
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models,
        "--report", tmp_path / "report.jsonl", "--json", "--config", tmp_path / "settings.toml",
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "cinescrub: stopped; nothing half-written is left\n"
    assert left_in(tmp_path / "out") == []
    assert (tmp_path / "report.jsonl").read_text() == ""
    after = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == handlers


def test_a_signal_stops_all_jobs(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(4):
        made(tmp_path / "in" / f"{seed}.dcm", seed=seed, frames=3)

    class Kills(Quiet):
        def frames(self, stage: str, done: int, total: int) -> None:
            if stage == "inspect":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.5)  # the main thread hears of it

    monkeypatch.setattr(run_module, "progress", lambda _: Kills())

    outcome = cinescrub(
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models, "--jobs", 2,
        "--json",
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (130, "")
    assert left_in(tmp_path / "out") == []
    assert not [t for t in threading.enumerate() if t.name.startswith("cinescrub")]


def test_outputs_of_before_the_signal_stay_and_are_reported(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "in" / "a.dcm")
    made(tmp_path / "in" / "b.dcm", seed=6)

    class Second(_Signals):
        def begins(self, source: Location) -> None:
            if Path(source).name == "b.dcm":
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(run_module, "progress", lambda _: Second(signal.SIGINT, "none"))

    outcome = cinescrub(
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models,
        "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert outcome.code == 130
    assert _lines(tmp_path / "report.jsonl") == [("a.dcm", "ok")]
    assert len(left_in(tmp_path / "out")) == 1


def test_a_signal_that_is_ignored_stays_ignored(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under `nohup`, or in a script's background job."""
    made(tmp_path / "in.dcm")
    monkeypatch.setattr(run_module, "progress", lambda _: _Signals(signal.SIGHUP, "apply"))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    try:
        outcome = cinescrub(
            "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", fake_models
        )
    finally:
        signal.signal(signal.SIGHUP, before)

    assert outcome.code == 0
    assert len(left_in(tmp_path / "out")) == 1


# --- state -----------------------------------------------------------------------------------


def test_a_second_run_resumes_and_says_so(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    for name in ("a.dcm", "b.dcm"):
        made(tmp_path / "in" / name, seed=len(name) + ord(name[0]))
    given = (
        "run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models, "--json",
        "--state", tmp_path / "state",
    )  # fmt: skip
    first = cinescrub(*given)

    again = cinescrub(*given, "--resume", "--jobs", 2)

    assert (first.code, again.code) == (0, 0)
    assert first.err.splitlines()[-1] == "2 ok; 4 frames de-identified"
    assert again.err.splitlines()[-1].endswith("; 2 of the inputs in an earlier run")
    lines = [[json.loads(line) for line in run.out.splitlines()] for run in (first, again)]
    assert [line["resumed"] for line in lines[1]] == [True, True]
    assert [a["sha256_out"] for a in lines[0]] == [b["sha256_out"] for b in lines[1]]


# --- a cluster -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--jobs", 2), "give --actors"),
        (("--crosswalk", "links"), "run without --ray"),
        (("--midi-b-export", "maps"), "run without --ray"),
        ((), "pip install 'cinescrub[ray]'"),
    ],
)
def test_what_doesnt_go_with_a_cluster_is_told(
    cinescrub: Command,
    tmp_path: Path,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str | int, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "cinescrub.integrations.ray", None)  # as if not installed
    made(tmp_path / "in" / "a.dcm")

    outcome = cinescrub(
        "run", "in", "--out", "out", "--models", fake_models, "--ray", "local", *more
    )

    assert outcome.code == 2
    assert reason in outcome.err
    assert left_in(tmp_path / "out") == []


def test_graphs_that_the_provider_has_not_are_refused_before_the_first_input(
    cinescrub: Command, fake_models: Path, tmp_path: Path
) -> None:
    made(tmp_path / "in" / "a.dcm")

    told = cinescrub(
        *("run", tmp_path / "in", "--out", tmp_path / "out", "--models", fake_models),
        *("--cuda-graphs", "--provider", "cpu"),
    )

    assert told.code == ConfigError.exit_code
    assert "cuda_graphs needs provider cuda, not cpu" in told.err
    assert left_in(tmp_path / "out") == []
