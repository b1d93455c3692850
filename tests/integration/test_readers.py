"""Outputs in every transfer syntax and photometric interpretation, as other readers see them.

pydicom with each of its plug-ins and gdcm come with the test dependencies; dcmtk is asked where
its programs are installed.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from benchmarks.exact import faults, measure
from benchmarks.forms import Form, every, write_form

from cinescrub.pixels.registry import syntax_of

FORMS = {
    suffix: list(forms)
    for suffix, forms in groupby(every(), lambda form: form.suffix or "implicit")
}


def drawn() -> list[npt.NDArray[np.uint8]]:
    """Return two frames, R, G, B: steps, hard edges, noise."""
    generator = np.random.default_rng(4)
    steps = generator.integers(-9, 10, (2, 40, 64, 3)).cumsum(axis=2) + 128
    frames = steps.clip(0, 255).astype(np.uint8)
    frames[:, 4:9, 10:40] = 255
    return list(frames)


@pytest.mark.filterwarnings("ignore")  # of pydicom's plug-ins on odd depths
@pytest.mark.parametrize("suffix", FORMS)
def test_only_what_is_covered_changes_and_every_reader_opens_it(
    suffix: str, tmp_path: Path
) -> None:
    for form in FORMS[suffix]:
        write_form(form, drawn(), tmp_path / "in.dcm")

        row = measure(tmp_path / "in.dcm", tmp_path, made=True)

        assert "refused" not in row, (described(form), row)
        assert not faults(row), (described(form), row)
        assert any(result in ("same", "parses it") for result in row["readers"].values())


def described(form: Form) -> str:
    syntax = syntax_of("1.2.840.10008.1.2" + form.suffix).name
    return f"{syntax} {form.name} {form.photometric} {form.bits} bits"


def test_there_is_a_form_of_every_syntax_and_photometric_interpretation() -> None:
    """All that the registry takes, less what a syntax can't hold."""
    from cinescrub.pixels import registry

    made = {(form.suffix, form.photometric) for form in every()}
    for uid, syntax in registry._SUPPORTED.items():
        suffix = uid.removeprefix("1.2.840.10008.1.2")
        for photometric in registry._ALLOWED[syntax.family]:
            irreversible = photometric == "YBR_ICT" and "Lossless" in syntax.name
            assert irreversible or (suffix, photometric) in made, (syntax.name, photometric)
