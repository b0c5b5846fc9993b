from datetime import timedelta

import dns.zone
import pytest

from certwright.dns.propagation import Mode, Propagation, check
from certwright.errors import InvalidSpec
from certwright.resources.order import Record, Verdict
from certwright.resources.reading import Fields
from unit.dns.fake_dns import RESOLVER, FakeDns

NAME, VALUE = "_acme-challenge.www.example.com.", "pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM"
RECORD = Record(NAME, "example.com.", "rfc2136", VALUE)


def look(world: FakeDns, record: Record = RECORD, **settings: object) -> Verdict:
    (verdict,) = check([record], world.finder(), Propagation(**settings))  # type: ignore[arg-type]
    return verdict


def answers(verdict: Verdict) -> list[tuple[str, str]]:
    return [(missing.address, missing.answer) for missing in verdict.missing]


def test_held_everywhere_among_other_values(world: FakeDns) -> None:
    world.add_txt(NAME, "another", VALUE)
    assert look(world) == Verdict(ok=True, summary="2 of 2 addresses of the servers asked hold the record")
    assert world.asked_of(RESOLVER).count((NAME, "TXT")) == 0


def test_a_value_in_several_strings(world: FakeDns) -> None:
    world.add_txt(NAME, f'"{VALUE[:10]}" "{VALUE[10:]}"')
    assert look(world).ok


def test_not_there(world: FakeDns) -> None:
    verdict = look(world)
    assert not verdict.ok
    assert answers(verdict) == [("127.7.0.1", "NXDOMAIN"), ("127.7.0.2", "NXDOMAIN")]
    assert verdict.missing[0].server == "ns1.example.com."
    assert verdict.action == (
        "wait; if this lasts, see that rfc2136 writes into the zone example.com. of ns1.example.com., ns2.example.com."
    )


def test_the_evidence(world: FakeDns) -> None:
    """What status shows of each that has it not: who, where, how, with which code, and what instead."""
    world.zone("example.com", "@ NS ns3\n@ NS ns4\nns3 A 127.7.0.3\nns4 A 127.7.0.4", "127.7.0.1", "127.7.0.2")
    for address in ("127.7.0.3", "127.7.0.4"):
        world.serves[address].add(dns.name.from_text("example.com."))
        world.listen(address)
    world.add_txt(NAME, "old")
    world.faults |= {"127.7.0.2": "truncates", "127.7.0.3": "silent", "127.7.0.4": "refused"}
    verdict = look(world, interval=timedelta(seconds=7), timeout=timedelta(minutes=90))
    assert verdict.body() == {
        "summary": "0 of 4 addresses of the servers asked hold the record",
        "missing": [
            {
                "server": f"ns{number}.example.com.",
                "address": f"127.7.0.{number}",
                "answer": answer,
                "transport": transport,
                **({"rcode": rcode} if rcode else {}),
                **({"values": ["old"]} if rcode == "NOERROR" else {}),
            }
            for number, answer, transport, rcode in (
                (1, "other TXT values: old", "UDP", "NOERROR"),
                (2, "other TXT values: old", "TCP", "NOERROR"),
                (3, "no answer", "UDP, then TCP", ""),
                (4, "REFUSED", "UDP", "REFUSED"),
            )
        ],
        "action": "make ns4.example.com. serve example.com., or take it out of the zone's NS records",
        "askedAgain": "within 7s, and given up 1h30m after its making",
    }


def test_when_it_is_asked_again_is_said_of_a_fault_of_the_dns_too(world: FakeDns) -> None:
    world.faults[RESOLVER] = "silent"
    verdict = look(world)
    assert "no resolver answered for NS of example.com." in verdict.summary
    assert verdict.asked_again == "within 5s, and given up 1h after its making"
    world.faults.clear()
    world.add_txt(NAME, VALUE)
    assert look(world).asked_again == ""


def test_other_values_are_shown_and_bounded(world: FakeDns) -> None:
    world.add_txt(NAME, *(f"{number}" + "v" * 100 for number in range(6)))
    said = look(world).missing[0].answer
    assert said.startswith("other TXT values: 0vvv")
    assert said.endswith("… and 3 more")
    assert len(said) < 300


def test_a_name_without_txt(world: FakeDns) -> None:
    verdict = look(world, Record("www.example.com.", "example.com.", "rfc2136", VALUE))
    assert answers(verdict)[0] == ("127.7.0.1", "no TXT record")


def test_a_cname_in_the_way(world: FakeDns) -> None:
    world.zone("example.com", "_acme-challenge.www 60 IN CNAME x.example.net.", "127.7.0.1")
    assert answers(look(world)) == [("127.7.0.1", "a CNAME to x.example.net. without this TXT")]


def test_one_server_is_stale(world: FakeDns) -> None:
    old = world.zones[dns.name.from_text("example.com.")]
    world.stale["127.7.0.2", "example.com."] = dns.zone.from_text(old.to_text(), "example.com.", relativize=False)
    world.add_txt(NAME, VALUE)
    verdict = look(world)
    assert verdict.summary == "1 of 2 addresses of the servers asked hold the record"
    assert answers(verdict) == [("127.7.0.2", "NXDOMAIN")]
    assert verdict.action == "wait; if this lasts, look at the zone transfer to ns2.example.com."


@pytest.mark.parametrize(
    ("fault", "answer", "action"),
    [
        ("silent", "no answer", "repair ns2.example.com. or the way to it"),
        ("refused", "REFUSED", "make ns2.example.com. serve example.com."),
        ("servfail", "SERVFAIL", "make ns2.example.com. serve example.com."),
        ("lame", "not authoritative for the zone", "make ns2.example.com. serve example.com."),
    ],
)
def test_one_server_is_bad(world: FakeDns, fault: str, answer: str, action: str) -> None:
    world.add_txt(NAME, VALUE)
    world.faults["127.7.0.2"] = fault
    verdict = look(world)
    assert not verdict.ok
    assert answers(verdict) == [("127.7.0.2", answer)]
    assert verdict.action.startswith(action)


def test_the_same_situation_gives_the_same_words(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "silent"
    world.add_txt(NAME, "b", "a")
    assert look(world) == look(world)


def test_a_quorum(world: FakeDns) -> None:
    world.add_txt(NAME, VALUE)
    world.faults["127.7.0.2"] = "silent"
    assert not look(world, quorum=51).ok
    assert look(world, quorum=50).ok


def test_nothing_gets_through(world: FakeDns) -> None:
    world.faults |= {"127.7.0.1": "silent", "127.7.0.2": "silent"}
    verdict = look(world)
    assert not verdict.ok
    assert verdict.action == (
        "let the operator reach ns1.example.com., ns2.example.com. on port 53 by UDP and TCP, or set propagation.mode "
        "to Recursive"
    )


def test_truncated_and_slow_answers_count(world: FakeDns) -> None:
    world.add_txt(NAME, VALUE)
    world.faults |= {"127.7.0.1": "truncates", "127.7.0.2": "tcp-only"}
    assert look(world).ok


def test_a_dead_ipv6_path_does_not_block(world: FakeDns) -> None:
    world.zone("example.com", "ns1 60 IN A 127.7.0.1\nns1 60 IN AAAA 2001:db8::1", ns=("ns1",))
    world.serves["127.7.0.1"].add(dns.name.from_text("example.com."))
    world.add_txt(NAME, VALUE)
    verdict = look(world)
    assert verdict.ok
    assert verdict.summary.startswith(
        "1 of 1 addresses of the servers asked hold the record; not counted: 2001:db8::1 ("
    )


def six(world: FakeDns) -> None:
    """A third server, with an IPv6 address only."""
    try:
        world.zone("example.com", "@ NS ns6\nns6 AAAA ::1", "127.7.0.1", "127.7.0.2")
        world.serves["::1"].add(dns.name.from_text("example.com."))
        world.listen("::1")
    except OSError:
        pytest.skip("no IPv6 here")


def test_ipv6_addresses_are_asked_like_others(world: FakeDns) -> None:
    six(world)
    old = world.zones[dns.name.from_text("example.com.")]
    world.stale["::1", "example.com."] = dns.zone.from_text(old.to_text(), "example.com.", relativize=False)
    world.add_txt(NAME, VALUE)
    assert answers(look(world)) == [("::1", "NXDOMAIN")]
    del world.stale["::1", "example.com."]
    assert look(world).summary == "3 of 3 addresses of the servers asked hold the record"


def test_a_server_that_only_a_dead_ipv6_path_leads_to_does_not_block(world: FakeDns) -> None:
    six(world)
    world.add_txt(NAME, VALUE)
    world.faults["::1"] = "silent"
    assert look(world).summary == (
        "2 of 2 addresses of the servers asked hold the record; not counted: ::1 (no answer)"
    )
    world.faults["127.7.0.1"] = world.faults["127.7.0.2"] = "silent"
    assert not look(world).ok, "nobody has been seen to have it"


def test_only_a_dead_ipv6_path_is_no_proof(world: FakeDns) -> None:
    world.zone("six.example.com", "ns1 60 IN AAAA 2001:db8::1", ns=("ns1",))
    verdict = look(world, Record("_acme-challenge.six.example.com.", "six.example.com.", "rfc2136", VALUE))
    assert not verdict.ok
    assert answers(verdict)[0][0] == "2001:db8::1"


def test_modes(world: FakeDns) -> None:
    world.add_txt(NAME, VALUE)
    assert look(world, mode=Mode.RECURSIVE).summary == "1 of 1 addresses of the servers asked hold the record"
    assert world.asked_of("127.7.0.1") == []
    assert look(world, mode=Mode.BOTH).summary == "3 of 3 addresses of the servers asked hold the record"
    asked = len(world.asked)
    assert look(world, mode=Mode.NONE).ok
    assert len(world.asked) == asked


def test_what_a_resolver_says(world: FakeDns) -> None:
    verdict = look(world, mode=Mode.RECURSIVE)
    assert [(m.server, m.answer) for m in verdict.missing] == [(f"resolver {RESOLVER}:{world.port}", "NXDOMAIN")]
    assert verdict.action == (
        f"wait: resolver {RESOLVER}:{world.port} may keep for a while that there was no such record, or an old one; "
        "propagation.mode Authoritative does not ask it"
    )


def test_a_resolver_that_does_not_answer(world: FakeDns) -> None:
    world.faults[RESOLVER] = "servfail"
    verdict = look(world, mode=Mode.RECURSIVE)
    assert verdict.action.startswith(f"repair resolver {RESOLVER}:{world.port} or the way to it")


def test_many_records_and_a_zone_that_is_gone(world: FakeDns) -> None:
    world.faults["127.7.0.2"] = "silent"
    records = [Record(f"_acme-challenge.w{n}.example.com.", "example.com.", "rfc2136", VALUE) for n in range(50)]
    for record in records:
        world.add_txt(record.name, VALUE)
    verdicts = check(
        [*records, Record("a.gone.example.", "gone.example.", "rfc2136", VALUE)], world.finder(), Propagation()
    )
    assert all(verdict.summary.startswith("1 of 2") for verdict in verdicts[:50])
    assert "know no name servers (NS) of the zone gone.example." in verdicts[50].summary
    assert not verdicts[50].ok


def test_the_config() -> None:
    assert Propagation.of(Fields(None, "p")) == Propagation()
    body = {"mode": "Both", "wait": "1m", "timeout": "20m", "interval": "10s", "quorum": 75}
    assert Propagation.of(Fields(body, "p")) == Propagation(
        mode=Mode.BOTH,
        wait=timedelta(minutes=1),
        timeout=timedelta(minutes=20),
        interval=timedelta(seconds=10),
        quorum=75,
    )


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "All"},
        {"wait": "-1s"},
        {"timeout": "0s"},
        {"interval": "x"},
        {"quorum": 0},
        {"quorum": 101},
        {"mode": 1},
    ],
)
def test_a_bad_config_names_the_field(body: dict[str, object]) -> None:
    with pytest.raises(InvalidSpec, match=rf"spec\.dns01\.propagation\.{next(iter(body))}"):
        Propagation.of(Fields(body, "spec.dns01.propagation"))


def test_no_resolver_to_ask(world: FakeDns) -> None:
    verdict = look_by(world, "nowhere.invalid")
    assert (verdict.ok, verdict.summary) == (False, "no DNS resolver is usable: none has an address")


def look_by(world: FakeDns, resolver: str) -> Verdict:
    (verdict,) = check([RECORD], world.finder(resolver), Propagation(mode=Mode.RECURSIVE))
    return verdict
