"""The CRAFT text detector as an ONNX graph, from the tensors of its published checkpoint.

Network: Baek et al., "Character Region Awareness for Text Detection", CVPR 2019, VGG16 with batch
norm and a U-shaped head. Tensors in, model out: no file is read or written here.

Two things are exact algebra, not approximation: batch norms are folded into their convolutions,
and the two convolutions of the dilated stage and the deep half of the first 1x1 of the head, which
have nothing nonlinear between them, are multiplied into one (67 MB instead of 83).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx

from cinescrub.bundle import TensorSpec
from cinescrub_export.checkpoint import Tensors
from cinescrub_export.graph import Graph, conv_weights

__all__ = ["INPUT", "MEAN", "OUTPUT", "PREPROCESSING", "STD", "build_craft"]

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
"""R, G, B statistics of ImageNet, on a scale of 0..1, which the network was trained with."""

INPUT: Final = TensorSpec("frames", "uint8", ("N", "H", "W", "C"))
"""C is 1 (gray) or 3 (R, G, B)."""
OUTPUT: Final = TensorSpec("scores", "float32", ("N", "H/2", "W/2", 2))
"""Text score and link score, not clipped to 0..1."""
PREPROCESSING: Final[dict[str, float | int | str]] = {
    "colour_order": "RGB",
    "normalisation": "in-graph",
    "mean_r": MEAN[0], "mean_g": MEAN[1], "mean_b": MEAN[2],
    "std_r": STD[0], "std_g": STD[1], "std_b": STD[2],
    "minimum_side": 16,
    "score_stride": 2,
}  # fmt: skip
"""`minimum_side`: four 2x2 pools need 16 pixels. `score_stride`: frame pixels a score cell."""

_VGG: Final = (
    ("basenet.slice1", (0, 3, None, 7, 10)),
    ("basenet.slice2", (None, 14, 17)),
    ("basenet.slice3", (20, None, 24, 27)),
    ("basenet.slice4", (30, None, 34, 37)),
)
"""Stages by the index of their convolutions in VGG16; each has its batch norm at index + 1 and a
ReLU after that; None is a 2x2 max-pool."""
_HEAD: Final = ((0, 1), (2, 1), (4, 1), (6, 0), (8, 0))
"""Index and padding of the last convolutions, with a ReLU between."""


def build_craft(tensors: Tensors) -> onnx.ModelProto:
    """Build the detector.

    Parameters
    ----------
    tensors : Tensors
        The checkpoint, borrowed.

    Returns
    -------
    onnx.ModelProto
        `INPUT` to `OUTPUT`, any N, H and W of at least 16 pixels.

    Raises
    ------
    ModelError
        A tensor is missing or of another rank.
    """
    graph = Graph()
    stages = _backbone(graph, tensors)
    x = _deepest(graph, tensors, stages[-1])
    x = _second(graph, tensors, 1, x)
    for level, skip in ((2, stages[2]), (3, stages[1]), (4, stages[0])):
        # A stage ends before its ReLU in the published module list, but the next stage opens with
        # an in-place ReLU, which rewrites the tensor kept for the skip: skips are rectified.
        skip = graph.relu(skip)
        joined = graph.node("Concat", graph.resize_to(x, skip), skip, axis=1)
        x = _first(graph, tensors, level, joined)
        x = _second(graph, tensors, level, x)
    for index, padding in _HEAD:
        weight, bias = conv_weights(tensors, f"conv_cls.{index}")
        x = graph.conv(x, weight, bias, padding=padding)
        if index != _HEAD[-1][0]:
            x = graph.relu(x)
    graph.node("Transpose", x, name=OUTPUT.name, perm=[0, 2, 3, 1])
    return graph.model("craft", INPUT, OUTPUT)


def _backbone(graph: Graph, tensors: Tensors) -> list[str]:
    """Append VGG16 and return the end of each stage: after its batch norm, before its ReLU."""
    # Transposed before the cast: uint8 moves a quarter of the memory.
    x = graph.node("Transpose", INPUT.name, perm=[0, 3, 1, 2])
    x = graph.node("Cast", x, to=onnx.TensorProto.FLOAT)
    # The mean can't move into the first bias: padding zeros come after it. Its shape also
    # broadcasts one gray channel to the three that the network wants.
    mean = 255 * np.array(MEAN).reshape(1, 3, 1, 1)
    x = graph.node("Sub", x, graph.weights(mean))
    deviation = 255 * np.array(STD).reshape(1, 3, 1, 1)
    ends: list[str] = []
    rectify = False
    for stage, layers in _VGG:
        for layer in layers:
            if rectify:
                x = graph.relu(x)
            rectify = layer is not None
            if layer is None:
                x = graph.max_pool(x, (2, 2))
                continue
            weight, bias = conv_weights(tensors, f"{stage}.{layer}", f"{stage}.{layer + 1}")
            if not ends and layer == 0:
                weight = weight / deviation
            x = graph.conv(x, weight, bias, padding=1)
        ends.append(x)
    return ends


def _deepest(graph: Graph, tensors: Tensors, x: str) -> str:
    """Append the dilated stage joined with the first convolution of the head.

    With A, B the halves of the head's 1x1 weight, and C1, C2 the dilated stage's convolutions:
    A (C2 (C1 p)) + B x, p the pooled x, is one dilated convolution of p and one 1x1 of x.
    """
    head, head_bias = conv_weights(tensors, "upconv1.conv.0", "upconv1.conv.1")
    first, first_bias = conv_weights(tensors, "basenet.slice5.1")
    second, second_bias = conv_weights(tensors, "basenet.slice5.2")
    deep = head[:, : len(second), 0, 0]
    product = deep @ second[:, :, 0, 0]
    weight = (product @ first.reshape(len(first), -1)).reshape(-1, *first.shape[1:])
    bias = product @ first_bias + deep @ second_bias + head_bias
    pooled = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    dilated = graph.conv(pooled, weight, bias, padding=6, dilation=6)
    # The deepest skip is the one that no in-place ReLU follows: it stays as it is.
    skip = graph.conv(x, head[:, len(second) :], padding=0)
    return graph.relu(graph.node("Add", dilated, skip))


def _first(graph: Graph, tensors: Tensors, level: int, x: str) -> str:
    name = f"upconv{level}.conv"
    weight, bias = conv_weights(tensors, f"{name}.0", f"{name}.1")
    return graph.relu(graph.conv(x, weight, bias, padding=0))


def _second(graph: Graph, tensors: Tensors, level: int, x: str) -> str:
    name = f"upconv{level}.conv"
    weight, bias = conv_weights(tensors, f"{name}.3", f"{name}.4")
    return graph.relu(graph.conv(x, weight, bias, padding=1))
