"""De-identify ultrasound cine DICOM on ONNX Runtime: burned-in text, header and container.

What is listed in `__all__` is the public API. It is imported when it is first used, so that the
command line starts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinescrub.config import (
        DetectorChoice,
        EngineConfig,
        InspectMode,
        MaskScope,
        OnDoubt,
        Policy,
        Provider,
    )
    from cinescrub.kinds import Fill
    from cinescrub.pipeline.arrays import Identifiers, Redaction
    from cinescrub.pipeline.engine import Engine
    from cinescrub.pipeline.live import redact_stream
    from cinescrub.report import FileReport, Status

__all__ = [
    "DetectorChoice",
    "Engine",
    "EngineConfig",
    "FileReport",
    "Fill",
    "Identifiers",
    "InspectMode",
    "MaskScope",
    "OnDoubt",
    "Policy",
    "Provider",
    "Redaction",
    "Status",
    "__version__",
    "redact_stream",
]

__version__ = "0.1.0"

_HOMES = {
    "DetectorChoice": "config",
    "Engine": "pipeline.engine",
    "EngineConfig": "config",
    "FileReport": "report",
    "Fill": "kinds",
    "Identifiers": "pipeline.arrays",
    "InspectMode": "config",
    "MaskScope": "config",
    "OnDoubt": "config",
    "Policy": "config",
    "Provider": "config",
    "Redaction": "pipeline.arrays",
    "Status": "report",
    "redact_stream": "pipeline.live",
}
"""Public names and the modules that they live in."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
