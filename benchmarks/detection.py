"""Measure what the detectors miss, by kind of text, enlargement and threshold, and what they cost.

    python benchmarks/detection.py --seeds 2 --json detection.json

Draws frames with every kind of text that scanners burn in, with exact truth, runs the detectors as
the engine does (words to lines, lines padded by `masks.padded`), and counts an item as found when
at least 95 % of its ink lies in what would be filled. Cost is CPU seconds of this process a
megapixel of the frame; `fill` is the area that would be filled in units of that of the items'
boxes; `bare` counts the items whose ink the boxes hold as they come, before any padding.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cinescrub import geometry
from cinescrub.bundle import Contract, Slot, default_models_dir
from cinescrub.masks import padded
from cinescrub.runtime.session import Model, open_session
from cinescrub.testing.fonts import BITMAP, Coverage, TextStyle, draw_text, outline_of
from cinescrub.testing.speckle import Probe, Scene, scene_frames
from cinescrub.text.dbnet import DbDetector, DbSettings
from cinescrub.text.detector import CraftDetector, DetectorSettings
from cinescrub.types import Boxes, Frame

FOUND = 0.95
"""Share of an item's ink that has to be covered; `shared` scoring of real files allows 5 % too."""
INK = 64
"""Coverage of 255 from which a pixel is ink."""
LINE_GAP = 0.8
"""As the engine joins words to lines (`text.inspect`)."""
DB = DbSettings()
PUBLISHED = DbSettings(threshold=0.3, box_threshold=0.5)
"""RapidOCR's."""
SIZES = ("640x480", "320x240", "800x600", "1024x768")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of text."""

    name: str
    heights: tuple[int, int] = (11, 17)
    words: str = "any"
    """`any`, `one` (a single letter), `two` (initials) or `short`."""
    rotation: int = 0
    spacing: int = 0
    contrast: int = 0
    """Levels between text and background; 0 is what the colour gives."""
    face: str = "sans"
    ground: str = "screen"
    """`screen`, `bar` (dark on a bright bar), `white` (dark on white), `tissue`, `edge`."""
    rim: bool = False


KINDS = (
    Kind("plain"),
    Kind("small", (8, 10)),
    Kind("dots", (7, 7), face=BITMAP),
    Kind("dots x2", (14, 14), face=BITMAP),
    Kind("large", (28, 44), "short"),
    Kind("huge", (58, 62), "two"),
    Kind("dim", contrast=40),
    Kind("bar", ground="bar"),
    Kind("white", ground="white"),
    Kind("edge", ground="edge"),
    Kind("turned 90", rotation=90),
    Kind("turned 180", rotation=180),
    Kind("turned 270", rotation=270),
    Kind("turned small", (8, 10), "short", rotation=90),
    Kind("spaced", spacing=6),
    Kind("one letter", words="one"),
    Kind("one small", (8, 10), "one"),
    Kind("initials", words="two"),
    Kind("initials small", (8, 10), "two"),
    Kind("initials dim", words="two", contrast=40),
    Kind("tissue", ground="tissue"),
    Kind("tissue small", (9, 11), ground="tissue"),
    Kind("tissue rim", ground="tissue", rim=True),
    Kind("tissue faint", ground="tissue", contrast=70),
    Kind("tissue initials", words="two", ground="tissue"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One text in a frame."""

    kind: str
    text: str
    box: tuple[int, int, int, int]
    ink: npt.NDArray[np.bool_] = field(repr=False)
    """Of the box."""


class Sheet:
    """A frame that is filled with one item of each kind, as far as there is room."""

    def __init__(self, rows: int, columns: int, seed: int, kinds: Sequence[Kind] = KINDS) -> None:
        self.rng = np.random.default_rng([seed, rows, columns])
        self.items: list[Item] = []
        level = int(self.rng.choice([0, 0, 12, 30]))
        self.frame = np.full((rows, columns, 3), level, np.uint8)
        self._taken = np.zeros((rows, columns), np.bool_)
        self._tissue = self._draw_tissue(seed)
        for kind in sorted(kinds, key=lambda k: -k.heights[1]):
            self._put(kind)
        if seed % 2:
            quality = int(self.rng.integers(60, 96))
            coded = cv2.imencode(".jpg", self.frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            self.frame = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

    def _draw_tissue(self, seed: int) -> tuple[int, int, int, int]:
        rows, columns = self.frame.shape[:2]
        height, width = round(rows * 0.5), round(columns * 0.5)
        y, x = round(rows * 0.3), round(columns * 0.25)
        probe = (Probe.LINEAR, Probe.CONVEX)[seed % 2]
        gain = float(self.rng.choice([0.7, 1.0, 1.8]))
        scene = Scene(height, width, probe=probe, seed=seed, gain=gain)
        picture = next(scene_frames(scene))
        part = self.frame[y : y + height, x : x + width]
        np.maximum(part, picture[..., None], out=part)
        return x, y, x + width, y + height

    def _put(self, kind: Kind) -> None:
        height = int(self.rng.integers(kind.heights[0], kind.heights[1] + 1))
        text = _words(kind.words, self.rng)
        face = (
            kind.face if kind.face == BITMAP else str(self.rng.choice(["sans", "sans", "italic"]))
        )
        style = TextStyle(
            height_px=height,
            face=face,
            bold=bool(self.rng.random() < 0.25) and face != BITMAP,
            spacing_px=kind.spacing,
            rotation=kind.rotation,
            crisp=bool(self.rng.random() < 0.3) and height > 9,
        )
        coverage = draw_text(text, style)
        place = self._place(coverage.shape, kind)
        if place is None:
            return
        x, y = place
        self._draw(coverage, x, y, kind)
        h, w = coverage.shape
        self.items.append(Item(kind.name, text, (x, y, x + w, y + h), coverage >= INK))

    def _place(self, size: tuple[int, ...], kind: Kind) -> tuple[int, int] | None:
        rows, columns = self._taken.shape
        h, w = size
        x0, y0, x1, y1 = self._tissue if kind.ground == "tissue" else (4, 4, columns - 4, rows - 4)
        for _ in range(300):
            if x1 - x0 <= w or y1 - y0 <= h:
                return None
            x, y = int(self.rng.integers(x0, x1 - w)), int(self.rng.integers(y0, y1 - h))
            if kind.ground == "edge":
                side = int(self.rng.integers(4))
                x, y = ((0, y), (x, 0), (columns - w, y), (x, rows - h))[side]
            gap = max(10, round(0.9 * min(h, w)))  # further than words of one line
            near = self._taken[max(0, y - gap) : y + h + gap, max(0, x - gap) : x + w + gap]
            if not near.any() and (kind.ground == "tissue" or not self._on_tissue(x, y, w, h)):
                self._taken[y : y + h, x : x + w] = True
                return x, y
        return None

    def _on_tissue(self, x: int, y: int, w: int, h: int) -> bool:
        x0, y0, x1, y1 = self._tissue
        return x < x1 and x + w > x0 and y < y1 and y + h > y0

    def _draw(self, coverage: Coverage, x: int, y: int, kind: Kind) -> None:
        h, w = coverage.shape
        part = self.frame[y : y + h, x : x + w].astype(np.float32)
        colour = np.array(_COLOURS[int(self.rng.integers(len(_COLOURS)))], np.float32)
        if kind.ground in ("bar", "white"):
            bright = 255 if kind.ground == "white" else int(self.rng.integers(120, 220))
            pad = 4 if kind.ground == "bar" else 14
            panel = self.frame[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
            panel[:] = bright
            part, colour = np.full_like(part, bright), np.array((10, 10, 10), np.float32)
        if kind.contrast:
            colour = part.mean(axis=(0, 1)) + kind.contrast
        if kind.rim:
            around = np.pad(part, ((1, 1), (1, 1), (0, 0)), mode="edge")
            dark = outline_of(coverage)[..., None] / 255 > 0.5
            part = np.where(dark, 0, around)[1:-1, 1:-1]
        share = coverage[..., None] / np.float32(255)
        self.frame[y : y + h, x : x + w] = np.rint(part * (1 - share) + colour * share)


_COLOURS = (
    (235, 235, 235), (235, 235, 235), (255, 255, 255), (240, 230, 60), (90, 220, 240),
    (110, 240, 110), (250, 160, 60), (180, 180, 180), (240, 90, 90), (120, 150, 255),
)  # fmt: skip
_NAMES = ("SMITH", "Okonkwo", "LI", "Müller", "García", "ABERNATHY", "Ito", "kowalski", "DOE", "Ng")
_GIVEN = ("JOHN", "Wei", "Zoë", "MIN", "Jane", "Agnès", "BJÖRN", "Jo", "J.", "Amelie")


def _words(kind: str, rng: np.random.Generator) -> str:
    letters = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
    if kind == "one":
        return str(rng.choice(list(letters + "IP27")))
    if kind == "two":
        return "".join(rng.choice(list(letters), 2))
    name = f"{rng.choice(_NAMES)}, {rng.choice(_GIVEN)}"
    if kind == "short":
        return str(rng.choice([*_NAMES, "MRN 40213", "1971"]))
    return str(
        rng.choice(
            [
                name,
                f"MRN{rng.integers(10**6, 10**7)}",
                f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1930, 2020)}",
                f"St. {rng.choice(_GIVEN)} Hospital",
                f"{rng.integers(1, 13)}:{rng.integers(10, 60)}:{rng.integers(10, 60)} PM",
                f"ID: {rng.integers(10**4, 10**6)}",
                f"{name}  {rng.integers(18, 99)}Y",
            ]
        )
    )


class Remembering:
    """A model that gives the same maps again for the same tiles, and notes what they cost."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._maps: dict[bytes, npt.NDArray[np.float32]] = {}
        self.seconds = 0.0

    @property
    def contract(self) -> Contract:
        return self._model.contract

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        (tile,) = inputs.values()
        key = tile.shape.__repr__().encode() + tile.tobytes()
        if key not in self._maps:
            start = time.process_time()
            self._maps[key] = self._model.run(inputs)
            self.seconds += time.process_time() - start
        return self._maps[key]

    def forget(self) -> None:
        self._maps.clear()


@dataclass(frozen=True, slots=True)
class Way:
    """One detector at one enlargement and with one setting."""

    detector: str
    scale: float
    craft: DetectorSettings | None = None
    db: DbSettings = DB
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.detector} x{self.scale:g}{' ' + self.note if self.note else ''}"

    def boxes(self, net: Model, frame: Frame) -> Boxes:
        detector = (
            CraftDetector(net, self.craft) if self.detector == "craft" else DbDetector(net, self.db)
        )
        return detector.detect(frame[None], scale=self.scale)[0].xyxy


@dataclass(slots=True)
class Tally:
    """What one way, or several together, found."""

    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    total: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ink: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    bare: int = 0
    filled: int = 0
    text: int = 0
    boxes: int = 0

    def add(self, sheet: Sheet, boxes: Boxes, name: str) -> None:
        rows, columns = sheet.frame.shape[:2]
        filled = painted(padded(lines_of(boxes), rows=rows, columns=columns), rows, columns)
        bare = painted(boxes, rows, columns)
        self.boxes += len(boxes)
        self.filled += int(filled.sum())
        for item in sheet.items:
            x0, y0, x1, y1 = item.box
            share = float(filled[y0:y1, x0:x1][item.ink].mean())
            self.bare += float(bare[y0:y1, x0:x1][item.ink].mean()) >= FOUND
            self.ink.append(share)
            self.total[item.kind] += 1
            self.found[item.kind] += share >= FOUND
            self.text += (x1 - x0) * (y1 - y0)
            if share < FOUND:
                self.missed.append(f"{name} {item.kind} {item.text!r} {item.box} {share:.2f}")

    def row(self) -> dict[str, Any]:
        found, total = sum(self.found.values()), sum(self.total.values())
        return {
            "found": found,
            "items": total,
            "ink_share": round(float(np.mean(self.ink)), 4),
            "bare": self.bare,
            "fill": round(self.filled / self.text, 3),
            "boxes": self.boxes,
            "by_kind": {k: [self.found[k], n] for k, n in sorted(self.total.items())},
            "missed": self.missed,
        }


def painted(boxes: Boxes, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    filled = np.zeros((rows, columns), np.bool_)
    for x0, y0, x1, y1 in boxes:
        filled[y0:y1, x0:x1] = True
    return filled


def lines_of(boxes: Boxes) -> Boxes:
    """Join words to lines as `text.inspect` does."""
    xyxy = geometry.merge_overlapping(boxes)
    return geometry.as_boxes(
        [
            np.concatenate([xyxy[m, :2].min(axis=0), xyxy[m, 2:].max(axis=0)])
            for m in geometry.group_lines(xyxy, gap=LINE_GAP)
        ]
    )


def sheets(seeds: int, sizes: Sequence[str]) -> Iterator[tuple[str, Sheet]]:
    for seed, size in itertools.product(range(seeds), sizes):
        columns, rows = (int(side) for side in size.split("x"))
        yield f"{size}/{seed}", Sheet(rows, columns, seed)


def measure(
    ways: Sequence[Way],
    unions: Mapping[str, Sequence[str]],
    frames: Iterator[tuple[str, Sheet]],
    models: Path,
) -> dict[str, Any]:
    slots = {"craft": Slot.CRAFT, "ppocr": Slot.PPOCR_DETECTOR}
    used = {way.detector for way in ways}
    nets = {n: Remembering(open_session(models, s)) for n, s in slots.items() if n in used}
    tallies: dict[str, Tally] = defaultdict(Tally)
    seconds: dict[str, float] = defaultdict(float)
    megapixels = 0.0
    for name, sheet in frames:
        megapixels += sheet.frame.shape[0] * sheet.frame.shape[1] / 1e6
        boxes: dict[str, Boxes] = {}
        for way in ways:
            net = nets[way.detector]
            before = net.seconds
            boxes[way.name] = way.boxes(net, sheet.frame)
            seconds[f"{way.detector} x{way.scale:g}"] += net.seconds - before
            tallies[way.name].add(sheet, boxes[way.name], name)
        for union, members in unions.items():
            joined = np.concatenate([boxes[m] for m in members])
            tallies[union].add(sheet, joined, name)
        for net in nets.values():
            net.forget()
    return {
        "megapixels": round(megapixels, 3),
        "cpu_seconds_a_megapixel": {k: round(s / megapixels, 2) for k, s in seconds.items()},
        "ways": {name: tally.row() for name, tally in tallies.items()},
    }


def table(result: Mapping[str, Any]) -> str:
    ways = result["ways"]
    kinds = sorted({kind for row in ways.values() for kind in row["by_kind"]})
    lines = [f"{'':46}{'found':>10}{'bare':>6}{'ink %':>8}{'fill':>7}"]
    for name, row in ways.items():
        share = f"{row['found']}/{row['items']}"
        lines.append(
            f"{name:46}{share:>10}{row['bare']:6}{100 * row['ink_share']:8.2f}{row['fill']:7.2f}"
        )
    lines += ["", "missed, by kind:"]
    for kind in kinds:
        missed = {
            n: r["by_kind"][kind][1] - r["by_kind"][kind][0]
            for n, r in ways.items()
            if kind in r["by_kind"]
        }
        told = ", ".join(f"{n} {m}" for n, m in missed.items() if m)
        total = max(r["by_kind"].get(kind, [0, 0])[1] for r in ways.values())
        lines.append(f"  {kind:18}{total:4}  {told or '-'}")
    lines += ["", "CPU seconds a megapixel:"]
    lines += [f"  {k:16}{v:8.2f}" for k, v in result["cpu_seconds_a_megapixel"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--detectors", nargs="+", default=["craft", "ppocr"])
    parser.add_argument("--scales", nargs="+", type=float, default=[1.0, 1.5, 2.0])
    parser.add_argument("--models", type=Path, default=default_models_dir())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ways = [Way(d, s) for d in options.detectors for s in options.scales]
    if "ppocr" in options.detectors:
        ways += [Way("ppocr", s, db=PUBLISHED, note="published") for s in options.scales]
    names = [way.name for way in ways]
    wanted = [
        ["ppocr x1", "ppocr x2"],
        ["craft x1", "ppocr x1"],
        ["craft x1", "ppocr x1", "ppocr x2"],
        ["craft x1", "craft x1.5", "ppocr x1", "ppocr x2"],
    ]
    unions = {" + ".join(u): u for u in wanted if set(u) <= set(names)}
    result = measure(ways, unions, sheets(options.seeds, options.sizes), options.models)
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
