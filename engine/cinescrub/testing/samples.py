"""The real ultrasound cine that pydicom's wheel ships, for the demo and the tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from pydicom.data import get_testdata_file

from cinescrub.errors import ConfigError

__all__ = ["copy_real_cine"]

_NAME: Final = "examples_ybr_color.dcm"
"""SonoSite, 320 x 240, 30 frames, JPEG baseline, YBR_FULL_422; identifiers removed at the source,
text of the machine in it."""


def copy_real_cine(target: Path) -> None:
    """Copy the cine to `target`.

    Raises
    ------
    ConfigError
        pydicom was installed without it.
    """
    path = get_testdata_file(_NAME, download=False)
    if not isinstance(path, str):
        raise ConfigError("pydicom was installed without its example files: reinstall its wheel")
    shutil.copyfile(path, target)
