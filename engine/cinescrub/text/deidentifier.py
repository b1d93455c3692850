"""Token classification of lines: how much a line looks like PHI to a BERT-like model.

Any token classifier whose contract maps its labels to PHI kinds fits the slot. The model votes;
`policy` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from cinescrub.bundle import Slot
from cinescrub.errors import ModelError
from cinescrub.runtime.session import Model
from cinescrub.types import PhiKind

__all__ = ["Deidentifier"]

_TOKENIZER_FILE = "tokenizer.json"
_BATCH = 32


class Deidentifier:
    """Score lines.

    Parameters
    ----------
    model : Model
        A session of the `deidentifier` slot.
    models : Path
        The bundle's folder, which holds the tokenizer that the contract has verified.
    """

    def __init__(self, model: Model, models: Path) -> None:
        contract = model.contract
        self._model = model
        try:
            self._tokenizer = Tokenizer.from_file(str(models / Slot.DEIDENTIFIER / _TOKENIZER_FILE))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise ModelError(
                "the deidentifier's tokenizer can't be read: run `cinescrub export deidentifier`"
            ) from error
        limit = int(contract.preprocessing.get("max_tokens", 128))
        self._tokenizer.enable_truncation(limit)
        self._tokenizer.enable_padding()
        self._caret_to_space = bool(contract.preprocessing.get("caret_to_space", 1))
        kinds = [contract.phi[label] for label in contract.labels]
        self._harmless = np.array([kind is PhiKind.NONE for kind in kinds])

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how likely each line holds PHI.

        Parameters
        ----------
        texts : sequence of n str

        Returns
        -------
        (n,) float32 array in 0..1
            The largest share, over the line's tokens, of the probability that the model gives to
            labels of a PHI kind. 0 for an empty line.
        """
        scores = np.zeros(len(texts), np.float32)
        order = sorted((i for i, t in enumerate(texts) if t.strip()), key=lambda i: len(texts[i]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            scores[batch] = self._score_batch([self._clean(texts[i]) for i in batch])
        return scores

    def _clean(self, text: str) -> str:
        return text.replace("^", " ") if self._caret_to_space else text

    def _score_batch(self, texts: list[str]) -> npt.NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(texts)
        given: dict[str, npt.NDArray[Any]] = {
            "input_ids": np.array([e.ids for e in encoded], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], np.int64),
            "token_type_ids": np.array([e.type_ids for e in encoded], np.int64),
        }
        names = [spec.name for spec in self._model.contract.inputs]
        logits = self._model.run({name: given[name] for name in names})
        shifted = np.exp(logits - logits.max(axis=2, keepdims=True))
        phi = 1.0 - shifted[..., self._harmless].sum(axis=2) / shifted.sum(axis=2)
        words = np.array([e.special_tokens_mask for e in encoded]) == 0
        best: npt.NDArray[np.float32] = np.where(words, phi, 0.0).max(axis=1).astype(np.float32)
        cut_off = np.array([bool(e.overflowing) for e in encoded])
        best[cut_off] = 1.0  # what was not read can't be called harmless
        return best
