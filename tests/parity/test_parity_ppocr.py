"""The published PP-OCR graphs, fed as their own pipeline feeds them, and the exported ones.

The reference pre-processing is written out here as rapidocr 3.10 does it: B, G, R planes, float32,
(x / 255 - 0.5) / 0.5, a line padded with zeros after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from cinescrub import ctc
from cinescrub.bundle import Slot
from cinescrub.errors import ModelError
from cinescrub.runtime.session import open_session
from cinescrub_export.ppocr import DETECTOR_FILE, RECOGNIZER_FILE
from cinescrub_export.weights import RAPIDOCR, Weights, open_weights

pytestmark = [pytest.mark.models, pytest.mark.slow]

# Float32 against float32, the scale folded into the first weights: 2.9e-6 and 9.5e-6 measured.
# Channels in the other order: 0.3 on the yellow third of the colour frame.
TOLERANCE = 5e-5

LINES = (
    "ROE, JANE  F  1971-03-09", "MRN 00481516", "St. Mary's Hospital", "MI 0.9  TIs 0.4",
    "Gain 60% 12Hz", "LV 4CH", "C5-1  14.2cm", "Dr. A. Kowalski",
)  # fmt: skip


@pytest.fixture(scope="module")
def published() -> Iterator[Weights]:
    try:
        with open_weights(RAPIDOCR, progress=print) as weights:
            weights.read(DETECTOR_FILE)
            yield weights
    except ModelError as error:
        pytest.skip(error.message)


def reference(weights: Weights, file: str, planes: npt.NDArray[np.float32]) -> Any:
    session = onnxruntime.InferenceSession(weights.read(file), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": planes})[0]


def planes_of(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    bgr = np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb[..., ::-1]
    normal = (bgr.astype(np.float32) * np.float32(1 / 255) - np.float32(0.5)) / np.float32(0.5)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def frame_of(rows: int, columns: int, channels: int, seed: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    gray = np.clip(random.rayleigh(14, (rows, columns)), 0, 255).astype(np.uint8)
    gray = cv2.GaussianBlur(gray, (0, 0), 1.2).astype(np.uint8)
    for number, line in enumerate(LINES):
        at = (8 + 23 * (number % 3), 24 + number * max(24, rows // len(LINES) - 2))
        cv2.putText(gray, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230, 1, cv2.LINE_AA)
    frame = np.repeat(gray[..., None], channels, axis=2)
    if channels == 3:
        frame[: rows // 3, :, 2] //= 2  # yellow banner: the channels must not be swapped
    return np.ascontiguousarray(frame, dtype=np.uint8)


@pytest.mark.parametrize(("rows", "columns", "channels"), [(480, 640, 3), (480, 640, 1)])
def test_score_maps_are_equal(
    published: Weights, models_dir: Path, rows: int, columns: int, channels: int
) -> None:
    frame = frame_of(rows, columns, channels, seed=channels)
    expected = reference(published, DETECTOR_FILE, planes_of(frame))

    got = open_session(models_dir, Slot.PPOCR_DETECTOR).run({"frames": frame[None]})

    assert float(expected.max()) > 0.9  # there is text to find
    np.testing.assert_allclose(got[..., 0], expected[:, 0], rtol=0, atol=TOLERANCE)
    assert ((got[..., 0] > 0.3) == (expected[:, 0] > 0.3)).all()


@pytest.mark.parametrize("text", LINES)
def test_lines_are_read_equal(published: Weights, models_dir: Path, text: str) -> None:
    line = np.full((48, 512, 1), 20, np.uint8)
    cv2.putText(line, text, (4, 33), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 230, 2, cv2.LINE_AA)
    expected = reference(published, RECOGNIZER_FILE, planes_of(line))
    session = open_session(models_dir, Slot.PPOCR_RECOGNIZER)

    got = session.run({"lines": line[None]})

    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    charset = session.contract.charset
    assert (
        ctc.decode_greedy(got, charset, probabilities=True)[0]
        == (ctc.decode_greedy(expected, charset, probabilities=True)[0])
    )


def test_padding_with_128_reads_as_padding_with_zeros_does(
    published: Weights, models_dir: Path
) -> None:
    line = np.full((48, 384, 1), 20, np.uint8)
    cv2.putText(line, LINES[0], (4, 33), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 230, 2, cv2.LINE_AA)
    zeros = np.pad(planes_of(line), ((0, 0), (0, 0), (0, 0), (0, 128)))
    expected = reference(published, RECOGNIZER_FILE, zeros)
    session = open_session(models_dir, Slot.PPOCR_RECOGNIZER)

    padded = np.pad(line, ((0, 0), (0, 128), (0, 0)), constant_values=128)
    got = session.run({"lines": padded[None]})

    charset = session.contract.charset
    assert (
        ctc.decode_greedy(got, charset, probabilities=True)[0]
        == (ctc.decode_greedy(expected, charset, probabilities=True)[0])
    )
    assert float(np.abs(got - expected).max()) < 0.1
