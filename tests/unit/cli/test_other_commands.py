"""`doctor`, `bench` and `demo` in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from cinescrub.bundle import Slot
from cinescrub.cli import demo, doctor
from cinescrub.errors import ModelError
from cinescrub.runtime import precision
from cinescrub.testing.truth import Planted

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in

# --- doctor ----------------------------------------------------------------------------------


@pytest.fixture
def loadable(fake_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models that doctor takes for loaded."""
    monkeypatch.setattr(doctor, "_model", lambda _config, slot: f"{slot} runs on cpu")
    return fake_models


def test_doctor_ends_with_the_code_of_what_failed_and_runs_no_self_test(
    cinescrub: Command, tmp_path: Path
) -> None:
    outcome = cinescrub("doctor", "--models", tmp_path / "none", "--json")

    told = json.loads(outcome.out)
    failed = [check["check"] for check in told["checks"] if not check["ok"]]
    assert (outcome.code, told["ok"]) == (3, False)
    assert failed == [f"model {slot}" for slot in Slot]
    assert "self-test" not in [check["check"] for check in told["checks"]]


def test_doctor_finds_an_identifier_that_stays(
    cinescrub: Command, loadable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak = Planted("(0010,0010)", b"ROE^RICHARD")
    monkeypatch.setattr(doctor, "find_leaks", lambda _path, _planted: (leak,))

    outcome = cinescrub("doctor", "--models", loadable)

    assert outcome.code == 6
    assert "FAIL self-test" in outcome.out
    assert "1 planted identifiers are still in the output" in outcome.out
    assert "ROE" not in outcome.out + outcome.err


def test_doctor_runs_a_made_cine_and_leaves_nothing(
    cinescrub: Command, tmp_path: Path, loadable: Path, home: Path
) -> None:
    before = left_in(tmp_path)

    outcome = cinescrub("doctor", "--models", loadable)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1].startswith("ok   self-test")
    assert left_in(tmp_path) == before
    assert left_in(home) == []


@pytest.mark.parametrize(
    ("instructions", "says"),
    [
        ("avx_vnni", "int8 suits cpu (avx_vnni); craft lacks it: run `cinescrub export craft"),
        (None, "fp32 suits cpu"),
    ],
)
def test_doctor_tells_what_suits_the_machine_and_what_the_bundle_lacks(
    cinescrub: Command,
    fake_models: Path,
    monkeypatch: pytest.MonkeyPatch,
    instructions: str | None,
    says: str,
) -> None:
    for module in (doctor, precision):
        monkeypatch.setattr(module, "exact_int8", lambda: instructions)

    outcome = cinescrub("doctor", "--models", fake_models, "--provider", "cpu", "--json")

    told = {check["check"]: check for check in json.loads(outcome.out)["checks"]}
    assert told["precision"]["ok"]
    assert told["precision"]["says"].startswith(says)


def test_doctor_refuses_a_precision_that_the_bundle_lacks(
    cinescrub: Command, fake_models: Path
) -> None:
    outcome = cinescrub("doctor", "--models", fake_models, "--precision", "int8")

    assert outcome.code == 3
    assert "cinescrub export all --precision int8" in outcome.out


# --- bench accuracy ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--group", "nosuch"], "choose of clean"),
        (["--peer", "nosuch"], "choose of easyocr"),
        (["--group", "face-*", "--face", "nosuch.ttf"], "font could not be loaded"),
        (["--", "--no-such-option"], "ended with 2"),
    ],
    ids=["group", "peer", "font", "option of run"],
)
def test_bench_accuracy_that_cannot_run_is_an_error_of_usage_and_leaves_nothing(
    cinescrub: Command, tmp_path: Path, options: list[str], says: str
) -> None:
    before = left_in(tmp_path)

    outcome = cinescrub(
        "bench", "accuracy", "--group", "blur", "--frames", 1, "--rows", 96, "--columns", 96,
        "--work", tmp_path, *options,
    )  # fmt: skip

    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert left_in(tmp_path) == before


# --- demo ------------------------------------------------------------------------------------


def test_demo_draws_both_cines_before_and_after(
    cinescrub: Command, tmp_path: Path, fake_models: Path, home: Path
) -> None:
    out = tmp_path / "demo"

    outcome = cinescrub("demo", "--out", out, "--models", fake_models)

    assert outcome.code == 0
    for name in ("real", "made"):
        assert f"{name}: " in outcome.out
        picture = cv2.imread(str(out / f"{name}-before-after.png"))
        assert picture is not None
        before, after = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
        assert before.shape == after.shape
        assert (before != after).any()
    assert len([name for name in left_in(out) if name.endswith(".dcm")]) == 2 + 2
    assert left_in(home) == []


def test_demo_into_a_folder_that_is_in_use_is_refused(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("all I have")

    outcome = cinescrub("demo", "--out", tmp_path / "demo", "--models", fake_models)

    assert (outcome.code, outcome.out) == (2, "")
    assert "is not empty" in outcome.err
    assert left_in(tmp_path / "demo") == ["thesis.txt"]


def test_demo_can_be_repeated_after_its_models_could_not_be_made(
    cinescrub: Command, tmp_path: Path, fake_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Path) -> None:
        raise ModelError("no models here")

    with monkeypatch.context() as patch:
        patch.setattr(demo, "ensure_models", missing)
        first = cinescrub("demo", "--out", tmp_path / "demo", "--models", fake_models)

    second = cinescrub("demo", "--out", tmp_path / "demo", "--models", fake_models)

    assert (first.code, second.code) == (3, 0)


def test_demo_where_no_folder_can_be_is_refused(
    cinescrub: Command, tmp_path: Path, fake_models: Path
) -> None:
    (tmp_path / "file").touch()

    outcome = cinescrub("demo", "--out", tmp_path / "file" / "demo", "--models", fake_models)

    assert (outcome.code, outcome.out) == (8, "")
    assert "choose another with --out" in outcome.err
