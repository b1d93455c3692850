"""`serve`: run a node until it is told to stop."""

from __future__ import annotations

import importlib.util
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Final

from cinescrub.cli.models import ensure_models
from cinescrub.errors import ConfigError

__all__ = ["need_the_extra", "serve_node"]

_PACKAGES: Final = ("pynetdicom", "requests", "cryptography", "prometheus_client")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve_node(path: Path) -> None:
    """Run the node of a configuration; return when SIGTERM or Ctrl-C has stopped it.

    Raises
    ------
    ConfigError
        The configuration can't be, or the `node` extra is not installed.
    ModelError
        A model is missing or differs from its contract.
    OutputError
        A folder or a port can't be had.
    """
    need_the_extra()
    from cinescrub.node.config import load_node_config
    from cinescrub.node.logs import log_to_stderr
    from cinescrub.node.service import Node

    config = load_node_config(path)
    ensure_models(config.engine.models)
    log_to_stderr()
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    previous = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        with Node(config):
            stopping.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def need_the_extra() -> None:
    """See that what a node needs is installed.

    Raises
    ------
    ConfigError
        It isn't.
    """
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        raise ConfigError("a node needs more packages: pip install 'cinescrub[node]'")
