"""Build an ONNX graph node by node: a thin layer over `onnx.helper` with fixed names.

Names are counted, not random, so the same weights always give the same bytes. This module knows
layers (convolution, batch norm folded into it, LSTM), not networks, and writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from cinescrub.bundle import TensorSpec
from cinescrub.errors import ModelError
from cinescrub_export.checkpoint import Tensors

__all__ = [
    "IR_VERSION",
    "OPSET",
    "Float64",
    "Graph",
    "check",
    "conv_weights",
    "lstm_weights",
    "take",
]

Float64: TypeAlias = npt.NDArray[np.float64]

OPSET: Final = 17
"""Read by every ONNX Runtime since 1.12; 18 and later give nothing these graphs need."""
IR_VERSION: Final = 8
"""The intermediate representation that came with opset 17."""
_BATCH_NORM_EPSILON: Final = 1e-5
"""Default of torch.nn.BatchNorm2d, which both networks keep."""
_ONNX_TYPES: Final = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}


class Graph:
    """Collects nodes and initializers; each method appends and returns its output's name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def node(
        self,
        kind: str,
        *inputs: str,
        name: str | None = None,
        **attributes: int | float | str | Sequence[int],
    ) -> str:
        """Append a node with one output.

        Parameters
        ----------
        kind : str
            ONNX operator.
        *inputs : str
            Names of tensors; an empty name leaves an optional input out.
        name : str, optional
            Name of the output; counted if left out.
        **attributes
            The operator's attributes.

        Returns
        -------
        str
            The output's name.
        """
        output = name or f"{kind.lower()}_{len(self._nodes)}"
        node = helper.make_node(kind, list(inputs), [output], name=f"node_{output}")
        # In the order of their names: the caller's order must not show in the bytes.
        for key in sorted(attributes):
            node.attribute.append(helper.make_attribute(key, attributes[key]))
        self._nodes.append(node)
        return output

    def constant(self, array: npt.NDArray[np.generic]) -> str:
        """Add an initializer of the array's dtype and return its name."""
        name = f"constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weights(self, array: Float64) -> str:
        """Add float32 weights that were computed in float64."""
        return self.constant(array.astype(np.float32))

    def conv(
        self,
        x: str,
        weight: Float64,
        bias: Float64 | None = None,
        *,
        padding: int,
        dilation: int = 1,
    ) -> str:
        """Append a convolution of stride 1.

        Parameters
        ----------
        x : str
            (N, C, H, W) float32 tensor.
        weight : (M, C, kH, kW) float64 array
            Borrowed.
        bias : (M,) float64 array, optional
            Borrowed.
        padding : int
            Zeros added on each side, in pixels.
        dilation : int
            Distance of the kernel's taps, in pixels.
        """
        inputs = [x, self.weights(weight)] + ([self.weights(bias)] if bias is not None else [])
        return self.node(
            "Conv", *inputs,
            kernel_shape=weight.shape[2:], pads=[padding] * 4, dilations=[dilation] * 2,
        )  # fmt: skip

    def relu(self, x: str) -> str:
        """Append a rectifier."""
        return self.node("Relu", x)

    def max_pool(self, x: str, kernel: tuple[int, int]) -> str:
        """Append a max-pool whose stride is its kernel; odd rows and columns are dropped."""
        return self.node("MaxPool", x, kernel_shape=kernel, strides=kernel)

    def resize_to(self, x: str, like: str) -> str:
        """Append a bilinear resize of `x` (N, C, H, W) to the height and width of `like`.

        Sizes are given for all four axes: the two-axis form of opset 18 fails to load after
        static quantisation (ONNX Runtime 1.31).
        """
        leading = self.node("Shape", x, start=0, end=2)
        trailing = self.node("Shape", like, start=2, end=4)
        sizes = self.node("Concat", leading, trailing, axis=0)
        return self.node(
            "Resize", x, "", "", sizes,
            mode="linear", coordinate_transformation_mode="half_pixel",
        )  # fmt: skip

    def bilstm(self, x: str, tensors: Tensors, prefix: str) -> str:
        """Append a bidirectional LSTM over (T, N, C); returns (T, N, 2 hidden), forward first."""
        w, r, b = lstm_weights(tensors, prefix)
        y = self.node(
            "LSTM", x, self.weights(w), self.weights(r), self.weights(b),
            hidden_size=r.shape[2], direction="bidirectional",
        )  # fmt: skip
        y = self.node("Transpose", y, perm=[0, 2, 1, 3])  # (T, 2, N, H) -> (T, N, 2, H)
        return self.node("Reshape", y, self.constant(np.array([0, 0, -1], np.int64)))

    def linear(self, x: str, weight: Float64, bias: Float64) -> str:
        """Append a dense layer over the last axis; weight as PyTorch has it, (out, in)."""
        return self.node("Add", self.node("MatMul", x, self.weights(weight.T)), self.weights(bias))

    def model(self, name: str, inputs: TensorSpec, outputs: TensorSpec) -> onnx.ModelProto:
        """Assemble the graph and return the model; see `check` for its validation."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [
                helper.make_tensor_value_info(s.name, _ONNX_TYPES[s.dtype], s.shape)
                for s in (inputs,)
            ],
            [
                helper.make_tensor_value_info(s.name, _ONNX_TYPES[s.dtype], s.shape)
                for s in (outputs,)
            ],
            self._initializers,
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cinescrub",
        )


def check(model: onnx.ModelProto) -> None:
    """Run the full ONNX checker, shape inference included.

    Raises
    ------
    ModelError
        The checker refuses the model.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError("the ONNX checker refuses the built graph: report a bug") from error


def take(tensors: Tensors, name: str, rank: int) -> Float64:
    """Return a tensor in float64, or say that the checkpoint is of another network."""
    try:
        array = tensors[name]
    except KeyError as error:
        raise ModelError(f"checkpoint has no tensor {name}: use the published file") from error
    if array.ndim != rank or array.dtype.kind != "f":
        raise ModelError(f"tensor {name} has another shape or type: use the published file")
    return array.astype(np.float64)


def conv_weights(tensors: Tensors, conv: str, norm: str | None = None) -> tuple[Float64, Float64]:
    """Return a convolution's weight and bias with its batch norm folded in, in float64.

    Parameters
    ----------
    tensors : Tensors
        The checkpoint, borrowed.
    conv : str
        Name of the convolution; one without bias has zeros.
    norm : str, optional
        Name of the batch norm after it.
    """
    weight = take(tensors, f"{conv}.weight", 4)
    bias = take(tensors, f"{conv}.bias", 1) if f"{conv}.bias" in tensors else np.zeros(len(weight))
    if norm is None:
        return weight, bias
    gamma, beta, mean, variance = (
        take(tensors, f"{norm}.{part}", 1)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _BATCH_NORM_EPSILON)
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


def lstm_weights(tensors: Tensors, prefix: str) -> tuple[Float64, Float64, Float64]:
    """Return W (2, 4H, C), R (2, 4H, H) and B (2, 8H) of a bidirectional LSTM as ONNX has them.

    PyTorch stacks the gates input, forget, cell, output; ONNX input, output, forget, cell.
    """

    def gates(name: str, rank: int) -> Float64:
        i, f, c, o = np.split(take(tensors, f"{prefix}.{name}", rank), 4)
        return np.concatenate([i, o, f, c])

    directions = ("l0", "l0_reverse")
    w = np.stack([gates(f"weight_ih_{d}", 2) for d in directions])
    r = np.stack([gates(f"weight_hh_{d}", 2) for d in directions])
    b = np.stack(
        [np.concatenate([gates(f"bias_ih_{d}", 1), gates(f"bias_hh_{d}", 1)]) for d in directions]
    )
    return w, r, b
