"""Several inputs at once give what one after the other gives: outputs, reports, order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from tests.integration.conftest import make_engine

from cinescrub.bundle import Contract
from cinescrub.config import EngineConfig
from cinescrub.errors import CancelledError
from cinescrub.pipeline.assembly import session_threads
from cinescrub.pipeline.batch import run_all
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pipeline.job import Nobody
from cinescrub.report import FileReport, Status
from cinescrub.runtime.session import Model
from cinescrub.runtime.sharing import SharedModel
from cinescrub.stream import CancelToken, Turns
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

_CONFIG = EngineConfig(ink_rule=False)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Cines, a copy, two instances with one UID, and files that get no output between them."""
    folder = tmp_path_factory.mktemp("in")
    paths = [folder / f"{n:02}.dcm" for n in range(10)]
    for n in (0, 3, 4, 5, 6):
        syntax = Syntax.JPEG_BASELINE if n % 2 else Syntax.EXPLICIT_LITTLE
        photometric = Photometric.YBR_FULL_422 if n % 2 else Photometric.RGB
        make_cine(
            CineSpec(
                seed=n, frames=1 + n, rows=96, columns=128, syntax=syntax, photometric=photometric
            ),
            paths[n],
        )
    paths[1].write_text("no DICOM\n" * 40)
    paths[2].write_bytes(paths[0].read_bytes()[:-999])
    paths[7].write_bytes(paths[3].read_bytes())
    for n in (8, 9):  # one UID, other pixels
        make_cine(CineSpec(seed=n, frames=2, rows=96, columns=128), paths[n])
        twin = pydicom.dcmread(paths[n])
        twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = pydicom.dcmread(
            paths[4]
        ).SOPInstanceUID
        first = pydicom.dcmread(paths[4])
        twin.StudyInstanceUID, twin.SeriesInstanceUID = (
            first.StudyInstanceUID,
            first.SeriesInstanceUID,
        )
        twin.save_as(paths[n])
    return paths


def _run(
    paths: list[Path], out: Path, jobs: int, engine: Engine | None = None, **options: Any
) -> list[FileReport]:
    return list(
        run_all(
            engine or make_engine(replace(_CONFIG, jobs=jobs)),
            paths,
            Targets.open(out, []),
            token=options.pop("token", CancelToken()),
            observer=Nobody(),
            jobs=jobs,
            **options,
        )
    )


def _told(reports: list[FileReport], out: Path) -> list[dict[str, Any]]:
    """Return all of the reports but where and how fast."""
    lines = [report.to_dict() for report in reports]
    for line in lines:
        del line["seconds"], line["cores"]
        line["output"] = line["output"] and line["output"].removeprefix(str(out))
    return lines


def _files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def one_by_one(
    inputs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Reports and files of one job."""
    out = tmp_path_factory.mktemp("one")
    return _told(_run(inputs, out, 1), out), _files(out)


@pytest.mark.parametrize("jobs", [2, 3, 8])
def test_outputs_and_reports_are_the_same_for_any_number_of_jobs(
    inputs: list[Path],
    one_by_one: tuple[list[dict[str, Any]], dict[str, bytes]],
    tmp_path: Path,
    jobs: int,
) -> None:
    reports = _run(inputs, tmp_path, jobs)

    assert _told(reports, tmp_path) == one_by_one[0]
    assert _files(tmp_path) == one_by_one[1]
    statuses = [report.status for report in reports]
    assert statuses.count(Status.OK) == 7
    assert statuses.count(Status.SKIPPED) == 2
    assert statuses.count(Status.QUARANTINED) == 1


class _Counting:
    """A model whose runs take a while, and are counted by their rows."""

    def __init__(self, model: Model, rows: list[int]) -> None:
        self._model, self._rows = model, rows

    @property
    def contract(self) -> Contract:
        return self._model.contract

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        self._rows.append(len(inputs["x"]))
        time.sleep(0.005)
        return self._model.run(inputs)


def test_outputs_are_the_same_where_the_runs_of_several_cines_are_joined(
    inputs: list[Path],
    one_by_one: tuple[list[dict[str, Any]], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    alone: list[int] = []
    joined: list[int] = []
    _run(inputs, tmp_path / "a", 1, make_engine(_CONFIG, share=lambda m: _Counting(m, alone)))
    engine = make_engine(
        replace(_CONFIG, jobs=8),
        share=lambda m: SharedModel(_Counting(m, joined), runs=1, rows=16),
    )

    reports = _run(inputs, tmp_path / "b", 8, engine)

    assert _told(reports, tmp_path / "b") == one_by_one[0]
    assert _files(tmp_path / "b") == one_by_one[1]
    assert sum(joined) == sum(alone)
    assert len(joined) < len(alone)


@pytest.mark.parametrize("batch", [1, 16])
def test_outputs_are_the_same_for_any_batch(
    inputs: list[Path],
    one_by_one: tuple[list[dict[str, Any]], dict[str, bytes]],
    tmp_path: Path,
    batch: int,
) -> None:
    engine = make_engine(replace(_CONFIG, batch_frames=batch))

    reports = _run(inputs, tmp_path, 1, engine)

    assert _told(reports, tmp_path) == one_by_one[0]
    assert _files(tmp_path) == one_by_one[1]


def test_the_second_of_two_with_one_uid_is_the_second_however_slow_the_first_is(
    inputs: list[Path],
    one_by_one: tuple[list[dict[str, Any]], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Engine._deidentify

    def slow_first(self: Engine, job: Any, targets: Targets) -> None:
        if job.path == inputs[4]:
            time.sleep(0.5)
        run(self, job, targets)

    monkeypatch.setattr(Engine, "_deidentify", slow_first)

    assert _told(_run(inputs, tmp_path, 4), tmp_path) == one_by_one[0]


def test_a_place_that_is_given_back_goes_to_the_next_in_order(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Engine._write_until_clean

    def fails(self: Engine, job: Any, *given: Any) -> None:
        if job.path == inputs[4]:
            time.sleep(0.3)
            raise OSError("broken")
        write(self, job, *given)

    monkeypatch.setattr(Engine, "_write_until_clean", fails)
    twins = [inputs[4], inputs[8], inputs[9]]

    alone = _told(_run(twins, tmp_path / "a", 1), tmp_path / "a")
    together = _told(_run(twins, tmp_path / "b", 3), tmp_path / "b")

    assert together == alone
    assert [line["status"] for line in alone] == ["quarantined", "ok", "ok"]
    assert alone[1]["reason"] is None


def test_the_first_failure_ends_a_run_that_asks_for_it(inputs: list[Path], tmp_path: Path) -> None:
    reports = _run(inputs, tmp_path, 3, fail_fast=True)

    told = [report.source for report in reports]
    assert told[:3] == inputs[:3]
    assert len(reports) < len(inputs)
    outputs = {report.output for report in reports if report.output is not None}
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == outputs


def test_a_stopped_run_leaves_what_it_reported_and_nothing_else(
    inputs: list[Path], tmp_path: Path
) -> None:
    token = CancelToken()
    reports = run_all(
        make_engine(),
        inputs,
        Targets.open(tmp_path, []),
        token=token,
        observer=Nobody(),
        jobs=3,
    )
    told = [next(reports)]
    token.cancel(CancelledError("stopped"))

    def rest() -> None:
        told.extend(reports)

    with pytest.raises(CancelledError, match="stopped"):
        rest()

    assert len(told) < len(inputs)
    outputs = {report.output for report in told if report.output is not None}
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == outputs


def test_a_consumer_that_leaves_stops_what_is_in_work(inputs: list[Path], tmp_path: Path) -> None:
    reports = run_all(
        make_engine(), inputs, Targets.open(tmp_path, []), token=CancelToken(), observer=Nobody(),
        jobs=4,
    )  # fmt: skip
    next(reports)
    reports.close()  # type: ignore[attr-defined]  # it is a generator

    assert [t for t in threading.enumerate() if t.name.startswith("cinescrub")] == []
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("cores", "jobs", "threads"), [(2, 1, 0), (2, 2, 1), (64, 8, 57), (2, 8, 1)]
)
def test_jobs_and_pools_together_are_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, jobs: int, threads: int
) -> None:
    monkeypatch.setattr("cinescrub.pipeline.assembly.usable_cores", lambda at_most: cores)

    assert session_threads(jobs) == threads


def _in_order(passed: list[int], turns: Turns, number: int, wait: float) -> Callable[[], None]:
    def work() -> None:
        time.sleep(wait)
        if number != 2:  # which never comes to the point
            turns.wait(number)
            passed.append(number)
        turns.leave(number)

    return work


def test_turns_are_taken_in_order_and_one_that_leaves_holds_up_nobody() -> None:
    passed: list[int] = []
    turns = Turns()
    waits = [0.2, 0.0, 0.1, 0.0]
    threads = [
        threading.Thread(target=_in_order(passed, turns, n, wait)) for n, wait in enumerate(waits)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert passed == [0, 1, 3]
