"""Show what redaction alone changes, for each transfer syntax and photometric interpretation.

    python -m benchmarks.exact [FILE.dcm ...] --json exact.json

Makes a small cine in every form (`forms.every`), and takes the files that are named; fills three
rectangles in all frames but the last, without a model; and compares output and source:

- samples outside of the rectangles, by every decoder that pydicom has: 100 % wanted
- lossy JPEG: quantised coefficients outside of the covered MCUs, by a reader of our own for tests
- whether the frame that nothing covers has its bytes (but for comments and application segments,
  which go), and whether the transfer syntax is the same
- whether pydicom with each plug-in, gdcm and dcmtk open the output, and decode it alike
- output size against input size

Ends with status 1 where something is not as wanted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.apply import machine
from benchmarks.forms import every, write_form
from benchmarks.readers import exact_coefficients, exact_outside, opened, what_readers_see
from benchmarks.redaction import plan_of, redact_file

from cinescrub.dicom.source import Source, open_source
from cinescrub.errors import CinescrubError
from cinescrub.pixels import registry
from cinescrub.pixels.apply import clean
from cinescrub.testing import CineSpec, Dynamic, make_cine
from cinescrub.testing.reader import read_frames
from cinescrub.types import Boxes, MaskPlan

ROWS, COLUMNS, FRAMES = 120, 160, 4


def boxes(rows: int, columns: int) -> Boxes:
    """Return a banner, a label in the picture and a line below, in no step with any block."""
    shares = np.array([[0, 0, 0.66, 0.08], [0.5, 0.51, 0.61, 0.56], [0.01, 0.91, 0.15, 0.96]])
    scaled: Boxes = np.ceil(shares * [columns, rows, columns, rows]).astype(np.int32)
    return scaled


def partial_plan(source: Source) -> MaskPlan:
    """Return the plan that leaves the last of several frames alone."""
    info = source.info
    plan = plan_of(source, boxes(info.rows, info.columns))
    spans = plan.spans.copy()
    spans[:, 1] = max(1, info.frames - 1)
    return MaskPlan(plan.frames, plan.rows, plan.columns, plan.rectangles, spans)


def measure(path: Path, work: Path, *, made: bool) -> dict[str, Any]:
    """Redact a file and compare; a file that is refused gives a row that says why."""
    output = work / "out.dcm"
    try:
        with open_source(path) as source:
            registry.check(source.info)
            plan = partial_plan(source)
        redact_file(path, output, plan, check=True)
    except CinescrubError as error:
        return {"refused": str(error)}
    with open_source(path) as source, open_source(output) as written:
        info = source.info
        last = info.frames - 1
        row = {
            "syntax": registry.syntax_of(info.transfer_syntax).name,
            "syntax_out": registry.syntax_of(written.info.transfer_syntax).name,
            "photometric": info.photometric,
            "photometric_out": written.info.photometric,
            "bits": f"{info.bits_stored}{' signed' if info.signed else ''}",
            "frames": info.frames,
            "untouched_frame": _untouched(source, written) if last else None,
            "exact_coefficients": exact_coefficients(source, written, plan),
            "bytes_out_of_in": round(output.stat().st_size / path.stat().st_size, 3),
        }
    return row | {
        "exact_outside": exact_outside(path, output, plan),
        "readers": what_readers_see(output, work, wary=not made),
        "readers_of_the_source": what_readers_see(path, work, wary=not made),
    }


def _untouched(source: Source, written: Source) -> str:
    """Say what became of the last frame, which nothing covers."""
    last = source.info.frames - 1
    before, after = bytes(source.frame(last)), bytes(written.frame(last))
    if before == after:
        return "same bytes"
    cleaned = bytes(clean(before, source.info))
    return "same bytes, comments gone" if cleaned == after else "changed"


def faults(row: dict[str, Any]) -> list[str]:
    """Return what is not as wanted of a row."""
    found = []
    lossy = row["exact_coefficients"] is not None
    if lossy and row["exact_coefficients"] < 1:
        found.append("coefficients outside of covered MCUs changed")
    # Decoders interpolate subsampled chroma over a covered block's border; coefficients decide.
    for name, share in row["exact_outside"].items():
        smoothed = lossy and row["photometric"] != "RGB" and not name.endswith("luma")
        if share < 1 and not smoothed:
            found.append(f"{name}: samples outside of the rectangles changed")
    if row["syntax_out"] != row["syntax"] and "RPCL" not in row["syntax"]:
        found.append("another transfer syntax")
    if row["untouched_frame"] == "changed" and row["photometric"] != "YBR_ICT":
        found.append("an untouched frame changed")
    for name, result in row["readers"].items():
        before = row["readers_of_the_source"].get(name, "")
        if not opened(result) and result != "not installed" and opened(before):
            found.append(f"{name} {result}")
    return found


def rows_of(files: list[Path], work: Path) -> Iterator[dict[str, Any]]:
    make_cine(
        CineSpec(seed=7, frames=FRAMES, rows=ROWS, columns=COLUMNS, dynamic=Dynamic.STATIC),
        work / "made.dcm",
    )
    drawn = list(read_frames(work / "made.dcm"))
    for form in every():
        write_form(form, drawn, work / "in.dcm")
        yield {"source": f"made {form.name}".strip()} | measure(work / "in.dcm", work, made=True)
    for path in files:
        try:
            yield {"source": path.stem} | measure(path, work, made=False)
        except Exception as error:  # pydicom doesn't read all that we read
            yield {"source": path.stem, "not_compared": type(error).__name__}


def by_syntax(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a transfer syntax: how much of all its forms and files is as wanted."""
    compared = [row for row in rows if "faults" in row]
    found = []
    for syntax in dict.fromkeys(row["syntax"] for row in compared):
        own = [row for row in compared if row["syntax"] == syntax]
        made = [row for row in own if row["source"].startswith("made")]
        sizes = [row["bytes_out_of_in"] for row in own]
        found.append(
            {
                "syntax": syntax,
                "photometric": sorted({row["photometric"] for row in own}),
                "bits": sorted({row["bits"] for row in own}),
                "made": len(made),
                "files": len(own) - len(made),
                "frames": sum(row["frames"] for row in own),
                "exact": min(_exact(row) for row in own),
                "exact_by_worst_decoder": min(min(r["exact_outside"].values()) for r in own),
                "opened": {
                    reader: f"{sum(map(opened, results))} of {len(results)}"
                    for reader, results in _by_reader(own).items()
                },
                "bytes_out_of_in": [min(sizes), max(sizes)],
                "not_as_wanted": sum(bool(row["faults"]) for row in own),
            }
        )
    return found


def _exact(row: dict[str, Any]) -> float:
    """Return the share that counts: of coefficients in lossy JPEG, else of samples."""
    coefficients: float | None = row["exact_coefficients"]
    return min(row["exact_outside"].values()) if coefficients is None else coefficients


def _by_reader(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return what pydicom (any plug-in of it), gdcm and dcmtk made of the outputs."""
    readers = [row["readers"] for row in rows]
    return {
        "pydicom": [
            next((r for n, r in seen.items() if n.startswith("pydicom") and opened(r)), "fails")
            for seen in readers
        ],
        "gdcm": [seen["gdcm"] for seen in readers],
        "dcmtk": [seen["dcmtk"] for seen in readers],
    }


def line(row: dict[str, Any]) -> str:
    if "faults" not in row:
        why = row.get("refused") or f"not compared: {row['not_compared']} of pydicom on the source"
        return f"{row['source']} | {why}"
    readers = ", ".join(f"{name} {result}" for name, result in row["readers"].items())
    cells = [
        row["source"],
        f"{row['syntax']} {row['photometric']} {row['bits']}",
        f"{100 * min(row['exact_outside'].values(), default=0):.4f} %",
        "" if row["exact_coefficients"] is None else f"{100 * row['exact_coefficients']:.4f} %",
        f"{row['bytes_out_of_in']}",
        readers,
        "; ".join(row["faults"]) or "as wanted",
    ]
    return " | ".join(cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the headers of real files, by pydicom
    rows = []
    with tempfile.TemporaryDirectory(prefix="exact-") as scratch:
        for row in rows_of(options.files, Path(scratch)):
            if "readers" in row:
                row["faults"] = faults(row)
            rows.append(row)
            print(line(row), flush=True)
    wrong = sum(bool(row.get("faults")) for row in rows)
    left = sum("faults" not in row for row in rows)
    print(f"{len(rows)} forms and files: {left} refused or not compared, {wrong} not as wanted")
    if options.json:
        made = [row for row in rows if row["source"].startswith("made")]
        result = {"machine": machine(), "by_syntax": by_syntax(rows), "made": made}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
