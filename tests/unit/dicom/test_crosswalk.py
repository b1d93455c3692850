"""What leads back: encrypted, added to, and only for who has the key."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest

from cinescrub.dicom.crosswalk import Crosswalk, Entry, MidiMaps, read_crosswalk
from cinescrub.dicom.outcome import Links
from cinescrub.dicom.pseudonym import Pseudonyms
from cinescrub.errors import ConfigError, OutputError

KEY, OTHER = Pseudonyms(b"k" * 32), Pseudonyms(b"o" * 32)
LINKS = Links(("MRN4711", "Elsewhere", "P1"), "1.2.3", {"1.2.3": "2.25.7"}, -86_400)
ENTRIES = [
    Entry("patient", "MRN4711", "Elsewhere", "P1"),
    Entry("shift", "MRN4711", "Elsewhere", "-86400"),
    Entry("uid", "1.2.3", "", "2.25.7"),
]


def test_what_was_recorded_is_read_back_with_the_key_and_not_without(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"

    Crosswalk.open(path, KEY).record(LINKS)

    assert list(read_crosswalk(path, KEY)) == ENTRIES
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"4711" not in path.read_bytes()
    with pytest.raises(ConfigError, match="another key"):
        list(read_crosswalk(path, OTHER))
    with pytest.raises(ConfigError, match="another key"):
        Crosswalk.open(path, OTHER)


def test_a_later_run_adds_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"
    Crosswalk.open(path, KEY).record(LINKS)
    before = path.read_bytes()

    later = Crosswalk.open(path, KEY)
    later.record(LINKS)
    assert path.read_bytes() == before

    later.record(Links(("4712", "", "P2"), "1.2.4", {"1.2.4": "2.25.8"}))
    assert path.read_bytes().startswith(before)
    assert [e.new for e in read_crosswalk(path, KEY) if e] == [
        *("P1", "-86400", "2.25.7", "P2", "2.25.8")
    ]


def test_a_line_that_was_cut_off_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"
    Crosswalk.open(path, KEY).record(LINKS)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])

    Crosswalk.open(path, KEY).record(Links(("4712", "", "P2"), "", {}))

    assert list(read_crosswalk(path, KEY)) == [
        *ENTRIES,
        None,
        Entry("patient", "4712", "", "P2"),
    ]


def test_a_changed_line_is_told_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"
    Crosswalk.open(path, KEY).record(LINKS)
    Crosswalk.open(path, KEY).record(Links(("4712", "", "P2"), "", {}))
    data = bytearray(path.read_bytes())
    data[30] ^= 1

    path.write_bytes(bytes(data))

    assert list(read_crosswalk(path, KEY)) == [None, Entry("patient", "4712", "", "P2")]


def record_many(path: Path, start: int) -> None:
    crosswalk = Crosswalk.open(path, KEY)
    for number in range(start, start + 20):
        crosswalk.record(Links((f"MRN{number}", "", f"P{number}"), "", {}))


def test_runs_side_by_side_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=record_many, args=(path, 100 * n)) for n in range(3)]

    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert {e.new for e in read_crosswalk(path, KEY) if e} == {
        f"P{100 * n + k}" for n in range(3) for k in range(20)
    }


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk"
    path.touch(mode=0o600)
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        Crosswalk.open(path, KEY)


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        Crosswalk.open(tmp_path / "none" / "crosswalk", KEY)
    with pytest.raises(ConfigError, match="is no file"):
        Crosswalk.open(tmp_path, KEY)
    with pytest.raises(ConfigError, match="can't be read"):
        list(read_crosswalk(tmp_path / "none", KEY))


def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)

    with pytest.raises(ConfigError, match=r"cinescrub\[crosswalk\]"):
        Crosswalk.open(tmp_path / "crosswalk", KEY)


def test_nothing_shows_an_old_value() -> None:
    assert "4711" not in repr(LINKS)
    assert "4711" not in repr(ENTRIES)


def test_midi_b_reads_two_mappings(tmp_path: Path) -> None:
    maps = MidiMaps.open(tmp_path / "midi")

    maps.record(LINKS)
    maps.record(LINKS)
    maps.record(Links(("4,712", "", "P2"), "", {}))

    assert (tmp_path / "midi/uid_mapping.csv").read_bytes() == b"id_old,id_new\r\n1.2.3,2.25.7\r\n"
    assert (tmp_path / "midi/patid_mapping.csv").read_text().splitlines() == [
        "id_old,id_new",
        "MRN4711,P1",
        '"4,712",P2',
    ]
    assert (tmp_path / "midi/uid_mapping.csv").stat().st_mode & 0o777 == 0o600


def test_an_output_with_a_uid_of_its_own_is_named_so() -> None:
    assert LINKS.named("2.25.9").uids == {"1.2.3": "2.25.9"}
