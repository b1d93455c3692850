"""The decision on lines as recognisers really read them: readings made by benchmarks/lines.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cinescrub.policy.vocabulary import vocabulary
from cinescrub.testing.fonts import TextStyle
from cinescrub.types import Reason

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
DATA = BENCHMARKS.parent / "tests" / "data"
KEPT = {Reason.CLINICAL, Reason.NOT_PHI}


@pytest.fixture(scope="module")
def lines() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        spec = importlib.util.spec_from_file_location("lines_benchmark", BENCHMARKS / "lines.py")
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "lines_benchmark", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def drawn(lines: Any) -> list[list[dict[str, str]]]:
    return list(lines.by_line(lines.load(lines.STORED)))


def test_identifying_lines_go_but_for_initials_that_are_clinical_abbreviations(
    lines: Any, drawn: list[list[dict[str, str]]]
) -> None:
    identifying = [looks for looks in drawn if looks[0]["label"] == "phi"]
    kept = [looks[0]["text"] for looks in identifying if lines.judge(looks, lines.WAYS[2]) in KEPT]

    assert len(identifying) > 900
    assert [text for text in kept if len(text) > 3 or text.lower() not in vocabulary()] == []
    assert len(kept) <= len(identifying) / 100


def test_no_identifying_line_stays_in_a_banner(
    lines: Any, drawn: list[list[dict[str, str]]]
) -> None:
    banner = next(way for way in lines.WAYS if way.place == "banner")

    assert not [
        looks[0]["text"]
        for looks in drawn
        if looks[0]["label"] == "phi" and lines.judge(looks, banner) in KEPT
    ]


def test_clinical_lines_stay(lines: Any, drawn: list[list[dict[str, str]]]) -> None:
    clinical = [looks for looks in drawn if looks[0]["label"] == "clinical"]
    kept = [looks for looks in clinical if lines.judge(looks, lines.WAYS[2]) in KEPT]

    assert len(clinical) > 900
    assert len(kept) >= 0.95 * len(clinical)


@pytest.mark.parametrize("place", ["picture", "banner"])
def test_what_must_go_goes_however_it_was_read(lines: Any, place: str) -> None:
    way = lines.Way("both", place=place)
    read = list(lines.by_line(lines.load(DATA / "must_readings.tsv")))
    must_go = [looks for looks in read if looks[0]["label"] == "phi"]
    must_stay = [looks for looks in read if looks[0]["label"] == "clinical"]

    assert [looks[0] for looks in must_go if lines.judge(looks, way) in KEPT] == []
    if place == "picture":
        kept = sum(lines.judge(looks, way) in KEPT for looks in must_stay)
        assert kept >= 0.95 * len(must_stay)


def test_a_line_is_drawn_inside_its_box(lines: Any) -> None:
    frame, (x0, y0, x1, y1) = lines.draw_line(
        "MI 1.1", TextStyle(height_px=12), "clean", np.random.default_rng(1)
    )

    assert frame.dtype == np.uint8
    assert frame[y0:y1, x0:x1].max() > 150
    outside = frame.copy()
    outside[y0:y1, max(0, x0 - 1) : x1 + 1] = 0
    assert outside.max() < 40


def test_made_lines_are_drawn_from_their_seed(lines: Any) -> None:
    first, again, other = (list(lines._drawn(20, seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert {label for label, *_ in first} == {"phi", "clinical"}
