"""The deidentifier slot: labels, signature, tokenizer; what does not fit is refused."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer

from cinescrub import bundle
from cinescrub.bundle import Slot
from cinescrub.errors import ConfigError, ModelError
from cinescrub.types import PhiKind
from cinescrub_export import stanford
from cinescrub_export.deidentifier import classifier_labels, classifier_signature
from cinescrub_export.labels import is_known, phi_kinds
from cinescrub_export.wordpiece import build_tokenizer

STANFORD = ("O", "VENDOR", "DATE", "HCW", "HOSPITAL", "ID", "PATIENT", "PHONE")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "jose", "garcia", "##s", "4", "^"]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("O", PhiKind.NONE),
        ("VENDOR", PhiKind.NONE),
        ("DATE", PhiKind.DATE),
        ("HCW", PhiKind.STAFF),
        ("HOSPITAL", PhiKind.INSTITUTION),
        ("ID", PhiKind.IDENTIFIER),
        ("PATIENT", PhiKind.PERSON),
        ("PHONE", PhiKind.CONTACT),
        ("B-GIVEN_NAME", PhiKind.PERSON),
        ("I-ZIP_CODE", PhiKind.LOCATION),
        ("S-per", PhiKind.PERSON),
        ("B-SOMETHING_NEW", PhiKind.IDENTIFIER),
        ("LABEL_3", PhiKind.IDENTIFIER),
    ],
)
def test_every_label_has_a_kind_and_an_unknown_one_is_an_identifier(
    label: str, kind: PhiKind
) -> None:
    assert phi_kinds([label]) == {label: kind}


def test_a_label_whose_kind_is_assumed_is_told_apart() -> None:
    assert [is_known(label) for label in (*STANFORD, "LABEL_3")] == [True] * 8 + [False]


def test_labels_follow_their_class_numbers_not_their_order_in_the_file() -> None:
    assert classifier_labels({"id2label": {"1": "ID", "10": "A", "0": "O"} | NINE}) == (
        "O", "ID", *sorted(NINE.values()), "A",
    )  # fmt: skip


NINE = {str(n): f"L{n}" for n in range(2, 10)}


@pytest.mark.parametrize(
    "table",
    [None, {}, {"0": "O", "2": "ID"}, {"0": "O", "1": "O"}, {"x": "O"}, ["O"], {"0": ""}],
    ids=["none", "empty", "gap", "twice", "no number", "list", "blank"],
)
def test_a_configuration_that_does_not_name_every_class_is_refused(table: Any) -> None:
    with pytest.raises(ModelError, match=r"id2label|every class"):
        classifier_labels({"id2label": table})


def classifier(
    inputs: dict[str, int] | None = None, output: str = "logits", classes: int = 8, rank: int = 3
) -> onnx.ModelProto:
    """A signature with nothing between; never run."""
    ids = inputs or dict.fromkeys(("input_ids", "attention_mask"), TensorProto.INT64)
    shape: list[int | str] = ["b", "t", classes]
    graph = helper.make_graph(
        [],
        "signature",
        [helper.make_tensor_value_info(name, kind, ["b", "t"]) for name, kind in ids.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape[:rank])],
    )
    return helper.make_model(graph)


def test_a_signature_is_stated_with_the_slot_s_axes() -> None:
    inputs, outputs = classifier_signature(classifier(), 8)

    assert [spec.name for spec in inputs] == ["input_ids", "attention_mask"]
    assert {spec.shape for spec in inputs} == {("B", "T")}
    assert outputs[0].shape == ("B", "T", 8)


@pytest.mark.parametrize(
    "model",
    [
        classifier({"input_ids": TensorProto.INT64}),
        classifier({"input_ids": TensorProto.INT64, "pixels": TensorProto.INT64}),
        classifier(dict.fromkeys(("input_ids", "attention_mask"), TensorProto.INT32)),
        classifier(output="hidden"),
        classifier(classes=7),
        classifier(rank=2),
    ],
    ids=["no mask", "another input", "int32", "another output", "another count", "pooled"],
)
def test_a_model_with_another_signature_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ModelError):
        classifier_signature(model, 8)


def vocabulary(folder: Path, words: list[str] = WORDS, **options: Any) -> Path:
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    if options:
        (folder / "tokenizer_config.json").write_text(json.dumps(options), encoding="utf-8")
    return folder


def test_a_tokenizer_is_built_from_the_vocabulary_alone(tmp_path: Path) -> None:
    content, lowercase = build_tokenizer(vocabulary(tmp_path), len(WORDS))

    encoded = Tokenizer.from_str(content.decode()).encode("José GARCIAs^4 zz")

    assert lowercase
    assert encoded.tokens == [
        "[CLS]", "jose", "garcia", "##s", "^", "4", "[UNK]", "[SEP]",
    ]  # fmt: skip
    assert encoded.offsets[1:4] == [(0, 4), (5, 11), (11, 12)]


def test_a_cased_model_keeps_its_case(tmp_path: Path) -> None:
    folder = vocabulary(tmp_path, [*WORDS, "Jose"], do_lower_case=False)

    content, lowercase = build_tokenizer(folder, len(WORDS) + 1)

    assert not lowercase
    assert Tokenizer.from_str(content.decode()).encode("Jose jose").tokens[1:3] == ["Jose", "jose"]


def test_a_tokenizer_that_truncates_or_pads_does_not_any_more(tmp_path: Path) -> None:
    content, _ = build_tokenizer(vocabulary(tmp_path), len(WORDS))
    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    again, _ = build_tokenizer(tmp_path, len(WORDS))

    assert again == content


@pytest.mark.parametrize(
    ("words", "rows", "why"),
    [
        (WORDS, len(WORDS) - 1, "more tokens than the model"),
        (WORDS[1:], len(WORDS), r"lacks \[PAD\]"),
    ],
    ids=["too many words", "no padding token"],
)
def test_a_vocabulary_that_does_not_fit_is_refused(
    tmp_path: Path, words: list[str], rows: int, why: str
) -> None:
    with pytest.raises(ModelError, match=why):
        build_tokenizer(vocabulary(tmp_path, words), rows)


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither"):
        build_tokenizer(tmp_path, 10)


def test_a_malformed_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelError, match="can't be read"):
        build_tokenizer(tmp_path, 10)


@pytest.mark.parametrize(
    "name",
    ["no/such-folder", "owner/name@main", "owner/name@" + "g" * 40, "owner/name@" + "a" * 39],
)
def test_a_hub_name_without_its_commit_is_never_fetched(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stanford, "_libraries", lambda: (None, None, None))

    def never(name: str, commit: str) -> Path:
        pytest.fail(f"fetched {name} {commit}")

    with pytest.raises(ConfigError, match="NAME@COMMIT"):
        stanford.build_classifier(name, progress=print, download=never)


def test_a_pinned_hub_name_is_fetched_at_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stanford, "_libraries", lambda: (None, None, None))
    asked = []

    def download(name: str, commit: str) -> Path:
        asked.append((name, commit))
        return tmp_path

    with pytest.raises(ModelError, match=r"config\.json"):
        stanford.build_classifier("owner/name@" + "a" * 40, progress=print, download=download)
    assert asked == [("owner/name", "a" * 40)]


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "roberta"}'])
def test_a_folder_that_is_no_bert_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    monkeypatch.setattr(stanford, "_libraries", lambda: (None, None, None))
    (tmp_path / "config.json").write_text(config)

    with pytest.raises(ModelError, match=r"config\.json|BERT"):
        stanford.build_classifier(str(tmp_path), progress=print)


def test_missing_libraries_are_named_with_their_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    monkeypatch.setattr(stanford, "load_runtime", lambda: None)

    with pytest.raises(ConfigError, match=r"cinescrub\[stanford\]"):
        stanford.build_classifier(str(tmp_path), progress=print)


@pytest.mark.models
def test_the_default_model_is_the_published_file_with_its_attribution(models_dir: Path) -> None:
    contract = bundle.verify(models_dir, Slot.DEIDENTIFIER)
    if contract.name != "rampart":
        pytest.skip("the bundle holds another classifier")

    notice = (models_dir / "deidentifier" / "NOTICE").read_text(encoding="utf-8")

    assert contract.files["model.onnx"] == contract.origin.sha256
    assert len(contract.labels) == 35
    assert [k for k, v in contract.phi.items() if v is PhiKind.NONE] == ["O"]
    assert "National Design Studio" in notice
    assert "creativecommons.org/licenses/by/4.0" in notice
