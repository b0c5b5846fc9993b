"""Compares where the operator would write a record with where the authoritative servers have its name.

The resolvers of a place may know other zones than the world does, by mistake or on purpose (split DNS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.dns.finding import Finding, advice, problem, several
from certwright.dns.zone import ZONE_NOT_FOUND
from certwright.errors import CertwrightError

if TYPE_CHECKING:
    from certwright.dns.cname import Chain
    from certwright.dns.zone import Zone


def compare(name: str, chain: Chain | CertwrightError, zone: Zone, inner: str) -> list[Finding]:
    """What differs; nothing when all say the same.

    Args:
        name: Where the record belongs.
        chain: The operator's way to it, or why it has none.
        zone: The name's zone by the word of authoritative servers alone.
        inner: The zone that the resolvers have the name in; empty when nobody asked them.
    """
    belief = _belief(name, chain, zone)
    if belief:
        return [
            problem(
                "WrongZone",
                f"{belief}, and the authoritative servers in {zone.name} at "
                f"{several(server.name for server in zone.nameservers)}; a CA asks the latter",
                "let the operator ask resolvers that see the public DNS (dns01.nameservers), or set dns01.zone to "
                f"{zone.name}",
            )
        ]
    if inner in {"", zone.name}:
        return []
    return [
        advice(
            "UndelegatedZone",
            f"the resolvers have {name} in the zone {inner}, to which the name servers of {zone.name} do not delegate: "
            f"it is seen from inside only, and the record is written into {zone.name}",
            f"leave it if the CA asks the public DNS; if it is one that sees {inner}, set dns01.zone to {inner}",
        )
    ]


def _belief(name: str, chain: Chain | CertwrightError, zone: Zone) -> str:
    """What the operator's resolvers have instead of the zone, if they do not have it where it is."""
    if isinstance(chain, CertwrightError):
        return f"the resolvers know no zone for {name}" if chain.reason == ZONE_NOT_FOUND else ""
    if chain.zone.name != zone.name:
        return f"the resolvers have {name} in the zone {chain.zone.name}"
    believed = {server.name for server in chain.zone.nameservers}
    if believed & {server.name for server in zone.nameservers}:
        return ""
    return f"the resolvers have the zone at {several(believed)}"
