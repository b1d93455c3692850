"""`models`, and who makes the bundle: what is missing once, and nothing that is there."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cinescrub.bundle import (
    MODEL_FILE,
    Contract,
    Gate,
    Origin,
    Precision,
    Slot,
    TensorSpec,
    folder_of,
    load_contract,
    save_contract,
    sha256_of,
)
from cinescrub.cli import models as models_module
from cinescrub.cli.models import ensure_models
from cinescrub.errors import ModelError

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command
from tests.unit.cli.conftest import left_in, made


def _put(folder: Path, slot: Slot, model: bytes) -> None:
    """Write a model that keeps its contract."""
    (folder / slot).mkdir(parents=True)
    (folder / slot / MODEL_FILE).write_bytes(model)
    contract = Contract(
        slot=slot,
        name=f"a-{slot}",
        precision="fp32",
        opset=17,
        inputs=(TensorSpec("x", "uint8", ("N",)),),
        outputs=(TensorSpec("y", "float32", ("N",)),),
        files={MODEL_FILE: sha256_of(folder / slot / MODEL_FILE)},
        origin=Origin("package==1", "file", "0", "MIT"),
    )
    save_contract(folder / slot, contract)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for slot in Slot:
        _put(tmp_path / "bundle", slot, slot.encode())
    return tmp_path / "bundle"


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Slot, ...]]:
    """Export with a fake, and remember which slots it was asked for."""
    asked: list[tuple[Slot, ...]] = []

    def export(slots: Sequence[Slot], out: Path, **_: Any) -> list[Contract]:
        asked.append(tuple(slots))
        for slot in slots:
            _put(out, slot, b"made anew")
        return []

    monkeypatch.setattr(models_module, "_exporter", lambda: export)
    return asked


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine as it is without the `export` extra."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *given: None if name == "onnx" else find(name, *given),
    )


# --- the list --------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "state"), [([], "present"), (["--verify"], "verified")])
def test_a_whole_bundle_is_listed(
    cinescrub: Command, bundle: Path, flags: list[str], state: str
) -> None:
    outcome = cinescrub("models", "--models", bundle, *flags)

    assert (outcome.code, outcome.err) == (0, "")
    head, *rows = outcome.out.splitlines()
    assert head == str(bundle)
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [(s.value, state) for s in Slot]


def test_a_hash_that_differs_ends_verify_with_3_and_the_command_that_helps(
    cinescrub: Command, bundle: Path
) -> None:
    (bundle / Slot.RECOGNIZER / MODEL_FILE).write_bytes(b"another")

    listed = cinescrub("models", "--models", bundle, "--json")
    verified = cinescrub("models", "--models", bundle, "--json", "--verify")

    assert listed.code == 0
    assert verified.code == 3
    states = {row["slot"]: row["state"] for row in json.loads(verified.out)["models"]}
    assert states["craft"] == states["deidentifier"] == "verified"
    assert "cinescrub export recognizer" in states["recognizer"]
    assert "cinescrub export recognizer" in verified.err


@pytest.mark.parametrize("name", ["contract.json", MODEL_FILE])
@pytest.mark.parametrize(("flags", "code"), [([], 0), (["--verify"], 3)], ids=["list", "verify"])
def test_a_file_that_is_missing_is_told_in_its_row(
    cinescrub: Command, bundle: Path, name: str, flags: list[str], code: int
) -> None:
    (bundle / Slot.CRAFT / name).unlink()

    outcome = cinescrub("models", "--models", bundle, *flags)

    rows = outcome.out.splitlines()[1:]
    assert outcome.code == code
    assert "run `cinescrub export" in rows[0]
    assert len(rows) == len(Slot)


def test_no_bundle_at_all_names_the_command(cinescrub: Command, tmp_path: Path) -> None:
    outcome = cinescrub("models", "--models", tmp_path / "none", "--verify")

    assert outcome.code == 3
    assert outcome.out.count("cinescrub export all") == len(Slot)


def test_a_variant_is_listed_behind_its_base_with_its_gate(
    cinescrub: Command, bundle: Path
) -> None:
    folder = folder_of(bundle, Slot.CRAFT, Precision.INT8)
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(b"small")
    gate = Gate(base="0" * 64, frames=2, items=7, lost=0, gained=1)
    base = load_contract(bundle, Slot.CRAFT)
    files = {MODEL_FILE: sha256_of(folder / MODEL_FILE)}
    save_contract(folder, replace(base, precision="int8", files=files, gate=gate))

    rows = cinescrub("models", "--models", bundle, "--verify").out.splitlines()[1:]
    told = json.loads(cinescrub("models", "--models", bundle, "--json").out)["models"]

    assert [row.split()[0] for row in rows][:3] == ["craft", "craft-int8", "recognizer"]
    assert (told[1]["slot"], told[1]["precision"]) == ("craft", "int8")
    assert told[1]["gate"]["items"] == 7


# --- export ----------------------------------------------------------------------------------


def test_an_unknown_model_cant_be_exported(
    cinescrub: Command, tmp_path: Path, exports: list[tuple[Slot, ...]]
) -> None:
    outcome = cinescrub("export", "tesseract", "--out", tmp_path / "bundle")

    assert (outcome.code, exports) == (2, [])
    assert f"{', '.join(Slot)} or all" in outcome.err


@pytest.mark.parametrize(
    ("what", "slots"), [("all", tuple(Slot)), ("craft", (Slot.CRAFT,))], ids=["all", "one"]
)
def test_export_makes_what_it_is_asked_for(
    cinescrub: Command,
    tmp_path: Path,
    exports: list[tuple[Slot, ...]],
    what: str,
    slots: tuple[Slot, ...],
) -> None:
    outcome = cinescrub("export", what, "--out", tmp_path / "bundle")

    assert (outcome.code, exports) == (0, [slots])


@pytest.mark.usefixtures("without_onnx")
def test_export_without_its_extra_names_what_to_install(cinescrub: Command, tmp_path: Path) -> None:
    outcome = cinescrub("export", "all", "--out", tmp_path / "bundle")

    assert outcome.code == 2
    assert "pip install cinescrub[export]" in outcome.err
    assert left_in(tmp_path) == []


# --- what a run does about models ------------------------------------------------------------


@pytest.mark.usefixtures("without_onnx")
def test_a_run_without_models_or_the_export_extra_names_the_commands(
    cinescrub: Command, tmp_path: Path
) -> None:
    made(tmp_path / "in.dcm")

    outcome = cinescrub(
        "run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", tmp_path / "bundle"
    )

    assert (outcome.code, outcome.out) == (3, "")
    assert "cinescrub export all" in outcome.err
    assert "pip install cinescrub[export]" in outcome.err
    assert left_in(tmp_path) == ["in.dcm"]


def test_a_bundle_that_is_missing_is_made_once(
    tmp_path: Path, exports: list[tuple[Slot, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_models(tmp_path / "bundle")
    ensure_models(tmp_path / "bundle")

    told = capsys.readouterr()
    assert exports == [tuple(Slot)]
    assert told.out == ""
    assert told.err.count(f"exporting {', '.join(Slot)} (once)") == 1


def test_only_the_slots_that_are_missing_are_made(
    tmp_path: Path, exports: list[tuple[Slot, ...]]
) -> None:
    _put(tmp_path / "bundle", Slot.RECOGNIZER, b"my own")

    ensure_models(tmp_path / "bundle")

    assert exports == [tuple(slot for slot in Slot if slot is not Slot.RECOGNIZER)]
    assert (tmp_path / "bundle" / Slot.RECOGNIZER / MODEL_FILE).read_bytes() == b"my own"


@pytest.mark.usefixtures("without_onnx")
def test_a_whole_bundle_needs_no_export_extra(bundle: Path) -> None:
    ensure_models(bundle)

    assert len(left_in(bundle)) == 2 * len(Slot)


@pytest.mark.usefixtures("without_onnx")
def test_half_a_bundle_without_the_export_extra_is_an_error(bundle: Path) -> None:
    (bundle / Slot.CRAFT / "contract.json").unlink()

    with pytest.raises(ModelError, match="cinescrub export all"):
        ensure_models(bundle)


def test_a_model_that_differs_is_never_replaced(
    cinescrub: Command, tmp_path: Path, bundle: Path, exports: list[tuple[Slot, ...]]
) -> None:
    made(tmp_path / "in.dcm")
    (bundle / Slot.CRAFT / MODEL_FILE).write_bytes(b"another")

    outcome = cinescrub("run", tmp_path / "in.dcm", "--out", tmp_path / "out", "--models", bundle)

    assert (outcome.code, exports) == (3, [])
    assert "cinescrub export craft" in outcome.err
    assert (bundle / Slot.CRAFT / MODEL_FILE).read_bytes() == b"another"
    assert not (tmp_path / "out").exists()
