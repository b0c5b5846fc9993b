"""What an answer says of zones: whether its server serves one, where it sends on, and which zone it is from.

Only messages in and values out; nothing is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rrset
from dns.rdatatype import NS, SOA

if TYPE_CHECKING:
    from certwright.dns.zone import Zone


def is_lame(message: dns.message.Message, zone: Zone) -> bool:
    """Whether a server that should serve the zone answers as if it did not: without authority, referring elsewhere."""
    return not message.flags & dns.flags.AA and not message.answer and referral(message, zone) is None


def referral(message: dns.message.Message, zone: Zone) -> dns.name.Name | None:
    """The zone below this one that a server points to instead of answering (RFC 1034 section 4.3.2), if it does."""
    if message.answer or message.flags & dns.flags.AA:
        return None
    apex = dns.name.from_text(zone.name)
    for rrset in message.authority:
        if rrset.rdtype == NS and rrset.name != apex and rrset.name.is_subdomain(apex):
            return rrset.name.canonicalize()
    return None


def held_below(message: dns.message.Message, name: dns.name.Name, zone: Zone) -> dns.name.Name | None:
    """A deeper zone that the same server holds: the SOA of its answer names it (RFC 2308 section 3)."""
    for rrset in (*message.answer, *message.authority):
        if rrset.rdtype == SOA and name.is_subdomain(rrset.name):
            owner = rrset.name.canonicalize()
            if len(owner.labels) > len(dns.name.from_text(zone.name).labels):
                return owner
    return None


def soa_of(name: dns.name.Name, message: dns.message.Message) -> dns.rrset.RRset | None:
    """The SOA that says which zone a name is in, if the answer to `SOA name` has one.

    An apex has no CNAME. An authority section tells only of the name itself when nothing redirected the question, and
    only its ancestors can hold it.
    """
    for rrset in message.answer:
        if rrset.rdtype == SOA and rrset.name == name:
            return rrset
    if message.answer:
        return None
    return next((r for r in message.authority if r.rdtype == SOA and name.is_subdomain(r.name)), None)
