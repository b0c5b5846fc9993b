from pathlib import Path

import dns.name
import dns.rcode
import pytest
from dns.rdatatype import SOA, A

from certwright.dns.cache import Cache
from certwright.dns.resolvers import PUBLIC, Resolvers, Server
from certwright.errors import InvalidSpec, Retryable
from unit.dns.fake_dns import RESOLVER, FakeDns

WWW = dns.name.from_text("www.example.com.")
DEAD, SECOND = "127.7.0.54", "127.7.0.55"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", "192.0.2.1:53"),
        ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("2001:db8::1", "[2001:db8::1]:53"),
        ("[2001:db8::1]", "[2001:db8::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        (" dns.example:54 ", "dns.example:54"),
        ("dns.example", "dns.example:53"),
    ],
)
def test_servers_as_settings_spell_them(text: str, server: str) -> None:
    assert str(Server.of(text)) == server


@pytest.mark.parametrize(
    "text",
    [
        *("", ":53", "a:b", "1.2.3.4:0", "1.2.3.4:99999", "[::1", "a/b", "x@y", "a b", "tls://", "tls://a/b"),
        *("https://", "https://u@a/b", "https://a/b?c=d", "https://a/b c", "https://a/#b", "dns://a", "quic://a"),
        *("http://a/dns-query", "https://a:0/b", "tls://a:99999"),
    ],
)
def test_what_is_no_server_names_the_field(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.nameservers\[0\]"):
        Server.of(text, "spec.nameservers[0]")


def test_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# c\nsearch x\nnameserver 192.0.2.1\nnameserver\nnameserver 2001:db8::1\nnameserver fe80::1%eth0/x\n"
    )
    assert [str(server) for server in Resolvers.of(resolv_conf=path).servers] == ["192.0.2.1:53", "[2001:db8::1]:53"]


def test_public_resolvers_where_the_system_has_none(tmp_path: Path) -> None:
    assert [server.host for server in Resolvers.of(resolv_conf=tmp_path / "none").servers] == list(PUBLIC)


def test_settings_come_first() -> None:
    assert [server.host for server in Resolvers.of(["192.0.2.9"]).servers] == ["192.0.2.9"]


def test_names_of_resolvers_are_looked_up() -> None:
    assert any(endpoint.port == 5353 for endpoint in Server("localhost", 5353).endpoints())
    assert Server("nowhere.invalid").endpoints() == ()
    with pytest.raises(Retryable, match=r"nowhere\.invalid:53 has no address"):
        Resolvers([Server("nowhere.invalid")]).ask(WWW, A)


@pytest.mark.parametrize("fault", ["silent", "refused", "servfail", "garbage"])
def test_the_next_one_is_asked_and_then_preferred(world: FakeDns, fault: str) -> None:
    for address in (DEAD, SECOND):
        world.listen(address)
    world.faults[DEAD] = fault
    resolvers = world.resolvers(DEAD, SECOND)
    assert resolvers.ask(WWW, A).answer
    asked = len(world.asked_of(DEAD))
    assert resolvers.ask(dns.name.from_text("example.com."), SOA).answer
    assert len(world.asked_of(DEAD)) == asked


def test_no_data_and_no_name_are_answers(world: FakeDns) -> None:
    world.listen(DEAD)
    resolvers = world.resolvers(RESOLVER, DEAD)
    assert resolvers.ask(WWW, SOA).rcode() == dns.rcode.NOERROR
    assert resolvers.ask(dns.name.from_text("nothing.example.com."), SOA).rcode() == dns.rcode.NXDOMAIN
    assert world.asked_of(DEAD) == []


def test_the_fault_names_every_resolver(world: FakeDns) -> None:
    world.listen(SECOND)
    world.faults |= {SECOND: "servfail", RESOLVER: "silent"}
    with pytest.raises(Retryable) as caught:
        world.resolvers(SECOND, RESOLVER).ask(WWW, A)
    assert caught.value.reason == "DNSUnavailable"
    assert f"{SECOND}:{world.port}: SERVFAIL; {RESOLVER}:{world.port}: no answer" in caught.value.message


def test_the_cache_forgets() -> None:
    now = [0.0]
    cache: Cache[int] = Cache(lambda: now[0], size=2)
    cache.put("a", 1, seconds=10)
    cache.put("b", 2, seconds=20)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, 2, None)
    now[0] = 10
    assert (cache.get("a"), cache.get("b")) == (None, 2)
    cache.put("c", 3, seconds=5)
    cache.put("d", 4, seconds=5)
    assert (cache.get("b"), cache.get("c"), cache.get("d")) == (None, 3, 4)
