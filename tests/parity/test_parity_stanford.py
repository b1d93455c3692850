"""The Stanford deidentifier's path, on a model of its configuration with seeded weights.

The published weights (StanfordAIMI/stanford-deidentifier-base) are not redistributed. This is the
same class, labels and file layout, two layers deep: `pytorch_model.bin` and `vocab.txt`, neither
safetensors nor `tokenizer.json`. Needs the extra `stanford`; skipped without it.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinescrub import bundle
from cinescrub.bundle import Slot
from cinescrub.errors import ModelError
from cinescrub.runtime.session import open_session
from cinescrub.types import PhiKind
from cinescrub_export.api import export
from cinescrub_export.stanford import PARITY_LIMIT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("optimum.exporters.onnx")

# These libraries warn of their own internals on import and on use; what they compute is compared.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LABELS = ("O", "VENDOR", "DATE", "HCW", "HOSPITAL", "ID", "PATIENT", "PHONE")
WORDS = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    + [chr(code) for code in range(ord("a"), ord("z") + 1)]
    + ["##" + chr(code) for code in range(ord("a"), ord("z") + 1)]
    + list("0123456789")
)


def save(folder: Path, *, layers: int = 2, labels: tuple[str, ...] = LABELS) -> Any:
    """Write a model as the real one is published and return it."""
    torch.manual_seed(20)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=256,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = transformers.BertForTokenClassification(config).eval()
    model.save_pretrained(folder, safe_serialization=False)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 512}', encoding="utf-8")
    assert not list(folder.glob("*.safetensors"))
    assert not (folder / "tokenizer.json").exists()
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """The bundle, the folder it was made from, and the PyTorch model."""
    folder = tmp_path_factory.mktemp("weights")
    model = save(folder)
    out = tmp_path_factory.mktemp("models")
    export([Slot.DEIDENTIFIER], out, weights=folder, source="stanford", progress=print)
    return out, folder, model


@pytest.mark.parametrize("shape", [(1, 1), (4, 7), (32, 16), (1, 512)], ids=str)
def test_logits_equal_pytorch_s(exported: tuple[Path, Path, Any], shape: tuple[int, int]) -> None:
    out, _, model = exported
    ids = np.random.default_rng(3).integers(0, len(WORDS), shape, dtype=np.int64)
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    with torch.no_grad():
        expected = model(**{k: torch.from_numpy(v) for k, v in inputs.items()}).logits.numpy()

    logits = open_session(out, Slot.DEIDENTIFIER).run(inputs)

    assert np.ptp(expected) > 0.1  # the logits differ among themselves by far more than allowed
    np.testing.assert_allclose(logits, expected, rtol=0, atol=PARITY_LIMIT)


def test_the_tokenizer_equals_the_library_s_own(exported: tuple[Path, Path, Any]) -> None:
    from tokenizers import Tokenizer

    out, folder, _ = exported
    reference = transformers.BertTokenizer.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(out / "deidentifier" / "tokenizer.json"))

    for line in ("ROE, Jane", "mrn 00481516", "José Müller^4", "x" * 101, "", "[SEP] a"):
        assert tokenizer.encode(line).ids == reference(line)["input_ids"], line


def test_the_contract_maps_its_labels_and_states_what_was_measured(
    exported: tuple[Path, Path, Any],
) -> None:
    contract = bundle.verify(exported[0], Slot.DEIDENTIFIER)

    assert contract.labels == LABELS
    assert [k for k, v in contract.phi.items() if v is PhiKind.NONE] == ["O", "VENDOR"]
    assert contract.preprocessing["lowercase"] == 1
    assert 0 < float(contract.parity["max_abs_logits"]) <= PARITY_LIMIT
    assert contract.origin.file == "pytorch_model.bin"


def test_another_classifier_is_exported_with_its_unknown_labels_as_identifiers(
    tmp_path: Path,
) -> None:
    save(tmp_path / "weights", layers=1, labels=("O", "B-PER", "I-PER", "B-GADGET"))
    said: list[str] = []

    (contract,) = export(
        [Slot.DEIDENTIFIER], tmp_path / "out", weights=tmp_path / "weights", source="stanford",
        progress=said.append,
    )  # fmt: skip

    assert contract.phi["B-GADGET"] is PhiKind.IDENTIFIER
    assert contract.phi["I-PER"] is PhiKind.PERSON
    assert any("B-GADGET" in line for line in said)


def test_weights_without_a_trained_head_are_refused(tmp_path: Path) -> None:
    model = save(tmp_path / "weights", layers=1)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("classifier")}
    torch.save(state, tmp_path / "weights" / "pytorch_model.bin")

    with pytest.raises(ModelError, match="incomplete"):
        export(
            [Slot.DEIDENTIFIER], tmp_path / "out", weights=tmp_path / "weights", source="stanford",
            progress=print,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


class Runs:
    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self._canary,)


def test_weights_that_run_code_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    save(tmp_path / "weights", layers=1)
    hostile = {"classifier.bias": Runs(tmp_path / "ran")}
    torch.save(hostile, tmp_path / "weights" / "pytorch_model.bin", pickle_module=pickle)

    with pytest.raises(ModelError, match="can't be loaded"):
        export(
            [Slot.DEIDENTIFIER], tmp_path / "out", weights=tmp_path / "weights", source="stanford",
            progress=print,
        )  # fmt: skip
    assert not (tmp_path / "ran").exists()


def test_the_real_configuration_is_the_one_tested(exported: tuple[Path, Path, Any]) -> None:
    config = json.loads((exported[1] / "config.json").read_text(encoding="utf-8"))

    assert config["architectures"] == ["BertForTokenClassification"]
    assert config["max_position_embeddings"] == 512
    assert config["layer_norm_eps"] == 1e-12
    assert list(config["id2label"].values()) == list(LABELS)
