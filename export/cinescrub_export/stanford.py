"""Convert a BERT token classifier to ONNX through optimum: the Stanford deidentifier and its like.

Needs the `stanford` extra (torch, transformers, optimum-onnx); imported on demand only. The model
may be a Hugging Face folder or a hub name pinned to a commit. Nothing from the folder is executed:
pickled weights are loaded with PyTorch's tensors-only reader and custom code is not trusted.
"""

from __future__ import annotations

import importlib
import json
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import onnx

from cinescrub.bundle import MODEL_FILE, Origin, Slot, sha256_of
from cinescrub.errors import ConfigError, ModelError
from cinescrub.runtime.providers import load_runtime
from cinescrub.runtime.session import open_session
from cinescrub_export.deidentifier import (
    TOKENIZER_FILE,
    classifier_labels,
    classifier_preprocessing,
    classifier_signature,
)
from cinescrub_export.graph import check
from cinescrub_export.labels import is_known, phi_kinds
from cinescrub_export.model import Built, opset_of
from cinescrub_export.place import install
from cinescrub_export.weights import Progress
from cinescrub_export.wordpiece import build_tokenizer

__all__ = ["PARITY_LIMIT", "Downloader", "build_classifier"]

Downloader: TypeAlias = Callable[[str, str], Path]
"""Fetches a hub name at a commit and returns its folder."""

PARITY_LIMIT: Final = 1e-4
"""Largest difference of a logit to PyTorch's that is accepted. Float32 sums in another order differ
by about 2e-6 at this depth (12 layers, 768 wide); a wrong mask or layout by more than 1e-2."""

_HUB_NAME: Final = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
_WEIGHT_FILES: Final = ("model.safetensors", "pytorch_model.bin")
_FILES: Final = (
    *_WEIGHT_FILES,
    "config.json",
    "vocab.txt",
    TOKENIZER_FILE,
    "tokenizer_config.json",
)
_OPSET: Final = 18
"""The least that optimum 2.1 recommends for BERT; read by every ONNX Runtime since 1.14."""
_PARITY_SHAPES: Final = ((1, 3), (2, 16), (5, 33))
"""(B, T) of the comparison: a single line, a batch, an odd one."""


def build_classifier(
    weights: str, *, progress: Progress, download: Downloader | None = None
) -> Built:
    """Convert a token classifier and compare it with PyTorch.

    Parameters
    ----------
    weights : str
        A folder with `config.json`, the weights, and `tokenizer.json` or `vocab.txt`; or a hub
        name with its commit, `NAME@COMMIT`.
    progress : Progress
        Told one line at each step.
    download : Downloader, optional
        Fetches from the hub; for tests.

    Returns
    -------
    Built
        With `parity` as measured here.

    Raises
    ------
    ConfigError
        The `stanford` extra or a runtime is missing, or the hub name is not pinned.
    ModelError
        The folder is no BERT token classifier, incomplete, or the converted model differs.
    """
    torch, transformers, exporters = _libraries()
    folder, package = _locate(weights, download or _download)
    config = _config(folder)
    labels = classifier_labels(config)
    for label in labels:
        if not is_known(label):
            progress(f"label {label} is not known: what it marks is redacted as an identifier")
    tokenizer, lowercase = build_tokenizer(folder, int(config.get("vocab_size", 0)))
    reference = _load(transformers, folder)
    progress("converting with optimum")
    model = _convert(exporters, reference)
    proto = onnx.load_from_string(model)
    check(proto)
    inputs, outputs = classifier_signature(proto, len(labels))
    built = Built(
        slot=Slot.DEIDENTIFIER,
        name=package.partition("@")[0] if "@" in package else folder.resolve().name,
        precision="fp32",
        opset=opset_of(proto),
        inputs=inputs,
        outputs=outputs,
        origin=_origin(folder, package),
        files={MODEL_FILE: model, TOKENIZER_FILE: tokenizer},
        details={
            "labels": labels,
            "phi": phi_kinds(labels),
            "preprocessing": classifier_preprocessing(config, lowercase=lowercase),
        },
    )
    progress("comparing with PyTorch")
    difference = _compare(built, reference, torch, int(config["vocab_size"]))
    if not difference <= PARITY_LIMIT:
        raise ModelError(
            f"the converted model differs from PyTorch by {difference:.1e}: check the versions of"
            " torch and optimum-onnx"
        )
    parity = {
        "reference": f"torch {torch.__version__}",
        "max_abs_logits": difference,
        "inputs": "seeded token ids, " + ", ".join(f"{b}x{t}" for b, t in _PARITY_SHAPES),
    }
    return replace(built, details={**built.details, "parity": parity})


def _libraries() -> tuple[Any, Any, Any]:
    load_runtime()  # the comparison at the end needs it: say so before the work
    try:
        return (
            importlib.import_module("torch"),
            importlib.import_module("transformers"),
            importlib.import_module("optimum.exporters.onnx"),
        )
    except ImportError as error:
        raise ConfigError(
            "converting a classifier needs torch, transformers and optimum-onnx: run"
            " `pip install cinescrub[stanford]`"
        ) from error


def _locate(weights: str, download: Downloader) -> tuple[Path, str]:
    """Return the model's folder and the name of its origin."""
    if Path(weights).is_dir():
        return Path(weights), "folder"
    pinned = _HUB_NAME.fullmatch(weights)
    if pinned is None:
        raise ConfigError(
            "--weights is neither a folder nor a hub name with its commit: give NAME@COMMIT, the"
            " commit as 40 hex digits, so that the download is pinned"
        )
    return download(pinned["name"], pinned["commit"]), weights


def _download(name: str, commit: str) -> Path:
    hub = importlib.import_module("huggingface_hub")
    try:
        return Path(hub.snapshot_download(name, revision=commit, allow_patterns=list(_FILES)))
    except Exception as error:  # the hub's and its HTTP library's errors share no base but this
        raise ModelError(
            f"{name} can't be fetched: check the network, or give --weights a folder"
        ) from error


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError("the weights folder has no readable config.json") from error
    if not isinstance(config, dict) or config.get("model_type") != "bert":
        raise ModelError("the weights folder holds no BERT model: only these are converted")
    return config


def _load(transformers: Any, folder: Path) -> Any:
    """Load the PyTorch model; a weight that is missing from the file would be random: refused."""
    try:
        model, info = transformers.BertForTokenClassification.from_pretrained(
            folder,
            local_files_only=True,
            weights_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # pickle, safetensors, OS and value errors, by file format
        raise ModelError("the classifier's weights can't be loaded: check the folder") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise ModelError("the classifier's weights are incomplete: is it a fine-tuned classifier?")
    return model.float().eval()  # half-precision files as well: the slot promises float32


def _convert(exporters: Any, model: Any) -> bytes:
    with tempfile.TemporaryDirectory(prefix="cinescrub-export-") as temporary:
        with warnings.catch_warnings():
            # Tracing warns of every Python branch in the model's code; the comparison below judges.
            warnings.simplefilter("ignore")
            exporters.onnx_export_from_model(
                model,
                Path(temporary),
                task="token-classification",
                opset=_OPSET,
                do_validation=False,  # replaced by our comparison, which keeps its figure
            )
        return (Path(temporary) / MODEL_FILE).read_bytes()


def _origin(folder: Path, package: str) -> Origin:
    file = next(name for name in _WEIGHT_FILES if (folder / name).is_file())
    return Origin(package, file, sha256_of(folder / file), "as its publisher states; not checked")


def _compare(built: Built, reference: Any, torch: Any, vocabulary: int) -> float:
    """Return the largest difference of a logit, through the engine's own session."""
    generator = np.random.default_rng(0)
    largest = 0.0
    with tempfile.TemporaryDirectory(prefix="cinescrub-export-") as temporary:
        install(built, Path(temporary))
        session = open_session(Path(temporary), Slot.DEIDENTIFIER)
        for batch, length in _PARITY_SHAPES:
            ids = generator.integers(0, vocabulary, (batch, length), dtype=np.int64)
            mask = np.ones_like(ids)
            mask[-1, length // 2 + 1 :] = 0  # the last line is padded
            inputs = {
                "input_ids": ids,
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(ids),
            }
            given = {spec.name: inputs[spec.name] for spec in built.inputs}
            with torch.no_grad():
                expected = reference(**{k: torch.from_numpy(v) for k, v in given.items()}).logits
            # Logits of padding tokens mean nothing and are read by nobody.
            difference = np.abs(session.run(given) - expected.numpy())[mask == 1]
            largest = max(largest, float(difference.max()))
    return largest
