"""Random trees of zones, delegations, CNAMEs, DNAMEs and wildcards: discovery finds what the tree was made of.

What the truth is, is worked out here from the tree alone, without a question to anybody. Every zone has two servers,
of which one may misbehave, and the resolver goes by every negative answer that it ever learned.
"""

from dataclasses import dataclass

import dns.name
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from certwright.dns.cname import follow
from certwright.dns.delegation import descending
from certwright.dns.propagation import Mode, Propagation, check
from certwright.dns.transport import hold
from certwright.resources.order import Record
from unit.dns.fake_dns import FakeDns

DOMAINS = ("example.com", "example.net", "example.co.uk")
TOPS = {"com": "127.7.0.91", "net": "127.7.0.92", "co.uk": "127.7.0.93", "uk": "127.7.0.93"}
GOOD = ("127.7.0.1", "127.7.0.2", "127.7.0.3")
BAD = ("127.7.0.11", "127.7.0.12", "127.7.0.13")
FAULTS = ("", "refused", "servfail", "lame", "truncates", "empty", "signed", "forges")
WILD = "lb.example.net."

labels = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
places = st.tuples(labels, st.sampled_from(DOMAINS)).map(lambda place: ".".join([*place[0], place[1]]))
servers = st.tuples(st.sampled_from(GOOD), st.sampled_from(BAD), st.booleans()).map(
    lambda chosen: (chosen[1], chosen[0]) if chosen[2] else (chosen[0], chosen[1])
)
hops = st.lists(st.tuples(st.sampled_from(["CNAME", "DNAME"]), places), max_size=4)


@dataclass(frozen=True)
class Tree:
    """What a DNS is made of.

    Args:
        zones: Name servers by apex.
        host: The name to be proven.
        hops: How the way goes on from the challenge's name: what kind of record, and into which place.
        wildcards: Names below which everything else has a CNAME.
        faults: What is wrong with the bad servers.
    """

    zones: dict[str, tuple[str, str]]
    host: str
    hops: list[tuple[str, str]]
    wildcards: set[str]
    faults: tuple[str, ...]

    def zone_of(self, name: str, *, above: bool = False) -> str:
        """The apex with the most labels at the name or above it; strictly above it on demand."""
        held = [apex for apex in self.zones if f".{name}".endswith(f".{apex}") and not (above and apex == name)]
        return max(held, key=len)

    def way(self) -> tuple[list[str], list[tuple[str, str]]]:
        """The names from the challenge's own to the record's, and the lines that lead there by the owner's zone."""
        first = self.hops[0][0] if self.hops else ""
        names = [f"_acme-challenge.{'d0.' if first == 'DNAME' else ''}{self.host}"]
        lines = []
        for number, (kind, place) in enumerate(self.hops, start=1):
            after = self.hops[number][0] if number < len(self.hops) else ""
            target = f"{f'd{number}.' if after == 'DNAME' else ''}{place}"
            if kind == "DNAME":
                owner = names[-1].partition(".")[2]
                lines.append((self.zone_of(owner), f"{owner}. DNAME {target}."))
                names.append(f"{names[-1].partition('.')[0]}.{target}")
            else:
                lines.append((self.zone_of(names[-1]), f"{names[-1]}. CNAME p{number}.{target}."))
                names.append(f"p{number}.{target}")
        return names, lines

    def build(self, world: FakeDns) -> list[str]:
        """Serve it; returns the way to the record."""
        names, lines = self.way()
        for wildcard in self.wildcards:
            lines.append((self.zone_of(wildcard), f"*.{wildcard}. CNAME {WILD}"))
        for apex in self.zones:
            if apex not in DOMAINS:
                parent = self.zone_of(apex, above=True)
                lines += [(parent, f"{apex}. NS ns{number}.{apex}.") for number in (1, 2)]
        for top, server in TOPS.items():
            below = [domain for domain in DOMAINS if domain.partition(".")[2] == top]
            text = [f"{domain}. NS ns{number}.{domain}." for domain in below for number in (1, 2)]
            world.zone(top, "\n".join([*text, "co NS ns1.co.uk."] if top == "uk" else text), server)
        for apex, addresses in self.zones.items():
            world.zone(apex, "\n".join(line for owner, line in lines if owner == apex), *addresses)
        world.faults |= dict(zip(BAD, self.faults, strict=True))
        return names


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    zones = {domain: draw(servers) for domain in DOMAINS}
    zones |= draw(st.dictionaries(places, servers, max_size=5))
    return Tree(
        zones,
        draw(places),
        draw(hops),
        draw(st.sets(places, max_size=2)),
        draw(st.tuples(*[st.sampled_from(FAULTS)] * len(BAD))),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_the_way_and_the_zone_are_those_of_the_tree(tree: Tree) -> None:
    event(f"{len(tree.zones)} zones, {len(tree.hops)} hops, {len(tree.wildcards)} wildcards")
    with FakeDns() as world:
        names = tree.build(world)
        world.keeps = True
        chain = follow(world.finder(), names[0])
        assert chain.names == tuple(f"{name}." for name in names)
        assert chain.zone.name == f"{tree.zone_of(names[-1])}."
        assert {server.addresses for server in chain.zone.nameservers} == {
            (address,) for address in tree.zones[tree.zone_of(names[-1])]
        }
        for name in map(dns.name.from_text, names):
            assert not [gone for gone in world.learned if name.is_subdomain(gone)], (
                "a resolver keeps that it is not there"
            )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_the_zone_of_any_host_is_found(tree: Tree) -> None:
    """Of names with CNAMEs, below DNAMEs, of apexes and of what is not there."""
    with FakeDns() as world:
        names = tree.build(world)
        hosts = {tree.host, *(name.partition(".")[2] for name in names), *tree.zones, *tree.wildcards}
        finder = world.finder()
        for host in sorted(hosts):
            assert finder.find_zone(host).name == f"{tree.zone_of(host)}.", host


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_a_record_made_there_is_seen_by_the_servers_and_by_a_resolver_from_the_challenges_name(tree: Tree) -> None:
    with FakeDns() as world:
        names = tree.build(world)
        world.keeps = True
        chain = follow(world.finder(), names[0])
        world.add_txt(chain.target, "value")
        world.faults.clear()
        record = Record(chain.target, chain.zone.name, "none", "value")
        (verdict,) = check([record], world.finder(), Propagation())
        assert verdict.ok, verdict
        own = Record(names[0] + ".", chain.zone.name, "none", "value")
        (verdict,) = check([own], world.finder(), Propagation(mode=Mode.RECURSIVE))
        assert verdict.ok, verdict


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_the_descent_from_the_top_comes_to_the_same_zone(tree: Tree) -> None:
    """By another way: `check dns` walks down from the public suffix, discovery starts at the domain."""
    with FakeDns() as world:
        (*_, name) = tree.build(world)
        descent = hold(descending(world.finder(), dns.name.from_text(name)))
        assert descent.zone is not None, descent
        assert descent.zone.name == f"{tree.zone_of(name)}."
        assert not [finding for finding in descent.findings if finding.code != "DelegationDiffers"]
