"""Which of a bundle's models an engine runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.conftest import _contract

from cinescrub.bundle import (
    MODEL_FILE,
    Gate,
    Precision,
    Slot,
    folder_of,
    load_contract,
    save_contract,
)
from cinescrub.config import EngineConfig, PrecisionChoice, Provider
from cinescrub.errors import ModelError
from cinescrub.pipeline.assembly import chosen_contracts


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a bundle that has CRAFT in 8 bits, too."""
    for slot in Slot:
        (tmp_path / slot).mkdir()
        save_contract(tmp_path / slot, _contract(slot, "fake", "uint8", charset="A"))
    base = load_contract(tmp_path, Slot.CRAFT)
    gate = Gate(base=base.files[MODEL_FILE], frames=1, items=2, lost=0, gained=0)
    folder = folder_of(tmp_path, Slot.CRAFT, Precision.INT8)
    folder.mkdir()
    save_contract(folder, replace(base, precision="int8", gate=gate))
    return tmp_path


@pytest.mark.parametrize("asked", [PrecisionChoice.FP32, PrecisionChoice.INT8])
def test_a_slot_runs_in_the_precision_asked_for_and_others_as_published(
    models: Path, asked: PrecisionChoice
) -> None:
    config = EngineConfig(models=models, provider=Provider.CPU, precision=asked)

    ran = {slot: contract.precision for slot, contract in chosen_contracts(config).items()}

    assert ran == {slot: asked.value if slot is Slot.CRAFT else "fp32" for slot in Slot}


def test_a_precision_that_the_bundle_lacks_is_an_error_with_the_command(models: Path) -> None:
    config = EngineConfig(models=models, provider=Provider.CPU, precision=PrecisionChoice.FP16)

    with pytest.raises(ModelError, match="cinescrub export all --precision fp16"):
        chosen_contracts(config)
