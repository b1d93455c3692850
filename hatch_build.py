"""Build hook: compile `cinescrub.pixels._jpeg` into the wheel, or into the tree if editable.

Without a compiler or the Python headers the package is built without it and is pure: it then
redacts JPEG with `jpeg_walk`, slowly. CINESCRUB_EXTENSION=require makes that an error, =skip builds
none.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

_MODULE = "cinescrub.pixels._jpeg"
_FOLDER = "engine/cinescrub/pixels"
_SOURCES = ("_jpeg_module.c", "_jpeg_scan.c")
_HEADER = "_jpeg_scan.h"
_OLDEST = "0x030B0000"
"""The stable ABI of 3.11, the oldest Python that is supported: one wheel serves all later ones."""


class ExtensionHook(BuildHookInterface[Any]):
    """Adds the extension to a wheel and gives it the tag that goes with it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless told not to; a failure is shown and the wheel stays pure."""
        wish = os.environ.get("CINESCRUB_EXTENSION", "")
        if self.target_name != "wheel":
            return
        if version == "editable":
            for stale in Path(self.root, _FOLDER).glob("_jpeg*.so"):
                stale.unlink()
        if wish == "skip":
            return
        self._scratch = tempfile.TemporaryDirectory(prefix="cinescrub-build-")
        try:
            built = self._compile(Path(self._scratch.name))
        except (Exception, SystemExit) as error:  # a dozen kinds, and each means: no extension
            if wish == "require":
                raise
            self.app.display_warning(
                f"the JPEG core can't be compiled, so JPEG will be redacted slowly: {error}"
            )
            return
        inside = f"{_FOLDER}/{built.name}"
        if version == "editable":
            shutil.copy(built, Path(self.root, inside))
        else:
            build_data["force_include"][str(built)] = inside.removeprefix("engine/")
        build_data["pure_python"] = False
        build_data["tag"] = _tag()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Drop what was compiled: it is in the wheel or the tree."""
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.cleanup()

    def _compile(self, scratch: Path) -> Path:
        """Return the compiled module, in `scratch`."""
        limited = _limited()
        folder = Path(self.root, _FOLDER)
        extension = Extension(
            _MODULE,
            [str(folder / name) for name in _SOURCES],
            include_dirs=[str(folder)],
            depends=[str(folder / _HEADER)],
            extra_compile_args=["-std=c99", "-O3", "-g0"],
            define_macros=[("Py_LIMITED_API", _OLDEST)] if limited else [],
            py_limited_api=limited,
        )
        command = build_ext(Distribution({"name": "cinescrub", "ext_modules": [extension]}))
        command.build_lib = str(scratch / "lib")
        command.build_temp = str(scratch / "temp")
        command.ensure_finalized()
        command.run()
        (built,) = (scratch / "lib").rglob("_jpeg*")
        return built


def _limited() -> bool:
    """Whether there is a stable ABI: free-threaded builds have none."""
    return not sysconfig.get_config_var("Py_GIL_DISABLED")


def _tag() -> str:
    """Return the wheel's tag: this platform's own, which promises no other glibc (no manylinux)."""
    tag = next(t for t in sys_tags() if "manylinux" not in t.platform and "musl" not in t.platform)
    return f"cp311-abi3-{tag.platform}" if _limited() else str(tag)
