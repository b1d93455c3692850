"""Token classification of lines: how much a line looks like PHI to a BERT-like model.

Any token classifier whose contract maps its labels to PHI kinds fits the slot. The model votes;
`policy` decides. A line's score depends on the line alone: it is padded to its own length class,
and batched with lines of the same class only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from cinescrub.bundle import Slot
from cinescrub.errors import ModelError
from cinescrub.runtime.session import Model
from cinescrub.types import PhiKind

__all__ = ["Deidentifier", "Scorer"]

_TOKENIZER_FILE = "tokenizer.json"
_BATCH = 32
_LENGTH_STEP = 4
"""Lines are padded to multiples of this many tokens, of which each costs: a run of its own for each
length would cost as much as they."""


class Scorer(Protocol):
    """A token classifier behind its pre- and post-processing."""

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return how much each text looks like PHI, 0 to 1."""


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
        self._longest = int(contract.preprocessing.get("max_tokens", 128))
        self._tokenizer.enable_truncation(self._longest)
        self._tokenizer.no_padding()
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
        said = [i for i, text in enumerate(texts) if text.strip()]
        lines = self._tokenizer.encode_batch([self._clean(texts[i]) for i in said])
        by_length: dict[int, list[int]] = {}
        for k, line in enumerate(lines):
            length = min(math.ceil(len(line.ids) / _LENGTH_STEP) * _LENGTH_STEP, self._longest)
            line.pad(length)
            by_length.setdefault(length, []).append(k)
        for members in by_length.values():
            for start in range(0, len(members), _BATCH):
                batch = members[start : start + _BATCH]
                scores[[said[k] for k in batch]] = self._score_batch([lines[k] for k in batch])
        return scores

    def _clean(self, text: str) -> str:
        return text.replace("^", " ") if self._caret_to_space else text

    def _score_batch(self, encoded: list[Encoding]) -> npt.NDArray[np.float32]:
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
