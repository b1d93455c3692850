"""Greedy decoding of connectionist temporal classification (Graves et al., ICML 2006)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode_greedy"]


def decode_greedy(
    logits: npt.NDArray[np.float32], charset: str
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Decode the best path: take the top class of each step, collapse repeats, drop blanks.

    Parameters
    ----------
    logits : (N, T, K) float32 array
        Unnormalised scores; class 0 is the blank, class k the character `charset[k - 1]`.
    charset : str
        K - 1 characters.

    Returns
    -------
    texts : tuple of N str
    confidences : (N,) float32 array
        Product of the probabilities of all non-blank steps to the power 2 / sqrt(number of
        steps), the measure EasyOCR reports, so that its thresholds carry over. 0 for no text.
    """
    if logits.ndim != 3 or logits.shape[2] != len(charset) + 1:
        raise ValueError(f"logits {logits.shape} do not fit {len(charset)} characters and a blank")
    shifted = logits - logits.max(axis=2, keepdims=True)
    best = logits.argmax(axis=2)
    log_top = -np.log(np.exp(shifted).sum(axis=2, dtype=np.float64))
    texts: list[str] = []
    confidences = np.zeros(len(logits), dtype=np.float32)
    for n, (path, log_p) in enumerate(zip(best, log_top, strict=True)):
        first = np.ones(len(path), dtype=np.bool_)
        first[1:] = path[1:] != path[:-1]
        spoken = path != 0
        texts.append("".join(charset[k - 1] for k in path[first & spoken]))
        steps = int(spoken.sum())
        if steps:
            confidences[n] = np.exp(log_p[spoken].sum() * 2 / np.sqrt(steps))
    return tuple(texts), confidences
