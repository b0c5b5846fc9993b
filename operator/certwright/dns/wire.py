"""One DNS query and its reply as values and as octets (RFC 1035, EDNS by RFC 6891); opens no socket.

Queries are packed by hand because dnspython takes ten times as long for the same octets; replies are dnspython's.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import StrEnum

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

EDNS_PAYLOAD = 1232
"""Octets of UDP that hardly any path fragments."""
_HEADER = struct.Struct("!HHHHHH")
_OPT = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, EDNS_PAYLOAD, 0, 0)
_TELLING = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN})
_IS_RESPONSE, _TRUNCATED, _RECURSION_DESIRED, _CHECKING_DISABLED, _RCODE = 0x8000, 0x0200, 0x0100, 0x0010, 0x000F


class Fault(StrEnum):
    """Why there is no message; the value is for a person."""

    TIMEOUT = "no answer"
    NO_ROUTE = "no route to it from here"
    CLOSED = "connection refused"
    MALFORMED = "a malformed answer"
    LOCAL = "not asked: this host could not send to it"
    UNTRUSTED = "its certificate is not trusted"
    NO_TLS = "no TLS connection"
    REFUSED = "not asked"


class Scheme(StrEnum):
    """What a server speaks."""

    PLAIN = "dns"
    TLS = "tls"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens.

    Args:
        address: An IPv4 or IPv6 address.
        port: Its port.
        scheme: What it speaks there.
        host: The name or address that its certificate has to have; empty for plain DNS.
        path: Of DNS over HTTPS.
        refused: What is wrong with the address, where nothing may be sent to it; empty where it may.
    """

    address: str
    port: int = 53
    scheme: Scheme = Scheme.PLAIN
    host: str = ""
    path: str = ""
    refused: str = ""

    def __str__(self) -> str:
        """As a setting spells it: `192.0.2.1:53`, `[2001:db8::1]:53`, `tls://dns.example:853`."""
        host = self.host or self.address
        text = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        return text if self.scheme is Scheme.PLAIN else f"{self.scheme}://{text}{self.path}"


class Via(StrEnum):
    """How a question travels: by UDP and where that is not enough by TCP, or by one of them and nothing else."""

    EITHER = "UDP, then TCP"
    UDP = "UDP"
    TCP = "TCP"


@dataclass(frozen=True, slots=True)
class Query:
    """One question to one server.

    Args:
        endpoint: The server.
        name: What is asked for.
        rdtype: Its type.
        recurse: Ask a resolver to find out (RD).
        via: How to ask.
        whole: Read all sections of the reply; see `read`.
        unchecked: Ask a resolver not to check DNSSEC signatures (CD).
    """

    endpoint: Endpoint
    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    recurse: bool = False
    via: Via = Via.EITHER
    whole: bool = False
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a query: a message, or the fault that stood in its way."""

    query: Query
    message: dns.message.Message | None = None
    fault: Fault | None = None
    transport: str = "UDP"

    @property
    def answer(self) -> dns.message.Message | None:
        """The message when it says something about the name: NXDOMAIN does, SERVFAIL or REFUSED does not.

        YXDOMAIN does as well: a DNAME makes too long a name of it (RFC 6672 section 2.2).
        """
        if self.message is not None and self.message.rcode() in _TELLING:
            return self.message
        return None

    def __str__(self) -> str:
        """The fault or the response code."""
        if self.fault is Fault.REFUSED:
            return f"{self.fault}: it is {self.query.endpoint.refused}"
        return str(self.fault) if self.message is None else dns.rcode.to_text(self.message.rcode())


def pack(query: Query) -> bytes:
    """The query as octets, with a random id."""
    flags = (_RECURSION_DESIRED if query.recurse else 0) | (_CHECKING_DISABLED if query.unchecked else 0)
    header = _HEADER.pack(int.from_bytes(os.urandom(2), "big"), flags, 1, 0, 0, 1)
    return b"".join((header, query.name.to_wire() or b"", struct.pack("!HH", query.rdtype, 1), _OPT))


def matches(octets: bytes, sent: bytes) -> bool:
    """Whether the octets answer what was sent: its id and its question; an error may leave the question out."""
    if len(octets) < _HEADER.size:
        return False
    ident, flags, questions, *_ = _HEADER.unpack_from(octets)
    if ident != int.from_bytes(sent[:2], "big") or not flags & _IS_RESPONSE:
        return False
    if not questions:
        return bool(flags & _RCODE)
    asked = sent[_HEADER.size : -len(_OPT)]
    return octets[_HEADER.size : _HEADER.size + len(asked)].lower() == asked.lower()


def truncated(octets: bytes) -> bool:
    """Whether the server had more to say than fits (TC)."""
    return bool(int.from_bytes(octets[2:4], "big") & _TRUNCATED)


def read(query: Query, octets: bytes, transport: str) -> Reply:
    """The reply in these octets, which have passed `matches`; without the sections that nobody reads.

    Parsing is most of a query's cost. So the additional section is counted out before, and the authority section as
    well where there is an answer, unless the query wants the whole.
    """
    if not query.whole:
        authority = b"\0\0" if octets[6:8] != b"\0\0" else octets[8:10]
        octets = octets[:8] + authority + b"\0\0" + octets[12:]
    try:
        message = dns.message.from_wire(octets, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return Reply(query, None, Fault.MALFORMED, transport)
    return Reply(query, message, None, transport)
