"""Every real frame that can be handled: redacted where it is covered, the same elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.dicom.source import Source, open_source
from cinescrub.errors import InputError
from cinescrub.pixels.apply import redact, snap
from cinescrub.pixels.decode import Viewer, decode_stored
from cinescrub.pixels.native import fill_value
from cinescrub.pixels.registry import check, output_photometric, output_syntax
from cinescrub.types import CineInfo

pytestmark = pytest.mark.real

REFUSED = ("Process10_12", "Process2_4", "Process6_8", "OT-PAL-8")


def first_frames(source: Source) -> Iterator[bytes]:
    for index in range(0, source.info.frames, 40):
        yield bytes(source.frame(index))


def samples(frame: bytes, info: CineInfo) -> npt.NDArray[np.generic]:
    stored = decode_stored(frame, info)
    # Subsampled chroma is smoothed over the edges of covered blocks by decoders: luma is not.
    lossy = info.transfer_syntax.endswith(".4.50") and info.samples == 3
    return stored[..., :1] if lossy else stored


def test_real_frames_change_only_where_they_are_covered(real_dir: Path) -> None:
    handled = 0
    for path in sorted([*(real_dir / "us").glob("*.dcm"), *(real_dir / "ts").glob("*.dcm")]):
        if any(name in path.name for name in REFUSED):
            continue
        with open_source(path) as source:
            info = source.info
            frames = list(first_frames(source))
        check(info)
        target = replace(
            info, transfer_syntax=output_syntax(info), photometric=output_photometric(info)
        )
        w, h = info.columns, info.rows
        rectangles = np.array(
            [[0, 0, w, h // 12 + 1], [w // 3, h // 2, w // 2, h // 2 + 9]], np.int32
        )
        for frame in frames:
            Viewer(info).decode(frame, np.empty(Viewer(info).shape, np.uint8))
            covered = np.zeros((h, w), np.bool_)
            for x0, y0, x1, y1 in snap(frame, info, rectangles).tolist():
                covered[y0:y1, x0:x1] = True
            before = samples(frame, info)

            after = samples(bytes(redact(frame, info, rectangles)), target)

            black = np.array(fill_value(info)).astype(after.dtype)[
                : after.reshape(h, w, -1).shape[2]
            ]
            assert (after.reshape(h, w, -1)[covered] == black).all(), path.name
            assert np.array_equal(after[~covered], before[~covered]), path.name
        handled += 1
    assert handled >= 80


def test_real_12_bit_lossy_jpeg_is_refused_by_the_header(real_dir: Path) -> None:
    (path,) = (real_dir / "ts").glob("*JPEGProcess2_4*")

    with open_source(path) as source, pytest.raises(InputError, match="more than 8 bits"):
        check(source.info)
