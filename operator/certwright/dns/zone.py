"""Finds the zone a name is in, and every address of that zone's name servers.

The resolvers say only where the domain itself is served; from there down its own servers are asked. Resolvers that are
asked for a name which does not exist yet keep that for a while (RFC 2308), for all names below it as well (RFC 8020),
and so would not see a record that is made just now. Where the servers are out of reach, the resolvers are asked for the
SOA of the name and of those above it, past labels that fail.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from dns.rdatatype import AAAA, NS, SOA, A

from certwright.dns.answers import held_below, is_lame, referral, soa_of
from certwright.dns.cache import Cache
from certwright.dns.finding import several
from certwright.dns.names import ancestors, canonical
from certwright.dns.resolvers import UNAVAILABLE, Refuse
from certwright.dns.suffixes import domain_of, is_public_suffix
from certwright.dns.transport import Conversation, hold
from certwright.dns.wire import Endpoint, Query, Reply, Via
from certwright.errors import CertwrightError, Retryable, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certwright.dns.resolvers import Resolvers

ZONE_NOT_FOUND = "ZoneNotFound"
MOST_STEPS = 40
"""Questions on the way down from a domain to the zone of one name."""
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
        """The apex of the zone that holds a name.

        Raises:
            Retryable: When servers do not answer.
            Terminal: When nothing below a public suffix is a zone.
        """
        apex = self._apexes.get(name)
        if apex is None:
            try:
                apex = yield from self._by_authority(name)
            except CertwrightError:  # the domain's servers are out of reach, or not served as they should be
                apex = None
            apex = apex or (yield from self._by_resolvers(name))
        return apex

    def _by_authority(self, name: dns.name.Name) -> Conversation[dns.name.Name | None]:
        """Down from the domain by the word of its own servers; None where the domain is no zone.

        Raises:
            CertwrightError: When a zone on the way is not served.
        """
        domain = domain_of(name)
        apex = (yield from self._domain_apex(domain)) if domain else None
        asked, seconds = name, CACHE_SECONDS
        for _ in range(MOST_STEPS):
            if apex is None or asked == apex:
                break
            zone = yield from self.serving(apex)
            message = yield from self.asking(zone, asked, SOA)
            seconds = min([seconds, *(rrset.ttl for rrset in (*message.answer, *message.authority))])
            below = referral(message, zone) or held_below(message, asked, zone)
            if below is not None and asked.is_subdomain(below):
                apex, asked = below, name
            elif message.answer:  # a CNAME hides which zone its owner is in, and no apex has one
                asked = asked.parent()
            else:
                if message.rcode() == dns.rcode.NXDOMAIN:
                    apex = yield from self.undelegated(name, apex)
                break
        if apex is not None:
            self._apexes.put(name, apex, seconds=seconds)
        return apex

    def _domain_apex(self, domain: dns.name.Name) -> Conversation[dns.name.Name | None]:
        """The apex of the zone that a domain is in, by the resolvers: as a rule its own, and so no negative answer."""
        known = self._apexes.get(domain)
        if known is not None:
            return known
        soa = soa_of(domain, (yield from self.resolvers.asking(domain, SOA)))
        if soa is None or is_public_suffix(soa.name):
            return None
        self._apexes.put(domain, soa.name.canonicalize(), seconds=min(soa.ttl, CACHE_SECONDS))
        return soa.name.canonicalize()

    def undelegated(self, name: dns.name.Name, apex: dns.name.Name) -> Conversation[dns.name.Name]:
        """A deeper zone that only the resolver has, else the apex; asked where the apex's servers know no such name.

        Companies have such zones at the resolvers themselves. These are asked without recursion: one that had to find
        out first would keep that the name does not exist, or one above it (RFC 9156).
        """
        for label in ancestors(name):
            endpoints = self.resolvers.endpoints()[:1]
            if label == apex or not endpoints:
                break
            (reply,) = yield [Query(endpoints[0], label, SOA, via=Via.UDP)]  # some drop such questions
            soa = None if reply.answer is None else soa_of(label, reply.answer)
            if soa is not None and soa.name.is_subdomain(apex):
                return soa.name.canonicalize()
            if reply.answer is None or not reply.answer.answer:  # else a wildcard's CNAME hides it
                break
        return apex

    def _by_resolvers(self, name: dns.name.Name) -> Conversation[dns.name.Name]:
        """By SOA from leaf to apex, for which the resolvers are asked (RFC 1034 section 4.2.1)."""
        fault: Retryable | None = None
        for label in ancestors(name):
            if is_public_suffix(label):
                break
            try:
                message = yield from self.resolvers.asking(label, SOA)
            except Retryable as error:
                fault = fault or error
                continue
            soa = soa_of(label, message)
            if soa is not None and not is_public_suffix(soa.name):
                self._apexes.put(name, soa.name.canonicalize(), seconds=min(soa.ttl, CACHE_SECONDS))
                return soa.name.canonicalize()
        if fault:
            raise fault
        raise Terminal(
            f"no zone found for {name.to_text()}: the resolvers {several(self.resolvers.servers)} know no zone at or "
            "above it below the public suffix; check the spelling and that the domain is registered and delegated, or "
            "ask others if these hide it (dns01.nameservers), or set dns01.zone",
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


def _addresses(answer: dns.message.Message | Retryable) -> Iterable[str]:
    if isinstance(answer, Retryable):
        return ()
    return [rdata.address for rrset in answer.answer if rrset.rdtype in {A, AAAA} for rdata in rrset]
