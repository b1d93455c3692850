"""The english_g2 text recogniser as an ONNX graph, from the tensors of its published checkpoint.

Network: Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
(CRNN, TPAMI 2017), as EasyOCR trained it for English: a VGG-like stack, two bidirectional LSTMs and
a CTC classifier. Tensors in, model out: no file is read or written here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from cinescrub.bundle import TensorSpec
from cinescrub_export.checkpoint import Tensors
from cinescrub_export.graph import Float64, Graph, conv_weights, take

__all__ = ["CHARSET", "INPUT", "OUTPUT", "PREPROCESSING", "build_recognizer"]

CHARSET: Final = (
    "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ €"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
"""Characters of classes 1..96, in the order that english_g2 was trained with; 0 is the blank."""

INPUT: Final = TensorSpec("lines", "uint8", ("N", 64, "W", 1))
OUTPUT: Final = TensorSpec("logits", "float32", ("N", "T", len(CHARSET) + 1))
"""T = floor(floor(W / 2) / 2) - 1 time steps."""
PREPROCESSING: Final[dict[str, float | int | str]] = {
    "height": 64,
    "colour": "gray",
    "normalisation": "in-graph",
    "mean": 0.5,
    "std": 0.5,
    "minimum_width": 8,
    "resize": "keep-ratio",
    "interpolation": "bilinear",
    "pad": "right-replicate",
    "pad_to_multiple": 64,
    "contrast_retry_below": 0.1,
    "contrast_target": 0.5,
}
"""What the recogniser was trained and is read with (EasyOCR 1.7): a line is resized to the height,
keeping its ratio, and widened on the right by repeating its last column. Alone it is widened to the
next multiple of its height; in a batch to the widest. A line read with a confidence below
`contrast_retry_below` is read again with its 10..90 % range stretched if its contrast is below
`contrast_target`. `mean`, `std`: of pixels on a scale of 0..1; in the graph."""

_CONVOLUTIONS: Final = (
    # index, index of its batch norm, padding, pool after its ReLU
    (0, None, 1, (2, 2)),
    (3, None, 1, (2, 2)),
    (6, None, 1, None),
    (8, None, 1, (2, 1)),
    (11, 12, 1, None),
    (14, 15, 1, (2, 1)),
    (18, None, 0, None),
)


def build_recognizer(tensors: Tensors) -> onnx.ModelProto:
    """Build the recogniser.

    Parameters
    ----------
    tensors : Tensors
        The checkpoint, borrowed.

    Returns
    -------
    onnx.ModelProto
        `INPUT` to `OUTPUT`, any N and any width of at least 8 pixels.

    Raises
    ------
    ModelError
        A tensor is missing or of another rank.
    """
    graph = Graph()
    x = _features(graph, tensors)
    # Mean over the height, then time first: what LSTM wants.
    x = graph.node("ReduceMean", x, axes=[2], keepdims=0)
    x = graph.node("Transpose", x, perm=[2, 0, 1])
    x = graph.bilstm(x, tensors, "SequenceModeling.0.rnn")
    x = graph.linear(x, *_dense(tensors, "SequenceModeling.0.linear"))
    x = graph.bilstm(x, tensors, "SequenceModeling.1.rnn")
    # Two dense layers with nothing between them are one.
    inner, inner_bias = _dense(tensors, "SequenceModeling.1.linear")
    outer, outer_bias = _dense(tensors, "Prediction")
    x = graph.linear(x, outer @ inner, outer @ inner_bias + outer_bias)
    graph.node("Transpose", x, name=OUTPUT.name, perm=[1, 0, 2])
    return graph.model("recognizer", INPUT, OUTPUT)


def _features(graph: Graph, tensors: Tensors) -> str:
    x = graph.node("Transpose", INPUT.name, perm=[0, 3, 1, 2])
    x = graph.node("Cast", x, to=onnx.TensorProto.FLOAT)
    # (x / 255 - 0.5) / 0.5: the shift stays, as padding zeros come after it; the scale is folded.
    x = graph.node("Sub", x, graph.weights(np.array([127.5])))
    for index, norm, padding, pool in _CONVOLUTIONS:
        weight, bias = conv_weights(
            tensors,
            f"FeatureExtraction.ConvNet.{index}",
            None if norm is None else f"FeatureExtraction.ConvNet.{norm}",
        )
        if index == 0:
            weight = weight / 127.5
        x = graph.relu(graph.conv(x, weight, bias, padding=padding))
        if pool is not None:
            x = graph.max_pool(x, pool)
    return x


def _dense(tensors: Tensors, name: str) -> tuple[Float64, Float64]:
    return take(tensors, f"{name}.weight", 2), take(tensors, f"{name}.bias", 1)
