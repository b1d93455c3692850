"""Compare execution providers: the same results as the CPU, and in what time.

   python benchmarks/providers.py --models DIR --providers cpu cuda --json providers.json

Opens every model as the engine does, runs it on seeded inputs (made frames, lines cut out of
them, their texts) and compares outputs, boxes and strings with those of the CPU provider; then
de-identifies made cines with the engine as a whole. A provider may carry options of ONNX Runtime,
`cuda:use_tf32=1`, which are laid over the engine's own.

A run is timed from NumPy array to NumPy array, so copies to and from the device count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import count, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from cinescrub import __version__, bundle, ctc
from cinescrub.bundle import Slot
from cinescrub.cli.progress import Quiet
from cinescrub.config import EngineConfig, Provider
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms, load_or_create_key
from cinescrub.errors import CinescrubError
from cinescrub.pipeline.assembly import open_inspector
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.report import FileReport
from cinescrub.runtime.providers import installed_runtimes, load_runtime, provider_options
from cinescrub.runtime.session import Session, open_session
from cinescrub.stream import CancelToken
from cinescrub.testing import (
    CineSpec,
    Photometric,
    Syntax,
    TextItem,
    VendorLook,
    draw_frames,
    make_cine,
    plan_drawing,
)
from cinescrub.text.detector import DetectorSettings, boxes_from_maps

Arrays = dict[str, npt.NDArray[Any]]
Maps = npt.NDArray[np.float32]

_TEXTS = 32
_TOKENS = 16
_LINE_HEIGHT = 64  # of english_g2
_LINE_WIDTH = 320
_LEAST_RUNS = 5
_COMPARED = ("rectangles", "redactions", "kept", "sha256_out")


@dataclass(frozen=True, slots=True)
class Variant:
    """A provider as it was asked for."""

    name: str
    provider: Provider
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Variant:
        name, _, rest = text.partition(":")
        pairs = (pair.partition("=") for pair in rest.split(",") if pair)
        return cls(text, Provider(name), {key: value for key, _, value in pairs})

    def open(self, models: Path, slot: Slot) -> Session:
        return open_session(models, slot, provider=self.provider, options=self.options)


@dataclass(frozen=True, slots=True)
class Case:
    """One model on inputs of one shape."""

    slot: Slot
    shape: str
    inputs: Arrays


def main() -> int:
    options = _options()
    cases = list(_cases(options))
    variants = [Variant.parse("cpu")]
    variants += [Variant.parse(text) for text in options.providers if text != "cpu"]
    rows: list[dict[str, Any]] = []
    expected: dict[tuple[Slot, str], Maps] = {}
    placement: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    cines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="providers-") as scratch:
        made = list(_made_cines(options, Path(scratch)))
        for variant in variants:
            try:
                rows += _run_cases(variant, cases, expected, options)
                placement += _placement(variant, cases, options.models, Path(scratch))
                cines += _run_cines(variant, made, cines, options, Path(scratch))
            except CinescrubError as error:
                failures.append({"provider": variant.name, "error": error.message})
    result = {
        "machine": _machine(),
        "models": _models(options.models),
        "settings": {
            "seed": options.seed,
            "repeats": options.repeats,
            "budget_s": options.budget,
            "cine_repeats": options.cine_repeats,
        },
        "cases": rows,
        "placement": placement,
        "cines": cines,
        "failures": failures,
    }
    print(_table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=bundle.default_models_dir())
    parser.add_argument(
        "--providers", nargs="+", default=["cpu"], help="cpu, cuda, cuda:use_tf32=1,prefer_nhwc=1"
    )
    parser.add_argument("--sizes", nargs="+", default=["640x480", "1024x768"], help="of frames")
    parser.add_argument("--frames", nargs="+", type=int, default=[1, 4, 16], help="CRAFT batches")
    parser.add_argument("--lines", nargs="+", type=int, default=[1, 16, 64], help="line batches")
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of a case")
    parser.add_argument(
        "--budget", type=float, default=20.0, help=f"seconds a case, after {_LEAST_RUNS} runs"
    )
    parser.add_argument("--cine-sizes", nargs="*", default=["640x480", "1024x768"])
    parser.add_argument("--cine-frames", type=int, default=30)
    parser.add_argument("--cine-repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


# Inputs


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for size in options.sizes:
        frames = _frames(size, max(options.frames), options.seed)
        for n in options.frames:
            yield Case(Slot.CRAFT, f"{n} x {size}", {"frames": frames[:n]})
    lines = _lines(max(options.lines), options.seed)
    for n in options.lines:
        yield Case(Slot.RECOGNIZER, f"{n} x {_LINE_HEIGHT}x{_LINE_WIDTH}", {"lines": lines[:n]})
    tokens = _tokens(options.models, options.seed)
    yield Case(Slot.DEIDENTIFIER, f"{_TEXTS} x {_TOKENS} tokens", tokens)


def _sides(size: str) -> tuple[int, int]:
    columns, rows = (int(side) for side in size.split("x"))
    return columns, rows


def _frames(size: str, n: int, seed: int) -> npt.NDArray[np.uint8]:
    columns, rows = _sides(size)
    spec = CineSpec(seed=seed, frames=n, rows=rows, columns=columns)
    return np.stack(list(draw_frames(plan_drawing(spec))))


def _texts(seed: int) -> Iterator[tuple[npt.NDArray[np.uint8], TextItem]]:
    """Yield strings of made cines and the frames that they stand in, without end."""
    looks = list(VendorLook)
    for index in count():
        drawing = plan_drawing(
            CineSpec(seed=seed + index, frames=1, look=looks[index % len(looks)])
        )
        (frame,) = draw_frames(drawing)
        for item in drawing.truth.at(0):
            yield frame, item


def _lines(n: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return `(n, 64, 320, 1)` lines, scaled and padded as the recogniser does."""
    lines = np.empty((n, _LINE_HEIGHT, _LINE_WIDTH, 1), np.uint8)
    for line, (frame, item) in zip(lines, _texts(seed), strict=False):
        x0, y0, x1, y1 = item.box
        gray = cv2.cvtColor(frame[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
        width = min(_LINE_WIDTH, max(1, round((x1 - x0) * _LINE_HEIGHT / (y1 - y0))))
        line[:, :width, 0] = cv2.resize(gray, (width, _LINE_HEIGHT), interpolation=cv2.INTER_CUBIC)
        line[:, width:] = line[:, width - 1 : width]
    return lines


def _tokens(models: Path, seed: int) -> Arrays:
    tokenizer = Tokenizer.from_file(str(models / Slot.DEIDENTIFIER / "tokenizer.json"))
    tokenizer.enable_truncation(_TOKENS)
    tokenizer.enable_padding(length=_TOKENS)
    encoded = tokenizer.encode_batch([item.text for _, item in islice(_texts(seed), _TEXTS)])
    given = {
        "input_ids": [e.ids for e in encoded],
        "attention_mask": [e.attention_mask for e in encoded],
        "token_type_ids": [e.type_ids for e in encoded],
    }
    wanted = [spec.name for spec in bundle.load_contract(models, Slot.DEIDENTIFIER).inputs]
    return {name: np.array(given[name], np.int64) for name in wanted}


# Models


def _run_cases(
    variant: Variant,
    cases: list[Case],
    expected: dict[tuple[Slot, str], Maps],
    options: argparse.Namespace,
) -> Iterator[dict[str, Any]]:
    for slot in dict.fromkeys(case.slot for case in cases):
        start = time.perf_counter()
        session = variant.open(options.models, slot)
        load_s = time.perf_counter() - start
        for case in cases:
            if case.slot is not slot:
                continue
            start = time.perf_counter()
            output = session.run(case.inputs)
            first_s = time.perf_counter() - start
            reference = expected.setdefault((slot, case.shape), output)
            seconds = _timed(lambda s=session, c=case: s.run(c.inputs), options)  # type: ignore[misc]  # bound now
            yield {
                "provider": variant.name,
                "slot": slot.value,
                "shape": case.shape,
                "load_s": round(load_s, 3),
                "first_s": round(first_s, 4),
                **_spread(seconds),
                "max_abs_difference": float(np.abs(output - reference).max()),
                **_compare(session, output, reference),
                "device_memory_mib": _device_memory(),
            }


def _timed(run: Callable[[], object], options: argparse.Namespace) -> list[float]:
    run()
    seconds: list[float] = []
    begun = time.perf_counter()
    while len(seconds) < options.repeats:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
        if len(seconds) >= _LEAST_RUNS and time.perf_counter() - begun > options.budget:
            break
    return seconds


def _spread(seconds: list[float]) -> dict[str, Any]:
    return {
        "runs": len(seconds),
        "median_s": round(statistics.median(seconds), 6),
        "least_s": round(min(seconds), 6),
        "most_s": round(max(seconds), 6),
    }


def _compare(session: Session, output: Maps, reference: Maps) -> dict[str, Any]:
    """Return how many results, as the engine uses them, equal those of the reference."""
    if session.contract.slot is Slot.CRAFT:
        pairs = [(_boxes(a), _boxes(b)) for a, b in zip(output, reference, strict=True)]
        equal = sum(np.array_equal(a, b) for a, b in pairs)
        return {
            "what": "frames with equal boxes",
            "equal": equal,
            "of": len(pairs),
            "boxes": sum(len(a) for a, _ in pairs),
            "boxes_cpu": sum(len(b) for _, b in pairs),
        }
    if session.contract.slot is Slot.RECOGNIZER:
        charset = session.contract.charset
        texts = ctc.decode_greedy(output, charset)[0]
        wanted = ctc.decode_greedy(reference, charset)[0]
        equal = sum(a == b for a, b in zip(texts, wanted, strict=True))
        return {"what": "equal strings", "equal": equal, "of": len(texts)}
    same = output.argmax(axis=2) == reference.argmax(axis=2)
    return {"what": "equal labels", "equal": int(same.sum()), "of": same.size}


def _boxes(maps: Maps) -> npt.NDArray[np.int32]:
    return boxes_from_maps(maps[..., 0], maps[..., 1], DetectorSettings()).xyxy


def _placement(
    variant: Variant, cases: list[Case], models: Path, scratch: Path
) -> Iterator[dict[str, Any]]:
    """Tell on which provider the nodes of each model really ran, from a profile of one run."""
    ort = load_runtime()
    for slot in dict.fromkeys(case.slot for case in cases):
        case = next(c for c in cases if c.slot is slot)
        settings = ort.SessionOptions()
        settings.log_severity_level = 3
        settings.enable_profiling = True
        settings.profile_file_prefix = str(scratch / "profile")
        native = ort.InferenceSession(
            str(models / slot / bundle.MODEL_FILE),
            settings,
            providers=provider_options(variant.provider, variant.options),
            enable_fallback=0,
        )
        native.run(None, dict(case.inputs))
        events = json.loads(Path(native.end_profiling()).read_text())
        # A node in a loop has many events, each with the node's name.
        nodes = {
            event["name"]: (event["args"]["provider"], event["args"]["op_name"])
            for event in events
            if event.get("cat") == "Node" and event["args"].get("provider")
        }
        copies = sum(op.startswith("Memcpy") for _, op in nodes.values())
        cpu = Counter(op for where, op in nodes.values() if where == "CPUExecutionProvider")
        yield {
            "provider": variant.name,
            "slot": slot.value,
            "nodes": dict(Counter(where for where, _ in nodes.values())),
            "copies": copies,
            "cpu_nodes": dict(cpu) if variant.provider is not Provider.CPU else {},
        }


# The engine as a whole


def _made_cines(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path]]:
    kinds = (
        ("jpeg", Syntax.JPEG_BASELINE, Photometric.YBR_FULL_422),
        ("native", Syntax.EXPLICIT_LITTLE, Photometric.RGB),
    )
    for index, size in enumerate(options.cine_sizes):
        columns, rows = _sides(size)
        name, syntax, photometric = kinds[index % len(kinds)]
        spec = CineSpec(
            seed=options.seed + index,
            frames=options.cine_frames,
            rows=rows,
            columns=columns,
            syntax=syntax,
            photometric=photometric,
        )
        path = folder / f"{name}-{size}.dcm"
        make_cine(spec, path)
        yield path.stem, path


def _run_cines(
    variant: Variant,
    made: list[tuple[str, Path]],
    before: list[dict[str, Any]],
    options: argparse.Namespace,
    scratch: Path,
) -> list[dict[str, Any]]:
    if not made:
        return []
    engine = _engine(variant, options, scratch / "key")
    rows = []
    for name, path in made:
        reports: list[FileReport] = []
        walls: list[float] = []
        for _ in range(1 + options.cine_repeats):
            out = Path(tempfile.mkdtemp(dir=scratch))
            start = time.perf_counter()
            reports.append(
                engine.run(path, Targets.open(out, [path]), token=CancelToken(), observer=Quiet())
            )
            walls.append(time.perf_counter() - start)
            shutil.rmtree(out)
        row = _cine_row(variant, name, reports, walls)
        reference = next((r for r in before if r["cine"] == name), row)
        for key in _COMPARED:
            row[f"{key}_equal"] = row[key] == reference[key]
        rows.append(row)
    return rows


def _engine(variant: Variant, options: argparse.Namespace, key: Path) -> Engine:
    """Put an engine together as `Engine.open` does, with the variant's own options."""
    config = EngineConfig(models=options.models, key_file=key, provider=variant.provider)
    inspector = open_inspector(config, lambda slot: variant.open(options.models, slot))
    return Engine(config, inspector, Pseudonyms(load_or_create_key(key)), basic_profile())


def _cine_row(
    variant: Variant, name: str, reports: list[FileReport], walls: list[float]
) -> dict[str, Any]:
    last, wall = reports[-1], statistics.median(walls[1:])
    return {
        "provider": variant.name,
        "cine": name,
        "status": last.status.value,
        "reason": last.reason,
        "frames": last.frames,
        "inspected": last.inspected,
        "first_s": round(walls[0], 3),
        **_spread(walls[1:]),
        "frames_per_s": round(last.frames / wall, 2),
        "stages_s": {
            stage: round(statistics.median(r.seconds.get(stage, 0.0) for r in reports[1:]), 4)
            for stage in last.seconds
        },
        "rectangles": [list(box) for box in last.rectangles],
        "redactions": dict(last.redactions),
        "kept": last.kept,
        "sha256_out": last.sha256_out,
        "device_memory_mib": _device_memory(),
    }


# Machine, and what is printed


def _machine() -> dict[str, Any]:
    names = ("numpy", "opencv-python-headless", "tokenizers", "imagecodecs")
    device = ("nvidia-cuda-runtime", "nvidia-cublas", "nvidia-cudnn-cu13", "tensorrt")
    return {
        "cinescrub": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        **installed_runtimes(),
        **{name: metadata.version(name) for name in names},
        **{d.name: d.version for d in metadata.distributions() if d.name in device},
        "gpu": _nvidia_smi("name,driver_version,memory.total"),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


def _nvidia_smi(query: str) -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    done = subprocess.run(
        ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def _device_memory() -> int | None:
    """Return the memory in use on the first GPU: of all its processes, so run this alone."""
    used = _nvidia_smi("memory.used")
    return int(used.splitlines()[0]) if used else None


def _models(models: Path) -> dict[str, str]:
    return {s.value: bundle.load_contract(models, s).files[bundle.MODEL_FILE] for s in Slot}


def _table(result: dict[str, Any]) -> str:
    wide = max(10, *(2 + len(row["provider"]) for row in result["cases"]))
    lines = [", ".join(f"{k} {v}" for k, v in result["machine"].items()), ""]
    times = ("median", "least", "most", "first")
    lines.append(
        f"{'provider':{wide}}{'model':13}{'input':18}"
        + "".join(f"{name + ' ms':>11}" for name in times)
        + f"{'max diff':>10}  same as cpu"
    )
    lines += [
        f"{row['provider']:{wide}}{row['slot']:13}{row['shape']:18}"
        + "".join(f"{1e3 * row[name + '_s']:11.2f}" for name in times)
        + f"{row['max_abs_difference']:10.1e}  {row['equal']}/{row['of']} {row['what']}"
        for row in result["cases"]
    ]
    lines += ["", "where the nodes ran"]
    lines += [
        f"{row['provider']:{wide}}{row['slot']:13}{row['nodes']}, copies {row['copies']},"
        f" on the CPU {row['cpu_nodes']}"
        for row in result["placement"]
    ]
    lines += ["", "the engine as a whole"]
    for row in result["cines"]:
        other = [key for key in _COMPARED if not row[f"{key}_equal"]]
        lines.append(
            f"{row['provider']:{wide}}{row['cine']:18}{row['status']}, {row['frames']} frames,"
            f" {row['frames_per_s']} frames/s, {len(row['rectangles'])} rectangles;"
            f" {'differs in ' + ', '.join(other) if other else 'all as on cpu'};"
            f" seconds {row['stages_s']}, first run {row['first_s']}"
        )
    lines += [f"{f['provider']}: {f['error']}" for f in result["failures"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
