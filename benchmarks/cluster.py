"""Measure a Ray cluster on this machine against `--jobs`, each run a process of its own.

    python benchmarks/cluster.py --json benchmarks/results/cluster-cpu.json

Made cines go through `cinescrub run` with one job, with as many jobs as there are cores, and with
as many workers of `--ray local`; the cases take turns, `--repeat` times. *start* is the same
command with one input that is no DICOM: loading models, and starting the cluster. *work* is the
rest, and the speed-up that of the work. *overhead* is what an input costs besides the work on it:
many inputs that are no DICOM, over the start, by their number. Outputs are compared byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cinescrub.bench.machine import machine
from cinescrub.stream import usable_cores
from cinescrub.testing import CineSpec, make_cine


def main() -> int:
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="cluster-"))
    try:
        result = measure(work, options)
    finally:
        shutil.rmtree(work)
    for name, case in result["cases"].items():
        print(
            f"{name:12s} start {case['start_s']:6.2f} s, work {case['work_s']:6.1f} s, "
            f"speed-up {case['speed_up']:.2f}, overhead {case['overhead_ms']:.2f} ms an input"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if result["same_outputs"] else 1


def measure(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run all cases in turn and return the figures."""
    cores = usable_cores(1 << 10)
    cases = {
        "jobs 1": ("--jobs", "1"),
        f"jobs {cores}": ("--jobs", str(cores)),
        f"ray {cores}": ("--ray", "local", "--actors", str(cores)),
    }
    loads = _inputs(work, options)
    walls: dict[str, dict[str, list[float]]] = {
        name: {load: [] for load in loads} for name in cases
    }
    outputs: dict[str, set[str]] = {name: set() for name in cases}
    for _ in range(options.repeat):
        for name, flags in cases.items():
            for load, folder in loads.items():
                out = work / "out"
                walls[name][load].append(_timed(folder, out, work, flags))
                if load == "cines":
                    outputs[name].add(_digest(out))
                shutil.rmtree(out, ignore_errors=True)
    figures = {name: _figures(walls[name], options.small) for name in cases}
    first = figures["jobs 1"]["work_s"]
    for figure in figures.values():
        figure["speed_up"] = first / figure["work_s"]
    return {
        "machine": machine(),
        "cines": f"{options.cines} of {options.columns}x{options.rows}x{options.frames}, moving",
        "small": options.small,
        "repeat": options.repeat,
        "same_outputs": len(set.union(*outputs.values())) == 1,
        "cases": figures,
        "wall_s": walls,
    }


def _figures(walls: dict[str, list[float]], small: int) -> dict[str, float]:
    start, cines, many = (statistics.median(walls[load]) for load in ("one", "cines", "many"))
    return {
        "start_s": start,
        "work_s": cines - start,
        "overhead_ms": 1000 * (many - start) / (small - 1),
    }


def _inputs(work: Path, options: argparse.Namespace) -> dict[str, Path]:
    folders = {load: work / load for load in ("one", "many", "cines")}
    for folder in folders.values():
        folder.mkdir()
    for n in range(options.small):
        text = f"no DICOM, number {n}\n" * 40
        (folders["many"] / f"{n:05}").write_text(text)
        if not n:
            (folders["one"] / "0").write_text(text)
    for seed in range(options.cines):
        spec = CineSpec(
            seed=seed, frames=options.frames, rows=options.rows, columns=options.columns
        )
        make_cine(spec, folders["cines"] / f"{seed:03}.dcm")
    key = work / "key"
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))
    return folders


def _timed(folder: Path, out: Path, work: Path, flags: tuple[str, ...]) -> float:
    command = [
        sys.executable,
        "-m",
        "cinescrub",
        "run",
        folder,
        "--out",
        out,
        "--key",
        work / "key",
    ]
    begun = time.perf_counter()
    subprocess.run([*map(str, command), *flags], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.dcm")):
        digest.update(os.fsencode(path.relative_to(folder)) + path.read_bytes())
    return digest.hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cines", type=int, default=8)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--columns", type=int, default=320)
    parser.add_argument("--small", type=int, default=1000, help="inputs that are no DICOM")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
