"""Make a half-precision graph out of one of 32 bits, for GPUs. Inputs and outputs stay as they are.

ONNX Runtime's own converter does it; what is here is which nodes it leaves alone.
"""

from __future__ import annotations

import onnx

from cinescrub.runtime.providers import load_runtime

__all__ = ["halved"]


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with float16 weights and arithmetic.

    Parameters
    ----------
    model : onnx.ModelProto
        Borrowed. The nodes before its first convolution, which centre the bytes of a frame, stay
        in 32 bits: half precision has steps of 1/8 where they are greatest.

    Raises
    ------
    ConfigError
        ONNX Runtime is not installed, or twice.
    """
    load_runtime()  # before anything of it is imported: it silences it
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    made = onnx.ModelProto()
    made.CopyFrom(model)
    first = next(i for i, node in enumerate(made.graph.node) if node.op_type == "Conv")
    centring = [node.name for node in made.graph.node[:first] if node.op_type in ("Cast", "Sub")]
    converted: onnx.ModelProto = convert_float_to_float16(
        made, keep_io_types=True, node_block_list=centring
    )
    OnnxModel.graph_topological_sort(
        converted.graph
    )  # the casts it adds stand behind their readers
    return converted
