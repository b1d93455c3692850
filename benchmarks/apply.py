"""Measure what redaction alone costs and changes, for each transfer syntax and colour.

    python benchmarks/apply.py --frames 30 --repeats 5 --json apply.json

Makes a moving cine, stores it in each form, fills three rectangles in every frame without a model,
and compares in one run, interleaved: our apply (one thread, and all cores); decoding and coding
every frame again with the same library; what pydicom's own calls do; a plain copy of the file. Then
the output is decoded by pydicom with every plug-in that it has, and by dcmtk where that is
installed, and compared with the source outside of the rectangles.
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
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import gdcm
import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from cinescrub import masks
from cinescrub.dicom.profile import basic_profile
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.dicom.scrub import Claims, fresh_file_meta, scrub
from cinescrub.dicom.source import Source, open_source
from cinescrub.dicom.writer import OutputFile
from cinescrub.pipeline import apply
from cinescrub.pipeline.verify import compare_frames
from cinescrub.pixels import registry, rle
from cinescrub.pixels.apply import fill_native, redact, snap
from cinescrub.stream import CancelToken, usable_cores
from cinescrub.testing import CineSpec, Dynamic, make_cine
from cinescrub.testing.reader import read_frames
from cinescrub.types import MaskPlan

Samples = npt.NDArray[Any]
ROOT = "1.2.840.10008.1.2"
ROWS, COLUMNS = 480, 640
BOXES = np.array([[0, 0, 426, 40], [320, 240, 380, 252], [4, 440, 100, 460]], np.int32)
"""A banner, a label in the picture, a line below: 6 % of the frame."""
CHROMA_REACH_PX = 2


@dataclass(frozen=True)
class Form:
    """How a cine is stored."""

    name: str
    suffix: str
    photometric: str
    encode: Callable[[Samples], bytes]
    """(H, W) or (H, W, 3) samples to one frame's bytes."""
    bits: int = 8
    planar: int = 0
    decode: Callable[[bytes], Samples] | None = None
    """With the library that `encode` uses; None for native forms."""

    @property
    def gray(self) -> bool:
        return self.photometric in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")

    @property
    def native(self) -> bool:
        return self.decode is None


@dataclass(frozen=True)
class Spent:
    """Seconds: on the clock, and of this process on all cores. Ratios are of the latter."""

    wall: float
    cpu: float


def raw(samples: Samples) -> bytes:
    return samples.tobytes()


def planes(samples: Samples) -> bytes:
    return np.ascontiguousarray(samples.transpose(2, 0, 1)).tobytes()


def packed_422(samples: Samples) -> bytes:
    left, right = samples[:, 0::2], samples[:, 1::2]
    return np.stack([left[..., 0], right[..., 0], left[..., 1], left[..., 2]], -1).tobytes()


def jpeg(**options: Any) -> Callable[[Samples], bytes]:
    return lambda samples: bytes(imagecodecs.jpeg8_encode(samples, **options))


def jpeg_plain(**options: Any) -> Callable[[Samples], bytes]:
    """Encode components as they are."""

    def encode(samples: Samples) -> bytes:
        space = "RGB" if samples.ndim == 3 else "GRAYSCALE"
        return jpeg(colorspace=space, outcolorspace=space, **options)(samples)

    return encode


def j2k(bits: int, **options: Any) -> Callable[[Samples], bytes]:
    return lambda samples: bytes(
        imagecodecs.jpeg2k_encode(samples, codecformat="j2k", bitspersample=bits, **options)
    )


def jls(level: int = 0) -> Callable[[Samples], bytes]:
    return lambda samples: bytes(imagecodecs.jpegls_encode(samples, level=level))


def ht(**options: Any) -> Callable[[Samples], bytes]:
    return lambda samples: bytes(imagecodecs.htj2k_encode(samples, **options))


def rle_decode(info: dict[str, Any]) -> Callable[[bytes], Samples]:
    def decode(frame: bytes) -> Samples:
        dtype = np.dtype(info["dtype"])
        flat = np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
        if info["samples"] == 1:
            return flat.reshape(ROWS, COLUMNS)
        return flat.reshape(3, ROWS, COLUMNS).transpose(1, 2, 0)

    return decode


JPEG_DECODE = imagecodecs.jpeg8_decode
J2K_DECODE = imagecodecs.jpeg2k_decode
HT_DECODE = imagecodecs.htj2k_decode
JLS_DECODE = imagecodecs.jpegls_decode
LOSSLESS: dict[str, Any] = {"lossless": True, "predictor": 1}
FORMS = [
    Form("implicit RGB", "", "RGB", raw),
    Form("explicit RGB", ".1", "RGB", raw),
    Form("explicit RGB by plane", ".1", "RGB", planes, planar=1),
    Form("explicit YBR_FULL", ".1", "YBR_FULL", raw),
    Form("explicit YBR_FULL_422", ".1", "YBR_FULL_422", packed_422),
    Form("explicit MONOCHROME2", ".1", "MONOCHROME2", raw),
    Form("explicit MONOCHROME1", ".1", "MONOCHROME1", raw),
    Form("explicit MONOCHROME2 12 bit", ".1", "MONOCHROME2", raw, bits=12),
    Form("explicit PALETTE COLOR", ".1", "PALETTE COLOR", raw),
    Form("big endian RGB in words", ".2", "RGB", lambda s: s.tobytes()),
    Form("deflated RGB", ".1.99", "RGB", raw),
    Form("RLE RGB", ".5", "RGB", rle.encode, decode=rle_decode({"dtype": "u1", "samples": 3})),
    Form(
        "RLE MONOCHROME2 12 bit",
        ".5",
        "MONOCHROME2",
        rle.encode,
        bits=12,
        decode=rle_decode({"dtype": "u2", "samples": 1}),
    ),
    Form("JPEG MONOCHROME2", ".4.50", "MONOCHROME2", jpeg(level=85), decode=JPEG_DECODE),
    *(
        Form(
            f"JPEG {name}",
            ".4.50",
            photometric,
            jpeg(level=85, subsampling=subsampling),
            decode=JPEG_DECODE,
        )
        for name, photometric, subsampling in (
            ("4:4:4", "YBR_FULL", "444"),
            ("4:2:2", "YBR_FULL_422", "422"),
            ("4:2:0", "YBR_FULL_422", "420"),
        )
    ),
    Form(
        "JPEG lossless .57 MONOCHROME2 12 bit",
        ".4.57",
        "MONOCHROME2",
        jpeg_plain(lossless=True, predictor=6, bitspersample=12),
        bits=12,
        decode=JPEG_DECODE,
    ),
    Form("JPEG lossless .70 RGB", ".4.70", "RGB", jpeg_plain(**LOSSLESS), decode=JPEG_DECODE),
    Form("JPEG-LS RGB", ".4.80", "RGB", jls(), decode=JLS_DECODE),
    Form("JPEG-LS near MONOCHROME2", ".4.81", "MONOCHROME2", jls(2), decode=JLS_DECODE),
    Form(
        "JPEG 2000 lossless YBR_RCT",
        ".4.90",
        "YBR_RCT",
        j2k(8, reversible=True, mct=True),
        decode=J2K_DECODE,
    ),
    Form(
        "JPEG 2000 lossy MONOCHROME2",
        ".4.91",
        "MONOCHROME2",
        j2k(8, level=40, mct=False),
        decode=J2K_DECODE,
    ),
    Form(
        "JPEG 2000 lossy YBR_ICT", ".4.91", "YBR_ICT", j2k(8, level=40, mct=True), decode=J2K_DECODE
    ),
    Form(
        "HTJ2K lossless YBR_RCT",
        ".4.201",
        "YBR_RCT",
        ht(reversible=True, rgb=True),
        decode=HT_DECODE,
    ),
    Form("HTJ2K MONOCHROME2", ".4.203", "MONOCHROME2", ht(reversible=True), decode=HT_DECODE),
]
DCMTK = {
    **dict.fromkeys((".4.50", ".4.57", ".4.70"), ("dcmdjpeg", "+cn")),
    **dict.fromkeys((".4.80", ".4.81"), ("dcmdjpls",)),
    ".5": ("dcmdrle",),
    **dict.fromkeys(("", ".1", ".2", ".1.99"), ("dcmconv", "+te")),
}
"""The dcmtk program that gives native little endian; Debian's has no JPEG 2000."""


def main() -> int:
    options = _options()
    forms = [f for f in FORMS if options.only is None or f.native == (options.only == "native")]
    with tempfile.TemporaryDirectory(prefix="apply-", dir=options.work) as scratch:
        work = Path(scratch)
        make_cine(
            CineSpec(
                seed=7, frames=options.frames, rows=ROWS, columns=COLUMNS, dynamic=Dynamic.STATIC
            ),
            work / "made.dcm",
        )
        drawn = list(read_frames(work / "made.dcm"))
        rows = []
        for form in forms:
            rows.append(_measure(form, drawn, work, options.repeats))
            print(_line(rows[-1]), flush=True)
    result = {
        "machine": machine(),
        "frames": options.frames,
        "boxes": BOXES.tolist(),
        "rows": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("native", "coded"), help="Only these forms.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path)
    return parser.parse_args()


def _stored(frame: Samples, form: Form) -> Samples:
    """Return the samples that a form stores of a drawn R, G, B frame."""
    if form.photometric == "MONOCHROME1":
        return 255 - cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if form.gray:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        return gray if form.bits == 8 else gray.astype(np.uint16) << (form.bits - 8)
    if form.native and form.photometric.startswith("YBR"):
        return np.ascontiguousarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]])
    return frame


def write_form(form: Form, frames: list[Samples], path: Path) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(ROOT + form.suffix)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(
        "1.2.840.10008.5.1.4.1.1.3.1"
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "2.25.2", "2.25.3", "US"
    dataset.SamplesPerPixel = 1 if form.gray else 3
    dataset.PhotometricInterpretation = form.photometric
    if not form.gray:
        dataset.PlanarConfiguration = form.planar
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = len(frames), ROWS, COLUMNS
    dataset.BitsAllocated = 8 if form.bits == 8 else 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = form.bits, form.bits - 1, 0
    if form.photometric == "PALETTE COLOR":
        for channel in ("Red", "Green", "Blue"):
            setattr(dataset, f"{channel}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = (np.arange(256, dtype="<u2") * 257).tobytes()
            setattr(dataset, f"{channel}PaletteColorLookupTableData", table)
    coded = [form.encode(_stored(frame, form)) for frame in frames]
    if form.native:
        pixels = b"".join(coded)
        if form.suffix == ".2":
            pixels = np.frombuffer(pixels, "<u2").byteswap().tobytes()
        dataset.PixelData = pixels
        words = form.bits > 8 or form.suffix in ("", ".2")
        dataset["PixelData"].VR = "OW" if words else "OB"
    else:
        dataset.PixelData = encapsulate(coded)
        dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)


def _measure(form: Form, drawn: list[Samples], work: Path, repeats: int) -> dict[str, Any]:
    path, output = work / "in.dcm", work / "out.dcm"
    write_form(form, drawn, path)
    ways: dict[str, Callable[[], Spent]] = {
        "ours": lambda: _ours(path, output, workers=1),
        "ours, all cores": lambda: _ours(path, output, workers=usable_cores(apply.MAX_WORKERS)),
        "pydicom": lambda: _timed(lambda: _pydicom(form, path, work / "pydicom.dcm")),
        "copy": lambda: _timed(lambda: shutil.copyfile(path, work / "copy.dcm")),
    }
    if not form.native:
        ways["again"] = lambda: _timed(lambda: _again(form, path, work / "again.bin"))
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(repeats):  # interleaved, so that a drift of the machine hits all alike
        for name, way in ways.items():
            spent[name].append(way())
    _ours(path, output, workers=1, check=True)
    with open_source(path) as source, open_source(output) as written:
        plan = _plan(source)
        row = {
            "form": form.name,
            "syntax": source.transfer_syntax,
            "photometric": form.photometric,
            "same_syntax": source.transfer_syntax == written.transfer_syntax,
            "photometric_out": written.info.photometric,
            "bytes_in": path.stat().st_size,
            "bytes_out": output.stat().st_size,
            "buffers_per_frame": _buffers(source, plan),
        }
    cpu = {name: statistics.median(s.cpu for s in values) for name, values in spent.items()}
    wall = {name: statistics.median(s.wall for s in values) for name, values in spent.items()}
    frames = len(drawn)
    return row | {
        "frames_per_cpu_s": {name: round(frames / s, 1) for name, s in cpu.items()},
        "frames_per_wall_s": {name: round(frames / s, 1) for name, s in wall.items()},
        "cpu_s": {name: sorted(round(s.cpu, 4) for s in values) for name, values in spent.items()},
        "times_again": round(cpu["again"] / cpu["ours"], 2) if "again" in cpu else None,
        "times_copy": round(cpu["ours"] / cpu["copy"], 2),
        "exact": _exact(path, output, plan),
        "readers": _readers(form, output, work),
    }


def _timed(way: Callable[[], object]) -> Spent:
    start, cpu = time.perf_counter(), time.process_time()
    way()
    return Spent(time.perf_counter() - start, time.process_time() - cpu)


def _plan(source: Source) -> MaskPlan:
    return masks.with_rectangles(source.info, snap(source.frame(0), source.info, BOXES))


def _ours(path: Path, target: Path, *, workers: int, check: bool = False) -> Spent:
    """Write the redacted file; return what its pixels took, up to the check of the output."""
    token = CancelToken()
    with open_source(path) as source:
        plan = _plan(source)
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
            spent = _timed(lambda: _write_pixels(output, source, plan, token, workers))
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


def _again(form: Form, path: Path, target: Path) -> None:
    """Decode, fill and code every frame with the library, and write the bytes."""
    if form.decode is None:
        raise ValueError("native frames are not coded")
    with open_source(path) as source, target.open("wb") as file:
        for frame in source.frames_in_order():
            samples = np.array(form.decode(bytes(frame)))
            for x0, y0, x1, y1 in BOXES:
                samples[y0:y1, x0:x1] = 0
            file.write(form.encode(samples))


def _pydicom(form: Form, path: Path, target: Path) -> None:
    """Decode, fill and save as pydicom's documentation does: natively where it has no encoder."""
    dataset = pydicom.dcmread(path)
    pixels = np.array(dataset.pixel_array)
    for x0, y0, x1, y1 in BOXES:
        pixels[..., y0:y1, x0:x1, :] = 0
        if form.gray:
            pixels[..., y0:y1, x0:x1] = 0
    if not form.native:
        dataset.decompress()
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if form.bits > 8 else "OB"
    if form.suffix in (".5", ".4.90"):
        dataset.compress(UID(ROOT + form.suffix), pixels)
    dataset.save_as(target)


def _buffers(source: Source, plan: MaskPlan) -> float:
    """Return the peak of what one frame allocates while it is redacted, in decoded frames."""
    info = source.info
    frame: Any = source.frame(0)
    if info.native:
        frame = bytearray(frame)
    tracemalloc.start()
    try:
        if info.native:
            fill_native(frame, info, plan.at(0))
        else:
            redact(frame, info, plan.at(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return round(peak / (ROWS * COLUMNS * info.samples * (info.bits_allocated // 8)), 2)


def _decoded(path: Path, plugin: str) -> Samples:
    dataset = pydicom.dcmread(path)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    samples, _ = decoder.as_array(dataset, decoding_plugin=plugin, raw=True)
    return samples.reshape(int(dataset.NumberOfFrames), ROWS, COLUMNS, -1)


def _exact(path: Path, output: Path, plan: MaskPlan) -> dict[str, float]:
    """Return the share of samples outside of the rectangles that are the source's, by decoder.

    `luma` and `chroma` apart for subsampled JPEG, whose decoders interpolate chroma from both
    sides of a border.
    """
    outside = np.ones((ROWS, COLUMNS), np.bool_)
    for x0, y0, x1, y1 in plan.rectangles:
        outside[y0:y1, x0:x1] = False
    shares = {}
    syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    for plugin in get_decoder(syntax).available_plugins or ("",):
        was, now = _decoded(path, plugin), _decoded(output, plugin)
        same = (was == now)[:, outside]
        shares[plugin or "pydicom"] = round(float(same.mean()), 6)
        if syntax == ROOT + ".4.50" and was.shape[-1] == 3:
            shares[f"{plugin}, luma"] = round(float(same[..., 0].mean()), 6)
    return shares


def _readers(form: Form, output: Path, work: Path) -> dict[str, str]:
    """Return what other readers make of the output: `same` samples, or how they fail."""
    dataset = pydicom.dcmread(output)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    plugins = list(decoder.available_plugins)
    results = {}
    reference: Samples | None = None
    for plugin in plugins or [""]:
        try:
            samples = _decoded(output, plugin)
        except Exception as error:  # whatever a plug-in raises is the result
            results[plugin or "pydicom"] = f"fails: {type(error).__name__}"
            continue
        if reference is None:
            reference = samples
        largest = int(np.abs(samples.astype(int) - reference.astype(int)).max())
        results[plugin or "pydicom"] = "same" if largest == 0 else f"within {largest}"
    results["gdcm's reader"] = _gdcm(output, reference)
    results["dcmtk"] = _dcmtk(form, output, work, reference)
    return results


def _gdcm(output: Path, reference: Samples | None) -> str:
    """Read a file with gdcm alone, without pydicom."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(output))
    if not reader.Read():
        return "can't read it"
    image = reader.GetImage()
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    if reference is None or len(raw) != reference.nbytes:
        return "reads it"
    theirs = np.frombuffer(raw, reference.dtype)
    if image.GetPlanarConfiguration():
        theirs = theirs.reshape(len(reference), 3, ROWS, COLUMNS).transpose(0, 2, 3, 1)
    largest = int(np.abs(theirs.reshape(reference.shape).astype(int) - reference.astype(int)).max())
    return "same" if largest == 0 else f"within {largest}"


def _dcmtk(form: Form, output: Path, work: Path, reference: Samples | None) -> str:
    if shutil.which("dcmdump") is None:
        return "not installed"
    if subprocess.run(["dcmdump", "-q", str(output)], capture_output=True, check=False).returncode:
        return "can't parse it"
    program = DCMTK.get(form.suffix)
    if program is None or reference is None:
        return "parses it"
    native = work / "dcmtk.dcm"
    run = subprocess.run([*program, str(output), str(native)], capture_output=True, check=False)
    if run.returncode:
        return "can't decode it"
    samples = pydicom.dcmread(native)
    theirs, _ = get_decoder(samples.file_meta.TransferSyntaxUID).as_array(samples, raw=True)
    theirs = theirs.reshape(reference.shape)
    largest = int(np.abs(theirs.astype(int) - reference.astype(int)).max())
    return "same" if largest == 0 else f"within {largest}"


def _line(row: dict[str, Any]) -> str:
    rates = row["frames_per_cpu_s"]
    again = f"{rates['again']} ({row['times_again']} x)" if "again" in rates else ""
    readers = ", ".join(f"{name} {result}" for name, result in row["readers"].items())
    return " | ".join(
        [
            f"{row['form']:36s}",
            f"{rates['ours']:8.0f}",
            f"{again:>16s}",
            f"{rates['pydicom']:7.0f}",
            f"{rates['copy']:8.0f} ({row['times_copy']} x)",
            f"{row['bytes_out'] / row['bytes_in']:.3f}",
            f"{row['buffers_per_frame']:5.2f}",
            f"{100 * min(row['exact'].values()):.4f} %",
            "yes" if row["same_syntax"] else "no",
            readers,
        ]
    )


def machine() -> dict[str, Any]:
    names = ("cinescrub", "numpy", "imagecodecs", "pydicom", "python-gdcm", "pylibjpeg-libjpeg")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **{name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    sys.exit(main())
