"""Codes that made cines show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinescrub.testing import CineSpec, make_cine
from cinescrub.testing.codes import bar_code, matrix_code
from cinescrub.testing.reader import read_frames
from cinescrub.testing.spec import Dress
from cinescrub.types import PhiKind


def test_a_bar_code_is_code_128() -> None:
    """PJJ123C, the example of ISO/IEC 15417, in code set B: check symbol 55."""
    symbols = ["211214", "313121", "112133", "112133", "123221", "223211", "221132", "131321"]
    stop, check = "2331112", "311321"
    widths = [int(w) for w in "".join([*symbols, check, stop])]
    bars = np.repeat(np.arange(len(widths)) % 2 == 0, widths)

    drawn = bar_code("PJJ123C", module_px=1, height_px=5)

    assert drawn.shape == (5, len(bars))
    assert ((drawn > 0) == bars).all()


def test_a_matrix_follows_from_its_text() -> None:
    assert (matrix_code("1") == matrix_code("1")).all()
    assert (matrix_code("1") != matrix_code("2")).any()
    assert matrix_code("1", module_px=2).shape == (36, 36)


@pytest.mark.parametrize("seed", [39, 1039])
def test_codes_are_drawn_dark_on_paper_and_are_truth(tmp_path: Path, seed: int) -> None:
    spec = CineSpec(seed=seed, frames=1, dress=Dress.CODES)
    truth = make_cine(spec, tmp_path / "codes.dcm")
    plain = make_cine(replace(spec, dress=Dress.PLAIN), tmp_path / "plain.dcm")
    (frame,) = read_frames(tmp_path / "codes.dcm")

    numbers = [i for i in truth.items if i.kind is PhiKind.IDENTIFIER and "banner" in i.name]

    assert numbers
    assert {item.text for item in numbers} <= {item.text for item in plain.items}
    for item in numbers:
        x0, y0, x1, y1 = item.box
        part = frame[y0:y1, x0:x1].reshape(y1 - y0, x1 - x0, -1)[..., 0]
        assert min(y1 - y0, x1 - x0) >= 24
        assert ((part < 40) | (part > 200)).all()
        assert 0.3 < (part < 40).mean() < 0.7
