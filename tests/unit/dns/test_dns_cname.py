import pytest

from certwright.dns.cname import LIMIT, follow
from certwright.errors import Retryable, Terminal
from unit.dns.fake_dns import RESOLVER, FakeDns

NAME = "_acme-challenge.www.example.com."


def asked_resolver_for(world: FakeDns, name: str) -> bool:
    return any(asked == name for asked, _ in world.asked_of(RESOLVER))


def test_no_cname(world: FakeDns) -> None:
    chain = follow(world.finder(), NAME)
    assert (chain.names, chain.zone.name) == ((NAME,), "example.com.")
    assert not asked_resolver_for(world, NAME), "a resolver would keep the answer that it does not exist"
    assert world.asked_of("127.7.0.1") == [("www.example.com.", "SOA"), (NAME, "CNAME")]


def test_into_another_zone(world: FakeDns) -> None:
    world.zone("example.com", "_ACME-challenge.www 60 IN CNAME www.Validation.example.net.", "127.7.0.1")
    world.zone("validation.example.net", "", "127.7.0.3")
    chain = follow(world.finder(), NAME)
    assert (chain.names, chain.zone.name) == ((NAME, "www.validation.example.net."), "validation.example.net.")
    assert not asked_resolver_for(world, "www.validation.example.net.")


def test_a_target_that_is_itself_an_apex(world: FakeDns) -> None:
    world.zone("example.com", "_acme-challenge.www 60 IN CNAME validation.example.", "127.7.0.1")
    world.zone("validation.example", "", "127.7.0.3")
    chain = follow(world.finder(), NAME)
    assert (chain.target, chain.zone.name) == ("validation.example.", "validation.example.")


def test_not_followed_where_it_is_not_wanted(world: FakeDns) -> None:
    world.zone("example.com", "_acme-challenge.www 60 IN CNAME www.example.net.", "127.7.0.1")
    chain = follow(world.finder(), NAME, cnames=False)
    assert (chain.target, chain.zone.name) == (NAME, "example.com.")
    assert not [ask for ask in world.asked if ask.rdtype == "CNAME"], "what is not wanted is not asked for"


def test_nobody_is_asked_for_the_name_where_nothing_is_followed_and_its_servers_are_dead(world: FakeDns) -> None:
    world.faults |= {"127.7.0.1": "silent", "127.7.0.2": "silent"}
    assert follow(world.finder(), NAME, cnames=False).zone.name == "example.com."
    assert not asked_resolver_for(world, NAME)


def test_a_chain(world: FakeDns) -> None:
    lines = ["_acme-challenge.www 60 IN CNAME c1", *(f"c{n} 60 IN CNAME c{n + 1}" for n in range(1, LIMIT))]
    world.zone("example.com", "\n".join(lines), "127.7.0.1")
    chain = follow(world.finder(), NAME)
    assert len(chain.names) == LIMIT + 1
    assert chain.target == f"c{LIMIT}.example.com."


def test_too_long_a_chain_is_named(world: FakeDns) -> None:
    lines = ["_acme-challenge.www 60 IN CNAME c1", *(f"c{n} 60 IN CNAME c{n + 1}" for n in range(1, 60))]
    world.zone("example.com", "\n".join(lines), "127.7.0.1")
    with pytest.raises(Terminal, match=rf"are more than {LIMIT}: {NAME} -> c1\.example\.com\. -> ") as caught:
        follow(world.finder(), NAME)
    assert caught.value.reason == "BadCNAME"


def test_a_loop_is_named(world: FakeDns) -> None:
    world.zone("example.com", "_acme-challenge.www 60 IN CNAME a\na 60 IN CNAME b\nb 60 IN CNAME a", "127.7.0.1")
    with pytest.raises(Terminal, match=r"a\.example\.com\. -> b\.example\.com\. -> a\.example\.com\."):
        follow(world.finder(), NAME)


def test_a_dname_above(world: FakeDns) -> None:
    world.zone("example.com", "www 60 IN DNAME www.validation.example.net.", "127.7.0.1")
    world.zone("validation.example.net", "", "127.7.0.3")
    chain = follow(world.finder(), NAME)
    assert chain.target == "_acme-challenge.www.validation.example.net."


def test_a_dname_that_makes_too_long_a_name(world: FakeDns) -> None:
    long = ".".join(["l" * 60] * 3)
    world.zone("example.com", f"www 60 IN DNAME {'m' * 60}.example.net.", "127.7.0.1")
    with pytest.raises(Terminal, match=r"the DNAME at www\.example\.com\. makes a name that is too long") as caught:
        follow(world.finder(), f"_acme-challenge.{long}.www.example.com.")
    assert caught.value.reason == "BadCNAME"


def test_a_wildcard_is_overridden_and_not_followed(world: FakeDns) -> None:
    world.zone("example.com", "* 60 IN CNAME lb.example.net.", "127.7.0.1")
    chain = follow(world.finder(), "_acme-challenge.example.com.")
    assert (chain.names, chain.zone.name) == (("_acme-challenge.example.com.",), "example.com.")


def test_a_cname_of_its_own_beside_a_wildcard_is_followed(world: FakeDns) -> None:
    world.zone("validation.example.net", "", "127.7.0.3")
    world.zone(
        "example.com",
        "* 60 IN CNAME lb.example.net.\n_acme-challenge 60 IN CNAME x.validation.example.net.",
        "127.7.0.1",
    )
    assert follow(world.finder(), "_acme-challenge.example.com.").target == "x.validation.example.net."


@pytest.mark.parametrize("child", ["127.7.0.1", "127.7.0.3"], ids=["same server", "other server"])
@pytest.mark.parametrize("apex", [NAME.rstrip("."), "www.example.com"])
def test_delegated_below(world: FakeDns, apex: str, child: str) -> None:
    label = apex.removesuffix(".example.com")
    world.zone("example.com", f"{label} 60 IN NS ns1.{apex}.", "127.7.0.1")
    world.zone(apex, "", child)
    chain = follow(world.finder(), NAME)
    assert (chain.target, chain.zone.name) == (NAME, f"{apex}.")
    assert chain.zone.addresses == (child,)


@pytest.mark.parametrize("fault", ["silent", "refused", "servfail", "lame", "garbage", "empty"])
def test_a_bad_server_among_good_ones(world: FakeDns, fault: str) -> None:
    world.faults["127.7.0.1"] = fault
    assert follow(world.finder(), NAME).zone.name == "example.com."
    assert not asked_resolver_for(world, NAME)


def test_the_resolver_stands_in_where_no_server_can_be_reached(world: FakeDns) -> None:
    world.faults |= {"127.7.0.1": "silent", "127.7.0.2": "refused"}
    world.zone("validation.example.net", "", "127.7.0.3")
    assert follow(world.finder(), NAME).zone.name == "example.com."
    assert asked_resolver_for(world, NAME)


def test_nobody_answers(world: FakeDns) -> None:
    world.faults |= {RESOLVER: "servfail"}
    with pytest.raises(Retryable, match="SERVFAIL"):
        follow(world.finder(), NAME)
