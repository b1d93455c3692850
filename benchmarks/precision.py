"""Compare a model's variants with their base: time, scores, what they find, and whole runs.

    python benchmarks/precision.py --models DIR --seeds 3 --json precision-cpu.json

Takes the variants in the bundle (`cinescrub export craft --precision int8`). Times are CPU and
wall milliseconds a run, the least of several, variants in turn. Scores are compared where a
threshold of the detector cuts them. What is found is counted as in the export's own gate, on frames
of other seeds, as they are and enlarged. Whole runs are `cinescrub bench throughput`, in turn too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cinescrub.bench.machine import machine
from cinescrub.bundle import MODEL_FILE, Precision, Slot, default_models_dir, folder_of, listed
from cinescrub.config import Provider
from cinescrub.runtime.precision import exact_int8
from cinescrub.runtime.session import Session, open_session
from cinescrub.text.dbnet import DbDetector
from cinescrub.text.detector import CraftDetector, DetectorSettings
from cinescrub_export.gate import Shown, found_items, shown_frames

SEED = 9_000_000
"""Of no gate, no calibration and no recipe."""
SETTINGS = DetectorSettings()
CUTS = ((0, SETTINGS.text_threshold), (0, SETTINGS.low_text), (1, SETTINGS.link_threshold))
DETECTORS = {Slot.CRAFT: CraftDetector, Slot.PPOCR_DETECTOR: DbDetector}


def opened(models: Path, slot: Slot, precision: Precision, threads: int = 0) -> Session:
    return open_session(models, slot, precision=precision, provider=Provider.CPU, threads=threads)


def timed(models: Path, slot: Slot, variants: Sequence[Precision], repeats: int) -> dict[str, Any]:
    """Time a model's variants, one thread, in turn."""
    sessions, rows = {}, {}
    for precision in variants:
        start = time.perf_counter()
        sessions[precision] = opened(models, slot, precision, threads=1)
        rows[precision.value] = {
            "bytes": (folder_of(models, slot, precision) / MODEL_FILE).stat().st_size,
            "load_s": round(time.perf_counter() - start, 3),
            "cpu_ms": float("inf"),
            "wall_ms": float("inf"),
        }
    given = sample(slot)
    for _ in range(repeats):
        for precision, session in sessions.items():
            cpu, wall = time.process_time(), time.perf_counter()
            session.run({session.contract.inputs[0].name: given})
            row = rows[precision.value]
            row["cpu_ms"] = min(row["cpu_ms"], round(1000 * (time.process_time() - cpu), 1))
            row["wall_ms"] = min(row["wall_ms"], round(1000 * (time.perf_counter() - wall), 1))
    return {"input": list(given.shape), "variants": rows}


def sample(slot: Slot) -> npt.NDArray[np.uint8]:
    if slot in DETECTORS:
        return next(shown_frames(SEED, size=(480, 640))).frame[None]
    height = 48 if slot is Slot.PPOCR_RECOGNIZER else 64
    lines = np.random.default_rng(1).integers(0, 256, (16, height, 320, 1))
    return lines.astype(np.uint8)


def agreement(base: Session, variant: Session, frames: Sequence[Shown]) -> dict[str, Any]:
    """Compare score maps, raised as the variant's contract says."""
    raised = float(variant.contract.preprocessing.get("scores_raised", 0.0))
    mean, most, flipped, above = [], 0.0, 0, 0
    for shown in frames:
        frame = shown.frame[None]
        frame = frame[:, : frame.shape[1] // 32 * 32, : frame.shape[2] // 32 * 32]
        was, now = (m.run({"frames": np.ascontiguousarray(frame)})[0] for m in (base, variant))
        now[..., 0] -= raised
        mean.append(float(np.abs(was - now).mean()))
        most = max(most, float(np.abs(was - now).max()))
        for channel, cut in CUTS[: 3 if was.shape[-1] == 2 else 0]:
            flipped += int(((was[..., channel] > cut) != (now[..., channel] > cut)).sum())
            above += int((was[..., channel] > cut).sum())
    return {
        "mean_abs": round(float(np.mean(mean)), 5),
        "max_abs": round(most, 4),
        "cells_above_thresholds": above,
        "cells_changed": flipped,
    }


def finds(
    slot: Slot, base: Session, variant: Session, frames: Sequence[Shown], scale: float
) -> dict[str, Any]:
    """Count texts that each finds, and list those that the variant loses."""
    row: dict[str, Any] = {"frames": len(frames), "texts": 0, "base": 0, "variant": 0, "gained": 0}
    lost: list[str] = []
    filled = [0.0, 0.0]
    for shown in frames:
        boxes = [
            DETECTORS[slot](m).detect(shown.frame[None], scale=scale)[0].xyxy
            for m in (base, variant)
        ]
        was, now = (found_items(each, shown.frame, shown.items) for each in boxes)
        row["texts"] += len(was)
        row["base"] += int(was.sum())
        row["variant"] += int(now.sum())
        row["gained"] += int((now & ~was).sum())
        lost += [f"{shown.kind} {shown.items[k].text!r}" for k in np.flatnonzero(was & ~now)]
        for k, each in enumerate(boxes):
            filled[k] += float(np.prod(each[:, 2:] - each[:, :2], axis=1).sum())
    return row | {"lost": lost, "area_ratio": round(filled[1] / filled[0], 3)}


def whole_runs(models: Path, repeats: int) -> Iterator[dict[str, Any]]:
    """Run `bench throughput` with each precision in turn; yield what each reports."""
    for _ in range(repeats):
        for precision in (Precision.FP32, Precision.INT8):
            command = [
                sys.executable, "-m", "cinescrub", "bench", "throughput", "--json",
                "--repeat", "1", "--models", str(models), "--precision", precision.value,
            ]  # fmt: skip
            told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            (row,) = told["rows"]
            figures = {name: figure["median"] for name, figure in row["figures"].items()}
            yield {"precision": precision.value, "rectangles": row["facts"]["rectangles"]} | figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=default_models_dir())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 1.5])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--runs", type=int, default=2, help="whole runs of each precision")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    have: dict[Slot, list[Precision]] = {}
    for slot, precision in listed(options.models):
        have.setdefault(slot, []).append(precision)
    have = {slot: found for slot, found in have.items() if len(found) > 1}
    result: dict[str, Any] = {
        "machine": machine() | {"int8_instructions": exact_int8()},
        "models": {},
        "runs": list(whole_runs(options.models, options.runs)),
    }
    frames = [s for k in range(options.seeds) for s in shown_frames(SEED + 1000 * k)]
    for slot, variants in have.items():
        told = timed(options.models, slot, variants, options.repeats)
        base = opened(options.models, slot, Precision.FP32)
        for precision in variants[1:] if slot in DETECTORS else ():
            variant = opened(options.models, slot, precision)
            row = told["variants"][precision.value]
            row["scores"] = agreement(base, variant, frames[: len(frames) // options.seeds])
            row["finds"] = {
                f"x{scale:g}": finds(slot, base, variant, frames, scale) for scale in options.scales
            }
        result["models"][slot.value] = told
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
