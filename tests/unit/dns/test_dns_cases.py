"""The known corners of DNS-01, one row each: where clients go wrong, what the DNS of that row is, what has to come out.

Each row makes its own DNS, with servers that misbehave, and asks where the record of one name belongs. What becomes of
the record then is in test_dns_cases_seen.
"""

from dataclasses import dataclass, field

import dns.name
import dns.rcode
import dns.zone
import pytest

from certwright.dns.cname import LIMIT, follow
from certwright.dns.resolvers import Resolvers
from certwright.dns.zone import Zones
from certwright.errors import CertwrightError, Retryable, Terminal
from unit.dns.fake_dns import RESOLVER, FakeDns

A, B, C, D = "127.7.0.1", "127.7.0.2", "127.7.0.3", "127.7.0.4"
DEAD, DEAD_TOO = "127.7.0.98", "127.7.0.99"
OWN, HOST = "_acme-challenge.www.example.com.", "www.example.com."
SERVFAIL, REFUSED, NXDOMAIN = dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NXDOMAIN
LABEL = "l" * 63
LONGEST = f"_acme-challenge.{LABEL}.{LABEL}.{'m' * 46}.example.com."
OTHER = "x.proofs.example.net."


@dataclass(frozen=True)
class Row:
    """One corner.

    Attributes:
        says: What it is.
        zones: Lines by apex. `com.` delegates to them where `A` and `B` serve example.com.
        at: Servers by apex, where they are others than A and B.
        name: The challenge's name.
        target: Where the record belongs; a fault's class and words where it cannot be said.
        zone: Its zone.
        faults: See FakeDns.
        broken: Likewise.
        resolvers: Who is asked.
        cnames: Whether CNAMEs are followed.
        inner: Zones that the resolver has itself.
        poisons: Whether a resolver learns on the way that a name does not exist at or above the record's, which it
            then may keep; only where the servers cannot be asked, or are not there.
    """

    says: str
    target: str | tuple[type[CertwrightError], str] = OWN
    zone: str = "example.com."
    zones: dict[str, str] = field(default_factory=dict)
    at: dict[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = OWN
    faults: dict[str, str] = field(default_factory=dict)
    broken: dict[str, dns.rcode.Rcode] = field(default_factory=dict)
    resolvers: tuple[str, ...] = (RESOLVER,)
    cnames: bool = True
    inner: tuple[str, ...] = ()
    poisons: bool = False


BOTH_SILENT = {A: "silent", B: "silent"}
CHAIN = "\n".join(["_acme-challenge.www CNAME c1", *(f"c{n} CNAME c{n + 1}" for n in range(1, 60))])
SUB = "www NS ns1.www.example.com."

DISCOVERY = [
    # -- the zone, by its SOA
    Row("the name is in the domain's zone"),
    Row("a name that does not exist yet: its parent's zone"),
    Row("the name itself is an apex", name="_acme-challenge.example.com.", target="_acme-challenge.example.com."),
    Row("the host is a CNAME into another zone", zones={"example.com": "www CNAME a.example.net.", "example.net": ""}),
    Row("the host is a CNAME to another zone's apex", zones={"example.com": "www CNAME example.net."}),
    Row("the host exists without any record", zones={"example.com": "a.www A 192.0.2.1"}),
    Row("delegated at the host", zone="www.example.com.", zones={"example.com": SUB, "www.example.com": ""}),
    Row(
        "delegated at the challenge's own name",
        zone=OWN,
        zones={"example.com": f"{OWN} NS ns1.{OWN}", OWN.rstrip("."): ""},
        at={OWN.rstrip("."): (C,)},
    ),
    Row("the same servers have the child", zone="www.example.com.", zones={"www.example.com": ""}),
    Row(
        "two delegations below each other",
        name="_acme-challenge.a.b.www.example.com.",
        target="_acme-challenge.a.b.www.example.com.",
        zone="b.www.example.com.",
        zones={"example.com": SUB, "www.example.com": "b NS ns1.b.www.example.com.", "b.www.example.com": ""},
        at={"www.example.com": (C,), "b.www.example.com": (D,)},
    ),
    Row("only a public suffix is there", (Terminal, "no zone found for"), zones={"ac": ""}, name="_a.example.com.ac."),
    Row("a domain that nobody registered", (Terminal, "no zone found for"), zones={"com": ""}, name="_a.x.nobody.com."),
    Row("a suffix of two labels", (Terminal, "no zone found for"), zones={"co.uk": ""}, name="_a.www.example.co.uk."),
    Row("a resolver that hides answers", (Terminal, rf"resolvers {RESOLVER}:\d+ know no"), faults={RESOLVER: "hides"}),
    Row("a resolver that leaves the authority section out", faults={RESOLVER: "strips"}),
    Row("a zone that only the resolver has", zone="corp.example.com.", zones={"corp.example.com": ""},
        at={"corp.example.com": (C,)}, inner=("corp.example.com",), name="_acme-challenge.a.corp.example.com.",
        target="_acme-challenge.a.corp.example.com."),
    Row("a domain of one label", zone="corp.", zones={"corp": "host A 192.0.2.1"}, at={"corp": (C,)},
        name="_acme-challenge.host.corp.", target="_acme-challenge.host.corp."),
    # -- resolvers and servers that fail
    Row("two dead resolvers before a good one", resolvers=(DEAD, DEAD_TOO, RESOLVER)),
    Row("only dead resolvers", (Retryable, f"{DEAD}:.*: .*; {DEAD_TOO}:"), resolvers=(DEAD, DEAD_TOO)),
    Row("SERVFAIL at the host", broken={HOST: SERVFAIL}),
    Row("REFUSED at the host", broken={HOST: REFUSED}),
    Row("SERVFAIL at the host, and its servers are dead", broken={HOST: SERVFAIL}, faults=BOTH_SILENT, poisons=True),
    Row("SERVFAIL at the domain", broken={"example.com. SOA": SERVFAIL}, poisons=True),
    Row("SERVFAIL for the name servers", (Retryable, "for NS of example.com. .*SERVFAIL"),
        broken={"example.com. NS": SERVFAIL}),
    Row("no name servers", (Terminal, r"know no name servers \(NS\) of the zone example.com."),
        broken={"example.com. NS": NXDOMAIN}),
    *(Row(f"one server is {fault}", faults={A: fault})
      for fault in ("silent", "refused", "servfail", "lame", "empty", "garbage", "tcp-only", "slow")),
    *(Row(f"all servers answer, but {fault}", faults={A: fault, B: fault})
      for fault in ("truncates", "tcp-only", "udp-only", "slow", "forges", "signed")),
    Row("all servers are dead: the resolvers stand in", faults=BOTH_SILENT, poisons=True),
    Row("all servers are dead, and CNAMEs are not to be followed: nobody need be asked", cnames=False,
        zones={"example.com": f"www A 192.0.2.1\n_acme-challenge.www CNAME {OTHER}"}, faults=BOTH_SILENT),
    Row("all servers refuse: the resolvers stand in", faults={A: "refused", B: "refused"}, poisons=True),
    Row("a delegation to servers that are not there", (Terminal, "no name server of the zone www.example.com. has an"),
        zones={"example.com": "www NS ns.nowhere.invalid.", "www.example.com": "@ NS ns.nowhere.invalid."},
        at={"www.example.com": ()}),
    # -- CNAME and DNAME
    Row("a CNAME", OTHER, "proofs.example.net.", {"example.com": f"_acme-challenge.www CNAME {OTHER}"}),
    Row("a CNAME whose owner is in upper case", OTHER, "proofs.example.net.",
        {"example.com": f"_ACME-Challenge.WWW CNAME {OTHER.upper()}"}),
    Row("a CNAME that is not to be followed", zones={"example.com": f"_acme-challenge.www CNAME {OTHER}"},
        cnames=False),
    Row("a CNAME in a delegated zone", OTHER, "proofs.example.net.",
        {"example.com": SUB, "www.example.com": f"_acme-challenge CNAME {OTHER}"}),
    Row("a CNAME seen by the resolvers only", OTHER, "proofs.example.net.",
        {"example.com": f"_acme-challenge.www CNAME {OTHER}"}, faults=BOTH_SILENT),
    Row("as many CNAMEs as may be", f"c{LIMIT}.example.com.",
        zones={"example.com": "\n".join(CHAIN.splitlines()[:LIMIT])}),
    Row("more than fifty CNAMEs", (Terminal, rf"are more than {LIMIT}: {OWN} -> c1"), zones={"example.com": CHAIN}),
    Row("a CNAME to itself", (Terminal, f"in a circle: {OWN} -> {OWN}"),
        zones={"example.com": "_acme-challenge.www CNAME _acme-challenge.www"}),
    Row("a circle further on", (Terminal, r"in a circle: .*a\.example\.com\. -> b\.example\.com\. -> a\."),
        zones={"example.com": "_acme-challenge.www CNAME a\na CNAME b\nb CNAME a"}),
    Row("a circle through two zones", (Terminal, f"in a circle: {OWN} -> {OTHER} -> {OWN}"),
        zones={"example.com": f"_acme-challenge.www CNAME {OTHER}", "proofs.example.net": f"x CNAME {OWN}"}),
    Row("a CNAME into a zone that is not there", (Terminal, "no zone found for"),
        zones={"example.com": "_acme-challenge.www CNAME x.nobody.org.", "org": ""}),
    Row("a CNAME into a public suffix", (Terminal, "no zone found for"),
        zones={"example.com": "_acme-challenge.www CNAME org.", "org": ""}),
    Row("a CNAME to a domain itself", "example.org.", "example.org.",
        {"example.com": "_acme-challenge.www CNAME example.org.", "example.org": ""}, at={"example.org": (C,)}),
    Row("a DNAME at the host", f"_acme-challenge.{OTHER[2:]}", "proofs.example.net.",
        {"example.com": "www DNAME proofs.example.net."}),
    Row("a DNAME above the host", f"_acme-challenge.www.{OTHER[2:]}", "proofs.example.net.",
        {"example.com": "in DNAME proofs.example.net."}, name="_acme-challenge.www.in.example.com."),
    Row("a DNAME, then a CNAME", "y.example.com.", zones={
        "example.com": "www DNAME proofs.example.net.", "proofs.example.net": "_acme-challenge CNAME y.example.com."}),
    Row("a DNAME in a circle", (Terminal, "in a circle|are more than"), zones={
        "example.com": "www DNAME in.proofs.example.net.", "proofs.example.net": "in DNAME www.example.com."}),
    Row("a DNAME that makes too long a name", (Terminal, "makes a name that is too long"), name=LONGEST,
        zones={"example.com": f"{'m' * 46} DNAME {LABEL}.{LABEL}.proofs.example.net."}),
    Row("a wildcard makes a CNAME up", zones={"example.com": "* CNAME lb.example.net."}),
    Row("a wildcard below the apex makes it up", zones={"example.com": "*.www CNAME lb.example.net."}),
    Row("a wildcard and a CNAME of its own", OTHER, "proofs.example.net.",
        {"example.com": f"* CNAME lb.example.net.\n_acme-challenge.www CNAME {OTHER}"}),
    Row("a wildcard above a delegation to the same target", OTHER, "proofs.example.net.",
        {"example.com": f"{SUB}\n* CNAME {OTHER}", "www.example.com": f"_acme-challenge CNAME {OTHER}"}),
    Row("a wildcard in a zone that only the resolver has", zone="corp.example.com.", inner=("corp.example.com",),
        zones={"corp.example.com": "* CNAME lb.example.net.", "example.net": "lb A 192.0.2.1"},
        at={"corp.example.com": (C,)}, name="_acme-challenge.a.corp.example.com.",
        target="_acme-challenge.a.corp.example.com."),
    # -- names
    Row("the longest name there can be", LONGEST, name=LONGEST),
    Row("labels as IDNA writes them", "_acme-challenge.xn--bcher-kva.example.com.",
        name="_acme-challenge.bücher.example.com."),
    Row("in upper case", name=OWN.upper()),
]  # fmt: skip


def build(world: FakeDns, row: Row) -> None:
    """The row's DNS: example.com at A and B, a proofs zone and example.net at C; all else as the row says."""
    zones = {"example.com": "", "example.net": "", "proofs.example.net": "", **row.zones}
    for apex, text in zones.items():
        servers = row.at.get(apex, (C,) if "example.net" in apex else (A, B))
        names = () if servers else ("ns.nowhere.invalid.",)
        world.zone(apex, "\n".join(line for line in text.splitlines() if not (names and " NS " in line)), *servers,
                   ns=names)  # fmt: skip
    world.serves[RESOLVER] |= {dns.name.from_text(apex) for apex in row.inner}
    world.faults |= row.faults
    world.broken |= row.broken


@pytest.mark.parametrize("row", DISCOVERY, ids=lambda row: row.says)
def test_where_the_record_belongs(row: Row) -> None:
    with FakeDns() as world:
        build(world, row)
        finder = world.finder(*row.resolvers)
        if not isinstance(row.target, str):
            kind, words = row.target
            with pytest.raises(kind, match=words):
                follow(finder, row.name, cnames=row.cnames)
        else:
            chain = follow(finder, row.name, cnames=row.cnames)
            assert (chain.target, chain.zone.name) == (row.target, row.zone)
            assert any(dns.name.from_text(chain.target).is_subdomain(gone) for gone in world.learned) == row.poisons
        assert not [ask for ask in world.asked if ask.recurse and ask.address != RESOLVER]
        if not row.cnames:
            assert not [ask for ask in world.asked if ask.rdtype == "CNAME"]


def test_no_resolver_at_all() -> None:
    with pytest.raises(Retryable, match="no DNS resolver is usable: none is configured"):
        follow(Zones(Resolvers([])), OWN)


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.says for row in DISCOVERY]
    assert len(names) == len(set(names))
