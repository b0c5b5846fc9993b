"""The known corners of DNS-01, second part: whether a record is seen, what settings make of a name, whom one asks."""

from dataclasses import dataclass, field

import dns.name
import dns.rdata
import dns.rdatatype
import dns.zone
import pytest

from certwright.dns.names import ancestors
from certwright.dns.propagation import Mode, Propagation, check
from certwright.dns.resolvers import PUBLIC, Resolvers
from certwright.errors import InvalidSpec
from certwright.resources.order import Record, Verdict
from certwright.resources.reading import Fields
from certwright.solvers.dns01 import Dns01Solver, txt_value
from unit.dns.fake_dns import RESOLVER, FakeDns
from unit.solvers.planning import plan, plan_all

A, B, C = "127.7.0.1", "127.7.0.2", "127.7.0.3"
OWN, OTHER = "_acme-challenge.www.example.com.", "x.proofs.example.net."
VALUE = txt_value("123")
RECORD = Record(OWN, "example.com.", "rfc2136", VALUE)


@dataclass(frozen=True)
class Look:
    """One situation of a record.

    Attributes:
        says: What it is.
        ok: Whether it counts as seen.
        answers: What is said of who has it not, by address.
        values: TXT values at the name.
        old: Values that B still has instead.
        mode: Who is asked.
        quorum: Per cent.
        faults: See FakeDns.
        text: Of the zone.
        aside: Addresses that do not count.
        kept: Seconds for which the resolver keeps that there is no such name.
    """

    says: str
    ok: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = (VALUE,)
    old: tuple[str, ...] | None = None
    mode: Mode = Mode.AUTHORITATIVE
    quorum: int = 100
    faults: dict[str, str] = field(default_factory=dict)
    text: str = ""
    aside: str = ""
    kept: int = 0


SPLIT = f'"{VALUE[:20]}" "{VALUE[20:]}"'
SIX = "2001:db8::1"
LOOKS = [
    Look("alone", ok=True),
    Look("among other values", ok=True, values=("one", VALUE, "other")),
    Look("split into several strings", ok=True, values=(SPLIT,)),
    Look("other values only", answers={A: "other TXT values: one, two", B: "other TXT values: one, two"},
         values=("two", "one")),
    Look("the value in other case is another one", values=(VALUE.swapcase(),),
         answers=dict.fromkeys((A, B), f"other TXT values: {VALUE.swapcase()}")),
    Look("no such name", answers={A: "NXDOMAIN", B: "NXDOMAIN"}, values=()),
    Look("the name without TXT", answers=dict.fromkeys((A, B), "no TXT record"), values=(),
         text="a._acme-challenge.www A 192.0.2.1"),
    Look("one server is behind", answers={B: "NXDOMAIN"}, old=()),
    Look("one server has an old value", answers={B: "other TXT values: old"}, old=("old",)),
    Look("a quorum is enough", ok=True, old=(), quorum=50),
    Look("a quorum is not reached", answers={B: "NXDOMAIN"}, old=(), quorum=51),
    Look("one server is dead", answers={B: "no answer"}, faults={B: "silent"}),
    Look("one server is lame", answers={B: "not authoritative for the zone"}, faults={B: "lame"}),
    Look("one server is broken", answers={B: "SERVFAIL"}, faults={B: "servfail"}),
    Look("one server lies", answers={B: "NXDOMAIN"}, faults={B: "liar"}),
    Look("TCP only", ok=True, faults={A: "tcp-only", B: "tcp-only"}),
    Look("late by UDP", ok=True, faults={A: "slow", B: "slow"}),
    Look("truncated by UDP", ok=True, faults={A: "truncates", B: "truncates"}),
    Look("signed", ok=True, faults={A: "signed", B: "signed"}),
    Look("forged answers before the right one", ok=True, faults={A: "forges", B: "forges"}),
    Look("garbage", answers={B: "a malformed answer"}, faults={B: "garbage"}),
    Look("a dead IPv6 address of a live server", ok=True, text=f"ns1 AAAA {SIX}", aside=SIX),
    Look("a server with a dead IPv6 address only", text=f"@ NS ns6\nns6 AAAA {SIX}", aside=SIX, ok=True),
    Look("a CNAME in the place of the record", values=(), text="_acme-challenge.www CNAME x.example.net.",
         answers=dict.fromkeys((A, B), "a CNAME to x.example.net. without this TXT")),
    Look("the resolver has it", ok=True, mode=Mode.RECURSIVE),
    Look("the resolver keeps that there is none", mode=Mode.RECURSIVE, kept=900, answers={RESOLVER: "NXDOMAIN"}),
    Look("which nobody asks by default", ok=True, kept=900),
    Look("both have it", ok=True, mode=Mode.BOTH),
    Look("both, and the resolver has it not", mode=Mode.BOTH, kept=900, answers={RESOLVER: "NXDOMAIN"}),
    Look("the resolver has it, and one server not", mode=Mode.BOTH, old=(), answers={B: "NXDOMAIN"}),
    Look("nobody is asked", ok=True, values=(), mode=Mode.NONE),
]  # fmt: skip


def look(world: FakeDns, row: Look) -> Verdict:
    world.zone("example.net", "x A 192.0.2.1", C)
    world.zone("example.com", row.text, A, B)
    if row.old is not None:
        before = dns.zone.from_text(
            world.zones[dns.name.from_text("example.com.")].to_text(relativize=False), "example.com.", relativize=False
        )
        world.stale[B, "example.com."] = before
        for value in row.old:
            rdataset = before.find_rdataset(OWN, "TXT", create=True)
            rdataset.update_ttl(60)
            rdataset.add(dns.rdata.from_text("IN", "TXT", value))
    if row.values:
        world.add_txt(OWN, *row.values)
    if row.kept:
        world.kept[OWN] = row.kept
    world.faults |= row.faults
    (verdict,) = check([RECORD], world.finder(), Propagation(mode=row.mode, quorum=row.quorum))
    return verdict


@pytest.mark.parametrize("row", LOOKS, ids=lambda row: row.says)
def test_whether_the_record_is_seen(row: Look) -> None:
    with FakeDns() as world:
        verdict = look(world, row)
        assert verdict.ok == row.ok, verdict
        assert {answer.address: answer.answer for answer in verdict.missing} == row.answers
        assert bool(verdict.action) != row.ok
        assert ("not counted" in verdict.summary) == bool(row.aside)
        assert row.aside in verdict.summary
        assert not [ask for ask in world.asked if ask.recurse != (ask.address == RESOLVER)], "RD is for resolvers only"


# -- what a solver is told


class NoProvider:
    """A provider that keeps what it was told."""

    def __init__(self) -> None:
        self.removed: list[tuple[str, str, str]] = []
        self.added: list[tuple[str, str, str]] = []

    def find_zone(self, name: str) -> str | None:
        assert name.endswith(".")
        return None

    def add_txt(self, zone: str, name: str, value: str) -> None:
        self.added.append((zone, name, value))

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        self.removed.append((zone, name, value))


def solver(world: FakeDns, provider: NoProvider | None = None, **config: object) -> Dns01Solver:
    return Dns01Solver(
        Fields(config, "spec.acme.solvers[0].dns01"),
        zones=world.finder(),
        provider=provider or NoProvider(),
        provider_name="none",
    )


@pytest.mark.parametrize("identifier", ["www.example.com", "www.example.com.", "*.www.example.com", "WWW.example.COM"])
@pytest.mark.parametrize("zone", ["", "example.com", "example.com.", "EXAMPLE.com"])
def test_dots_at_the_end_and_case_make_no_difference(world: FakeDns, identifier: str, zone: str) -> None:
    record = plan(solver(world, **({"zone": zone} if zone else {})), identifier, "123")
    assert record == Record(OWN, "example.com.", "none", VALUE)


@pytest.mark.parametrize("zone", ["example.org", "ample.com", "a.www.example.com", "xample.com"])
def test_a_zone_that_the_name_is_not_in(world: FakeDns, zone: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"dns01\.zone: {zone}\. does not hold {OWN}"):
        plan(solver(world, zone=zone), "www.example.com", "123")


@pytest.mark.parametrize(
    ("text", "above"),
    [
        (".", []),
        ("com", ["com."]),
        ("com.", ["com."]),
        ("example.com", ["example.com.", "com."]),
        ("www.example.com.", ["www.example.com.", "example.com.", "com."]),
    ],
)
def test_the_names_above_a_name(text: str, above: list[str]) -> None:
    assert [label.to_text() for label in ancestors(dns.name.from_text(text))] == above


def test_what_was_planned_is_removed_wherever_the_cname_leads_later(world: FakeDns) -> None:
    """Nothing is looked up again: between making and removing a record, the DNS may change and the process, too."""
    world.zone("proofs.example.net", "", C)
    world.zone("example.com", f"_acme-challenge.www CNAME {OTHER}", A)
    provider = NoProvider()
    record = plan(solver(world, provider), "www.example.com", "123")
    solver(world, provider).present([record])
    world.zone("example.com", "_acme-challenge.www CNAME elsewhere.example.org.", A)
    asked = len(world.asked)
    solver(world, provider).clean_up([record])
    assert provider.removed == provider.added == [("proofs.example.net.", OTHER, VALUE)]
    assert len(world.asked) == asked


def test_many_names_in_the_order_they_came_in(world: FakeDns) -> None:
    names = [f"w{number}.example.com" for number in range(5)]
    found = plan_all(solver(world), [(name, "123") for name in names])
    assert [record.name for record in found if isinstance(record, Record)] == [f"_acme-challenge.{n}." for n in names]


# -- a resolver that keeps what it was asked too early


@pytest.mark.parametrize("identifier", ["new.example.com", "*.deep.new.example.com"])
@pytest.mark.parametrize("cname", [False, True])
def test_no_negative_answer_is_kept_on_the_way(world: FakeDns, identifier: str, *, cname: bool) -> None:
    """The resolver goes by every negative answer that it has ever learned, for the names below, too (RFC 8020)."""
    world.keeps = True
    own = f"_acme-challenge.{identifier.removeprefix('*.')}."
    world.zone("example.net", "", C)
    world.zone("proofs.example.net", "", C)
    world.zone("example.com", f"{own} CNAME y.{OTHER}" if cname else "", A, B)

    def write(zone: str, name: str, value: str) -> None:
        assert zone
        world.add_txt(name, value)

    provider = NoProvider()
    provider.add_txt = write  # type: ignore[method-assign]
    made = solver(world, provider, propagation={"mode": "Both"})
    record = plan(made, identifier, "123")
    assert record.name == (f"y.{OTHER}" if cname else own)
    made.present([record])
    (verdict,) = made.check([record])
    assert verdict.ok, verdict


def test_that_resolver_would_otherwise_not_see_it(world: FakeDns) -> None:
    """The test above can fail: one question too early is enough."""
    world.keeps = True
    world.resolvers().ask(dns.name.from_text("new.example.com."), dns.rdatatype.SOA)
    world.add_txt("_acme-challenge.new.example.com.", VALUE)
    record = Record("_acme-challenge.new.example.com.", "example.com.", "none", VALUE)
    (verdict,) = check([record], world.finder(), Propagation(mode=Mode.RECURSIVE))
    assert not verdict.ok


# -- where resolvers come from

RESOLV_CONF: dict[str, tuple[str, list[str]]] = {
    "IPv4 only": ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", ["192.0.2.1:53", "192.0.2.2:53"]),
    "IPv6 only": ("nameserver 2001:db8::1\n", ["[2001:db8::1]:53"]),
    "both": ("nameserver 2001:db8::1\nnameserver 192.0.2.1\n", ["[2001:db8::1]:53", "192.0.2.1:53"]),
    "ports and brackets": ("nameserver [2001:db8::1]:5353\nnameserver 192.0.2.1:54\n",
                           ["[2001:db8::1]:5353", "192.0.2.1:54"]),
    "options, comments and blanks": ("; c\n# c\nsearch a b\noptions ndots:5\n\n \tnameserver\t192.0.2.1 # c\n",
                                     ["192.0.2.1:53"]),
    "an address with a zone": ("nameserver fe80::1%eth0\nnameserver 192.0.2.1\n",
                               ["[fe80::1%eth0]:53", "192.0.2.1:53"]),
    "none": ("search a\n", [f"{server}:53" if ":" not in server else f"[{server}]:53" for server in PUBLIC]),
}  # fmt: skip


@pytest.mark.parametrize("case", RESOLV_CONF)
def test_the_systems_resolvers(case: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    text, servers = RESOLV_CONF[case]
    path = tmp_path_factory.mktemp("etc") / "resolv.conf"
    path.write_text(text)
    assert [str(server) for server in Resolvers.of(resolv_conf=path).servers] == servers
    assert [str(server) for server in Resolvers.of(["192.0.2.9:5"], resolv_conf=path).servers] == ["192.0.2.9:5"]


def test_public_ones_are_of_both_families() -> None:
    """Without a way to one family, the others answer: no route is an answer at once."""
    assert {":" in server for server in PUBLIC} == {True, False}


def test_every_look_has_a_name_of_its_own() -> None:
    names = [row.says for row in LOOKS]
    assert len(names) == len(set(names))
