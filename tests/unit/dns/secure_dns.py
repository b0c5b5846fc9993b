"""A small real resolver by DNS over TLS or HTTPS, in front of a fake DNS, that misbehaves on demand."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from unit.dns.fake_dns import RESOLVER, FakeDns


def certificate(folder: Path, *names: str) -> Path:
    """A self-signed certificate for addresses and names, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "resolver")])
    now = dt.datetime.now(dt.UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "resolver.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


class SecureDns:
    """Answers what the fake DNS's resolver would answer.

    Attributes:
        fault: How it misbehaves: silent, closes (after each answer), chunked, status, html, endless, liar, half.
        connections: How many were opened.
        requests: First lines of the HTTP requests.
    """

    def __init__(self, world: FakeDns, file: Path, *, https: bool) -> None:
        self.fault = ""
        self.connections = 0
        self.requests: list[str] = []
        self._world = world
        self._https = https
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(file)
        self._context.set_alpn_protocols(["http/1.1" if https else "dot"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            if self.fault != "silent":
                thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(5)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secure = self._context.wrap_socket(connection, server_side=True)
            self._open.append(secure)
            while True:
                if not (self._http(secure) if self._https else self._stream(secure)) or self.fault == "closes":
                    secure.close()
                    return
        except OSError:
            return

    def _answer(self, wire: bytes) -> bytes:
        (answer,) = self._world._respond(RESOLVER, wire, "TLS")
        return b"\0\0" + answer[2:] if self.fault == "liar" else answer

    def _stream(self, secure: ssl.SSLSocket) -> bool:
        head = secure.recv(2)
        if len(head) < 2:
            return False
        wire = b""
        while len(wire) < int.from_bytes(head, "big"):
            wire += secure.recv(int.from_bytes(head, "big") - len(wire))
        answer = self._answer(wire)
        data = len(answer).to_bytes(2, "big") + answer
        if self.fault == "half":
            secure.sendall(data[:20])
            return False
        secure.sendall(data[:7])
        secure.sendall(data[7:])
        return True

    def _http(self, secure: ssl.SSLSocket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            more = secure.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        self.requests.append(head.split(b"\r\n")[0].decode())
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        while len(body) < length:
            body += secure.recv(65536)
        answer = self._answer(body)
        kind = b"text/html" if self.fault == "html" else b"application/dns-message"
        status = b"HTTP/1.1 " + (b"503 Sorry" if self.fault == "status" else b"200 OK") + b"\r\nContent-Type: " + kind
        if self.fault == "chunked":
            half = len(answer) // 2
            chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (answer[:half], answer[half:], b""))
            secure.sendall(status + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        elif self.fault == "endless":
            secure.sendall(status + b"\r\nContent-Length: 99999999\r\n\r\n" + answer)
        elif self.fault == "half":
            secure.sendall(status + b"\r\nContent-Length: 900\r\n\r\n" + answer[:20])
            return False
        else:
            secure.sendall(status + b"\r\nContent-Length: %d\r\n\r\n" % len(answer))
            secure.sendall(answer)
        return True
