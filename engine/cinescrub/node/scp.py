"""The storage SCP: who may associate, for what, and when a peer is told that we have its instance.

Listens, and hands what arrives to the spool. Looks into no data set.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final, Self

from pynetdicom import AE, evt, register_uid
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from cinescrub.dicom.iods import image_classes
from cinescrub.errors import OutputError
from cinescrub.node.config import ListenConfig
from cinescrub.node.connection import (
    MAX_PDU,
    BoundedSocket,
    EndingMachine,
    Incoming,
    IncomingMessages,
    quiet_pynetdicom,
)
from cinescrub.node.entry import Accepted
from cinescrub.node.resources import Resources
from cinescrub.node.spool import Spool
from cinescrub.node.tls import server_context
from cinescrub.pixels import registry

__all__ = ["StorageScp"]

logger = logging.getLogger(__name__)

_VERIFICATION: Final = "1.2.840.10008.1.1"
SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
CANNOT_UNDERSTAND: Final = 0xC000
"""Statuses of C-STORE (PS3.4 B.2.3)."""
_JOIN_S: Final = 5.0
_GRACE_S: Final = 5.0
_STOP_WITHIN_S: Final = 0.1
"""How often a server looks whether it is to stop."""


class StorageScp:
    """Listens from `start` to `stop`. A context manager.

    Parameters
    ----------
    config : ListenConfig
        Who may come, and where to.
    spool : Spool
        Takes what arrives.
    resources : Resources
        Whether there is room.
    most_bytes : int
        The largest data set that is taken.
    tell : callable
        Called with what was done with an instance: a word of `Accepted`, or `refused: ...`.

    Raises
    ------
    ConfigError
        Certificates can't be used.
    """

    def __init__(
        self,
        config: ListenConfig,
        spool: Spool,
        resources: Resources,
        most_bytes: int,
        tell: Callable[[str], None],
    ) -> None:
        quiet_pynetdicom()
        self._config = config
        self._spool = spool
        self._resources = resources
        self._most = most_bytes
        self._tell = tell
        self._tls = None if config.tls is None else server_context(config.tls)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen from now on.

        Raises
        ------
        OutputError
            The address can't be had.
        """
        config = self._config
        entity = AE(ae_title=config.title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(config.calling_titles)
        entity.maximum_associations = config.max_associations
        entity.maximum_pdu_size = MAX_PDU
        entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = config.timeout_s
        syntaxes = registry.uids()
        for sop_class in image_classes():
            _make_known(sop_class)
            entity.add_supported_context(sop_class, list(syntaxes))
        entity.add_supported_context(_VERIFICATION)
        try:
            server = entity.make_server(
                (config.address, config.port),
                evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_REJECTED, self._rejected)],
                server_class=_Server,
                request_handler=_Handler,
                config=config,
                tls=self._tls,
                make=self._incoming,
            )
        except OSError:
            raise OutputError(
                f"{config.address} port {config.port} can't be listened on: is another node there?"
            ) from None
        assert isinstance(server, _Server)  # noqa: S101  # as was asked for
        self._server = server
        entity._servers.append(server)  # whose `shutdown` takes it out again
        self._thread = threading.Thread(
            target=server.serve_forever, args=(_STOP_WITHIN_S,), name="scp"
        )
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer, and end the associations. May be called twice.

        Those that end by themselves within seconds are let do so.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        patience = time.monotonic() + _GRACE_S
        while server.active_associations and time.monotonic() < patience:
            time.sleep(_STOP_WITHIN_S)
        for association in server.active_associations:
            association.abort()
        for association in server.active_associations:
            association.join(_JOIN_S)
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that is listened on: the one that was given, or where that was 0 a free one."""
        if self._server is None:
            raise RuntimeError("it is not listening")
        return int(self._server.server_address[1])

    def _incoming(self, message: DIMSEMessage, assoc: Association) -> Incoming:
        return Incoming(self._spool.arrival, self._resources.lacking, self._most, message, assoc)

    def _store(self, event: evt.Event) -> int:
        """Answer a C-STORE request, all of whose data set has come."""
        request = event.request
        if not isinstance(request, C_STORE) or not isinstance(request.DataSet, Incoming):
            return CANNOT_UNDERSTAND
        incoming = request.DataSet
        arrival = incoming.take_over()
        if arrival is None:
            reason = incoming.refused or "empty"
            self._tell(f"refused: {reason}")
            logger.warning("instance refused", extra={"reason": reason})
            return CANNOT_UNDERSTAND if reason in {"empty", "command"} else OUT_OF_RESOURCES
        instance = str(request.AffectedSOPInstanceUID).strip("\0 ")
        try:
            taken, identity = self._spool.accept(arrival, instance, self._peer(event.assoc))
        except OutputError:
            self._tell("refused: disk")
            logger.warning("instance refused", extra={"reason": "disk"})
            return OUT_OF_RESOURCES
        self._tell(taken)
        level = logging.WARNING if taken is Accepted.CONFLICT else logging.INFO
        facts = {"instance": identity, "peer": self._peer(event.assoc), "taken": taken.value}
        logger.log(level, "instance received", extra=facts)
        return SUCCESS

    def _peer(self, assoc: Association) -> str:
        """Return the title of a peer that the configuration names: another may be any text."""
        title = str(assoc.requestor.ae_title).strip()
        return title if title in self._config.calling_titles else ""

    def _rejected(self, event: evt.Event) -> None:
        address = event.assoc.requestor.address_info
        facts = {"address": None if address is None else address.address}
        logger.warning("association rejected", extra=facts)


class _Server(ThreadedAssociationServer):
    """pynetdicom's server with a bound on connections, and handshakes in threads of their own."""

    daemon_threads = True  # they end with their associations, which `stop` aborts
    request_queue_size = 128  # connections that the system keeps until they are looked at

    def __init__(
        self,
        *arguments: Any,
        config: ListenConfig,
        tls: ssl.SSLContext | None,
        make: Callable[[DIMSEMessage, Association], Incoming],
        **options: Any,
    ) -> None:
        self.config = config
        self.tls = tls
        self.make = make
        self._open = 0
        self._counting = threading.Lock()
        # As many more may knock: they are told by the protocol that there are too many.
        self._most_open = 2 * config.max_associations + 16
        super().__init__(*arguments, **options)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Tell whether a connection is let in, before a byte of it is read."""
        allowed = self.config.calling_addresses
        if allowed and not any(ip_address(client_address[0]) in network for network in allowed):
            facts = {"reason": "address", "address": client_address[0]}
            logger.warning("connection refused", extra=facts)
            return False
        with self._counting:
            if self._open >= self._most_open:
                facts = {"reason": "too many", "address": client_address[0]}
                logger.warning("connection refused", extra=facts)
                return False
            self._open += 1
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end, in a thread of its own."""
        try:
            if self.tls is not None:
                request.settimeout(self.config.timeout_s)
                request = self.tls.wrap_socket(request, server_side=True)
            self.finish_request(request, client_address)
        except Exception as error:  # a peer's fault, or ours: this connection's end, not the node's
            facts = {"reason": type(error).__name__, "address": client_address[0]}
            logger.warning("connection failed", extra=facts)
        finally:
            self.shutdown_request(request)
            with self._counting:
                self._open -= 1


class _Handler(RequestHandler):
    """Serves one association, from its socket to its end."""

    server: _Server

    def handle(self) -> None:
        """Serve it; when this returns, nothing of it is left."""
        assoc = self._create_association()
        assoc.dul.event_queue.get_nowait()  # that of the socket which ours takes the place of
        assoc.dul.socket = BoundedSocket(assoc, self.request, self.server.config.timeout_s)
        assoc.dul.state_machine = EndingMachine(assoc.dul)
        messages = IncomingMessages(assoc, self.server.make)
        assoc.dimse = messages
        try:
            assoc.start()
            assoc.join()
            assoc.dul.kill_dul()
            assoc.dul.join(_JOIN_S)
        finally:
            messages.drop()


@cache
def _make_known(sop_class: str) -> None:
    """Have pynetdicom serve a storage class that is retired, so that it doesn't know it."""
    if not issubclass(uid_to_service_class(sop_class), StorageServiceClass):
        register_uid(sop_class, f"Retired{sop_class.replace('.', '_')}", StorageServiceClass)
