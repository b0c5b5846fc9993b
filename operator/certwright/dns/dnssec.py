"""Finds out whether resolvers refuse a zone because its DNSSEC signatures do not fit (RFC 4035).

A resolver that checks signatures says no more than SERVFAIL then. Asked not to check (CD, section 3.2.2), it answers. A
CA checks as well, and takes nothing from such a zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.name
import dns.rcode
from dns.rdatatype import SOA

from certwright.dns.finding import Finding, problem, several
from certwright.dns.wire import Query

if TYPE_CHECKING:
    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zones

RESOLVERS = 6
"""Addresses of resolvers that are asked."""


def doubting(zones: Zones, apex: dns.name.Name) -> Conversation[tuple[str, ...]]:
    """The resolvers that have an answer for a zone's SOA record and do not believe it."""
    endpoints = zones.resolvers.endpoints()[:RESOLVERS]
    replies = yield [
        Query(endpoint, apex, SOA, recurse=True, unchecked=unchecked)
        for endpoint in endpoints
        for unchecked in (False, True)
    ]
    return tuple(
        str(checked.query.endpoint)
        for checked, unchecked in zip(replies[::2], replies[1::2], strict=True)
        if checked.message is not None
        and checked.message.rcode() == dns.rcode.SERVFAIL
        and unchecked.answer is not None
        and any(rrset.rdtype == SOA for rrset in unchecked.answer.answer)
    )


def findings(zone: str, doubters: tuple[str, ...]) -> list[Finding]:
    """What that means for the zone."""
    if not doubters:
        return []
    return [
        problem(
            "BogusSignatures",
            f"{several(doubters)} refuses {zone} (SERVFAIL) and has an answer when asked not to check signatures: the "
            "zone's DNSSEC signatures do not fit",
            f"mend the DS record of {zone} at the registrar, or have the zone signed anew; a CA refuses it, too",
        )
    ]
