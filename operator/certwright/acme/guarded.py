"""Connections whose addresses somebody else has a say in: whoever writes an issuer chooses the host of its server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Protocol

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONNECT_SECONDS = 10.0


class Rule(Protocol):
    """Says which addresses may be connected to."""

    def check(self, host: str, addresses: Sequence[str]) -> list[str]:
        """The addresses that may be connected to; raises InvalidSpec when there is none."""

    def connect(self, host: str, port: int, seconds: float, make: Callable[..., socket.socket]) -> socket.socket:
        """Connect to the first of them that answers; raises InvalidSpec, or OSError."""


def pools(rule: Rule) -> dict[str, Any]:
    """Connection pools by scheme, as urllib3 wants them, whose connections are made by the rule."""

    def connect(self: HTTPConnection) -> socket.socket:
        return rule.connect(self.host, int(self.port or 0), float(self.timeout or CONNECT_SECONDS), socket.socket)

    plain = type("Plain", (HTTPConnection,), {"_new_conn": connect})
    secure = type("Secure", (HTTPSConnection,), {"_new_conn": connect})
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


def check_name(rule: Rule, host: str) -> None:
    """Check the addresses that a name has here, where a proxy makes the connection; a name without any is its affair.

    Raises:
        InvalidSpec: None of them may be connected to.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return
    rule.check(host, [str(place[0]) for *_, place in found])
