"""A node with the engine of fakes, peers that send to it and peers that it sends to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from tests.integration.node.certificates import Certificates, make_certificates
from tests.integration.node.engines import FakeEngine

from cinescrub.node.config import NodeConfig
from cinescrub.node.desk import Desk
from cinescrub.node.entry import Entry, State
from cinescrub.node.service import Node
from cinescrub.testing import CineSpec, CineTruth, make_cine

PATIENCE_S = 30.0
US = "1.2.840.10008.5.1.4.1.1.6.1"
EXPLICIT = "1.2.840.10008.1.2.1"


def small_cine(path: Path, seed: int = 1) -> CineTruth:
    """A cine with identifiers planted all over its header."""
    return make_cine(CineSpec(seed=seed, frames=1, rows=96, columns=96), path)


def told_of(truth: CineTruth, data: bytes) -> list[bytes]:
    """What bytes that are no DICOM tell of a cine."""
    return [plant.needle for plant in truth.planted if plant.needle in data]


def faulty_cine(path: Path, fault: str, seed: int = 1) -> None:
    """A cine on which the engine does what `engines` has for the fault."""
    small_cine(path, seed)
    dataset = dcmread(path)
    dataset.PatientName = f"FAULT^{fault}"
    dataset.save_as(path)


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


def settings(tmp_path: Path, *routes: dict[str, Any], **tables: dict[str, Any]) -> dict[str, Any]:
    """Settings of a node on free ports, quick to try again; `out` is its route by default."""
    folder = {"name": "out", "kind": "folder", "folder": str(tmp_path / "out")}
    own: dict[str, Any] = {
        "spool": {"folder": str(tmp_path / "spool"), "key_file": str(tmp_path / "key")},
        "listen": {"port": 0, "timeout_s": 5},
        "http": {"port": 0},
        "retry": {"first_s": 0.05, "most_s": 0.2},
    }
    for name, values in tables.items():
        own[name] = own.get(name, {}) | values
    return own | {"route": list(routes) or [folder]}


@dataclass
class Rig:
    """A running node and what is around it."""

    node: Node
    folder: Path
    """Of the test."""

    @property
    def port(self) -> int:
        return self.node.port

    def entries(self, *states: State) -> list[Entry]:
        with Desk.open(self.folder / "spool") as desk:
            return desk.entries(*(states or State))

    def states(self) -> list[State]:
        return [entry.state for entry in self.entries()]

    def until(self, *states: State) -> None:
        """Wait until the instances, in the order they came, stand so."""
        until(lambda: self.states() == list(states))

    def outputs(self) -> list[Path]:
        return sorted((self.folder / "out").rglob("*.dcm"))


@contextmanager
def running(tmp_path: Path, *routes: dict[str, Any], **tables: Any) -> Iterator[Rig]:
    """Run a node; `engine` is its factory."""
    engine = tables.pop("engine", FakeEngine())
    config = NodeConfig.of(settings(tmp_path, *routes, **tables))
    with Node(config, engine) as node:
        yield Rig(node, tmp_path)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A node that passes on to a folder."""
    with running(tmp_path) as rig:
        yield rig


@contextmanager
def associated(
    port: int,
    sop_class: str = US,
    syntaxes: tuple[str, ...] = (EXPLICIT,),
    title: str = "SCANNER",
    called: str = "CINESCRUB",
    **more: Any,
) -> Iterator[Association]:
    """Associate with a node, as a scanner does."""
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = PATIENCE_S
    association = entity.associate(
        "127.0.0.1",
        port,
        contexts=[build_context(sop_class, list(syntaxes))],
        ae_title=called,
        **more,
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        else:
            association.abort()


def send(port: int, *paths: Path, **more: Any) -> list[int | None]:
    """Send files over one association; return the statuses, None where there was no answer."""
    meta = dcmread(paths[0], stop_before_pixels=True).file_meta  # the others are of its kind
    kind = str(meta.MediaStorageSOPClassUID), (str(meta.TransferSyntaxUID),)
    with associated(port, *kind, **more) as association:
        if not association.is_established:
            return []
        answers = [association.send_c_store(path) for path in paths]
    return [int(answer.Status) if "Status" in answer else None for answer in answers]


@dataclass
class Peer:
    """A storage SCP that says what the test wants, and keeps what it takes."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    """Of the answers to come; then success."""
    associations: int = 0
    received: list[bytes] = field(default_factory=list)
    """Data sets, with the head of a file."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, _event: evt.Event) -> None:
        with self.lock:
            self.associations += 1

    def store(self, event: evt.Event) -> int:
        with self.lock:
            status = self.statuses.pop(0) if self.statuses else 0
            if status == 0:
                self.received.append(event.encoded_dataset())
            return status

    def datasets(self) -> list[Dataset]:
        return [dcmread(BytesIO(each)) for each in self.received]

    def route(self, name: str = "pacs", **more: Any) -> dict[str, Any]:
        return {
            "name": name, "kind": "scu", "host": "127.0.0.1", "port": self.port, "title": "PACS",
            "timeout_s": 5,
        } | more  # fmt: skip


@contextmanager
def peer(
    sop_class: str = US, syntaxes: tuple[str, ...] = (EXPLICIT,), port: int = 0, **more: Any
) -> Iterator[Peer]:
    """Run such an SCP."""
    taker = Peer()
    entity = AE(ae_title="PACS")
    entity.require_called_aet = True
    entity.add_supported_context(sop_class, list(syntaxes))
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_C_STORE, taker.store),
        (evt.EVT_ACCEPTED, taker.accepted),
    ]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, **more)
    assert server is not None
    try:
        taker.port = server.server_address[1]
        yield taker
    finally:
        server.shutdown()
        for association in server.active_associations:
            association.abort()


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    """A made cine with identifiers in its header."""
    path = tmp_path / "cine.dcm"
    small_cine(path)
    return path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of a node, a client and a server elsewhere."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
