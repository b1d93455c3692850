"""Make a graph of 8-bit convolutions out of one of 32 bits: static QDQ, pure graph algebra.

Every tensor that an 8-bit layer reads or writes passes through QuantizeLinear and
DequantizeLinear with the range that calibration saw (`ranges`); the runtime fuses the pairs with
the layers between them. Activations are uint8 with one scale a tensor, weights int8 with one scale
an output channel and no zero point, biases int32 (Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). Model in, model out:
nothing is run, read or written, so the same model and ranges give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from cinescrub.errors import ModelError

__all__ = ["Range", "Ranges", "calibrated_tensors", "quantized", "raised"]

Range: TypeAlias = tuple[float, float]
"""Least and greatest value."""
Ranges: TypeAlias = Mapping[str, Range]
"""Of tensors by name."""

_HANDED_ON: Final = frozenset({"MaxPool", "Resize"})
"""Layers whose output is no further out than their input: it keeps the input's scale, which is what
lets the runtime compute them on bytes."""
_JOINED: Final = frozenset({"Concat"})
_LEVELS: Final = 255
_GREATEST_WEIGHT: Final = 127
_SMALLEST_SCALE: Final = float(np.finfo(np.float32).tiny)


def calibrated_tensors(model: onnx.ModelProto, *, kept: int) -> tuple[str, ...]:
    """Return the tensors whose ranges `quantized` wants.

    Parameters
    ----------
    model : onnx.ModelProto
        Borrowed.
    kept : int
        So many convolutions, the last of the graph, stay in 32 bits.
    """
    graph = _Graph(_rectified_once(model), kept)
    return tuple(name for name in graph.touched if graph.source(name) == name)


def quantized(model: onnx.ModelProto, ranges: Ranges, *, kept: int) -> onnx.ModelProto:
    """Return the model with 8-bit convolutions, pools, resizes and joints.

    Parameters
    ----------
    model : onnx.ModelProto
        Of 32 bits, opset 13 or later; borrowed.
    ranges : mapping
        Of every tensor of `calibrated_tensors`.
    kept : int
        So many convolutions, the last of the graph, stay in 32 bits: they make scores, which
        thresholds cut.

    Raises
    ------
    ModelError
        A range is missing: the ranges are those of another graph.
    """
    made = _rectified_once(model)
    graph = _Graph(made, kept)
    _Writer(made, graph, {name: _quantum(ranges, name) for name in graph.roots}).write()
    return made


def raised(model: onnx.ModelProto, by: float) -> onnx.ModelProto:
    """Return the model with so much added to the first channel of its last convolution.

    Parameters
    ----------
    model : onnx.ModelProto
        Its last convolution, of 32 bits, makes the scores; borrowed.
    by : float
        In units of the score.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    last = [node for node in made.graph.node if node.op_type == "Conv"][-1]
    (bias,) = [each for each in made.graph.initializer if each.name == last.input[2]]
    values = numpy_helper.to_array(bias).copy()
    values[0] += by
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    return made


def _rectified_once(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which no tensor is rectified twice.

    One reader more would keep the runtime from computing a convolution and its rectifier together.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    nodes = []
    for node in made.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = same.get(name, name)
        if node.op_type == "Relu" and node.input[0] in first:
            same[node.output[0]] = first[node.input[0]]
            continue
        if node.op_type == "Relu":
            first[node.input[0]] = node.output[0]
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return made


def _quantum(ranges: Ranges, name: str) -> tuple[np.float32, np.uint8]:
    """Return scale and zero point of a tensor; zero is a level, as padding is zeros."""
    try:
        low, high = ranges[name]
    except KeyError as error:
        raise ModelError(
            f"no calibrated range for tensor {name}: run `tools/make_ranges.py`"
        ) from (error)
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / _LEVELS, _SMALLEST_SCALE))
    return scale, np.uint8(np.clip(np.rint(-low / float(scale)), 0, _LEVELS))


class _Graph:
    """Which nodes of a graph compute on bytes, and which tensors they touch."""

    def __init__(self, model: onnx.ModelProto, kept: int) -> None:
        graph = model.graph
        self.weights = {each.name: each for each in graph.initializer}
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        convs = [node.output[0] for node in graph.node if node.op_type == "Conv"]
        self.convs = frozenset(convs[: len(convs) - kept])
        self._handed_on: dict[str, str] = {}
        touched: dict[str, None] = {}
        for node in graph.node:
            if node.output[0] in self.convs:
                names = [node.input[0], _activated(node, readers)]
            elif node.op_type in _HANDED_ON:
                names = [node.input[0], node.output[0]]
                self._handed_on[node.output[0]] = node.input[0]
            elif node.op_type in _JOINED and node.input[0] in touched:
                names = [*node.input, node.output[0]]  # of activations, not of sizes
            else:
                continue
            touched.update(dict.fromkeys(names))
        self.touched = tuple(touched)
        self.roots = tuple(dict.fromkeys(map(self.source, self.touched)))

    def source(self, name: str) -> str:
        """Return the tensor whose scale a tensor has."""
        while name in self._handed_on:
            name = self._handed_on[name]
        return name


def _activated(conv: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]]) -> str:
    """Return what a convolution gives: behind its rectifier, if that alone reads it."""
    output: str = conv.output[0]
    following = readers.get(output, [])
    if len(following) == 1 and following[0].op_type == "Relu":
        return str(following[0].output[0])
    return output


class _Writer:
    """Rewrites a copied model in place."""

    def __init__(
        self,
        model: onnx.ModelProto,
        graph: _Graph,
        quanta: Mapping[str, tuple[np.float32, np.uint8]],
    ) -> None:
        self._graph = model.graph
        self._known = graph
        self._quanta = quanta
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def write(self) -> None:
        touched = frozenset(self._known.touched)
        for node in self._graph.node:
            changed = onnx.NodeProto()
            changed.CopyFrom(node)
            for i, name in enumerate(node.input):
                if name in touched:
                    changed.input[i] = f"{name}_bytes_out"
            if node.output[0] in self._known.convs:
                self._quantize_weights(changed, node.input[0])
            self._nodes.append(changed)
            for name in node.output:
                if name in touched:
                    self._round(name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        left = [each for each in self._graph.initializer if each.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend([*left, *self._constants.values()])

    def _round(self, name: str) -> None:
        """Append the pair that brings a tensor to bytes and back."""
        scale, zero = self._quantum_of(name)
        self._node("QuantizeLinear", [name, scale, zero], f"{name}_bytes")
        self._node("DequantizeLinear", [f"{name}_bytes", scale, zero], f"{name}_bytes_out")

    def _quantum_of(self, name: str) -> tuple[str, str]:
        source = self._known.source(name)
        scale, zero = self._quanta[source]
        return (
            self._constant(f"{source}_scale", np.asarray(scale)),
            self._constant(f"{source}_zero", np.asarray(zero)),
        )

    def _quantize_weights(self, conv: onnx.NodeProto, reads: str) -> None:
        """Turn a convolution's weight into int8, and its bias into int32, each channel's own."""
        output: str = conv.output[0]
        weight = numpy_helper.to_array(self._known.weights[conv.input[1]]).astype(np.float64)
        greatest = np.abs(weight).max(axis=(1, 2, 3))
        scale = np.maximum(greatest / _GREATEST_WEIGHT, _SMALLEST_SCALE).astype(np.float32)
        levels = np.rint(weight / scale.astype(np.float64)[:, None, None, None])
        conv.input[1] = self._per_channel(
            f"{output}_weight", levels.clip(-_GREATEST_WEIGHT, _GREATEST_WEIGHT).astype(np.int8),
            scale,
        )  # fmt: skip
        if len(conv.input) > 2:
            read = self._quanta[self._known.source(reads)][0]
            fine = (scale * read).astype(np.float32)
            bias = numpy_helper.to_array(self._known.weights[conv.input[2]]).astype(np.float64)
            limits = np.iinfo(np.int32)
            whole = np.rint(bias / np.maximum(fine, _SMALLEST_SCALE)).clip(limits.min, limits.max)
            conv.input[2] = self._per_channel(f"{output}_bias", whole.astype(np.int32), fine)

    def _per_channel(
        self, name: str, values: npt.NDArray[np.integer], scale: npt.NDArray[np.float32]
    ) -> str:
        inputs = [
            self._constant(f"{name}_levels", values),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", np.zeros(len(scale), values.dtype)),
        ]
        self._node("DequantizeLinear", inputs, name, axis=0)
        return name

    def _node(self, kind: str, inputs: Iterable[str], output: str, axis: int | None = None) -> None:
        node = helper.make_node(kind, list(inputs), [output], name=f"node_{output}")
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self._nodes.append(node)

    def _constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(values, name)
        return name
