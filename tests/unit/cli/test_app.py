"""Options, help and how errors end: before any command does its work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cinescrub as package
from cinescrub.cli import run
from cinescrub.errors import CinescrubError
from cinescrub.pipeline.engine import Engine

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command

_STUDIES = [
    "throughput",
    "speed",
    "work",
    "memory",
    "floor",
    "peers",
    "models",
    "compare",
    "accuracy",
]
_COMMANDS = ["run", "inspect", "export", "models", "doctor", "demo", "bench"]
_ROOT = Path(__file__).resolve().parents[3]


def test_version_needs_no_command(cinescrub: Command) -> None:
    outcome = cinescrub("--version")

    assert (outcome.code, outcome.out, outcome.err) == (0, f"{package.__version__}\n", "")


def test_without_a_command_the_help_is_shown(cinescrub: Command) -> None:
    outcome = cinescrub()

    assert outcome.code in {0, 2}  # typer's releases differ
    assert all(name in outcome.out + outcome.err for name in _COMMANDS)


@pytest.mark.parametrize("name", [*_COMMANDS, *(f"bench {name}" for name in _STUDIES)])
def test_each_command_has_help(cinescrub: Command, name: str) -> None:
    outcome = cinescrub(*name.split(), "--help")

    assert (outcome.code, outcome.err) == (0, "")
    assert f"cinescrub {name}" in outcome.out
    assert "--help" in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["run"],
        ["run", "in"],
        ["run", "--out", "out"],
        ["run", "in", "--out", "out", "--threads", "-1"],
        ["run", "in", "--out", "out", "--threads", "many"],
        ["run", "in", "--out", "out", "--policy", "none"],
        ["run", "in", "--out", "out", "--provider", "abacus"],
        ["run", "in", "--out", "out", "--no-such-option"],
        ["inspect"],
        ["inspect", "one", "two"],
        ["export"],
        ["bench", "--frames", "0"],
        ["bench", "--repeat", "0"],
        ["bench", "compare", "one.json"],
        ["bench", "models", "--model", "nosuch"],
        ["bench", "accuracy", "--frames", "0"],
        ["bench", "accuracy", "--no-such-option"],
        ["bench", "work", "--no-such-option"],
        ["-v"],
    ],
    ids=" ".join,
)
def test_a_wrong_usage_ends_with_2_and_says_so_on_stderr(
    cinescrub: Command, arguments: list[str]
) -> None:
    outcome = cinescrub(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert "Error" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["bench", "--help"], ["run", "--help"]], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = {
        "numpy", "cv2", "pydicom", "imagecodecs", "onnxruntime", "onnx", "tokenizers", "rich",
    }  # fmt: skip
    code = (
        f"import sys; sys.argv = ['cinescrub', *{arguments}]\n"
        "from cinescrub.cli import main\n"
        "try: main()\n"
        f"finally: print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "Usage: cinescrub" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("kind", CinescrubError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_an_error_is_one_line_and_its_exit_code(
    cinescrub: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[CinescrubError]
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise kind("do this: that is wrong")

    monkeypatch.setattr(run, "run_inputs", refuse)

    outcome = cinescrub("run", tmp_path, "--out", tmp_path / "out")

    assert (outcome.code, outcome.out) == (kind.exit_code, "")
    assert outcome.err == "cinescrub: do this: that is wrong\n"


def test_a_fault_of_ours_shows_no_value_and_no_traceback(
    cinescrub: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise KeyError("ROE^RICHARD")

    monkeypatch.setattr(run, "find_inputs", broken)
    monkeypatch.setattr(run, "ensure_models", lambda _: None)
    monkeypatch.setattr(Engine, "open", lambda _: nullcontext())

    outcome = cinescrub("run", tmp_path / "in", "--out", tmp_path / "out")

    assert (outcome.code, outcome.out) == (1, "")
    assert re.fullmatch(
        r"cinescrub: unexpected KeyError in cinescrub\.cli\.run:\d+: .*\n", outcome.err
    )
    assert "ROE" not in outcome.err


def test_ctrl_c_before_the_work_ends_with_130(
    cinescrub: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_inputs", interrupted)

    outcome = cinescrub("run", tmp_path, "--out", tmp_path / "out")

    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "cinescrub: stopped; nothing half-written is left\n"


_ADAPTERS = {"cluster": "ray", "desk": "ray", "monai": "monai", "ray": "ray", "stores": "fsspec"}
"""Modules of integrations and the extra that each is for."""


def test_every_import_is_of_a_declared_dependency() -> None:
    """What another package happens to bring can be gone with its next release, as click was."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    core = [*project["dependencies"], *extras["cpu"], *extras["crosswalk"]]
    package = _ROOT / "engine" / "cinescrub"
    distributions = packages_distributions()

    def extra_of(file: Path) -> str | None:
        if package / "testing" / "accuracy" / "peers" in file.parents:
            return "peers"
        if package / "node" in file.parents:
            return "node"
        adapter = file.parent == package / "integrations"
        return _ADAPTERS.get(file.stem) if adapter else None

    def declared(extra: str | None) -> set[str]:
        lines = core if extra is None else core + extras[extra]
        return {re.split(r"[<>=\[; ]", line)[0].lower() for line in lines}

    def is_declared(name: str, file: Path) -> bool:
        # Whose package it is can only be told of what is installed, and these need not be.
        found = {each.lower().replace("_", "-") for each in distributions.get(name, [])}
        extra = extra_of(file)
        return bool(declared(extra) & found) or (not found and extra is not None)

    undeclared = {
        f"{file.relative_to(_ROOT)}: {name}"
        for file in (_ROOT / "engine" / "cinescrub").rglob("*.py")
        for name in _imported(file) - sys.stdlib_module_names - {"cinescrub", "cinescrub_export"}
        if not is_declared(name, file)
    }

    assert undeclared == set()


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
