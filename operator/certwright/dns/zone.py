"""Finds the zone a name is in, and every address of that zone's name servers.

The resolvers are asked for SOA from the given name upwards, past labels that fail. They are never asked here for the
challenge's own name: an answer that it does not exist would be kept by them (RFC 2308) and outlast the record's making.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import AAAA, NS, SOA, A

from certwright.dns.cache import Cache
from certwright.dns.names import ancestors, canonical
from certwright.dns.resolvers import UNAVAILABLE, Refuse
from certwright.dns.suffixes import is_public_suffix
from certwright.dns.transport import Conversation, hold
from certwright.dns.wire import Endpoint, Query, Reply
from certwright.errors import CertwrightError, Retryable, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certwright.dns.resolvers import Resolvers

ZONE_NOT_FOUND = "ZoneNotFound"
CACHE_SECONDS = 300.0
"""Longest time a zone or its servers are remembered; shorter where the TTL is."""


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server of a zone; `addresses` is empty when its name does not resolve."""

    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone and who serves it; names end with a dot."""

    name: str
    nameservers: tuple[NameServer, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address once, one of each server first, IPv4 before IPv6."""
        ranked = [
            (rank, ":" in address, address)
            for server in self.nameservers
            for rank, address in enumerate(server.addresses)
        ]
        return tuple(dict.fromkeys(address for *_, address in sorted(ranked, key=lambda item: item[:2])))


class Zones:
    """Finds zones through one list of resolvers and remembers them; safe for threads.

    Args:
        resolvers: Whom to ask.
        authoritative_port: Port of all authoritative servers; another than 53 is for tests.
        clock: Seconds, monotonic.
        refuse: What is wrong with an address that nothing may be sent to; None of any other. Whoever has a domain
            chooses its servers' addresses.
    """

    def __init__(
        self,
        resolvers: Resolvers,
        *,
        authoritative_port: int = 53,
        clock: Callable[[], float] = time.monotonic,
        refuse: Refuse | None = None,
    ) -> None:
        self.resolvers = resolvers
        self._refuse = refuse or (lambda _: None)
        self._port = authoritative_port
        self._apexes: Cache[dns.name.Name] = Cache(clock)
        self._zones: Cache[Zone] = Cache(clock)

    def endpoint(self, address: str) -> Endpoint:
        """Where an authoritative server listens."""
        return Endpoint(address, self._port, refused=self._refuse(address) or "")

    def find_zone(self, name: str) -> Zone:
        """The zone that holds a name, and its servers; waits for the answers.

        Args:
            name: A host name.

        Raises:
            InvalidSpec: When it is no host name.
            Retryable: When servers do not answer.
            Terminal: When there is no zone to write into; reason ZoneNotFound.
        """
        return hold(self.finding(canonical(name)), limits=self.resolvers.limits)

    def finding(self, name: dns.name.Name) -> Conversation[Zone]:
        """As find_zone, as a conversation."""
        apex = yield from self.walking(name)
        return (yield from self.serving(apex))

    def walking(self, name: dns.name.Name) -> Conversation[dns.name.Name]:
        """The apex of the zone that holds a name, by SOA from leaf to apex (RFC 1034 section 4.2.1).

        Raises:
            Retryable: When servers do not answer.
            Terminal: When nothing below a public suffix is a zone.
        """
        known = self._apexes.get(name)
        if known is not None:
            return known
        fault: Retryable | None = None
        for label in ancestors(name):
            if is_public_suffix(label):
                break
            try:
                message = yield from self.resolvers.asking(label, SOA)
            except Retryable as error:
                fault = fault or error
                continue
            soa = _zone_of(label, message)
            if soa is not None and not is_public_suffix(soa.name):
                self._apexes.put(name, soa.name.canonicalize(), seconds=min(soa.ttl, CACHE_SECONDS))
                return soa.name.canonicalize()
        if fault:
            raise fault
        raise Terminal(
            f"no zone found for {name.to_text()}: the resolvers know no zone at or above it below the public suffix; "
            "check the spelling, that the domain is registered and delegated, or set dns01.zone",
            reason=ZONE_NOT_FOUND,
        )

    def serving(self, apex: dns.name.Name) -> Conversation[Zone]:
        """A zone's name servers with their addresses, by the resolvers.

        Raises:
            Retryable: When servers do not answer.
            Terminal: When the zone has no name server, or none with an address.
        """
        known = self._zones.get(apex)
        if known is not None:
            return known
        message = yield from self.resolvers.asking(apex, NS)
        rrset = message.get_rrset(message.answer, apex, dns.rdataclass.IN, NS)
        if rrset is None:
            raise Terminal(
                f"the resolvers know no name servers (NS) of the zone {apex.to_text()}; check its delegation",
                reason=ZONE_NOT_FOUND,
            )
        names = sorted({rdata.target.canonicalize() for rdata in rrset})
        answers = yield from self.resolvers.asking_all([(name, rdtype) for name in names for rdtype in (A, AAAA)])
        servers = tuple(
            NameServer(name.to_text(), tuple(address for answer in pair for address in _addresses(answer)))
            for name, pair in zip(names, zip(answers[::2], answers[1::2], strict=True), strict=True)
        )
        if not any(server.addresses for server in servers):
            fault = next((answer for answer in answers if isinstance(answer, Retryable)), None)
            raise fault or Terminal(
                f"no name server of the zone {apex.to_text()} has an address ({', '.join(n.to_text() for n in names)})",
                reason=ZONE_NOT_FOUND,
            )
        zone = Zone(apex.to_text(), servers)
        if not any(isinstance(answer, CertwrightError) for answer in answers):
            self._zones.put(apex, zone, seconds=min(rrset.ttl, CACHE_SECONDS))
        return zone

    def asking(
        self, zone: Zone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> Conversation[dns.message.Message]:
        """Ask the zone's own servers: one first, all others at once when that one fails.

        Raises:
            Retryable: When none gives a usable answer.
        """
        first, *others = (Query(self.endpoint(address), name, rdtype) for address in zone.addresses)
        replies: list[Reply] = []
        for batch in ([first], others):
            if batch:
                replies += yield batch
            for reply in replies:
                if reply.answer is not None and not is_lame(reply.answer, zone):
                    return reply.answer
        said = "; ".join(
            f"{reply.query.endpoint}: {'not authoritative' if reply.answer is not None else reply}" for reply in replies
        )
        raise Retryable(f"no name server of {zone.name} answered for {name.to_text()} ({said})", reason=UNAVAILABLE)


def is_lame(message: dns.message.Message, zone: Zone) -> bool:
    """Whether a server that should serve the zone answers as if it did not: without authority, referring elsewhere."""
    return not message.flags & dns.flags.AA and not message.answer and referral(message, zone) is None


def referral(message: dns.message.Message, zone: Zone) -> dns.name.Name | None:
    """The zone below this one that a server points to instead of answering (RFC 1034 section 4.3.2), if it does."""
    if message.answer or message.flags & dns.flags.AA:
        return None
    apex = dns.name.from_text(zone.name)
    for rrset in message.authority:
        if rrset.rdtype == NS and rrset.name != apex and rrset.name.is_subdomain(apex):
            return rrset.name.canonicalize()
    return None


def _zone_of(name: dns.name.Name, message: dns.message.Message) -> dns.rrset.RRset | None:
    """The SOA that says which zone a name is in, if the answer to `SOA name` has one.

    An apex has no CNAME. An authority section tells only of the name itself when nothing redirected the question, and
    only its ancestors can hold it.
    """
    for rrset in message.answer:
        if rrset.rdtype == SOA and rrset.name == name:
            return rrset
    if message.answer:
        return None
    return next((r for r in message.authority if r.rdtype == SOA and name.is_subdomain(r.name)), None)


def _addresses(answer: dns.message.Message | Retryable) -> Iterable[str]:
    if isinstance(answer, Retryable):
        return ()
    return [rdata.address for rrset in answer.answer if rrset.rdtype in {A, AAAA} for rdata in rrset]
