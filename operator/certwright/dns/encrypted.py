"""DNS over TLS (RFC 7858) and over HTTPS (RFC 8484) on connections that a selector drives.

Nothing here blocks: each step says what it waits for. A connection carries one question after the other. HTTP is
version 1.1, in the few words that a POST and its answer take; HTTP/2 is not spoken.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from dataclasses import dataclass
from functools import cache

from certwright.dns.wire import Endpoint, Scheme

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
MEDIA_TYPE = "application/dns-message"
_ALPN = {Scheme.TLS: "dot", Scheme.HTTPS: "http/1.1"}


class NotDNSError(ValueError):
    """What came is no DNS message, or a longer one than there can be."""


@cache
def _context(scheme: Scheme) -> ssl.SSLContext:
    """Trusts the system's CAs, and those that SSL_CERT_FILE names; verifies names and addresses."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):  # a bare container image
        with contextlib.suppress(ImportError):
            import certifi  # noqa: PLC0415 - only there

            context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([_ALPN[scheme]])
    return context


def wrap(sock: socket.socket, endpoint: Endpoint) -> ssl.SSLSocket:
    """The socket, not connected yet, as one that speaks TLS once it is; it lets no question wait for a full packet."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _context(endpoint.scheme).wrap_socket(sock, server_hostname=endpoint.host, do_handshake_on_connect=False)


@dataclass(slots=True)
class Exchange:
    """One question and its answer on a connection.

    Args:
        endpoint: The server.
        unsent: What is still to be sent.
        received: What came so far.
        fresh: Whether the connection is new, and TLS has to begin.
    """

    endpoint: Endpoint
    unsent: bytes
    received: bytes = b""
    fresh: bool = True

    def proceed(self, sock: ssl.SSLSocket) -> tuple[bytes, bool] | int:
        """Go as far as it goes without waiting.

        Returns the DNS message and whether the connection can be used again, or the selector's event to wait for.

        Raises:
            OSError: The connection or its TLS failed; ConnectionResetError when the server closed it.
            NotDNSError: Something else came.
        """
        try:
            if self.fresh:
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                sock.do_handshake()
                self.fresh = False
            while self.unsent:
                self.unsent = self.unsent[sock.send(self.unsent) :]
            while (found := _unframed(self.endpoint, self.received)) is None:
                octets = sock.recv(65536)
                if not octets:
                    raise ConnectionResetError
                self.received += octets
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE
        return found


def framed(endpoint: Endpoint, octets: bytes) -> bytes:
    """A DNS message as it goes over the connection."""
    if endpoint.scheme is Scheme.TLS:
        return len(octets).to_bytes(2, "big") + octets
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = (
        f"POST {endpoint.path} HTTP/1.1",
        f"Host: {host}:{endpoint.port}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Accept: {MEDIA_TYPE}",
        f"Content-Length: {len(octets)}",
    )
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + octets


def _unframed(endpoint: Endpoint, received: bytes) -> tuple[bytes, bool] | None:
    """The message in what came, and whether the connection can be used again; None while it is not complete."""
    if endpoint.scheme is Scheme.TLS:
        length = int.from_bytes(received[:2], "big")
        whole = len(received) >= 2 + max(length, 1)
        return (received[2 : 2 + length], len(received) == 2 + length) if whole else None
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        if len(head) > MAX_HEAD:
            raise NotDNSError("the head is too long")
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    version, code = (*status.split(" "), "")[:2]
    fields = {name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in lines)}
    if not version.startswith("HTTP/1.") or code != "200":
        raise NotDNSError(f"HTTP {code[:3]}")
    if fields.get("content-type", "").partition(";")[0].strip() != MEDIA_TYPE:
        raise NotDNSError("another media type")
    found = _chunked(rest) if fields.get("transfer-encoding") == "chunked" else _counted(rest, fields)
    if found is None:
        if len(rest) > 2 * MAX_BODY:
            raise NotDNSError("the body is too long")
        return None
    body, left = found
    return body, not left and version == "HTTP/1.1" and fields.get("connection") != "close"


def _counted(rest: bytes, fields: dict[str, str]) -> tuple[bytes, bytes] | None:
    """A body of a stated length, and what follows it; None while it is not complete."""
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > MAX_BODY:  # noqa: PLR2004
        raise NotDNSError("no length, or too much")
    return (rest[: int(length)], rest[int(length) :]) if len(rest) >= int(length) else None


def _chunked(rest: bytes) -> tuple[bytes, bytes] | None:
    """A body in chunks (RFC 9112 section 7.1), and what follows it; None while it is not complete."""
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise NotDNSError("a chunk without a size") from None
        if not 0 <= size <= MAX_BODY - len(body):
            raise NotDNSError("the body is too long")
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]
        if not size:
            return body, rest
