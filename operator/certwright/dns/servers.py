"""Looks at every address of every name server of a zone: whether it answers by UDP and by TCP, and whether all agree.

Here each transport is tried on its own, so that a path that is half dead shows. What a challenge's name has is compared
as it is; a record that is being made just now is the business of `propagation`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import dns.flags
import dns.name
import dns.rcode
from dns.rdatatype import CNAME, SOA, TXT

from certwright.dns.answers import is_lame, referral
from certwright.dns.finding import Finding, advice, ok, problem, several
from certwright.dns.wire import Fault, Query, Reply, Via

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zone, Zones

MOST = 26
"""Addresses of one zone that are looked at; more than any zone of good repute has."""
NOTHING = "NXDOMAIN"
ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class ServerState:
    """One address of one name server.

    Args:
        name: Of the server.
        address: Its address.
        udp: `answers`, or what came instead.
        tcp: Likewise.
        lame: Whether it answers without serving the zone.
        recursive: Whether it answers as a resolver does: with recursion (RA) and without authority.
        primary: The primary server that its SOA names; empty when it gave none.
        serial: Of its SOA; None when it gave none.
        minimum: Seconds that its negative answers are kept (RFC 2308 section 5).
        holds: What the challenge's name has there: NXDOMAIN, nothing, a CNAME, TXT values; empty when unknown.
    """

    name: str
    address: str
    udp: str
    tcp: str
    lame: bool = False
    recursive: bool = False
    primary: str = ""
    serial: int | None = None
    minimum: int = 0
    holds: str = ""

    @property
    def alive(self) -> bool:
        """Whether anything came from there, be it an error."""
        return self.lame or ANSWERS in {self.udp, self.tcp}

    @property
    def unrouted(self) -> bool:
        """Whether this place has no way to such addresses at all."""
        return {self.udp, self.tcp} == {str(Fault.NO_ROUTE)}


def inspecting(zones: Zones, zone: Zone, name: dns.name.Name) -> Conversation[tuple[ServerState, ...]]:
    """Look at all servers of a zone side by side.

    Args:
        zones: Knows the port.
        zone: The zone with all its servers.
        name: The challenge's name, or what it leads to.
    """
    apex = dns.name.from_text(zone.name)
    places = [(server.name, address) for server in zone.nameservers for address in server.addresses][:MOST]
    queries = []
    for _, address in places:
        endpoint = zones.endpoint(address)
        queries += [
            Query(endpoint, apex, SOA, via=Via.UDP),
            Query(endpoint, apex, SOA, via=Via.TCP),
            Query(endpoint, name, TXT),
        ]
    replies = (yield queries) if queries else ()
    return tuple(_state(zone, place, replies[index * 3 : index * 3 + 3]) for index, place in enumerate(places))


def findings(zone: Zone, states: Sequence[ServerState], name: dns.name.Name) -> list[Finding]:
    """What is wrong with a zone's servers, by what is worst; one finding that all is well when nothing is."""
    found: list[Finding] = []
    nameless = [server.name for server in zone.nameservers if not server.addresses]
    if nameless:
        found.append(
            problem(
                "NoServerAddress",
                f"{several(nameless)} should serve {zone.name} and has no address",
                "make its address record, or take it out of the zone's NS records",
            )
        )
    if states and not any(state.alive for state in states):
        return [*found, _all_silent(zone, states)]
    found += _lame(zone, states)
    found += _silent(zone, states)
    found += _half_dead(states)
    serving = [state for state in states if state.serial is not None and not state.lame]
    found += _stale(zone, serving)
    found += _torn(zone, serving, name)
    if not found and states:
        found.append(ok("Servers", f"all {len(states)} addresses of the name servers of {zone.name} answer and agree"))
    return found


def _state(zone: Zone, place: tuple[str, str], replies: Sequence[Reply]) -> ServerState:
    udp, tcp, txt = replies
    state = ServerState(*place, _said(udp), _said(tcp))
    message = udp.answer or tcp.answer or udp.message or tcp.message
    if message is None:
        return state
    authoritative = bool(message.flags & dns.flags.AA)
    recursive = not authoritative and bool(message.flags & dns.flags.RA)
    apex = dns.name.from_text(zone.name)
    soa = next((rrset for rrset in message.answer if rrset.rdtype == SOA and rrset.name == apex), None)
    if soa is None or not authoritative:
        return replace(state, lame=True, recursive=recursive)
    return replace(
        state,
        primary=soa[0].mname.canonicalize().to_text(),
        serial=soa[0].serial,
        minimum=min(soa[0].minimum, soa.ttl),
        holds=_holding(zone, txt),
    )


def _said(reply: Reply) -> str:
    return ANSWERS if reply.answer is not None else str(reply)


def _holding(zone: Zone, reply: Reply) -> str:
    message = reply.answer
    if message is None or is_lame(message, zone):
        return ""
    below = referral(message, zone)
    if below is not None:
        return f"a delegation of {below.to_text()}"
    if message.rcode() == dns.rcode.NXDOMAIN and not message.answer:
        return NOTHING
    for rrset in message.answer:
        if rrset.rdtype == CNAME:
            return f"CNAME {rrset[0].target.canonicalize().to_text()}"
    values = [
        b"".join(item.strings).decode("utf-8", "replace") for r in message.answer if r.rdtype == TXT for item in r
    ]
    return f"TXT {several(value[:50] for value in values)}" if values else "no TXT record"


def _all_silent(zone: Zone, states: Sequence[ServerState]) -> Finding:
    if all(state.unrouted for state in states):
        return advice(
            "NoRoute",
            f"there is no way from here to any name server of {zone.name}",
            "try from another place, or give this one a route to them",
        )
    said = several(f"{state.address}: {state.udp}" for state in states)
    return problem(
        "AllServersSilent",
        f"no name server of {zone.name} answers from here by UDP or TCP ({said})",
        "let this place reach port 53 of the internet, or have the operator look through resolvers: set "
        "propagation.mode to Recursive; if others cannot reach them either, the servers are down",
    )


def _lame(zone: Zone, states: Sequence[ServerState]) -> list[Finding]:
    lame = [state for state in states if state.lame]
    if not lame:
        return []
    said = several(f"{state.name} {state.address} ({_excuse(state)})" for state in lame)
    return [
        problem(
            "LameServer",
            f"{said} should serve {zone.name} and does not",
            "set the zone up there, or take the server out of the NS records of the zone and of its delegation",
        )
    ]


def _excuse(state: ServerState) -> str:
    return "it is not authoritative" if state.udp == ANSWERS else state.udp


def _silent(zone: Zone, states: Sequence[ServerState]) -> list[Finding]:
    """Addresses without any answer. All of IPv6 dead is the path's fault, and one server's is that server's."""
    silent = [state for state in states if not state.alive and not state.unrouted]
    six = [state for state in states if ":" in state.address and not state.unrouted]
    found = []
    if six and all(state in silent for state in six) and any(state.alive for state in states):
        found.append(
            advice(
                "IPv6PathDead",
                f"no IPv6 address of the name servers answers from here ({several(state.address for state in six)}), "
                "while IPv4 does: the IPv6 path is dead",
                "repair the IPv6 route of this place, or of the servers if others cannot reach them either, or take "
                "their AAAA records away; the operator does not wait for them, but a CA may",
            )
        )
        silent = [state for state in silent if state not in six]
    for address_kind, chosen in (("IPv6", True), ("IPv4", False)):
        dead = [state for state in silent if (":" in state.address) is chosen]
        if dead:
            said = several(f"{state.name} {state.address} ({state.udp})" for state in dead)
            found.append(
                problem(
                    "ServerSilent",
                    f"{said}: no answer by {address_kind}",
                    f"repair the server or the way to it, or take it out of the NS records of {zone.name}",
                )
            )
    return found


def _half_dead(states: Sequence[ServerState]) -> list[Finding]:
    found = []
    for works, fails in (("udp", "tcp"), ("tcp", "udp")):
        half = [s for s in states if getattr(s, works) == ANSWERS and getattr(s, fails) != ANSWERS]
        if half:
            said = several(f"{state.name} {state.address} ({getattr(state, fails)})" for state in half)
            found.append(
                advice(
                    f"No{fails.upper()}",
                    f"{said} answers by {works.upper()} only",
                    f"open port 53 for {fails.upper()} there, or on the way: DNS needs both (RFC 7766)",
                )
            )
    return found


def _stale(zone: Zone, serving: Sequence[ServerState]) -> list[Finding]:
    """Servers of one primary have one serial; servers of several providers need not (RFC 8901)."""
    by_primary: dict[str, list[ServerState]] = defaultdict(list)
    for state in serving:
        by_primary[state.primary].append(state)
    found = []
    if len(by_primary) > 1:
        found.append(
            advice(
                "SeveralPrimaries",
                f"the name servers of {zone.name} have SOA records of several primaries: {several(by_primary)}",
                "if these are several providers, the record has to be written at each; if not, mend the zone transfer",
            )
        )
    for primary, states in by_primary.items():
        newest = _newest([state.serial for state in states if state.serial is not None])
        behind = [state for state in states if state.serial != newest]
        if behind:
            said = several(f"{state.name} {state.address} (serial {state.serial})" for state in behind)
            found.append(
                problem(
                    "StaleServer",
                    f"{said} is behind: {len(states) - len(behind)} of {len(states)} addresses have serial {newest} "
                    f"of {zone.name}",
                    f"look at the zone transfer from {primary} to it (NOTIFY, allowed addresses, TSIG key)",
                )
            )
    return found


def _newest(serials: Sequence[int]) -> int:
    """The newest by serial number arithmetic (RFC 1982)."""
    newest = serials[0]
    for serial in serials[1:]:
        if 0 < (serial - newest) % 2**32 < 2**31:
            newest = serial
    return newest


def _torn(zone: Zone, serving: Sequence[ServerState], name: dns.name.Name) -> list[Finding]:
    """Servers that say different things of the challenge's name."""
    groups: Mapping[str, int] = Counter(state.holds for state in serving if state.holds)
    if len(groups) < 2:  # noqa: PLR2004 - two make a difference
        return []
    usual = max(groups, key=lambda text: (groups[text], text))
    others = [state for state in serving if state.holds and state.holds != usual]
    said = several(f"{state.name} {state.address} has {state.holds}" for state in others)
    return [
        problem(
            "ServersDisagree",
            f"the name servers disagree about {name.to_text()}: {groups[usual]} have {usual}, {said}",
            f"wait if the record was just changed; if this lasts, look at the zone transfers of {zone.name}",
        )
    ]
