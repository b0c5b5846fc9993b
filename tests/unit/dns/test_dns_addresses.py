import pytest
from dns.rcode import SERVFAIL

from certwright.dns.addresses import Addresses, looking_up
from certwright.dns.names import canonical
from certwright.dns.transport import hold
from certwright.errors import Retryable
from unit.dns.fake_dns import RESOLVER, FakeDns


def find(world: FakeDns, name: str) -> Addresses:
    resolvers = world.resolvers()
    return hold(looking_up(resolvers, canonical(name)), limits=resolvers.limits)


def test_both_families_in_order(world: FakeDns) -> None:
    world.zone("a.example", "www 60 IN A 192.0.2.20\nwww 60 IN A 192.0.2.3\nwww 60 IN AAAA 2001:db8::1", "127.7.0.3")
    assert find(world, "www.a.example") == Addresses(("192.0.2.3", "192.0.2.20", "2001:db8::1"), "www.a.example.")
    assert sorted(world.asked_of(RESOLVER)) == [("www.a.example.", "A"), ("www.a.example.", "AAAA")]


def test_along_cnames(world: FakeDns) -> None:
    world.zone("a.example", "www 60 IN CNAME x.b.example.", "127.7.0.3")
    world.zone("b.example", "x 60 IN CNAME y\ny 60 IN A 192.0.2.9", "127.7.0.4")
    assert find(world, "www.a.example") == Addresses(("192.0.2.9",), "y.b.example.")


def test_no_such_name(world: FakeDns) -> None:
    found = find(world, "nothing.example.com")
    assert found == Addresses((), "nothing.example.com.", f"no such name (NXDOMAIN from {RESOLVER}:{world.port})")


def test_a_name_without_address(world: FakeDns) -> None:
    world.add_txt("text.example.com", "x")
    assert find(world, "text.example.com").lack == "no A or AAAA record"


def test_a_cname_that_leads_nowhere(world: FakeDns) -> None:
    world.zone("a.example", "www 60 IN CNAME gone.example.com.\nmail 60 IN CNAME text.example.com.", "127.7.0.3")
    world.add_txt("text.example.com", "x")
    found = find(world, "www.a.example")
    assert found.end == "gone.example.com."
    assert found.lack.startswith("its CNAME leads to gone.example.com., and there is no such name (NXDOMAIN from ")
    assert (
        find(world, "mail.a.example").lack == "its CNAME leads to text.example.com., and there is no A or AAAA record"
    )


def test_nobody_can_tell(world: FakeDns) -> None:
    world.broken["www.example.com."] = SERVFAIL
    with pytest.raises(Retryable, match=r"no resolver answered for A of www\.example\.com\. \(.*SERVFAIL\)"):
        find(world, "www.example.com")
