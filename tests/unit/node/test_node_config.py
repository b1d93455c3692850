"""Settings of a node: what is misspelt, unsafe or contradictory is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cinescrub.config import Policy
from cinescrub.errors import ConfigError
from cinescrub.node.config import NodeConfig, RouteKind, is_loopback, load_node_config

_LEAST = """
[spool]
folder = "/s"
key_file = "/k"
[[route]]
name = "out"
kind = "folder"
folder = "/o"
"""


def _config(more: str = "", least: str = _LEAST) -> NodeConfig:
    return NodeConfig.of(tomllib.loads(more + least))


def test_the_least_that_has_to_be_said() -> None:
    config = _config()

    assert config.listen.address == "127.0.0.1"
    assert config.routes[0].kind is RouteKind.FOLDER


def test_the_engine_table_has_the_words_of_run() -> None:
    assert _config('[engine]\npolicy = "all-text"\n').engine.policy is Policy.ALL_TEXT
    with pytest.raises(ConfigError, match="unknown setting polcy"):
        _config('[engine]\npolcy = "all-text"\n')


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[listn]\n", "unknown setting listn"),
        ("[listen]\nprot = 1\n", "unknown setting prot in listen"),
        ("[listen.tls]\ncert = 'x'\n", "unknown setting cert in listen.tls"),
        ("[listen]\nport = 'x'\n", "listen.port is a whole number"),
        ("[listen]\nport = true\n", "listen.port is a whole number"),
        ("[listen]\nport = 70000\n", "from 0 to 65535"),
        ("[listen]\ntitle = 'SEVENTEEN_LETTERS'\n", "AE title"),
        ("[listen]\ntitle = 'A\\\\B'\n", "AE title"),
        ("[listen]\ncalling_titles = 'A'\n", "list of texts"),
        ("[listen]\ncalling_addresses = ['10.0.0.1/8']\n", "addresses and networks"),
        ("[listen]\naddress = '0.0.0.0'\n", "without TLS is for loopback"),
        ("[listen]\naddress = '10.0.0.1'\n[listen.tls]\ncertificate='c'\nkey='k'\n", "strangers"),
        ("[listen.tls]\ncertificate = 'c'\n", "certificate and key"),
        ("[worker]\ncount = 0\n", "from 1 to 64"),
        ("[retry]\nfirst_s = 10\nmost_s = 5\n", "retry.most_s"),
        ("[engine]\njobs = 2\n", "worker.count"),
        ("[engine]\nresume = true\nstate = '/x'\n", "worker.count"),
        ("listen = 3\n", "listen is a table"),
        ("engine = 3\n", "engine is a table"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(more: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        _config(more)


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ("name = 'Out'\nkind = 'folder'\nfolder = '/o'\n", "small letters"),
        ("name = 'o'\nkind = 'ftp'\n", "choose folder, scu, stow"),
        ("name = 'o'\nkind = 'folder'\n", "name its folder"),
        ("name = 'o'\nkind = 'folder'\nfolder = '/s/out'\n", "lies in the spool"),
        ("name = 'o'\nkind = 'folder'\nfolder = '/k'\n", "a key, the spool"),
        ("name = 'o'\nkind = 'folder'\nfolder = '/'\n", "a key, the spool"),
        ("name = 'o'\nkind = 'scu'\nhost = 'localhost'\n", "host, port and title"),
        ("name = 'o'\nkind = 'scu'\nhost = 'pacs'\ntitle = 'P'\n", "allow_plain"),
        ("name = 'o'\nkind = 'stow'\nurl = 'http://pacs/dicom-web'\n", "allow_plain"),
        ("name = 'o'\nkind = 'stow'\nurl = 'ftp://pacs'\n", "url is https"),
        ("name = 'o'\nkind = 'stow'\nurl = 'https://a:b@pacs/'\n", "token_file"),
        ("kind = 'folder'\n", "missing"),
    ],
)
def test_a_route_that_can_not_be_is_refused(route: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        _config(least=f"[spool]\nfolder='/s'\nkey_file='/k'\n[[route]]\n{route}")


def test_without_a_route_or_a_spool_there_is_no_node() -> None:
    with pytest.raises(ConfigError, match="receiver"):
        _config(least="[spool]\nfolder='/s'\nkey_file='/k'\n")
    with pytest.raises(ConfigError, match=r"no \[spool\]"):
        _config(least="")


def test_the_key_does_not_lie_beside_what_it_opens() -> None:
    with pytest.raises(ConfigError, match="elsewhere"):
        _config(least=_LEAST.replace("/k", "/s/k"))


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="one name"):
        _config(least=_LEAST + "[[route]]\nname='out'\nkind='folder'\nfolder='/p'\n")


def test_plain_and_anonymous_are_allowed_only_in_so_many_words() -> None:
    _config("[listen]\naddress = '0.0.0.0'\nallow_plain = true\n")
    _config(
        "[listen]\naddress = '0.0.0.0'\nallow_anonymous = true\n"
        "[listen.tls]\ncertificate='c'\nkey='k'\n"
    )
    _config("[listen]\naddress = '0.0.0.0'\n[listen.tls]\ncertificate='c'\nkey='k'\nca='a'\n")


@pytest.mark.parametrize(
    ("host", "it_is"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("a", False)],
)
def test_loopback(host: str, it_is: bool) -> None:
    assert is_loopback(host) is it_is


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("[spool")

    with pytest.raises(ConfigError, match="not TOML"):
        load_node_config(tmp_path / "node.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        load_node_config(tmp_path / "none.toml")
