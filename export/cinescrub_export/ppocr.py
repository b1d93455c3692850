"""The two PP-OCRv6 slots: published ONNX graphs given the engine's own input.

PP-OCR's text detector is a DB network (Liao et al., "Real-time Scene Text Detection with
Differentiable Binarization", AAAI 2020), its recogniser a CTC network over lines of 48 pixels. The
published weights stay as they are but for exact algebra in the first convolution: its channels are
turned from B, G, R to R, G, B and its scale is that of bytes, as the centred bytes of a frame are
now prepended in the graph. This module reads and writes no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cinescrub.bundle import MODEL_FILE, Slot, TensorSpec
from cinescrub.errors import ModelError
from cinescrub_export.graph import check
from cinescrub_export.model import Built, opset_of, serialise
from cinescrub_export.parity import measured
from cinescrub_export.weights import Weights

__all__ = ["DETECTOR_FILE", "RECOGNIZER_FILE", "build_detector", "build_recognizer"]

DETECTOR_FILE: Final = "PP-OCRv6_det_small.onnx"
RECOGNIZER_FILE: Final = "PP-OCRv6_rec_small.onnx"
NOTICE_FILE: Final = "NOTICE"

_HALF: Final = 127.5
"""Bytes become (x / 255 - 0.5) / 0.5 = (x - 127.5) / 127.5 in both networks (rapidocr 3.10:
`mean` and `std` of 0.5)."""
_HEIGHT: Final = 48

_DETECTOR_INPUT: Final = TensorSpec("frames", "uint8", ("N", "H", "W", "C"))
"""C is 1 (gray) or 3 (R, G, B); H and W are multiples of 32."""
_DETECTOR_OUTPUT: Final = TensorSpec("scores", "float32", ("N", "H", "W", 1))
"""Probability that a pixel lies in the shrunken core of a line of text."""
_DETECTOR_PREPROCESSING: Final[dict[str, float | int | str]] = {
    "colour_order": "RGB",
    "normalisation": "in-graph",
    "mean": 0.5,
    "std": 0.5,
    "side_multiple": 32,
    "score_stride": 1,
}
_RECOGNIZER_PREPROCESSING: Final[dict[str, float | int | str]] = {
    "height": _HEIGHT,
    "colour": "gray",
    "normalisation": "in-graph",
    "mean": 0.5,
    "std": 0.5,
    "minimum_width": 8,
    "resize": "keep-ratio",
    "pad": "right-constant",
    "pad_value": 128,
    "pad_to_multiple": 64,
    "scores": "probabilities",
}
"""The published pipeline pads with zeros after the normalisation: 127.5, which no byte can be. 128
differs from it by 0.004 of the input's -1..1."""

# Apache-2.0, section 4(b) and (c): a notice of the changes, and whose work it is.
_NOTICE: Final = """\
model.onnx in this folder is {file} as published with RapidOCR 3.10.0, modified by cinescrub: it
takes 8-bit R, G, B or gray pixels, and centres and scales them in the graph.

Converted from an official PaddleOCR model (PP-OCRv6) and packaged by the RapidOCR authors. The
weights are copyright Baidu and/or the PaddleOCR rights holders.
Licensed under the Apache License, Version 2.0, https://www.apache.org/licenses/LICENSE-2.0
"""


def build_detector(weights: Weights) -> Built:
    """Build the PP-OCR detector's slot.

    Raises
    ------
    ModelError
        The file is missing, differs from its pin, or is another network.
    """
    model = _published(weights, DETECTOR_FILE)
    _take_bytes(model, _DETECTOR_INPUT)
    _give(model, _DETECTOR_OUTPUT, "Transpose", perm=[0, 2, 3, 1])
    return _built(
        model, weights, DETECTOR_FILE, Slot.PPOCR_DETECTOR, _DETECTOR_INPUT, _DETECTOR_OUTPUT,
        preprocessing=_DETECTOR_PREPROCESSING,
    )  # fmt: skip


def build_recognizer(weights: Weights) -> Built:
    """Build the PP-OCR recogniser's slot.

    Raises
    ------
    ModelError
        As `build_detector`; or its character set does not fit its classes.
    """
    model = _published(weights, RECOGNIZER_FILE)
    charset = _charset(model)
    taken = TensorSpec("lines", "uint8", ("N", _HEIGHT, "W", 1))
    given = TensorSpec("probabilities", "float32", ("N", "T", len(charset) + 1))
    _take_bytes(model, taken)
    _give(model, given, "Identity")
    del model.metadata_props[:]  # the contract states the character set
    return _built(
        model, weights, RECOGNIZER_FILE, Slot.PPOCR_RECOGNIZER, taken, given,
        preprocessing=_RECOGNIZER_PREPROCESSING, charset=charset,
    )  # fmt: skip


def _built(
    model: onnx.ModelProto,
    weights: Weights,
    file: str,
    slot: Slot,
    taken: TensorSpec,
    given: TensorSpec,
    *,
    preprocessing: dict[str, float | int | str],
    charset: str = "",
) -> Built:
    check(model)
    data = serialise(model)
    return Built(
        slot=slot,
        name=file.removesuffix(".onnx"),
        precision="fp32",
        opset=opset_of(model),
        inputs=(taken,),
        outputs=(given,),
        origin=weights.origin(file),
        files={MODEL_FILE: data, NOTICE_FILE: _NOTICE.format(file=file).encode()},
        details={
            "preprocessing": preprocessing,
            "charset": charset,
            "parity": measured(hashlib.sha256(data).hexdigest()),
        },
    )


def _published(weights: Weights, file: str) -> onnx.ModelProto:
    model = onnx.load_from_string(weights.read(file))
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise _unknown()
    return model


def _charset(model: onnx.ModelProto) -> str:
    """Return the characters of classes 1..n: those of the metadata, then the space."""
    listed = {p.key: p.value for p in model.metadata_props}.get("character", "").split("\n")
    shape = model.graph.output[0].type.tensor_type.shape.dim
    if (
        any(len(character) != 1 for character in listed)
        or len(set(listed)) != len(listed)
        or shape[-1].dim_value != len(listed) + 2  # the blank before, the space after
    ):
        raise ModelError("the recogniser's characters do not fit its classes: use the pinned file")
    return "".join(listed) + " "


def _take_bytes(model: onnx.ModelProto, spec: TensorSpec) -> None:
    """Replace the float32 `(N, 3, H, W)` input by uint8 `(N, H, W, C)`, in place."""
    graph = model.graph
    (old,) = graph.input
    users = [node for node in graph.node if old.name in node.input]
    if len(users) != 1 or users[0].op_type != "Conv":
        raise _unknown()
    weight = next((t for t in graph.initializer if t.name == users[0].input[1]), None)
    shared = sum(users[0].input[1] in node.input for node in graph.node) != 1
    if weight is None or shared or list(weight.dims[1:2]) != [3]:
        raise _unknown()
    exact = numpy_helper.to_array(weight).astype(np.float64)[:, ::-1] / _HALF
    weight.CopyFrom(
        numpy_helper.from_array(np.ascontiguousarray(exact, dtype=np.float32), weight.name)
    )
    # The centre can't move into a bias: padding zeros come after it. Its shape also broadcasts one
    # gray channel to the three that the network wants.
    centre = np.full((1, 3, 1, 1), _HALF, np.float32)
    graph.initializer.append(numpy_helper.from_array(centre, "input_centre"))
    prepended = [
        # Transposed before the cast: uint8 moves a quarter of the memory.
        _node("Transpose", [spec.name], "input_planes", perm=[0, 3, 1, 2]),
        _node("Cast", ["input_planes"], "input_float", to=TensorProto.FLOAT),
        _node("Sub", ["input_float", "input_centre"], "input_centred"),
    ]
    users[0].input[0] = "input_centred"
    nodes = [*prepended, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    old.CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.UINT8, spec.shape))


def _give(model: onnx.ModelProto, spec: TensorSpec, kind: str, **attributes: Sequence[int]) -> None:
    """Append a node that gives the output its name and layout, in place."""
    (old,) = model.graph.output
    model.graph.node.append(_node(kind, [old.name], spec.name, **attributes))
    old.CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape))


def _node(
    kind: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]
) -> onnx.NodeProto:
    node = helper.make_node(kind, list(inputs), [output], name=f"node_{output}")
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return node


def _unknown() -> ModelError:
    return ModelError("the published graph is not the one that is known: use the pinned file")
