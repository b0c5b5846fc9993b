"""Which solver of an issuer makes a record, and which resolvers it asks; the DNS is the tests' own."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from certwright.issuers import proving
from certwright.issuers.solver_set import SolverSet, SolverSets
from certwright.resources.issuer import parse_issuer
from certwright.resources.order import Record
from certwright.solvers.dns01 import Dns01Solver
from unit.dns.fake_dns import RESOLVER, FakeDns

TARGET = "www.challenges.example.net."
CLOSED = "127.0.0.1:9"


@pytest.fixture
def world() -> Iterator[FakeDns]:
    with FakeDns() as fake:
        fake.zone("example.com", f"_acme-challenge.www CNAME {TARGET}", "127.7.0.1")
        fake.zone("example.net", "challenges NS ns1.challenges.example.net.", "127.7.0.2")
        fake.zone("challenges.example.net", "", "127.7.0.3")
        yield fake


def solver(server: str, *zones: str, **more: object) -> dict[str, Any]:
    selector = {"selector": {"dnsZones": list(zones)}} if zones else {}
    return {**selector, "dns01": {"rfc2136": {"nameserver": server}, **more}}


def solvers(world: FakeDns, *made: dict[str, Any], **acme: object) -> SolverSet:
    parts: Any = SimpleNamespace(identity=lambda _issuer: None, value=None)
    body = {
        "kind": "Issuer",
        "metadata": {"name": "le", "namespace": "shop"},
        "spec": {"acme": {"privateKeySecretRef": {"name": "account"}, "solvers": list(made), **acme}},
    }
    issuer = parse_issuer(body)
    assert issuer.acme
    factory = SolverSets(
        parts,
        parts,
        resolvers=(f"{RESOLVER}:{world.port}",),
        solver_image=parts,
        executor=parts,
        authoritative_port=world.port,
    )
    return factory.of(issuer, issuer.acme, SimpleNamespace(labels={}))  # type: ignore[arg-type]


def server_of(made: Any) -> str:
    assert isinstance(made, Dns01Solver)
    settings = made._provider._settings  # type: ignore[attr-defined]
    return f"{settings.host}:{settings.port}"


def test_a_cnames_target_is_written_by_the_solver_that_names_its_zone(world: FakeDns) -> None:
    own, other = solver("127.0.0.1:1"), solver("127.0.0.1:2", "challenges.example.net")
    made = solvers(world, own, other)
    routes = proving.route(made, ["www.example.com", "a.example.com"])
    assert {name: server_of(route.solver) for name, route in routes.items()} == {
        "www.example.com": "127.0.0.1:2",
        "a.example.com": "127.0.0.1:1",
    }
    record = routes["www.example.com"].planned
    assert (record.name, record.zone) == (TARGET, "challenges.example.net.")
    assert server_of(made.for_record("www.example.com", record)) == "127.0.0.1:2", "and it cleans up, too"
    own_record = Record("_acme-challenge.a.example.com.", "example.com.", "rfc2136", "")
    assert server_of(made.for_record("a.example.com", own_record)) == "127.0.0.1:1"


@pytest.mark.parametrize(
    "other",
    [
        solver("127.0.0.1:2", "example.org"),
        solver("127.0.0.1:2", "challenges.example.net", cnameStrategy="None"),
        solver("127.0.0.1:2"),
    ],
    ids=["of another zone", "that follows no CNAME", "that names no zone"],
)
def test_else_by_the_names_own_solver(world: FakeDns, other: dict[str, Any]) -> None:
    routes = proving.route(solvers(world, solver("127.0.0.1:1"), other), ["www.example.com"])
    assert server_of(routes["www.example.com"].solver) == "127.0.0.1:1"
    assert routes["www.example.com"].planned.name == TARGET


@pytest.mark.parametrize(
    ("of_solver", "of_issuer", "wanted"),
    [
        ([], [], RESOLVER),
        ([], ["192.0.2.1"], "192.0.2.1"),
        (["tls://192.0.2.2"], ["192.0.2.1"], "192.0.2.2"),
        (["https://192.0.2.3/dns-query"], [], "192.0.2.3"),
    ],
)
def test_whose_resolvers_are_asked(world: FakeDns, of_solver: list[str], of_issuer: list[str], wanted: str) -> None:
    """The solver's, else the issuer's, else the operator's."""
    body = solver(CLOSED, **({"nameservers": of_solver} if of_solver else {}))
    _, made = solvers(world, body, **({"nameservers": of_issuer} if of_issuer else {})).choose("www.example.com")
    assert isinstance(made, Dns01Solver)
    assert [server.host for server in made._zones.resolvers.servers] == [wanted]
