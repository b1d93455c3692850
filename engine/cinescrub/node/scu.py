"""Outputs to a peer by C-STORE, in the transfer syntax that they have. Nothing is coded again."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any, Final

from pynetdicom import AE, build_context
from pynetdicom.association import Association

from cinescrub.dicom.source import open_source
from cinescrub.errors import InputError
from cinescrub.node.config import RouteConfig
from cinescrub.node.connection import quiet_pynetdicom
from cinescrub.node.routes import DONE, DUPLICATE, NO_ROOM, How, Outcome
from cinescrub.node.tls import client_context

__all__ = ["ScuRoute"]

_QUEUED: Final = 32
"""P-DATA that wait to be sent: pynetdicom's own queue would take a whole file."""
_WARNINGS: Final = frozenset({0xB000, 0xB006, 0xB007})
"""Stored, with a remark (PS3.4 B.2.3)."""
_PERMANENT: Final = 1
"""Result of a rejection (PS3.8 9.3.4)."""


class ScuRoute:
    """A storage SCP as receiver.

    An association is kept while outputs of one kind follow each other, and ended by `rest`.

    Parameters
    ----------
    route : RouteConfig
        Which one.
    title : str
        The node's AE title, where the route has none of its own.

    Raises
    ------
    ConfigError
        Certificates can't be used.
    """

    def __init__(self, route: RouteConfig, title: str) -> None:
        quiet_pynetdicom()
        self._route = route
        self._tls = None if route.tls is None else (client_context(route.tls), route.host)
        self._entity = AE(ae_title=route.calling_title or title)
        self._entity.connection_timeout = route.timeout_s
        self._entity.acse_timeout = route.timeout_s
        self._entity.dimse_timeout = route.timeout_s
        self._entity.network_timeout = route.timeout_s
        self._association: Association | None = None
        self._kind = ("", "")
        """SOP class and transfer syntax that it is for."""

    def deliver(self, path: Path) -> Outcome:
        """Send one output, over the association of the last one if it is of the same kind."""
        try:
            with open_source(path) as source:
                kind = source.info.sop_class, source.info.transfer_syntax
        except InputError:
            return Outcome(How.LATER, "the output can't be read")
        if self._association is not None and self._kind == kind:
            outcome = self._send(self._association, path)
            if self._association.is_established:
                return outcome
        # The peer may have ended it meanwhile: that tells nothing of this output.
        self.rest()
        association = self._associated(kind)
        if isinstance(association, Outcome):
            return association
        self._association, self._kind = association, kind
        outcome = self._send(association, path)
        if not association.is_established:
            self.rest()
        return outcome

    def rest(self) -> None:
        """End the association, if there is one."""
        association, self._association = self._association, None
        if association is None:
            return
        # Unbounded again: what ends an association must not wait for a peer that takes nothing.
        association.dul.to_provider_queue = queue.Queue()
        if association.is_established:
            association.release()
        if not association.is_released:
            association.abort()

    def close(self) -> None:
        """End the association, if there is one."""
        self.rest()

    def _associated(self, kind: tuple[str, str]) -> Association | Outcome:
        """Return an association for one kind of object, or why there is none."""
        sop_class, syntax = kind
        try:
            association = self._entity.associate(
                self._route.host,
                self._route.port,
                contexts=[build_context(sop_class, syntax)],
                ae_title=self._route.title,
                tls_args=self._tls,
            )
        except OSError:  # its name is unknown
            return _UNREACHABLE
        if not association.is_established:
            return _not_established(association)
        association.dul.to_provider_queue = _Bounded(self._route.timeout_s)
        transport = association.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.settimeout(self._route.timeout_s)  # pynetdicom's has none
        return association

    def _send(self, association: Association, path: Path) -> Outcome:
        try:
            answer = association.send_c_store(path)
        except queue.Full:
            self.rest()
            return Outcome(How.LATER, "the peer takes no more data")
        except (ValueError, AttributeError, RuntimeError, OSError):
            return Outcome(How.LATER, "the association ended")
        if "Status" not in answer:
            return Outcome(How.LATER, "the peer gave no answer")
        code = int(answer.Status)
        if code == 0 or code == DUPLICATE or code in _WARNINGS:
            return DONE
        how = How.LATER if code >> 8 == NO_ROOM else How.REFUSED
        return Outcome(how, f"the peer answered with status 0x{code:04X}")


_UNREACHABLE: Final = Outcome(How.LATER, "the peer can't be reached")


def _not_established(association: Association) -> Outcome:
    answer: Any = association.acceptor.primitive
    if association.is_rejected:
        permanent = getattr(answer, "result", None) == _PERMANENT
        kind = "for good: check the titles on both sides" if permanent else "for now"
        return Outcome(How.LATER, f"the peer rejected the association {kind}")
    if association.rejected_contexts:
        return Outcome(How.REFUSED, "the peer takes no such objects in their transfer syntax")
    return _UNREACHABLE if answer is None else Outcome(How.LATER, "the peer ended the association")


class _Bounded(queue.Queue[Any]):
    """A queue that holds few, and whose writers wait for a time only."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(maxsize=_QUEUED)
        self._patience_s = patience_s

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item.

        Raises
        ------
        queue.Full
            Nothing was taken out for too long.
        """
        super().put(item, block, self._patience_s if timeout is None else timeout)
