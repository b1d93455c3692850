from __future__ import annotations

import numpy as np
import pytest

from cinescrub.ctc import decode_greedy, support

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
    texts, _, _ = decode_greedy(_logits(path), _CHARSET)

    assert texts == (text,)


def test_certain_text_has_confidence_one_and_no_text_has_none() -> None:
    _, sure, _ = decode_greedy(_logits([1, 2]), _CHARSET)
    _, none, _ = decode_greedy(_logits([0, 0]), _CHARSET)

    assert sure[0] == pytest.approx(1.0, abs=1e-6)
    assert none[0] == 0.0


def test_confidence_is_the_product_to_the_power_two_over_root_n() -> None:
    logits = _logits([1, 2, 1, 2], sure=1.0)
    p = np.e / (np.e + 2)

    _, sure, _ = decode_greedy(logits, _CHARSET)

    assert sure[0] == pytest.approx(p ** (4 * 2 / np.sqrt(4)), rel=1e-5)


def test_logits_that_do_not_fit_the_charset_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        decode_greedy(_logits([1]), "ABC")


def test_probabilities_give_the_text_and_confidence_of_their_logits() -> None:
    logits = np.random.default_rng(3).normal(0, 3, (4, 9, 3)).astype(np.float32)
    exponents = np.exp(logits - logits.max(axis=2, keepdims=True))
    probabilities = exponents / exponents.sum(axis=2, keepdims=True)

    texts, sure, _ = decode_greedy(logits, _CHARSET)
    same, as_sure, _ = decode_greedy(probabilities, _CHARSET, probabilities=True)

    assert same == texts
    assert as_sure == pytest.approx(sure, rel=1e-4)


def test_the_last_character_of_a_set_may_be_the_space() -> None:
    texts, _, _ = decode_greedy(_logits([1, 2, 1]), "A ")

    assert texts == ("A A",)


def test_each_character_has_its_steps_and_its_probability() -> None:
    logits = _logits([0, 1, 1, 0, 2, 0], sure=1.0)
    logits[0, 2, 1] = 3.0

    _, _, (glyphs,) = decode_greedy(logits, _CHARSET)

    surest, other = np.exp(3) / (np.exp(3) + 2), np.e / (np.e + 2)
    assert glyphs == pytest.approx(np.array([[1, 2, surest], [4, 4, other]]), rel=1e-5)


@pytest.mark.parametrize("probabilities", [False, True], ids=["logits", "probabilities"])
def test_what_is_mistaken_for_a_character_counts_for_it(probabilities: bool) -> None:
    shares = np.array([[[0.1, 0.5, 0.4], [0.9, 0.05, 0.05]]], np.float32)
    scores = shares if probabilities else np.log(shares)
    kin = [np.array([0]), np.array([1, 2]), np.array([1, 2])]

    alone = decode_greedy(scores, _CHARSET, probabilities=probabilities)[2][0]
    together = decode_greedy(scores, _CHARSET, probabilities=probabilities, kin=kin)[2][0]

    assert alone[0, 2] == pytest.approx(0.5, rel=1e-5)
    assert together[0, 2] == pytest.approx(0.9, rel=1e-5)


def test_no_text_has_no_glyphs() -> None:
    assert decode_greedy(_logits([0, 0]), _CHARSET)[2][0].shape == (0, 3)


@pytest.mark.parametrize("probabilities", [False, True], ids=["logits", "probabilities"])
def test_scores_that_are_no_numbers_are_read_without_confidence(probabilities: bool) -> None:
    broken = np.full((1, 2, 3), np.nan, np.float32)

    _, sure, _ = decode_greedy(broken, _CHARSET, probabilities=probabilities)

    assert sure.tolist() == [0.0]


_BLANK, _A, _B = (np.array([k]) for k in (0, 1, 2))


def _close(path: list[int], other: list[int], gap: float) -> np.ndarray:
    """Return logits of a path, and of another that is less likely by `gap` at each step."""
    logits: np.ndarray = _logits(path)[0]
    apart = np.array(path) != other
    logits[apart, np.array(other)[apart]] = 20.0 - gap
    return logits


@pytest.mark.parametrize(
    ("path", "glyphs"),
    [
        pytest.param([0, 1, 1, 0, 2, 0], [_A, _B], id="blanks around"),
        pytest.param([1, 0, 1], [_A, _A], id="a blank parts repeats"),
        pytest.param([1, 2], [_A, _B], id="no blank"),
    ],
)
def test_scores_support_what_they_read(path: list[int], glyphs: list[np.ndarray]) -> None:
    assert support(_logits(path)[0], _BLANK, glyphs) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "glyphs",
    [
        pytest.param([_A, _A], id="another glyph"),
        pytest.param([_A], id="a glyph less"),
        pytest.param([_A, _B, _A], id="a glyph more"),
        pytest.param([], id="nothing"),
        pytest.param([_A, _B] * 4, id="more glyphs than steps"),
        pytest.param([_A, _A, _A, _A], id="repeats without room between"),
    ],
)
def test_scores_support_nothing_else(glyphs: list[np.ndarray]) -> None:
    assert support(_logits([1, 0, 2, 0, 0])[0], _BLANK, glyphs) == 0.0


def test_a_second_choice_is_supported_and_less_surely() -> None:
    close = support(_close([1, 0, 2, 0], [2, 0, 2, 0], 0.5), _BLANK, [_B, _B])
    far = support(_close([1, 0, 2, 0], [2, 0, 2, 0], 2.0), _BLANK, [_B, _B])

    assert 0.0 < close < 0.7
    assert far == 0.0


def test_one_glyph_that_is_not_there_is_not_made_good_by_many_that_are() -> None:
    path = [1, 0, 2, 0] * 12
    there = support(_logits(path, sure=6.0)[0], _BLANK, [_A, _B] * 12)

    assert there > 0.9
    assert support(_logits(path, sure=6.0)[0], _BLANK, [_A, _B] * 11 + [_B, _B]) == 0.0


def test_glyphs_may_have_several_classes_and_any_may_be_nothing() -> None:
    scores = _logits([1, 2, 1])[0]

    assert support(scores, _BLANK, [np.array([1, 2])]) > 0.9
    assert support(scores, np.array([0, 2]), [_A, _A]) > 0.9


def test_probabilities_support_as_their_logits_do() -> None:
    logits = _close([1, 0, 2, 0], [2, 0, 2, 0], 0.5)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)

    same = support(p, _BLANK, [_B, _B], probabilities=True)

    assert same == pytest.approx(support(logits, _BLANK, [_B, _B]), rel=1e-4)


def test_scores_that_are_no_numbers_support_nothing() -> None:
    assert support(np.full((3, 3), np.nan, np.float32), _BLANK, [_A]) == 0.0
