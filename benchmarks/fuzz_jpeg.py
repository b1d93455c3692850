"""Throw damaged JPEG frames at the redaction: no crash, no hang, no memory, no other error.

    python benchmarks/fuzz_jpeg.py --cases 100000 --out benchmarks/results/fuzz_jpeg.json
    python benchmarks/fuzz_jpeg.py --cases 100000 --sanitize     # the C core under ASan and UBSan

Each case is a made frame (every sampling, restart intervals, optimised tables, one scan or three)
damaged in its markers, lengths, tables, sizes or coded data, or a scan of random bits handed to the
core. A case passes if it gives bytes or an `InputError` in time. Bytes have to stay the same when
redacted again; one case in `--compare` is also given to the pure core, which has to agree.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import json
import logging
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt

LIMIT_S: Final = 2.0
SAMPLING: Final = (0x111111, 0x211111, 0x221111, 0x121111, 0x411111)
SOURCES: Final = Path(__file__).resolve().parents[1] / "engine" / "cinescrub" / "pixels"
SYNTAX: Final = "1.2.840.10008.1.2.4.50"
Boxes: TypeAlias = npt.NDArray[np.int32]
U8: TypeAlias = npt.NDArray[np.uint8]
Case: TypeAlias = Callable[[], bytes | None]


def load_extension(path: str) -> None:
    """Put another build of the core in the place of the installed one."""
    name = "cinescrub.pixels._jpeg"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise SystemExit(f"can't load {path}")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[name] = module


def sanitized(folder: Path) -> tuple[Path, dict[str, str]]:
    """Compile the core with sanitizers; return it and the environment to run it in."""
    compiler = shutil.which("gcc") or "cc"
    library = folder / "_jpeg.so"
    include = sysconfig.get_path("include")
    flags = ["-std=c99", "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags += ["-DPy_LIMITED_API=0x030B0000", f"-I{include}"]
    sources = [str(SOURCES / name) for name in ("_jpeg_scan.c", "_jpeg_module.c")]
    subprocess.run([compiler, *flags, *sources, "-o", str(library)], check=True)
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": runtime,
        "PYTHONMALLOC": "malloc",  # else small objects share blocks and overruns go unseen
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    return library, environment


def picture(rng: np.random.Generator, rows: int, columns: int, samples: int) -> U8:
    shape = (rows, columns, 3) if samples == 3 else (rows, columns)
    noise = rng.normal(128, rng.choice([0, 3, 40, 200]), shape)
    return np.clip(noise, 0, 255).astype(np.uint8)


def made_frame(rng: np.random.Generator) -> tuple[bytes, int, int, int]:
    """Return a frame with its rows, columns and samples."""
    rows, columns = int(rng.integers(1, 60)), int(rng.integers(1, 80))
    samples = int(rng.choice([1, 3]))
    flags = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(1, 101))]
    flags += [cv2.IMWRITE_JPEG_RST_INTERVAL, int(rng.choice([0, 0, 1, 2, 5]))]
    flags += [cv2.IMWRITE_JPEG_OPTIMIZE, int(rng.integers(0, 2))]
    if samples == 3:
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, int(rng.choice(SAMPLING))]
    image = picture(rng, rows, columns, samples)
    return bytes(cv2.imencode(".jpg", image, flags)[1]), rows, columns, samples


def segments(frame: bytes) -> list[tuple[int, int]]:
    """Return start and end of each segment in front of the coded data."""
    spans, at = [], 2
    while frame[at + 1] != 0xDA:
        end = at + 2 + (frame[at + 2] << 8 | frame[at + 3])
        spans.append((at, end))
        at = end
    return [*spans, (at, at + 2 + (frame[at + 2] << 8 | frame[at + 3]))]


def change_coded(rng: np.random.Generator, data: bytearray, coded: int) -> None:
    """Damage what follows the scan's header: a bit, a marker, a few bytes."""
    if coded >= len(data):
        return
    at = int(rng.integers(coded, len(data)))
    kind = int(rng.integers(3))
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    else:
        data[at : at + 2] = bytes([0xFF, int(rng.integers(256))]) if kind == 1 else rng.bytes(2)


def change_segment(rng: np.random.Generator, data: bytearray, start: int, end: int) -> None:
    """Damage one marker segment, or cut the frame."""
    at = int(rng.integers(start, max(end, start + 1)))
    changes: list[tuple[int, int, bytes]] = [
        (at, at + 1, rng.bytes(1)),
        (at, at + 8, rng.bytes(8)),
        (start + 1, start + 2, rng.bytes(1)),  # the marker
        (start + 2, start + 4, rng.bytes(2)),  # the length
        (start, start, bytes(data[start:end])),  # twice
        (start, end, b""),
        (int(rng.integers(2, max(3, len(data)))), len(data), b""),
        (at, at, rng.bytes(int(rng.integers(1, 40)))),
        (at, at, b"\xff" * int(rng.integers(1, 3000))),
    ]
    first, last, new = changes[int(rng.integers(len(changes)))]
    data[first:last] = new


def damage(rng: np.random.Generator, frame: bytes) -> bytes:
    """Change a frame in one to three places."""
    spans = segments(frame)
    data = bytearray(frame)
    for _ in range(int(rng.integers(1, 4))):
        start, end = (min(at, len(data)) for at in spans[int(rng.integers(len(spans)))])
        if rng.random() < 0.4:
            change_coded(rng, data, spans[-1][1])
        else:
            change_segment(rng, data, start, end)
    return bytes(data)


def some_boxes(rng: np.random.Generator) -> Boxes:
    corners = rng.integers(-5, 80, (int(rng.integers(1, 5)), 2))
    sizes = rng.integers(0, 60, corners.shape)
    return np.hstack([corners, corners + sizes]).astype(np.int32)


def random_table(rng: np.random.Generator, top: int) -> tuple[bytes, bytes]:
    """Return counts and symbols of a valid Huffman table, complete or not."""
    counts: list[int] = []
    free = 1
    for length in range(1, 17):
        free *= 2
        most = min(free if length == 16 else free - 1, 40, 256 - sum(counts))
        count = int(rng.integers(0, max(most, 0) + 1)) if rng.random() < 0.6 else 0
        counts.append(count)
        free -= count
    symbols = rng.integers(0, top, sum(counts)).astype(np.uint8).tobytes()
    return bytes(counts), symbols


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compare", type=int, default=20, help="one in how many; 0: none")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--extension", help="another build of the core")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.sanitize:
        with tempfile.TemporaryDirectory() as folder:
            library, environment = sanitized(Path(folder))
            own = [a for a in sys.argv[1:] if a != "--sanitize"]
            command = [sys.executable, __file__, *own, "--extension", str(library)]
            return subprocess.run(command, env=environment, check=False).returncode
    if given.extension:
        load_extension(given.extension)
    from cinescrub.pixels import jpeg_core

    if not jpeg_core.COMPILED:
        raise SystemExit("the compiled core is missing")
    logging.disable(logging.WARNING)  # of the pure core, which is asked on purpose
    text = json.dumps(run(given), indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
    return 0


def outcome(act: Case) -> str:
    """Run a case; say what came of it."""
    from cinescrub.errors import InputError

    try:
        return (act() or b"").hex()
    except InputError as error:
        return f"refused: {error}"


def damaged_frame(rng: np.random.Generator) -> Case:
    """Return a redaction of a damaged frame."""
    from cinescrub.pixels import jpeg, jpeg_markers
    from cinescrub.types import CineInfo

    frame, rows, columns, samples = made_frame(rng)
    photometric = "YBR_FULL_422" if samples == 3 else "MONOCHROME2"
    info = CineInfo(SYNTAX, 1, rows, columns, samples, photometric, 8, 8, 7, False, 0)
    data, boxes = damage(rng, frame), some_boxes(rng)
    colour = tuple(rng.integers(0, 256, samples).tolist()) if rng.random() < 0.2 else None

    def act() -> bytes:
        jpeg_markers.clean(data)
        new = bytes(jpeg.redact(data, info, boxes, colour))
        if jpeg.redact(new, info, boxes, colour) != new:
            raise AssertionError("redacted again, the bytes differ")
        return new

    return act


def random_scan(rng: np.random.Generator) -> Case:
    """Return a rewriting of random bits with random tables."""
    from cinescrub.pixels import jpeg_core
    from cinescrub.pixels.huffman import Table
    from cinescrub.pixels.jpeg_walk import Component

    components = tuple(
        Component(
            Table(*random_table(rng, 16)),
            Table(*random_table(rng, 256)),
            int(rng.integers(-1024, 1024)),
            int(rng.integers(1, 4)),
        )
        for _ in range(int(rng.integers(1, 4)))
    )
    covered = rng.random(int(rng.integers(1, 40))) < rng.random()
    data = rng.bytes(int(rng.integers(0, 400)))
    restart = int(rng.integers(0, 2) * rng.integers(0, 9))
    return lambda: jpeg_core.rewrite(data, components, covered, restart).data


def same_in_pure(act: Case, first: str) -> bool:
    """Whether the pure core says the same."""
    from cinescrub.pixels import jpeg_core

    with mock.patch.object(jpeg_core, "COMPILED", False):
        return outcome(act) == first


def run(given: argparse.Namespace) -> dict[str, object]:
    """Run all cases; stop at the first that fails."""
    counts: Counter[str] = Counter()
    slowest, compared = 0.0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    for number in range(given.cases):
        rng = np.random.default_rng([given.seed, number])
        act = random_scan(rng) if number % 4 == 3 else damaged_frame(rng)
        started = time.thread_time()
        said = outcome(act)
        slowest = max(slowest, time.thread_time() - started)
        if slowest > LIMIT_S:
            raise SystemExit(f"case {number} took {slowest:.1f} s")
        if given.compare and number % given.compare in (0, 3):
            compared += 1
            if not same_in_pure(act, said):
                raise SystemExit(f"case {number}: the cores differ")
        known = said.startswith("refused")
        counts[re.sub(r"0x\w+|\d+", "N", said) if known else "rewritten"] += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "cases": given.cases,
        "seed": given.seed,
        "sanitizers": bool(given.extension),
        "also_pure": compared,
        "seconds": round(time.monotonic() - began, 1),
        "slowest_case_ms": round(slowest * 1e3, 1),
        "peak_growth_mib": grown // 1024,
        "python": platform.python_version(),
        "outcomes": dict(counts.most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
