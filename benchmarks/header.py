"""Measure the header scrub, a file in to a file out, beside other tools in the same process.

    python benchmarks/header.py FOLDER --json benchmarks/results/header.json

Compares cinescrub (read, scrub, clean the pixel stream, write, audit every byte, commit; and the
same without the audit) with
dicognito, dicom-anonymizer and deid (read, change, save), each by its own Python interface and with
its defaults, on the files of a folder that all of them get through. Tools that aren't installed are
left out. Each file is done `--repeat` times by every tool in turn, after one round that doesn't
count; a file's time is the median, a tool's the median and the mean over the files. CPU time is of
the process; wall time includes cinescrub's fsync, which the others don't do.

With --memory it also measures how much cinescrub's peak grows from a small cine to a large one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pydicom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.headers_only import KEY, scrub_headers

from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.dicom.source import open_source
from cinescrub.testing import CineSpec, Photometric, Syntax, make_cine

Tool = Callable[[Path, Path], None]
Step = Callable[[Path], Callable[[], object]]
"""Reads a file and returns what then is timed."""


def main() -> int:
    options = _options()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    work = Path(tempfile.mkdtemp(prefix="header-"))
    try:
        result = measure(_inputs(options.folder), work, options.repeat)
        if options.memory:
            result["memory"] = memory(work)
    finally:
        shutil.rmtree(work)
    for name, row in result["tools"].items():
        print(
            f"{name:30s} median {row['cpu_ms_median']:7.2f} ms CPU ({row['wall_ms_median']:7.2f} "
            f"wall), mean {row['cpu_ms_mean']:7.2f} ms CPU ({row['wall_ms_mean']:7.2f} wall)"
        )
    for name, row in result["in_memory"].items():
        print(f"{name:30s} in memory: median {row['cpu_ms_median']} ms CPU of {row['files']} files")
    print(f"{result['files']} files that every tool got through")
    if "memory" in result:
        print(json.dumps(result["memory"]))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(paths: list[Path], work: Path, repeat: int) -> dict[str, Any]:
    """Run every tool on every file; return times over the files that all of them got through."""
    tools = _tools()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tools}
    done: dict[str, int] = dict.fromkeys(tools, 0)
    files = 0
    for path in paths:
        of_file = {name: _timed(tool, path, work, repeat) for name, tool in tools.items()}
        for name, found in of_file.items():
            done[name] += found is not None
        if all(found is not None for found in of_file.values()):
            files += 1
            for name, found in of_file.items():
                times[name].append(found or (0.0, 0.0))
    return {
        "files": files,
        "repeat": repeat,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "tools": {name: _row(times[name], done[name]) for name in tools},
        "in_memory": _steps(paths, repeat),
    }


def _steps(paths: list[Path], repeat: int) -> dict[str, Any]:
    """Time the change of a header alone, read before: no file is read or written meanwhile."""
    times: dict[str, list[float]] = {}
    for path in paths:
        of_file: dict[str, float] = {}
        for name, step in _in_memory().items():
            try:
                cpu = []
                for _ in range(repeat + 1):
                    run = step(path)
                    with contextlib.redirect_stdout(io.StringIO()):
                        began = time.process_time()
                        run()
                        cpu.append(time.process_time() - began)
            except Exception:
                break
            of_file[name] = statistics.median(cpu[1:])
        else:
            for name, seconds in of_file.items():
                times.setdefault(name, []).append(seconds * 1000)
    return {
        name: {
            "cpu_ms_median": round(statistics.median(ms), 3),
            "cpu_ms_mean": round(statistics.fmean(ms), 3),
            "files": len(ms),
        }
        for name, ms in times.items()
    }


def _in_memory() -> dict[str, Step]:
    """Return the steps of the tools that work on a dataset; deid works on files only."""

    def ours(path: Path) -> Callable[[], object]:
        with open_source(path) as source:
            header = source.header
        return lambda: scrub(header, profile=basic_profile(), pseudonyms=KEY, claims=Claims())

    steps: dict[str, Step] = {"cinescrub": ours}
    with contextlib.suppress(ImportError):
        from dicognito.anonymizer import Anonymizer

        anonymizer = Anonymizer(seed="benchmark")

        def dicognito(path: Path) -> Callable[[], object]:
            dataset = pydicom.dcmread(path)
            return lambda: anonymizer.anonymize(dataset)

        steps["dicognito"] = dicognito
    with contextlib.suppress(ImportError):
        from dicomanonymizer.simpledicomanonymizer import anonymize_dataset

        def dicom_anonymizer(path: Path) -> Callable[[], object]:
            dataset = pydicom.dcmread(path)
            return lambda: anonymize_dataset(dataset)

        steps["dicom-anonymizer"] = dicom_anonymizer
    return steps


def _row(times: list[tuple[float, float]], done: int) -> dict[str, float]:
    cpu, wall = ([pair[k] * 1000 for pair in times] for k in (0, 1))
    return {
        "cpu_ms_median": round(statistics.median(cpu), 3),
        "cpu_ms_mean": round(statistics.fmean(cpu), 3),
        "wall_ms_median": round(statistics.median(wall), 3),
        "wall_ms_mean": round(statistics.fmean(wall), 3),
        "files_got_through": done,
    }


def _timed(tool: Tool, path: Path, work: Path, repeat: int) -> tuple[float, float] | None:
    cpu, wall = [], []
    for k in range(repeat + 1):
        target = work / f"{k % 2}.dcm"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            began, began_cpu = time.perf_counter(), time.process_time()
            try:
                tool(path, target)
            except Exception:
                return None
        if k:
            cpu.append(time.process_time() - began_cpu)
            wall.append(time.perf_counter() - began)
    return statistics.median(cpu), statistics.median(wall)


def _tools() -> dict[str, Tool]:
    own = f"cinescrub {metadata.version('cinescrub')}"
    tools: dict[str, Tool] = {
        own: scrub_headers,
        # What the others do: none of them reads its output again.
        f"{own}, no audit": partial(scrub_headers, audited=False),
    }
    for package, make in (
        ("dicognito", _dicognito),
        ("dicom-anonymizer", _dicom_anonymizer),
        ("deid", _deid),
    ):
        with contextlib.suppress(ImportError, metadata.PackageNotFoundError):
            tools[f"{package} {metadata.version(package)}"] = make()
    return tools


def _dicognito() -> Tool:
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="benchmark")

    def run(path: Path, target: Path) -> None:
        dataset = pydicom.dcmread(path)
        anonymizer.anonymize(dataset)
        dataset.save_as(target)

    return run


def _dicom_anonymizer() -> Tool:
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file

    def run(path: Path, target: Path) -> None:
        anonymize_dicom_file(str(path), str(target))

    return run


def _deid() -> Tool:
    from deid.config import DeidRecipe
    from deid.dicom import get_identifiers, replace_identifiers

    recipe = DeidRecipe()

    def run(path: Path, target: Path) -> None:
        found = get_identifiers([str(path)])
        replace_identifiers(
            dicom_files=[str(path)],
            deid=recipe,
            ids=found,
            save=True,
            output_folder=str(target.parent),
            overwrite=True,
        )
        if not (target.parent / path.name).exists():
            raise FileNotFoundError(target)

    return run


def memory(work: Path) -> dict[str, int]:
    """Return the peak of Python's allocations for a small and for a large cine, in bytes."""
    peaks: dict[str, int] = {}
    for name, syntax, photometric in (
        ("native", Syntax.EXPLICIT_LITTLE, Photometric.RGB),
        ("deflated", Syntax.DEFLATED, Photometric.RGB),
        ("jpeg", Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
    ):
        for frames in (60, 240):
            path = work / "cine.dcm"
            spec = CineSpec(
                seed=1, frames=frames, rows=240, columns=320, syntax=syntax, photometric=photometric
            )
            make_cine(spec, path)
            scrub_headers(path, work / "warm.dcm")
            tracemalloc.start()
            scrub_headers(path, work / "out.dcm")
            peaks[f"{name}, {frames} frames"] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    return peaks


def _inputs(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".tsv")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="real files")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="measure memory too")
    parser.add_argument("--json", type=Path, help="where the figures go")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
