"""The token classifier slot, filled with the published Rampart model: copied, never converted.

Rampart is a BERT token classifier (MiniLM-L6-H384, 4 bit weights) that is published as ONNX. This
module reads its signature and labels and states them in the contract; see `stanford` for models
that have to be converted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnx
from onnx import TensorProto

from cinescrub.bundle import MODEL_FILE, Slot, TensorSpec
from cinescrub.errors import ModelError
from cinescrub_export.labels import phi_kinds
from cinescrub_export.model import Built, opset_of
from cinescrub_export.weights import Weights

__all__ = [
    "TOKENIZER_FILE",
    "build_rampart",
    "classifier_labels",
    "classifier_preprocessing",
    "classifier_signature",
]

TOKENIZER_FILE: Final = "tokenizer.json"
NOTICE_FILE: Final = "NOTICE"

_INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT: Final = "logits"
_DTYPES: Final[dict[int, str]] = {TensorProto.INT64: "int64", TensorProto.FLOAT: "float32"}

# CC BY 4.0, section 3(a)(1): creator, copyright notice, licence notice and link, whether modified.
_NOTICE: Final = """\
model.onnx and tokenizer.json in this folder are the model "Rampart" (client-side detection of
personal information), as published; model.onnx was named model_q4.onnx. They were not modified.

Copyright 2026 National Design Studio
Licensed under the Creative Commons Attribution 4.0 International License (CC BY 4.0),
https://creativecommons.org/licenses/by/4.0/
"""


def build_rampart(weights: Weights) -> Built:
    """Describe the published model.

    Parameters
    ----------
    weights : Weights
        An open `RAMPART` release.

    Raises
    ------
    ModelError
        A file is missing or differs from its pin.
    """
    model = weights.read("model_q4.onnx")
    config = json.loads(weights.read("config.json"))
    labels = classifier_labels(config)
    proto = onnx.load_from_string(model)
    inputs, outputs = classifier_signature(proto, len(labels))
    return Built(
        slot=Slot.DEIDENTIFIER,
        name="rampart",
        precision="q4",
        opset=opset_of(proto),
        inputs=inputs,
        outputs=outputs,
        origin=weights.origin("model_q4.onnx"),
        files={
            MODEL_FILE: model,
            TOKENIZER_FILE: weights.read(TOKENIZER_FILE),
            NOTICE_FILE: _NOTICE.encode(),
        },
        details={
            "labels": labels,
            "phi": phi_kinds(labels),
            "preprocessing": classifier_preprocessing(config, lowercase=True),
        },
    )


def classifier_preprocessing(
    config: Mapping[str, Any], *, lowercase: bool
) -> dict[str, float | int | str]:
    """Return what the engine must know of a BERT classifier's input.

    Parameters
    ----------
    config : mapping
        The model's `config.json`.
    lowercase : bool
        Whether its tokenizer folds case.
    """
    return {
        # A DICOM person name separates its parts by ^ (PS3.5 6.2.1), which no tokenizer was
        # trained on.
        "caret_to_space": 1,
        "lowercase": int(lowercase),
        "max_tokens": int(config.get("max_position_embeddings", 512)),
        "pad_id": int(config.get("pad_token_id") or 0),
    }


def classifier_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels of classes 0..n-1 of a Hugging Face configuration.

    Raises
    ------
    ModelError
        There are none, they are not numbered from 0 without a gap, or one is there twice.
    """
    table = config.get("id2label")
    try:
        by_class = {int(key): str(label) for key, label in (table or {}).items()}
    except (AttributeError, ValueError) as error:
        raise ModelError("config.json has a malformed id2label: use the model's own") from error
    labels = tuple(by_class.get(number, "") for number in range(len(by_class)))
    if not labels or not all(labels) or len(set(labels)) != len(labels):
        raise ModelError("config.json does not name every class once: add id2label")
    return labels


def classifier_signature(
    model: onnx.ModelProto, labels: int
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return a classifier's inputs and outputs as the model itself states them.

    Raises
    ------
    ModelError
        They are not token ids to one row of logits a token.
    """
    inputs = tuple(_spec(value, ("B", "T")) for value in model.graph.input)
    outputs = tuple(_spec(value, ("B", "T", labels)) for value in model.graph.output)
    known = {spec.name for spec in inputs}
    if not {"input_ids", "attention_mask"} <= known <= set(_INPUTS):
        raise ModelError("the model's inputs are not those of a BERT classifier")
    if any(spec.dtype != "int64" for spec in inputs):
        raise ModelError("the model's inputs are not int64")
    if [(spec.name, spec.dtype) for spec in outputs] != [(_OUTPUT, "float32")]:
        raise ModelError("the model's output is not float32 logits")
    return inputs, outputs


def _spec(value: onnx.ValueInfoProto, shape: Sequence[int | str]) -> TensorSpec:
    """State a tensor with our names for its dynamic axes, where the model's own shape allows."""
    tensor = value.type.tensor_type
    actual = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    fits = len(actual) == len(shape) and all(
        isinstance(want, str) if got is None else want == got
        for want, got in zip(shape, actual, strict=True)
    )
    if not fits:
        raise ModelError(f"tensor {value.name} of the model has another shape than {tuple(shape)}")
    return TensorSpec(value.name, _DTYPES.get(tensor.elem_type, "unknown"), tuple(shape))
