"""The gate counts what is lost, and nothing that lost text is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub import bundle
from cinescrub.bundle import Contract, Gate, Origin, Precision, Slot, TensorSpec, folder_of
from cinescrub.config import PrecisionChoice
from cinescrub.errors import ModelError
from cinescrub_export import api, gate, variants
from cinescrub_export.gate import Shown, found_items, measure_gate, shown_frames
from cinescrub_export.model import Built
from cinescrub_export.place import install


class Fake:
    """A detector that takes all bright pixels above some row for text."""

    def __init__(self, rows: int = 10_000) -> None:
        self._rows = rows
        self.contract = Contract(
            slot=Slot.CRAFT,
            name="fake",
            precision="fp32",
            opset=17,
            inputs=(TensorSpec("frames", "uint8", ("N", "H", "W", "C")),),
            outputs=(TensorSpec("scores", "float32", ("N", "H/2", "W/2", 2)),),
            files={"model.onnx": "abc"},
            origin=Origin("made==1", "made.pth", "0" * 64, "none"),
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        (frames,) = inputs.values()
        bright = frames.max(axis=3) > 60
        bright[:, self._rows :] = False
        halved = bright[:, ::2, ::2] | bright[:, 1::2, 1::2] | bright[:, ::2, 1::2]
        scores = np.zeros((*halved.shape, 2), np.float32)
        scores[..., 0] = halved
        return scores


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    few = list(islice(shown_frames(), 2))

    def shown() -> Iterator[Shown]:
        return iter(few)

    monkeypatch.setattr(gate, "shown_frames", shown)
    return few


def built(precision: str = "fp32", content: bytes = b"model") -> Built:
    return Built(
        slot=Slot.CRAFT,
        name="made",
        precision=precision,
        opset=17,
        inputs=(TensorSpec("frames", "uint8", ("N", "H", "W", "C")),),
        outputs=(TensorSpec("scores", "float32", ("N", "H/2", "W/2", 2)),),
        origin=Origin("made==1", "made.pth", "0" * 64, "none"),
        files={"model.onnx": content},
    )


def test_a_text_is_found_if_its_ink_would_be_filled(few_frames: list[Shown]) -> None:
    shown = few_frames[0]
    item = shown.items[0]
    x0, y0, x1, y1 = item.box
    whole = np.array([item.box], np.int32)
    half = np.array([[x0, y0, (x0 + x1) // 2 - y1 + y0, y1]], np.int32)

    assert found_items(whole, shown.frame, [item]).tolist() == [True]
    assert found_items(half, shown.frame, [item]).tolist() == [False]
    assert found_items(whole[:0], shown.frame, [item]).tolist() == [False]


def test_equal_seeds_show_equal_frames() -> None:
    first, again, other = (
        next(iter(shown_frames(seed))) for seed in (gate.GATE_SEED, gate.GATE_SEED, 1)
    )

    assert np.array_equal(first.frame, again.frame)
    assert not np.array_equal(first.frame, other.frame)


def test_a_variant_that_finds_the_same_passes(few_frames: list[Shown]) -> None:
    measured = measure_gate(Slot.CRAFT, Fake(), Fake())

    assert measured.passed
    assert measured.base == "abc"
    assert measured.frames == len(few_frames)
    assert (measured.lost, measured.gained) == (0, 0)


def test_a_variant_that_sees_less_is_caught_and_one_that_sees_more_is_not() -> None:
    less, more = (
        measure_gate(Slot.CRAFT, *pair) for pair in ((Fake(), Fake(60)), (Fake(60), Fake()))
    )

    assert not less.passed
    assert less.lost > 0
    assert more.passed
    assert more.gained == less.lost


def test_who_finds_nothing_passes_no_gate() -> None:
    assert not measure_gate(Slot.CRAFT, Fake(0), Fake()).passed


# --- export ----------------------------------------------------------------------------------


def test_a_variant_lies_beside_its_base_with_what_was_measured(tmp_path: Path) -> None:
    measured = Gate(base="abc", frames=2, items=9, lost=0, gained=1)
    variant = replace(built("int8", b"small"), details={"gate": measured})

    install(built(), tmp_path)
    install(variant, tmp_path)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["craft", "craft-int8"]
    assert bundle.verify(tmp_path, Slot.CRAFT).gate is None
    assert bundle.verify(tmp_path, Slot.CRAFT, Precision.INT8).gate == measured


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variant that loses a text."""
    lossy = Gate(base="abc", frames=2, items=9, lost=1, gained=0)
    monkeypatch.setattr(api, "build_variant", lambda *_: built("int8", b"small"))
    monkeypatch.setattr(variants, "open_session", lambda *_, **__: Fake())
    monkeypatch.setattr(variants, "measure_gate", lambda *_: lossy)


@pytest.mark.usefixtures("losing")
def test_a_variant_that_lost_text_is_not_written_and_an_old_one_goes(tmp_path: Path) -> None:
    install(built("int8", b"old"), tmp_path)

    with pytest.raises(ModelError, match="loses 1 of the 9 texts"):
        api._add_variant(built(), Precision.INT8, tmp_path, print, needed=True)

    assert not folder_of(tmp_path, Slot.CRAFT, Precision.INT8).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("losing")
def test_auto_says_so_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []

    made = api._add_variant(built(), Precision.INT8, tmp_path, said.append, needed=False)

    assert made == []
    assert "loses 1 of the 9 texts" in said[-1]


def test_auto_makes_what_suits_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "suits", lambda _: Precision.INT8)

    assert api._variant(PrecisionChoice.AUTO) is Precision.INT8
    assert api._variant(PrecisionChoice.FP16) is Precision.FP16
    assert api._variant(PrecisionChoice.FP32) is Precision.FP32


def test_auto_makes_no_variant_where_nothing_could_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "installed_runtimes", dict)

    assert api._variant(PrecisionChoice.AUTO) is Precision.FP32


@pytest.mark.models
def test_the_8_bit_detector_is_made_of_the_pinned_weights(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ranges fit its graph, and it finds what its base finds in two frames."""
    contract = bundle.verify(models_dir, Slot.CRAFT)
    base = Built(
        slot=Slot.CRAFT,
        name=contract.name,
        precision="fp32",
        opset=contract.opset,
        inputs=contract.inputs,
        outputs=contract.outputs,
        origin=contract.origin,
        files={"model.onnx": (models_dir / Slot.CRAFT / "model.onnx").read_bytes()},
    )

    variant = variants.gated(variants.build_variant(base, Precision.INT8), base)

    assert variant.contract().gate == Gate(
        base=contract.files["model.onnx"],
        frames=2,
        items=variant.details["gate"].items,
        lost=0,
        gained=variant.details["gate"].gained,
    )
