"""An instance comes in by C-STORE and leaves de-identified, by every kind of route."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from tests.integration.node.conftest import (
    EXPLICIT,
    US,
    Rig,
    associated,
    faulty_cine,
    peer,
    running,
    send,
    small_cine,
    told_of,
    until,
)
from tests.integration.node.engines import FakeEngine

from cinescrub.dicom.iods import image_classes
from cinescrub.node.desk import Desk
from cinescrub.node.entry import State
from cinescrub.node.logs import _Lines
from cinescrub.pixels import registry
from cinescrub.testing.leaks import find_leaks

# Where a connection is refused, pynetdicom leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_VERIFICATION = "1.2.840.10008.1.1"
_MPEG2 = "1.2.840.10008.1.2.4.100"


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A node to which nothing is sent."""
    with running(tmp_path_factory.mktemp("idle")) as rig:
        yield rig


def test_what_comes_in_leaves_de_identified_and_nothing_stays(rig: Rig, tmp_path: Path) -> None:
    truth = small_cine(tmp_path / "cine.dcm")

    assert send(rig.port, tmp_path / "cine.dcm") == [0]
    rig.until(State.SENT)

    (output,) = rig.outputs()
    assert find_leaks(output, truth.planted) == ()
    assert dcmread(output).PatientIdentityRemoved == "YES"
    spool = tmp_path / "spool"
    # What was sent is removed after it is noted: original, output, what lay decrypted.
    until(lambda: not [p for name in ("in", "out", "work") for p in (spool / name).rglob("*.*")])
    left = [p for p in spool.rglob("*") if p.is_file()]
    assert all(path.name == "lock" or "spool.sqlite3" in path.name for path in left)
    for path in left:
        assert told_of(truth, path.read_bytes()) == []


def test_a_peer_gets_the_output_byte_for_byte(tmp_path: Path, cine: Path) -> None:
    out = {"name": "out", "kind": "folder", "folder": str(tmp_path / "out")}
    with peer() as pacs, running(tmp_path, out, pacs.route()) as rig:
        send(rig.port, cine)
        rig.until(State.SENT)

    (output,) = rig.outputs()
    (received,) = pacs.received
    data = output.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    assert received.endswith(data[start:])


def test_the_same_instance_again_is_not_sent_again(rig: Rig, cine: Path) -> None:
    assert send(rig.port, cine, cine) == [0, 0]
    rig.until(State.SENT)
    assert send(rig.port, cine) == [0]

    assert rig.states() == [State.SENT]


def test_other_bytes_under_one_uid_are_held_and_released_as_their_own(
    rig: Rig, cine: Path, tmp_path: Path
) -> None:
    other = dcmread(cine)
    other.PatientComments = "other bytes"
    other.save_as(tmp_path / "other.dcm")

    assert send(rig.port, cine, tmp_path / "other.dcm") == [0, 0]
    rig.until(State.SENT, State.HELD)
    with Desk.open(tmp_path / "spool") as desk:
        desk.release(rig.entries(State.HELD)[0].id)
    rig.until(State.SENT, State.SENT)

    assert len({dcmread(path).SOPInstanceUID for path in rig.outputs()}) == 2


def test_what_the_engine_does_not_take_is_held_with_its_reason(rig: Rig, tmp_path: Path) -> None:
    faulty_cine(tmp_path / "bad.dcm", "QUAR")

    assert send(rig.port, tmp_path / "bad.dcm") == [0]
    rig.until(State.HELD)

    assert rig.entries()[0].reason == "review this file"
    assert rig.outputs() == []


def test_what_fails_for_its_surroundings_is_tried_again(rig: Rig, tmp_path: Path) -> None:
    faulty_cine(tmp_path / "bad.dcm", "FAIL")
    send(rig.port, tmp_path / "bad.dcm")

    until(lambda: rig.entries()[0].attempts >= 2)

    assert rig.entries()[0].state in {State.FAILED, State.WORKING}


@pytest.mark.parametrize(
    ("fault", "attempts", "told"), [("KILL", 2, "signal 11"), ("HANG", 1, "no progress")]
)
def test_what_ends_or_blocks_the_engine_is_held_and_the_rest_goes_on(
    tmp_path: Path, cine: Path, fault: str, attempts: int, told: str
) -> None:
    faulty_cine(tmp_path / "bad.dcm", fault, seed=2)
    with running(tmp_path, worker={"stuck_after_s": 1, "attempts": attempts}) as rig:
        send(rig.port, tmp_path / "bad.dcm", cine)
        rig.until(State.HELD, State.SENT)

        reason = rig.entries(State.HELD)[0].reason
        assert reason is not None
        assert told in reason
        assert f"cinescrub_engine_restarts_total {attempts}.0" in _page(rig, "metrics")
    assert len(rig.outputs()) == 1


def test_a_damaged_entry_is_held_and_the_rest_goes_on(tmp_path: Path, cine: Path) -> None:
    small_cine(tmp_path / "second.dcm", 2)
    with running(tmp_path, engine=FakeEngine(delay_s=3600)) as rig:
        send(rig.port, cine, tmp_path / "second.dcm")
    first = rig.entries()[0]
    path = tmp_path / "spool" / "in" / f"{first.id}.sealed"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)

    with running(tmp_path) as again:
        again.until(State.HELD, State.SENT)
        assert again.entries()[0].reason == "the spooled original is damaged, or of another key"

        assert send(again.port, cine) == [0]  # it is not taken for a copy of what is lost
        again.until(State.HELD, State.SENT, State.SENT)


def test_an_output_that_was_damaged_in_the_spool_is_made_anew(tmp_path: Path, cine: Path) -> None:
    with peer() as pacs:
        port = pacs.port
    with running(tmp_path, pacs.route(port=port)) as rig:
        send(rig.port, cine)
        until(lambda: rig.states() == [State.FAILED])  # nobody listens there
        (output,) = (tmp_path / "spool" / "out").rglob("*.dcm")
        whole = output.read_bytes()
        output.write_bytes(b"damaged" + whole[7:])
        with peer(port=port) as pacs:
            rig.until(State.SENT)
    assert len(pacs.received) == 1
    assert whole.endswith(pacs.received[0][-1000:])


def test_only_what_the_engine_takes_is_negotiated(idle: Rig) -> None:
    for sop_class in image_classes():
        with associated(idle.port, sop_class) as association:
            assert len(association.accepted_contexts) == 1, sop_class
    for syntax in registry.uids():
        with associated(idle.port, US, (syntax,)) as association:
            assert len(association.accepted_contexts) == 1, syntax


@pytest.mark.parametrize(
    ("sop_class", "syntax"), [(_SR, EXPLICIT), (US, _MPEG2), ("1.2.3.4", EXPLICIT)]
)
def test_what_it_does_not_take_is_not(idle: Rig, sop_class: str, syntax: str) -> None:
    with associated(idle.port, sop_class, (syntax,)) as association:
        assert association.accepted_contexts == []


def test_it_answers_an_echo(idle: Rig) -> None:
    with associated(idle.port, _VERIFICATION) as association:
        assert association.send_c_echo().Status == 0


def test_only_known_titles_and_addresses_associate(tmp_path: Path, cine: Path) -> None:
    with running(tmp_path, listen={"calling_titles": ["SCANNER"]}) as rig:
        assert send(rig.port, cine, title="STRANGER") == []
        assert send(rig.port, cine, called="OTHER") == []
        assert send(rig.port, cine) == [0]
        assert rig.entries()[0].peer == "SCANNER"
    with running(tmp_path, listen={"calling_addresses": ["10.0.0.0/8"]}) as rig:
        assert send(rig.port, cine) == []


@pytest.mark.parametrize("lacking", ["min_free_mib", "min_free_memory_mib"])
def test_without_room_nothing_is_written_and_the_peer_is_told(
    tmp_path: Path, cine: Path, lacking: str
) -> None:
    with running(tmp_path, spool={lacking: 2**20}) as rig:
        assert send(rig.port, cine) == [0xA700]

        assert rig.entries() == []
        assert list((tmp_path / "spool" / "in").iterdir()) == []
        with pytest.raises(urllib.error.HTTPError, match="503"):
            _page(rig, "healthz")


def test_an_instance_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    small_cine(path)
    dataset = dcmread(path)
    dataset.add_new(0x00091010, "OB", bytes(1 << 20))
    dataset.save_as(path)

    with running(tmp_path, spool={"max_instance_mib": 1}) as rig:
        assert send(rig.port, path) == [0xA700]
        assert list((tmp_path / "spool" / "in").iterdir()) == []


def test_health_and_metrics_tell_what_is_there_and_no_phi(rig: Rig, tmp_path: Path) -> None:
    truth = small_cine(tmp_path / "cine.dcm")
    send(rig.port, tmp_path / "cine.dcm")
    until(lambda: "cinescrub_latency_seconds_count 1.0" in _page(rig, "metrics"))

    page = _page(rig, "metrics")

    assert json.loads(_page(rig, "healthz")) == {"ok": True, "wrong": []}
    assert 'cinescrub_instances{state="sent"} 1.0' in page
    assert 'cinescrub_received_total{how="new"} 1.0' in page
    assert 'cinescrub_deliveries_total{how="done",route="out"} 1.0' in page
    assert told_of(truth, page.encode()) == []
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _page(rig, "other")


def test_logs_are_lines_of_json_without_phi(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    truth = small_cine(tmp_path / "cine.dcm")
    faulty_cine(tmp_path / "bad.dcm", "QUAR", seed=2)
    send(rig.port, tmp_path / "cine.dcm", tmp_path / "bad.dcm", title="JANE^DOE")
    rig.until(State.SENT, State.HELD)
    until(lambda: "instance delivered" in caplog.text)

    lines = [json.loads(_Lines().format(r)) for r in caplog.records if "cinescrub" in r.name]

    events = {line["event"] for line in lines}
    assert {"instance received", "instance de-identified", "instance not de-identified"} <= events
    text = "\n".join(map(json.dumps, lines)) + caplog.text
    assert "JANE" not in text
    assert told_of(truth, text.encode()) == []


def test_it_stops_at_once_and_takes_up_what_was_in_work(tmp_path: Path, cine: Path) -> None:
    with running(tmp_path, engine=FakeEngine(delay_s=3600)) as rig:
        send(rig.port, cine)
        rig.until(State.WORKING)
    assert rig.states() == [State.RECEIVED]
    assert list((tmp_path / "spool" / "work").iterdir()) == []

    with running(tmp_path) as again:
        again.until(State.SENT)


def _page(rig: Rig, name: str) -> str:
    url = f"http://127.0.0.1:{rig.node.http_port}/{name}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())
