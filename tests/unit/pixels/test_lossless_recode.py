from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub.errors import RedactionError
from cinescrub.pixels import codecs, lossless, native, rle
from cinescrub.pixels.apply import clean, redact
from cinescrub.pixels.codestream import Stream, read_j2k, read_jpeg
from cinescrub.pixels.compare import check_frame
from cinescrub.pixels.decode import decode_stored
from cinescrub.pixels.native import fill_value
from cinescrub.pixels.registry import output_photometric, output_syntax
from cinescrub.types import CineInfo

ROOT = "1.2.840.10008.1.2"
H, W = 21, 34
GENERATOR = np.random.default_rng(5)
GRAY = CineInfo(ROOT + ".5", 1, H, W, 1, "MONOCHROME2", 8, 8, 7, False, 0)
RGB = replace(GRAY, samples=3, photometric="RGB")
RECTANGLE = np.array([[3, 2, 17, 12]], np.int32)


def deep(bits: int, *, signed: bool = False) -> CineInfo:
    return replace(GRAY, bits_allocated=16, bits_stored=bits, high_bit=bits - 1, signed=signed)


def noise(bits: int, shape: tuple[int, ...] = (H, W)) -> npt.NDArray[Any]:
    values = GENERATOR.integers(0, 1 << bits, shape)
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def jpeg(samples: npt.NDArray[Any], bits: int, predictor: int = 1) -> bytes:
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


def j2k(samples: npt.NDArray[Any], bits: int, *, mct: bool = False, level: int = 0) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            samples,
            level=level,
            reversible=not level,
            codecformat="j2k",
            mct=mct,
            bitspersample=bits,
        )
    )


def htj2k(samples: npt.NDArray[Any], *, mct: bool = False) -> bytes:
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True, rgb=mct))


COLOUR = (H, W, 3)
CASES = [
    pytest.param(".5", GRAY, rle.encode(noise(8)), id="rle 8"),
    pytest.param(".5", deep(12), rle.encode(noise(12)), id="rle 12"),
    pytest.param(
        ".5",
        replace(GRAY, bits_allocated=32, bits_stored=32, high_bit=31),
        rle.encode(GENERATOR.integers(0, 1 << 32, (H, W), dtype=np.uint32)),
        id="rle 32",
    ),
    pytest.param(".5", RGB, rle.encode(noise(8, COLOUR)), id="rle rgb"),
    pytest.param(".57", GRAY, jpeg(noise(8), 8, predictor=6), id="jpeg lossless 8"),
    pytest.param(".70", deep(12), jpeg(noise(12), 12), id="jpeg lossless 12"),
    pytest.param(".70", deep(16, signed=True), jpeg(noise(16), 16), id="jpeg lossless signed"),
    pytest.param(".70", RGB, jpeg(noise(8, COLOUR), 8), id="jpeg lossless rgb"),
    pytest.param(
        ".70",
        replace(RGB, photometric="YBR_FULL"),
        jpeg(noise(8, COLOUR), 8),
        id="jpeg lossless ybr",
    ),
    pytest.param(".80", GRAY, bytes(imagecodecs.jpegls_encode(noise(8))), id="jpeg-ls 8"),
    pytest.param(".80", deep(16), bytes(imagecodecs.jpegls_encode(noise(16))), id="jpeg-ls 16"),
    pytest.param(".80", RGB, bytes(imagecodecs.jpegls_encode(noise(8, COLOUR))), id="jpeg-ls rgb"),
    pytest.param(
        ".81", GRAY, bytes(imagecodecs.jpegls_encode(noise(8), level=3)), id="jpeg-ls near"
    ),
    pytest.param(".90", GRAY, j2k(noise(8), 8), id="j2k 8"),
    pytest.param(".90", deep(12), j2k(noise(12), 12), id="j2k 12"),
    pytest.param(
        ".90",
        deep(12, signed=True),
        j2k(noise(12).astype(np.int16) - 2048, 12),
        id="j2k signed",
    ),
    pytest.param(".90", deep(12, signed=True), j2k(noise(12), 12), id="j2k sign in the header"),
    pytest.param(".90", RGB, j2k(noise(8, COLOUR), 8), id="j2k rgb"),
    pytest.param(
        ".90",
        replace(RGB, photometric="YBR_RCT"),
        j2k(noise(8, COLOUR), 8, mct=True),
        id="j2k rct",
    ),
    pytest.param(
        ".91",
        replace(RGB, photometric="YBR_ICT"),
        j2k(noise(8, COLOUR), 8, mct=True, level=40),
        id="j2k ict",
    ),
    pytest.param(".201", GRAY, htj2k(noise(8)), id="htj2k 8"),
    pytest.param(
        ".201", replace(RGB, photometric="YBR_RCT"), htj2k(noise(8, COLOUR), mct=True), id="ht rct"
    ),
    pytest.param(".202", RGB, htj2k(noise(8, COLOUR)), id="htj2k rgb"),
    pytest.param(".203", deep(12), j2k(noise(12), 12), id="12 bit to htj2k"),
    pytest.param(
        ".203",
        deep(12, signed=True),
        j2k(noise(12).astype(np.int16) - 2048, 12),
        id="signed 12 bit to htj2k",
    ),
]


@pytest.mark.parametrize(("suffix", "layout", "frame"), CASES)
def test_only_the_rectangle_changes_and_nothing_is_lost(
    suffix: str, layout: CineInfo, frame: bytes
) -> None:
    info = replace(layout, transfer_syntax=ROOT + (suffix if suffix == ".5" else ".4" + suffix))
    target = replace(
        info, transfer_syntax=output_syntax(info), photometric=output_photometric(info)
    )
    before = decode_stored(frame, info)

    result = redact(frame, info, RECTANGLE)

    after = decode_stored(result, target)
    covered = np.zeros((H, W), np.bool_)
    covered[2:12, 3:17] = True
    assert after.dtype == info.dtype
    assert (after[covered] == np.array(fill_value(info)).astype(after.dtype)).all()
    assert np.array_equal(after[~covered], before[~covered])
    assert len(result) % 2 == 0


@pytest.mark.parametrize(
    ("suffix", "frame", "bits"),
    [(".70", jpeg(noise(10), 10), 10), (".90", j2k(noise(10), 10), 10)],
    ids=["jpeg lossless", "j2k"],
)
def test_the_precision_of_the_stream_is_kept(suffix: str, frame: bytes, bits: int) -> None:
    info = replace(deep(bits), transfer_syntax=ROOT + ".4" + suffix)

    result = redact(frame, info, RECTANGLE)

    read = read_jpeg if suffix == ".70" else read_j2k
    assert read(result).precision == bits


def test_the_sign_of_the_stream_is_kept_in_htj2k() -> None:
    info = replace(deep(12, signed=True), transfer_syntax=ROOT + ".4.203")

    result = redact(j2k(noise(12).astype(np.int16) - 2048, 12), info, RECTANGLE)

    stream = read_j2k(result)
    assert (stream.precision, stream.signed) == (12, True)


@pytest.mark.parametrize("suffix", [".81", ".91", ".203"])
def test_a_lossy_frame_without_a_rectangle_keeps_its_bytes(suffix: str) -> None:
    frame = {
        ".81": bytes(imagecodecs.jpegls_encode(noise(8), level=3)),
        ".91": j2k(noise(8), 8, level=30),
        ".203": j2k(noise(8), 8, level=30),
    }[suffix]
    info = replace(GRAY, transfer_syntax=ROOT + ".4" + suffix)

    assert redact(frame, info, np.empty((0, 4), np.int32)) == clean(frame, info)


def test_a_frame_of_the_irreversible_transform_is_coded_again_as_it_decodes() -> None:
    info = replace(RGB, transfer_syntax=ROOT + ".4.91", photometric="YBR_ICT")
    frame = j2k(noise(8, COLOUR), 8, mct=True, level=30)

    result = redact(frame, info, np.empty((0, 4), np.int32))

    target = replace(info, photometric=output_photometric(info))
    assert np.array_equal(decode_stored(result, target), decode_stored(frame, info))


def test_an_encoder_that_loses_something_is_found_by_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = replace(GRAY, transfer_syntax=ROOT + ".4.90")
    frame = j2k(noise(8), 8)
    other = j2k(noise(8), 8)
    monkeypatch.setattr(imagecodecs, "jpeg2k_encode", lambda *_, **__: other)

    written = redact(frame, info, RECTANGLE)

    with pytest.raises(RedactionError):
        check_frame(frame, written, info, info, RECTANGLE)


def test_an_encoder_that_writes_other_samples_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    info = replace(deep(12), transfer_syntax=ROOT + ".4.90")
    frame = j2k(noise(12), 12)
    other = j2k(noise(8), 8)
    monkeypatch.setattr(imagecodecs, "jpeg2k_encode", lambda *_, **__: other)

    with pytest.raises(RedactionError, match="differs"):
        redact(frame, info, RECTANGLE)


DECODED = [
    pytest.param(".4.70", jpeg(noise(8, COLOUR), 8), id="jpeg lossless"),
    pytest.param(".4.80", bytes(imagecodecs.jpegls_encode(noise(8, COLOUR))), id="jpeg-ls"),
    pytest.param(".4.90", j2k(noise(8, COLOUR), 8), id="jpeg 2000"),
    pytest.param(".4.201", htj2k(noise(8, COLOUR)), id="htj2k"),
]


@pytest.mark.parametrize(("suffix", "frame"), DECODED)
def test_the_pixels_of_a_decoded_frame_exist_once(
    suffix: str, frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[npt.NDArray[Any]] = []
    painted: list[npt.NDArray[Any]] = []

    def decode(*given: Any) -> tuple[npt.NDArray[Any], Stream]:
        raw, stream = codecs.decode_raw(*given)
        decoded.append(raw)
        return raw, stream

    def paint(target: npt.NDArray[Any], *given: Any) -> None:
        painted.append(target)
        native.paint(target, *given)

    monkeypatch.setattr(lossless, "decode_raw", decode)
    monkeypatch.setattr(lossless, "paint", paint)

    redact(frame, replace(RGB, transfer_syntax=ROOT + suffix), RECTANGLE)

    assert np.shares_memory(decoded[0], painted[0])
