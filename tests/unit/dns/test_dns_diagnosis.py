"""Every fault of the DNS that a person may have to mend: what is said of it, and what to do."""

import dns.name
import dns.rcode
import dns.zone
import pytest

from certwright.dns.caa import Wish
from certwright.dns.diagnosis import Diagnosis, Subject, diagnose
from certwright.dns.finding import Severity
from certwright.dns.negative import LONG
from certwright.dns.resolvers import Resolvers, Server
from certwright.dns.zone import Zones
from certwright.errors import InvalidSpec
from unit.dns.fake_dns import RESOLVER, FakeDns

OWN = "_acme-challenge.www.example.com."
NOBODY = "127.7.0.200"
FOUR = ("127.7.0.1", "127.7.0.2", "127.7.0.3", "127.7.0.4")
PARENT = "127.7.0.9"
NAMES = ("ns1.example.com.", "ns2.example.com.")


def delegate(world: FakeDns, *, to: tuple[str, ...] = NAMES, text: str = "") -> None:
    world.zone("com", "\n".join([*(f"example NS {server}" for server in to), text]), PARENT)


@pytest.fixture
def world(world: FakeDns) -> FakeDns:
    """example.com, delegated by com."""
    delegate(world)
    return world


def look(world: FakeDns, name: str = "www.example.com", *, cname: str = "", wish: Wish | None = None) -> Diagnosis:
    (found,) = diagnose(world.finder(), [Subject(name, wish or Wish(), cname)], nobody=NOBODY)
    return found


def said(diagnosis: Diagnosis, severity: Severity = Severity.PROBLEM) -> dict[str, str]:
    return {
        finding.code: f"{finding.text}; to do: {finding.action}"
        for finding in diagnosis.findings
        if finding.severity is severity
    }


def advice(diagnosis: Diagnosis) -> dict[str, str]:
    return said(diagnosis, Severity.ADVICE)


def change(world: FakeDns, address: str, *, serial: int = 0, text: str = "") -> None:
    """Let one server have an old zone, of another serial or with other records."""
    zone = world.zones[dns.name.from_text("example.com.")].to_text(relativize=False)
    old = zone.replace("hostmaster.example.com. 1 ", f"hostmaster.example.com. {serial or 1} ") + text
    world.stale[address, "example.com."] = dns.zone.from_text(old, "example.com.", relativize=False)


def test_all_is_well(world: FakeDns) -> None:
    found = look(world)
    assert [finding.code for finding in found.findings] == ["Port53", "Delegation", "Servers", "CAA"]
    assert (found.record, found.zone, found.path) == (OWN, "example.com.", ("com.", "example.com."))
    assert {(state.udp, state.tcp, state.serial, state.holds) for state in found.servers} == {
        ("answers", "answers", 1, "NXDOMAIN")
    }
    assert not found.problems


def test_no_resolver_is_asked_to_find_the_challenges_name(world: FakeDns) -> None:
    found = look(world)
    asked = [ask for ask in world.asked_of(RESOLVER) if ask[0] == OWN]
    assert asked == [(OWN, "TXT")], "and that one without recursion"
    assert not found.kept


class TestDelegation:
    def test_none_at_all(self, world: FakeDns) -> None:
        delegate(world, to=())
        del world.zones[dns.name.from_text("example.com.")]
        assert said(look(world)) == {
            "NoDelegation": "example.com. is not delegated: the name servers of com. know no NS records for it; to do: "
            "check the spelling, that the domain is registered and paid for, and have the registrar name its name "
            "servers"
        }

    def test_none_though_the_servers_are_set_up(self, world: FakeDns) -> None:
        delegate(world, to=())
        assert "NoDelegation" in said(look(world))

    def test_to_servers_without_addresses(self, world: FakeDns) -> None:
        delegate(world, to=("ns.nowhere.example.",))
        assert (
            "com. delegates example.com. to ns.nowhere.example., and none of these has an address"
            in (said(look(world))["NoServerAddress"])
        )

    def test_other_servers_than_the_zone_itself_names(self, world: FakeDns) -> None:
        world.listen("127.7.0.7")
        delegate(world, to=("ns1.example.com.", "old.example.net."))
        world.zone("example.net", "old A 127.7.0.7", "127.7.0.8")
        found = look(world)
        assert (
            "the delegation of example.com. is not what the zone says: only com. names old.example.net., "
            "only the zone itself names ns2.example.com.; to do: make the NS records at the registrar and in the zone "
            "the same" in advice(found)["DelegationDiffers"]
        )
        assert (
            "old.example.net. 127.7.0.7 (REFUSED) should serve example.com. and does not" in (said(found)["LameServer"])
        )

    def test_a_child_at_the_same_servers(self, world: FakeDns) -> None:
        world.zone("sub.example.com", "", "127.7.0.1", "127.7.0.2")
        found = look(world, "www.sub.example.com")
        assert not found.problems, found
        assert found.path == ("com.", "example.com.", "sub.example.com.")

    def test_a_child_and_a_cname_at_the_same_servers(self, world: FakeDns) -> None:
        world.zone("sub.example.com", "_acme-challenge.www CNAME x.example.com.", "127.7.0.1", "127.7.0.2")
        found = look(world, "www.sub.example.com")
        assert not found.problems, found
        assert (found.chain[-1], found.zone) == ("x.example.com.", "example.com.")

    def test_the_parent_cannot_be_reached(self, world: FakeDns) -> None:
        world.faults[PARENT] = "silent"
        found = look(world)
        assert "no name server of com. gives a usable answer (127.7.0.9: no answer)" in said(found)["ZoneUnreachable"]
        assert "port 53" in said(found)["ZoneUnreachable"]

    def test_nobody_knows_the_top(self, world: FakeDns) -> None:
        world.broken["com."] = dns.rcode.SERVFAIL
        found = look(world)
        assert "the delegation cannot be walked" in advice(found)["DelegationUnseen"]
        assert found.zone == "example.com.", "as the resolvers have it"
        assert len(found.servers) == 2

    def test_resolvers_in_another_zone(self, world: FakeDns) -> None:
        """Split DNS: inside, there is a zone that the world knows nothing of, and the operator would write into it."""
        world.zone("corp.example.com", "host A 192.0.2.1", "127.7.0.5", RESOLVER)
        found = look(world, "host.corp.example.com")
        assert said(found)["WrongZone"] == (
            "the resolvers have _acme-challenge.host.corp.example.com. in the zone corp.example.com., and the "
            "authoritative servers in example.com. at ns1.example.com., ns2.example.com.; a CA asks the latter; to do: "
            "let the operator ask resolvers that see the public DNS (dns01.nameservers), or set dns01.zone to "
            "example.com."
        )

    def test_a_zone_that_is_seen_from_inside_only(self, world: FakeDns) -> None:
        """Split DNS: the world knows the name, but not that it is a zone of its own; the operator goes by the world."""
        world.zone("www.example.com", "", "127.7.0.5", RESOLVER)
        found = look(world)
        assert advice(found)["UndelegatedZone"] == (
            "the resolvers have _acme-challenge.www.example.com. in the zone www.example.com., to which the name "
            "servers of example.com. do not delegate: it is seen from inside only, and the record is written into "
            "example.com.; to do: leave it if the CA asks the public DNS; if it is one that sees www.example.com., set "
            "dns01.zone to www.example.com."
        )
        assert not found.problems

    def test_resolvers_with_the_zone_at_other_servers(self, world: FakeDns) -> None:
        delegate(world, to=("ns.public.example.",))
        world.zone("public.example", "ns A 127.7.0.6", "127.7.0.6")
        public = dns.zone.from_text(
            "@ 60 SOA ns.public.example. h. 9 1 1 1 60\n@ 60 NS ns.public.example.\n", "example.com.", relativize=False
        )
        world.serves["127.7.0.6"].add(public.origin)
        world.stale["127.7.0.6", "example.com."] = public
        assert "the resolvers have the zone at ns1.example.com., ns2.example.com." in said(look(world))["WrongZone"]

    def test_resolvers_that_know_no_zone(self, world: FakeDns) -> None:
        for name in ("www.example.com.", "example.com."):
            world.broken[name] = dns.rcode.NXDOMAIN
        assert "the resolvers know no zone for _acme-challenge.www.example.com." in said(look(world))["WrongZone"]


class TestServers:
    @pytest.fixture
    def four(self, world: FakeDns) -> FakeDns:
        world.zone("example.com", "", *FOUR)
        delegate(world, to=tuple(f"ns{number}.example.com." for number in range(1, 5)))
        return world

    def test_one_of_four_is_stale(self, four: FakeDns) -> None:
        change(four, FOUR[2], serial=4294967290)
        assert said(look(four)) == {
            "StaleServer": "ns3.example.com. 127.7.0.3 (serial 4294967290) is behind: 3 of 4 addresses have serial 1 "
            "of example.com.; to do: look at the zone transfer from ns1.example.com. to it (NOTIFY, allowed addresses, "
            "TSIG key)"
        }

    def test_one_of_four_has_another_answer(self, four: FakeDns) -> None:
        four.add_txt(OWN, "new")
        change(four, FOUR[1], text=f"{OWN} 60 IN TXT old\n".replace("old", "older"))
        assert (
            "the name servers disagree about _acme-challenge.www.example.com.: 3 have TXT new, "
            in (said(look(four))["ServersDisagree"])
        )

    def test_several_providers_have_serials_of_their_own(self, four: FakeDns) -> None:
        change(four, FOUR[3], serial=7)
        zone = four.stale[FOUR[3], "example.com."]
        soa = zone.get_rdataset("example.com.", "SOA")
        zone.replace_rdataset(
            "example.com.", dns.rdataset.from_rdata(60, soa[0].replace(mname=dns.name.from_text("other.example.")))
        )
        found = look(four)
        assert "ns1.example.com., other.example." in advice(found)["SeveralPrimaries"]
        assert not found.problems

    @pytest.mark.parametrize(
        ("fault", "code", "words"),
        [
            (
                "silent",
                "ServerSilent",
                "ns2.example.com. 127.7.0.2 (no answer): no answer by IPv4; to do: repair the server",
            ),
            ("refused", "LameServer", "ns2.example.com. 127.7.0.2 (REFUSED) should serve example.com. and does not"),
            ("servfail", "LameServer", "(SERVFAIL)"),
            ("lame", "LameServer", "(it is not authoritative)"),
            ("empty", "LameServer", "(it is not authoritative)"),
        ],
    )
    def test_one_is_bad(self, world: FakeDns, fault: str, code: str, words: str) -> None:
        world.faults["127.7.0.2"] = fault
        problems = said(look(world))
        assert list(problems) == [code]
        assert words in problems[code]

    @pytest.mark.parametrize(
        ("fault", "code", "words"),
        [
            (
                "udp-only",
                "NoTCP",
                "ns2.example.com. 127.7.0.2 (no answer) answers by UDP only; to do: open port 53 for TCP",
            ),
            ("tcp-only", "NoUDP", "answers by TCP only"),
        ],
    )
    def test_half_a_path(self, world: FakeDns, fault: str, code: str, words: str) -> None:
        world.faults["127.7.0.2"] = fault
        found = look(world)
        assert words in advice(found)[code]
        assert not found.problems

    def test_all_are_silent(self, world: FakeDns) -> None:
        world.faults |= {"127.7.0.1": "silent", "127.7.0.2": "silent"}
        assert "let this place reach port 53 of the internet" in said(look(world))["AllServersSilent"]

    def test_a_server_without_an_address(self, world: FakeDns) -> None:
        delegate(world, to=(*NAMES, "ns3.example.com."))
        assert "ns3.example.com. should serve example.com. and has no address" in said(look(world))["NoServerAddress"]


def six(world: FakeDns, address: str) -> None:
    try:
        world.zone("example.com", f"ns1 AAAA {address}", "127.7.0.1", "127.7.0.2")
        world.serves[address] = world.serves["127.7.0.1"]
        if address == "::1":
            world.listen(address)
    except OSError:
        pytest.skip("no IPv6 here")


def test_the_ipv6_path_is_dead(world: FakeDns) -> None:
    six(world, "::1")
    assert len(look(world).servers) == 3
    world.faults["::1"] = "silent"
    found = look(world)
    assert (
        "no IPv6 address of the name servers answers from here (::1), while IPv4 does: the IPv6 path is dead; to do: "
        "repair the IPv6 route of this place, or of the servers" in advice(found)["IPv6PathDead"]
    )
    assert not found.problems


class TestInterception:
    def test_an_address_that_nobody_has_answers(self, world: FakeDns) -> None:
        world.listen(NOBODY)
        for address in (NOBODY, PARENT, "127.7.0.1", "127.7.0.2"):
            world.faults[address] = "intercepted"
        problems = said(look(world))
        assert list(problems) == ["Port53Intercepted"]
        assert (
            f"port 53 is intercepted: {NOBODY}, an address that nobody has, answers a DNS question; what is said here "
            "of single name servers is the interceptor's word; to do: exempt port 53" in problems["Port53Intercepted"]
        )

    def test_servers_that_all_answer_as_resolvers_do(self, world: FakeDns) -> None:
        for address in ("127.7.0.1", "127.7.0.2"):
            world.faults[address] = "intercepted"
        assert "all 2 addresses that answer do so as resolvers do" in advice(look(world))["Port53Suspicious"]


class TestSignatures:
    def test_that_do_not_fit(self, world: FakeDns) -> None:
        world.bogus.add("example.com.")
        world.zone("example.com", "", "127.7.0.1", ns=("ns.other.example.",))
        world.zone("other.example", "ns A 127.7.0.1", "127.7.0.1")
        delegate(world, to=("ns.other.example.",))
        found = look(world)
        assert said(found) == {
            "BogusSignatures": f"{RESOLVER}:{world.port} refuses example.com. (SERVFAIL) and has an answer when asked "
            "not to check signatures: the zone's DNSSEC signatures do not fit; to do: mend the DS record of "
            "example.com. at the registrar, or have the zone signed anew; a CA refuses it, too"
        }
        assert found.zone == "example.com."

    def test_a_resolver_that_fails_otherwise_is_not_taken_for_that(self, world: FakeDns) -> None:
        world.broken["example.com."] = dns.rcode.SERVFAIL
        assert "BogusSignatures" not in said(look(world))


class TestNegativeCache:
    def test_before_the_record_is_made(self, world: FakeDns) -> None:
        world.kept[OWN] = 1234
        found = look(world)
        assert f"{RESOLVER}:{world.port} (NXDOMAIN, 1234 s left) keeps the answer" in advice(found)["NegativeCache"]
        assert "wait 1234 s first" in advice(found)["NegativeCache"]
        assert not found.problems

    def test_against_the_zone(self, world: FakeDns) -> None:
        world.kept[OWN] = 1234
        world.add_txt(OWN, "value")
        assert said(look(world))["NegativeCache"].endswith(
            f"keeps the answer that {OWN} has no such record, while its zone has TXT value; to do: wait 1234 s or "
            "flush that resolver's cache; propagation.mode Authoritative does not ask it"
        )

    def test_of_the_cname(self, world: FakeDns) -> None:
        world.kept[OWN] = 77
        world.zone("example.com", "_acme-challenge.www CNAME x.example.net.", "127.7.0.1", "127.7.0.2")
        world.zone("example.net", "", "127.7.0.8")
        world.zone("net", "example NS ns1.example.net.", "127.7.0.10")
        assert "while its zone has CNAME x.example.net." in said(look(world))["NegativeCache"]

    def test_a_zone_that_makes_them_last(self, world: FakeDns) -> None:
        world.zone("example.com", "", "127.7.0.1", "127.7.0.2")
        zone = world.zones[dns.name.from_text("example.com.")]
        soa = zone.get_rdataset("example.com.", "SOA")
        zone.replace_rdataset("example.com.", dns.rdataset.from_rdata(86400, soa[0].replace(minimum=86400)))
        assert "for 86400 s" in advice(look(world))["LongNegativeTTL"]
        assert LONG < 86400


class TestCNAME:
    TARGET = "www.challenges.example.net"

    @pytest.fixture(autouse=True)
    def _net(self, world: FakeDns) -> None:
        world.zone("net", "example NS ns1.example.net.", "127.7.0.10")
        world.zone("example.net", "", "127.7.0.8")

    def test_missing(self, world: FakeDns) -> None:
        assert said(look(world, cname=self.TARGET)) == {
            "CNAMEMissing": f"{OWN} has no CNAME, and {self.TARGET}. is wanted; to do: create the record in the zone "
            f"example.com. (name servers ns1.example.com., ns2.example.com.): {OWN} 300 IN CNAME {self.TARGET}."
        }

    def test_something_else_is_in_its_place(self, world: FakeDns) -> None:
        world.add_txt(OWN, "old")
        assert "first remove the other records there" in said(look(world, cname=self.TARGET))["CNAMEMissing"]

    def test_there(self, world: FakeDns) -> None:
        world.zone("example.com", f"_acme-challenge.www CNAME {self.TARGET}.", "127.7.0.1", "127.7.0.2")
        found = look(world, cname=self.TARGET.upper())
        assert not found.problems, found
        assert (found.record, found.zone) == (f"{self.TARGET}.", "example.net.")
        assert found.path == ("net.", "example.net.")
        assert {state.address for state in found.servers} == {"127.7.0.8"}

    def test_to_another_place(self, world: FakeDns) -> None:
        world.zone("example.com", "_acme-challenge.www CNAME other.example.net.", "127.7.0.1", "127.7.0.2")
        assert (
            f"leads to other.example.net. and not to {self.TARGET}.; to do: change the record in the zone"
            in (said(look(world, cname=self.TARGET))["CNAMEMissing"])
        )

    def test_in_a_circle(self, world: FakeDns) -> None:
        world.zone("example.com", "_acme-challenge.www CNAME _acme-challenge.www", "127.7.0.1", "127.7.0.2")
        assert "go round in a circle" in said(look(world))["BadCNAME"]


@pytest.mark.parametrize(("name", "refused"), [("www.example.com", False), ("*.www.example.com", True)])
def test_caa(world: FakeDns, *, name: str, refused: bool) -> None:
    world.zone("example.com", '@ CAA 0 issue "a.example"\n@ CAA 0 issuewild ";"', "127.7.0.1", "127.7.0.2")
    problems = said(look(world, name, wish=Wish(("a.example",))))
    assert bool(problems) == refused
    if refused:
        assert 'add the record example.com. CAA 0 issuewild "a.example"' in problems["CAARefuses"]


def test_caa_that_nobody_answers_for_is_advice(world: FakeDns) -> None:
    world.broken["www.example.com."] = dns.rcode.SERVFAIL
    found = look(world)
    assert "CAA cannot be looked up" in advice(found)["CAAUnknown"]
    assert not found.problems


def test_the_resolvers_are_dead(world: FakeDns) -> None:
    world.faults[RESOLVER] = "silent"
    found = look(world)
    assert "no resolver answered" in advice(found)["DelegationUnseen"]
    assert len(found.findings) < 6


def test_many_names_side_by_side(world: FakeDns) -> None:
    patient = Zones(Resolvers([Server(RESOLVER, world.port)]), authoritative_port=world.port)
    found = diagnose(patient, [Subject(f"w{number}.example.com") for number in range(20)], nobody=NOBODY)
    assert [item.problems for item in found] == [()] * 20


@pytest.mark.parametrize("subject", [Subject("a b"), Subject("example.com", expected_cname="a b")])
def test_what_is_no_name(world: FakeDns, subject: Subject) -> None:
    with pytest.raises(InvalidSpec):
        diagnose(world.finder(), [subject], nobody=NOBODY)


def test_all_findings_are_bounded(world: FakeDns) -> None:
    world.add_txt(OWN, *(f"{number}" + "x" * 200 for number in range(40)))
    world.faults |= {"127.7.0.1": "lame", "127.7.0.9": "servfail"}
    for finding in look(world).findings:
        assert len(finding.text) < 600
