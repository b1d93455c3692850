"""Pass 2: every frame into the output, with its rectangles filled and nothing else changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cinescrub.dicom.source import Source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pixels.apply import clean, fill_native, redact
from cinescrub.stream import CancelToken, mapped, usable_cores
from cinescrub.syntaxes import DEFLATED
from cinescrub.types import Fill, MaskPlan

__all__ = ["MAX_WORKERS", "write_pixels"]

MAX_WORKERS: Final = 4
"""Threads that code or check frames. Each holds a few frames: more would cost memory."""
_LARGE_BYTES: Final = 1 << 32
"""An input that has no room in a Basic Offset Table: its output most likely has none either."""
_HELD_BYTES: Final = 8 << 20
"""Mapped frames that are filled at a time, before their pages are let go so that they don't count
as resident memory. A call for a frame would cost as much as copying a small one."""


def write_pixels(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    *,
    fill: Fill = Fill.BLACK,
    token: CancelToken,
    tell: Callable[[int], None],
    workers: int | None = None,
) -> None:
    """Write the pixel data of a source with a plan applied, one frame at a time.

    Parameters
    ----------
    output : OutputFile
        Its header is written already.
    source : Source
        Where the frames come from.
    plan : MaskPlan
        Snapped to the codec's blocks.
    fill : Fill, optional
        With what its rectangles are filled.
    token : CancelToken
        Checked before each frame.
    tell : callable
        Told how many frames are done.
    workers : int, optional
        Threads that code compressed frames; one a core, up to `MAX_WORKERS`, where not given.
    """
    if not source.info.native:
        threads = usable_cores(MAX_WORKERS) if workers is None else workers
        threads = min(threads, source.info.frames)
        _encapsulated(output, source, plan, fill, token, tell, threads)
    elif source.transfer_syntax == DEFLATED:
        _deflated(output, source, plan, fill, token, tell)
    else:
        _in_place(output, source, plan, fill, token, tell)


def _in_place(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    fill: Fill,
    token: CancelToken,
    tell: Callable[[int], None],
) -> None:
    """Copy the pixel data within the kernel, then fill rectangles in the mapped output."""
    info = source.info
    pixels = output.copy_native(source)
    for start, stop, rectangles in plan.stretches(max(1, _HELD_BYTES // info.frame_bytes)):
        token.check()
        if len(rectangles) or info.bits_stored < info.bits_allocated:
            frames = pixels[start * info.frame_bytes : stop * info.frame_bytes]
            fill_native(frames, info, rectangles, fill)
            output.release()
        for k in range(start, stop):
            tell(k + 1)


def _deflated(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    fill: Fill,
    token: CancelToken,
    tell: Callable[[int], None],
) -> None:
    info = source.info
    output.native(info.frame_bytes * info.frames, source.pixel_vr)
    for k, frame in enumerate(source.frames_in_order()):
        token.check()
        filled = bytearray(frame)
        fill_native(filled, info, plan.at(k), fill)
        output.append_native(memoryview(filled))
        tell(k + 1)


def _encapsulated(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    fill: Fill,
    token: CancelToken,
    tell: Callable[[int], None],
    workers: int,
) -> None:
    info = source.info
    changed = len(plan.rectangles) > 0

    def written(item: tuple[int, memoryview]) -> memoryview:
        k, frame = item
        return memoryview(redact(frame, info, plan.at(k), fill) if changed else clean(frame, info))

    if not changed and info.bits_stored == info.bits_allocated:
        workers = 1  # marker segments are looked through, mostly under the interpreter's lock
    large = source.extended_offsets or source.size > _LARGE_BYTES
    output.encapsulated(info.frames, extended=large)
    numbered = enumerate(source.frames_in_order())
    with mapped(written, numbered, workers=workers, token=token) as frames:
        for k, frame in enumerate(frames):
            output.append(frame)
            tell(k + 1)
