"""What the fake DNS answers, as functions of a zone and a question; who asks whom is in `fake_dns`."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
from dns.rdataclass import IN
from dns.rdatatype import CNAME, DNAME, SOA


def lookup(
    zone: dns.zone.Zone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, answer: dns.message.Message
) -> dns.name.Name | None:
    """Put the answer in; returns where a CNAME leads."""
    above = name
    while above != zone.origin:
        above = above.parent()
        dname = zone.get_rrset(above, DNAME)
        if dname is not None:
            try:
                target = name.relativize(above).concatenate(dname[0].target)
            except dns.name.NameTooLong:
                answer.answer.append(dname)
                answer.set_rcode(dns.rcode.YXDOMAIN)
                return None
            answer.answer += [dname, dns.rrset.from_text(name, 60, IN, CNAME, target.to_text())]
            return target
    owner = name
    exists = any(other.is_subdomain(name) for other in zone.nodes)
    if not exists:
        above = name.parent()
        while not any(other.is_subdomain(above) for other in zone.nodes):
            above = above.parent()
        owner = dns.name.Name((b"*", *above.labels))
        exists = owner in zone.nodes
    for kind in (rdtype, CNAME):
        rrset = zone.get_rrset(owner, kind)
        if rrset is not None:
            found = dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))
            answer.answer.append(found)
            return found[0].target if kind == CNAME and rdtype != CNAME else None
    answer.authority.append(zone.get_rrset(zone.origin, SOA))
    if not exists:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return None


def highest_gone(name: dns.name.Name, zone: dns.zone.Zone) -> dns.name.Name:
    """Of a name that a zone has not got, and those above it, the highest that it has not got."""
    while not any(other.is_subdomain(name.parent()) for other in zone.nodes):
        name = name.parent()
    return name.canonicalize()


def deepest(name: dns.name.Name, origins: object) -> dns.name.Name | None:
    """The apex with the most labels above a name."""
    held = [origin for origin in origins if name.is_subdomain(origin)]  # type: ignore[attr-defined]
    return max(held, key=len, default=None)


def distort(
    fault: str, name: dns.name.Name, answer: dns.message.Message, zones: dict[dns.name.Name, dns.zone.Zone]
) -> None:
    """Do to a good answer what the fault does."""
    if fault == "liar":
        origin = deepest(name, zones)
        answer.answer, answer.authority = [], [zones[origin].get_rrset(origin, SOA)]
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif fault == "strips" or (fault == "hides" and len(name.labels) > 2):
        answer.authority = []
        if fault == "hides":
            answer.answer = []
            answer.set_rcode(dns.rcode.NOERROR)
    elif fault == "signed":
        for section in (answer.answer, answer.authority):
            section += [signature(rrset) for rrset in section]
        if not answer.answer and answer.flags & dns.flags.AA:
            next_name = f"\\000.{name.to_text()}"
            nsec = dns.rrset.from_text(name, 60, IN, "NSEC", f"{next_name} RRSIG NSEC")
            answer.authority += [nsec, signature(nsec)]


def signature(rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """A signature as it looks; nobody here checks it."""
    kind, labels = dns.rdatatype.to_text(rrset.rdtype), len(rrset.name.labels) - 1
    text = f"{kind} 13 {labels} {rrset.ttl} 20300101000000 20200101000000 1 {rrset.name.to_text()} c2lnbmF0dXJl"
    return dns.rrset.from_text(rrset.name, rrset.ttl, IN, "RRSIG", text)
