"""How much of the machine's own text is kept on real files: settings, scales, labels, measurements.

    python -m benchmarks.machine_text LABELS.tsv FOLDER REPORT.jsonl

LABELS.tsv names, one line each, what was burned in and identifies nobody, as seen by eye: `file`
(its name), `frame`, `x0 y0 x1 y1` (ends exclusive) and, if it is to be printed, `text`, with these
words as its first line, separated by tabs. `benchmarks/machine_text.tsv` holds 257 on 15 real
stills and cines, without what they say, as not all of these files' licences are clear. FOLDER is
searched for the files, and REPORT.jsonl is what `cinescrub run --report` wrote of them. A line is
kept where at least 95 % of its ink is what it was; ink is what Otsu's threshold tells from the
ground in its box. Prints what was lost, then kept and all by file. A file without an output has
lost all of its lines.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cinescrub.testing.graphics import Canvas
from cinescrub.testing.reader import read_frames

KEPT_SHARE = 0.95
TOLERANCE = 8
"""Levels that a pixel may differ by and be unchanged: another decoder's rounding."""


@dataclass(frozen=True)
class Label:
    frame: int
    box: tuple[int, int, int, int]
    text: str

    @classmethod
    def of(cls, row: dict[str, str]) -> Label:
        x0, y0, x1, y1 = (int(row[name]) for name in ("x0", "y0", "x1", "y1"))
        return cls(int(row["frame"]), (x0, y0, x1, y1), row.get("text") or "")

    def is_kept(self, before: Canvas, after: Canvas) -> bool:
        x0, y0, x1, y1 = self.box
        was, now = before[y0:y1, x0:x1], after[y0:y1, x0:x1]
        luma = np.asarray(cv2.cvtColor(np.ascontiguousarray(was), cv2.COLOR_RGB2GRAY), np.uint8)
        level, _ = cv2.threshold(luma, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        ink = luma > level
        if 2 * ink.sum() > ink.size:
            ink = ~ink
        same = np.abs(was.astype(np.int16) - now).max(axis=2) <= TOLERANCE
        return bool(same[ink].mean() >= KEPT_SHARE)


def lost(labels: Sequence[Label], source: Path, output: Path | None) -> list[Label]:
    """Return the labels whose line was not kept."""
    if output is None:
        return list(labels)
    last = max(label.frame for label in labels) + 1
    before, after = (list(itertools.islice(read_frames(p), last)) for p in (source, output))
    return [one for one in labels if not one.is_kept(before[one.frame], after[one.frame])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("report", type=Path)
    options = parser.parse_args()
    by_file: dict[str, list[Label]] = {}
    with options.labels.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            by_file.setdefault(row["file"], []).append(Label.of(row))
    reports = [json.loads(line) for line in options.report.read_text().splitlines()]
    outputs = {Path(one["source"]).name: one.get("output") for one in reports if one.get("source")}
    sources = {path.name: path for path in options.folder.rglob("*") if path.name in by_file}
    kept = 0
    for name, labels in by_file.items():
        output = outputs.get(name)
        gone = lost(labels, sources[name], Path(output) if output else None)
        for label in gone:
            print("    lost", label.text, label.box)
        print(f"{len(labels) - len(gone)}/{len(labels)}  {name}")
        kept += len(labels) - len(gone)
    total = sum(map(len, by_file.values()))
    print(f"{kept}/{total} lines of {len(by_file)} files kept: {kept / max(1, total):.1%}")


if __name__ == "__main__":
    main()
