from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from cinescrub.bundle import MODEL_FILE, Contract, Origin, Slot, TensorSpec
from cinescrub.errors import ModelError
from cinescrub.text.deidentifier import Deidentifier
from cinescrub.types import PhiKind

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "doe", "jane", "mi", "1.1", "of", "a"]
NAMES = [WORDS.index("doe"), WORDS.index("jane")]


class NamesModel:
    """A classifier that takes `doe` and `jane` for names, and would take padding for one too."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    @property
    def contract(self) -> Contract:
        text = ("N", "T")
        return Contract(
            slot=Slot.DEIDENTIFIER,
            name="names",
            precision="fp32",
            opset=17,
            inputs=(
                TensorSpec("input_ids", "int64", text),
                TensorSpec("attention_mask", "int64", text),
            ),
            outputs=(TensorSpec("logits", "float32", ("N", "T", 2)),),
            files={MODEL_FILE: "0"},
            origin=Origin("test", "none", "0", "none"),
            preprocessing={"max_tokens": 10},
            labels=("O", "NAME"),
            phi={"O": PhiKind.NONE, "NAME": PhiKind.PERSON},
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        tokens = inputs["input_ids"]
        self.shapes.append(tokens.shape)
        logits = np.zeros((*tokens.shape, 2), np.float32)
        logits[..., 0] = 5
        logits[np.isin(tokens, [*NAMES, WORDS.index("[PAD]")])] = (0, 5)
        return logits


@pytest.fixture
def models(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(WordLevel({word: k for k, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    folder = tmp_path / Slot.DEIDENTIFIER
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tmp_path


def test_a_line_scores_by_its_likeliest_token(models: Path) -> None:
    scores = Deidentifier(NamesModel(), models).score(["mi", "mi of jane", "doe jane"])
    assert (scores > 0.9).tolist() == [False, True, True]


def test_padding_counts_for_nothing(models: Path) -> None:
    """What a model says of padding is no one's score: the shorter of a class is as harmless."""
    assert Deidentifier(NamesModel(), models).score(["mi of a", "mi"])[0] < 0.1


def test_an_empty_line_is_not_asked_about(models: Path) -> None:
    model = NamesModel()
    assert Deidentifier(model, models).score(["", " ", "doe"])[:2].tolist() == [0, 0]
    assert [shape[0] for shape in model.shapes] == [1]
    assert Deidentifier(model, models).score([]).shape == (0,)


def test_no_line_is_padded_to_the_length_of_another(models: Path) -> None:
    model = NamesModel()
    texts = ["of a of a of a", "mi", "doe", "of a of a of"]
    Deidentifier(model, models).score(texts)
    assert sorted(model.shapes) == [(2, 4), (2, 8)]


def test_a_score_does_not_depend_on_the_lines_beside_it(models: Path) -> None:
    texts = ["doe " * 9, "mi", "jane of a", "a"] * 20
    deidentifier = Deidentifier(NamesModel(), models)
    alone = [deidentifier.score([text])[0] for text in texts]
    assert deidentifier.score(texts).tolist() == alone


def test_what_the_model_cannot_read_to_its_end_is_not_harmless(models: Path) -> None:
    model = NamesModel()
    assert Deidentifier(model, models).score(["of a " * 40]).tolist() == [1]
    assert model.shapes == [(1, 10)]


def test_carets_are_spaces_unless_the_model_knows_them(models: Path) -> None:
    assert Deidentifier(NamesModel(), models).score(["doe^jane"])[0] > 0.9


def test_a_broken_tokenizer_says_what_to_do(models: Path) -> None:
    (models / Slot.DEIDENTIFIER / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="cinescrub export deidentifier"):
        Deidentifier(NamesModel(), models)
