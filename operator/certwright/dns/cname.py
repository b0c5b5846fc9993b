"""Follows a challenge's name to where its TXT record has to stand: along CNAME and DNAME, down delegations.

Only authoritative servers are asked for the name itself, so that no resolver learns that it does not exist yet; the
resolvers stand in only where none of those servers can be reached. A CNAME that a wildcard makes up is not followed:
the record's own name overrides it (RFC 4592 section 2.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
from dns.rdatatype import CNAME, DNAME, SOA

from certwright.dns.answers import held_below, referral
from certwright.dns.names import ancestors, canonical
from certwright.dns.transport import Conversation, hold
from certwright.errors import Retryable, Terminal

if TYPE_CHECKING:
    from certwright.dns.zone import Zone, Zones

LIMIT = 8
"""Hops at most. Unbound and BIND give up after eleven, and a CA may use either; this leaves it some to spare."""
REASON = "BadCNAME"


@dataclass(frozen=True, slots=True)
class Chain:
    """The names from the challenge's own to the one that holds the record, and the zone of that one."""

    names: tuple[str, ...]
    zone: Zone

    @property
    def target(self) -> str:
        """The name the record belongs at; ends with a dot."""
        return self.names[-1]


def follow(zones: Zones, name: str, *, cnames: bool = True) -> Chain:
    """Find where the record for a name belongs, and wait for the answers; see `following`."""
    return hold(following(zones, canonical(name), cnames=cnames), limits=zones.resolvers.limits)


def following(zones: Zones, name: dns.name.Name, *, cnames: bool = True) -> Conversation[Chain]:
    """Find where the record for a name belongs.

    Args:
        zones: How zones and their servers are found.
        name: The challenge's name.
        cnames: False stays at the name (`cnameStrategy: None`); delegations are followed all the same.

    Raises:
        Retryable: When servers do not answer.
        Terminal: When there is no zone (ZoneNotFound), or the chain loops or is too long (BadCNAME).
    """
    names, wanted = [name], CNAME if cnames else SOA  # what is not followed is not asked for
    zone = yield from _above(zones, name)
    while True:
        try:
            message = yield from zones.asking(zone, name, wanted)
        except Retryable:
            if not cnames:  # then the name's zone is that of its parent, and no resolver need hear of it too early
                return Chain((name.to_text(),), zone)
            message = yield from zones.resolvers.asking(name, wanted)
        below = referral(message, zone)
        if below is not None and name.is_subdomain(below):
            zone = yield from zones.serving(below)
            continue
        target = _redirect(message, name) if cnames else None
        if target is None or (yield from _made_up(zones, zone, name, target)):
            break
        if target in names or len(names) > LIMIT:
            raise _endless([*names, target])
        names.append(target)
        name = target
        zone = yield from _above(zones, name)
    inner = held_below(message, name, zone)
    if inner is not None:
        zone = yield from zones.serving(inner)
    return Chain(tuple(hop.to_text() for hop in names), zone)


def _above(zones: Zones, name: dns.name.Name) -> Conversation[Zone]:
    """The zone of the name's parent, so that the resolvers are not asked for the name; its own for a whole domain."""
    try:
        apex = yield from zones.walking(name.parent())
    except Terminal:
        apex = yield from zones.walking(name)
    return (yield from zones.serving(apex))


def _redirect(message: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Where the answer sends the name: its CNAME, or what a DNAME above it makes of it (RFC 6672 section 2.2)."""
    for rrset in message.answer:
        if rrset.rdtype == CNAME and rrset.name == name:
            target: dns.name.Name = rrset[0].target.canonicalize()
            return target
    for rrset in message.answer:
        if rrset.rdtype == DNAME and name != rrset.name and name.is_subdomain(rrset.name):
            try:
                return name.relativize(rrset.name).concatenate(rrset[0].target).canonicalize()
            except dns.exception.DNSException as error:
                raise Terminal(
                    f"{name.to_text()}: the DNAME at {rrset.name.to_text()} makes a name that is too long",
                    reason=REASON,
                ) from error
    return None


def _made_up(zones: Zones, zone: Zone, name: dns.name.Name, target: dns.name.Name) -> Conversation[bool]:
    """Whether a wildcard between the name and its zone's apex points to the same target."""
    apex = dns.name.from_text(zone.name)
    for above in ancestors(name.parent()):
        if not above.is_subdomain(apex):
            break
        try:
            message = yield from zones.asking(zone, dns.name.Name((b"*", *above.labels)), CNAME)
        except (Retryable, dns.exception.DNSException):
            break
        if _redirect(message, dns.name.Name((b"*", *above.labels))) == target:
            return True
    return False


def _endless(names: list[dns.name.Name]) -> Terminal:
    path = " -> ".join(name.to_text() for name in names)
    if names[-1] in names[:-1]:
        return Terminal(f"the CNAMEs of {names[0].to_text()} go round in a circle: {path}", reason=REASON)
    return Terminal(
        f"the CNAMEs of {names[0].to_text()} are more than {LIMIT}: {path}; point the first one at the last",
        reason=REASON,
    )
