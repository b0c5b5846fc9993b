"""A reverse proxy in front of the API server that fails requests by script, and tells what it let through.

It speaks plain HTTP to the operator, whose kubeconfig it writes, and passes on credentials and watches as they are.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

CUT = 0
"""The fault of a request that was carried out and whose reply is lost with the connection."""
REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError"}
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


@dataclass(slots=True)
class Fault:
    """What happens to some requests.

    Attributes:
        code: HTTP status to answer with instead, or CUT.
        fits: Tells by method, path and body whether it is meant.
        skip: How many that fit pass unharmed first.
        times: How many are hit then.
        hits: How many were hit.
    """

    code: int
    fits: Callable[[str, str, str], bool]
    skip: int = 0
    times: int = 1
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """A write that came by; `code` is what the client got, CUT for nothing."""

    method: str
    path: str
    body: str = field(repr=False)
    code: int


class FaultyProxy:
    """The proxy; use it as a context manager.

    Args:
        kubeconfig: Of the API server behind it, with a token.
        folder: Where the kubeconfig for the proxy goes.

    Attributes:
        kubeconfig: The one for the proxy.
        faults: The script; add to it at any time.
        writes: Every write that came by, in order.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        self.behind = urlsplit(cluster["server"]).netloc
        self.context = ssl.create_default_context(cafile=cluster.pop("certificate-authority"))
        self.faults: list[Fault] = []
        self.writes: list[Write] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        cluster["server"] = f"http://127.0.0.1:{self._server.server_port}"
        self.kubeconfig = folder / "faulty.kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.socket.close()

    def fault(self, method: str, path: str, body: str) -> int | None:
        """The fault of the first entry of the script that a request is due for; None for none."""
        with self.lock:
            for entry in self.faults:
                if not entry.fits(method, path, body):
                    continue
                if entry.skip:
                    entry.skip -= 1
                elif entry.hits < entry.times:
                    entry.hits += 1
                    return entry.code
        return None


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        """Answer any request, whatever its method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, text = self.path.partition("?")[0], body.decode()
        code = self.proxy.fault(self.command, path, text)
        if code:
            self._refuse(code)
        else:
            code = self._pass_on(body, cut=code == CUT)
        if self.command != "GET":
            self.proxy.writes.append(Write(self.command, path, text, code))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815 - the base class's words

    def _refuse(self, code: int) -> None:
        answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": REASONS[code]}
        body = json.dumps({**answer, "message": "a fault of the test's"}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code == http.HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def _pass_on(self, body: bytes, *, cut: bool) -> int:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection = http.client.HTTPSConnection(self.proxy.behind, context=self.proxy.context)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            if cut:
                answer.read()
                self.close_connection = True
                return CUT
            self._give(answer)
        except OSError:
            self.close_connection = True  # either side is gone
            return CUT
        finally:
            connection.close()
        return answer.status

    def _give(self, answer: http.client.HTTPResponse) -> None:
        """Pass a reply on piece by piece, as watches want it."""
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(65536):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's word
        pass
