"""`node status`, `list`, `release` and `delete`, and `serve` where it can't start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.node.conftest import BACKOFF, SECRET, put
from typer.testing import CliRunner

from cinescrub.cli import serve
from cinescrub.cli.app import app
from cinescrub.errors import ConfigError
from cinescrub.node.spool import Spool


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node's configuration, whose spool holds one instance that waits and one that is held."""
    with Spool.open(tmp_path / "spool", BACKOFF, SECRET) as spool:
        put(spool, b"1", "1.1", peer="SCANNER")
        put(spool, b"2", "1.1")
    path = tmp_path / "node.toml"
    path.write_text(
        f'[spool]\nfolder = "{tmp_path}/spool"\nkey_file = "{tmp_path}/key"\n'
        f'[[route]]\nname = "out"\nkind = "folder"\nfolder = "{tmp_path}/out"\n'
    )
    return path


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_status_counts(config: Path) -> None:
    counts = json.loads(_run("node", "status", "--config", config, "--json"))

    assert (counts["received"], counts["held"], counts["sent"]) == (1, 1, 0)
    assert counts["oldest_s"] >= 0
    assert "held       1" in _run("node", "status", "--config", config)


def test_list_shows_who_waits_and_why(config: Path) -> None:
    lines = _run("node", "list", "--config", config, "--json").splitlines()
    waiting, held = (json.loads(line) for line in lines)

    assert (waiting["state"], waiting["peer"], waiting["bytes"]) == ("received", "SCANNER", 1)
    assert held["state"] == "held"
    assert "other bytes" in held["reason"]
    (line,) = _run("node", "list", "--config", config, "--state", "held").splitlines()
    assert line.startswith(held["id"])


def test_held_ones_are_released_and_deleted(config: Path) -> None:
    (line,) = _run("node", "release", "--config", config, "--all-held", "--json").splitlines()
    assert json.loads(line)["done"] == "released"
    assert json.loads(_run("node", "status", "--config", config, "--json"))["received"] == 2

    with pytest.raises(ConfigError, match="give ids"):
        _run("node", "delete", "--config", config)
    first = json.loads(_run("node", "list", "--config", config, "--json").splitlines()[0])
    with pytest.raises(ConfigError, match="is received"):
        _run("node", "delete", "--config", config, first["id"])


def test_an_unknown_state_is_told(config: Path) -> None:
    with pytest.raises(ConfigError, match="choose received"):
        _run("node", "list", "--config", config, "--state", "lost")


def test_without_the_extra_it_is_told_what_to_install(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_PACKAGES", ("a_package_that_is_none",))

    with pytest.raises(ConfigError, match=r"cinescrub\[node\]"):
        _run("serve", "--config", config)
