"""What people do with a spool, beside the node that works on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.node.conftest import Clock, files_in, put, scrub

from cinescrub.errors import ConfigError
from cinescrub.node.deliveries import Deliveries
from cinescrub.node.desk import Desk
from cinescrub.node.entry import Accepted, State
from cinescrub.node.spool import Spool


def test_counts_and_lists(spool: Spool) -> None:
    put(spool, b"1", "1.1")
    _, held = put(spool, b"2", "1.1")

    with Desk.open(spool.folder) as desk:
        assert desk.counts()[State.RECEIVED] == desk.counts()[State.HELD] == 1
        assert [entry.id for entry in desk.entries(State.HELD)] == [held]
        assert len(desk.entries()) == 2


def test_a_released_one_goes_on_from_where_it_was(spool: Spool) -> None:
    _, identity = put(spool)
    entry = spool.claim()
    assert entry is not None
    spool.hold(entry, "review")

    with Desk.open(spool.folder) as desk:
        desk.release(identity)

    again = spool.claim()
    assert again is not None
    assert not again.alone


def test_a_released_conflict_becomes_an_instance_of_its_own(spool: Spool) -> None:
    put(spool, b"1")
    spool.claim()
    _, identity = put(spool, b"2")

    with Desk.open(spool.folder) as desk:
        desk.release(identity)

    entry = spool.claim()
    assert entry is not None
    assert (entry.id, entry.alone) == (identity, True)


def test_a_deleted_one_is_shredded_and_new_if_it_comes_again(spool: Spool, folder: Path) -> None:
    put(spool, b"1")
    spool.claim()
    _, identity = put(spool, b"2")

    with Desk.open(folder) as desk:
        desk.delete(identity)

    assert f"{identity}.sealed" not in files_in(folder)
    taken, again = put(spool, b"2")
    assert taken is Accepted.CONFLICT
    assert again != identity


@pytest.mark.parametrize("act", [Desk.release, Desk.delete], ids=["release", "delete"])
def test_what_is_in_work_is_left_alone(spool: Spool, act: object) -> None:
    _, identity = put(spool)
    spool.claim()

    with Desk.open(spool.folder) as desk, pytest.raises(ConfigError, match="is working"):
        act(desk, identity)  # type: ignore[operator]


def test_an_unknown_id_is_told(spool: Spool) -> None:
    with Desk.open(spool.folder) as desk, pytest.raises(ConfigError, match="no such"):
        desk.release("x")


def test_what_was_sent_long_ago_is_forgotten(spool: Spool, clock: Clock) -> None:
    put(spool)
    scrub(spool)
    deliveries = Deliveries(spool)
    for route in ("a", "b"):
        delivery = deliveries.next(route)
        assert delivery is not None
        deliveries.done(delivery)
    desk = Desk(spool.folder, spool.database)

    assert desk.forget(90) == 0
    clock.now += 91 * 86_400
    assert desk.forget(90) == 1

    assert put(spool)[0] is Accepted.NEW


def test_where_there_is_no_spool_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no spool"):
        Desk.open(tmp_path)
