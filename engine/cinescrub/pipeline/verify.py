"""The check of a written file before it gets its name: pixel for pixel against source and plan.

A file passes when every frame equals its source outside of the planned rectangles and is filled
inside of them. Text that the policy would redact is looked for elsewhere (`engine`), with the
models; here is what needs none.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TypeAlias

from cinescrub.dicom.source import Source
from cinescrub.errors import RedactionError
from cinescrub.pipeline.apply import MAX_WORKERS
from cinescrub.pixels import registry
from cinescrub.pixels.apply import snap
from cinescrub.pixels.compare import check_frame, same_bytes
from cinescrub.stream import CancelToken, mapped, usable_cores
from cinescrub.types import Fill, MaskPlan

__all__ = ["compare_frames"]

_Pair: TypeAlias = tuple[int, memoryview, memoryview]


def compare_frames(
    source: Source,
    written: Source,
    plan: MaskPlan,
    token: CancelToken,
    *,
    fill: Fill = Fill.BLACK,
    workers: int | None = None,
) -> None:
    """Compare every frame of the written file with its source and the plan.

    Parameters
    ----------
    source, written : Source
        Open files; frames are read in order.
    plan : MaskPlan
        What was to be filled, already snapped to the codec's blocks.
    token : CancelToken
        Checked before each frame.
    fill : Fill, optional
        With what.
    workers : int, optional
        Threads; one a core, up to `MAX_WORKERS`, where not given.

    Raises
    ------
    RedactionError
        A pixel outside of the plan differs, or one inside is not filled.
    InputError
        A frame can't be decoded.
    """
    changed = len(plan.rectangles) > 0
    _check_header(source, written, changed=changed)
    all_change = changed and registry.changes_all(source.info)

    def check(pair: _Pair) -> None:
        k, before, after = pair
        planned = plan.at(k)
        if not len(planned) and not all_change and same_bytes(before, after):
            return
        # By frame: the sizes of MCUs may differ between frames, rarely as that is.
        rectangles = snap(before, source.info, planned)
        try:
            check_frame(before, after, source.info, written.info, rectangles, fill)
        except RedactionError as error:
            raise RedactionError(f"frame {k} {error.message}") from None

    pairs = zip(count(), source.frames_in_order(), written.frames_in_order(), strict=False)
    threads = usable_cores(MAX_WORKERS) if workers is None else workers
    with mapped(check, pairs, workers=threads, token=token) as done:
        for _ in done:
            pass


def _check_header(source: Source, written: Source, *, changed: bool) -> None:
    """Refuse a file that describes other pixels than its source.

    Raises
    ------
    RedactionError
        Another size, depth, colour or syntax than the redaction gives.
    """
    info = source.info
    if changed:
        info = replace(
            info,
            transfer_syntax=registry.output_syntax(info),
            photometric=registry.output_photometric(info),
        )
    # What the scrub may change, or the writer by design, is left out: it is no part of the pixels.
    mine, theirs = (
        replace(i, palette=None, sop_class="", modality="", regions=(), words=False)
        for i in (info, written.info)
    )
    if mine != theirs:
        raise RedactionError("the written file describes other pixels than meant: report this file")
