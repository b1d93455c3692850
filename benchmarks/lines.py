"""Score the decision on lines alone: what OCR made of drawn lines in, keep or redact out.

    python benchmarks/lines.py                                     score the stored readings
    python benchmarks/lines.py --make 4000 --seed 7 --out new.tsv  draw lines and read them anew
    python benchmarks/lines.py --sample lines.tsv                  draw and score lines of a file
    python benchmarks/lines.py --make 4000 --asked                 what one misreads it is asked for

Lines of `line_texts.py` are drawn with the faces of `cinescrub.testing` (more with `--font`), 8 to
24 px high, clean, blurred, dim, noisy, compressed, over speckle, and read by both recognisers, some
of them in several frames. The stored readings need no model. A row of the table is a way to read
and decide; recall is the share of identifying lines that go, kept that of clinical lines that stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from line_texts import clinical_text, phi_text  # type: ignore[import-not-found]  # beside this

from cinescrub.config import Policy
from cinescrub.policy.decide import Line, decide
from cinescrub.policy.identifiers import HeaderIdentifier, IdentifierMatcher
from cinescrub.policy.readings import Reading
from cinescrub.policy.settings import DecisionSettings
from cinescrub.policy.voting import compare, vote
from cinescrub.testing.fonts import TextStyle, draw_text
from cinescrub.types import PhiKind, Reason

if TYPE_CHECKING:
    from cinescrub.text.recognizer import Crop

STORED: Final = Path(__file__).resolve().parents[1] / "tests" / "data" / "line_readings.tsv"
READERS: Final = ("g2", "v6")
"""english_g2 and PP-OCRv6, as columns."""
COLUMNS: Final = (
    "line", "label", "group", "text", "name", "w", "h", "tier", "px",
    *(f"{reader}{part}" for reader in READERS for part in ("", "_conf", "_phi")),
)  # fmt: skip
FACES: Final = ("sans", "sans", "sans", "italic", "bitmap")
HEIGHTS: Final = (8, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14, 14, 16, 18, 20, 24)
TIERS: Final = (
    *("clean",) * 8, *("blur",) * 2, *("noise",) * 2, *("jpeg",) * 3, *("speckle",) * 3,
    *("dim",) * 2,
)  # fmt: skip
_MARGIN: Final = 24
_FRAME: Final = (600, 2000)
"""Rows and columns of the frame that lines are judged in."""
_PLACES: Final = {"picture": 300, "banner": 10}
"""Row of a line's upper edge."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """How lines are read and decided."""

    name: str
    readers: tuple[str, ...] = READERS
    policy: Policy = Policy.DEFAULT_DENY
    place: str = "picture"
    model: bool = True
    header: bool = False
    """Whether the person's name is in the file's header."""


WAYS: Final = (
    Way("english_g2 alone", ("g2",)),
    Way("PP-OCRv6 alone", ("v6",)),
    Way("both"),
    Way("both, name in the header", header=True),
    Way("both, in a banner", place="banner"),
    Way("both, phi-only", policy=Policy.PHI_ONLY),
    Way("both, phi-only, no model", policy=Policy.PHI_ONLY, model=False),
    Way("both, phi-only, name in the header", policy=Policy.PHI_ONLY, header=True),
)


def main() -> int:
    options = _options()
    if options.make or options.sample:
        drawn = _from_file(options.sample) if options.sample else _drawn(options.make, options.seed)
        rows = list(_read(drawn, options))
        if options.out:
            write(options.out, rows)
    else:
        rows = load(options.readings)
    results = {way.name: score(rows, way) for way in WAYS}
    print(f"{'':38}{'recall':>9}{'of':>7}{'kept':>9}{'of':>7}{'  kept, clean':>13}")
    for name, result in results.items():
        print(
            f"{name:38}{result['recall']:9.4f}{result['phi']:7}{result['kept']:9.4f}"
            f"{result['clinical']:7}{result['kept_by_tier'].get('clean', float('nan')):13.4f}"
        )
    if options.misses:
        for line in misses(rows, WAYS[2]):
            print(line)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def load(path: Path) -> list[Row]:
    """Read stored readings."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"))


def write(path: Path, rows: Iterable[Row]) -> None:
    """Store readings."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(
            stream, COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\",
            lineterminator="\n",
        )  # fmt: skip
        writer.writeheader()
        writer.writerows(rows)


def judge(looks: Sequence[Row], way: Way) -> Reason:
    """Return the decision on one line, seen in as many frames as there are rows."""
    first = looks[0]
    top, width, height = _PLACES[way.place], int(first["w"]), int(first["h"])
    readings: list[Reading] = []
    for row in looks:
        look = [
            Reading(row[r], float(row[f"{r}_conf"]), float(row[f"{r}_phi"]) if way.model else 0.0)
            for r in way.readers
        ]
        readings += compare(look, DecisionSettings())
    known = [HeaderIdentifier(PhiKind.PERSON, first["name"])] if way.header else []
    return decide(
        [Line(vote(readings), (100, top, 100 + width, top + height))],
        matcher=IdentifierMatcher(known),
        frame_size=_FRAME,
        policy=way.policy,
    ).reasons[0]


def score(rows: Sequence[Row], way: Way) -> dict[str, Any]:
    """Return recall and share kept, over all and by tier and group."""
    kept: dict[str, list[bool]] = defaultdict(list)
    gone: dict[str, list[bool]] = defaultdict(list)
    tiers: dict[str, list[bool]] = defaultdict(list)
    for looks in by_line(rows):
        label, group, tier = (looks[0][key] for key in ("label", "group", "tier"))
        stays = judge(looks, way) in (Reason.CLINICAL, Reason.NOT_PHI)
        if label == "phi":
            gone[group].append(not stays)
        else:
            kept[group].append(stays)
            tiers[tier].append(stays)
    return {
        "recall": _share([*chain.from_iterable(gone.values())]),
        "phi": sum(map(len, gone.values())),
        "kept": _share([*chain.from_iterable(kept.values())]),
        "clinical": sum(map(len, kept.values())),
        "kept_by_tier": {tier: _share(found) for tier, found in sorted(tiers.items())},
        "kept_by_group": {group: _share(found) for group, found in sorted(kept.items())},
        "recall_by_group": {group: _share(found) for group, found in sorted(gone.items())},
    }


def misses(rows: Sequence[Row], way: Way) -> Iterator[str]:
    """Yield what was decided wrongly."""
    for looks in by_line(rows):
        reason = judge(looks, way)
        stays = reason in (Reason.CLINICAL, Reason.NOT_PHI)
        if stays == (looks[0]["label"] == "phi"):
            row = looks[0]
            read = " | ".join(f"{row[r]} {row[f'{r}_conf']}" for r in way.readers)
            yield f"{reason:10} {row['group']:10} {row['tier']:8} {row['text']} -> {read}"


def by_line(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows of each line."""
    lines: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lines[row["line"]].append(row)
    yield from lines.values()


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else float("nan")


def _drawn(count: int, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield label, group, text and the header's name of drawn lines."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        if rng.random() < 0.5:
            text, group = clinical_text(rng)
            yield "clinical", group, text, ""
        else:
            text, group, who = phi_text(rng)
            yield "phi", group, text, f"{who.family}^{who.given}"


def _from_file(path: Path) -> Iterator[tuple[str, str, str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield "phi" if row["label"] == "PHI" else "clinical", row["kind"], row["text"], ""


def _read(drawn: Iterable[tuple[str, str, str, str]], options: argparse.Namespace) -> Iterator[Row]:
    """Draw lines and read them with the models of the bundle."""
    from cinescrub.bundle import Slot  # stored readings need no runtime
    from cinescrub.config import EngineConfig
    from cinescrub.runtime.session import open_session
    from cinescrub.text.deidentifier import Deidentifier
    from cinescrub.text.judge import Judge
    from cinescrub.text.recognizer import Recognizer, crop_lines

    models = options.models or EngineConfig().models
    slots = {"g2": Slot.RECOGNIZER, "v6": Slot.PPOCR_RECOGNIZER}
    readers = {name: Recognizer(open_session(models, slot)) for name, slot in slots.items()}
    scorer = Deidentifier(open_session(models, Slot.DEIDENTIFIER), models)
    rng = np.random.default_rng([options.seed, 1])
    faces = (*FACES, *map(str, options.font))
    rows: list[Row] = []
    crops: list[Crop] = []
    for number, (label, group, text, name) in enumerate(drawn):
        style = TextStyle(
            height_px=int(rng.choice(HEIGHTS)), face=str(rng.choice(faces)),
            bold=bool(rng.random() < 0.25), crisp=bool(rng.random() < 0.15),
            spacing_px=int(rng.random() < 0.15),
        )  # fmt: skip
        tier = str(rng.choice(TIERS))
        moving = tier in ("noise", "speckle") and rng.random() < 0.3
        for _ in range(4 if moving else 1):
            frame, box = draw_line(text, style, tier, rng)
            crops += crop_lines(frame, np.array([box], np.int32))
            size = {"w": str(box[2] - box[0]), "h": str(box[3] - box[1])}
            rows.append(
                {"line": str(number), "label": label, "group": group, "text": text, "name": name,
                 "tier": tier, "px": str(style.height_px), **size}
            )  # fmt: skip
    together = [[*readers.values()]] if options.asked else [[one] for one in readers.values()]
    keys = [str(i).encode() for i in range(len(crops))]
    found: list[tuple[Reading, ...]] = []
    for members in together:  # who reads alone has nobody to be asked by
        judge = Judge(members, scorer, matcher=IdentifierMatcher(), policy=Policy.DEFAULT_DENY)
        judge.read(dict(zip(keys, crops, strict=True)))
        found += zip(*map(judge.readings, keys), strict=True)
    for reader, readings in zip(readers, found, strict=True):
        for row, reading in zip(rows, readings, strict=True):
            row[reader] = " ".join(reading.text.split("\t"))
            row[f"{reader}_conf"] = f"{reading.confidence:.2f}"
            row[f"{reader}_phi"] = f"{reading.phi_score:.2f}"
    yield from rows


def draw_line(
    text: str, style: TextStyle, tier: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int, int]]:
    """Draw one line and a box around it as detectors give it, a little too large or too tight.

    Returns
    -------
    frame : (H, W, 1) uint8 array
    box : x0, y0, x1, y1
    """
    ink = draw_text(text, style).astype(np.float32) / 255
    high, wide = ink.shape
    if tier == "blur":
        spread = rng.uniform(0.5, 0.5 + style.height_px / 20)
        blurred = cv2.GaussianBlur(np.pad(ink, 4), (0, 0), spread)[4:-4, 4:-4]
        ink = np.asarray(blurred, np.float32)
    level = rng.uniform(50, 90) if tier == "dim" else float(rng.choice([255, 225, 200]))
    frame: npt.NDArray[np.float32] = np.full(
        (high + 2 * _MARGIN, wide + 2 * _MARGIN), rng.choice([0, 0, 8, 25]), np.float32
    )
    if tier == "speckle":
        grains = np.asarray(rng.rayleigh(1, frame.shape), np.float32)
        frame[:] = cv2.GaussianBlur(grains, (0, 0), 1.2) * rng.uniform(24, 72)
    part = frame[_MARGIN : _MARGIN + high, _MARGIN : _MARGIN + wide]
    part += (level - part) * ink
    if tier == "noise":
        frame += rng.standard_normal(frame.shape, np.float32) * np.float32(rng.uniform(8, 24))
    shown = np.clip(frame, 0, 255).astype(np.uint8)
    if tier == "jpeg":
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))]
        shown = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", shown, quality)[1], cv2.IMREAD_GRAYSCALE), np.uint8
        )
    left, right = rng.integers(-1, 4, 2)
    above, below = rng.integers(0, 1 + max(2, style.height_px // 4), 2)
    x0, y0 = _MARGIN - int(left), _MARGIN - int(above)
    x1, y1 = _MARGIN + wide + int(right), _MARGIN + high + int(below)
    return shown[..., None], (x0, y0, max(x1, x0 + 2), y1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Score the decision on lines alone")
    parser.add_argument("--readings", type=Path, default=STORED, help="stored readings")
    parser.add_argument("--make", type=int, default=0, help="draw this many lines and read them")
    parser.add_argument("--sample", type=Path, help="draw the lines of a table label, kind, text")
    parser.add_argument(
        "--asked", action="store_true", help="with --make: ask recognisers, as the engine does"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--font", type=Path, action="append", default=[], help="one more face")
    parser.add_argument("--models", type=Path, help="folder of the exported models")
    parser.add_argument("--out", type=Path, help="store the new readings here")
    parser.add_argument("--json", type=Path, help="store the results here")
    parser.add_argument("--misses", action="store_true", help="list what was decided wrongly")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
