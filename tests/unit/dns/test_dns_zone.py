from concurrent.futures import ThreadPoolExecutor

import dns.rcode
import pytest

from certwright.dns.zone import NameServer, Zone
from certwright.errors import InvalidSpec, Retryable, Terminal
from unit.dns.fake_dns import RESOLVER, FakeDns


def test_a_zone_with_all_its_servers(world: FakeDns) -> None:
    assert world.finder().find_zone("www.example.com") == Zone(
        "example.com.",
        (NameServer("ns1.example.com.", ("127.7.0.1",)), NameServer("ns2.example.com.", ("127.7.0.2",))),
    )


@pytest.mark.parametrize("name", ["example.com", "a.b.c.example.com", "EXAMPLE.com", "nothing.example.com"])
def test_any_name_in_it(world: FakeDns, name: str) -> None:
    assert world.finder().find_zone(name).name == "example.com."


def test_the_deepest_zone_wins(world: FakeDns) -> None:
    world.zone("example.com", "sub NS ns1.sub.example.com.", "127.7.0.1", "127.7.0.2")
    world.zone("sub.example.com", "", "127.7.0.3")
    assert world.finder().find_zone("www.sub.example.com").name == "sub.example.com."


@pytest.mark.parametrize("target", ["www.example.net.", "www.other.example.com.", "example.net."])
def test_a_cname_is_no_apex(world: FakeDns, target: str) -> None:
    world.zone("example.com", "sub NS ns1.sub.example.com.", "127.7.0.1", "127.7.0.2")
    world.zone("example.net", "www 60 IN A 192.0.2.1", "127.7.0.3")
    world.zone("sub.example.com", f"alias 60 IN CNAME {target}", "127.7.0.3")
    assert world.finder().find_zone("alias.sub.example.com").name == "sub.example.com."


def test_below_a_dname(world: FakeDns) -> None:
    world.zone("example.com", "sub NS ns1.sub.example.com.", "127.7.0.1", "127.7.0.2")
    world.zone("example.net", "", "127.7.0.3")
    world.zone("sub.example.com", "moved 60 IN DNAME example.net.", "127.7.0.3")
    assert world.finder().find_zone("www.moved.sub.example.com").name == "sub.example.com."


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_label_that_fails_is_passed(world: FakeDns, code: dns.rcode.Rcode) -> None:
    world.broken |= {"www.a.example.com.": code, "a.example.com.": code}
    assert world.finder().find_zone("www.a.example.com").name == "example.com."


def test_a_public_suffix_is_never_the_zone(world: FakeDns) -> None:
    world.zone("co.uk", "", "127.7.0.3")
    with pytest.raises(Terminal, match=r"no zone found for www\.example\.co\.uk") as caught:
        world.finder().find_zone("www.example.co.uk")
    assert caught.value.reason == "ZoneNotFound"


@pytest.mark.parametrize("name", ["www.unknown.example", "unknown.example", "com", "co.uk"])
def test_no_zone_at_all(world: FakeDns, name: str) -> None:
    with pytest.raises(Terminal):
        world.finder().find_zone(name)


def test_a_zone_of_one_label_that_nobody_registers_under(world: FakeDns) -> None:
    world.zone("corp", "", "127.7.0.3")
    assert world.finder().find_zone("www.corp").name == "corp."


def test_not_a_name(world: FakeDns) -> None:
    with pytest.raises(InvalidSpec):
        world.finder().find_zone("*.example.com")


def test_dead_resolvers_before_a_good_one(world: FakeDns) -> None:
    world.listen("127.7.0.54")
    world.faults["127.7.0.54"] = "silent"
    assert world.finder("127.7.0.99", "127.7.0.54", RESOLVER).find_zone("www.example.com").name == "example.com."


def test_only_dead_resolvers(world: FakeDns) -> None:
    world.faults[RESOLVER] = "silent"
    with pytest.raises(Retryable, match=f"{RESOLVER}:{world.port}: no answer"):
        world.finder().find_zone("www.example.com")


def test_no_name_servers(world: FakeDns) -> None:
    world.zone("empty.example", "", ns=("ns.nowhere.invalid.",))
    with pytest.raises(Terminal, match=r"has an address \(ns\.nowhere\.invalid\.\)"):
        world.finder().find_zone("empty.example")


def test_a_name_server_without_address_is_kept_as_such(world: FakeDns) -> None:
    world.zone("half.example", "ns1 60 IN A 127.7.0.1", ns=("ns1", "ns.nowhere.invalid."))
    zone = world.finder().find_zone("half.example")
    assert NameServer("ns.nowhere.invalid.", ()) in zone.nameservers
    assert zone.addresses == ("127.7.0.1",)


def test_several_servers_come_before_second_addresses() -> None:
    zone = Zone("x.", (NameServer("a.", ("192.0.2.1", "2001:db8::1")), NameServer("b.", ("2001:db8::2", "192.0.2.1"))))
    assert zone.addresses == ("192.0.2.1", "2001:db8::2", "2001:db8::1")


def test_it_is_remembered_for_a_while(world: FakeDns) -> None:
    now = [0.0]
    zones = world.finder()
    zones._apexes._clock = zones._zones._clock = lambda: now[0]
    zones.find_zone("www.example.com")
    asked = len(world.asked)
    zones.find_zone("www.example.com")
    assert len(world.asked) == asked
    now[0] = 61  # the TTL of the test zones is 60
    zones.find_zone("www.example.com")
    assert len(world.asked) > asked


def test_many_threads_at_once(world: FakeDns) -> None:
    zones = world.finder()
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda number: zones.find_zone(f"w{number % 10}.example.com").name, range(100))
        assert set(found) == {"example.com."}
