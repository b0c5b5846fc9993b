"""Compares what resolvers keep of a name with what its zone has: a kept "no such name" outlasts the making of it.

The resolvers are asked without recursion, so that one that keeps nothing is not made to keep a negative answer now.
Forwarders that recurse all the same, as CoreDNS does, cannot be asked otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.flags
import dns.name
import dns.rcode
from dns.rdatatype import SOA, TXT

from certwright.dns.finding import Finding, advice, problem, several
from certwright.dns.wire import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.dns.servers import ServerState
    from certwright.dns.transport import Conversation
    from certwright.dns.wire import Reply
    from certwright.dns.zone import Zones

RESOLVERS = 6
"""Addresses of resolvers that are asked."""
LONG = 3600
"""Seconds; negative answers that are kept longer than that make mistakes dear."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A negative answer that a resolver keeps, for so many seconds more."""

    resolver: str
    name: str
    rcode: str
    seconds: int


def remembering(zones: Zones, names: Sequence[dns.name.Name]) -> Conversation[tuple[Kept, ...]]:
    """The negative answers that the resolvers keep of these names."""
    endpoints = zones.resolvers.endpoints()[:RESOLVERS]
    queries = [Query(endpoint, name, TXT, whole=True) for endpoint in endpoints for name in names]
    replies = (yield queries) if queries else ()
    return tuple(kept for reply in replies if (kept := _kept(reply)) is not None)


def findings(kept: Sequence[Kept], name: dns.name.Name, *, held: str) -> list[Finding]:
    """What they mean for one name.

    Args:
        kept: What the resolvers keep.
        name: A name on the way to the record.
        held: What its zone has there; empty for nothing.
    """
    own = [item for item in kept if item.name == name.to_text()]
    if not own:
        return []
    seconds = max(item.seconds for item in own)
    who = several(f"{item.resolver} ({item.rcode}, {item.seconds} s left)" for item in own)
    said = f"{who} keeps the answer that {name.to_text()} has no such record"
    if held:
        return [
            problem(
                "NegativeCache",
                f"{said}, while its zone has {held}",
                f"wait {seconds} s or flush that resolver's cache; propagation.mode Authoritative does not ask it",
            )
        ]
    return [
        advice(
            "NegativeCache",
            f"{said}, and sees no new one before that lapses",
            f"with propagation.mode Recursive, wait {seconds} s first; Authoritative, the default, does not ask it",
        )
    ]


def long_kept(states: Sequence[ServerState]) -> list[Finding]:
    """A zone whose negative answers are kept for long."""
    longest = max((state.minimum for state in states), default=0)
    if longest <= LONG:
        return []
    return [
        advice(
            "LongNegativeTTL",
            f"resolvers keep it for {longest} s when a name of the zone does not exist",
            "lower the last number of the zone's SOA record, to 300 for example",
        )
    ]


def _kept(reply: Reply) -> Kept | None:
    message = reply.answer
    if message is None or message.answer or message.flags & dns.flags.AA:
        return None  # with authority, it is the zone itself and no cache
    for rrset in message.authority:
        if rrset.rdtype == SOA and reply.query.name.is_subdomain(rrset.name):
            return Kept(
                str(reply.query.endpoint),
                reply.query.name.to_text(),
                dns.rcode.to_text(message.rcode()),
                min(rrset.ttl, rrset[0].minimum),
            )
    return None
