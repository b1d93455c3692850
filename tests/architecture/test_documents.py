"""What the documents say of the code is true of the code."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from benchmarks import tables

from cinescrub import __version__, errors
from cinescrub.cli.app import app
from cinescrub.config import EngineConfig
from cinescrub.dicom.profiles import load_profile
from cinescrub.node.config import (
    HttpConfig,
    ListenConfig,
    NodeConfig,
    RetryConfig,
    RouteConfig,
    SpoolConfig,
    TlsConfig,
    WorkerConfig,
)
from cinescrub.report import FileReport, Status

_ROOT = Path(__file__).resolve().parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_ERRORS = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, errors.CinescrubError)
]


def test_every_exit_code_is_in_the_readme_and_none_besides() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", _README, re.MULTILINE)}

    raised = {kind.exit_code for kind in _ERRORS if kind is not errors.CinescrubError}

    assert documented == raised | {0, 1}


def test_the_error_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+)\s+(\d+)", errors.__doc__ or ""))

    assert drawn == {
        kind.__name__: str(kind.exit_code) for kind in _ERRORS if kind is not errors.CinescrubError
    }


def test_every_command_is_in_the_readme() -> None:
    names = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback is not None
    }

    for name in names:
        assert f"cinescrub {name}" in _README, name


def test_every_field_of_a_report_line_and_every_setting_is_documented() -> None:
    told = (_ROOT / "docs" / "use.md").read_text(encoding="utf-8")
    settings = {field.name for field in fields(EngineConfig)}

    for field in {*FileReport(Path("x"), Status.OK).to_dict(), *settings}:
        assert f"`{field}`" in told, field


def test_the_profile_in_the_documents_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(
        r"```toml\n(.*?)```", (_ROOT / "docs" / "use.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (tmp_path / "ours.toml").write_text(example, encoding="utf-8")

    assert load_profile(str(tmp_path / "ours.toml")).name == "our-study"


@pytest.mark.parametrize(
    "table",
    [ListenConfig, SpoolConfig, WorkerConfig, RetryConfig, HttpConfig, RouteConfig, TlsConfig],
)
def test_every_setting_of_a_node_is_in_the_guide(table: type[Any]) -> None:
    guide = (_ROOT / "docs" / "operators-guide.md").read_text(encoding="utf-8")

    for field in fields(table):
        told = f"`{field.name}`" if field.name != "tls" else ".tls]`"  # a table of its own
        assert told in guide, field.name


def test_the_settings_that_are_installed_are_settings() -> None:
    text = (_ROOT / "packaging" / "node" / "node.toml").read_text(encoding="utf-8")
    examples = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)

    assert len(NodeConfig.of(tomllib.loads(text)).routes) == 1
    assert len(NodeConfig.of(tomllib.loads(examples)).routes) == 3


def test_versions_agree() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["project"]["version"] == __version__


def test_the_citation_names_this_version() -> None:
    cited = (_ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert f"\nversion: {__version__}\n" in cited


_THREATS = (_ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("held", sorted(set(re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", _THREATS))))
def test_what_the_threat_model_names_is_there(held: str) -> None:
    file, _, name = held.partition("::")

    told = (_ROOT / file).read_text(encoding="utf-8")

    assert f"def {name or 'test_'}" in told


def test_every_means_in_the_threat_model_is_held_by_a_test() -> None:
    rows = [line for line in _THREATS.splitlines() if line.startswith("| ")]
    means = [
        row for row in rows if row.count("|") == 4 and "---" not in row and "held by" not in row
    ]

    assert len(means) > 20
    assert [row for row in means if "`tests/" not in row] == []


@pytest.mark.parametrize(
    "page", sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/*.md")]), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE", "CHANGELOG.md", "SECURITY.md"])
def test_documents_that_ship_are_there(name: str) -> None:
    assert (_ROOT / name).stat().st_size > 100


@pytest.mark.parametrize("document", tables.DOCUMENTS, ids=lambda path: str(path.parent.name))
def test_tables_say_what_their_result_files_say(document: Path) -> None:
    told = document.read_text(encoding="utf-8")

    assert tables.names_in(told)
    assert set(tables.names_in(told)) <= set(tables.TABLES)
    assert told.count("<!-- table: ") == len(tables.names_in(told))
    assert tables.rewritten(told) == told, "run `python -m benchmarks.tables`"


def test_a_table_that_differs_from_its_file_is_found() -> None:
    changed = re.sub(r"(redacted in every frame \| )\d+", r"\g<1>0", _README)

    assert changed != _README
    assert tables.rewritten(changed) == _README


def test_every_table_is_shown_somewhere() -> None:
    shown = {name for path in tables.DOCUMENTS for name in tables.names_in(path.read_text("utf-8"))}

    assert shown == set(tables.TABLES)
