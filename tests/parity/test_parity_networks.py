"""The published checkpoints through PyTorch and through the exported graphs: the same results.

PyTorch is needed for these tests only (extra `parity`); they are skipped without it. The reference
loads the checkpoint with PyTorch's own reader and follows the published module list, so it also
checks our reader, the folded batch norms and the merged layers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cinescrub import bundle
from cinescrub.bundle import Contract, Slot
from cinescrub.runtime.session import Model, open_session
from cinescrub.text.detector import CraftDetector
from cinescrub.text.recognizer import Recognizer, crop_lines
from cinescrub_export.checkpoint import parse_checkpoint
from cinescrub_export.weights import EASYOCR, Weights, open_weights

torch = pytest.importorskip("torch")
nn: Any = torch.nn
Module: Any = torch.nn.Module

pytestmark = [pytest.mark.models, pytest.mark.slow]

# Largest difference allowed, float32 against float32 with sums in another order. CRAFT's scores lie
# in about 0..1, 27 layers deep: 2.9e-6 measured. Logits lie in -15..25, after 7 convolutions and 2
# recurrences of up to 250 steps: 2.2e-4 measured. Ten times that is still far below what moves a
# decision: scores are compared with tenths, and one character wins over another by whole logits.
CRAFT_TOLERANCE = 2e-5
LOGIT_TOLERANCE = 2e-3


def double_conv(joined: int, middle: int, outputs: int) -> Any:
    layers = nn.Sequential(
        nn.Conv2d(joined, middle, 1), nn.BatchNorm2d(middle), nn.ReLU(inplace=True),
        nn.Conv2d(middle, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
    )  # fmt: skip
    return nn.Sequential(OrderedDict(conv=layers))


def vgg_layers() -> list[Any]:
    """VGG16 with batch norm, the features of the first 39 modules."""
    layers: list[Any] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512):
        if not width:
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True)]
        channels = width
    return layers[:39]


class Backbone(Module):  # type: ignore[misc]  # Any: importorskip tells no types
    def __init__(self) -> None:
        super().__init__()
        layers = vgg_layers()
        for number, (start, end) in enumerate(((0, 12), (12, 19), (19, 29), (29, 39)), 1):
            named = OrderedDict((str(index), layers[index]) for index in range(start, end))
            setattr(self, f"slice{number}", nn.Sequential(named))
        self.slice5 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1), nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.Conv2d(1024, 1024, 1),
        )  # fmt: skip

    def forward(self, x: Any) -> list[Any]:
        kept = []
        for stage in (self.slice1, self.slice2, self.slice3, self.slice4, self.slice5):
            x = stage(x)
            kept.append(x)  # the next stage's first ReLU works in place, on this very tensor
        return kept


class Craft(Module):  # type: ignore[misc]  # as above
    def __init__(self) -> None:
        super().__init__()
        self.basenet = Backbone()
        self.upconv1 = double_conv(1024 + 512, 512, 256)
        self.upconv2 = double_conv(512 + 256, 256, 128)
        self.upconv3 = double_conv(256 + 128, 128, 64)
        self.upconv4 = double_conv(128 + 64, 64, 32)
        self.conv_cls = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(16, 16, 1), nn.ReLU(True), nn.Conv2d(16, 2, 1),
        )  # fmt: skip

    def forward(self, frames: Any) -> Any:
        mean = torch.tensor([0.485, 0.456, 0.406])
        std = torch.tensor([0.229, 0.224, 0.225])
        x = (frames.float() - mean * 255) / (std * 255)
        skip2, skip3, skip4, skip5, deepest = self.basenet(x.permute(0, 3, 1, 2))
        x = self.upconv1(torch.cat([deepest, skip5], 1))
        for up, skip in ((self.upconv2, skip4), (self.upconv3, skip3), (self.upconv4, skip2)):
            x = nn.functional.interpolate(
                x, size=skip.shape[2:], mode="bilinear", align_corners=False
            )
            x = up(torch.cat([x, skip], 1))
        return self.conv_cls(x).permute(0, 2, 3, 1)


class Recurrent(Module):  # type: ignore[misc]  # as above
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(256, hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden, 256)

    def forward(self, x: Any) -> Any:
        return self.linear(self.rnn(x)[0])


class Features(Module):  # type: ignore[misc]  # as above
    def __init__(self) -> None:
        super().__init__()
        self.ConvNet = nn.Sequential(
            nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(True), nn.MaxPool2d(2, 2),
            nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU(True), nn.MaxPool2d(2, 2),
            nn.Conv2d(64, 128, 3, 1, 1), nn.ReLU(True),
            nn.Conv2d(128, 128, 3, 1, 1), nn.ReLU(True), nn.MaxPool2d((2, 1), (2, 1)),
            nn.Conv2d(128, 256, 3, 1, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(True),
            nn.Conv2d(256, 256, 3, 1, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(True),
            nn.MaxPool2d((2, 1), (2, 1)), nn.Conv2d(256, 256, 2, 1, 0), nn.ReLU(True),
        )  # fmt: skip


class Crnn(Module):  # type: ignore[misc]  # as above
    def __init__(self) -> None:
        super().__init__()
        self.FeatureExtraction = Features()
        self.SequenceModeling = nn.Sequential(Recurrent(256), Recurrent(256))
        self.Prediction = nn.Linear(256, 97)

    def forward(self, lines: Any) -> Any:
        x = (lines.float() / 255 - 0.5) / 0.5
        x = self.FeatureExtraction.ConvNet(x.permute(0, 3, 1, 2))
        x = nn.functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), (None, 1)).squeeze(3)
        return self.Prediction(self.SequenceModeling(x))


class TorchModel:
    """A PyTorch module where the engine expects a session."""

    def __init__(self, module: Any, contract: Contract) -> None:
        self._module = module
        self._contract = contract

    @property
    def contract(self) -> Contract:
        return self._contract

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        (value,) = inputs.values()
        if self._contract.slot is Slot.CRAFT and value.shape[3] == 1:
            value = np.repeat(value, 3, axis=3)
        with torch.no_grad():
            result: npt.NDArray[np.float32] = self._module(torch.from_numpy(value)).numpy()
        return result


@pytest.fixture(scope="module")
def published() -> Iterator[Weights]:
    with open_weights(EASYOCR, progress=print) as weights:
        yield weights


def load(weights: Weights, name: str, folder: Path) -> Any:
    """Load a checkpoint with PyTorch's own tensors-only reader."""
    file = folder / name
    file.write_bytes(weights.read(name))
    return torch.load(file, map_location="cpu", weights_only=True)


def strict(module: Any, state: Mapping[str, Any]) -> Any:
    module.load_state_dict({k.removeprefix("module."): v for k, v in state.items()}, strict=True)
    return module.eval()


@pytest.fixture(scope="module")
def detectors(
    published: Weights, models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, Model]:
    """The exported detector and its reference."""
    session = open_session(models_dir, Slot.CRAFT)
    state = load(published, "craft_mlt_25k.pth", tmp_path_factory.mktemp("craft"))
    return session, TorchModel(strict(Craft(), state), session.contract)


@pytest.fixture(scope="module")
def recognizers(
    published: Weights, models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, Model]:
    """The exported recogniser and its reference."""
    session = open_session(models_dir, Slot.RECOGNIZER)
    state = load(published, "english_g2.pth", tmp_path_factory.mktemp("recognizer"))
    return session, TorchModel(strict(Crnn(), state), session.contract)


LINES = (
    "ROE, JANE  F  1971-03-09", "MRN 00481516", "St. Mary's Hospital", "MI 0.9  TIs 0.4",
    "Gain 60% 12Hz", "LV 4CH", "C5-1  14.2cm", "Dr. A. Kowalski",
)  # fmt: skip


def frame_of(rows: int, columns: int, channels: int, seed: int) -> npt.NDArray[np.uint8]:
    """Draw lines of text over a speckle field, like a scanner's screen."""
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


FRAMES = {
    "640 x 480 colour": frame_of(480, 640, 3, 1),
    "640 x 480 gray": frame_of(480, 640, 1, 2),
    "odd size": frame_of(301, 403, 3, 3),
}


@pytest.mark.parametrize("name", ["craft_mlt_25k.pth", "english_g2.pth"], ids=["stream", "zip"])
def test_both_formats_are_read_bit_for_bit_as_pytorch_does(
    published: Weights, tmp_path: Path, name: str
) -> None:
    expected = load(published, name, tmp_path)

    tensors = parse_checkpoint(published.read(name))

    assert set(tensors) == {key.removeprefix("module.") for key in expected}
    for key, value in expected.items():
        got = tensors[key.removeprefix("module.")]
        assert got.dtype == value.numpy().dtype
        assert got.shape == tuple(value.shape)
        assert got.tobytes() == value.contiguous().numpy().tobytes()


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_score_maps_are_equal(detectors: tuple[Model, Model], frame: npt.NDArray[np.uint8]) -> None:
    ours, reference = (model.run({"frames": frame[None]}) for model in detectors)

    assert ours.shape == reference.shape
    assert float(reference.max()) > 0.5  # there is text to find
    np.testing.assert_allclose(ours, reference, rtol=0, atol=CRAFT_TOLERANCE)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_boxes_are_equal(detectors: tuple[Model, Model], frame: npt.NDArray[np.uint8]) -> None:
    ours, reference = (CraftDetector(model).detect(frame[None])[0] for model in detectors)

    assert len(reference) >= len(LINES)
    np.testing.assert_array_equal(ours.xyxy, reference.xyxy)


@pytest.mark.parametrize("shape", [(1, 8), (1, 9), (3, 257), (2, 640)], ids=str)
def test_logits_are_equal_on_noise(
    recognizers: tuple[Model, Model], shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(5)
    lines = random.integers(0, 256, (shape[0], 64, shape[1], 1), dtype=np.uint8)

    ours, reference = (model.run({"lines": lines}) for model in recognizers)

    np.testing.assert_allclose(ours, reference, rtol=0, atol=LOGIT_TOLERANCE)


def test_decoded_strings_are_equal(
    detectors: tuple[Model, Model], recognizers: tuple[Model, Model]
) -> None:
    ours, reference = (Recognizer(model) for model in recognizers)

    total = 0
    for frame in FRAMES.values():
        crops = crop_lines(frame, CraftDetector(detectors[0]).detect(frame[None])[0].xyxy)
        expected = reference.read(crops)
        got = ours.read(crops)
        assert got.texts == expected.texts
        np.testing.assert_allclose(got.confidences, expected.confidences, rtol=0, atol=1e-3)
        total += len(crops)
    assert total > 30


def test_the_contract_states_the_published_checkpoints(models_dir: Path) -> None:
    for slot, name in ((Slot.CRAFT, "craft_mlt_25k.pth"), (Slot.RECOGNIZER, "english_g2.pth")):
        contract = bundle.verify(models_dir, slot)

        assert contract.origin.sha256 == EASYOCR.files[EASYOCR.path(name)]
