from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cinescrub import bundle
from cinescrub.bundle import Contract, Gate, Origin, Precision, Slot, TensorSpec
from cinescrub.errors import ModelError
from cinescrub.types import PhiKind


def _contract(folder: Path) -> Contract:
    model = folder / bundle.MODEL_FILE
    return Contract(
        slot=Slot.DEIDENTIFIER,
        name="tiny",
        precision="fp32",
        opset=17,
        inputs=(TensorSpec("input_ids", "int64", ("B", "T")),),
        outputs=(TensorSpec("logits", "float32", ("B", "T", 2)),),
        files={bundle.MODEL_FILE: bundle.sha256_of(model)},
        origin=Origin("folder", "model.bin", "0" * 64, "MIT"),
        labels=("O", "PATIENT"),
        phi={"O": PhiKind.NONE, "PATIENT": PhiKind.PERSON},
    )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / Slot.DEIDENTIFIER
    folder.mkdir()
    (folder / bundle.MODEL_FILE).write_bytes(b"a model")
    bundle.save_contract(folder, _contract(folder))
    return tmp_path


def test_a_contract_survives_the_disk(models: Path) -> None:
    loaded = bundle.verify(models, Slot.DEIDENTIFIER)

    assert loaded == _contract(models / Slot.DEIDENTIFIER)


def test_a_model_that_changed_after_its_export_is_refused(models: Path) -> None:
    (models / Slot.DEIDENTIFIER / bundle.MODEL_FILE).write_bytes(b"another model")

    with pytest.raises(ModelError, match="differs from its contract"):
        bundle.verify(models, Slot.DEIDENTIFIER)


def test_a_missing_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cinescrub export all"):
        bundle.load_contract(tmp_path, Slot.CRAFT)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"surprise": 1}, id="unknown key"),
        pytest.param({"schema": 99}, id="another schema"),
        pytest.param({"slot": "craft"}, id="another slot"),
        pytest.param({"phi": {"O": "none"}}, id="label without a kind"),
        pytest.param({"phi": {"O": "none", "PATIENT": "alien"}}, id="unknown kind"),
        pytest.param({"files": {"../model.onnx": "0"}}, id="file outside of the folder"),
        pytest.param({"files": {}}, id="no model file"),
        pytest.param({"inputs": [{"name": "x"}]}, id="half a tensor"),
    ],
)
def test_a_contract_that_is_not_understood_is_refused(
    models: Path, change: dict[str, object]
) -> None:
    path = models / Slot.DEIDENTIFIER / bundle.CONTRACT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(ModelError):
        bundle.load_contract(models, Slot.DEIDENTIFIER)


def test_labels_need_a_kind_each(models: Path) -> None:
    contract = _contract(models / Slot.DEIDENTIFIER)

    with pytest.raises(ModelError, match="HCW"):
        replace(contract, labels=("O", "PATIENT", "HCW"))


def test_a_variant_lies_beside_its_base_and_is_checked_alike(models: Path) -> None:
    folder = bundle.folder_of(models, Slot.DEIDENTIFIER, Precision.INT8)
    folder.mkdir()
    (folder / bundle.MODEL_FILE).write_bytes(b"a smaller model")
    gate = Gate(base="0" * 64, frames=1, items=2, lost=0, gained=0)
    made = replace(_contract(folder), precision="int8", gate=gate)
    bundle.save_contract(folder, made)

    assert folder.name == made.folder == "deidentifier-int8"
    assert bundle.verify(models, Slot.DEIDENTIFIER, Precision.INT8) == made
    assert (Slot.DEIDENTIFIER, Precision.INT8) in bundle.listed(models)
    assert bundle.verify(models, Slot.DEIDENTIFIER).precision == "fp32"


def test_a_base_in_a_variant_s_folder_is_refused(models: Path) -> None:
    base = models / Slot.DEIDENTIFIER
    base.rename(bundle.folder_of(models, Slot.DEIDENTIFIER, Precision.INT8))

    with pytest.raises(ModelError, match="contract for fp32, not int8"):
        bundle.load_contract(models, Slot.DEIDENTIFIER, Precision.INT8)
    with pytest.raises(ModelError, match="no deidentifier model"):
        bundle.load_contract(models, Slot.DEIDENTIFIER)


@pytest.mark.parametrize(("items", "lost", "passed"), [(3, 0, True), (3, 1, False), (0, 0, False)])
def test_a_gate_is_passed_if_nothing_of_something_was_lost(
    items: int, lost: int, passed: bool
) -> None:
    assert Gate(base="0", frames=1, items=items, lost=lost, gained=4).passed is passed
