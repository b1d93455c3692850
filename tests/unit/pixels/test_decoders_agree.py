"""One reference, several implementations: our decoders and every one that pydicom can use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from cinescrub.pixels import rle
from cinescrub.pixels.decode import decode_stored
from cinescrub.types import CineInfo

ROOT = "1.2.840.10008.1.2"
H, W = 37, 53
GENERATOR = np.random.default_rng(11)
Samples = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A frame in a syntax, and the stored samples that it decodes to where that is known."""

    suffix: str
    info: CineInfo
    frame: bytes
    exact: Samples | None


def layout(bits: int, *, colour: bool = False, signed: bool = False) -> CineInfo:
    allocated = 8 if bits <= 8 else 16
    samples, photometric = (3, "RGB") if colour else (1, "MONOCHROME2")
    return CineInfo(
        "", 1, H, W, samples, photometric, allocated, bits, bits - 1, signed=signed, planar=0
    )


def tissue(bits: int, *, colour: bool = False) -> Samples:
    """Return samples that vary smoothly, use the whole range and hold hard edges."""
    shape = (H, W, 3) if colour else (H, W)
    steps = GENERATOR.integers(-9, 10, shape).cumsum(axis=1)
    values = ((1 << bits - 1) + steps * (1 << max(0, bits - 8))).clip(0, (1 << bits) - 1)
    values[5:12, 8:30] = (1 << bits) - 1
    values[20:24] = 0
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def lossless_jpeg(samples: Samples, bits: int, predictor: int) -> bytes:
    space = "RGB" if samples.ndim == 3 else "GRAYSCALE"
    return bytes(
        imagecodecs.jpeg8_encode(
            samples,
            lossless=True,
            predictor=predictor,
            bitspersample=bits,
            colorspace=space,
            outcolorspace=space,
        )
    )


def j2k(samples: Samples, bits: int, **options: Any) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(samples, codecformat="j2k", bitspersample=bits, **options)
    )


def made() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    gray, colour = tissue(8), tissue(8, colour=True)
    for bits in (8, 10, 12, 16):
        deep = tissue(bits)
        for predictor in range(1, 8):
            cases[f"jpeg lossless {bits} predictor {predictor}"] = Case(
                ".4.57", layout(bits), lossless_jpeg(deep, bits, predictor), deep
            )
        cases[f"jpeg lossless first-order {bits}"] = Case(
            ".4.70", layout(bits), lossless_jpeg(deep, bits, 1), deep
        )
        cases[f"j2k lossless {bits}"] = Case(
            ".4.90", layout(bits), j2k(deep, bits, reversible=True, mct=False), deep
        )
        cases[f"j2k lossy {bits}"] = Case(
            ".4.91", layout(bits), j2k(deep, bits, level=45, mct=False), None
        )
        if bits in (8, 16):
            cases[f"jpeg-ls {bits}"] = Case(
                ".4.80", layout(bits), bytes(imagecodecs.jpegls_encode(deep)), deep
            )
            cases[f"jpeg-ls near {bits}"] = Case(
                ".4.81", layout(bits), bytes(imagecodecs.jpegls_encode(deep, level=3)), None
            )
            cases[f"htj2k {bits}"] = Case(
                ".4.201",
                layout(bits),
                bytes(imagecodecs.htj2k_encode(deep, reversible=True)),
                deep,
            )
        cases[f"rle {bits}"] = Case(".5", layout(bits), rle.encode(deep), deep)
    below = tissue(12).astype(np.int16) - 2048
    cases["j2k signed"] = Case(
        ".4.90", layout(12, signed=True), j2k(below, 12, reversible=True, mct=False), below
    )
    cases["rle signed"] = Case(".5", layout(16, signed=True), rle.encode(below), below)
    cases["jpeg lossless colour"] = Case(
        ".4.70", layout(8, colour=True), lossless_jpeg(colour, 8, 1), colour
    )
    cases["jpeg-ls colour"] = Case(
        ".4.80", layout(8, colour=True), bytes(imagecodecs.jpegls_encode(colour)), colour
    )
    cases["rle colour"] = Case(".5", layout(8, colour=True), rle.encode(colour), colour)
    rct = replace(layout(8, colour=True), photometric="YBR_RCT")
    cases["j2k rct"] = Case(".4.90", rct, j2k(colour, 8, reversible=True, mct=True), colour)
    cases["htj2k rct"] = Case(
        ".4.201", rct, bytes(imagecodecs.htj2k_encode(colour, reversible=True, rgb=True)), colour
    )
    ict = replace(layout(8, colour=True), photometric="YBR_ICT")
    cases["j2k ict"] = Case(".4.91", ict, j2k(colour, 8, level=45, mct=True), None)
    cases["jpeg gray"] = Case(".4.50", layout(8), bytes(imagecodecs.jpeg8_encode(gray, 90)), None)
    ybr = replace(layout(8, colour=True), photometric="YBR_FULL_422")
    for subsampling in ("444", "422", "420"):
        cases[f"jpeg {subsampling}"] = Case(
            ".4.50",
            ybr,
            bytes(imagecodecs.jpeg8_encode(colour, 90, subsampling=subsampling)),
            None,
        )
    return cases


CASES = made()
TOLERANCE: Final = {
    ("pylibjpeg", ".4.50"): 1,  # another inverse DCT; libjpeg's, which gdcm uses, is ours
}


def dataset_of(case: Case) -> Dataset:
    info = case.info
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(ROOT + case.suffix)
    dataset.SamplesPerPixel = info.samples
    dataset.PhotometricInterpretation = info.photometric
    dataset.Rows, dataset.Columns = H, W
    dataset.BitsAllocated, dataset.BitsStored = info.bits_allocated, info.bits_stored
    dataset.HighBit, dataset.PixelRepresentation = info.high_bit, int(info.signed)
    if info.samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = encapsulate([case.frame + bytes(len(case.frame) % 2)])
    dataset["PixelData"].VR = "OB"
    return dataset


def pairs() -> list[tuple[str, str]]:
    return [
        (name, plugin)
        for name, case in CASES.items()
        for plugin in get_decoder(UID(ROOT + case.suffix)).available_plugins
    ]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exact is not None])
def test_what_was_coded_without_loss_is_decoded_without(name: str) -> None:
    case = CASES[name]

    stored = decode_stored(case.frame, replace(case.info, transfer_syntax=ROOT + case.suffix))

    assert case.exact is not None
    assert stored.dtype == case.info.dtype
    assert np.array_equal(stored, case.exact)


@pytest.mark.parametrize(("name", "plugin"), pairs())
def test_our_decoder_agrees_with_pydicoms(name: str, plugin: str) -> None:
    case = CASES[name]
    ours = decode_stored(case.frame, replace(case.info, transfer_syntax=ROOT + case.suffix))

    theirs, _ = get_decoder(UID(ROOT + case.suffix)).as_array(
        dataset_of(case), decoding_plugin=plugin, raw=True
    )

    difference = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
    assert difference.max() <= TOLERANCE.get((plugin, case.suffix), 0)


def test_every_case_has_an_implementation_to_compare_with() -> None:
    assert {name for name, _ in pairs()} == set(CASES)
