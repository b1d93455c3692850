"""Receivers that are down, full, choosy or broken: nothing is lost, nothing sent to no end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from tests.integration.node.conftest import US, Peer, peer, running, send, small_cine, until

from cinescrub.node.config import RouteConfig, RouteKind
from cinescrub.node.desk import Desk
from cinescrub.node.entry import State
from cinescrub.node.routes import FolderRoute, How, Outcome
from cinescrub.node.scu import ScuRoute
from cinescrub.node.stow import StowRoute

# Where a connection is refused, pynetdicom leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_JPEG = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A file as the engine leaves one, in its folders."""
    path = tmp_path / "out" / "2.25.1" / "2.25.2" / "2.25.3.dcm"
    path.parent.mkdir(parents=True)
    small_cine(path)
    return path


def _scu(taker: Peer, **more: Any) -> ScuRoute:
    values = taker.route() | more
    values["kind"] = RouteKind(values["kind"])
    return ScuRoute(RouteConfig(**values), "CINESCRUB")


def _once(taker: Peer, path: Path, **more: Any) -> Outcome:
    with closing(_scu(taker, **more)) as route:
        return route.deliver(path)


# C-STORE


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (0x0000, How.DONE), (0xB000, How.DONE), (0xB006, How.DONE), (0xB007, How.DONE),
        (0x0111, How.DONE), (0xA700, How.LATER), (0xA701, How.LATER), (0xA900, How.REFUSED),
        (0xC000, How.REFUSED), (0x0122, How.REFUSED), (0x0110, How.REFUSED),
    ],
)  # fmt: skip
def test_a_status_means(output: Path, status: int, how: How) -> None:
    with peer() as pacs:
        pacs.statuses = [status]

        outcome = _once(pacs, output)

    assert outcome.how is how
    if how is not How.DONE:
        assert outcome.reason == f"the peer answered with status 0x{status:04X}"


def test_the_data_set_goes_as_it_is(output: Path) -> None:
    with peer() as pacs:
        assert _once(pacs, output).how is How.DONE

    data = output.read_bytes()
    assert data.endswith(pacs.received[0][400:])
    assert pacs.datasets()[0].SOPInstanceUID == dcmread(output).SOPInstanceUID


def test_outputs_of_one_kind_go_over_one_association(tmp_path: Path) -> None:
    paths = []
    for seed in range(3):
        paths.append(tmp_path / "2.25.1" / "2.25.2" / f"2.25.{seed}.dcm")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        small_cine(paths[-1], seed)
    with peer() as pacs:
        route = _scu(pacs)

        assert [route.deliver(path).how for path in paths] == [How.DONE] * 3
        assert pacs.associations == 1
        route.rest()
        assert route.deliver(paths[0]).how is How.DONE
        assert pacs.associations == 2
        route.close()


def test_a_peer_that_was_restarted_meanwhile_gets_the_next_one(output: Path) -> None:
    with peer() as pacs:
        route = _scu(pacs)
        assert route.deliver(output).how is How.DONE
    with peer(port=pacs.port) as again:
        assert route.deliver(output).how is How.DONE
        route.close()

    assert len(again.received) == 1


def test_a_peer_that_takes_no_such_object_refuses(output: Path) -> None:
    with peer("1.2.840.10008.5.1.4.1.1.2") as pacs:
        by_class = _once(pacs, output)
    with peer(US, (_JPEG,)) as pacs:
        by_syntax = _once(pacs, output)

    assert by_class.how is by_syntax.how is How.REFUSED
    assert pacs.received == []


def test_a_peer_that_rejects_the_association_is_asked_again(output: Path) -> None:
    with peer() as pacs:
        outcome = _once(pacs, output, title="OTHER")

    assert outcome.how is How.LATER
    assert outcome.reason is not None
    assert "check the titles" in outcome.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_peer_that_is_not_there_is_asked_again(output: Path, host: str) -> None:
    with peer() as pacs:
        pass

    outcome = _once(pacs, output, host=host, allow_plain=True)

    assert outcome == Outcome(How.LATER, "the peer can't be reached")


def test_a_peer_that_says_nothing_is_asked_again(output: Path) -> None:
    with peer() as pacs:
        pacs.lock.acquire()  # its answer waits for the end of this test
        began = time.monotonic()
        outcome = _once(pacs, output, timeout_s=1)
        pacs.lock.release()

    assert outcome == Outcome(How.LATER, "the peer gave no answer")
    assert time.monotonic() - began < 5


def test_a_peer_that_is_down_gets_everything_when_it_is_up(tmp_path: Path) -> None:
    with peer() as pacs:
        port = pacs.port
    paths = []
    for seed in range(3):
        paths.append(tmp_path / f"{seed}.dcm")
        small_cine(paths[-1], seed)

    with running(tmp_path, pacs.route(port=port)) as rig:
        assert send(rig.port, *paths) == [0, 0, 0]
        rig.until(*[State.FAILED] * 3)
        reasons = {entry.reason for entry in rig.entries()}
        with peer(port=port) as pacs:
            rig.until(*[State.SENT] * 3)

    assert reasons == {"pacs: the peer can't be reached"}
    assert len({dataset.SOPInstanceUID for dataset in pacs.datasets()}) == len(pacs.received) == 3


def test_a_refused_one_is_held_until_it_is_released(tmp_path: Path, cine: Path) -> None:
    with peer() as pacs, running(tmp_path, pacs.route()) as rig:
        pacs.statuses = [0xA700, 0xA900]
        send(rig.port, cine)
        rig.until(State.HELD)
        assert rig.entries()[0].reason == "pacs: the peer answered with status 0xA900"

        with Desk.open(tmp_path / "spool") as desk:
            desk.release(rig.entries()[0].id)
        rig.until(State.SENT)

    assert len(pacs.received) == 1


# STOW-RS


@dataclass
class Service:
    """A DICOMweb service that answers what the test wants."""

    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    delay_s: float = 0.0
    also: dict[str, str] = field(default_factory=dict)

    def route(self, **more: Any) -> dict[str, Any]:
        return {"name": "web", "kind": "stow", "url": self.url, "timeout_s": 5} | more


@contextmanager
def service() -> Iterator[Service]:
    web = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            web.headers.append(dict(self.headers))
            web.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(web.delay_s)
            status, content = web.answers.pop(0) if web.answers else (200, b"{}")
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            for name, value in ({"Content-Length": str(len(content))} | web.also).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        web.url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web/"
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _stow(web: Service, **more: Any) -> StowRoute:
    values = web.route() | more
    values["kind"] = RouteKind(values["kind"])
    return StowRoute(RouteConfig(**values))


def _failed(*reasons: int) -> bytes:
    items = [{"00081197": {"vr": "US", "Value": [reason]}} for reason in reasons]
    return json.dumps({"00081198": {"vr": "SQ", "Value": items}}).encode()


@pytest.mark.parametrize(
    ("status", "content", "how"),
    [
        (200, b"{}", How.DONE),
        (200, b"", How.DONE),
        (200, b"<xml/>", How.DONE),
        (200, b"[" * 100_000, How.DONE),
        (202, b"{}", How.DONE),
        (202, _failed(0x0111), How.DONE),
        (200, _failed(0xC000), How.REFUSED),
        (202, _failed(0xA900), How.REFUSED),
        (202, _failed(0xA700), How.LATER),
        (409, _failed(0x0111), How.DONE),
        (409, _failed(0xC122), How.REFUSED),
        (409, _failed(0xA700), How.LATER),
        (409, b"no JSON", How.REFUSED),
        (409, b"[1]", How.REFUSED),
        (400, b"", How.REFUSED),
        (415, b"", How.REFUSED),
        (401, b"", How.LATER),
        (404, b"", How.LATER),
        (429, b"", How.LATER),
        (302, b"", How.LATER),
        (500, b"", How.LATER),
        (503, b"", How.LATER),
    ],
)
def test_an_answer_means(output: Path, status: int, content: bytes, how: How) -> None:
    with service() as web:
        web.answers = [(status, content)]

        outcome = _stow(web).deliver(output)

    assert outcome.how is how
    assert how is How.DONE or str(status) in str(outcome.reason)


@pytest.mark.parametrize("sent", [{"Content-Length": "99"}, {"Content-Encoding": "gzip"}])
def test_an_answer_that_breaks_off_or_is_no_answer_is_asked_for_again(
    output: Path, sent: dict[str, str]
) -> None:
    with service() as web:
        web.also = sent
        web.answers = [(200, b"{}")]

        outcome = _stow(web).deliver(output)

    assert outcome.how is How.LATER
    assert "answer" in str(outcome.reason)


def test_the_body_is_the_file_in_one_part(output: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with service() as web:
        _stow(web, token_file=tmp_path / "token").deliver(output)

    kind = web.headers[0]["Content-Type"]
    boundary = kind.rpartition("boundary=")[2].encode()
    head, _, rest = web.bodies[0].partition(b"\r\n\r\n")
    assert kind.startswith('multipart/related; type="application/dicom"')
    assert web.headers[0]["Authorization"] == "Bearer secret"
    assert head == b"--" + boundary + b"\r\nContent-Type: application/dicom"
    assert rest == output.read_bytes() + b"\r\n--" + boundary + b"--\r\n"
    assert dcmread(BytesIO(rest[: output.stat().st_size])).SOPClassUID == US


def test_a_service_that_is_down_or_slow_is_asked_again(output: Path) -> None:
    with service() as web:
        web.delay_s = 2
        slow = _stow(web, timeout_s=1).deliver(output)
    down = _stow(web).deliver(output)

    assert slow == down == Outcome(How.LATER, "the service can't be reached")


def test_through_the_node_to_a_service_that_fails_at_first(tmp_path: Path, cine: Path) -> None:
    with service() as web, running(tmp_path, web.route()) as rig:
        web.answers = [(500, b""), (409, _failed(0xC122))]
        send(rig.port, cine)
        rig.until(State.HELD)
        assert rig.entries()[0].reason == "web: the service answered with 409, 0xC122"
        with Desk.open(tmp_path / "spool") as desk:
            desk.release(rig.entries()[0].id)
        rig.until(State.SENT)

    assert len(web.bodies) == 3
    assert len({body.partition(b"\r\n\r\n")[2][:-40] for body in web.bodies}) == 1


# A folder


def test_a_folder_gets_a_file_once_however_often_it_is_sent(output: Path, tmp_path: Path) -> None:
    route = FolderRoute(tmp_path / "to")

    assert [route.deliver(output).how for _ in range(2)] == [How.DONE, How.DONE]

    (copy,) = [path for path in (tmp_path / "to").rglob("*") if path.is_file()]
    assert copy.relative_to(tmp_path / "to") == Path("2.25.1/2.25.2/2.25.3.dcm")
    assert copy.read_bytes() == output.read_bytes()


def test_a_folder_that_can_not_be_written_is_tried_again(output: Path, tmp_path: Path) -> None:
    (tmp_path / "to").write_text("a file")

    outcome = FolderRoute(tmp_path / "to").deliver(output)

    assert outcome.how is How.LATER


def test_what_a_crash_left_in_a_folder_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f".cinescrub-{'0' * 16}.part").write_bytes(b"half")

    FolderRoute(tmp_path / "to")

    until(lambda: not list((tmp_path / "to").iterdir()))
