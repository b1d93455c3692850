"""Logs for machines: one JSON object a line. Holds what the node's own records carry, no more."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Final

from cinescrub.errors import origin_of

__all__ = ["log_to_stderr"]

_FACTS: Final = (
    "instance", "peer", "address", "taken", "route", "reason", "seconds", "state", "count",
)  # fmt: skip
"""What a record of the node may carry besides its message."""


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line. Tracebacks are left out: their last line may hold values."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: vars(record)[name] for name in _FACTS if name in vars(record)}
        return json.dumps(line)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write what cinescrub logs to stderr as lines of JSON, where a service manager reads it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logger = logging.getLogger("cinescrub")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
    threading.excepthook = _told


def _told(arguments: threading.ExceptHookArgs) -> None:
    """Log what ended a thread by its kind and place in our code, without what it says."""
    error = arguments.exc_value
    reason = f"unexpected {arguments.exc_type.__name__}"
    if error is not None:
        reason += f" in {origin_of(error)}"
    logging.getLogger(__name__).error("thread ended", extra={"reason": reason})
