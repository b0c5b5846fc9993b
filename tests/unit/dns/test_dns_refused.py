"""Addresses that nothing may be sent to, whoever names them: an issuer's resolvers, or a domain's name servers."""

import pytest

from certwright.dns.cname import follow
from certwright.dns.propagation import Mode, Propagation, check
from certwright.dns.resolvers import Resolvers, Server
from certwright.dns.zone import Zones
from certwright.errors import InvalidSpec, Retryable
from certwright.resources.order import Record
from unit.dns.fake_dns import LIMITS, RESOLVER, FakeDns

NAME, VALUE = "_acme-challenge.www.example.com.", "pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM"
RECORD = Record(NAME, "example.com.", "rfc2136", VALUE)
WHY = "a loopback address"


def refusing(*addresses: str) -> dict[str, str]:
    return dict.fromkeys(addresses, WHY)


def test_a_name_server_is_not_asked(world: FakeDns) -> None:
    zones = Zones(world.resolvers(), authoritative_port=world.port, refuse=refusing("127.7.0.2").get)
    world.add_txt(NAME, VALUE)
    (verdict,) = check([RECORD], zones, Propagation())
    assert not verdict.ok
    (missing,) = verdict.missing
    assert (missing.address, missing.answer) == ("127.7.0.2", f"not asked: it is {WHY}")
    assert world.asked_of("127.7.0.1")
    assert not world.asked_of("127.7.0.2")


def test_a_zone_whose_servers_all_are_refused_is_found_by_the_resolvers(world: FakeDns) -> None:
    zones = Zones(world.resolvers(), authoritative_port=world.port, refuse=refusing("127.7.0.1", "127.7.0.2").get)
    assert follow(zones, "_acme-challenge.www.example.com").zone.name == "example.com."
    assert not world.asked_of("127.7.0.1")
    assert not world.asked_of("127.7.0.2")


def test_resolvers_of_a_setting(world: FakeDns) -> None:
    with pytest.raises(InvalidSpec, match=rf"spec\.acme\.nameservers: {RESOLVER}:5353 is not asked, since it is") as it:
        Resolvers.of([f"{RESOLVER}:5353"], field="spec.acme.nameservers", refuse=refusing(RESOLVER).get)
    assert it.value.reason == "AddressRefused"
    assert Resolvers.of(["192.0.2.9"], refuse=refusing(RESOLVER).get).servers == (Server("192.0.2.9"),)
    assert not world.asked


def test_resolvers_by_a_name_that_leads_there(world: FakeDns) -> None:
    local = Resolvers([Server("localhost", world.port)], limits=LIMITS, refuse=lambda _: WHY)
    zones = Zones(local, authoritative_port=world.port)
    with pytest.raises(Retryable, match=f"not asked: it is {WHY}"):
        zones.find_zone("www.example.com")
    (verdict,) = check([RECORD], zones, Propagation(mode=Mode.RECURSIVE))
    assert {missing.answer for missing in verdict.missing} == {f"not asked: it is {WHY}"}
    assert not world.asked


def test_the_systems_resolvers_are_the_operators_owners() -> None:
    found = Resolvers.of(refuse=lambda _: WHY)
    assert not [endpoint for endpoint in found.endpoints() if endpoint.refused]


@pytest.mark.parametrize("scheme", ["tls://", "https://"])
def test_encrypted_resolvers_are_refused_alike(scheme: str) -> None:
    with pytest.raises(InvalidSpec, match="is not asked, since it is"):
        Resolvers.of([f"{scheme}127.0.0.1"], refuse=lambda _: WHY)
