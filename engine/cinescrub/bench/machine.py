"""What figures depend on besides the code: the machine, its load, and versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from cinescrub import __version__
from cinescrub.runtime.precision import exact_int8
from cinescrub.runtime.providers import installed_runtimes

__all__ = ["machine"]

_PACKAGES: Final = ("numpy", "pydicom", "opencv-python-headless", "imagecodecs", "tokenizers")


def machine() -> dict[str, Any]:
    """Return versions, system, processor, cores, and how busy the machine is now."""
    return {
        "cinescrub": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        # Over one a core, figures are of a machine that does something else as well.
        "load": round(os.getloadavg()[0], 1),
        "int8_instructions": exact_int8(),
        **installed_runtimes(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """Return the processor's name as its maker prints it; what the platform says where unknown."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
