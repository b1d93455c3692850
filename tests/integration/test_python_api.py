"""The public Python API: what is exported, and that the examples of the documents run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.conftest import make_engine

import cinescrub
from cinescrub.errors import ConfigError, OutputError
from cinescrub.pipeline.engine import Engine
from cinescrub.testing import CineSpec, make_cine

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
_BLOCKS = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open engines of fakes."""
    monkeypatch.setattr(Engine, "open", classmethod(lambda _, config=None: make_engine(config)))


def _cine(path: Path, seed: int = 1) -> Path:
    make_cine(CineSpec(seed=seed, frames=2, rows=96, columns=128), path)
    return path


@pytest.mark.parametrize("block", _BLOCKS, ids=[b.strip().splitlines()[-1][:40] for b in _BLOCKS])
@pytest.mark.usefixtures("fakes")
def test_an_example_of_the_documents_runs(
    block: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    _cine(tmp_path / "in" / "cine.dcm")
    monkeypatch.chdir(tmp_path)
    code = block.replace('"cine.dcm"', '"in/cine.dcm"')

    exec(compile(code, str(_PAGE), "exec"), {"__name__": "example"})  # noqa: S102  # our own text

    shown = capsys.readouterr().out
    assert shown
    assert "None" not in shown
    if ".run(" in block:
        assert list((tmp_path / "out").rglob("*.dcm"))


def test_all_that_is_exported_exists_and_is_listed() -> None:
    for name in cinescrub.__all__:
        assert getattr(cinescrub, name) is not None
        assert name in dir(cinescrub)
    with pytest.raises(AttributeError, match="no attribute 'Enigne'"):
        getattr(cinescrub, "Enigne")  # noqa: B009  # a misspelt name, as a user writes it


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import cinescrub", {"numpy", "pydicom", "cv2", "onnxruntime", "typer", "torch", "monai"}),
        (
            "import cinescrub.cli.app",
            {"numpy", "pydicom", "cv2", "onnxruntime", "imagecodecs", "torch", "monai"},
        ),
        ("import cinescrub.pipeline.engine, cinescrub.cli.run", {"torch", "monai"}),
    ],
    ids=["package", "help", "run"],
)
def test_what_starts_at_once_imports_nothing_heavy(statement: str, heavy: set[str]) -> None:
    code = f"{statement}; import sys; print(sorted({heavy!r} & set(sys.modules)))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


def test_two_calls_with_one_folder_are_one_run(tmp_path: Path) -> None:
    first = _cine(tmp_path / "a.dcm")
    copy = tmp_path / "b.dcm"
    copy.write_bytes(first.read_bytes())

    with make_engine() as engine:
        done = engine.run(str(first), str(tmp_path / "out"))
        again = engine.run(copy, tmp_path / "out")

    assert done.status == "ok"
    assert done.output is not None
    assert done.output.is_file()
    assert (again.status, again.output) == ("skipped", None)


def test_an_output_folder_among_the_inputs_is_refused(tmp_path: Path) -> None:
    path = _cine(tmp_path / "a.dcm")

    with make_engine() as engine, pytest.raises((ConfigError, OutputError)):
        engine.run(path, path)


def test_a_closed_engine_does_nothing(tmp_path: Path) -> None:
    path = _cine(tmp_path / "a.dcm")
    engine = make_engine()
    engine.close()
    engine.close()

    with pytest.raises(RuntimeError, match="closed"):
        engine.run(path, tmp_path / "out")
