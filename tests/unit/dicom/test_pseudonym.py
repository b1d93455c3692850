"""Keyed pseudonyms and the key file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Thread

import pytest
from pydicom.uid import UID

from cinescrub.dicom.pseudonym import (
    KEY_BYTES,
    Pseudonyms,
    fingerprint,
    is_pseudonym,
    load_or_create_key,
)
from cinescrub.errors import ConfigError, OutputError

ONE = Pseudonyms(b"1" * KEY_BYTES)
OTHER = Pseudonyms(b"2" * KEY_BYTES)
UID_IN = "1.2.826.0.1.3680043.19700101.4711"


def test_same_key_same_pseudonym() -> None:
    again = Pseudonyms(b"1" * KEY_BYTES)

    assert ONE.patient_id("4711") == again.patient_id("4711")
    assert ONE.name("DOE^JANE") == again.name("DOE^JANE")
    assert ONE.uid(UID_IN) == again.uid(UID_IN)


def test_two_keys_have_nothing_in_common() -> None:
    assert ONE.patient_id("4711") != OTHER.patient_id("4711")
    assert ONE.name("DOE^JANE") != OTHER.name("DOE^JANE")
    assert ONE.uid(UID_IN) != OTHER.uid(UID_IN)
    assert fingerprint(ONE.key) != fingerprint(OTHER.key)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param(ONE.patient_id("4711", "A"), ONE.patient_id("4711", "B"), id="issuer"),
        pytest.param(ONE.patient_id("47", "11"), ONE.patient_id("4711"), id="no concatenation"),
        pytest.param(ONE.patient_id("4711"), ONE.patient_id("4712"), id="value"),
        pytest.param(
            ONE.name("DOE^JANE", patient_id="1"), ONE.name("DOE^JANE", patient_id="2"), id="id"
        ),
    ],
)
def test_different_identities_differ(a: str, b: str) -> None:
    assert a != b


def test_padding_and_unicode_form_are_no_part_of_an_identity() -> None:
    assert ONE.patient_id("4711 ") == ONE.patient_id("4711")
    assert ONE.patient_id("Zoe\u0308") == ONE.patient_id("Zo\u00eb")
    assert ONE.uid(UID_IN + "\0") == ONE.uid(UID_IN)


def test_name_follows_the_patient_id() -> None:
    assert ONE.name("DOE^JANE", patient_id="1") == ONE.name("Doe^J.", patient_id="1")


@pytest.mark.parametrize("value", ["", " ", "\0"])
def test_nothing_stays_nothing(value: str) -> None:
    assert (ONE.patient_id(value), ONE.name(value), ONE.uid(value)) == ("", "", "")


def test_pseudonyms_are_valid_and_recognised() -> None:
    uid = ONE.uid(UID_IN)

    assert UID(uid).is_valid
    assert len(uid) <= 64
    assert uid.startswith("2.25.")
    assert is_pseudonym(ONE.patient_id("4711"))
    assert is_pseudonym(ONE.name("DOE^JANE"))
    assert not is_pseudonym("P4711")
    assert not is_pseudonym("DOE^JANE")


def test_uids_of_the_standard_are_kept_and_made_up_ones_under_its_root_are_not() -> None:
    assert ONE.uid("1.2.840.10008.5.1.4.1.1.3.1") == "1.2.840.10008.5.1.4.1.1.3.1"
    assert ONE.uid("1.2.840.10008.4711") != "1.2.840.10008.4711"


def test_the_key_is_not_in_a_repr() -> None:
    assert "1111" not in repr(ONE)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="shorter"):
        Pseudonyms(b"short")


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "config" / "key"

    made = load_or_create_key(path)

    assert len(made) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == made
    assert [p.name for p in path.parent.iterdir()] == ["key"]
    assert load_or_create_key(tmp_path / "another") != made


def test_the_default_key_is_in_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cinescrub.dicom.pseudonym.platformdirs.user_config_dir",
        lambda name, appauthor: str(tmp_path / name),
    )

    key = load_or_create_key()

    assert (tmp_path / "cinescrub" / "key").read_bytes() == key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        load_or_create_key(path)


def test_a_short_key_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="less than 32 bytes"):
        load_or_create_key(path)

    assert path.read_bytes() == b"secret"


def test_a_key_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_or_create_key(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError, match="can't be made"):
        load_or_create_key(tmp_path / "key")


def test_a_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ConfigError, match="can't be read"):
        load_or_create_key(tmp_path / "file" / "key")


def test_first_uses_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [
        Thread(target=lambda: keys.append(load_or_create_key(tmp_path / "key"))) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1
