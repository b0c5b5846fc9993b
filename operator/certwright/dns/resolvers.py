"""The recursive resolvers that discovery goes through: those of the settings, else the system's, else public ones.

Settings give one list for the operator and one for a solver; both are this class. It never resolves a name by itself
and keeps no answers, and the first usable answer wins, whatever the others would have said.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from certwright.dns.transport import Conversation, Limits, hold
from certwright.dns.wire import Endpoint, Query, Reply, Scheme
from certwright.errors import InvalidSpec, Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dns.message
    import dns.name
    import dns.rdatatype

DNS_PORT = 53
PORTS = {Scheme.PLAIN: DNS_PORT, Scheme.TLS: 853, Scheme.HTTPS: 443}
DEFAULT_PATH = "/dns-query"
PUBLIC = ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2001:4860:4860::8888")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:]+")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
RESOLV_CONF = Path("/etc/resolv.conf")
UNAVAILABLE = "DNSUnavailable"
"""Reason of a fault where no DNS server gave a usable answer."""
ADDRESS_REFUSED = "AddressRefused"
Refuse: TypeAlias = Callable[[str], str | None]
"""What is wrong with an address that nothing may be sent to; None of any other."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server as a setting names it: a host name or an address, a port, and what it speaks."""

    host: str
    port: int = DNS_PORT
    scheme: Scheme = Scheme.PLAIN
    path: str = ""

    @classmethod
    def of(cls, text: str, field: str = "nameservers") -> Server:
        """Read `host`, `host:port`, a bare IPv6 address, `[IPv6]:port`, `tls://host[:port]` or `https://host/path`.

        Args:
            text: The setting; of a URI template only `{?dns}` at its end is known (RFC 8484 section 3), and left out.
            field: Path of the field, for the message.

        Raises:
            InvalidSpec: When it is none of these.
        """
        text = text.strip()
        try:
            return cls(str(ipaddress.ip_address(text)))
        except ValueError:
            pass
        scheme, mark, rest = text.partition("://") if "://" in text else (Scheme.PLAIN.value, "", text)
        place, slash, path = rest.removesuffix("{?dns}").partition("/")
        try:
            kind = Scheme(scheme.lower())
            parts = urlsplit(f"//{place}")
            port = parts.port
        except ValueError:
            kind, parts, port = Scheme.PLAIN, urlsplit(""), 0
        misplaced = (kind is Scheme.PLAIN and mark) or (kind is not Scheme.HTTPS and slash) or not _PATH.fullmatch(path)
        if not _HOST.fullmatch(parts.hostname or "") or parts.netloc != place or "@" in place or misplaced or port == 0:
            raise InvalidSpec(
                f"{field}: {text[:80]!r} is not a server; write host:port, e.g. 192.0.2.1:53 or [2001:db8::1]:53, "
                "tls://host for DNS over TLS, or https://host/path for DNS over HTTPS"
            )
        whole = f"/{path}" if path else DEFAULT_PATH
        return cls(parts.hostname or "", port or PORTS[kind], kind, whole if kind is Scheme.HTTPS else "")

    def endpoints(self, refuse: Refuse | None = None) -> tuple[Endpoint, ...]:
        """Its addresses, by the system where it is a name; none when it does not resolve."""
        refuse = refuse or (lambda _: None)
        if self.is_address:
            addresses = [str(ipaddress.ip_address(self.host))]
        else:
            try:
                found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
            except OSError:
                return ()
            addresses = [str(address[0]) for *_, address in found]
        host = "" if self.scheme is Scheme.PLAIN else self.host
        return tuple(
            Endpoint(address, self.port, self.scheme, host, self.path, refuse(address) or "") for address in addresses
        )

    @property
    def is_address(self) -> bool:
        """Whether the host is an address and not a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        """As a setting spells it."""
        return str(Endpoint(self.host, self.port, self.scheme, "", self.path))


class Resolvers:
    """An ordered list of resolvers; safe for threads.

    Args:
        servers: Whom to ask; the one that answered last is asked first the next time.
        limits: Time-outs of everything that is asked through these resolvers and after them.
        refuse: Where nothing may be sent, for servers that somebody else than the operator's owner chose.
    """

    def __init__(
        self, servers: Sequence[Server], *, limits: Limits | None = None, refuse: Refuse | None = None
    ) -> None:
        self.servers = tuple(servers)
        self.refuse = refuse
        self.limits = limits or Limits()
        self._preferred = 0

    @classmethod
    def of(
        cls,
        texts: Sequence[str] = (),
        *,
        field: str = "dns-resolvers",
        resolv_conf: Path = RESOLV_CONF,
        refuse: Refuse | None = None,
    ) -> Resolvers:
        """The resolvers of a setting, else those of resolv.conf, else public ones.

        Args:
            texts: One entry a server, see Server.of.
            field: Path of the setting, for messages.
            resolv_conf: The system's configuration, resolv.conf(5).
            refuse: As the class's; for `texts` only, since the system's resolvers are the operator's owner's.

        Raises:
            InvalidSpec: When an entry of `texts` cannot be read, or is an address that is refused.
        """
        if texts:
            servers = [Server.of(text, field) for text in texts]
            for server in servers:
                fault = refuse(server.host) if refuse and server.is_address else None
                if fault:
                    raise InvalidSpec(
                        f"{field}: {server} is not asked, since it is {fault}; name another resolver",
                        reason=ADDRESS_REFUSED,
                    )
            return cls(servers, refuse=refuse)
        return cls(_system(resolv_conf) or [Server(address) for address in PUBLIC])

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every address of every resolver, the preferred one first."""
        found = tuple(endpoint for server in self.servers for endpoint in server.endpoints(self.refuse))
        first = self._preferred % max(len(found), 1)
        return found[first:] + found[:first]

    def ask(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.message.Message:
        """Ask one question and wait for the answer; see `asking`."""
        return hold(self.asking(name, rdtype), limits=self.limits)

    def asking(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Conversation[dns.message.Message]:
        """Ask one question.

        Args:
            name: An absolute name.
            rdtype: The type asked for.

        Raises:
            Retryable: When no resolver gave a usable answer; the message says what each did.
        """
        (reply,) = yield from self.asking_all([(name, rdtype)])
        if isinstance(reply, Retryable):
            raise reply
        return reply

    def asking_all(
        self, questions: Sequence[tuple[dns.name.Name, dns.rdatatype.RdataType]]
    ) -> Conversation[list[dns.message.Message | Retryable]]:
        """Ask several questions side by side; what failed at one resolver goes to the next.

        Args:
            questions: Names and types.

        Returns one entry a question, in order: a message (NOERROR with or without data, NXDOMAIN) or the fault.
        """
        endpoints = self.endpoints()
        answers: dict[int, dns.message.Message] = {}
        failures: dict[int, list[Reply]] = {index: [] for index in range(len(questions))}
        for endpoint in endpoints:
            left = [index for index in failures if index not in answers]
            if not left:
                break
            replies = yield [Query(endpoint, *questions[index], recurse=True) for index in left]
            for index, reply in zip(left, replies, strict=True):
                if reply.answer is not None:
                    answers[index] = reply.answer
                else:
                    failures[index].append(reply)
            if any(reply.answer for reply in replies) and endpoint != endpoints[0]:
                self._preferred += endpoints.index(endpoint)
        return [
            answers[index] if index in answers else self._fault(*questions[index], failures[index])
            for index in range(len(questions))
        ]

    def _fault(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, replies: Sequence[Reply]) -> Retryable:
        if not replies:
            names = ", ".join(map(str, self.servers))
            why = f"{names} has no address" if names else "none is configured"
            return Retryable(f"no DNS resolver is usable: {why}", reason=UNAVAILABLE)
        said = "; ".join(f"{reply.query.endpoint}: {reply}" for reply in replies)
        return Retryable(f"no resolver answered for {rdtype.name} of {name.to_text()} ({said})", reason=UNAVAILABLE)


def _system(path: Path) -> list[Server]:
    """The `nameserver` lines of resolv.conf(5); none when it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    servers = []
    for line in lines:
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            try:
                servers.append(Server.of(rest[0]))
            except InvalidSpec:
                continue  # e.g. a link-local address with a zone index
    return servers
