"""`serve` with the engine of fakes, for tests that kill it: `python -m ... node.toml`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from tests.integration.node.engines import FakeEngine

from cinescrub.node.config import load_node_config
from cinescrub.node.logs import log_to_stderr
from cinescrub.node.service import Node


def main() -> None:
    log_to_stderr()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with Node(load_node_config(Path(sys.argv[1])), FakeEngine()) as node:
        print(node.port, node.http_port, flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
