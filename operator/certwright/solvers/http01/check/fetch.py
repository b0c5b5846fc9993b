"""One HTTP request to one given address, bounded in size and time: what a CA does when it validates, from here.

It resolves nothing, follows nothing, knows no proxy, cookie or credential, and verifies no certificate, since a CA does
not either: the name has none yet. What comes back is a value, and so is every fault of the network.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from certwright import __version__
from certwright.providers.guard import Deadline, set_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY: Final = 4096
"""Bytes that are read of a body; a key authorization has about 90."""
MAX_LOCATION: Final = 2000
"""Characters of a redirect's target, as Let's Encrypt has it."""
_NO_ROUTE: Final = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,30}/[a-z0-9][a-z0-9!#$&^_.+-]{0,40}")


class Fault(StrEnum):
    """Why there is no page; the value is for people."""

    REFUSED = "connection refused"
    TIMEOUT = "timed out"
    CLOSED = "connection closed before the answer was complete"
    NO_ROUTE = "no route to it from here"
    LOCAL = "this host could not connect to it"
    NO_TLS = "no TLS connection"
    MALFORMED = "an answer that is not HTTP"


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask, and of whom.

    Args:
        address: IPv4 or IPv6 address to connect to.
        port: Its port.
        host: The Host header, and the name for TLS (SNI); IPv6 in brackets.
        target: Path and query, encoded.
        tls: Speak HTTPS.
        headers: More headers.
    """

    address: str
    port: int
    host: str
    target: str
    tls: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What came.

    Args:
        status: The status code.
        media_type: Of the body, lower case; empty where it has none that can be read.
        body: Its first MAX_BODY bytes and one more where there are more; not decoded.
        location: Where a redirect leads, as it was sent; empty where there is none or it is too long.
    """

    status: int
    media_type: str = ""
    body: bytes = field(default=b"", repr=False)
    location: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """No page; `connected` says whether there was a TCP connection at all."""

    fault: Fault
    connected: bool


def fetch(request: Request, *, connect: float, total: float) -> Page | Failure:
    """Send one GET and read the start of the answer.

    Args:
        request: What to ask.
        connect: Seconds for the TCP connection.
        total: Seconds for everything.

    Never raises for what the network or the other side does.
    """
    ends = time.monotonic() + total
    family, kind = (socket.AF_INET6 if ":" in request.address else socket.AF_INET), socket.SOCK_STREAM
    sock: socket.socket | None = None
    connected = False
    try:
        sock = _Socket(family, kind)
        sock.settimeout(max(min(connect, total), 0.001))
        sock.connect((request.address, request.port))
        connected = True
        sock.settimeout(max(ends - time.monotonic(), 0.001))
        set_deadline(ends)
        if request.tls:
            sock = _context().wrap_socket(sock, server_hostname=request.host.strip("[]"))
        return _ask(sock, request)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Failure(_fault(error), connected)
    finally:
        set_deadline(None)
        if sock is not None:
            sock.close()


def _ask(sock: socket.socket, request: Request) -> Page:
    connection = http.client.HTTPConnection(request.address, request.port)
    connection.sock = sock
    headers = {
        "Host": request.host,
        "User-Agent": f"certwright/{__version__}",
        "Accept": "*/*",  # some firewalls take its absence for an attack
        "Connection": "close",
        **request.headers,
    }
    connection.request("GET", request.target, headers=headers)
    with connection.getresponse() as response:
        body = response.read(MAX_BODY + 1)
        if response.length and len(body) <= MAX_BODY:
            raise ConnectionResetError
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        location = (response.headers.get_all("Location") or [""])[-1]
        return Page(
            response.status,
            media_type if _MEDIA_TYPE.fullmatch(media_type) else "",
            body,
            location if len(location) <= MAX_LOCATION else "",
        )


class _Socket(Deadline, socket.socket):
    """A plain socket whose reads end with the deadline."""


class _TLSSocket(Deadline, ssl.SSLSocket):
    """Likewise with TLS."""


@cache
def _context() -> ssl.SSLContext:
    """Takes any certificate: the check sends nothing secret, and asks only whether a CA would find the answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TLSSocket
    return context


def _fault(error: Exception) -> Fault:
    if isinstance(error, TimeoutError):
        return Fault.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Fault.REFUSED
    if isinstance(error, (ConnectionError, http.client.IncompleteRead, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Fault.CLOSED
    if isinstance(error, ssl.SSLError):
        return Fault.NO_TLS
    if isinstance(error, OSError):
        return Fault.NO_ROUTE if error.errno in _NO_ROUTE else Fault.LOCAL
    return Fault.MALFORMED
