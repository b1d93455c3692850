"""`run --ray local` as a user starts it: what it writes is what `run` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cinescrub.testing import CineSpec, make_cine

if TYPE_CHECKING:
    from tests.e2e.conftest import Command
from tests.e2e.conftest import left_in

pytest.importorskip("ray", reason="needs cinescrub[ray]")


@pytest.mark.models
def test_a_cluster_of_its_own_writes_what_one_process_writes(
    command: Command, models_dir: Path, key: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(2):
        spec = CineSpec(seed=seed, frames=2, rows=96, columns=128)
        make_cine(spec, tmp_path / "in" / f"{seed}.dcm")
    settings = ("--models", models_dir, "--key", key)

    alone = command("run", tmp_path / "in", "--out", tmp_path / "alone", *settings)
    together = command(
        "run", tmp_path / "in", "--out", tmp_path / "out", *settings,
        "--ray", "local", "--actors", "2", "--report", tmp_path / "report.jsonl",
    )  # fmt: skip

    assert (alone.code, together.code) == (0, 0), together.err
    assert together.out == ""
    assert together.err == "2 ok; 4 frames de-identified\n"
    names = left_in(tmp_path / "out")
    assert names == left_in(tmp_path / "alone")
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [Path(line["source"]).name for line in lines] == ["0.dcm", "1.dcm"]
    assert all(line["versions"]["cinescrub"] for line in lines)
