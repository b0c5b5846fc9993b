"""Finds the addresses that a host name leads to, as a CA would: A and AAAA by the resolvers, along CNAMEs.

It says in words why there is none, and never whether an address may be connected to.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.message
import dns.name
import dns.rcode
from dns.rdatatype import AAAA, CNAME, A

from certwright.dns.finding import several
from certwright.errors import Retryable

if TYPE_CHECKING:
    from certwright.dns.resolvers import Resolvers
    from certwright.dns.transport import Conversation


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a name leads to.

    Args:
        found: IPv4 before IPv6, each in the order of numbers.
        end: The last name of its CNAMEs, with a final dot; its own where it has none.
        lack: Why there is no address, for people; empty where there is one.
    """

    found: tuple[str, ...]
    end: str = ""
    lack: str = ""


def looking_up(resolvers: Resolvers, name: dns.name.Name) -> Conversation[Addresses]:
    """Ask for A and AAAA side by side; one of them is enough, as it is for a CA.

    Args:
        resolvers: Whom to ask.
        name: An absolute name.

    Raises:
        Retryable: No resolver has an answer for a type, and the other type has no address.
    """
    answers = yield from resolvers.asking_all([(name, A), (name, AAAA)])
    messages = [answer for answer in answers if not isinstance(answer, Retryable)]
    found = {rdata.address for message in messages for r in message.answer if r.rdtype in {A, AAAA} for rdata in r}
    end = max((_end(message, name) for message in messages), key=lambda pair: pair[0], default=(0, name))[1].to_text()
    if found:
        ordered = sorted(map(ipaddress.ip_address, found), key=lambda address: (address.version, int(address)))
        return Addresses(tuple(map(str, ordered)), end)
    for answer in answers:
        if isinstance(answer, Retryable):
            raise answer
    aliased = f"its CNAME leads to {end}, and there is " if end != name.to_text() else ""
    if any(message.rcode() == dns.rcode.NXDOMAIN for message in messages):
        return Addresses((), end, f"{aliased}no such name (NXDOMAIN from {several(resolvers.servers)})")
    return Addresses((), end, f"{aliased}no A or AAAA record")


def _end(message: dns.message.Message, name: dns.name.Name) -> tuple[int, dns.name.Name]:
    """How many CNAMEs an answer has for a name, and where they lead."""
    targets = {rrset.name: rrset[0].target.canonicalize() for rrset in message.answer if rrset.rdtype == CNAME}
    steps = 0
    while name in targets and steps < len(targets):
        name, steps = targets[name], steps + 1
    return steps, name
