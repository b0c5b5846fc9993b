"""Finds out whether something on the way answers DNS in the place of the servers that are asked.

Firewalls, service meshes and hotels redirect port 53 to a resolver of theirs. Then every name server looks alike, and
no record is ever seen early or where it matters. The proof: an address of TEST-NET-1 (RFC 5737) is nobody's, no packet
to it arrives anywhere, and so nobody but an interceptor can answer a question sent there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dns.rdatatype import SOA

from certwright.dns.finding import Finding, advice, ok, problem
from certwright.dns.wire import Query, Via

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dns.name

    from certwright.dns.servers import ServerState
    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zones

NOBODY = "192.0.2.1"
ACTION = (
    "exempt port 53 of this pod from the redirection (of a service mesh, a firewall, a node-local cache), or have the "
    "operator look through resolvers that cannot be redirected: propagation.mode Recursive with nameservers tls://… or "
    "https://…"
)


def probing(zones: Zones, name: dns.name.Name, *, nobody: str = NOBODY) -> Conversation[bool]:
    """Whether a question to an address that is nobody's is answered.

    Args:
        zones: Knows the port.
        name: What to ask for.
        nobody: The address; another one is for tests.
    """
    replies = yield [Query(zones.endpoint(nobody), name, SOA, recurse=True, via=via) for via in (Via.UDP, Via.TCP)]
    return any(reply.message is not None for reply in replies)


def judge(states: Sequence[ServerState], *, answered: bool, nobody: str = NOBODY) -> list[Finding]:
    """What the probe and the servers' own answers say together.

    Args:
        states: The servers of the zone.
        answered: What `probing` said.
        nobody: The address it asked.
    """
    if answered:
        return [
            problem(
                "Port53Intercepted",
                f"port 53 is intercepted: {nobody}, an address that nobody has, answers a DNS question; what is said "
                "here of single name servers is the interceptor's word",
                ACTION,
            )
        ]
    alive = [state for state in states if state.alive]
    if alive and all(state.recursive for state in alive):
        return [
            advice(
                "Port53Suspicious",
                f"all {len(alive)} addresses that answer do so as resolvers do, without authority: port 53 may be "
                "intercepted",
                ACTION,
            )
        ]
    return [ok("Port53", "nothing on the way answers in the name servers' place")] if alive else []
