"""DNS-01 against Knot DNS, which refuses in other words than BIND; test_providers_knot.py has the provider alone."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.dns.resolvers import Resolvers
from certwright.dns.transport import Limits
from certwright.dns.zone import Zones
from certwright.errors import Retryable, Terminal
from certwright.providers import registry
from certwright.providers.base import Provider
from certwright.resources.order import Record
from certwright.resources.reading import Fields
from certwright.solvers.dns01 import Dns01Solver, txt_value
from cluster.knot import Knot
from cluster.zones import DEFAULT_ZONES, Zone
from unit.solvers.planning import plan, plan_all

pytestmark = pytest.mark.cluster

AT = "spec.acme.solvers[0].dns01"
ZONES = [*DEFAULT_ZONES, *(Zone(f"z{number}.test") for number in range(3))]


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    with Knot(tmp_path_factory.mktemp("knot"), zones=ZONES) as running:
        yield running


def config(knot: Knot, **changes: object) -> Fields:
    rfc2136 = {
        "nameserver": knot.server,
        "tsigKeyName": knot.key_name,
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": "tsig", "key": "secret"},
    }
    return Fields({"rfc2136": {name: value for name, value in (rfc2136 | changes).items() if value is not None}}, AT)


def provider(knot: Knot, secret: str = "", **changes: object) -> Provider:
    content = (secret or knot.tsig_secret).encode()
    return registry.build(config(knot, **changes), lambda _name, _key: content)[1]


def solver(knot: Knot, secret: str = "", **changes: object) -> Dns01Solver:
    resolvers = Resolvers(Resolvers.of([knot.server]).servers, limits=Limits(udp=1, tcp=1))
    return Dns01Solver(
        config(knot, **changes),
        zones=Zones(resolvers, authoritative_port=knot.port),
        provider=provider(knot, secret, **changes),
        provider_name="rfc2136",
    )


def test_apex_and_wildcard_at_once(knot: Knot) -> None:
    made = solver(knot)
    records = [plan(made, "example.test", "1"), plan(made, "*.example.test", "2")]
    assert not any(verdict.ok for verdict in made.check(records))
    made.present(records)
    made.present(records)
    assert knot.txt(records[0].name) == sorted([txt_value("1"), txt_value("2")])
    assert all(verdict.ok for verdict in made.check(records))
    solver(knot).clean_up(records[:1])
    assert knot.txt(records[0].name) == [txt_value("2")]
    made.clean_up(records)
    made.clean_up(records)
    assert knot.txt(records[0].name) == []


@pytest.mark.parametrize(
    ("identifier", "name", "zone"),
    [
        ("www.example.test", "_acme-challenge.www.example.test.", "example.test."),
        ("a.b.sub.example.test", "_acme-challenge.a.b.sub.example.test.", "sub.example.test."),
        ("alias.example.test", "alias.validation.test.", "validation.test."),
    ],
)
def test_where_the_record_belongs(knot: Knot, identifier: str, name: str, zone: str) -> None:
    record = plan(solver(knot), identifier, "1")
    assert (record.name, record.zone) == (name, zone)


def test_many_names_in_three_zones(knot: Knot) -> None:
    made = solver(knot)
    planned = plan_all(made, [(f"w{n}.z{n % 3}.test", str(n)) for n in range(60)])
    records = [record for record in planned if isinstance(record, Record)]
    assert len(records) == 60
    made.present(records)
    assert all(verdict.ok for verdict in made.check(records))
    made.clean_up(records)
    assert not any(verdict.ok for verdict in made.check(records))


@pytest.mark.parametrize("secret", ["", base64.b64encode(b"wrong").decode()])
@pytest.mark.parametrize("name", ["certwright", "nobody"])
def test_a_key_that_is_wrong(knot: Knot, name: str, secret: str) -> None:
    made = solver(knot, secret, tsigKeyName=name)
    record = plan(made, "example.test", "1")
    if (name, secret) == ("certwright", ""):
        made.present([record])
        made.clean_up([record])
        return
    with pytest.raises(Terminal, match=rf"does not accept the TSIG key .*'{name}'.*Secret tsig") as caught:
        made.present([record])
    assert caught.value.reason == "TSIGRefused"


def test_a_zone_that_takes_no_updates_of_this_key(knot: Knot) -> None:
    """Knot's answer is the one for a wrong key, so the message has both."""
    made = solver(knot)
    with pytest.raises(Terminal, match=r"TSIG key .*see that it may update frozen\.test\. there \(Knot: acl\)"):
        made.present([plan(made, "frozen.test", "1")])


def test_without_a_key(knot: Knot) -> None:
    made = solver(knot, tsigKeyName=None, tsigSecretSecretRef=None)
    with pytest.raises(Terminal, match=r"\(NOTAUTH\).*or allow clients without a key there \(Knot: acl\)"):
        made.present([plan(made, "example.test", "1")])


def test_a_zone_that_the_server_has_not(knot: Knot) -> None:
    with pytest.raises(Terminal, match=r"may update elsewhere\.test\. there"):
        provider(knot).add_txt("elsewhere.test.", "_acme-challenge.elsewhere.test.", txt_value("1"))


def test_down_and_back(tmp_path: Path) -> None:
    with Knot(tmp_path) as knot:
        made = solver(knot)
        record = plan(made, "example.test", "1")
        knot.stop()
        with pytest.raises(Retryable, match="cannot be reached to update"):
            made.present([record])
        assert not made.check([record])[0].ok
        knot.start()
        made.present([record])
        assert made.check([record])[0].ok
        made.clean_up([record])
        assert knot.txt(record.name) == []
