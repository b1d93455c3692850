"""Time the redaction of JPEG frames against what else could be done, in one run.

    python benchmarks/jpeg.py [FILE.dcm ...] [--repeat 7] [--out results/jpeg.json]

For each cine (pydicom's own real one and a made one, unless files are named), frame by frame and
on one core, with a banner over the whole width and six lines of text covered:

- apply: `pixels.apply.redact`, and `jpeg.redact` alone; the same with the pure core
- (a) decode, fill, encode again with libjpeg-turbo (imagecodecs), chroma sampled as in the source
- (b) pydicom's own path: `iter_pixels` with the plug-in it picks, fill; it has no JPEG encoder, so
  what it can write is uncompressed
- (c) copying a file of the same bytes

Milliseconds of CPU time a frame (the machine may be shared), medians over the repeats, which are
interleaved.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from unittest import mock

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.pixels.utils import iter_pixels

from cinescrub.dicom.source import open_source
from cinescrub.pixels import apply, jpeg, jpeg_core
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine
from cinescrub.types import CineInfo

MOST_FRAMES: Final = 60
QUALITY: Final = 90
SUBSAMPLING: Final = {(8, 8): "444", (16, 8): "422", (16, 16): "420", (8, 16): "440"}


@dataclass(frozen=True)
class Cine:
    """What is measured."""

    name: str
    path: Path
    info: CineInfo
    frames: list[bytes]
    rectangles: npt.NDArray[np.int32]


def read(path: Path, name: str) -> Cine:
    with open_source(path) as source:
        info = source.info
        frames = [bytes(source.frame(k)) for k in range(min(info.frames, MOST_FRAMES))]
    w, h = info.columns, info.rows
    lines = [(w // 40, y, w // 3, y + h // 40) for y in range(h // 8, h // 2, h // 16)][:6]
    rectangles = np.array([(0, 0, w, h // 12), *lines], np.int32)
    return Cine(name, path, info, frames, rectangles)


def fill(image: npt.NDArray[np.uint8], cine: Cine) -> None:
    for x0, y0, x1, y1 in cine.rectangles.tolist():
        image[y0:y1, x0:x1] = 0


def ways(cine: Cine, folder: Path) -> dict[str, Callable[[], int]]:
    """Return what is timed; each handles every frame and returns the bytes that it made."""
    sampling = SUBSAMPLING.get(jpeg.mcu_size(cine.frames[0], cine.info), "420")
    dataset = pydicom.dcmread(cine.path)
    plain = folder / "frames"
    plain.write_bytes(b"".join(cine.frames))

    def redact() -> int:
        return sum(len(apply.redact(f, cine.info, cine.rectangles)) for f in cine.frames)

    def core() -> int:
        return sum(len(jpeg.redact(f, cine.info, cine.rectangles)) for f in cine.frames)

    def pure() -> int:
        with mock.patch.object(jpeg_core, "COMPILED", False):
            return redact()

    def untouched() -> int:
        return sum(len(apply.clean(f, cine.info)) for f in cine.frames)

    def recode() -> int:
        size = 0
        for frame in cine.frames:
            image = imagecodecs.jpeg8_decode(frame)
            fill(image, cine)
            sampled = None if image.ndim == 2 else sampling
            size += len(imagecodecs.jpeg8_encode(image, QUALITY, subsampling=sampled))
        return size

    def with_pydicom() -> int:
        size = 0
        for image in iter_pixels(dataset, raw=True, indices=range(len(cine.frames))):
            writable = image if image.flags.writeable else image.copy()
            fill(writable, cine)
            size += len(writable.tobytes())
        return size

    def copy() -> int:
        shutil.copyfile(plain, folder / "copy")
        return plain.stat().st_size

    return {
        "apply": redact,
        "apply_jpeg_only": core,
        "apply_pure_core": pure,
        "untouched": untouched,
        "a_decode_encode": recode,
        "b_pydicom_uncompressed": with_pydicom,
        "c_file_copy": copy,
    }


def measure(cine: Cine, repeat: int) -> dict[str, Any]:
    count = len(cine.frames)
    with tempfile.TemporaryDirectory() as folder:
        acts = ways(cine, Path(folder))
        sizes = {name: act() for name, act in acts.items()}  # also the warm-up
        times: dict[str, list[float]] = {name: [] for name in acts}
        for n in range(repeat):
            for name, act in acts.items():
                if name == "apply_pure_core" and n >= 3:
                    continue
                begun = time.thread_time()
                act()
                times[name].append((time.thread_time() - begun) * 1e3 / count)
    medians = {name: statistics.median(values) for name, values in times.items()}
    of_input = sum(map(len, cine.frames))
    return {
        "name": cine.name,
        "size": f"{cine.info.columns}x{cine.info.rows}",
        "frames": count,
        "mean_frame_bytes": of_input // count,
        "mcu": "x".join(map(str, jpeg.mcu_size(cine.frames[0], cine.info))),
        "rectangles": len(cine.rectangles),
        "cpu_ms_per_frame": {name: round(value, 3) for name, value in medians.items()},
        "spread_ms": {
            name: [round(min(values), 3), round(max(values), 3)] for name, values in times.items()
        },
        "times_as_fast_as_decode_encode": round(medians["a_decode_encode"] / medians["apply"], 2),
        "times_as_fast_as_pydicom": round(medians["b_pydicom_uncompressed"] / medians["apply"], 2),
        "times_as_slow_as_copy": round(medians["apply"] / medians["c_file_copy"], 1),
        "output_bytes_of_input": {name: round(size / of_input, 3) for name, size in sizes.items()},
    }


@contextmanager
def default_cines() -> Iterator[list[Cine]]:
    real = Path(str(get_testdata_file("examples_ybr_color.dcm")))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.dcm"
        spec = CineSpec(
            seed=1,
            frames=8,
            rows=480,
            columns=640,
            syntax=Syntax.JPEG_BASELINE,
            photometric=Photometric.YBR_FULL_422,
        )
        make_cine(spec, made)
        yield [read(real, "pydicom examples_ybr_color"), read(made, "made")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # of the pure core, which is asked on purpose
    with default_cines() as cines:
        cines += [read(path, path.stem) for path in given.files]
        rows = [measure(cine, given.repeat) for cine in cines]
    report = {
        "core": jpeg_core.describe(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "versions": {n: metadata.version(n) for n in ("imagecodecs", "pydicom", "numpy")},
        "cines": rows,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
