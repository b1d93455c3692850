"""pynetdicom's connections with bounds, and data sets that go into the spool as they come.

A PDU has a time and a length, a command has a length, and no data set is ever whole in memory. The
only place, with `scp` and `scu`, that knows how pynetdicom is made inside; tried with 3.0.4.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from pynetdicom import _config as pynetdicom_config
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.fsm import InvalidEventError, StateMachine
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

from cinescrub.dicom.encode import encoded_meta
from cinescrub.dicom.file_meta import fresh_file_meta
from cinescrub.dicom.header import quiet
from cinescrub.errors import ScrubError
from cinescrub.node.arrival import Arrival

__all__ = [
    "MAX_PDU",
    "BoundedSocket",
    "EndingMachine",
    "Incoming",
    "IncomingMessages",
    "quiet_pynetdicom",
]

MAX_PDU: Final = 1 << 18
"""Bytes of P-DATA that we ask peers to send at once."""
_LONGEST_PDU: Final = 1 << 20
"""A request for an association with all presentation contexts is longer; none is so long."""
_LONGEST_COMMAND: Final = 1 << 16
_MOST_WAITING: Final = 8
"""Messages of one association that wait. Without asynchronous operations, a peer sends one."""
_RECEIVE: Final = 1 << 16
_INVALID_PDU: Final = "Evt19"
"""The event on which the state machine aborts (PS3.8 9.2.2)."""
_CHECK_EVERY: Final = 1 << 24
"""Bytes after which it is asked again whether there is room."""


def quiet_pynetdicom() -> None:
    """Let pynetdicom log nothing, as it logs data sets, and send files without reading them."""
    logger = logging.getLogger("pynetdicom")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    pynetdicom_config.LOG_HANDLER_LEVEL = "none"
    pynetdicom_config.STORE_SEND_CHUNKED_DATASET = True


class BoundedSocket(AssociationSocket):
    """A socket whose peer has to send what it began within a time, and takes what we send.

    pynetdicom's own waits for ever in the middle of a PDU, and believes any length.
    """

    def __init__(self, assoc: Association, client_socket: socket.socket, timeout_s: float) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self._timeout_s = timeout_s
        client_socket.settimeout(timeout_s)  # of sends

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, all within the time.

        Raises
        ------
        OSError
            They don't come, or are more than any PDU has.
        """
        if nr_bytes > _LONGEST_PDU:
            raise OSError("a PDU that long is none")
        sock, deadline = self.socket, time.monotonic() + self._timeout_s
        received = bytearray()
        if sock is None:
            return received
        try:
            while len(received) < nr_bytes:
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                piece = sock.recv(min(_RECEIVE, nr_bytes - len(received)))
                if not piece:
                    break
                received += piece
        finally:
            sock.settimeout(self._timeout_s)
        return received


class EndingMachine(StateMachine):
    """A state machine that ends the connection where pynetdicom's ends its thread by a traceback.

    So it does where an answer of ours meets the abort of an association.
    """

    def do_action(self, event: str) -> None:
        """Carry out what follows from an event."""
        try:
            super().do_action(event)
        except InvalidEventError:
            self.dul.kill_dul()


class Incoming(BytesIO):
    """A data set on its way from the peer into the spool, in the place of pynetdicom's buffer.

    Writes never fail: what can't be kept is dropped, and `refused` says why.
    """

    def __init__(
        self,
        begin: Callable[[], Arrival],
        lacking: Callable[[], str | None],
        most_bytes: int,
        message: DIMSEMessage,
        assoc: Association,
    ) -> None:
        super().__init__()
        self._begin = begin
        self._lacking = lacking
        self._most = most_bytes
        self._message = message
        self._assoc = assoc
        self._next_check = 0
        self.arrival: Arrival | None = None
        self.refused: str | None = None
        """`disk`, `memory`, `size` or `command`."""

    def write(self, data: Any) -> int:
        """Take a fragment."""
        size = len(data)
        if self.refused is None:
            try:
                self._take(data)
            except OSError:
                self._refuse("disk")
        return size

    def drop(self) -> None:
        """Remove what has come, unless it was taken over; nothing more is kept."""
        self.refused = self.refused or "ended"
        arrival, self.arrival = self.arrival, None
        if arrival is not None:
            arrival.discard()

    def take_over(self) -> Arrival | None:
        """Return what has come; it is the caller's now."""
        arrival, self.arrival = self.arrival, None
        return arrival

    def _take(self, data: bytes) -> None:
        so_far = 0 if self.arrival is None else self.arrival.size
        if so_far + len(data) > self._most:
            self._refuse("size")
            return
        if so_far >= self._next_check:
            self._next_check = so_far + _CHECK_EVERY
            lacking = self._lacking()
            if lacking is not None:
                self._refuse(lacking)
                return
        if self.arrival is None:
            head = self._head()
            if head is None:
                self._refuse("command")
                return
            self.arrival = self._begin()
            self.arrival.begin(*head)
        self.arrival.write(data)

    def _head(self) -> tuple[bytes, str] | None:
        """Return what precedes the data set in a file (PS3.10 7.1), and its transfer syntax."""
        command = self._message.command_set
        contexts = {context.context_id: context for context in self._assoc.accepted_contexts}
        context = contexts.get(self._message.context_id)
        if context is None or "AffectedSOPInstanceUID" not in command:
            return None
        syntax = str(context.transfer_syntax[0])
        try:
            meta = encoded_meta(
                fresh_file_meta(
                    sop_class=str(command.AffectedSOPClassUID),
                    sop_instance=str(command.AffectedSOPInstanceUID),
                    transfer_syntax=syntax,
                )
            )
        except (ScrubError, AttributeError):
            return None
        return bytes(128) + b"DICM" + meta, syntax

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        self.drop()


class IncomingMessages(DIMSEServiceProvider):
    """pynetdicom's collector of messages, whose data sets go where `make` says."""

    def __init__(
        self, assoc: Association, make: Callable[[DIMSEMessage, Association], Incoming]
    ) -> None:
        super().__init__(assoc)
        self._make = make
        self._all: list[Incoming] = []

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take a piece of a message."""
        if self.message is None:
            self.message = DIMSEMessage()
            incoming = self._make(self.message, self.assoc)
            self._all = [each for each in self._all if each.arrival is not None] + [incoming]
            self.message.data_set = incoming
        command = self.message.encoded_command_set
        try:
            # Whatever a command holds is read here; what is said of it can hold values.
            with quiet():
                super().receive_primitive(primitive)
        except Exception:  # of a dozen kinds, and it would end the thread with a traceback
            self.dul.event_queue.put(_INVALID_PDU)
            return
        if command.tell() > _LONGEST_COMMAND or self.msg_queue.qsize() > _MOST_WAITING:
            self.dul.event_queue.put(_INVALID_PDU)

    def drop(self) -> None:
        """Remove what has come and was not taken over: the association is over."""
        for incoming in self._all:
            incoming.drop()
