"""`certwright check dns` before every fault that it has to tell, made for real: BIND, packet filters, caches.

Each fault has a network of name servers of its own kind of wrong; the command is run in there as a person would run it.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dns_lab import FOUR, INSIDE, LAME, NEGATIVE_TTL, RESOLVER, SIGNED, SIX, STRICT, Lab

from cluster.nameserver import COM
from cluster.network import Network

pytestmark = pytest.mark.cluster
LE, ACCOUNT = "letsencrypt.org", "https://ca.example/acct/7"
OWN = "_acme-challenge.www.example.com."
RECORDS = f"""
caa CAA 0 issue "{LE}"
caa CAA 0 issuewild ";"
account CAA 0 issue "{LE}; accounturi={ACCOUNT}"
method CAA 0 issue "{LE}; validationmethods=http-01"
critical CAA 128 later "x"
alias CNAME caa
"""
Check = Callable[..., Any]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := Network.missing():
        pytest.skip(reason)
    with Lab(tmp_path_factory.mktemp("lab"), RECORDS) as running:
        yield running


@pytest.fixture
def check(lab: Lab) -> Check:
    """Run the command in the lab; returns its JSON, or its text with `text=True`."""

    def run(*arguments: str, resolver: str = RESOLVER, code: int = 0, text: bool = False) -> Any:
        command = [sys.executable, "-c", "from certwright.cli.main import main; main()", "check", "dns", *arguments]
        whole = [*command, "--resolver", resolver, *(() if text else ("-o", "json"))]
        done = subprocess.run(lab.network.enter(*whole), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if text else json.loads(done.stdout)

    return run


def said(data: Any, severity: str = "problem") -> dict[str, str]:
    """Text and action by code, of all names."""
    return {
        finding["code"]: f"{finding['text']}; to do: {finding['action']}"
        for name in data["names"]
        for finding in name["findings"]
        if finding["severity"] == severity
    }


def test_all_is_well(check: Check) -> None:
    data = check("www.example.com")
    (name,) = data["names"]
    assert [finding["code"] for finding in name["findings"]] == ["Port53", "Delegation", "Servers", "CAA"]
    assert {server["address"] for server in name["servers"]} == {*FOUR, *SIX}
    assert {(server["udp"], server["tcp"]) for server in name["servers"]} == {("answers", "answers")}
    assert name["path"] == ["com.", "example.com."]


def test_no_delegation(lab: Lab, check: Check) -> None:
    data = check("www.unregistered.com", code=4)
    assert said(data)["NoDelegation"].startswith("unregistered.com. is not delegated: the name servers of com. know no")
    assert "have the registrar name its name servers" in said(data)["NoDelegation"]
    assert not lab.ask(COM, "unregistered.com", "NS").answer


def test_a_delegation_to_a_server_without_the_zone(check: Check) -> None:
    data = check("www.lame.com", code=4)
    assert f"ns.lame.com. {LAME} (REFUSED) should serve lame.com. and does not" in said(data)["LameServer"]
    assert "SERVFAIL" in said(data, "advice")["CAAUnknown"], "CAA that nobody answers for is advice"


def test_the_wrong_zone(check: Check) -> None:
    """The resolvers of a company have a zone that the world knows nothing of: a CA would not see the record."""
    assert not said(check("host.corp.example.com"))
    told = said(check("host.corp.example.com", resolver=INSIDE, code=4))["WrongZone"]
    assert told.startswith(
        "the resolvers have _acme-challenge.host.corp.example.com. in the zone corp.example.com., and the "
        "authoritative servers in example.com. at ns1.example.com., ns2.example.com."
    )
    assert "set dns01.zone to example.com." in told


def test_one_of_four_servers_is_stale(lab: Lab, check: Check) -> None:
    serial = lab.update((OWN, "TXT", "new"))
    try:
        data = check("www.example.com", code=4)
        told = said(data)
        assert told["StaleServer"].startswith(
            f"ns4.example.com. {FOUR[3]} (serial {serial - 1}), ns4.example.com. {SIX[3]}"
        )
        assert f"6 of 8 addresses have serial {serial} of example.com." in told["StaleServer"]
        assert "look at the zone transfer from ns1.example.com. to it" in told["StaleServer"]
        assert f"6 have TXT new, ns4.example.com. {FOUR[3]} has NXDOMAIN" in told["ServersDisagree"]
        assert set(told) == {"StaleServer", "ServersDisagree"}
    finally:
        lab.update((OWN, "TXT", "new"), remove=True)
        lab.settle()
    check("www.example.com")


def test_the_ipv6_path_is_dead(lab: Lab, check: Check) -> None:
    drop = "table ip6 t { chain c { type filter hook input priority 0; ip6 daddr fd53::/16 drop; }; }"
    with lab.network.rules(drop):
        data = check("www.example.com")
    told = said(data, "advice")["IPv6PathDead"]
    assert told.startswith(f"no IPv6 address of the name servers answers from here ({', '.join(SIX)}), while IPv4 does")
    assert "repair the IPv6 route of this place" in told
    assert not said(data)


def test_only_one_server_is_dead(lab: Lab, check: Check) -> None:
    drop = f"table ip t {{ chain c {{ type filter hook input priority 0; ip daddr {FOUR[2]} drop; }}; }}"
    with lab.network.rules(drop):
        told = said(check("www.example.com", code=4))
    assert list(told) == ["ServerSilent"]
    assert told["ServerSilent"].startswith(f"ns3.example.com. {FOUR[2]} (no answer): no answer by IPv4")


@pytest.mark.parametrize(("closed", "code"), [("tcp", "NoTCP"), ("udp", "NoUDP")])
def test_half_of_port_53_is_closed(lab: Lab, check: Check, closed: str, code: str) -> None:
    rule = f"ip daddr {FOUR[1]} {closed} dport 53 drop"
    with lab.network.rules(f"table ip t {{ chain c {{ type filter hook input priority 0; {rule}; }}; }}"):
        told = said(check("www.example.com"), "advice")[code]
    assert told.startswith(
        f"ns2.example.com. {FOUR[1]} (no answer) answers by {'UDP' if closed == 'tcp' else 'TCP'} only"
    )


def test_port_53_is_closed(lab: Lab, check: Check) -> None:
    """Only the resolver can be reached, as it is in many a company."""
    rules = "".join(f"ip{six} saddr != {RESOLVER} ip{six} daddr != {RESOLVER} {way} dport 53 drop; "
                    for six in ("",) for way in ("udp", "tcp"))  # fmt: skip
    six = "table ip6 s { chain c { type filter hook input priority 0; ip6 daddr fd53::/16 drop; }; }"
    with lab.network.rules(f"table ip t {{ chain c {{ type filter hook input priority 0; {rules} }}; }}\n{six}"):
        data = check("www.example.com", code=4)
    told = said(data)
    assert f"no name server of com. gives a usable answer ({COM}: no answer)" in told["ZoneUnreachable"]
    assert "let this place reach port 53 of the internet" in told["ZoneUnreachable"]


def test_port_53_is_intercepted(lab: Lab, check: Check) -> None:
    """As a firewall or a mesh does it: whoever is asked at port 53, the resolver answers."""
    redirect = "".join(
        f"ip saddr != {RESOLVER} ip daddr != {RESOLVER} {way} dport 53 dnat to {RESOLVER}; " for way in ("udp", "tcp")
    )
    lab.network.run("ip", "route", "add", "192.0.2.0/24", "dev", "lo")
    try:
        check("www.example.com")
        with lab.network.rules(f"table ip t {{ chain c {{ type nat hook output priority -100; {redirect} }}; }}"):
            data = check("www.example.com", code=4)
            text = check("www.example.com", code=4, text=True)
    finally:
        lab.network.run("ip", "route", "del", "192.0.2.0/24", "dev", "lo")
    told = said(data)
    assert list(told) == ["Port53Intercepted"], "what name servers are said to say is the interceptor's word"
    assert "192.0.2.1, an address that nobody has, answers a DNS question" in told["Port53Intercepted"]
    assert "exempt port 53 of this pod from the redirection" in told["Port53Intercepted"]
    assert "problem: port 53 is intercepted" in text


def test_a_signed_zone(lab: Lab, check: Check) -> None:
    assert lab.ask(SIGNED, "signed.com", "DNSKEY").answer, "it is signed"
    assert not said(check("www.signed.com"))


def test_signatures_that_do_not_fit(check: Check) -> None:
    """The resolver was told of another key than the one that the zone is signed with."""
    told = said(check("www.signed.com", resolver=STRICT, code=4))
    assert list(told) == ["BogusSignatures"]
    assert told["BogusSignatures"].startswith(f"{STRICT}:53 refuses signed.com. (SERVFAIL) and has an answer when")
    assert not said(check("www.example.com", resolver=STRICT))


def test_a_negative_cache(lab: Lab, check: Check) -> None:
    name = "_acme-challenge.early.example.com."
    assert not said(check("early.example.com"), "advice").get("NegativeCache")
    assert not lab.ask(RESOLVER, name, "TXT").answer
    lab.ask(RESOLVER, name, "TXT", recurse=True)  # somebody looks too early
    told = said(check("early.example.com"), "advice")["NegativeCache"]
    assert f"{RESOLVER}:53 (NXDOMAIN, " in told
    seconds = int(told.split("NXDOMAIN, ")[1].split(" s left")[0])
    assert NEGATIVE_TTL - 60 < seconds <= NEGATIVE_TTL
    lab.update((name, "TXT", "value"))
    try:
        lab.settle()
        told = said(check("early.example.com", code=4))["NegativeCache"]
        assert "while its zone has TXT value; to do: wait" in told
        assert "flush that resolver's cache" in told
    finally:
        lab.update((name, "TXT", "value"), remove=True)
        lab.settle()


def test_the_command_itself_leaves_no_negative_answer(lab: Lab, check: Check) -> None:
    """Run before anything is issued, it must not spoil what comes then."""
    check("*.later.example.com", "--caa-identity", LE)
    for name in ("later.example.com.", "_acme-challenge.later.example.com."):
        lab.update((name, "TXT", "value"))
        answer = lab.ask(RESOLVER, name, "TXT", recurse=True)
        assert answer.answer, f"the resolver keeps that there is no {name}"
        lab.update((name, "TXT", "value"), remove=True)
    lab.settle()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "caa.example.com",
            ("--caa-identity", "other.example"),
            "lets letsencrypt.org issue, not other.example; to do: add",
        ),
        ("alias.example.com", ("--caa-identity", "other.example"), "at caa.example.com.: CAA 0 issue"),
        ("*.caa.example.com", ("--caa-identity", LE), 'CAA 0 issuewild ";" lets nobody issue'),
        ("account.example.com", ("--caa-identity", LE, "--account-uri", f"{ACCOUNT}8"), f"{ACCOUNT} only issue, not"),
        ("method.example.com", ("--caa-identity", LE), "lets it issue by http-01 only, not by dns-01"),
        ("critical.example.com", ("--caa-identity", LE), "is marked critical, and no CA knows its tag"),
    ],
)
def test_caa_refuses(check: Check, name: str, options: tuple[str, ...], words: str) -> None:
    assert words in said(check(name, *options, code=4))["CAARefuses"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("www.example.com", ("--caa-identity", "other.example")),
        ("caa.example.com", ("--caa-identity", LE)),
        ("account.example.com", ("--caa-identity", LE, "--account-uri", ACCOUNT)),
        ("method.example.com", ("--caa-identity", LE, "--method", "http-01")),
    ],
)
def test_caa_allows(check: Check, name: str, options: tuple[str, ...]) -> None:
    (finding,) = [finding for finding in check(name, *options)["names"][0]["findings"] if finding["code"] == "CAA"]
    assert finding["severity"] == "ok"


def test_a_cname_is_missing(lab: Lab, check: Check) -> None:
    """The record that is shown is the one that mends it, taken word for word."""
    target = "www.challenges.example.com."
    told = said(check("www.example.com", "--expect-cname", target, code=4))["CNAMEMissing"]
    assert told.startswith(
        f"{OWN} has no CNAME, and {target} is wanted; to do: create the record in the zone example.com."
    )
    owner, ttl, _, kind, leads = told.rpartition("): ")[2].split()
    assert ttl == "300"
    lab.update((owner, kind, leads))
    try:
        lab.settle()
        data = check("www.example.com", "--expect-cname", target)
        assert data["names"][0]["chain"] == [OWN, target]
        other = said(check("www.example.com", "--expect-cname", "x.example.com", code=4))["CNAMEMissing"]
        assert f"leads to {target} and not to x.example.com.; to do: change the record" in other
    finally:
        lab.update((owner, kind, leads), remove=True)
        lab.settle()
