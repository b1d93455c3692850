"""The tokenizer of a BERT model as one `tokenizer.json`, which the engine reads.

Older models, the Stanford deidentifier among them, are published with `vocab.txt` alone: the file
is built from it with the rules that BERT's own tokenizer has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from cinescrub.errors import ModelError

__all__ = ["build_tokenizer"]

_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MAX_WORD_CHARS: Final = 100
"""Longer words are unknown, as in BERT's WordPiece."""


def build_tokenizer(folder: Path, vocabulary: int) -> tuple[bytes, bool]:
    """Return the content of `tokenizer.json`, without truncation or padding.

    Parameters
    ----------
    folder : Path
        Holds `tokenizer.json`, or `vocab.txt` and perhaps `tokenizer_config.json`.
    vocabulary : int
        Rows of the model's embedding: no token id may reach it.

    Returns
    -------
    content : bytes
        UTF-8 JSON.
    lowercase : bool
        Whether the tokenizer folds case.

    Raises
    ------
    ModelError
        There is no tokenizer, it can't be read, or it does not fit the model.
    """
    try:
        tokenizer = _read(folder)
    except ModelError:
        raise
    except Exception as error:  # the library raises plain Exception for malformed files
        raise ModelError("the tokenizer's files can't be read: use the model's own") from error
    ids = tokenizer.get_vocab(with_added_tokens=True).values()
    if not ids or max(ids) >= vocabulary:
        raise ModelError("the tokenizer has more tokens than the model: use the model's own")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    content: str = tokenizer.to_str(pretty=True)
    normalizer = json.loads(content).get("normalizer") or {}
    return content.encode(), bool(normalizer.get("lowercase"))


def _read(folder: Path) -> Any:
    from tokenizers import Tokenizer  # keeps start-up of the other exports short

    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "vocab.txt").is_file():
        return _from_vocabulary(folder)
    raise ModelError("the weights folder has neither tokenizer.json nor vocab.txt")


def _from_vocabulary(folder: Path) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    options = _options(folder)
    words = models.WordPiece.read_file(str(folder / "vocab.txt"))
    missing = [token for token in _SPECIAL if token not in words]
    if missing:
        raise ModelError(f"vocab.txt lacks {' '.join(missing)}: it is not of a BERT model")
    tokenizer = Tokenizer(
        models.WordPiece(words, unk_token="[UNK]", max_input_chars_per_word=_MAX_WORD_CHARS)  # noqa: S106
    )
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(options.get("tokenize_chinese_chars", True)),
        strip_accents=options.get("strip_accents"),
        lowercase=bool(options.get("do_lower_case", True)),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer


def _options(folder: Path) -> dict[str, Any]:
    """Return `tokenizer_config.json`; a model without it has BERT's defaults."""
    try:
        options = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return options if isinstance(options, dict) else {}
