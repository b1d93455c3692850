"""Measure what redaction alone costs and changes, for each transfer syntax and colour.

    python -m benchmarks.apply [FILE.dcm ...] --frames 30 --repeats 5 --json apply.json

Makes a moving cine, stores it in each form, fills three rectangles in every frame without a model,
and compares in one run, interleaved: our apply (one thread, and all cores); decoding and coding
every frame again with the same library; what pydicom's own calls do; a plain copy of the file. Then
the output is decoded by pydicom with every plug-in that it has, and by dcmtk where that is
installed, and compared with the source outside of the rectangles.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from benchmarks.forms import COLUMNS, FORMS, ROOT, ROWS, Form, write_form
from benchmarks.readers import exact_coefficients, exact_outside, what_readers_see
from benchmarks.redaction import Spent, plan_of, redact_file, timed
from pydicom.uid import UID

from cinescrub.dicom.source import Source, open_source
from cinescrub.pipeline import apply
from cinescrub.pixels.apply import fill_native, redact
from cinescrub.stream import usable_cores
from cinescrub.testing import CineSpec, Dynamic, make_cine
from cinescrub.testing.reader import read_frames
from cinescrub.types import MaskPlan

Samples = npt.NDArray[Any]
BOXES = np.array([[0, 0, 426, 40], [320, 240, 380, 252], [4, 440, 100, 460]], np.int32)
"""A banner, a label in the picture, a line below: 6 % of the frame."""


def main() -> int:
    options = _options()
    wanted = {"native": (True,), "coded": (False,), "files": (), None: (True, False)}
    forms = [form for form in FORMS if form.native in wanted[options.only]]
    with tempfile.TemporaryDirectory(prefix="apply-", dir=options.work) as scratch:
        work = Path(scratch)
        make_cine(
            CineSpec(
                seed=7, frames=options.frames, rows=ROWS, columns=COLUMNS, dynamic=Dynamic.STATIC
            ),
            work / "made.dcm",
        )
        drawn = list(read_frames(work / "made.dcm"))
        rows = []
        for form in forms:
            rows.append(_measure(form, drawn, work, options.repeats))
            print(_line(rows[-1]), flush=True)
    files = [_measure_file(path, options.repeats) for path in options.files]
    for row in files:
        print(f"{row['file']:60s} | {row['bytes']} B | {row['times_copy']} x", flush=True)
    result = {
        "machine": machine(),
        "frames": options.frames,
        "boxes": BOXES.tolist(),
        "rows": rows,
        "files": files,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="Also against a copy of these files.")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("native", "coded", "files"), help="Only these.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path)
    return parser.parse_args()


def _measure(form: Form, drawn: list[Samples], work: Path, repeats: int) -> dict[str, Any]:
    path, output = work / "in.dcm", work / "out.dcm"
    write_form(form, drawn, path)
    with open_source(path) as source:
        plan = plan_of(source, BOXES)
    cores = usable_cores(apply.MAX_WORKERS)
    ways: dict[str, Callable[[], Spent]] = {
        "ours": lambda: redact_file(path, output, plan),
        "ours, all cores": lambda: redact_file(path, output, plan, workers=cores),
        "pydicom": lambda: timed(lambda: _pydicom(form, path, work / "pydicom.dcm")),
        "copy": lambda: timed(lambda: shutil.copyfile(path, work / "copy.dcm")),
    }
    if not form.native:
        ways["again"] = lambda: timed(lambda: _again(form, path, work / "again.bin"))
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(repeats):  # interleaved, so that a drift of the machine hits all alike
        for name, way in ways.items():
            spent[name].append(way())
    redact_file(path, output, plan, check=True)
    with open_source(path) as source, open_source(output) as written:
        row = {
            "form": form.name,
            "syntax": source.transfer_syntax,
            "photometric": form.photometric,
            "same_syntax": source.transfer_syntax == written.transfer_syntax,
            "photometric_out": written.info.photometric,
            "bytes_in": path.stat().st_size,
            "bytes_out": output.stat().st_size,
            "buffers_per_frame": _buffers(source, plan),
            "exact_coefficients": exact_coefficients(source, written, plan, at_most=1),
        }
    cpu = {name: statistics.median(s.cpu for s in values) for name, values in spent.items()}
    wall = {name: statistics.median(s.wall for s in values) for name, values in spent.items()}
    frames = len(drawn)
    return row | {
        "frames_per_cpu_s": {name: round(frames / s, 1) for name, s in cpu.items()},
        "frames_per_wall_s": {name: round(frames / s, 1) for name, s in wall.items()},
        "cpu_s": {name: sorted(round(s.cpu, 4) for s in values) for name, values in spent.items()},
        "times_again": round(cpu["again"] / cpu["ours"], 2) if "again" in cpu else None,
        "times_copy": round(cpu["ours"] / cpu["copy"], 2),
        "exact": exact_outside(path, output, plan),
        "readers": what_readers_see(output, work),
    }


def _measure_file(path: Path, repeats: int) -> dict[str, Any]:
    """Compare redaction of a file, three rectangles of the same share, with its copy."""
    with tempfile.TemporaryDirectory(prefix="apply-") as folder, open_source(path) as source:
        info, target = source.info, Path(folder)
        shares = [info.columns / COLUMNS, info.rows / ROWS] * 2
        plan = plan_of(source, (BOXES * shares).astype(np.int32))
        spent: dict[str, list[float]] = {"ours": [], "copy": []}
        for _ in range(repeats):
            spent["ours"].append(redact_file(path, target / "out.dcm", plan).cpu)
            spent["copy"].append(timed(lambda: shutil.copyfile(path, target / "copy.dcm")).cpu)
    cpu_ms = {name: 1e3 * statistics.median(values) for name, values in spent.items()}
    return {
        "file": path.stem,
        "photometric": info.photometric,
        "frames": info.frames,
        "bytes": path.stat().st_size,
        "cpu_ms": {name: round(value, 3) for name, value in cpu_ms.items()},
        "times_copy": round(cpu_ms["ours"] / cpu_ms["copy"], 2),
    }


def _again(form: Form, path: Path, target: Path) -> None:
    """Decode, fill and code every frame with the library, and write the bytes."""
    if form.decode is None:
        raise ValueError("native frames are not coded")
    with open_source(path) as source, target.open("wb") as file:
        for frame in source.frames_in_order():
            samples = np.array(form.decode(bytes(frame)))
            for x0, y0, x1, y1 in BOXES:
                samples[y0:y1, x0:x1] = 0
            file.write(form.encode(samples))


def _pydicom(form: Form, path: Path, target: Path) -> None:
    """Decode, fill and save as pydicom's documentation does: natively where it has no encoder."""
    dataset = pydicom.dcmread(path)
    pixels = np.array(dataset.pixel_array)
    for x0, y0, x1, y1 in BOXES:
        pixels[..., y0:y1, x0:x1, :] = 0
        if form.gray:
            pixels[..., y0:y1, x0:x1] = 0
    if not form.native:
        dataset.decompress()
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if form.bits > 8 else "OB"
    if form.suffix in (".5", ".4.90"):
        dataset.compress(UID(ROOT + form.suffix), pixels)
    dataset.save_as(target)


def _buffers(source: Source, plan: MaskPlan) -> float:
    """Return the peak of what one frame allocates while it is redacted, in decoded frames."""
    info = source.info
    frame: Any = source.frame(0)
    if info.native:
        frame = bytearray(frame)
    tracemalloc.start()
    try:
        if info.native:
            fill_native(frame, info, plan.at(0))
        else:
            redact(frame, info, plan.at(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return round(peak / (ROWS * COLUMNS * info.samples * (info.bits_allocated // 8)), 2)


def _line(row: dict[str, Any]) -> str:
    rates = row["frames_per_cpu_s"]
    again = f"{rates['again']} ({row['times_again']} x)" if "again" in rates else ""
    readers = ", ".join(f"{name} {result}" for name, result in row["readers"].items())
    return " | ".join(
        [
            f"{row['form']:36s}",
            f"{rates['ours']:8.0f}",
            f"{again:>16s}",
            f"{rates['pydicom']:7.0f}",
            f"{rates['copy']:8.0f} ({row['times_copy']} x)",
            f"{row['bytes_out'] / row['bytes_in']:.3f}",
            f"{row['buffers_per_frame']:5.2f}",
            f"{100 * min(row['exact'].values()):.4f} %",
            "yes" if row["same_syntax"] else "no",
            readers,
        ]
    )


def machine() -> dict[str, Any]:
    names = ("cinescrub", "numpy", "imagecodecs", "pydicom", "python-gdcm", "pylibjpeg-libjpeg")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **{name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    sys.exit(main())
