"""A TLS server for tests that writes to the socket exactly what a test says, well-formed or not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

Script = Callable[[ssl.SSLSocket, threading.Event], None]


def reply(status: int = 200, body: bytes = b"", *, close: bool = False, **headers: str) -> Script:
    """Answer properly; underscores in header names become dashes."""
    fields = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    if close:
        fields["Connection"] = "close"
    head = f"HTTP/1.1 {status} Odd\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return lambda connection, _: connection.sendall(head.encode() + body)


class OddServer:
    """Answers each request by the script of its path; counts connections and keeps each request's bytes."""

    def __init__(self, *, certificate: Path) -> None:
        self.scripts: dict[str, Script] = {}
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            with plain, self._context.wrap_socket(plain, server_side=True) as connection:
                connection.settimeout(0.05)  # between requests only: there it looks whether to stop
                while request := self._read(connection):
                    self.requests.append(request)
                    script = self.scripts.get(request.split(b" ", 2)[1].decode(), reply(404))
                    connection.settimeout(10)
                    script(connection, self.stopping)
                    connection.settimeout(0.05)
        except OSError:
            return  # the client went away, as many of the tests make it do

    def _read(self, connection: ssl.SSLSocket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received or len(received) < _length(received):
            try:
                chunk = connection.recv(65536)
            except TimeoutError:
                if self.stopping.is_set():
                    return b""
                continue
            if not chunk:
                return b""
            received += chunk
        return received


def _length(request: bytes) -> int:
    head, _, _ = request.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.split(b":")[1])
    return len(head) + 4
