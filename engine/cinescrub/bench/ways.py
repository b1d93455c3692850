"""The engine and its floor, each as an attempt: files in, files out, seconds and memory told.

The *floor* is what nobody can go below who looks at every frame: the same codecs read the file,
decode each frame once, fill the same rectangles and write, with no model, no scrub, no check and
no fsync. A *copy* is a copy of the file and one pass over its bytes.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cinescrub import masks
from cinescrub.bench.cines import Cine
from cinescrub.bench.memory import peak_mib
from cinescrub.bench.results import Scalar
from cinescrub.bench.trials import Stopwatch, Trial
from cinescrub.config import EngineConfig
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline.apply import write_pixels
from cinescrub.pipeline.assembly import chosen_contracts
from cinescrub.pipeline.batch import run_all
from cinescrub.pipeline.engine import Engine, Targets
from cinescrub.pipeline.job import Nobody
from cinescrub.pixels import registry
from cinescrub.pixels.decode import Viewer
from cinescrub.report import FileReport, Status
from cinescrub.stream import CancelToken
from cinescrub.types import MaskPlan

__all__ = ["Copy", "DeIdentify", "Floor", "Place", "figures_of"]

_BLOCK: Final = 1 << 20
_PIXELS: Final = 0x7FE00000
"""First tag of the group of pixel data."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the ways leave what others need; a folder a case, which is there."""

    folder: Path

    @property
    def rectangles(self) -> Path:
        """What the engine filled, for those who only fill."""
        return self.folder / "rectangles.json"

    def output(self, subject: str, number: int = 0) -> Path:
        """Return what a subject's output is called."""
        return self.folder / f"{subject}-{number}.dcm"

    def filled(self, number: int = 0) -> list[tuple[int, int, int, int]]:
        """Return the rectangles of a cine, in pixels: x0, y0, x1, y1, ends exclusive."""
        return [tuple(box) for box in json.loads(self.rectangles.read_text())[number]]


@dataclass(frozen=True, slots=True)
class DeIdentify:
    """The main job on one cine, or on those of an exam in order."""

    config: EngineConfig
    """Its key is replaced by one of the benchmark's own, and nothing is kept over runs."""
    cine: Cine
    place: Place

    def __call__(self, begun: float) -> Trial:
        """Load everything, run, and tell what it took."""
        key = self.place.folder / "key"
        config = replace(self.config, key_file=key, state=None, resume=False)
        with Stopwatch() as loading:
            engine = Engine.open(config)
        loaded = peak_mib()
        out = self.place.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        reports: list[FileReport] = []
        spent, first = [], 0.0
        with engine, Stopwatch() as whole:
            lines = run_all(
                engine,
                self.cine.paths,
                Targets.open(out, list(self.cine.paths)),
                token=CancelToken(),
                observer=Nobody(),
                jobs=config.jobs,
            )
            for _ in self.cine.paths:
                with Stopwatch() as watch:
                    reports.append(next(lines))
                first = first or time.perf_counter() - begun
                spent.append(watch)
            next(lines, None)  # it ends by itself behind the last
        if config.jobs > 1:  # side by side, no cine has seconds of its own
            spent = [whole]
        self.place.rectangles.write_text(json.dumps([list(r.rectangles) for r in reports]))
        for number, report in enumerate(reports):
            if report.output is not None:
                report.output.replace(self.place.output("cinescrub", number))
        figures = {"load_s": loading.wall, "load_cpu_s": loading.cpu, "loaded_mib": loaded}
        done = all(report.status is Status.OK for report in reports)
        figures |= figures_of(spent, first, sum(r.frames for r in reports) if done else 0)
        figures |= _stages(reports)
        worst = max(reports, key=lambda report: report.exit_code)
        facts = {"precision": _precision(config), **_facts(reports, worst)}
        return Trial(figures, facts, worst.reason if worst.exit_code else None)


def _precision(config: EngineConfig) -> str:
    """Return in what precision each model ran."""
    ran = {slot: str(contract.precision) for slot, contract in chosen_contracts(config).items()}
    return ", ".join(f"{slot} {precision}" for slot, precision in ran.items())


def _stages(reports: Sequence[FileReport]) -> dict[str, float]:
    names = dict.fromkeys(name for report in reports for name in report.seconds)
    return {f"stage_{n}_s": sum(report.seconds.get(n, 0.0) for report in reports) for n in names}


def _facts(reports: Sequence[FileReport], worst: FileReport) -> dict[str, Scalar]:
    frames = sum(report.frames for report in reports)
    looked = sum(report.inspected_share * report.frames for report in reports)
    return {
        "status": worst.status.value,
        "exit_code": worst.exit_code,
        "inspected": sum(report.inspected for report in reports),
        "inspected_share": round(looked / frames, 5) if frames else 0.0,
        "rectangles": sum(len(report.rectangles) for report in reports),
    }


@dataclass(frozen=True, slots=True)
class Floor:
    """Reading, decoding once, filling what the engine filled, and writing."""

    cine: Cine
    place: Place

    def __call__(self, begun: float) -> Trial:
        """Do it, in the order of the paths."""
        spent, first = [], 0.0
        for number, path in enumerate(self.cine.paths):
            target = self.place.output("floor", number)
            with Stopwatch() as watch:
                _least(path, target, self.place.filled(number))
            first = first or time.perf_counter() - begun
            spent.append(watch)
        return Trial(figures_of(spent, first, self.cine.frames))


def _least(path: Path, target: Path, filled: list[tuple[int, int, int, int]]) -> None:
    boxes = np.array(filled, np.int32).reshape(-1, 4)
    with open_source(path) as source, OutputFile(target) as output:
        _decode_all(source)
        plan = masks.with_rectangles(source.info, boxes)
        meta = fresh_file_meta(
            sop_class=str(source.header.SOPClassUID),
            sop_instance=str(source.header.SOPInstanceUID),
            transfer_syntax=registry.output_syntax(source.info),
        )
        output.write_header(meta, source.header[:_PIXELS])  # what is behind them is dropped
        _fill_all(output, source, plan)
        output.finish()
        # Left without a commit, which would sync: the temporary file goes.


def _decode_all(source: Source) -> None:
    viewer = Viewer(source.info)
    picture = np.empty(viewer.shape, np.uint8)
    for frame in source.frames_in_order():
        viewer.decode(frame, picture)


def _fill_all(output: OutputFile, source: Source, plan: MaskPlan) -> None:
    write_pixels(output, source, plan, token=CancelToken(), tell=lambda _: None)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the file, and one pass over its bytes in memory."""

    cine: Cine
    place: Place

    def __call__(self, begun: float) -> Trial:
        """Do it, in the order of the paths."""
        spent, first = [], 0.0
        for number, path in enumerate(self.cine.paths):
            with Stopwatch() as watch:
                copied = shutil.copyfile(path, self.place.output("copy", number))
                mapped = np.memmap(copied, np.uint8, "r")
                for start in range(0, len(mapped), _BLOCK):
                    mapped[start : start + _BLOCK].max()
            first = first or time.perf_counter() - begun
            spent.append(watch)
        return Trial(figures_of(spent, first, self.cine.frames))


def figures_of(spent: Sequence[Stopwatch], first: float, frames: int) -> dict[str, float]:
    """Return the figures that all ways have, of the cines of a case.

    Parameters
    ----------
    spent : sequence of Stopwatch
        One a cine, in order.
    first : float
        Seconds from the start of the process to the first output.
    frames : int
        Of all cines; 0 where they don't count, which leaves rates out.
    """
    wall, cpu = sum(each.wall for each in spent), sum(each.cpu for each in spent)
    figures = {"wall_s": wall, "cpu_s": cpu, "first_output_s": first, "peak_mib": peak_mib()}
    if frames and cpu > 0:
        figures |= {"frames_per_s": frames / wall, "frames_per_cpu_s": frames / cpu}
    if len(spent) > 1:
        figures["first_wall_s"], figures["first_cpu_s"] = spent[0].wall, spent[0].cpu
        figures["later_wall_s"] = statistics.median(each.wall for each in spent[1:])
        figures["later_cpu_s"] = statistics.median(each.cpu for each in spent[1:])
    return figures
