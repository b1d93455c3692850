"""Memory does not depend on the number of frames: the same cine, short and long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

_MIB = 2**20
_FRAME_BYTES = 240 * 320 * 3
_SCRIPT = """
import sys
from pathlib import Path

from cinescrub.pipeline.engine import Targets
from cinescrub.stream import CancelToken
from cinescrub.telemetry import peak_memory_bytes
from tests.integration.conftest import Silent, make_engine

report = make_engine().run(
    Path(sys.argv[1]), Targets.open(Path(sys.argv[2]), []), token=CancelToken(), observer=Silent()
)
assert report.status == "ok", report.reason
assert len(report.rectangles) > 0
print(peak_memory_bytes())
"""


def _peak_bytes(cine: Path, out: Path) -> int:
    """Run the whole job in a process of its own and return its largest resident size."""
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(cine), str(out)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(run.stdout)


@pytest.mark.parametrize(
    ("syntax", "photometric"),
    [
        (Syntax.EXPLICIT_LITTLE, Photometric.RGB),
        (Syntax.DEFLATED, Photometric.RGB),
        (Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    ],
    ids=["native", "deflated", "jpeg"],
)
def test_a_long_cine_takes_no_more_memory_than_a_short_one(
    tmp_path: Path, syntax: Syntax, photometric: Photometric
) -> None:
    peaks = {}
    for frames in (8, 90):
        spec = CineSpec(
            seed=4, frames=frames, rows=240, columns=320, syntax=syntax, photometric=photometric
        )
        make_cine(spec, tmp_path / f"{frames}.dcm")

        peaks[frames] = _peak_bytes(tmp_path / f"{frames}.dcm", tmp_path / f"out{frames}")

    # Held decoded, 82 more frames would be 18 MiB; allocators and mapped pages vary by a few.
    assert 82 * _FRAME_BYTES > 18 * _MIB
    assert peaks[90] - peaks[8] < 9 * _MIB
