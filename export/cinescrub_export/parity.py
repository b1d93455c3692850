"""What was measured against the reference, by the bytes of the exported model it was measured on.

The exporter runs without PyTorch or RapidOCR, so it can't measure. It can know that the file it has
just built is the very one that was measured (`tests/parity`), by its SHA-256. Another version of
onnx or NumPy may write other bytes: then nothing is claimed.
"""

from __future__ import annotations

from typing import Final

__all__ = ["measured"]

_MEASURED: Final[dict[str, dict[str, float | int | str]]] = {
    # CRAFT: three drawn frames (640 x 480 colour and gray, 403 x 301), scores in about 0..1.
    "36b013e59d31a0250eb420614f60aeefe61fa010837cd05e0947e01059a4bc57": {
        "reference": "torch 2.13.0, same checkpoint",
        "inputs": "3 drawn frames",
        "max_abs_scores": 2.9e-6,
        "cells_above_0.4": 4524,
        "cells_changed_at_0.4": 0,
    },
    # Recogniser: every line found on those frames, and noise up to 1001 wide; logits in -15..25.
    "d1cd3301c5fc051fe35a7808a41be00f6310e36d1eaa0e86b59b1fec2ed37487": {
        "reference": "torch 2.13.0, same checkpoint",
        "inputs": "61 lines of 3 drawn frames, and noise",
        "max_abs_logits": 2.2e-4,
        "lines_read": 61,
        "lines_read_equal": 61,
    },
    # PP-OCR detector: three drawn frames (640 x 480 colour and gray, 416 x 320), probabilities.
    "178f8b9843c1c295aa19af5f0e6b66da4ab1f91e971c5665328fe9270f58a5a0": {
        "reference": "rapidocr 3.10.0, its pre-processing and the published graph",
        "inputs": "3 drawn frames",
        "max_abs_scores": 2.9e-6,
        "cells_above_0.3": 16528,
        "cells_changed_at_0.3": 0,
    },
    # PP-OCR recogniser: drawn lines, 384 and 512 wide.
    "5b26f91e1fc9a9e737f77052140a36a1c5c7ff0e971009103d1225a89c334ac2": {
        "reference": "rapidocr 3.10.0, its pre-processing and the published graph",
        "inputs": "16 drawn lines",
        "max_abs_probabilities": 9.5e-6,
        "lines_read": 16,
        "lines_read_equal": 16,
    },
}


def measured(sha256: str) -> dict[str, float | int | str]:
    """Return the figures for the model file with that SHA-256; empty if it was not measured."""
    return dict(_MEASURED.get(sha256, {}))
