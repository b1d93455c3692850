"""The commands around the main job, with the real models."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cinescrub.bundle import Slot
from cinescrub.testing import make_cine

if TYPE_CHECKING:
    from tests.e2e.conftest import Command
from tests.e2e.conftest import jpeg_cine, left_in, secrets_of


@pytest.fixture
def broken_models(tmp_path: Path, models_dir: Path) -> Path:
    """A bundle whose detector is not what its contract says."""
    bundle = tmp_path / "bundle"
    for slot in Slot:
        (bundle / slot).mkdir(parents=True)
        for file in (models_dir / slot).iterdir():
            (bundle / slot / file.name).symlink_to(file)
    model = bundle / Slot.CRAFT / "model.onnx"
    model.unlink()
    model.write_bytes(b"not the model")
    return bundle


def test_the_version_is_that_of_the_distribution(command: Command) -> None:
    outcome = command("--version")

    version = importlib.metadata.version("cinescrub")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{version}\n", "")


def test_a_reader_that_goes_away_is_no_fault_of_ours() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run(
        [sys.executable, "-m", "cinescrub", "profile", "show"],
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writes)

    assert ended.returncode == 8
    assert ended.stderr.splitlines() == ["cinescrub: standard output can't be written"]


@pytest.mark.models
def test_inspect_tells_what_a_run_would_do_and_holds_no_identifier(
    tmp_path: Path,
    command: Command,
    models_dir: Path,
    brief: Path,
    home: Path,
) -> None:
    truth = make_cine(jpeg_cine(frames=1), tmp_path / "in.dcm")
    before = (tmp_path / "in.dcm").read_bytes()

    outcome = command(
        "inspect", tmp_path / "in.dcm", "--json", "--models", models_dir, "--config", brief
    )

    told = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert told["structure"] == {
        "transfer_syntax": "JPEG Baseline (Process 1)",
        "sop_class": "1.2.840.10008.5.1.4.1.1.6.1",
        "modality": "US",
        "frames": 1,
        "rows": 240,
        "columns": 320,
        "photometric": "YBR_FULL_422",
        "samples": 3,
        "bits_stored": 8,
        "regions": 1,
        "bytes": len(before),
    }
    assert (told["status"], told["reason"], told["inspected"]) == ("ok", None, 1)
    assert sum(told["redactions"].values()) > 0
    assert told["rectangles"]
    assert told["transfer_syntax_out"] == "1.2.840.10008.1.2.4.50"
    assert [secret for secret in secrets_of(truth) if secret in outcome.out] == []
    assert left_in(tmp_path) == ["in.dcm"]
    assert (tmp_path / "in.dcm").read_bytes() == before
    assert left_in(home) == []  # no key; and no device id or events of the runtime's telemetry


@pytest.mark.models
def test_models_lists_the_bundle_and_verifies_it(command: Command, models_dir: Path) -> None:
    outcome = command("models", "--models", models_dir, "--verify", "--json")

    rows = json.loads(outcome.out)["models"]
    assert outcome.code == 0
    assert list(dict.fromkeys(row["slot"] for row in rows)) == [slot.value for slot in Slot]
    assert {row["state"] for row in rows} == {"verified"}
    assert all({"name", "precision", "opset", "bytes", "sha256", "licence"} <= set(r) for r in rows)


@pytest.mark.models
def test_a_model_that_differs_is_told_with_the_command_that_helps(
    command: Command, broken_models: Path
) -> None:
    outcome = command("models", "--models", broken_models, "--verify", "--json")

    states = {row["slot"]: row["state"] for row in json.loads(outcome.out)["models"]}
    assert outcome.code == 3
    assert "cinescrub export craft" in states["craft"]
    assert {state for slot, state in states.items() if slot != "craft"} == {"verified"}
    assert "cinescrub export craft" in outcome.err


@pytest.mark.models
def test_a_run_with_a_model_that_differs_does_not_start(
    tmp_path: Path, command: Command, broken_models: Path, key: Path
) -> None:
    make_cine(jpeg_cine(frames=1), tmp_path / "in.dcm")

    outcome = command(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", broken_models,
        "--key", key,
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (3, "")
    assert "cinescrub export craft" in outcome.err
    assert not (tmp_path / "out").exists()
    # It is there to be looked at, and was not made anew.
    assert (broken_models / "craft" / "model.onnx").read_bytes() == b"not the model"


@pytest.mark.models
def test_doctor_checks_everything_down_to_a_run(command: Command, models_dir: Path) -> None:
    outcome = command("doctor", "--models", models_dir, "--json")

    told = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert told["ok"] is True
    assert [check["check"] for check in told["checks"]] == [
        "versions",
        "runtime",
        "precision",
        "codecs",
        "JPEG core",
        *(f"model {slot}" for slot in Slot),
        "self-test",
    ]
    assert all(check["ok"] and check["says"] for check in told["checks"])
    assert "planted identifiers gone" in told["checks"][-1]["says"]


@pytest.mark.models
def test_doctor_names_the_model_that_is_broken(command: Command, broken_models: Path) -> None:
    outcome = command("doctor", "--models", broken_models)

    failed = [line for line in outcome.out.splitlines() if not line.startswith("ok")]
    assert outcome.code == 3
    assert len(failed) == 1
    assert failed[0].startswith("FAIL model craft")
    assert "cinescrub export craft" in failed[0]
    assert "self-test" not in outcome.out


@pytest.mark.models
def test_bench_measures_a_made_cine_in_a_process_of_its_own(
    command: Command, models_dir: Path, brief: Path, home: Path
) -> None:
    outcome = command(
        "bench", "floor", "--json", "--models", models_dir, "--config", brief, "--frames", 2,
        "--size", "160x128", "--dynamic", "frozen", "--repeat", 1,
    )  # fmt: skip

    rows = {row["subject"]: row for row in json.loads(outcome.out)["rows"]}
    figures = {name: figure["median"] for name, figure in rows["cinescrub"]["figures"].items()}
    assert outcome.code == 0
    assert all(row["error"] is None for row in rows.values())
    assert rows["cinescrub"]["facts"]["status"] == "ok"
    # Equal frames are looked at once, however exactly an engine counts.
    assert 0 < rows["cinescrub"]["facts"]["inspected_share"] <= 1
    assert figures["frames_per_s"] == pytest.approx(2 / figures["wall_s"], rel=0.05)
    assert figures["first_output_s"] > figures["load_s"] + figures["wall_s"]
    assert {name for name in figures if name.startswith("stage_")} == {
        f"stage_{name}_s"
        for name in (
            "open", "decode", "survey", "inspect", "scrub", "apply", "audit", "verify", "commit",
        )
    }  # fmt: skip
    # The models are in the engine's process alone.
    assert rows["floor"]["figures"]["peak_mib"]["median"] < figures["loaded_mib"]
    assert left_in(home) == []  # measuring makes no key of the site's


@pytest.mark.models
def test_bench_runs_every_model_alone(command: Command, models_dir: Path) -> None:
    outcome = command(
        "bench", "models", "--json", "--models", models_dir, "--batch", 2, "--size", "160x128",
        "--runs", 1, "--repeat", 1,
    )  # fmt: skip

    rows = json.loads(outcome.out)["rows"]
    assert outcome.code == 0
    assert {row["subject"] for row in rows} == set(Slot)
    assert all(row["error"] is None for row in rows)
    assert all(row["facts"]["input"].startswith("2x") for row in rows)


@pytest.mark.models
def test_bench_accuracy_measures_a_tiny_suite(
    command: Command, models_dir: Path, brief: Path, tmp_path: Path, home: Path
) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "plot.png"

    outcome = command(
        "bench", "accuracy", "--group", "clean", "--frames", 2, "--rows", 240, "--columns", 320,
        "--no-causes", "--json", figures, "--plot", plot, "--work", tmp_path,
        "--", "--models", models_dir, "--config", brief,
    )  # fmt: skip

    (told,) = json.loads(figures.read_text())["subjects"]
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.out.splitlines()[1:]] == ["clean", "cinescrub"]
    assert "making 1/1" in outcome.err
    assert (told["name"], told["exit_code"]) == ("cinescrub", 0)
    assert (told["total"]["cines"], told["total"]["missing"]) == (1, 0)
    assert told["total"]["header_leaks"] == 0
    # The models find most of it on any machine; a benchmark that scored nothing would say 0.
    assert told["total"]["item_recall"] > 0.5
    assert told["total"]["changed"]["identifying"] > 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert left_in(tmp_path) == ["figures.json", "plot.png"]
    assert left_in(home) == []
