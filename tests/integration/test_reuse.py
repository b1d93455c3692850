"""With the real models: what is remembered changes no output, and saves the networks' work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.conftest import KEY

from cinescrub.config import EngineConfig
from cinescrub.pipeline.batch import run_all
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pipeline.job import Nobody
from cinescrub.report import FileReport
from cinescrub.stream import CancelToken
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def config(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> EngineConfig:
    """Settings with a key of the tests' own and a state."""
    place = tmp_path_factory.mktemp("reuse")
    key = place / "key"
    key.touch(0o600)
    key.write_bytes(KEY)
    return EngineConfig(models=models_dir, key_file=key, state=place / "state")


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two cines and a still of one patient."""
    folder = tmp_path_factory.mktemp("exam")
    specs = [
        CineSpec(
            seed=1,
            take=take,
            frames=frames,
            rows=128,
            columns=160,
            syntax=Syntax.JPEG_BASELINE,
            photometric=Photometric.YBR_FULL_422,
        )
        for take, frames in ((0, 10), (1, 10), (2, 1))
    ]
    paths = [folder / f"{n}.dcm" for n in range(len(specs))]
    for spec, path in zip(specs, paths, strict=True):
        make_cine(spec, path)
    return paths


def _run(engine: Engine, exam: list[Path], out: Path) -> list[FileReport]:
    with engine:
        targets = Targets.open(out, [])
        return [engine.run(path, targets) for path in exam]


@pytest.fixture(scope="module")
def forgetful(
    config: EngineConfig, exam: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[FileReport]:
    """Reports of an engine that asks its models each time."""
    engine = Engine.open(replace(config, reuse=False, state=None))
    assert engine.memory is None
    return _run(engine, exam, tmp_path_factory.mktemp("forgetful"))


def test_outputs_are_those_of_an_engine_that_forgets(
    config: EngineConfig, exam: list[Path], forgetful: list[FileReport], tmp_path: Path
) -> None:
    engine = Engine.open(config)
    memory = engine.memory
    assert memory is not None

    first = _run(engine, exam, tmp_path / "first")
    asked = memory.tallies["boxes"].asked - memory.tallies["boxes"].remembered

    assert asked > 0
    assert memory.tallies["readings"].remembered > 0
    later = Engine.open(replace(config, profile="research-echo"))
    assert later.memory is not None
    again = _run(later, exam, tmp_path / "again")
    boxes = later.memory.tallies["boxes"]
    assert boxes.remembered == boxes.asked > 0
    for was, now, then in zip(forgetful, first, again, strict=True):
        assert was.status == now.status == then.status == "ok"
        assert was.sha256_out == now.sha256_out
        assert was.rectangles == now.rectangles == then.rectangles
        assert was.redactions == now.redactions == then.redactions
        assert (was.kept, was.dismissed) == (now.kept, now.dismissed) == (then.kept, then.dismissed)


def test_jobs_and_threads_change_no_output(
    config: EngineConfig, exam: list[Path], forgetful: list[FileReport], tmp_path: Path
) -> None:
    changed = replace(config, state=None, jobs=8, batch_frames=16)
    with Engine.open(changed) as engine:
        reports = list(
            run_all(
                engine,
                exam,
                Targets.open(tmp_path / "out", []),
                token=CancelToken(),
                observer=Nobody(),
                jobs=8,
            )
        )

    assert [r.sha256_out for r in reports] == [r.sha256_out for r in forgetful]
