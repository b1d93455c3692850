"""Peers that break the protocol, stall or come in crowds: the node goes on, and keeps nothing."""

from __future__ import annotations

import itertools
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from tests.integration.node.certificates import Certificates
from tests.integration.node.conftest import (
    EXPLICIT,
    US,
    Rig,
    associated,
    running,
    send,
    small_cine,
    until,
)

from cinescrub.node.entry import State

# Where a connection fails, pynetdicom's clients leave their sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_TIMEOUT_S = 1
_HOST = "127.0.0.1"
_seeds = itertools.count(1000)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One node for all of these: what one peer did must not be another's harm."""
    listen = {"timeout_s": _TIMEOUT_S, "max_associations": 4}
    with running(tmp_path_factory.mktemp("hostile"), listen=listen) as rig:
        yield rig


@pytest.fixture(autouse=True)
def _all_is_well_afterwards(rig: Rig, tmp_path: Path) -> Iterator[None]:
    yield
    until(lambda: not list((rig.folder / "spool" / "in").glob("*.part")))
    path, before = tmp_path / "good.dcm", len(rig.outputs())
    small_cine(path, seed=next(_seeds))
    until(lambda: send(rig.port, path) == [0])  # a crowd has to leave first
    until(lambda: len(rig.outputs()) == before + 1)
    assert set(rig.states()) <= {State.SENT, State.WORKING}


def _connected(rig: Rig) -> socket.socket:
    return socket.create_connection((_HOST, rig.port), timeout=20)


def _request() -> bytes:
    """Encode a request for an association with one context, of id 1."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "SCANNER", "CINESCRUB"
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [length, implementation]
    context = build_context(US, EXPLICIT)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return pdu.encode()


def _pdata(control: int, data: bytes, context: int = 1) -> bytes:
    """Encode a P-DATA-TF PDU with one value."""
    value = struct.pack(">LBB", len(data) + 2, context, control) + data
    return struct.pack(">BBL", 4, 0, len(value)) + value


def _element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _command(uid: bytes = b"1.2.3.4\0") -> bytes:
    """Encode a C-STORE request that announces a data set."""
    body = b"".join((
        _element(0x00000002, US.encode() + b"\0" * (len(US) % 2)),
        _element(0x00000100, struct.pack("<H", 1)),
        _element(0x00000110, struct.pack("<H", 1)),
        _element(0x00000700, struct.pack("<H", 0)),
        _element(0x00000800, struct.pack("<H", 1)),
        _element(0x00001000, uid),
    ))  # fmt: skip
    return _element(0x00000000, struct.pack("<L", len(body))) + body


def _ends(sock: socket.socket, within_s: float) -> bool:
    """Whether the node ends a connection in time; what it says meanwhile is read."""
    deadline = time.monotonic() + within_s
    with suppress(ConnectionError):
        while time.monotonic() < deadline:
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                if not sock.recv(65536):
                    return True
            except TimeoutError:
                return False
        return False
    return True


def _established(rig: Rig) -> socket.socket:
    sock = _connected(rig)
    sock.sendall(_request())
    assert sock.recv(65536)[0] == 2  # A-ASSOCIATE-AC
    return sock


@pytest.mark.parametrize("graceless", [True, False], ids=["reset", "abort"])
def test_an_association_that_ends_in_the_middle_of_a_data_set(rig: Rig, graceless: bool) -> None:
    with _established(rig) as sock:
        sock.sendall(_pdata(3, _command()) + _pdata(0, bytes(10_000)))
        until(lambda: bool(list((rig.folder / "spool" / "in").glob("*.part"))))
        if graceless:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.sendall(struct.pack(">BBLBBBB", 7, 0, 4, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        bytes(100),
        b"\xff" * 100,
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + bytes(100),  # of 4 GiB
        struct.pack(">BBL", 1, 0, 4) + b"shrt",
        struct.pack(">BBL", 9, 0, 4) + bytes(4),  # of no type
        _pdata(3, _command()),  # before there is an association
        _request()[:-4] + b"\xff\xff\xff\xff",
    ],
    ids=["http", "zeros", "ones", "4-gib", "short", "no-type", "too-early", "bad-item"],
)
def test_what_is_no_request_ends_the_connection(rig: Rig, data: bytes) -> None:
    with _connected(rig) as sock:
        sock.sendall(data)

        assert _ends(sock, 4 * _TIMEOUT_S)


@pytest.mark.parametrize(
    "pdus",
    [
        struct.pack(">BBL", 4, 0, 0xFFFFFFFF),
        struct.pack(">BBL", 4, 0, 10) + struct.pack(">LBB", 1000, 1, 3) + bytes(4),
        struct.pack(">BBL", 4, 0, 4) + bytes(4),
        _pdata(3, b"no command"),
        _pdata(3, b""),
        _pdata(2, b"a data set without a command"),
        _pdata(1, bytes(40_000)) * 3,  # a command without end
        _pdata(3, _command(), context=9) + _pdata(2, b"x", context=9),
        (_pdata(3, _command()) + _pdata(2, b"data")) * 400,  # without waiting for an answer
        _request(),  # another association in this one
    ],
    ids=[
        "4-gib", "item-too-long", "item-too-short", "no-command", "empty-command",
        "data-first", "endless-command", "unknown-context", "no-waiting", "second-request",
    ],
)  # fmt: skip
def test_what_is_no_message_ends_the_association(rig: Rig, pdus: bytes) -> None:
    with _established(rig) as sock:
        with suppress(ConnectionError, TimeoutError):
            sock.sendall(pdus)

        assert _ends(sock, 5 * _TIMEOUT_S)
    _forget(rig)


def _forget(rig: Rig) -> None:
    """Delete what a test had accepted that the engine can't take: it is held, as it should."""
    from cinescrub.node.desk import Desk

    until(lambda: set(rig.states()) <= {State.SENT, State.HELD})
    with Desk.open(rig.folder / "spool") as desk:
        for entry in desk.entries(State.HELD):
            desk.delete(entry.id)


@pytest.mark.parametrize("uid", [b"", b"\xff\xfe", b"../../etc/passwd", b"1" * 64, b"1" * 80])
def test_a_name_that_is_none_harms_nothing(rig: Rig, uid: bytes) -> None:
    with _established(rig) as sock:
        sock.sendall(_pdata(3, _command(uid)) + _pdata(2, b"no data set"))
        sock.settimeout(_TIMEOUT_S * 2)
        with suppress(OSError):
            sock.recv(65536)
    _forget(rig)


def test_a_peer_that_says_nothing_is_let_go(rig: Rig) -> None:
    with _connected(rig) as sock:
        assert _ends(sock, 4 * _TIMEOUT_S)


def test_an_association_in_which_nothing_happens_is_let_go(rig: Rig) -> None:
    with _established(rig) as sock:
        assert _ends(sock, 4 * _TIMEOUT_S)


@pytest.mark.parametrize("established", [False, True], ids=["request", "data"])
def test_a_peer_that_sends_a_byte_now_and_then_is_let_go(rig: Rig, established: bool) -> None:
    sock = _established(rig) if established else _connected(rig)
    data = _pdata(0, bytes(5000)) if established else _request()
    began = time.monotonic()

    with sock, suppress(OSError):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(0.3)

    assert time.monotonic() - began < 5 * _TIMEOUT_S


def test_while_others_stall_a_good_peer_is_served(rig: Rig, tmp_path: Path) -> None:
    small_cine(tmp_path / "cine.dcm", 7)
    with ExitStack() as stack:
        for _ in range(3):  # the node takes four
            stack.enter_context(_established(rig)).sendall(struct.pack(">BBL", 4, 0, 1000))

        assert send(rig.port, tmp_path / "cine.dcm") == [0]


def test_too_many_are_told_so(rig: Rig) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(_established(rig))

        with associated(rig.port) as association:
            assert association.is_rejected
            assert association.acceptor.primitive is not None
            reason = association.acceptor.primitive.reason_str
    assert reason == "Local limit exceeded"


def test_a_thousand_connections_at_once(rig: Rig) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with ExitStack() as stack:
            crowd = []
            for _ in range(1000):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex((_HOST, rig.port))
                crowd.append(sock)
            time.sleep(0.5)
            for sock in crowd:
                with suppress(OSError):
                    sock.send(_request())
            time.sleep(0.5)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_handshake_that_stalls_holds_nobody_up(
    tmp_path: Path, certificates: Certificates
) -> None:
    tls = {name: str(path) for name, path in certificates.of("node").items()}
    listen = {"timeout_s": _TIMEOUT_S, "tls": tls}
    small_cine(tmp_path / "cine.dcm", 9)
    context = certificates.client()
    with running(tmp_path, listen=listen) as own, _connected(own) as stalled:
        stalled.send(b"\x16\x03\x01")
        began = time.monotonic()
        assert send(own.port, tmp_path / "cine.dcm", tls_args=(context, "localhost")) == [0]
        assert time.monotonic() - began < _TIMEOUT_S
        assert _ends(stalled, 4 * _TIMEOUT_S)


def test_only_peers_with_a_certificate_and_a_present_version_get_in(
    tmp_path: Path, certificates: Certificates
) -> None:
    tls = {name: str(path) for name, path in certificates.of("node").items()}
    small_cine(tmp_path / "cine.dcm", 9)
    stranger = ssl.create_default_context(cafile=certificates.ca)
    weak = certificates.client()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE+AES+SHA256:!AESGCM")
    with running(tmp_path, listen={"timeout_s": _TIMEOUT_S, "tls": tls}) as own:
        assert send(own.port, tmp_path / "cine.dcm") == []
        assert send(own.port, tmp_path / "cine.dcm", tls_args=(stranger, "localhost")) == []
        assert send(own.port, tmp_path / "cine.dcm", tls_args=(weak, "localhost")) == []
        own_context = certificates.client()
        assert send(own.port, tmp_path / "cine.dcm", tls_args=(own_context, "localhost")) == [0]


def test_outputs_go_by_tls_to_the_right_peer_only(
    tmp_path: Path, certificates: Certificates
) -> None:
    from tests.integration.node.conftest import peer

    small_cine(tmp_path / "cine.dcm", 9)
    tls = {name: str(path) for name, path in certificates.of("node").items()}
    with (
        peer(ssl_context=certificates.server()) as pacs,
        running(tmp_path, pacs.route(tls=tls, host="localhost")) as own,
    ):
        send(own.port, tmp_path / "cine.dcm")
        own.until(State.SENT)
    assert len(pacs.received) == 1
    with (
        peer(ssl_context=certificates.server("other")) as pacs,
        running(tmp_path / "second", pacs.route(tls=tls, host="localhost")) as own,
    ):
        send(own.port, tmp_path / "cine.dcm")
        own.until(State.FAILED)
    assert pacs.received == []
