"""Feed random pixel data to everything between a file and its redacted frames, many times.

    python -m benchmarks.fuzz_pixels --cases 100000 --seed 1 --json fuzz.json

The same kinds of damage as `tests/property/test_pixels_fuzz.py`, drawn without hypothesis, at a few
milliseconds a case: streams of each codec cut, changed and repeated, in fragments with any lengths
and tables, under headers that fit or don't. A case ends with a refusal of ours or with frames that
pass the check; anything else is an error and stops the run with its seed. A crash of a library
ends the process: the last seed is in the file that `--at` names.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.property.test_pixels_fuzz import ROOT, STREAMS, H, W, damaged, encoded_file, exercise

from cinescrub.dicom.source import open_source
from cinescrub.errors import CinescrubError, InputError, NotDicomError, RedactionError

_VALUES = (0, 1, 2, 3, 7, 8, 11, 12, 15, 16, 17, H, W, 32, 64, 255, 256, 4096, 65535)
_LENGTHS = (0, 1, 2, 7, 8, 100, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_KINDS = ("set", "set", "cut", "drop", "insert")
_SLOW_S = 5.0


def main() -> int:
    options = _options()
    outcomes: Counter[str] = Counter()
    slowest, began = 0.0, time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=options.work) as scratch:
        path = Path(scratch) / "in.dcm"
        for number in range(options.cases):
            seed = f"{options.seed}-{number}"
            if options.at:
                options.at.write_text(seed)
            raw = draw(random.Random(seed))
            path.write_bytes(raw)
            started = time.process_time()
            outcomes[_outcome(path)] += 1
            spent = time.process_time() - started
            slowest = max(slowest, spent)
            if spent > _SLOW_S:
                print(f"seed {seed} took {spent:.1f} s", file=sys.stderr)
                return 1
    result = {
        "cases": options.cases,
        "seed": options.seed,
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "slowest_cpu_s": round(slowest, 3),
        "memory_growth_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
        "outcomes": dict(outcomes.most_common()),
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--at", type=Path, help="File that holds the seed of the case in work.")
    return parser.parse_args()


def _outcome(path: Path) -> str:
    """Return how a case ended: the first words of the refusal, or `frames`."""
    try:
        with open_source(path) as source:
            exercise(source)
    except (InputError, NotDicomError, RedactionError) as error:
        return f"{type(error).__name__}: {_without_numbers(error)}"
    return "frames"


def _without_numbers(error: CinescrubError) -> str:
    return " ".join(w for w in error.message.split()[:9] if not any(c.isdigit() for c in w))


def draw(chance: random.Random) -> bytes:
    """Return a file."""
    suffix, layout, stream = STREAMS[chance.choice(sorted(STREAMS))]
    values = {
        0x00280002: layout.samples,
        0x00280010: H,
        0x00280011: W,
        0x00280100: layout.bits_allocated,
        0x00280101: layout.bits_stored,
        0x00280102: layout.high_bit,
        0x00280103: 0,
    }
    if chance.random() < 0.3:
        values[chance.choice([*values, 0x60000100, 0x60000102])] = chance.choice(_VALUES)
    if chance.random() < 0.1:
        suffix = chance.choice(["", ".1", ".2", ".1.99"])
    frames = chance.choice([1, 1, 1, 2, 3, 2**31 - 1])
    parts = [
        part
        for _ in range(chance.choice([1, 1, frames % 5, 3]))
        for part in _part(chance, bytes(stream))
    ]
    table = chance.randbytes(chance.choice([0, 0, 0, 4, 8, 9]))
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(table)) + table]
    for part in parts:
        length = len(part) if chance.random() < 0.95 else chance.choice(_LENGTHS)
        items.append(struct.pack("<HHL", 0xFFFE, 0xE000, length) + part)
    if chance.random() < 0.9:
        items.append(struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))
    length = 0xFFFFFFFF if chance.random() < 0.9 else chance.choice(_LENGTHS)
    tables = chance.randbytes(chance.choice([0, 0, 0, 0, 8, 16]))
    return encoded_file(
        ROOT + suffix, layout.photometric, values, frames, tables, length, b"".join(items)
    )


def _part(chance: random.Random, stream: bytes) -> list[bytes]:
    """Return one stream, damaged or not, in fragments, or bytes that are none."""
    kind = chance.random()
    if kind < 0.05:
        return [b""]
    if kind < 0.1:
        return [bytes(chance.randrange(20))]
    if kind < 0.15:
        return [chance.randbytes(chance.randrange(40))]
    if kind < 0.85:
        mutations = [
            (chance.choice(_KINDS), chance.random(), chance.randbytes(chance.randrange(1, 5)))
            for _ in range(chance.choice([1, 1, 2, 3]))
        ]
        stream = damaged(stream, mutations)
    if chance.random() < 0.2 and len(stream) > 2:
        at = chance.randrange(1, len(stream))
        return [stream[:at], stream[at:]]
    return [stream]


if __name__ == "__main__":
    sys.exit(main())
