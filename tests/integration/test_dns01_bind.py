"""DNS-01 against BIND: real updates, real signatures, real refusals."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.dns.resolvers import Resolvers
from certwright.dns.transport import Limits
from certwright.dns.zone import Zones
from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import registry
from certwright.providers.base import Provider, Rehearsing
from certwright.providers.conformance import Check, Subject, checks
from certwright.resources.order import Record
from certwright.resources.reading import Fields
from certwright.solvers.dns01 import Dns01Solver, txt_value
from cluster.bind import Bind
from cluster.zones import DEFAULT_ZONES, Zone
from unit.providers import other_process
from unit.solvers.planning import plan, plan_all

pytestmark = pytest.mark.cluster

AT = "spec.acme.solvers[0].dns01"
ZONES = [
    *DEFAULT_ZONES,
    Zone(
        "more.test",
        records=[
            "loop CNAME loop2",
            "loop2 CNAME loop",
            "_acme-challenge.loop CNAME loop",
            "_acme-challenge.chain CNAME chain2",
            "chain2 CNAME chain3.validation.test.",
            "moved DNAME moved.validation.test.",
            "*.wild CNAME www.validation.test.",
        ],
    ),
    *(Zone(f"z{number}.test") for number in range(10)),
]


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    with Bind(tmp_path_factory.mktemp("bind"), zones=ZONES) as running:
        yield running


def fields(bind: Bind, **changes: object) -> Fields:
    rfc2136 = {
        "nameserver": bind.resolver,
        "tsigKeyName": bind.key_name,
        "tsigAlgorithm": bind.algorithm,
        "tsigSecretSecretRef": {"name": "tsig", "key": "secret"},
    }
    own = {name: changes.pop(name) for name in tuple(changes) if name in {*rfc2136, "protocol"}}
    return Fields({"rfc2136": {k: v for k, v in (rfc2136 | own).items() if v is not None}} | changes, AT)


def solver(bind: Bind, secret: bytes | None = None, **changes: object) -> Dns01Solver:
    config = fields(bind, **changes)
    content = bind.tsig_secret.encode() if secret is None else secret
    name, provider = registry.build(config, lambda _name, _key: content)
    resolvers = Resolvers(Resolvers.of([bind.resolver]).servers, limits=Limits(udp=1, tcp=1))
    zones = Zones(resolvers, authoritative_port=bind.port)
    return Dns01Solver(config, zones=zones, provider=provider, provider_name=name)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_conformance(bind: Bind, check: Check, protocol: str) -> None:
    config, wrong = fields(bind, protocol=protocol), base64.b64encode(b"an old secret").decode()

    def make(secret: str) -> Provider:
        return registry.build(config, lambda _name, _key: secret.encode())[1]

    def stranger(name: str, value: str) -> None:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        bind.update("example.test", add=[(name, escaped)])

    check.run(
        Subject(
            make=lambda: make(bind.tsig_secret),
            read_txt=bind.txt,
            zone="example.test.",
            subzone="sub.example.test.",
            expired=lambda: make(wrong),
            credentials=(bind.tsig_secret, wrong),
            stranger=stranger,
            elsewhere=other_process.of_config(dict(config.body), bind.tsig_secret),
        )
    )


def test_apex_and_wildcard_at_once(bind: Bind) -> None:
    made = solver(bind)
    records = [plan(made, "example.test", "1"), plan(made, "*.example.test", "2")]
    assert not any(verdict.ok for verdict in made.check(records))
    made.present(records)
    made.present(records)
    assert bind.txt(records[0].name) == sorted([txt_value("1"), txt_value("2")])
    assert all(verdict.ok for verdict in made.check(records))
    solver(bind).clean_up(records[:1])
    assert bind.txt(records[0].name) == [txt_value("2")]
    made.clean_up(records)
    made.clean_up(records)
    assert bind.txt(records[0].name) == []


def test_a_value_of_somebody_else_stays(bind: Bind) -> None:
    made = solver(bind)
    record = plan(made, "foreign.example.test", "1")
    bind.update("example.test", add=[(record.name, "theirs")])
    made.present([record])
    assert made.check([record])[0].ok
    made.clean_up([record])
    assert bind.txt(record.name) == ["theirs"]
    bind.update("example.test", remove=[(record.name, "theirs")])


@pytest.mark.parametrize(
    ("identifier", "name", "zone"),
    [
        ("www.example.test", "_acme-challenge.www.example.test.", "example.test."),
        ("a.b.sub.example.test", "_acme-challenge.a.b.sub.example.test.", "sub.example.test."),
        ("alias.example.test", "alias.validation.test.", "validation.test."),
        ("chain.more.test", "chain3.validation.test.", "validation.test."),
        # a DNAME redirects what is below its owner, and so the challenge's name
        ("moved.more.test", "_acme-challenge.moved.validation.test.", "validation.test."),
        ("x.wild.more.test", "_acme-challenge.x.wild.more.test.", "more.test."),
    ],
)
def test_where_the_record_belongs(bind: Bind, identifier: str, name: str, zone: str) -> None:
    record = plan(solver(bind), identifier, "1")
    assert (record.name, record.zone) == (name, zone)


def test_a_loop_is_named(bind: Bind) -> None:
    with pytest.raises(
        (Terminal, Retryable), match=r"circle: _acme-challenge\.loop\.more\.test\. -> loop\.more\.test\."
    ):
        plan(solver(bind), "loop.more.test", "1")


def test_a_hundred_names_in_ten_zones(bind: Bind) -> None:
    made = solver(bind)
    planned = plan_all(made, [(f"w{n}.z{n % 10}.test", str(n)) for n in range(100)])
    records = [record for record in planned if isinstance(record, Record)]
    assert len(records) == 100
    made.present(records)
    assert all(verdict.ok for verdict in made.check(records))
    made.clean_up(records)
    assert not any(verdict.ok for verdict in made.check(records))


def test_a_wrong_secret(bind: Bind) -> None:
    made = solver(bind, base64.b64encode(b"wrong"))
    with pytest.raises(Terminal, match=r"does not accept the TSIG key .*Secret tsig") as caught:
        made.present([plan(made, "example.test", "1")])
    assert caught.value.reason == "TSIGRefused"


@pytest.mark.parametrize("change", [{"tsigKeyName": "nobody"}, {"tsigAlgorithm": "HMACSHA512"}])
def test_a_key_that_the_server_does_not_know(bind: Bind, change: dict[str, object]) -> None:
    made = solver(bind, **change)
    with pytest.raises(Terminal, match="does not accept the TSIG key"):
        made.present([plan(made, "example.test", "1")])


def test_a_secret_that_is_not_base64(bind: Bind) -> None:
    with pytest.raises(InvalidSpec, match="Secret tsig is not base64"):
        solver(bind, b"%%%")


def test_a_zone_that_refuses_updates(bind: Bind) -> None:
    made = solver(bind)
    with pytest.raises(Terminal, match=r"refuses to update frozen\.test\. \(REFUSED\); allow key certwright") as caught:
        made.present([plan(made, "frozen.test", "1")])
    assert caught.value.reason == "UpdateRefused"


def test_without_a_key(bind: Bind) -> None:
    made = solver(bind, tsigKeyName=None, tsigSecretSecretRef=None)
    with pytest.raises(Terminal, match="allow clients without a key"):
        made.present([plan(made, "example.test", "1")])


def test_a_zone_that_the_server_has_not(bind: Bind) -> None:
    made = solver(bind, zone="elsewhere.test")
    with pytest.raises(Terminal, match=r"does not take updates of elsewhere\.test\. \(NOTAUTH\)"):
        made.present([plan(made, "www.elsewhere.test", "1")])


def rehearse(bind: Bind, zone: str, secret: bytes | None = None, **changes: object) -> None:
    content = bind.tsig_secret.encode() if secret is None else secret
    _, provider = registry.build(fields(bind, **changes), lambda _name, _key: content)
    assert isinstance(provider, Rehearsing)
    provider.rehearse(zone)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_a_rehearsal_changes_nothing(bind: Bind, protocol: str) -> None:
    before = bind.zone_dump("example.test")
    rehearse(bind, "example.test.", protocol=protocol)
    assert bind.zone_dump("example.test") == before, "its serial included"


@pytest.mark.parametrize(
    ("zone", "secret", "changes", "reason"),
    [
        ("example.test.", base64.b64encode(b"wrong"), {}, "TSIGRefused"),
        ("example.test.", None, {"tsigKeyName": "nobody"}, "TSIGRefused"),
        ("example.test.", None, {"tsigKeyName": None, "tsigSecretSecretRef": None}, "UpdateRefused"),
        ("frozen.test.", None, {}, "UpdateRefused"),
        ("elsewhere.test.", None, {}, "NotPrimary"),
        ("sub.more.test.", None, {}, "NotPrimary"),
    ],
)
def test_a_rehearsal_says_what_an_update_would(
    bind: Bind, zone: str, secret: bytes | None, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(Terminal) as caught:
        rehearse(bind, zone, secret, **changes)
    assert caught.value.reason == reason


def test_no_such_zone(bind: Bind) -> None:
    with pytest.raises(Terminal, match=r"no zone found for .*nowhere\.invalid"):
        plan(solver(bind), "www.nowhere.invalid", "1")


def test_down_and_back(tmp_path: Path) -> None:
    with Bind(tmp_path) as bind:
        made = solver(bind)
        record = plan(made, "example.test", "1")
        bind.stop()
        with pytest.raises(Retryable):
            plan(solver(bind), "example.test", "1")
        with pytest.raises(Retryable, match="cannot be reached to update"):
            made.present([record])
        with pytest.raises(Retryable):
            made.clean_up([record])
        (verdict,) = made.check([record])
        assert not verdict.ok
        bind.start()
        made.present([record])
        assert made.check([record])[0].ok
        made.clean_up([record])
        assert bind.txt(record.name) == []


def test_one_of_two_name_servers_down(tmp_path: Path) -> None:
    with Bind(tmp_path) as bind:
        if len(bind.name_servers) < 2:
            pytest.skip("two name servers need port 53")
        made = solver(bind)
        bind.name_servers[1].stop()
        record = plan(made, "example.test", "1")
        made.present([record])
        (verdict,) = made.check([record])
        assert [missing.server for missing in verdict.missing] == ["ns2.example.test."]
        assert verdict.action.startswith("repair ns2.example.test.")
        assert solver(bind, propagation={"quorum": 50}).check([record])[0].ok
        assert solver(bind, propagation={"mode": "Recursive"}).check([record])[0].ok
        bind.name_servers[1].start()
        made.clean_up([record])
