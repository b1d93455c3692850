"""An exam of cines below one screen: CPU seconds with and without what is remembered.

    python -m benchmarks.exam [--cines 6] [--frames 30] [--size 640x480] [--json FILE]

Each way de-identifies the same made cines (other tissue, same patient and banner) in a process that
has loaded its models; seconds are of all cores, from first to last input. Outputs of the first two
ways must be equal byte for byte.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cinescrub.bench.machine import machine
from cinescrub.config import EngineConfig
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

_KEY = bytes(range(32))


@dataclass(frozen=True)
class Way:
    name: str
    reports: list[FileReport]
    cpu: list[float]
    wall: list[float]
    asked: dict[str, tuple[int, int]]

    def row(self) -> dict[str, Any]:
        return {
            "way": self.name,
            "statuses": [report.status.value for report in self.reports],
            "resumed": sum(report.resumed for report in self.reports),
            "cpu_s": [round(s, 2) for s in self.cpu],
            "cpu_s_first": round(self.cpu[0], 2),
            "cpu_s_later_median": round(statistics.median(self.cpu[1:]), 2),
            "wall_s": [round(s, 2) for s in self.wall],
            "remembered_of_asked": {what: list(pair) for what, pair in self.asked.items()},
        }


def make_exam(folder: Path, options: argparse.Namespace) -> list[Path]:
    columns, rows = (int(side) for side in options.size.split("x"))
    paths = []
    for take in range(options.cines):
        spec = CineSpec(
            seed=options.seed,
            take=take,
            frames=options.frames,
            rows=rows,
            columns=columns,
            syntax=Syntax.JPEG_BASELINE,
            photometric=Photometric.YBR_FULL_422,
        )
        paths.append(folder / f"{take:03}.dcm")
        make_cine(spec, paths[-1])
    return paths


def measured(name: str, engine: Engine, paths: list[Path], out: Path) -> Way:
    cpu, wall, reports = [], [], []
    with engine:
        targets = Targets.open(out, paths)
        for path in paths:
            started, begun = time.process_time(), time.perf_counter()
            reports.append(engine.run(path, targets))
            cpu.append(time.process_time() - started)
            wall.append(time.perf_counter() - begun)
    tallies = {} if engine.memory is None else engine.memory.tallies
    asked = {what: (tally.remembered, tally.asked) for what, tally in tallies.items()}
    way = Way(name, reports, cpu, wall, asked)
    print(json.dumps(way.row()), flush=True)
    return way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cines", type=int, default=6)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cinescrub-exam-") as scratch:
        folder = Path(scratch)
        key = folder / "key"
        key.touch(0o600)
        key.write_bytes(_KEY)
        paths = make_exam(folder, options)
        plain = EngineConfig(key_file=key)
        kept = replace(plain, state=folder / "state")
        ways = []
        for name, config, out in (
            ("forgets", replace(plain, reuse=False), "a"),
            ("remembers, with --state", kept, "b"),
            ("again with --resume", replace(kept, resume=True), "b"),
            ("again with another profile", replace(kept, profile="research-echo"), "c"),
        ):
            ways.append(measured(name, Engine.open(config), paths, folder / out))
        state = sum(path.stat().st_size for path in (folder / "state").iterdir())
    same = [r.sha256_out for r in ways[0].reports] == [r.sha256_out for r in ways[1].reports]
    result = {
        "machine": machine(),
        "exam": {k: v for k, v in vars(options).items() if k != "json"},
        "outputs_equal": same,
        "state_bytes": state,
        "ways": [way.row() for way in ways],
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if not same:
        raise SystemExit("what was remembered changed an output")


if __name__ == "__main__":
    main()
