"""Fetches the CAA records that a CA would go by: those of the name, else of the nearest name above it (RFC 8659).

A CNAME is followed for each name as resolvers do it; the climb goes on above the name itself and never above the
CNAME's target (section 3). The resolvers are asked, since a CA asks one, too, and all names side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dns.rdatatype import CAA

from certwright.dns.caa import CaaRecord, CaaVerdict, Ruling, Wish, judge
from certwright.dns.names import ancestors
from certwright.errors import Retryable

if TYPE_CHECKING:
    import dns.message
    import dns.name

    from certwright.dns.resolvers import Resolvers
    from certwright.dns.transport import Conversation


@dataclass(frozen=True, slots=True)
class CaaFound:
    """The relevant RRset and the name that has it; of no records when there is none."""

    records: tuple[CaaRecord, ...] = ()
    at: str = ""


def looking_up(resolvers: Resolvers, name: dns.name.Name) -> Conversation[CaaFound]:
    """Find the relevant RRset of a name, a wildcard's without its `*`.

    Raises:
        Retryable: Nobody can tell, since the resolvers have no answer for a name that comes before any with records.
    """
    climb = list(ancestors(name))
    answers = yield from resolvers.asking_all([(label, CAA) for label in climb])
    for answer in answers:
        if isinstance(answer, Retryable):
            raise answer
        found = _records(answer)
        if found.records:
            return found
    return CaaFound()


def ruling(resolvers: Resolvers, name: dns.name.Name, wish: Wish) -> Conversation[CaaVerdict]:
    """What CAA says to a wish. What cannot be asked is a verdict, too, for a CA may be luckier."""
    try:
        found = yield from looking_up(resolvers, name)
    except Retryable as fault:
        return CaaVerdict(
            Ruling.UNKNOWN,
            f"CAA cannot be looked up: {fault.message}",
            "see that the zone's name servers answer for CAA; a CA that gets no answer refuses to issue",
        )
    return judge(found.records, found.at, wish)


def _records(message: dns.message.Message) -> CaaFound:
    """The records of an answer, which stand at the end of its CNAMEs."""
    for rrset in message.answer:
        if rrset.rdtype == CAA:
            records = (CaaRecord(item.flags, item.tag.decode("ascii", "replace").lower(), item.value) for item in rrset)
            return CaaFound(tuple(sorted(records, key=str)), rrset.name.canonicalize().to_text())
    return CaaFound()
