"""Whether adaptive inspection redacts all that a look at every frame redacts, on files.

    python -m benchmarks.superset FILE.dcm ... [--frames 24] [--json superset.json]

Runs both modes on each multi-frame file and compares what was filled, pixel for pixel. A cine with
more frames is cut to `--frames` of them, spread from the first to the last (0: never cut); that
makes it move faster than it did, which is harder on adaptive inspection. `missing` counts the
pixels of one frame that every-frame filled and adaptive did not; `strips` those of them within
four pixels of what adaptive filled: the rims of boxes that detectors drew a little wider in another
frame; `beyond` the rest, and `beyond_boxes` says where.

Ends with status 1 where `beyond` is not 0, or an input has no output in one mode only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import encapsulate, generate_frames

from cinescrub import Engine, EngineConfig, FileReport, InspectMode
from cinescrub.bench.machine import machine

STRIP_PX = 4


def cut(path: Path, folder: Path, count: int) -> tuple[Path, int, int]:
    """Return a file with at most `count` frames of this one, and how many there are and were."""
    data = pydicom.dcmread(path)
    frames = int(data.get("NumberOfFrames") or 1)
    if not count or frames <= count:
        return path, frames, frames
    chosen = np.linspace(0, frames - 1, count).round().astype(int)
    if data.file_meta.TransferSyntaxUID.is_encapsulated:
        coded = list(generate_frames(data.PixelData, number_of_frames=frames))
        data.PixelData = encapsulate([coded[i] for i in chosen])
    else:
        size = len(data.PixelData) // frames
        data.PixelData = b"".join(data.PixelData[i * size : (i + 1) * size] for i in chosen)
    data.NumberOfFrames = count
    if "FrameTimeVector" in data:
        data.FrameTimeVector = [data.FrameTimeVector[i] for i in chosen]
    data.save_as(folder / path.name)
    return folder / path.name, count, frames


def filled(report: FileReport, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Return what was filled, in every frame alike: a place goes in all of a cine."""
    mask = np.zeros((rows, columns), np.bool_)
    for x0, y0, x1, y1 in report.rectangles:
        mask[y0:y1, x0:x1] = True
    return mask


def measure(path: Path, count: int) -> dict[str, Any]:
    """Run a file in both modes."""
    with tempfile.TemporaryDirectory() as work:
        source, frames, of = cut(path, Path(work), count)
        header = pydicom.dcmread(source, stop_before_pixels=True)
        row: dict[str, Any] = {"file": path.name, "frames": frames, "of": of}
        found: dict[InspectMode, npt.NDArray[np.bool_]] = {}
        for mode in (InspectMode.ADAPTIVE, InspectMode.EVERY_FRAME):
            start = time.process_time()
            with Engine.open(EngineConfig(inspect=mode)) as engine:
                report = engine.run(source, Path(work) / mode.value)
            row[mode.value] = {
                "status": report.status.value,
                "cpu_s": round(time.process_time() - start, 1),
                "rectangles": len(report.rectangles),
            }
            found[mode] = filled(report, int(header.Rows), int(header.Columns))
            row[mode.value]["pixels"] = int(found[mode].sum())
    missing = found[InspectMode.EVERY_FRAME] & ~found[InspectMode.ADAPTIVE]
    around = np.ones((2 * STRIP_PX + 1,) * 2, np.uint8)
    near = cv2.dilate(found[InspectMode.ADAPTIVE].astype(np.uint8), around) > 0
    rest = missing & ~near
    row |= {"missing": int(missing.sum()), "strips": int((missing & near).sum())}
    return row | {"beyond": int(rest.sum()), "beyond_boxes": boxes_of(rest)}


def boxes_of(mask: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Return the boxes around the connected parts of a mask: x0, y0, x1, y1."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    parts = np.asarray(stats)[1:].tolist()
    return [[x, y, x + width, y + height] for x, y, width, height, _ in parts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for path in options.files:
        if int(pydicom.dcmread(path, stop_before_pixels=True).get("NumberOfFrames") or 1) > 1:
            rows.append(measure(path, options.frames))
            print(json.dumps(rows[-1]), flush=True)
            if options.json:
                result = {"machine": machine(), "files": rows}
                options.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(row["beyond"] or differs(row) for row in rows))


def differs(row: dict[str, Any]) -> bool:
    return len({row[mode.value]["status"] for mode in InspectMode}) > 1


if __name__ == "__main__":
    sys.exit(main())
