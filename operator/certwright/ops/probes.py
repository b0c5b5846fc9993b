"""A small HTTP server for probes and metrics, with a fixed number of threads whatever is asked of it.

It runs on a standby, too, and before the watches start, which is why kopf's own would not do.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import make_wsgi_app

from certwright.errors import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from certwright.ops.metrics import Metrics

THREADS = 2
WAITING = 16  # connections that may wait for a thread; more are closed at once
SOCKET_TIMEOUT = 5.0  # seconds
log = structlog.get_logger(__name__)


class HttpServer:
    """Serves one WSGI application at one address.

    Args:
        address: `host:port`, `:port` for all addresses, `[::1]:port`; port 0 lets the system choose.
        app: What to serve.

    Raises:
        Terminal: The address is none, or cannot be had.
    """

    def __init__(self, address: str, app: WSGIApplication) -> None:
        host, port = parse_address(address)
        try:
            self._server = _Server(host, port)
        except OSError as error:
            raise Terminal(f"cannot listen at {address}: {error.strerror or error}", reason="NoListener") from None
        self._server.set_app(app)
        self._thread = threading.Thread(target=self._server.serve_forever, name=f"http-{self.port}", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens at."""
        return self._server.server_port

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the address."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def probes_app(*, health: Mapping[str, Callable[[], bool]], ready: Mapping[str, Callable[[], bool]]) -> WSGIApplication:
    """`/healthz` and `/readyz`: 200 when every check is true, else 503 with the names of those that are not.

    Args:
        health: What must hold, or the process is to be restarted.
        ready: What must hold, or the process is not to be counted on (yet).
    """
    pages = {"/healthz": health, "/livez": health, "/readyz": ready}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        checks = pages.get(environ.get("PATH_INFO", ""))
        if checks is None:
            return _answer(start_response, "404 Not Found", "there is /healthz and /readyz")
        failed = [name for name, check in checks.items() if not _holds(name, check)]
        if failed:
            return _answer(start_response, "503 Service Unavailable", f"failing: {', '.join(failed)}")
        return _answer(start_response, "200 OK", "ok")

    return app


def metrics_app(metrics: Metrics) -> WSGIApplication:
    """`/metrics` in Prometheus' formats."""
    exposition = make_wsgi_app(metrics.registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics":
            return _answer(start_response, "404 Not Found", "there is /metrics")
        pages: Iterable[bytes] = exposition(environ, start_response)
        return pages

    return app


def either(first: WSGIApplication, second: WSGIApplication) -> WSGIApplication:
    """Two applications at one address: the second has `/metrics`."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        chosen = second if environ.get("PATH_INFO") == "/metrics" else first
        return chosen(environ, start_response)

    return app


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`, `:port` or `[v6]:port`.

    Raises:
        Terminal: When it is none of them.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):  # noqa: PLR2004
        raise Terminal(f"{address!r} is not an address; write host:port, :port or [v6]:port", reason="NoListener")
    return host.strip("[]"), int(port)


def _holds(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        log.exception("a probe failed to run", probe=name)
        return False


def _answer(start_response: StartResponse, status: str, text: str) -> list[bytes]:
    body = f"{text}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


class _Handler(WSGIRequestHandler):
    timeout = SOCKET_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's
        """Nothing: a line for every probe helps nobody."""


class _Server(WSGIServer):
    request_queue_size = WAITING

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._slots = threading.BoundedSemaphore(THREADS + WAITING)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="http")
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not the parent's: it asks the DNS for our own name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._pool.submit(self._work, request, client_address)

    def _work(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client went away
        except Exception:
            log.exception("a request for a probe or metrics failed")
        finally:
            self.shutdown_request(request)
            self._slots.release()

    def server_close(self) -> None:
        super().server_close()
        self._pool.shutdown(wait=False, cancel_futures=True)
