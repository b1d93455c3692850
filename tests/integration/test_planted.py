"""Identifiers hidden in every place of the checklist, in every syntax: none is in an output."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.headers_only import scrub_headers

from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine
from cinescrub.testing.leaks import find_leaks

SYNTAXES = [
    (Syntax.EXPLICIT_LITTLE, Photometric.RGB),
    (Syntax.IMPLICIT_LITTLE, Photometric.MONOCHROME2),
    (Syntax.EXPLICIT_BIG, Photometric.PALETTE),
    (Syntax.DEFLATED, Photometric.RGB),
    (Syntax.RLE, Photometric.RGB),
    (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    (Syntax.JPEG_LS, Photometric.RGB),
    (Syntax.JPEG_2000_LOSSLESS, Photometric.YBR_RCT),
]


@pytest.mark.parametrize(
    ("syntax", "photometric"), SYNTAXES, ids=[syntax.name for syntax, _ in SYNTAXES]
)
def test_nothing_that_was_planted_is_in_the_output(
    tmp_path: Path, syntax: Syntax, photometric: Photometric
) -> None:
    spec = CineSpec(seed=7, frames=2, rows=96, columns=128, syntax=syntax, photometric=photometric)
    truth = make_cine(spec, tmp_path / "in.dcm")
    places = {plant.place for plant in truth.planted}
    assert len(places) >= 120
    assert {plant.place for plant in find_leaks(tmp_path / "in.dcm", truth.planted)} == places

    scrub_headers(tmp_path / "in.dcm", tmp_path / "out.dcm")

    assert find_leaks(tmp_path / "out.dcm", truth.planted) == ()


def test_fifty_patients_leave_nothing(tmp_path: Path) -> None:
    for seed in range(50):
        spec = CineSpec(
            seed=seed, frames=1, rows=96, columns=96, photometric=Photometric.MONOCHROME2
        )
        truth = make_cine(spec, tmp_path / "in.dcm")

        scrub_headers(tmp_path / "in.dcm", tmp_path / "out.dcm")

        assert find_leaks(tmp_path / "out.dcm", truth.planted) == ()
