"""Redaction alone: a file with given rectangles filled, its header scrubbed, without a model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cinescrub import masks
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, scrub
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline import apply
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import registry
from cinescrub.pixels.apply import snap
from cinescrub.stream import CancelToken
from cinescrub.types import Boxes, MaskPlan


@dataclass(frozen=True)
class Spent:
    """Seconds: on the clock, and of this process on all cores. Ratios are of the latter."""

    wall: float
    cpu: float


def timed(way: Callable[[], object]) -> Spent:
    start, cpu = time.perf_counter(), time.process_time()
    way()
    return Spent(time.perf_counter() - start, time.process_time() - cpu)


def plan_of(source: Source, boxes: Boxes) -> MaskPlan:
    """Return the plan that fills rectangles in every frame, snapped as the codec wants it."""
    return masks.with_rectangles(source.info, snap(source.frame(0), source.info, boxes))


def redact_file(
    path: Path, target: Path, plan: MaskPlan, *, workers: int = 1, check: bool = False
) -> Spent:
    """Write the redacted file; return what its pixels took, up to the check of the output."""
    token = CancelToken()
    with open_source(path) as source:
        header = scrub(
            source.header,
            profile=basic_profile(),
            pseudonyms=Pseudonyms(bytes(32)),
            claims=Claims(),
        ).dataset
        header.PhotometricInterpretation = registry.output_photometric(source.info)
        meta = fresh_file_meta(
            sop_class=str(header.SOPClassUID),
            sop_instance=str(header.SOPInstanceUID),
            transfer_syntax=registry.output_syntax(source.info),
        )
        with OutputFile(target) as output:
            output.write_header(meta, header)
            spent = timed(lambda: _write_pixels(output, source, plan, token, workers))
            if check:
                with open_source(output.path) as written:
                    compare_frames(source, written, plan, token)
                output.commit()
    return spent


def _write_pixels(
    output: OutputFile, source: Source, plan: MaskPlan, token: CancelToken, workers: int
) -> None:
    apply.write_pixels(output, source, plan, token=token, tell=lambda _: None, workers=workers)
    output.finish()
