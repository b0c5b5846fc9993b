"""Walks down from the top to the zone of a name by the word of authoritative servers alone, and compares on the way.

Resolvers are asked only who serves the top and where servers are; glue stands in where they do not know. So it sees
what a CA sees that starts from the root, whatever the resolvers of this place believe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
from dns.rdatatype import AAAA, NS, SOA, A

from certwright.dns.answers import referral
from certwright.dns.finding import Finding, advice, problem, several
from certwright.dns.names import ancestors
from certwright.dns.suffixes import domain_of, is_public_suffix
from certwright.dns.wire import Query
from certwright.dns.zone import NameServer, Zone
from certwright.errors import CertwrightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from certwright.dns.transport import Conversation
    from certwright.dns.wire import Reply
    from certwright.dns.zone import Zones

ASKED = 4
"""Addresses of a parent zone that are asked; all say the same as a rule, and some zones have twenty-six."""
MAX_CUTS = 10


@dataclass(frozen=True, slots=True)
class Descent:
    """The way down.

    Args:
        path: The zones from the top to the last that could be reached.
        zone: The last one with everyone who serves it by its parent's word or its own; None when not even the top was
            reached or a name is not delegated.
        named: The zone's name servers by its parent's word; empty where the parent's servers hold the zone as well.
        own: By its own word.
        findings: What is wrong.
    """

    path: tuple[str, ...] = ()
    zone: Zone | None = None
    named: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def descending(zones: Zones, name: dns.name.Name) -> Conversation[Descent]:
    """Walk down to the zone that holds a name. Faults are findings."""
    try:
        top = yield from _top(zones, name)
    except CertwrightError as fault:
        return Descent(
            findings=(
                advice("DelegationUnseen", f"the delegation cannot be walked: {fault.message}", "see the resolvers"),
            )
        )
    step = Descent((top.name,), top)
    for _ in range(MAX_CUTS):
        after = yield from _down(zones, step, name)
        if after is None:
            break
        step = after
        if after.zone is None or after.findings:
            return after
    assert step.zone is not None  # noqa: S101 - for the type checker
    apex = dns.name.from_text(step.zone.name)
    if is_public_suffix(apex):
        return replace(step, zone=None, findings=(_undelegated(name, step.zone),))
    return (yield from _own(zones, step, apex))


def _top(zones: Zones, name: dns.name.Name) -> Conversation[Zone]:
    """The zone of the public suffix, or of the top-level domain where none is listed; the root where it has no zone.

    Raises:
        CertwrightError: Nobody says who serves it.
    """
    above = list(ancestors(name))
    suffix = next((label for label in above if is_public_suffix(label)), above[-1])
    message = yield from zones.resolvers.asking(suffix, SOA)
    owners = [rrset.name for rrset in (*message.answer, *message.authority) if rrset.rdtype == SOA]
    owner = next((owner.canonicalize() for owner in owners if suffix.is_subdomain(owner)), dns.name.root)
    return (yield from zones.serving(owner))


def _down(zones: Zones, step: Descent, name: dns.name.Name) -> Conversation[Descent | None]:
    """One delegation further down; None at the end of the way."""
    zone = step.zone
    assert zone is not None  # noqa: S101 - likewise
    replies = yield [Query(zones.endpoint(address), name, SOA, whole=True) for address in zone.addresses[:ASKED]]
    answers = [reply.answer for reply in replies if reply.answer is not None]
    usable = [message for message in answers if message.flags & dns.flags.AA or referral(message, zone) is not None]
    if not usable:
        return replace(step, findings=(_unreachable(zone, replies),))
    cuts = [cut for message in usable if (cut := referral(message, zone)) is not None and name.is_subdomain(cut)]
    if cuts:
        named, glue = _named(usable, cuts[0])
        servers = yield from _addresses(zones, named, glue)
        return _entered(step, cuts[0], named, servers)
    held = _apex(usable, name)
    if held is not None and held.is_subdomain(dns.name.from_text(zone.name)) and held.to_text() != zone.name:
        # The servers of the parent hold the child, too, and answer for it at once.
        return replace(step, path=(*step.path, held.to_text()), zone=replace(zone, name=held.to_text()), named=())
    if held is None and len(name.labels) > len(dns.name.from_text(zone.name).labels) + 1:
        # A CNAME hides which zone its owner is in; the name above is in the same one, or is the way to it.
        return (yield from _down(zones, step, name.parent()))
    return None


def _entered(step: Descent, cut: dns.name.Name, named: tuple[str, ...], servers: tuple[NameServer, ...]) -> Descent:
    after = Descent((*step.path, cut.to_text()), Zone(cut.to_text(), servers), named)
    if any(server.addresses for server in servers):
        return after
    return replace(
        after,
        zone=None,
        findings=(
            problem(
                "NoServerAddress",
                f"{step.path[-1]} delegates {cut.to_text()} to {several(named)}, and none of these has an address",
                "make address records for them, and glue at the registrar where they lie inside the zone",
            ),
        ),
    )


def _own(zones: Zones, step: Descent, apex: dns.name.Name) -> Conversation[Descent]:
    """The zone's own word on who serves it, and the union of both."""
    zone = step.zone
    assert zone is not None  # noqa: S101 - likewise
    replies = yield [Query(zones.endpoint(address), apex, NS, whole=True) for address in zone.addresses]
    own: set[str] = set()
    glue: dict[str, tuple[str, ...]] = {}
    for reply in replies:
        if reply.answer is not None:
            names, more = _named([reply.answer], apex)
            own |= set(names)
            glue |= more
    findings: list[Finding] = []
    if step.named and own and own != set(step.named):
        extra, lacking = set(step.named) - own, own - set(step.named)
        parts = [f"only {step.path[-2]} names {several(extra)}"] if extra else []
        parts += [f"only the zone itself names {several(lacking)}"] if lacking else []
        findings.append(
            advice(
                "DelegationDiffers",
                f"the delegation of {zone.name} is not what the zone says: {', '.join(parts)}",
                "make the NS records at the registrar and in the zone the same; a CA may ask any of these servers",
            )
        )
    new = sorted(own - {server.name for server in zone.nameservers})
    servers = (yield from _addresses(zones, tuple(new), glue)) if new else ()
    if not step.named:  # the parent's servers are not the zone's
        servers = tuple(server for server in (*zone.nameservers, *servers) if server.name in own) or zone.nameservers
    else:
        servers = (*zone.nameservers, *servers)
    return replace(step, zone=Zone(zone.name, servers), own=tuple(sorted(own)), findings=tuple(findings))


def _named(
    messages: Iterable[dns.message.Message], cut: dns.name.Name
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The name servers that messages name for a zone, and the glue beside."""
    named: set[str] = set()
    glue: dict[str, set[str]] = {}
    for message in messages:
        for rrset in (*message.answer, *message.authority):
            if rrset.rdtype == NS and rrset.name == cut:
                named |= {item.target.canonicalize().to_text() for item in rrset}
        for rrset in message.additional:
            if rrset.rdtype in {A, AAAA}:
                glue.setdefault(rrset.name.canonicalize().to_text(), set()).update(item.address for item in rrset)
    ordered = {owner: tuple(sorted(found, key=lambda text: (":" in text, text))) for owner, found in glue.items()}
    return tuple(sorted(named)), ordered


def _addresses(
    zones: Zones, names: Sequence[str], glue: Mapping[str, tuple[str, ...]]
) -> Conversation[tuple[NameServer, ...]]:
    """The servers with their addresses by the resolvers, else by the glue."""
    questions = [(dns.name.from_text(name), kind) for name in names for kind in (A, AAAA)]
    answers = yield from zones.resolvers.asking_all(questions)
    found: dict[str, tuple[str, ...]] = dict.fromkeys(names, ())
    for (name, kind), answer in zip(questions, answers, strict=True):
        if not isinstance(answer, CertwrightError):
            found[name.to_text()] += tuple(
                item.address for rrset in answer.answer if rrset.rdtype == kind for item in rrset
            )
    return tuple(NameServer(name, addresses or glue.get(name, ())) for name, addresses in found.items())


def _apex(messages: Sequence[dns.message.Message], name: dns.name.Name) -> dns.name.Name | None:
    """The apex that an authoritative answer is from, by its SOA."""
    for message in messages:
        if message.flags & dns.flags.AA:
            for rrset in (*message.answer, *message.authority):
                if rrset.rdtype == SOA and name.is_subdomain(rrset.name):
                    return rrset.name.canonicalize()
    return None


def _undelegated(name: dns.name.Name, zone: Zone) -> Finding:
    domain = domain_of(name) or name
    return problem(
        "NoDelegation",
        f"{domain.to_text()} is not delegated: the name servers of {zone.name} know no NS records for it",
        "check the spelling, that the domain is registered and paid for, and have the registrar name its name servers",
    )


def _unreachable(zone: Zone, replies: Sequence[Reply]) -> Finding:
    said = several(
        f"{reply.query.endpoint.address}: {reply if reply.answer is None else 'not authoritative'}" for reply in replies
    )
    if all(reply.message is None for reply in replies):
        action = "let this place reach port 53 of the internet by UDP and TCP; without it only resolvers can be asked"
    else:
        action = "see that these servers are set up for the zone"
    return problem("ZoneUnreachable", f"no name server of {zone.name} gives a usable answer ({said})", action)
