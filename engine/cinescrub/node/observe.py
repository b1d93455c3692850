"""What operators' machines look at: `/healthz` and `/metrics`, on loopback only and without PHI."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cinescrub.errors import CinescrubError, OutputError
from cinescrub.node.deliveries import Deliveries
from cinescrub.node.desk import Desk
from cinescrub.node.resources import free_space
from cinescrub.node.spool import Spool

__all__ = ["HttpServer", "Metrics"]

_STOP_WITHIN_S: Final = 0.1
"""How often the server looks whether it is to stop."""
_SECONDS: Final = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 86_400)


class Metrics:
    """Counters of this process, and gauges of the spool as it is when it is asked.

    Parameters
    ----------
    spool : Spool
        Counted anew for each scrape.
    """

    def __init__(self, spool: Spool) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "cinescrub_received",
            "Instances by how they were taken",
            ["how"],
            registry=self.registry,
        )
        self.scrubbed = Counter(
            "cinescrub_scrubbed", "Inputs by how the engine ended", ["status"],
            registry=self.registry,
        )  # fmt: skip
        self.deliveries = Counter(
            "cinescrub_deliveries", "Deliveries by route and how they went", ["route", "how"],
            registry=self.registry,
        )  # fmt: skip
        self.restarts = Counter(
            "cinescrub_engine_restarts", "Engine processes that ended or were ended",
            registry=self.registry,
        )  # fmt: skip
        self.engine_seconds = Histogram(
            "cinescrub_engine_seconds", "Seconds of the engine for an input", buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.latency_seconds = Histogram(
            "cinescrub_latency_seconds", "Seconds from received to sent", buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.registry.register(_SpoolCollector(spool))


class _SpoolCollector:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def collect(self) -> Iterable[Metric]:
        """Count the spool."""
        instances = GaugeMetricFamily(
            "cinescrub_instances", "Instances in the spool by state", labels=["state"]
        )
        for state, count in Desk(self._spool.folder, self._spool.database).counts().items():
            instances.add_metric([state.value], count)
        yield instances
        waiting = GaugeMetricFamily(
            "cinescrub_waiting", "Outputs that wait for a route", labels=["route"]
        )
        for route, count in Deliveries(self._spool).waiting().items():
            waiting.add_metric([route], count)
        yield waiting
        yield GaugeMetricFamily(
            "cinescrub_spool_free_bytes", "Free on the spool's disk",
            value=free_space(self._spool.folder),
        )  # fmt: skip


class HttpServer:
    """Answers on 127.0.0.1 while its block runs.

    Parameters
    ----------
    port : int
        0 takes a free one.
    health : callable
        Returns what is wrong, in a few words each; empty while all is well.
    metrics : Metrics
        What is counted.

    Raises
    ------
    OutputError
        The port is taken.
    """

    def __init__(self, port: int, health: Callable[[], list[str]], metrics: Metrics) -> None:
        def answer(path: str) -> tuple[int, str, bytes] | None:
            if path == "/healthz":
                wrong = health()
                content = json.dumps({"ok": not wrong, "wrong": wrong}).encode()
                return 503 if wrong else 200, "application/json", content
            if path == "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry)
            return None

        class Handler(_Handler):
            pages = staticmethod(answer)

        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError:
            raise OutputError(f"port {port} of 127.0.0.1 is taken: set another http.port") from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_WITHIN_S,), name="http"
        )

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a client that stays connected holds up no stop

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client went away."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # of a client that asks nothing
    pages: Callable[[str], tuple[int, str, bytes] | None]

    def do_GET(self) -> None:
        """Answer."""
        try:
            page = self.pages(self.path)
        except CinescrubError as error:
            page = 503, "text/plain", error.message.encode()
        status, kind, content = page or (404, "text/plain", b"not found")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: what is asked for says nothing to operators."""
