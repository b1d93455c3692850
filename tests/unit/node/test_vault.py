"""Encrypted files: what was written comes back, or it is said that it doesn't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinescrub.errors import InputError
from cinescrub.node.vault import Vault, label_of, shred

_MIB = 1 << 20
_LABEL = bytes(range(32))
_VAULT = Vault(bytes(32))


def _written(path: Path, content: bytes, name: str = "a", piece: int = 100_000) -> Path:
    sealed = _VAULT.create(path, name)
    for at in range(0, len(content), piece):
        sealed.write(content[at : at + piece])
    sealed.seal(_LABEL)
    return path


def _read(path: Path, name: str = "a", vault: Vault = _VAULT) -> bytes:
    return b"".join(vault.read(path, name))


@pytest.mark.parametrize("size", [0, 1, _MIB - 1, _MIB, _MIB + 1, 2 * _MIB, 3 * _MIB + 7], ids=str)
def test_what_is_written_is_read(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    assert _read(_written(tmp_path / "f", content)) == content


def test_a_file_is_for_its_owner_and_tells_nothing_of_its_content(tmp_path: Path) -> None:
    path = _written(tmp_path / "f", b"DOE^JANE" * 1000)

    assert path.stat().st_mode & 0o777 == 0o600
    assert b"DOE^JANE" not in path.read_bytes()


def test_equal_contents_give_different_files(tmp_path: Path) -> None:
    one, two = _written(tmp_path / "1", b"same"), _written(tmp_path / "2", b"same")

    assert one.read_bytes() != two.read_bytes()


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_but_in_the_label_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    path = _written(tmp_path_factory.mktemp("flip") / "f", b"x" * 5000)
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at] ^= 1 << bit
    path.write_bytes(data)

    if 68 <= at < 100:
        assert _read(path) == b"x" * 5000
    else:
        with pytest.raises(InputError, match="damaged"):
            _read(path)


@pytest.mark.parametrize("left", [0, 50, 100, 101, 5000, _MIB + 116, 2 * _MIB + 100], ids=str)
def test_a_file_that_was_cut_off_is_noticed(tmp_path: Path, left: int) -> None:
    path = _written(tmp_path / "f", bytes(2 * _MIB + 5))
    path.write_bytes(path.read_bytes()[:left])

    with pytest.raises(InputError, match="damaged"):
        _read(path)


def test_chunks_that_changed_places_are_noticed(tmp_path: Path) -> None:
    path = _written(tmp_path / "f", bytes(3 * _MIB))
    data, step = path.read_bytes(), _MIB + 16
    head, one, two, rest = data[:100], data[100 : 100 + step], data[100 + step :][:step], b""
    rest = data[100 + 2 * step :]
    path.write_bytes(head + two + one + rest)

    with pytest.raises(InputError, match="damaged"):
        _read(path)


def test_a_file_is_not_read_under_another_name_or_key(tmp_path: Path) -> None:
    path = _written(tmp_path / "f", b"content")

    with pytest.raises(InputError):
        _read(path, "b")
    with pytest.raises(InputError):
        _read(path, vault=Vault(b"\1" * 32))


def test_the_label_is_known_without_the_key(tmp_path: Path) -> None:
    assert label_of(_written(tmp_path / "f", b"content")) == _LABEL

    (tmp_path / "other").write_bytes(b"no sealed file" * 20)
    assert label_of(tmp_path / "other") is None


def test_shredding_destroys_the_key_before_the_name(tmp_path: Path) -> None:
    path = _written(tmp_path / "f", b"content")
    os.link(path, tmp_path / "link")

    shred(path)

    assert not path.exists()
    with pytest.raises(InputError):
        _read(tmp_path / "link")


def test_what_is_not_there_is_shredded(tmp_path: Path) -> None:
    shred(tmp_path / "f")


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    sealed = _VAULT.create(tmp_path / "f", "a")
    sealed.write(bytes(2 * _MIB))

    sealed.discard()
    sealed.discard()

    assert list(tmp_path.iterdir()) == []
