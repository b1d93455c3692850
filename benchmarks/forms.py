"""How benchmarks store a cine: every transfer syntax and photometric interpretation.

`FORMS` are the ones that are timed; `every()` yields each combination that the standard has (PS3.5
8.2) and that is supported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from cinescrub.pixels import rle

Samples = npt.NDArray[Any]
ROOT = "1.2.840.10008.1.2"
ROWS, COLUMNS = 480, 640


@dataclass(frozen=True)
class Form:
    """How a cine is stored."""

    name: str
    suffix: str
    photometric: str
    encode: Callable[[Samples], bytes]
    """(H, W) or (H, W, 3) samples to one frame's bytes."""
    bits: int = 8
    signed: bool = False
    planar: int = 0
    decode: Callable[[bytes], Samples] | None = None
    """With the library that `encode` uses; None for native forms."""
    ycc: bool = False
    """Whether `encode` is given Y, Cb, Cr; else R, G, B or gray."""

    @property
    def gray(self) -> bool:
        return self.photometric in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")

    @property
    def native(self) -> bool:
        return self.suffix in ("", ".1", ".2", ".1.99")


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
    Form("explicit YBR_FULL", ".1", "YBR_FULL", raw, ycc=True),
    Form("explicit YBR_FULL_422", ".1", "YBR_FULL_422", packed_422, ycc=True),
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


_GRAY = ("MONOCHROME1", "MONOCHROME2")
_ONE_SAMPLE = (*_GRAY, "PALETTE COLOR")


def every() -> Iterator[Form]:
    """Yield a form for each transfer syntax and photometric interpretation that is supported.

    Gray ones also with 10, 12 and 16 bits, unsigned and signed, where the syntax has them.
    """
    yield from _every_native()
    for coding in (_every_rle, _every_jpeg, _every_lossless_jpeg, _every_jpeg_ls):
        yield from coding()
    yield from _every_j2k()


def _deep(form: Form) -> Iterator[Form]:
    """Yield a gray form, and the same with more bits."""
    yield form
    if form.photometric == "MONOCHROME2":
        for bits, signed in ((10, False), (12, False), (16, False), (12, True), (16, True)):
            yield replace(form, bits=bits, signed=signed)


def _every_native() -> Iterator[Form]:
    for suffix in ("", ".1", ".2", ".1.99"):
        for photometric in _ONE_SAMPLE:
            yield from _deep(Form("", suffix, photometric, raw))
        yield Form("", suffix, "RGB", raw)
        yield Form("by plane", suffix, "RGB", planes, planar=1)
        yield Form("", suffix, "YBR_FULL", raw, ycc=True)
        yield Form("", suffix, "YBR_FULL_422", packed_422, ycc=True)


def _every_rle() -> Iterator[Form]:
    for photometric in _ONE_SAMPLE:
        yield from _deep(Form("", ".5", photometric, rle.encode))
    yield Form("", ".5", "RGB", rle.encode)
    yield Form("", ".5", "YBR_FULL", rle.encode, ycc=True)


def _every_jpeg() -> Iterator[Form]:
    for suffix in (".4.50", ".4.51"):
        for photometric in _GRAY:
            yield Form("", suffix, photometric, jpeg(level=85))
        yield Form("", suffix, "RGB", jpeg_plain(level=85))
        for name, photometric, sampling in (
            ("4:4:4", "YBR_FULL", "444"),
            ("4:2:2", "YBR_FULL_422", "422"),
            ("4:2:0", "YBR_FULL_422", "420"),
            ("4:4:0", "YBR_FULL_422", "440"),
        ):
            yield Form(name, suffix, photometric, jpeg(level=85, subsampling=sampling))


def _every_lossless_jpeg() -> Iterator[Form]:
    for suffix, predictor in ((".4.57", 6), (".4.70", 1)):
        plain = {"lossless": True, "predictor": predictor}
        for photometric in _ONE_SAMPLE:
            for form in _deep(Form("", suffix, photometric, jpeg_plain(**plain))):
                encode = _unsigned(jpeg_plain(bitspersample=form.bits, **plain), form.bits)
                yield replace(form, encode=encode)
        for photometric in ("RGB", "YBR_FULL", "YBR_FULL_422"):
            ycc = photometric != "RGB"
            yield Form("", suffix, photometric, jpeg_plain(**plain), ycc=ycc)


def _every_jpeg_ls() -> Iterator[Form]:
    for suffix, near in ((".4.80", 0), (".4.81", 2)):
        for photometric in _ONE_SAMPLE:
            for form in _deep(Form("", suffix, photometric, jls(near))):
                if not form.signed:  # near-lossless coding would wrap at zero
                    yield form
                elif not near:
                    yield replace(form, encode=_unsigned(form.encode, form.bits))
        yield Form("", suffix, "RGB", jls(near))
        yield Form("", suffix, "YBR_FULL", jls(near), ycc=True)


def _every_j2k() -> Iterator[Form]:
    lossless: dict[str, Any] = {"reversible": True}
    for suffix, options in ((".4.90", lossless), (".4.91", {"level": 40})):
        for photometric in _ONE_SAMPLE:
            for form in _deep(Form("", suffix, photometric, j2k(8, mct=False, **options))):
                yield replace(form, encode=j2k(form.bits, mct=False, **options))
        yield Form("", suffix, "RGB", j2k(8, mct=False, **options))
        yield Form("", suffix, "YBR_FULL", j2k(8, mct=False, **options), ycc=True)
        yield Form("", suffix, "YBR_RCT", j2k(8, mct=True, reversible=True))
    yield Form("", ".4.91", "YBR_ICT", j2k(8, mct=True, level=40))
    for suffix in (".4.201", ".4.202", ".4.203"):
        options = lossless if suffix != ".4.203" else {"reversible": False}
        for photometric in _ONE_SAMPLE:
            yield Form("", suffix, photometric, ht(**options))
        for signed in (False, True):
            yield Form("", suffix, "MONOCHROME2", ht(**options), bits=16, signed=signed)
        yield Form("", suffix, "RGB", ht(rgb=False, **options))
        yield Form("", suffix, "YBR_FULL", ht(rgb=False, **options), ycc=True)
        yield Form("", suffix, "YBR_RCT", ht(rgb=True, reversible=True))
    yield Form("", ".4.203", "YBR_ICT", ht(rgb=True, reversible=False))


def _unsigned(encode: Callable[[Samples], bytes], bits: int) -> Callable[[Samples], bytes]:
    """Code signed samples as the JPEG family does: their two's complement."""
    mask = np.uint16((1 << bits) - 1)
    return lambda s: encode(s.view(np.uint16) & mask if s.dtype.kind == "i" else s)


def _stored(frame: Samples, form: Form) -> Samples:
    """Return the samples that a form stores of a drawn R, G, B frame."""
    if form.photometric == "MONOCHROME1":
        return 255 - cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if form.gray:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        deep = gray if form.bits == 8 else gray.astype(np.uint16) << (form.bits - 8)
        return deep if not form.signed else (deep - (1 << (form.bits - 1))).view(np.int16)
    if form.ycc:
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
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames[0].shape[:2]
    dataset.BitsAllocated = 8 if form.bits == 8 else 16
    dataset.BitsStored, dataset.HighBit = form.bits, form.bits - 1
    dataset.PixelRepresentation = int(form.signed)
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
