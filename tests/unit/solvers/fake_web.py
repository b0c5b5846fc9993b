"""A little web for tests: servers on loopback addresses that answer or misbehave as they are told.

Every server has an address of its own, and all share one port for HTTP and one for HTTPS. What was asked is recorded.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certwright.solvers.http01.check.redirect import Ports

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Asked:
    address: str
    tls: bool
    host: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    sni: str = ""


Reply = bytes | Callable[[socket.socket], None]
Site = Callable[[Asked], Reply]


def page(status: int = 200, body: bytes | str = b"", *, kind: str = "", location: str = "", length: int = -1) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever it says", f"Content-Length: {len(body) if length < 0 else length}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Location: {location}"] if location else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def self_signed(folder: Path) -> Path:
    """A certificate for a name that nobody asks for, signed by itself and expired, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ingress.local")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now - dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "both.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.contextmanager
def full(address: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: the kernel drops what else comes, as a firewall does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex((address, port))
        yield


class FakeWeb:
    """All web servers of one test.

    Attributes:
        asked: Everything asked, in the order of arrival.
        ports: The two ports that all of them share.
    """

    def __init__(self, certificate: Path) -> None:
        self.asked: list[Asked] = []
        # Below the ports that the kernel gives to clients, so that no client of this machine has them at any address.
        first = 10000 + 2 * secrets.randbelow(10000)
        self.ports = Ports(first, first + 1)
        self._certificate = certificate
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join()

    def serve(self, address: str, site: Site | bytes, *, tls: bool = False, port: int = 0) -> None:
        """Start a server; `site` makes its replies, or is the only one."""
        port = port or (self.ports.https if tls else self.ports.http)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, port), family=family, backlog=128)
        self._listeners.append(listener)
        made = site if callable(site) else lambda _: site
        self._run(self._accept, listener, address, made, tls)

    def asked_of(self, address: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.address == address]

    def _run(self, function: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, address: str, site: Site, tls: bool) -> None:  # noqa: FBT001
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._run(self._talk, connection, address, site, tls)

    def _talk(self, connection: socket.socket, address: str, site: Site, tls: bool) -> None:  # noqa: FBT001
        with connection, contextlib.suppress(OSError):
            names: list[str] = []
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self._certificate)
                context.sni_callback = lambda _sock, name, _context: names.append(name or "")
                with context.wrap_socket(connection, server_side=True) as secure:
                    self._reply(secure, address, site, names)
            else:
                self._reply(connection, address, site, names)

    def _reply(self, sock: socket.socket, address: str, site: Site, names: list[str]) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            octets = sock.recv(65536)
            if not octets:
                return
            received += octets
        first, *lines = received.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        assert method == "GET"
        asked = Asked(
            address, isinstance(sock, ssl.SSLSocket), headers.get("host", ""), target, headers, "".join(names)
        )
        self.asked.append(asked)
        reply = site(asked)
        if callable(reply):
            reply(sock)
        else:
            sock.sendall(reply)
