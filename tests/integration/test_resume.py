"""`--resume`: what is done is not done again, and a kill at any moment loses and spoils nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.integration.conftest import KEY, Indifferent, ShineDetector, Stammerer
from tests.integration.resumable import MOMENTS

from cinescrub.config import EngineConfig, Policy
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.target import sweep
from cinescrub.dicom.writer import OutputFile
from cinescrub.errors import ConfigError, OutputError
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pipeline.ledger import fingerprint_of
from cinescrub.pipeline.state import State
from cinescrub.report import FileReport, Status
from cinescrub.testing import CineSpec, make_cine
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.recognizer import Recognizer

_SCRIPT = Path(__file__).with_name("resumable.py")
_VERSIONS = {"cinescrub": "0", "craft": "0"}


def _cines(folder: Path, count: int = 3) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"JONES^MARY-{n}.dcm" for n in range(count)]
    for n, path in enumerate(paths):
        make_cine(CineSpec(seed=n, frames=2, rows=96, columns=128), path)
    return paths


def _engine(place: Path, config: EngineConfig | None = None, **versions: str) -> Engine:
    config = config or EngineConfig(ink_rule=False)
    config = replace(config, state=place / "state", resume=True)
    inspector = Inspector(
        [CraftDetector(ShineDetector())], [Recognizer(Stammerer())], Indifferent()
    )
    state = State.open(place / "state", Pseudonyms(KEY).derived("state"))
    return Engine(
        config, inspector, Pseudonyms(KEY), basic_profile(), None, _VERSIONS | versions, state
    )


def _run(place: Path, paths: list[Path], engine: Engine | None = None) -> list[FileReport]:
    """Run inputs as one run does."""
    with engine or _engine(place) as opened:
        targets = Targets.open(place / "out", [], resume=True)
        return [opened.run(path, targets) for path in paths]


def _outputs(place: Path) -> dict[str, bytes]:
    out = place / "out"
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    paths = _cines(tmp_path / "in")
    first = _run(tmp_path, paths)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.dcm")}

    again = _run(tmp_path, paths)

    assert [r.status for r in again] == [Status.OK] * 3
    assert [r.resumed for r in first] == [False] * 3
    assert [r.resumed for r in again] == [True] * 3
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.dcm")} == written
    assert [set(r.seconds) for r in again] == [{"open", "resume"}] * 3
    for was, now in zip(first, again, strict=True):
        own = {name: was.to_dict()[name] for name in ("seconds", "cores", "resumed")}
        assert now.to_dict() | own == was.to_dict()


def test_inputs_that_moved_are_known_by_their_content(tmp_path: Path) -> None:
    paths = _cines(tmp_path / "in")
    _run(tmp_path, paths)
    moved = [path.rename(tmp_path / f"{n}") for n, path in enumerate(paths)]

    again = _run(tmp_path, moved)

    assert [r.resumed for r in again] == [True] * 3
    assert [r.source for r in again] == moved


@pytest.mark.parametrize("change", ["touched", "gone", "shorter"])
def test_an_output_that_is_not_what_was_checked_is_written_again(
    tmp_path: Path, change: str
) -> None:
    paths = _cines(tmp_path / "in", 1)
    (first,) = _run(tmp_path, paths)
    assert first.output is not None
    whole = first.output.read_bytes()
    if change == "gone":
        first.output.unlink()
    else:
        first.output.write_bytes(whole[:-2] + b"xx" if change == "touched" else whole[:-2])

    (again,) = _run(tmp_path, paths)

    assert (again.status, again.resumed) == (Status.OK, False)
    assert first.output.read_bytes() == whole


def test_an_input_that_changed_is_done_again(tmp_path: Path) -> None:
    (path,) = _cines(tmp_path / "in", 1)
    _run(tmp_path, [path])
    make_cine(CineSpec(seed=9, frames=2, rows=96, columns=128), path)

    (again,) = _run(tmp_path, [path])

    assert (again.status, again.resumed) == (Status.OK, False)


@pytest.mark.parametrize(
    ("config", "versions"),
    [
        (EngineConfig(ink_rule=False, policy=Policy.ALL_TEXT), {}),
        (EngineConfig(ink_rule=False), {"craft": "1"}),
        (EngineConfig(ink_rule=False), {"cinescrub": "1"}),
    ],
    ids=["policy", "model", "software"],
)
def test_other_settings_models_or_software_do_it_again(
    tmp_path: Path, config: EngineConfig, versions: dict[str, str]
) -> None:
    paths = _cines(tmp_path / "in", 1)
    _run(tmp_path, paths)

    (again,) = _run(tmp_path, paths, _engine(tmp_path, config, **versions))

    assert (again.status, again.resumed) == (Status.OK, False)


def test_a_copy_is_a_copy_in_a_resumed_run_too(tmp_path: Path) -> None:
    (path,) = _cines(tmp_path / "in", 1)
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(path.read_bytes())
    _run(tmp_path, [path, copy])

    first, second = _run(tmp_path, [path, copy])

    assert (first.status, first.resumed) == (Status.OK, True)
    assert (second.status, second.output) == (Status.SKIPPED, None)


def test_what_got_no_output_is_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    (path,) = _cines(tmp_path / "in", 1)
    broken.write_bytes(path.read_bytes()[:-100])
    (first,) = _run(tmp_path, [broken])

    (again,) = _run(tmp_path, [broken])

    assert first.status is again.status is Status.QUARANTINED
    assert not again.resumed


def test_links_are_recorded_for_outputs_that_are_there_already(tmp_path: Path) -> None:
    (path,) = _cines(tmp_path / "in", 1)
    _run(tmp_path, [path])
    engine = _engine(tmp_path)
    engine.keep_links(None, tmp_path / "maps")

    (again,) = _run(tmp_path, [path], engine)

    assert again.resumed
    assert again.output is not None
    maps = "".join(p.read_text() for p in (tmp_path / "maps").iterdir())
    assert again.output.stem in maps


def test_the_state_holds_no_phi(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    truth = make_cine(CineSpec(seed=3, frames=2, rows=96, columns=128), folder / "ROE^RICHARD.dcm")
    _run(tmp_path, [folder / "ROE^RICHARD.dcm"])

    for path in (tmp_path / "state").iterdir():
        data = path.read_bytes()
        assert not [plant.place for plant in truth.planted if plant.needle in data]
        for item in truth.phi:
            assert item.text.encode() not in data
        assert b"ROE" not in data
        assert str(tmp_path).encode() not in data


def test_resuming_needs_a_state() -> None:
    with pytest.raises(ConfigError, match="state"):
        EngineConfig(resume=True)


def test_places_and_threads_are_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    def fingerprint(**changes: Any) -> str:
        return fingerprint_of(EngineConfig(**changes), "profile", {"craft": "0"})

    same = {"models": tmp_path, "key_file": tmp_path, "state": tmp_path, "threads": 3}
    assert fingerprint(**same) == fingerprint()
    assert fingerprint(policy=Policy.PHI_ONLY) != fingerprint()
    terms = tmp_path / "terms"
    terms.write_text("one\n")
    with_terms = fingerprint(vocabulary=terms)
    terms.write_text("two\n")
    assert fingerprint(vocabulary=terms) not in {with_terms, fingerprint()}


def _command(place: Path, moment: str, count: int, *more: str) -> list[str]:
    (place / "key").touch(0o600)
    (place / "key").write_bytes(KEY)
    return [
        sys.executable, str(_SCRIPT), moment, str(count), "run", str(place / "in"),
        "--out", str(place / "out"), "--key", str(place / "key"), "--json",
        "--state", str(place / "state"), "--resume", *more,
    ]  # fmt: skip


def _started(place: Path, moment: str, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(place, moment, count), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The outputs of a run that nobody killed."""
    place = tmp_path_factory.mktemp("undisturbed")
    _cines(place / "in")
    ended = _started(place, "never", 0)
    assert ended.returncode == 0, ended.stderr
    return _outputs(place)


@pytest.mark.parametrize("moment", [m for m in MOMENTS if m != "never"])
def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, undisturbed: dict[str, bytes], moment: str
) -> None:
    _cines(tmp_path / "in")
    killed = _started(tmp_path, moment, 2)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = {name: data for name, data in _outputs(tmp_path).items() if name.endswith(".dcm")}
    assert all(undisturbed[name] == data for name, data in before.items())

    ended = _started(tmp_path, "never", 0)

    assert ended.returncode == 0, ended.stderr
    assert _outputs(tmp_path) == undisturbed
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["ok"] * 3
    assert [line["resumed"] for line in lines] == [True, len(before) == 2, False]


def test_a_run_killed_at_any_time_goes_on(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    _cines(tmp_path / "in")
    for wait in (0.8, 1.1, 1.4, 1.7):  # seconds: while it loads, and in its inputs
        process = subprocess.Popen(
            _command(tmp_path, "never", 0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(wait)
        process.kill()
        process.wait()
        for name, data in _outputs(tmp_path).items():
            assert not name.endswith(".dcm") or undisturbed[name] == data

    ended = _started(tmp_path, "never", 0)

    assert ended.returncode == 0, ended.stderr
    assert _outputs(tmp_path) == undisturbed


def test_what_another_run_writes_at_the_moment_is_left_alone(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "out" / "a.dcm") as output:
        stale = output.path.with_name(".cinescrub-0123456789abcdef.part")
        stale.write_bytes(b"half")
        other = output.path.with_name(".part")
        other.write_bytes(b"not ours")

        assert sweep(tmp_path / "out") == 1

        assert output.path.exists()
        assert other.exists()
        assert not stale.exists()


def test_what_another_run_gives_its_name_at_the_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[int] = []
    real = os.replace

    def replaced(*names: Path) -> None:
        swept.append(sweep(tmp_path / "out"))
        real(*names)

    monkeypatch.setattr(os, "replace", replaced)
    (path,) = _cines(tmp_path / "in", 1)

    (report,) = _run(tmp_path, [path])

    assert report.status is Status.OK
    assert swept == [0]


def test_looks_that_can_not_be_written_leave_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OutputError("the disk is full")

    (path,) = _cines(tmp_path / "in", 1)
    engine = _engine(tmp_path)
    monkeypatch.setattr(State, "flush", full)
    report = engine.run(path, Targets.open(tmp_path / "out", []))
    monkeypatch.undo()
    engine.close()

    assert (report.status, report.output) == (Status.FAILED, None)
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_an_output_folder_is_opened_once_and_holds_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = Targets.open.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Targets], root: Path, *rest: Any, **more: Any) -> Targets:
        opened.append(root)
        return cast("Targets", real(cls, root, *rest, **more))

    monkeypatch.setattr(Targets, "open", classmethod(counted))
    paths = _cines(tmp_path / "in")
    with _engine(tmp_path, EngineConfig(ink_rule=False, key_file=tmp_path / "k" / "key")) as engine:
        reports = [engine.run(path, tmp_path / "out") for path in paths]
        with pytest.raises(ConfigError, match="the key or the state"):
            engine.run(paths[0], tmp_path / "k")

    assert [report.status for report in reports] == [Status.OK] * 3
    assert opened == [tmp_path / "out", tmp_path / "k"]
