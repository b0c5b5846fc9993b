"""A little DNS for tests: zones, authoritative servers that misbehave on demand, and a resolver that knows them all.

Every server has its own address of 127/8 and all share one port. One thread serves them. What was asked is recorded.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import threading
import time
from collections import defaultdict
from typing import NamedTuple, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
from dns.rdataclass import IN
from dns.rdatatype import NS, SOA

from certwright.dns.resolvers import Resolvers, Server
from certwright.dns.transport import Limits
from certwright.dns.zone import Zones
from unit.dns.fake_answers import deepest, distort, highest_gone, lookup

RESOLVER = "127.7.0.53"
LIMITS = Limits(udp=0.4, tcp=0.4, total=6.0)


class Asked(NamedTuple):
    address: str
    name: str
    rdtype: str
    transport: str
    recurse: bool


class FakeDns:
    """The whole DNS of one test.

    Attributes:
        faults: How an address misbehaves: silent, refused, servfail, lame, truncates, garbage, forges, empty, tcp-only,
            udp-only, slow (UDP answers come when nobody waits for them any more), liar (with authority, it says that no
            name exists), signed (answers carry signatures that nobody asked for), strips (it leaves out the authority
            section), hides (it says of every name below a top-level domain that it has nothing), intercepted (a
            resolver answers in its place).
        kept: Seconds that the resolver still keeps the answer that a name does not exist.
        bogus: Zones whose signatures do not fit, so that the resolver refuses them unless it is asked not to check.
        broken: Names that the resolver answers with this rcode; `NAME TYPE` for one type only.
        stale: Addresses that serve an old zone instead of the current one, by zone name.
        asked: Everything asked, in order.
        learned: Names that the resolver found not to exist: of what it was asked for, the one nearest to its zone,
            since resolvers ask zones for no more labels than they have to (RFC 9156).
        keeps: Whether the resolver goes by these from then on, for all names below as well (RFC 2308, RFC 8020).
    """

    def __init__(self) -> None:
        self.zones: dict[dns.name.Name, dns.zone.Zone] = {}
        self.serves: dict[str, set[dns.name.Name]] = defaultdict(set)
        self.faults: dict[str, str] = {}
        self.bogus: set[str] = set()
        self.broken: dict[str, dns.rcode.Rcode] = {}
        self.kept: dict[str, int] = {}
        self.stale: dict[tuple[str, str], dns.zone.Zone] = {}
        self.asked: list[Asked] = []
        self.learned: set[dns.name.Name] = set()
        self.keeps = False
        # Below the ports that the kernel gives to clients, so that no client of this machine has it at any address.
        self.port = 10000 + secrets.randbelow(20000)
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._sockets: list[socket.socket] = [self._wake, self._waker]
        self._open: set[str] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._later: list[tuple[float, socket.socket, bytes, object]] = []

    def __enter__(self) -> Self:
        self._selector.register(self._wake, selectors.EVENT_READ)
        self.listen(RESOLVER)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.send(b"x")
        self._thread.join()
        self._selector.close()
        for sock in self._sockets:
            sock.close()

    # -- what tests say

    def zone(self, name: str, text: str = "", *servers: str, ns: tuple[str, ...] = ()) -> None:
        """Add a zone; `servers` are addresses of its name servers ns1, ns2, … inside it, or `ns` names them."""
        names = ns or tuple(f"ns{number}.{name}." for number in range(1, len(servers) + 1))
        lines = ["@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60", *(f"@ 60 IN NS {server}" for server in names)]
        if not ns:
            lines += [
                f"{server} 60 IN {'AAAA' if ':' in address else 'A'} {address}"
                for server, address in zip(names, servers, strict=True)
            ]
        lines += [line for line in text.splitlines() if line.strip()]
        origin = dns.name.from_text(name)
        self.zones[origin] = dns.zone.from_text(
            "$TTL 60\n" + "\n".join(line.strip() for line in lines) + "\n", origin, relativize=False
        )
        for address in servers:
            self.serves[address].add(origin)
            self.listen(address)

    def add_txt(self, name: str, *values: str) -> None:
        owner = dns.name.from_text(name)
        zone = self.zones[deepest(owner, self.zones)]
        rdataset = zone.find_rdataset(owner, "TXT", create=True)
        rdataset.update_ttl(60)
        for value in values:
            rdataset.add(dns.rdata.from_text("IN", "TXT", value if value.startswith('"') else f'"{value}"'))

    def resolvers(self, *servers: str) -> Resolvers:
        return Resolvers([Server(address, self.port) for address in servers or (RESOLVER,)], limits=LIMITS)

    def finder(self, *servers: str) -> Zones:
        return Zones(self.resolvers(*servers), authoritative_port=self.port)

    def asked_of(self, address: str) -> list[tuple[str, str]]:
        return [(ask.name, ask.rdtype) for ask in self.asked if ask.address == address]

    # -- serving

    def listen(self, address: str) -> None:
        if address in self._open:
            return
        self._open.add(address)
        udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, self.port))
        tcp = socket.socket(udp.family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, self.port))
        tcp.listen()
        for sock, kind in ((udp, "UDP"), (tcp, "TCP")):
            sock.setblocking(False)
            self._sockets.append(sock)
            self._selector.register(sock, selectors.EVENT_READ, (address, kind))

    def _serve(self) -> None:
        while True:
            due = self._later[0][0] - time.monotonic() if self._later else None
            for key, _ in self._selector.select(due if due is None else max(due, 0)):
                if key.fileobj is self._wake:
                    return
                address, kind = key.data
                if kind == "UDP":
                    wire, client = key.fileobj.recvfrom(65535)
                    for answer in self._respond(address, wire, "UDP"):
                        if self.faults.get(address) == "slow":
                            self._later.append((time.monotonic() + LIMITS.udp + 0.2, key.fileobj, answer, client))
                        else:
                            key.fileobj.sendto(answer, client)
                else:
                    self._stream(address, key.fileobj)

            while self._later and self._later[0][0] <= time.monotonic():
                _, sock, answer, client = self._later.pop(0)
                sock.sendto(answer, client)

    def _stream(self, address: str, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if self.faults.get(address) in {"silent", "udp-only"}:
            self._sockets.append(connection)
            return
        with connection:
            connection.settimeout(1)
            try:
                length = int.from_bytes(connection.recv(2), "big")
                for answer in self._respond(address, connection.recv(length), "TCP"):
                    # in two parts, as a network may deliver it
                    data = len(answer).to_bytes(2, "big") + answer
                    connection.sendall(data[:5])
                    time.sleep(0.005)
                    connection.sendall(data[5:])
            except OSError:
                pass

    def _respond(self, address: str, wire: bytes, transport: str) -> list[bytes]:  # noqa: PLR0911 - one a fault
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind, recurse = dns.rdatatype.to_text(question.rdtype), bool(query.flags & dns.flags.RD)
        self.asked.append(Asked(address, question.name.to_text(), kind, transport, recurse))
        fault = self.faults.get(address, "")
        answer = dns.message.make_response(query, recursion_available=address == RESOLVER)
        if fault == "silent" or (fault == "tcp-only" and transport == "UDP"):
            return []
        if fault in {"refused", "servfail"}:
            answer.set_rcode(dns.rcode.REFUSED if fault == "refused" else dns.rcode.SERVFAIL)
            return [answer.to_wire()]
        if fault == "empty":
            return [answer.to_wire()]
        if fault == "garbage":
            return [answer.to_wire()[:-3] + b"\xff\xff\xff" if not answer.question else answer.to_wire()[:20]]
        if fault == "truncates" and transport == "UDP":
            answer.flags |= dns.flags.TC
            return [answer.to_wire()]
        if address == RESOLVER and question.name.to_text() in self.kept:
            self._remember(question.name, answer)
        elif query.flags & dns.flags.RD or fault == "intercepted":
            answer.flags |= dns.flags.RA
            self._resolve(question.name, question.rdtype, answer)
            self._validate(query, answer)
        elif fault == "lame":
            answer.authority.append(dns.rrset.from_text(".", 60, IN, NS, "a.root-servers.net."))
        else:
            self._authoritative(address, question.name, question.rdtype, answer)
        distort(fault, question.name, answer, self.zones)
        if fault == "forges":
            forged = dns.message.make_response(query)
            forged.id = query.id ^ 1
            other = dns.message.make_response(dns.message.make_query("elsewhere.example.", "A"))
            other.id = query.id
            return [b"\x00", forged.to_wire(), other.to_wire(), answer.to_wire(max_size=65535)]
        return [answer.to_wire(max_size=65535)]

    def _validate(self, query: dns.message.Message, answer: dns.message.Message) -> None:
        zone = deepest(query.question[0].name, self.zones)
        if zone is not None and zone.to_text() in self.bogus and not query.flags & dns.flags.CD:
            answer.answer, answer.authority = [], []
            answer.set_rcode(dns.rcode.SERVFAIL)

    def _remember(self, name: dns.name.Name, answer: dns.message.Message) -> None:
        origin = deepest(name, self.zones)
        soa = self.zones[origin].get_rrset(origin, SOA)
        soa = dns.rrset.from_rdata(origin, self.kept[name.to_text()], soa[0].replace(minimum=86400))
        answer.authority.append(soa)
        answer.set_rcode(dns.rcode.NXDOMAIN)

    def _resolve(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, answer: dns.message.Message) -> None:
        for _ in range(12):
            kind = f"{name.to_text()} {dns.rdatatype.to_text(rdtype)}"
            rcode = self.broken.get(name.to_text(), self.broken.get(kind))
            if self.keeps and any(name.is_subdomain(gone) for gone in self.learned):
                rcode = dns.rcode.NXDOMAIN
            zone = deepest(name, self.zones)
            if rcode is not None or zone is None:
                answer.set_rcode(dns.rcode.NXDOMAIN if rcode is None else rcode)
                return
            target = lookup(self.zones[zone], name, rdtype, answer)
            if target is None:
                if answer.rcode() == dns.rcode.NXDOMAIN:
                    self.learned.add(highest_gone(name, self.zones[zone]))
                return
            name = target
        answer.set_rcode(dns.rcode.SERVFAIL)

    def _authoritative(
        self, address: str, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, answer: dns.message.Message
    ) -> None:
        origin = deepest(name, self.serves[address])
        if origin is None:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        zone = self.stale.get((address, origin.to_text()), self.zones[origin])
        answer.flags |= dns.flags.AA
        cut = name
        while cut != origin:
            delegation = zone.get_rrset(cut, NS)
            if delegation is not None:
                answer.flags &= ~dns.flags.AA
                answer.authority.append(delegation)
                return
            cut = cut.parent()
        lookup(zone, name, rdtype, answer)
