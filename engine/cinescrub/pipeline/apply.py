"""Pass 2: every frame into the output, with its rectangles filled and nothing else changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cinescrub.dicom.source import Source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pixels import native
from cinescrub.pixels.apply import clean, redact, reencode
from cinescrub.stream import CancelToken
from cinescrub.types import MaskPlan

__all__ = ["write_pixels"]

_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_RELEASE_EVERY: Final = 8
"""Frames after which mapped pages are let go, so that they don't count as resident memory."""


def write_pixels(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    *,
    syntax: str,
    token: CancelToken,
    tell: Callable[[int], None],
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
    syntax : str
        UID of the output's transfer syntax. Where it is not the source's, every frame is coded
        anew, without loss.
    token : CancelToken
        Checked before each frame.
    tell : callable
        Told how many frames are done.
    """
    if not source.info.native:
        _encapsulated(output, source, plan, syntax, token, tell)
    elif syntax == _DEFLATED:
        _deflated(output, source, plan, token, tell)
    else:
        _in_place(output, source, plan, token, tell)


def _in_place(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    token: CancelToken,
    tell: Callable[[int], None],
) -> None:
    """Copy the pixel data within the kernel, then fill rectangles in the mapped output."""
    info = source.info
    pixels = output.copy_native(source)
    for k in range(info.frames):
        token.check()
        frame = pixels[k * info.frame_bytes : (k + 1) * info.frame_bytes]
        native.fill(frame, info, plan.at(k))
        native.clear_unused_bits(frame, info)
        if k % _RELEASE_EVERY == _RELEASE_EVERY - 1:
            output.release()
        tell(k + 1)


def _deflated(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    token: CancelToken,
    tell: Callable[[int], None],
) -> None:
    info = source.info
    output.native(info.frame_bytes * info.frames, source.pixel_vr)
    for k, frame in enumerate(source.frames_in_order()):
        token.check()
        filled = bytearray(frame)
        native.fill(memoryview(filled), info, plan.at(k))
        native.clear_unused_bits(filled, info)
        output.append_native(memoryview(filled))
        tell(k + 1)


def _encapsulated(
    output: OutputFile,
    source: Source,
    plan: MaskPlan,
    syntax: str,
    token: CancelToken,
    tell: Callable[[int], None],
) -> None:
    info = source.info
    output.encapsulated(info.frames)
    for k, frame in enumerate(source.frames_in_order()):
        token.check()
        rectangles = plan.at(k)
        if syntax != info.transfer_syntax:
            output.append(reencode(frame, info, rectangles))
        elif len(rectangles):
            output.append(memoryview(redact(frame, info, rectangles)))
        else:
            output.append(memoryview(clean(frame, info)))
        tell(k + 1)
