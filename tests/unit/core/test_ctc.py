from __future__ import annotations

import numpy as np
import pytest

from cinescrub.ctc import decode_greedy

_CHARSET = "AB"


def _logits(path: list[int], sure: float = 20.0) -> np.ndarray:
    logits = np.zeros((1, len(path), 3), np.float32)
    logits[0, np.arange(len(path)), path] = sure
    return logits


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param([0, 0], "", id="blanks only"),
        pytest.param([1, 1, 1], "A", id="repeats collapse"),
        pytest.param([1, 0, 1], "AA", id="a blank parts repeats"),
        pytest.param([1, 2, 1], "ABA", id="changes"),
        pytest.param([0, 1, 1, 0, 2, 0], "AB", id="blanks around"),
    ],
)
def test_best_path_is_collapsed(path: list[int], text: str) -> None:
    texts, _ = decode_greedy(_logits(path), _CHARSET)

    assert texts == (text,)


def test_certain_text_has_confidence_one_and_no_text_has_none() -> None:
    _, sure = decode_greedy(_logits([1, 2]), _CHARSET)
    _, none = decode_greedy(_logits([0, 0]), _CHARSET)

    assert sure[0] == pytest.approx(1.0, abs=1e-6)
    assert none[0] == 0.0


def test_confidence_is_the_product_to_the_power_two_over_root_n() -> None:
    logits = _logits([1, 2, 1, 2], sure=1.0)
    p = np.e / (np.e + 2)

    _, sure = decode_greedy(logits, _CHARSET)

    assert sure[0] == pytest.approx(p ** (4 * 2 / np.sqrt(4)), rel=1e-5)


def test_logits_that_do_not_fit_the_charset_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        decode_greedy(_logits([1]), "ABC")


def test_probabilities_give_the_text_and_confidence_of_their_logits() -> None:
    logits = np.random.default_rng(3).normal(0, 3, (4, 9, 3)).astype(np.float32)
    exponents = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = exponents / exponents.sum(axis=2, keepdims=True)

    texts, sure = decode_greedy(logits, _CHARSET)
    same, as_sure = decode_greedy(probabilities, _CHARSET, probabilities=True)

    assert same == texts
    assert as_sure == pytest.approx(sure, rel=1e-4)


def test_the_last_character_of_a_set_may_be_the_space() -> None:
    texts, _ = decode_greedy(_logits([1, 2, 1]), "A ")

    assert texts == ("A A",)


@pytest.mark.parametrize("probabilities", [False, True], ids=["logits", "probabilities"])
def test_scores_that_are_no_numbers_are_read_without_confidence(probabilities: bool) -> None:
    broken = np.full((1, 2, 3), np.nan, np.float32)

    _, sure = decode_greedy(broken, _CHARSET, probabilities=probabilities)

    assert sure.tolist() == [0.0]
