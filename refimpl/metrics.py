"""A server's numbers for Prometheus, and its health, over HTTP (library: prometheus-client).

/metrics is what Prometheus reads; /health is 200 while the server knows a leader of its term, or is one that a majority
answers, and 503 otherwise. They are served by threads of their own, so that a slow reader holds up nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from socket import AF_INET6
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from refimpl.dialling import Address
from refimpl.wire import Status

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_READERS = 16
"""Connections that are served at once."""
ROLES = ("follower", "candidate", "leader")


class Metrics:
    """The numbers of one server, in a registry of its own: several servers can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._role = Gauge("raft_role", "1 for the role that the server has", ["role"], registry=self.registry)
        self._term = Gauge("raft_term", "current term", registry=self.registry)
        self._elections = Counter("raft_elections_won", "terms that this server has led", registry=self.registry)
        self._last_index = Gauge("raft_last_index", "index of the last entry of the log", registry=self.registry)
        self._commit_index = Gauge("raft_commit_index", "index that is known to be committed", registry=self.registry)
        self._last_applied = Gauge("raft_last_applied", "index that the state machine has seen", registry=self.registry)
        self._batch = Histogram(
            "raft_batch_inputs", "inputs taken in one round", buckets=[2**n for n in range(11)], registry=self.registry
        )
        self._sync = Histogram(
            "wal_sync_seconds",
            "how long an fsync of the log file took",
            buckets=[0.0002 * 2**n for n in range(14)],
            registry=self.registry,
        )
        self._requests = Counter("client_requests", "requests of clients", ["outcome"], registry=self.registry)
        self._refused = Counter("messages_refused", "messages and connections", ["reason"], registry=self.registry)
        self._dropped = Counter("messages_dropped", "messages for a full queue", ["queue"], registry=self.registry)
        self._connections = Gauge("connections", "open connections that others have made", registry=self.registry)
        self.role("follower", 0)

    def role(self, role: str, term: int) -> None:
        """The server has this role in this term now."""
        for name in ROLES:
            self._role.labels(name).set(name == role)
        self._term.set(term)
        if role == "leader":
            self._elections.inc()

    def show(self, status: Callable[[], Status]) -> None:
        """Read these when somebody asks."""
        self._last_index.set_function(lambda: status().last_index)
        self._commit_index.set_function(lambda: status().commit_index)
        self._last_applied.set_function(lambda: status().last_applied)

    def batch(self, inputs: int) -> None:
        self._batch.observe(inputs)

    def synced(self, seconds: float) -> None:
        self._sync.observe(seconds)

    def request(self, outcome: str) -> None:
        self._requests.labels(outcome).inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def dropped(self, queue: str) -> None:
        self._dropped.labels(queue).inc()

    def connections(self, change: int) -> None:
        self._connections.inc(change)


class Endpoint:
    """Serves the metrics and the health of a server until `close`."""

    def __init__(self, host: str, port: int, metrics: Metrics, status: Callable[[], Status]) -> None:
        self._metrics_app = make_wsgi_app(metrics.registry)
        self._status = status
        server = _ServerOnIPv6 if ":" in host else _Server
        self._server = make_server(host, port, self._answer, server, _Handler)
        self.port = self._server.server_port
        self.address = Address(host, self.port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                answer: Iterable[bytes] = self._metrics_app(environ, start_response)
                return answer
            case "/health":
                pass
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"/metrics and /health are here\n"]
        status = self._status()
        line = "503 Service Unavailable" if status.leader is None else "200 OK"
        start_response(line, [("Content-Type", "application/json")])
        return [msgspec.json.encode(status) + b"\n"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._places = threading.BoundedSemaphore(MAX_READERS)
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """As inherited, but for a look at the names of this host, for which a start would wait for a resolver."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hang up on one reader too many: a thread and a file for each would be taken from the server's own work."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing, if it was the reader that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _ServerOnIPv6(_Server):
    address_family = AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 5  # seconds for a reader that says nothing

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each scrape would drown the rest."""
