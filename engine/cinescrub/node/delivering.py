"""From the spool to one receiver: one output at a time, and only the one that was checked."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Final

from cinescrub.node.deliveries import Deliveries
from cinescrub.node.entry import Delivery, State
from cinescrub.node.observe import Metrics
from cinescrub.node.routes import How, Outcome, Route

__all__ = ["Delivering"]

logger = logging.getLogger(__name__)

_BLOCK: Final = 1 << 20
_NOT_IT: Final = "the output in the spool is missing or damaged: it is made anew"


class Delivering:
    """What one route does for the spool.

    Parameters
    ----------
    name : str
        Of the route.
    route : Route
        The receiver; owned by the caller.
    deliveries : Deliveries
        What is due.
    metrics : Metrics
        What is counted.
    """

    def __init__(self, name: str, route: Route, deliveries: Deliveries, metrics: Metrics) -> None:
        self._name = name
        self._route = route
        self._deliveries = deliveries
        self._metrics = metrics

    def one(self) -> bool:
        """Deliver the oldest output that is due; return whether there was one.

        Raises
        ------
        OutputError
            The spool can't be written.
        """
        delivery = self._deliveries.next(self._name)
        if delivery is None:
            self._route.rest()
            return False
        if _sha256(delivery.path) != delivery.entry.sha256:
            self._deliveries.without_output(delivery, _NOT_IT)
            self._tell(delivery, State.FAILED, _NOT_IT)
            return True
        outcome = self._delivered(delivery)
        self._metrics.deliveries.labels(self._name, outcome.how.value).inc()
        if outcome.how is How.DONE:
            self._done(delivery)
            return True
        reason = outcome.reason or outcome.how.value
        note = self._deliveries.failed if outcome.how is How.LATER else self._deliveries.refused
        self._tell(delivery, note(delivery, reason), reason)
        return True

    def _delivered(self, delivery: Delivery) -> Outcome:
        """Hand an output to the receiver; what nobody foresaw counts as an attempt, too.

        Else the oldest output would be tried for ever, and those behind it never.
        """
        try:
            return self._route.deliver(delivery.path)
        except Exception as error:
            return Outcome(How.LATER, f"unexpected {type(error).__name__}")

    def _done(self, delivery: Delivery) -> None:
        state = self._deliveries.done(delivery)
        facts = {"instance": delivery.entry.id, "route": self._name, "state": state.value}
        logger.info("instance delivered", extra=facts)
        if state is State.SENT:
            self._metrics.latency_seconds.observe(self._deliveries.age_s(delivery))

    def _tell(self, delivery: Delivery, state: State, reason: str) -> None:
        facts = {"instance": delivery.entry.id, "state": state.value, "reason": reason}
        logger.warning("instance not delivered", extra=facts | {"route": self._name})


def _sha256(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
