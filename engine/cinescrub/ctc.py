"""Greedy decoding of connectionist temporal classification (Graves et al., ICML 2006)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["decode_greedy"]


def decode_greedy(
    scores: npt.NDArray[np.float32], charset: str, *, probabilities: bool = False
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Decode the best path: take the top class of each step, collapse repeats, drop blanks.

    Parameters
    ----------
    scores : (N, T, K) float32 array
        Class 0 is the blank, class k the character `charset[k - 1]`.
    charset : str
        K - 1 characters.
    probabilities : bool
        Whether the scores are the probabilities of each step, or logits.

    Returns
    -------
    texts : tuple of N str
    confidences : (N,) float32 array
        Product of the probabilities of all non-blank steps to the power 2 / sqrt(number of
        steps), the measure EasyOCR reports, so that its thresholds carry over. 0 for no text, and
        where a score is not a number.
    """
    if scores.ndim != 3 or scores.shape[2] != len(charset) + 1:
        raise ValueError(f"scores {scores.shape} do not fit {len(charset)} characters and a blank")
    best = scores.argmax(axis=2)
    log_top = _log_top(scores, probabilities=probabilities)
    texts: list[str] = []
    confidences = np.zeros(len(scores), dtype=np.float32)
    for n, (path, log_p) in enumerate(zip(best, log_top, strict=True)):
        first = np.ones(len(path), dtype=np.bool_)
        first[1:] = path[1:] != path[:-1]
        spoken = path != 0
        texts.append("".join(charset[k - 1] for k in path[first & spoken]))
        steps = int(spoken.sum())
        if steps:
            confidences[n] = np.nan_to_num(np.exp(log_p[spoken].sum() * 2 / np.sqrt(steps)))
    return tuple(texts), confidences


def _log_top(scores: npt.NDArray[np.float32], *, probabilities: bool) -> npt.NDArray[np.float64]:
    """Return the log of the probability of each step's top class, `(N, T)`."""
    top = scores.max(axis=2, keepdims=True)
    if probabilities:
        tiny = float(np.finfo(np.float32).tiny)
        p = np.clip(top[..., 0].astype(np.float64), tiny, 1.0)
    else:
        p = 1 / np.exp(scores - top).sum(axis=2, dtype=np.float64)
    log_top: npt.NDArray[np.float64] = np.log(p)
    return log_top
