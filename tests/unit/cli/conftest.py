"""The command in this process, with models that are fakes and a home that is empty."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.integration.conftest import Indifferent, ShineDetector, Stammerer, _contract

from cinescrub.bundle import Slot, save_contract
from cinescrub.cli import main
from cinescrub.pipeline import engine, preview
from cinescrub.testing import CineSpec, CineTruth, make_cine
from cinescrub.text.detector import CraftDetector
from cinescrub.text.inspect import Inspector
from cinescrub.text.recognizer import Recognizer


class Reader:
    """A recogniser that reads the same nonsense everywhere, and is sure of it."""

    contract = _contract(Slot.RECOGNIZER, "reader", "uint8", charset="QXZ")

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        return np.tile(20 * np.eye(3, 4, k=1, dtype=np.float32), (len(inputs["x"]), 1, 1))


def make_inspector(recognizer: Stammerer | Reader) -> Inspector:
    return Inspector(
        [CraftDetector(ShineDetector())],
        [Recognizer(recognizer)],
        Indifferent(),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty home of a user: nothing of this machine's own is read or changed."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.fixture
def cinescrub(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line as its entry point does."""

    def run(*arguments: str | Path | int) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cinescrub", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        code = end.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, told.out, told.err)

    return run


def _opens(reader: Stammerer | Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    for opener in (engine, preview):
        monkeypatch.setattr(opener, "open_inspector", lambda _, **__: make_inspector(reader))


@pytest.fixture
def fake_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a bundle; what is opened from it are fakes."""
    folder = tmp_path / "models"
    for slot in Slot:
        (folder / slot).mkdir(parents=True)
        save_contract(folder / slot, _contract(slot, "fake", "uint8", charset="A"))
    _opens(Stammerer(), monkeypatch)
    return folder


@pytest.fixture
def reading_models(fake_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `fake_models`, but text is read."""
    _opens(Reader(), monkeypatch)
    return fake_models


def made(path: Path, **changes: Any) -> CineTruth:
    """Make a small cine with identifiers planted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_cine(
        CineSpec(**({"seed": 5, "frames": 2, "rows": 96, "columns": 128} | changes)), path
    )


def left_in(folder: Path) -> list[str]:
    """Every file below a folder; none where there is no folder."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
