from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.resources.order import Record
from certwright.resources.reading import Fields
from certwright.solvers.dns01 import Dns01Solver, txt_value
from unit.dns.fake_dns import RESOLVER, FakeDns
from unit.solvers.planning import plan, plan_all

if TYPE_CHECKING:
    from certwright.solvers.base import Solver

AT = "spec.acme.solvers[0].dns01"
VALUE = "pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM"


class FakeProvider:
    """Writes into the test's DNS, in batches."""

    def __init__(self, world: FakeDns) -> None:
        self.world = world
        self.calls: list[tuple[str, str, list[tuple[str, str]]]] = []
        self.own: str | None = None
        self.fault: Exception | None = None
        self.frozen: set[str] = set()

    def add_txt(self, zone: str, name: str, value: str) -> None:
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        self.remove_many(zone, [(name, value)])

    def find_zone(self, name: str) -> str | None:
        assert name.endswith(".")
        if self.fault:
            raise self.fault
        return self.own

    def add_many(self, zone: str, items: Sequence[tuple[str, str]]) -> None:
        if self.fault:
            raise self.fault
        self.calls.append(("add", zone, list(items)))
        for name, value in items:
            self.world.add_txt(name, value)

    def remove_many(self, zone: str, items: Sequence[tuple[str, str]]) -> None:
        if zone in self.frozen:
            raise Retryable(f"{zone} is frozen")
        self.calls.append(("remove", zone, list(items)))


@pytest.fixture
def provider(world: FakeDns) -> FakeProvider:
    return FakeProvider(world)


def solver(world: FakeDns, provider: FakeProvider, effects: list[str] | None = None, **config: object) -> Dns01Solver:
    return Dns01Solver(
        Fields({"rfc2136": {}} | config, AT),
        zones=world.finder(),
        provider=provider,
        provider_name="rfc2136",
        on_effect=effects.append if effects is not None else None,
    )


def test_the_value() -> None:
    assert txt_value("123") == VALUE


def test_it_is_a_solver(world: FakeDns, provider: FakeProvider) -> None:
    made: Solver[Record] = solver(world, provider)
    assert made.check([]) == []


def test_apex_and_wildcard_share_a_name(world: FakeDns, provider: FakeProvider) -> None:
    made = solver(world, provider)
    records = [plan(made, "example.com", "123"), plan(made, "*.example.com", "456")]
    assert records[0] == Record("_acme-challenge.example.com.", "example.com.", "rfc2136", VALUE)
    assert {record.name for record in records} == {"_acme-challenge.example.com."}
    assert [verdict.ok for verdict in made.check(records)] == [False, False]
    made.present(records)
    assert [verdict.ok for verdict in made.check(records)] == [True, True]
    assert len(provider.calls) == 1


def test_planning_leaves_no_negative_answer_at_a_resolver(world: FakeDns, provider: FakeProvider) -> None:
    plan(solver(world, provider), "new.example.com", "123")
    assert all("_acme-challenge" not in name for name, _ in world.asked_of(RESOLVER))


def test_fifty_names_share_what_is_known_of_their_zone(world: FakeDns, provider: FakeProvider) -> None:
    effects: list[str] = []
    made = solver(world, provider, effects)
    world.faults["127.7.0.1"] = "silent"
    records = plan_all(made, [(f"w{number}.example.com", str(number)) for number in range(50)])
    assert all(isinstance(record, Record) for record in records)
    known, probes = 1 + 1 + 4, 50  # the domain's zone and who serves it; a name below each that does not exist yet
    assert len(set(world.asked_of(RESOLVER))) == known + probes
    good = [record for record in records if isinstance(record, Record)]
    made.present(good)
    made.clean_up(good)
    assert [(call[0], call[1], len(call[2])) for call in provider.calls] == [
        ("add", "example.com.", 50),
        ("remove", "example.com.", 50),
    ]
    assert effects == [
        "added _acme-challenge.w0.example.com. and 49 more to example.com.",
        "removed _acme-challenge.w0.example.com. and 49 more from example.com.",
    ]


def test_names_of_several_zones(world: FakeDns, provider: FakeProvider) -> None:
    world.zone("example.net", "", "127.7.0.3")
    made = solver(world, provider)
    good, gone, also = plan_all(made, [("a.example.com", "1"), ("a.gone.example", "2"), ("a.example.net", "3")])
    assert isinstance(good, Record)
    assert isinstance(gone, Terminal)
    assert isinstance(also, Record)
    made.present([good, also, good])
    assert [(zone, len(items)) for _, zone, items in provider.calls] == [("example.com.", 1), ("example.net.", 1)]
    with pytest.raises(Terminal):
        plan(made, "a.gone.example", "2")


def test_cnames_are_followed_by_default(world: FakeDns, provider: FakeProvider) -> None:
    world.zone("example.com", "_acme-challenge.www 60 IN CNAME x.validation.example.net.", "127.7.0.1")
    world.zone("validation.example.net", "", "127.7.0.3")
    record = plan(solver(world, provider), "www.example.com", "123")
    assert (record.name, record.zone) == ("x.validation.example.net.", "validation.example.net.")
    record = plan(solver(world, provider, cnameStrategy="None"), "www.example.com", "123")
    assert (record.name, record.zone) == ("_acme-challenge.www.example.com.", "example.com.")


def test_an_explicit_name(world: FakeDns, provider: FakeProvider) -> None:
    world.zone("example.net", "", "127.7.0.3")
    record = plan(solver(world, provider, fqdn="Proofs.example.net"), "www.example.com", "123")
    assert (record.name, record.zone) == ("proofs.example.net.", "example.net.")
    asked = len(world.asked)
    record = plan(solver(world, provider, fqdn="a.b.example.net", zone="b.example.net"), "www.example.com", "1")
    assert (record.name, record.zone) == ("a.b.example.net.", "b.example.net.")
    assert len(world.asked) == asked


def test_an_explicit_zone(world: FakeDns, provider: FakeProvider) -> None:
    world.zone("sub.example.com", "", "127.7.0.3")
    record = plan(solver(world, provider, zone="example.com"), "www.sub.example.com", "1")
    assert record.zone == "example.com."
    record = plan(solver(world, provider, zone="hidden.example"), "www.hidden.example", "1")
    assert record.zone == "hidden.example."
    with pytest.raises(
        InvalidSpec, match=rf"{AT}\.zone: example\.net\. does not hold _acme-challenge\.www".replace("[", r"\[")
    ):
        plan(solver(world, provider, zone="example.net"), "www.example.com", "1")


def test_an_explicit_zone_does_not_hide_a_loop(world: FakeDns, provider: FakeProvider) -> None:
    world.zone("example.com", "_acme-challenge 60 IN CNAME _acme-challenge", "127.7.0.1")
    with pytest.raises(Terminal, match="go round in a circle"):
        plan(solver(world, provider, zone="example.com"), "example.com", "1")


def test_the_provider_knows_its_zones_best(world: FakeDns, provider: FakeProvider) -> None:
    provider.own = "com."
    assert plan(solver(world, provider), "example.com", "1").zone == "com."
    provider.fault = Retryable("later")
    with pytest.raises(Retryable, match="later"):
        plan(solver(world, provider), "example.com", "1")


def test_faults_of_the_provider_pass_and_have_no_effect(world: FakeDns, provider: FakeProvider) -> None:
    effects: list[str] = []
    made = solver(world, provider, effects)
    record = plan(made, "example.com", "1")
    provider.fault = Retryable("later")
    with pytest.raises(Retryable):
        made.present([record])
    assert effects == []


def test_a_zone_that_fails_does_not_stop_the_cleaning_of_others(world: FakeDns, provider: FakeProvider) -> None:
    effects: list[str] = []
    made = solver(world, provider, effects)
    provider.frozen = {"a.test."}
    records = [Record(f"_acme-challenge.{zone}", zone, "rfc2136", VALUE) for zone in ("a.test.", "b.test.")]
    with pytest.raises(Retryable, match=r"a\.test\. is frozen"):
        made.clean_up(records)
    assert effects == ["removed _acme-challenge.b.test. from b.test."]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"cnameStrategy": "Maybe"}, "cnameStrategy"),
        ({"zone": "a..b"}, "zone"),
        ({"fqdn": "*.example.com"}, "fqdn"),
        ({"propagation": {"mode": "x"}}, r"propagation\.mode"),
    ],
)
def test_a_bad_config_names_the_field(
    world: FakeDns, provider: FakeProvider, config: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidSpec, match=rf"solvers\[0\]\.dns01\.{field}"):
        solver(world, provider, **config)


@pytest.mark.parametrize("identifier", ["a..b", "-.example.com", "l" * 64 + ".example.com"])
def test_a_name_that_is_not_dns(world: FakeDns, provider: FakeProvider, identifier: str) -> None:
    with pytest.raises(InvalidSpec):
        plan(solver(world, provider), identifier, "1")
