"""What other readers make of an output: pydicom with each of its plug-ins, gdcm, dcmtk.

dcmtk is asked through its programs (Debian: `apt install dcmtk`); Debian's has no JPEG 2000.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.decoders.base import get_decoder

from cinescrub.dicom.source import Source
from cinescrub.pixels.native import without_unused_bits
from cinescrub.testing.jpeg_reader import Component, read_coefficients
from cinescrub.types import Boxes, MaskPlan

Samples = npt.NDArray[Any]
ROOT = "1.2.840.10008.1.2"
_JPEG = (ROOT + ".4.50", ROOT + ".4.51")
_TO_NATIVE = {
    **dict.fromkeys((".4.50", ".4.51", ".4.57", ".4.70"), ("dcmdjpeg", "+cn")),
    **dict.fromkeys((".4.80", ".4.81"), ("dcmdjpls",)),
    ".5": ("dcmdrle",),
    **dict.fromkeys(("", ".1", ".2", ".1.99"), ("dcmconv", "+te")),
}
"""The dcmtk program that gives native little endian."""
_GDCM_READS = """
import gdcm, sys
reader = gdcm.ImageReader()
reader.SetFileName(sys.argv[1])
if reader.Read():
    reader.GetImage().GetBuffer()
"""
_MOST_BYTES = 1 << 27
"""Decoded cines above it are only opened by gdcm and dcmtk, not compared sample by sample."""


class Decoded:
    """A file as pydicom decodes it with one plug-in, frame by frame, as stored samples."""

    def __init__(self, path: Path, plugin: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of real files' headers
            self._dataset = pydicom.dcmread(path)
        self._decoder = get_decoder(self._dataset.file_meta.TransferSyntaxUID)
        self._plugin = plugin
        self.frames = int(getattr(self._dataset, "NumberOfFrames", None) or 1)
        self.shape = (int(self._dataset.Rows), int(self._dataset.Columns), -1)

    def frame(self, index: int) -> Samples:
        samples, _ = self._decoder.as_array(
            self._dataset, index=index, raw=True, decoding_plugin=self._plugin
        )
        # Not every plug-in extends the sign from BitsStored, which an output does.
        return without_unused_bits(samples, int(self._dataset.BitsStored)).reshape(self.shape)


def plugins(path: Path) -> tuple[str, ...]:
    """Return pydicom's plug-ins for a file; one without a name where it needs none."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    return tuple(get_decoder(dataset.file_meta.TransferSyntaxUID).available_plugins) or ("",)


def some(frames: int, at_most: int) -> list[int]:
    """Return at most so many frame numbers, evenly spaced, the last included."""
    return sorted({round(k) for k in np.linspace(0, frames - 1, min(frames, at_most))})


def exact_outside(
    path: Path, output: Path, plan: MaskPlan, *, at_most: int = 8
) -> dict[str, float]:
    """Return the share of samples outside of the rectangles that are the source's, by plug-in.

    `luma` apart for lossy JPEG in colour: decoders interpolate subsampled chroma from both sides
    of a covered block's border.
    """
    shares: dict[str, float] = {}
    for plugin in plugins(path):
        same: list[Samples] = []
        try:
            was, now = Decoded(path, plugin), Decoded(output, plugin)
            same += [
                (was.frame(k) == now.frame(k))[outside(plan, plan.at(k))]
                for k in some(was.frames, at_most)
            ]
        except Exception as error:  # whatever a plug-in raises is the result
            shares[f"{plugin}: {type(error).__name__}"] = 0.0
            continue
        every = np.concatenate(same)
        name = plugin or "pydicom"
        shares[name] = _share(every)
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        if dataset.file_meta.TransferSyntaxUID in _JPEG and every.shape[-1] == 3:
            shares[f"{name}, luma"] = _share(every[..., 0])
    return shares


def _share(same: Samples) -> float:
    """Return the share of True, never rounded up to 1."""
    wrong = int(same.size - np.count_nonzero(same))
    return 1.0 if not wrong else min(0.999999, round(1 - wrong / same.size, 6))


def outside(plan: MaskPlan, rectangles: Boxes) -> npt.NDArray[np.bool_]:
    """Return which pixels no rectangle covers, (H, W)."""
    free = np.ones((plan.rows, plan.columns), np.bool_)
    for x0, y0, x1, y1 in rectangles:
        free[y0:y1, x0:x1] = False
    return free


def exact_coefficients(
    source: Source, written: Source, plan: MaskPlan, *, at_most: int = 3
) -> float | None:
    """Return the share of quantised coefficients outside of the covered MCUs that are the source's.

    None where the file is no lossy JPEG. An MCU is covered if one of its pixels is: the plan is
    snapped.
    """
    if source.transfer_syntax not in _JPEG:
        return None
    same = total = 0
    for k in some(source.info.frames, at_most):
        free = outside(plan, plan.at(k))
        before = read_coefficients(bytes(source.frame(k)))
        after = read_coefficients(bytes(written.frame(k)))
        for was, now, kept in _kept_blocks(before, after, free):
            same += int((was.blocks[kept] == now.blocks[kept]).sum())
            total += was.blocks[kept].size
    return 1.0 if same == total else min(0.999999, round(same / total, 6))


def _kept_blocks(
    before: tuple[Component, ...], after: tuple[Component, ...], free: npt.NDArray[np.bool_]
) -> Iterator[tuple[Component, Component, npt.NDArray[np.bool_]]]:
    widest, highest = max(c.h for c in before), max(c.v for c in before)
    mcus = free[:: 8 * highest, :: 8 * widest]
    for was, now in zip(before, after, strict=True):
        yield was, now, np.repeat(np.repeat(mcus, was.v, axis=0), was.h, axis=1)


def what_readers_see(output: Path, work: Path, *, wary: bool = False) -> dict[str, str]:
    """Return what readers make of a file: `same` samples as the first, or how they fail.

    `wary`: gdcm has a look in a process of its own first, which it ends on some real files.
    """
    results: dict[str, str] = {}
    reference: Samples | None = None
    for plugin in plugins(output):
        name = f"pydicom {plugin}".strip()
        try:
            decoded = Decoded(output, plugin)
            kept = _MOST_BYTES // max(1, decoded.frame(0).nbytes)
            samples = np.stack([decoded.frame(k) for k in range(min(decoded.frames, kept))])
        except Exception as error:  # whatever a plug-in raises is the result
            results[name] = f"fails: {type(error).__name__}"
            continue
        reference = samples if reference is None else reference
        results[name] = _compared(samples, reference)
    ends = wary and not _runs(sys.executable, "-c", _GDCM_READS, str(output))
    results["gdcm"] = "ends its process" if ends else _gdcm(output, reference)
    results["dcmtk"] = _dcmtk(output, work, reference)
    return results


def opened(result: str) -> bool:
    """Whether a reader took the file: decoded it, or parsed what it has no decoder for."""
    return result.startswith(("same", "within", "reads", "parses"))


def _compared(theirs: Samples, reference: Samples) -> str:
    largest = int(np.abs(theirs.astype(int) - reference.astype(int)).max())
    return "same" if largest == 0 else f"within {largest}"


def _gdcm(output: Path, reference: Samples | None) -> str:
    """Read a file with gdcm alone, without pydicom."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(output))
    if not reader.Read():
        return "can't read it"
    image = reader.GetImage()
    if reference is None or image.GetBufferLength() != reference.nbytes:
        return "reads it"
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    theirs = np.frombuffer(raw, reference.dtype)
    if image.GetPlanarConfiguration():
        frames, rows, columns, samples = reference.shape
        theirs = theirs.reshape(frames, samples, rows, columns).transpose(0, 2, 3, 1)
    return _compared(theirs.reshape(reference.shape), reference)


def _dcmtk(output: Path, work: Path, reference: Samples | None) -> str:
    if shutil.which("dcmdump") is None:
        return "not installed"
    if not _runs("dcmdump", "-q", str(output)):
        return "can't parse it"
    dataset = pydicom.dcmread(output, stop_before_pixels=True)
    program = _TO_NATIVE.get(dataset.file_meta.TransferSyntaxUID.removeprefix(ROOT))
    if program is None or reference is None:
        return "parses it"
    native = work / "dcmtk.dcm"
    if not _runs(*program, str(output), str(native)):
        return "can't decode it"
    if not _runs("dcm2pnm", "-q", str(native), str(work / "dcmtk.pnm")):
        return "can't draw it"
    decoded = Decoded(native, "")
    theirs = np.stack([decoded.frame(k) for k in range(len(reference))])
    return _compared(theirs.reshape(reference.shape), reference)


def _runs(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
