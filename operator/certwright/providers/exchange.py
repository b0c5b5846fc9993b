"""Sends one DNS message and returns the octets of its answer; for providers that speak DNS, whatever the answer means.

dnspython's own exchange parses as it receives, and then gives no answer at all where an expected signature lacks.
"""

from __future__ import annotations

import socket
import time


def exchange(where: tuple[str, int], wire: bytes, *, seconds: float, tcp: bool) -> bytes:
    """Send a message to one address and wait for its answer.

    Args:
        where: IPv4 or IPv6 address, and port.
        wire: The message.
        seconds: For everything.
        tcp: By TCP (RFC 7766), else by UDP, where only an answer with the message's id counts.

    Raises:
        TimeoutError: No answer in time.
        OSError: The network's own fault, e.g. nobody listens.
        EOFError: The connection was ended without an answer.
    """
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    end = time.monotonic() + seconds
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect(where)
        sock.sendall((len(wire).to_bytes(2, "big") if tcp else b"") + wire)
        received = b""
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            octets = sock.recv(65535)
            if not tcp:
                if octets[:2] == wire[:2]:
                    return octets
                continue
            if not octets:
                raise EOFError("it ended the connection without an answer")
            received += octets
            length = int.from_bytes(received[:2], "big")
            if length and len(received) >= 2 + length:
                return received[2 : 2 + length]
        raise TimeoutError
