"""The spool: what is accepted is safe, goes from state to state, and is gone once it was sent."""

from __future__ import annotations

import errno
import os
import sqlite3
from itertools import count
from pathlib import Path

import pytest
from tests.unit.node.conftest import BACKOFF, SECRET, Clock, files_in, put, scrub

from cinescrub.errors import ConfigError, InputError, OutputError
from cinescrub.node.deliveries import Deliveries
from cinescrub.node.desk import Desk
from cinescrub.node.entry import Accepted, Entry, State
from cinescrub.node.spool import Spool


def _entries(spool: Spool) -> list[Entry]:
    return Desk(spool.folder, spool.database).entries(*State)


def _only(spool: Spool) -> Entry:
    (entry,) = _entries(spool)
    return entry


def _deliver_all(spool: Spool) -> None:
    deliveries = Deliveries(spool)
    for route in ("a", "b"):
        while (delivery := deliveries.next(route)) is not None:
            deliveries.done(delivery)


# What arrives


def test_what_was_accepted_is_read_back(spool: Spool) -> None:
    taken, identity = put(spool, b"pixels", peer="SCANNER")

    entry = spool.claim()

    assert taken is Accepted.NEW
    assert entry is not None
    assert (entry.id, entry.peer, entry.size) == (identity, "SCANNER", 6)
    assert b"".join(spool.original(entry)) == b"headpixels"


def test_nothing_in_the_folder_tells_what_was_received(spool: Spool, folder: Path) -> None:
    put(spool, b"DOE^JANE" * 500, uid="1.2.826.0.1.3680043.9")

    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert b"DOE^JANE" not in everything
    assert b"1.2.826.0.1.3680043.9" not in everything
    assert {p.stat().st_mode & 0o077 for p in folder.rglob("*")} == {0}


def test_a_copy_is_not_kept_twice(spool: Spool, folder: Path) -> None:
    _, first = put(spool)

    assert put(spool) == (Accepted.COPY, first)
    assert len([n for n in files_in(folder) if n.endswith(".sealed")]) == 1


def test_other_bytes_under_the_same_uid_are_held(spool: Spool) -> None:
    put(spool, b"one")

    taken, identity = put(spool, b"two")

    held = next(entry for entry in _entries(spool) if entry.id == identity)
    assert taken is Accepted.CONFLICT
    assert held.state is State.HELD
    assert held.reason is not None
    assert "other bytes" in held.reason
    assert put(spool, b"two") == (Accepted.COPY, identity)


def test_a_copy_of_what_was_sent_is_not_sent_again(spool: Spool) -> None:
    _, identity = put(spool)
    scrub(spool)
    _deliver_all(spool)

    assert put(spool) == (Accepted.COPY, identity)
    assert spool.claim() is None


@pytest.mark.parametrize("before", [0, 1], ids=["of the file", "of its folder"])
def test_a_full_disk_while_it_is_synced_leaves_nothing(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    arrival = spool.arrival()
    arrival.begin(b"head", "1.2")
    calls = count()

    def full(*_: object) -> None:
        if next(calls) == before:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("cinescrub.node.vault.os.fsync", full)
    with pytest.raises(OutputError, match="disk may be full"):
        spool.accept(arrival, "1.2.3", "")

    assert [n for n in files_in(folder / "in")] == []
    assert _entries(spool) == []


def test_file_folder_and_row_are_on_the_disk_before_it_is_accepted(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr("cinescrub.node.vault.os.fsync", recorded)

    _, identity = put(spool)

    assert synced == [f"{identity}.part", "in"]
    with sqlite3.connect(folder / "spool.sqlite3") as other:
        assert other.execute("SELECT id FROM instances").fetchall() == [(identity,)]
    other.close()


# The engine's part


def test_the_oldest_comes_first_and_once(spool: Spool, clock: Clock) -> None:
    _, first = put(spool, b"1", "1.1")
    clock.now += 1
    _, second = put(spool, b"2", "1.2")

    claimed = [spool.claim(), spool.claim(), spool.claim()]

    assert [entry and entry.id for entry in claimed] == [first, second, None]


def test_what_fails_for_its_surroundings_is_tried_later_and_held_in_the_end(
    spool: Spool, clock: Clock
) -> None:
    put(spool)
    entry = spool.claim()
    assert entry is not None
    assert spool.failed(entry, "no model") is State.FAILED
    assert spool.claim() is None

    clock.now += 5
    entry = spool.claim()
    assert entry is not None
    assert entry.attempts == 1
    for _ in range(BACKOFF.attempts - 2):
        spool.failed(entry, "no model")
        clock.now += 900
        entry = spool.claim()
        assert entry is not None

    assert spool.failed(entry, "no model") is State.HELD
    clock.now += 1e6
    assert spool.claim() is None


@pytest.mark.parametrize("jump", [-1e8, 1e8], ids=["back", "forward"])
def test_a_clock_that_jumps_holds_nothing_up(spool: Spool, clock: Clock, jump: float) -> None:
    put(spool)
    entry = spool.claim()
    assert entry is not None
    spool.failed(entry, "no model")

    clock.now += jump

    assert spool.claim() is not None


def test_what_ends_the_engine_again_and_again_is_held(spool: Spool) -> None:
    put(spool)
    states = []
    while (entry := spool.claim()) is not None:
        states.append(spool.crashed(entry, "signal 11", 3))

    assert states == [State.RECEIVED, State.RECEIVED, State.HELD]
    assert _only(spool).reason == "signal 11"


# The routes' part


def test_it_is_sent_when_every_route_has_it_and_then_nothing_of_it_is_left(
    spool: Spool, folder: Path
) -> None:
    put(spool)
    output = scrub(spool)
    deliveries = Deliveries(spool)
    for_a, for_b = deliveries.next("a"), deliveries.next("b")
    assert for_a is not None
    assert for_b is not None
    assert for_a.path == output

    assert deliveries.done(for_a) is State.WORKING
    assert output.exists()
    assert deliveries.done(for_b) is State.SENT

    assert files_in(folder / "in") == files_in(folder / "out") == []
    assert _only(spool).state is State.SENT


def test_a_peer_that_is_down_for_a_day_gets_it_then(spool: Spool, clock: Clock) -> None:
    put(spool)
    scrub(spool)
    deliveries = Deliveries(spool)
    asked, end = 0, clock.now + 86_400
    while clock.now < end:
        if (delivery := deliveries.next("a")) is not None:
            asked += 1
            assert deliveries.failed(delivery, "down") is State.FAILED
        clock.now += 60

    clock.now += 900
    delivery = deliveries.next("a")

    assert 96 < asked < 110  # a day of quarters of an hour, and the first few
    assert delivery is not None
    assert deliveries.done(delivery) is State.WORKING


def test_a_refusal_holds_it_and_the_other_route_goes_on(spool: Spool) -> None:
    put(spool)
    scrub(spool)
    deliveries = Deliveries(spool)
    for_a, for_b = deliveries.next("a"), deliveries.next("b")
    assert for_a is not None
    assert for_b is not None

    assert deliveries.refused(for_a, "status 0xA900") is State.HELD
    assert deliveries.next("a") is None
    assert deliveries.done(for_b) is State.HELD

    entry = _only(spool)
    assert entry.reason == "a: status 0xA900"
    Desk(spool.folder, spool.database).release(entry.id)
    for_a = deliveries.next("a")
    assert for_a is not None
    assert deliveries.done(for_a) is State.SENT


def test_an_output_that_is_not_it_any_more_is_made_anew(spool: Spool) -> None:
    put(spool)
    scrub(spool)
    deliveries = Deliveries(spool)
    delivery = deliveries.next("a")
    assert delivery is not None

    deliveries.without_output(delivery, "damaged")

    assert deliveries.next("a") is None
    scrub(spool)
    assert deliveries.next("a") is not None


def test_what_waits_for_a_route_that_is_gone_is_held(spool: Spool) -> None:
    put(spool)
    scrub(spool)

    assert Deliveries(spool).keep_to(("b", "c")) == 1

    assert _only(spool).state is State.HELD
    assert Deliveries(spool).next("b") is not None


# After the end of a process


def _reopened(spool: Spool, clock: Clock) -> Spool:
    spool.close()
    return Spool.open(spool.folder, BACKOFF, SECRET, clock=clock)


def test_what_was_in_the_engine_is_taken_up_again(spool: Spool, clock: Clock) -> None:
    _, identity = put(spool)
    spool.claim()

    with _reopened(spool, clock) as again:
        entry = again.claim()

    assert entry is not None
    assert entry.id == identity


def test_what_takes_the_machine_down_is_held_in_the_end(spool: Spool, clock: Clock) -> None:
    put(spool)
    starts = 0
    again = spool
    while again.claim() is not None:
        starts += 1
        again = _reopened(again, clock)

    assert starts == 20
    assert _only(again).state is State.HELD
    again.close()


def test_what_was_being_received_is_gone(spool: Spool, clock: Clock, folder: Path) -> None:
    arrival = spool.arrival()
    arrival.write(bytes(3_000_000))

    with _reopened(spool, clock) as again:
        assert files_in(folder / "in") == []
        assert _entries(again) == []
    arrival.discard()


def test_a_synced_file_without_a_row_is_taken_up(spool: Spool, clock: Clock, folder: Path) -> None:
    _, identity = put(spool, b"pixels")
    spool.close()
    for path in folder.glob("spool.sqlite3*"):
        path.unlink()

    with Spool.open(folder, BACKOFF, SECRET, clock=clock) as again:
        assert put(again, b"pixels") == (Accepted.COPY, identity)
        entry = again.claim()
        assert entry is not None
        assert b"".join(again.original(entry)) == b"headpixels"


def test_an_end_between_the_last_answer_and_the_shredding(
    spool: Spool, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spool)
    scrub(spool)
    with monkeypatch.context() as patch:
        patch.setattr("cinescrub.node.deliveries.clear", lambda *_: None)
        _deliver_all(spool)
    assert files_in(folder / "in") != []

    with _reopened(spool, clock) as again:
        assert files_in(folder / "in") == files_in(folder / "out") == []
        assert _only(again).state is State.SENT


def test_outputs_that_wait_are_still_there(spool: Spool, clock: Clock) -> None:
    put(spool)
    output = scrub(spool)

    with _reopened(spool, clock) as again:
        delivery = Deliveries(again).next("b")

    assert delivery is not None
    assert delivery.path == output
    assert output.read_bytes() == b"clean"


def test_a_damaged_entry_is_told_and_the_others_go_on(spool: Spool, folder: Path) -> None:
    put(spool, b"1", "1.1")
    (path,) = (folder / "in").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    put(spool, b"2", "1.2")

    damaged, whole = spool.claim(), spool.claim()

    assert damaged is not None
    assert whole is not None
    with pytest.raises(InputError, match="damaged"):
        list(spool.original(damaged))
    assert b"".join(spool.original(whole)) == b"head2"


def test_an_entry_whose_file_is_gone_is_held(spool: Spool, clock: Clock, folder: Path) -> None:
    put(spool)
    next((folder / "in").iterdir()).unlink()

    with _reopened(spool, clock) as again:
        assert _only(again).state is State.HELD
        assert _only(again).reason == "its file is missing in the spool"
        assert put(again)[0] is Accepted.NEW


# Whose spool it is


def test_two_nodes_do_not_share_a_spool(spool: Spool, folder: Path) -> None:
    with pytest.raises(ConfigError, match="another node"):
        Spool.open(folder, BACKOFF, SECRET)


def test_another_key_is_told(spool: Spool, folder: Path) -> None:
    spool.close()

    with pytest.raises(ConfigError, match="another key"):
        Spool.open(folder, BACKOFF, bytes(32))


def test_a_damaged_database_is_told_with_what_to_do(spool: Spool, folder: Path) -> None:
    put(spool)
    spool.close()
    path = folder / "spool.sqlite3"
    path.write_bytes(path.read_bytes()[:100] + os.urandom(8000))

    with pytest.raises(ConfigError, match="aside"):
        Spool.open(folder, BACKOFF, SECRET)


def test_a_folder_that_others_may_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    (tmp_path / "spool").chmod(0o755)

    with pytest.raises(ConfigError, match="others may use"):
        Spool.open(tmp_path / "spool", BACKOFF, SECRET)


def test_what_is_committed_is_synced(spool: Spool, folder: Path) -> None:
    with spool.database.writing() as rows:
        assert rows.execute("PRAGMA synchronous").fetchone() == (2,)
    with sqlite3.connect(folder / "spool.sqlite3") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
