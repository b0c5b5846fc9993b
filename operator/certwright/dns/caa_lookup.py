"""Fetches the CAA records that a CA would go by: those of the name, else of the nearest name above it (RFC 8659).

A CNAME is followed for each name as resolvers do it; the climb goes on above the name itself and never above the
CNAME's target (section 3). The resolvers are asked, since a CA asks one, too, and all names side by side. They are not
asked for names of which the zone's own servers know nothing: they would keep that for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rcode
from dns.rdatatype import CAA

from certwright.dns.caa import CaaRecord, CaaVerdict, Ruling, Wish, judge
from certwright.dns.names import ancestors
from certwright.dns.wire import Query
from certwright.errors import CertwrightError, Retryable

if TYPE_CHECKING:
    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zones


@dataclass(frozen=True, slots=True)
class CaaFound:
    """The relevant RRset and the name that has it; of no records when there is none."""

    records: tuple[CaaRecord, ...] = ()
    at: str = ""


def looking_up(zones: Zones, name: dns.name.Name) -> Conversation[CaaFound]:
    """Find the relevant RRset of a name, a wildcard's without its `*`.

    Raises:
        Retryable: Nobody can tell, since the resolvers have no answer for a name that comes before any with records.
    """
    unknown = yield from _unknown(zones, name)
    climb = [label for label in ancestors(name) if label not in unknown]
    answers = yield from zones.resolvers.asking_all([(label, CAA) for label in climb])
    for answer in answers:
        if isinstance(answer, Retryable):
            raise answer
        found = _records(answer)
        if found.records:
            return found
    return CaaFound()


def ruling(zones: Zones, name: dns.name.Name, wish: Wish) -> Conversation[CaaVerdict]:
    """What CAA says to a wish. What cannot be asked is a verdict, too, for a CA may be luckier."""
    try:
        found = yield from looking_up(zones, name)
    except Retryable as fault:
        return CaaVerdict(
            Ruling.UNKNOWN,
            f"CAA cannot be looked up: {fault.message}",
            "see that the zone's name servers answer for CAA; a CA that gets no answer refuses to issue",
        )
    return judge(found.records, found.at, wish)


def _unknown(zones: Zones, name: dns.name.Name) -> Conversation[frozenset[dns.name.Name]]:
    """The names from this one up to its zone's apex that do not exist, by the word of the zone's servers."""
    try:
        apex = yield from zones.walking(name)
        zone = yield from zones.serving(apex)
    except CertwrightError:
        return frozenset()
    below = [label for label in ancestors(name) if label.is_subdomain(apex) and label != apex]
    queries = [Query(zones.endpoint(zone.addresses[0]), label, CAA) for label in below]
    replies = (yield queries) if queries else ()
    return frozenset(
        reply.query.name
        for reply in replies
        if reply.answer is not None and reply.answer.flags & dns.flags.AA and reply.answer.rcode() == dns.rcode.NXDOMAIN
    )


def _records(message: dns.message.Message) -> CaaFound:
    """The records of an answer, which stand at the end of its CNAMEs."""
    for rrset in message.answer:
        if rrset.rdtype == CAA:
            records = (CaaRecord(item.flags, item.tag.decode("ascii", "replace").lower(), item.value) for item in rrset)
            return CaaFound(tuple(sorted(records, key=str)), rrset.name.canonicalize().to_text())
    return CaaFound()
