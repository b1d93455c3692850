"""Written cines are valid, hold what was drawn, and can be read by others' decoders."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from cinescrub.errors import ConfigError
from cinescrub.testing import (
    CineSpec,
    Photometric,
    Syntax,
    draw_frames,
    make_cine,
    plan_drawing,
)
from cinescrub.testing.leaks import find_leaks
from cinescrub.testing.reader import read_frames

_BASE = CineSpec(seed=3, frames=3, rows=160, columns=200)


def _storable() -> list[CineSpec]:
    """Every combination of syntax, colour, planes and palette width that a spec allows."""
    specs = []
    for syntax in Syntax:
        for photometric in Photometric:
            for planar, bits in ((0, 8), (1, 8), (0, 16)):
                if bits == 16 and photometric is not Photometric.PALETTE:
                    continue
                try:
                    specs.append(
                        replace(
                            _BASE,
                            syntax=syntax,
                            photometric=photometric,
                            planar=planar,
                            palette_bits=bits,
                        )
                    )
                except ConfigError:
                    continue
    return specs


def _label(spec: CineSpec) -> str:
    return f"{spec.syntax.name}-{spec.photometric.name}-{spec.planar}-{spec.palette_bits}"


def _tolerance(spec: CineSpec) -> tuple[float, int]:
    """Largest mean and single difference of levels, with the reason for each."""
    if spec.syntax is Syntax.JPEG_BASELINE:
        # Quality 90; halved chroma blurs the edges of coloured text and flow.
        return 2.5, 200 if spec.photometric is Photometric.YBR_FULL_422 else 80
    if spec.photometric is Photometric.PALETTE:
        # 192 greys and a cube of 4 levels a channel, or 256 greys and 5 bits a channel.
        return (1.0, 43) if spec.palette_bits == 8 else (0.2, 9)
    if spec.photometric is Photometric.YBR_FULL_422:
        return 2.0, 200
    # A round trip through 8-bit YCbCr loses a level.
    return (0.1, 2) if spec.photometric is Photometric.YBR_FULL else (0.0, 0)


@pytest.mark.parametrize("spec", _storable(), ids=_label)
def test_other_decoders_read_what_was_drawn(spec: CineSpec, tmp_path: Path) -> None:
    path = tmp_path / "cine.dcm"

    make_cine(spec, path)

    drawn = np.stack(list(draw_frames(plan_drawing(spec)))).astype(int)
    if spec.photometric.gray:
        luma = (drawn @ np.array([0.299, 0.587, 0.114])).round().astype(int)
        drawn = np.repeat(luma[..., None], 3, axis=3)
    read = np.stack(list(read_frames(path))).astype(int)
    mean, most = _tolerance(spec)
    assert read.shape == drawn.shape
    assert np.abs(read - drawn).mean() <= mean
    assert np.abs(read - drawn).max() <= most


@pytest.mark.parametrize("spec", _storable(), ids=_label)
def test_every_planted_identifier_can_be_found_again(spec: CineSpec, tmp_path: Path) -> None:
    path = tmp_path / "cine.dcm"

    truth = make_cine(spec, path)

    assert len({plant.place for plant in truth.planted}) >= 40
    assert len({plant.needle for plant in truth.planted}) >= 40
    assert set(find_leaks(path, truth.planted)) == set(truth.planted)


def test_a_clean_file_holds_no_planted_identifier(tmp_path: Path) -> None:
    truth = make_cine(_BASE, tmp_path / "planted.dcm")
    make_cine(replace(_BASE, planted=False), tmp_path / "plain.dcm")

    assert find_leaks(tmp_path / "plain.dcm", truth.planted) == ()


@pytest.mark.parametrize("syntax", [Syntax.EXPLICIT_LITTLE, Syntax.DEFLATED, Syntax.JPEG_LS])
def test_one_spec_gives_one_file(syntax: Syntax, tmp_path: Path) -> None:
    spec = replace(_BASE, syntax=syntax)

    truths = [make_cine(spec, tmp_path / name) for name in ("first", "again")]
    make_cine(replace(spec, seed=4), tmp_path / "other")

    first, again, other = ((tmp_path / name).read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert first != other
    assert truths[0].planted == truths[1].planted


@pytest.mark.parametrize(("frames", "name"), [(1, "Ultrasound Image"), (2, "Ultrasound Multi")])
def test_the_class_says_how_many_frames(frames: int, name: str, tmp_path: Path) -> None:
    make_cine(replace(_BASE, frames=frames), tmp_path / "cine.dcm")

    dataset = pydicom.dcmread(tmp_path / "cine.dcm")

    assert dataset.SOPClassUID.name.startswith(name)
    assert int(dataset.get("NumberOfFrames", 1)) == frames
    assert dataset.Modality == "US"


def test_the_region_describes_the_insonified_part(tmp_path: Path) -> None:
    make_cine(_BASE, tmp_path / "cine.dcm")

    region = pydicom.dcmread(tmp_path / "cine.dcm").SequenceOfUltrasoundRegions[0]

    x0, y0, x1, y1 = plan_drawing(_BASE).region
    assert (region.RegionLocationMinX0, region.RegionLocationMinY0) == (x0, y0)
    assert (region.RegionLocationMaxX1, region.RegionLocationMaxY1) == (x1 - 1, y1 - 1)


def test_the_jpeg_streams_carry_a_comment_in_the_first_and_last_frame(tmp_path: Path) -> None:
    spec = replace(_BASE, syntax=Syntax.JPEG_BASELINE, frames=4)

    truth = make_cine(spec, tmp_path / "cine.dcm")

    comment = next(plant.needle for plant in truth.planted if plant.place == "jpeg:COM")
    assert (tmp_path / "cine.dcm").read_bytes().count(comment) == 2


_PEAK = """
import resource, sys
from pathlib import Path
from cinescrub.testing import CineSpec, Photometric, Syntax, VendorLook, make_cine
spec = CineSpec(
    frames=int(sys.argv[1]), rows=96, columns=128, look=VendorLook.SONOSITE,
    syntax=Syntax.EXPLICIT_LITTLE, photometric=Photometric.MONOCHROME2)
make_cine(spec, Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    def peak_kib(frames: int) -> int:
        command = [sys.executable, "-c", _PEAK, str(frames), str(tmp_path / "cine.dcm")]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    # 3,000 frames are 36 MB of pixels; what may grow is a list of pointers to the text's stamps.
    assert peak_kib(3000) - peak_kib(30) < 12 * 1024
