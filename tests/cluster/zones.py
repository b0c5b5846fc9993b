"""The zones that the test name server holds, as data and as zone files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of the test name server.

    Attributes:
        name: Without the dot at the end, such as `example.test`.
        dynamic: Whether updates signed with the key are taken; a frozen zone refuses them.
        records: Further lines of the zone file, such as `alias CNAME target.example.test.`; owner names are relative.
    """

    name: str
    dynamic: bool = True
    records: Sequence[str] = ()


#: A zone with a delegated zone below it, a CNAME into another zone, and a zone that refuses updates.
DEFAULT_ZONES = (
    Zone("example.test", records=["_acme-challenge.alias CNAME alias.validation.test."]),
    Zone("sub.example.test"),
    Zone("validation.test"),
    Zone("frozen.test", dynamic=False),
)


def name_servers(zone: str, addresses: Sequence[str]) -> list[tuple[str, str]]:
    """Return the zone's name servers as (absolute name, address): ns1, ns2, ... inside the zone."""
    return [(f"ns{number}.{zone}.", address) for number, address in enumerate(addresses, start=1)]


def zone_file(zone: Zone, others: Iterable[Zone], addresses: Sequence[str]) -> str:
    """Return a zone's file, with delegations to those of the others that lie directly below it."""
    mail = f"hostmaster.{zone.name}."
    servers = name_servers(zone.name, addresses)
    lines = [
        "$TTL 60",
        # Unknown names are forgotten after a second, so that a test that looks too early does not pay for it.
        f"@ SOA {servers[0][0]} {mail} 1 3600 600 86400 1",
        *(f"@ NS {server}" for server, _ in servers),
        *(f"{server} A {address}" for server, address in servers),
        *(f"@ A {address}" for _, address in servers[:1]),
        *zone.records,
        *_delegations(zone.name, list(others), addresses),
    ]
    return "\n".join([f"$ORIGIN {zone.name}.", *lines, ""])


def root_zone_file(zones: Sequence[Zone], addresses: Sequence[str]) -> str:
    """Return a root zone that knows these zones only: every other name is NXDOMAIN at once, and nothing is asked."""
    lines = [
        "$TTL 60",
        "@ SOA root.invalid. hostmaster.invalid. 1 3600 600 86400 1",
        "@ NS root.invalid.",
        f"root.invalid. A {addresses[0]}",
        *_delegations("", list(zones), addresses),
    ]
    return "\n".join(["$ORIGIN .", *lines, ""])


def _delegations(parent: str, zones: list[Zone], addresses: Sequence[str]) -> list[str]:
    lines = []
    for child in zones:
        if _closest_parent(child.name, [zone.name for zone in zones] + [parent]) == parent:
            servers = name_servers(child.name, addresses)
            lines += [f"{child.name}. NS {server}" for server, _ in servers]
            lines += [f"{server} A {address}" for server, address in servers]
    return lines


def _closest_parent(name: str, zones: Iterable[str]) -> str:
    above = [zone for zone in zones if zone != name and (not zone or name.endswith(f".{zone}"))]
    return max(above, key=len, default="")
