"""What is Namecheap's own: nothing of a domain may be lost by a change; the rest is in test_vendors.py."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api, changes, namecheap
from certwright.providers.conformance import VALUES
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer, Request
from unit.providers.fake_namecheap import ADDRESS, KEY, USER, FakeNamecheap, Host
from unit.providers.vendors import PATH, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
CONFIG = {"apiUser": USER, "clientIP": ADDRESS, "secretRef": {"name": "dns"}}
SECRETS = secrets_of({"apiKey": KEY})
RESULT = '<DomainDNSGetHostsResult Domain="example.com" IsUsingOurDNS="true">'
GET, SET = "namecheap.domains.dns.getHosts", "namecheap.domains.dns.setHosts"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNamecheap]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with FakeNamecheap() as running:
        yield running


def provider(fake: FakeNamecheap, **config: object) -> namecheap.Namecheap:
    endpoint = namecheap.endpoint(Fields(CONFIG | config, PATH), SECRETS)
    there = replace(endpoint, url=fake.url, url_field="url")
    return namecheap.Namecheap(namecheap.NamecheapApi(there, guard=Guard(allow_loopback=True)))


def commands(fake: FakeNamecheap) -> list[str]:
    return [request.body["Command"] for request in fake.requests]


@pytest.mark.parametrize("mail", ["NONE", "MX", "FWD", "OX"])
def test_everything_else_stays_as_it_is(fake: FakeNamecheap, mail: str) -> None:
    fake.mail["example.com"] = mail
    if mail != "MX":
        fake.zones["example.com"] = [each for each in fake.zones["example.com"] if each.type != "MX"]
    fake.put("example.com.", "v=spf1 -all")
    before = [(each.name, each.type, each.value, each.ttl) for each in fake.zones["example.com"]]
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert [(each.name, each.type, each.value, each.ttl) for each in fake.zones["example.com"]] == before
    assert fake.mail["example.com"] == mail


def test_the_mail_setting_is_inferred_where_it_is_not_told(fake: FakeNamecheap) -> None:
    fake.tells_mail = False
    before = fake.foreign()
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.foreign() == before
    fake.zones["example.com"] = [each for each in fake.zones["example.com"] if each.type != "MX"]
    provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert "EmailType" not in [request.body for request in fake.requests if request.body["Command"] == SET][-1]


def test_it_is_read_again_before_and_after_each_write(fake: FakeNamecheap) -> None:
    provider(fake).add_many(ZONE, [(NAME, value) for value in VALUES])
    assert commands(fake)[1:] == [GET, GET, SET, GET]
    provider(fake).add_many(ZONE, [(NAME, value) for value in VALUES])
    assert commands(fake)[6:] == [GET]


def test_what_changes_between_the_two_reads_is_kept(fake: FakeNamecheap) -> None:
    def meanwhile(request: Request) -> None:
        if commands(fake).count(GET) == 2 and request.body["Command"] == GET:
            fake.put("new.example.com.", "by a person")

    fake.override = meanwhile
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt("new.example.com.") == ["by a person"]
    assert fake.txt(NAME) == [VALUES[0]]
    assert commands(fake).count(SET) == 1


def test_what_another_process_overwrote_is_written_again(fake: FakeNamecheap) -> None:
    def meanwhile(request: Request) -> None:
        if commands(fake).count(SET) == 1 and request.body["Command"] == GET:
            fake.zones["example.com"] = [each for each in fake.zones["example.com"] if each.type != "TXT"]

    fake.override = meanwhile
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    assert commands(fake).count(SET) == 2


def test_somebody_who_never_stops(fake: FakeNamecheap) -> None:
    def meanwhile(request: Request) -> None:
        if request.body["Command"] == GET:
            fake.put("busy.example.com.", str(len(fake.requests)))

    fake.override = meanwhile
    with pytest.raises(Retryable, match=r"somebody else changes the records of example\.com\. at the same time"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert commands(fake).count(SET) == 0
    assert commands(fake).count(GET) == 2 * changes.ATTEMPTS


def test_a_record_that_is_lost_is_told(fake: FakeNamecheap) -> None:
    def meanwhile(request: Request) -> None:
        if SET in commands(fake) and request.body["Command"] == GET:
            fake.zones["example.com"] = [each for each in fake.zones["example.com"] if each.type not in {"A", "MX"}]

    fake.override = meanwhile
    with pytest.raises(
        Terminal, match=r"records of example\.com are gone .*: @ A 192\.0\.2\.1; @ MX mail\.ex"
    ) as caught:
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "RecordsLost"


def test_challenges_of_others_may_go_meanwhile(fake: FakeNamecheap) -> None:
    fake.put("_acme-challenge.other.example.com.", "theirs")

    def meanwhile(request: Request) -> None:
        if SET in commands(fake) and request.body["Command"] == GET:
            found = fake.zones["example.com"]
            fake.zones["example.com"] = [each for each in found if each.value != "theirs"]

    fake.override = meanwhile
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<DomainDNSGetHostsResult/>", "no domain"),
        ('<DomainDNSGetHostsResult Domain="other.com" IsUsingOurDNS="true"/>', "another domain"),
        ("", "no result"),
        (
            f'{RESULT}<host Name="@" Type="A"/></DomainDNSGetHostsResult>',
            "half a record",
        ),
        (
            f"{RESULT}<record/></DomainDNSGetHostsResult>",
            "no record",
        ),
        (RESULT, "cut short"),
        ('<!DOCTYPE x [<!ENTITY y "z">]><DomainDNSGetHostsResult Domain="example.com"/>', "entities"),
    ],
)
def test_nothing_is_written_after_an_answer_that_is_not_understood(fake: FakeNamecheap, body: str, what: str) -> None:
    assert what
    answer = fake.ok(GET, body)
    if "DOCTYPE" in body:
        answer = replace(answer, body=f"{body[: body.index(']>') + 2]}<ApiResponse/>")
    fake.override = lambda request: answer if request.body["Command"] == GET else None
    with pytest.raises(Retryable, match=r"domains\.dns\.getHosts: the reply is not as Namecheap documents it"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert SET not in commands(fake)


@pytest.mark.parametrize(
    ("kind", "attributes"), [("PARKED", ' IsActive="true"'), ("A", ' IsActive="false"')], ids=["type", "switched off"]
)
def test_what_cannot_be_written_back_keeps_all_from_being_written(
    fake: FakeNamecheap, kind: str, attributes: str
) -> None:
    fake.zones["example.com"] = [Host("1", "example.com", kind, "192.0.2.1", 1800)]
    fake.attributes = attributes
    with pytest.raises(Terminal, match=rf"cannot write back \(@ {kind} 192\.0\.2\.1\)") as caught:
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "NotWritten"
    assert SET not in commands(fake)


def test_the_last_record_cannot_be_removed(fake: FakeNamecheap) -> None:
    fake.zones["example.com"] = []
    fake.put(NAME, VALUES[0])
    with pytest.raises(Terminal, match=r"the record would be the last of example\.com to go"):
        provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_a_domain_with_other_name_servers(fake: FakeNamecheap) -> None:
    fake.own.remove("example.com")
    with pytest.raises(Terminal, match=r"the name servers of example\.com are not Namecheap's"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_a_domain_below_a_suffix_of_two_labels(fake: FakeNamecheap) -> None:
    name = "_acme-challenge.a.b.example.co.uk."
    assert provider(fake).find_zone(name) == "example.co.uk."
    provider(fake).add_txt("example.co.uk.", name, VALUES[0])
    assert fake.txt(name) == [VALUES[0]]
    assert provider(fake).find_zone("_acme-challenge.co.uk.") is None


def test_many_names_of_a_domain_are_looked_for_once(fake: FakeNamecheap) -> None:
    made = provider(fake)
    for number in range(5):
        assert made.find_zone(f"_acme-challenge.w{number}.example.com.") == ZONE
    assert len(fake.requests) == 1


def test_a_domain_that_is_found_on_a_later_page(fake: FakeNamecheap) -> None:
    for number in range(250):
        fake.zones[f"a{number:03}-example.com"] = []
    assert provider(fake).find_zone(NAME) == ZONE
    assert len(fake.requests) == 3


def test_an_address_that_is_not_allowed(fake: FakeNamecheap) -> None:
    fake.allowed.clear()
    with pytest.raises(
        Terminal, match=r"Invalid request IP: .*1011150.*; allow .* from the address 192\.0\.2\.44, which"
    ) as it:
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert it.value.reason == "NotAllowed"


@pytest.mark.parametrize(
    ("number", "fault", "reason"),
    [
        ("1011102", Terminal, "CredentialsRefused"),
        ("1010101", Terminal, "CredentialsRefused"),
        ("2016166", Terminal, "NotAllowed"),
        ("500000", Throttled, "RateLimited"),
        ("3031510", Retryable, "ProviderUnavailable"),
        ("5050900", Retryable, "ProviderUnavailable"),
        ("4013288", Terminal, "RequestRefused"),
        ("9999999", Terminal, "RequestRefused"),
    ],
)
def test_what_numbers_mean(fake: FakeNamecheap, number: str, fault: type[Exception], reason: str) -> None:
    fake.override = lambda request: fake.error(number, "Some words") if request.body["Command"] == SET else None
    with pytest.raises(fault, match=rf"Some words \({number}\)") as caught:
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert getattr(caught.value, "reason", "") == reason


def test_name_servers_that_are_not_namecheaps_while_it_is_written(fake: FakeNamecheap) -> None:
    refusal = fake.error("2030288", "Cannot complete this command")
    fake.override = lambda request: refusal if request.body["Command"] == SET else None
    with pytest.raises(Terminal, match=r"\(2030288\); give the domain Namecheap's own name servers"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_too_many_requests_have_a_status_of_their_own(fake: FakeNamecheap) -> None:
    fake.override = lambda _request: Answer(405, "<html>no</html>")
    with pytest.raises(Throttled, match="answers 405; asked again at"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"apiUser": ""}, r"config\.apiUser: must be the account's"),
        ({"clientIP": None}, r"config\.clientIP: must be the IPv4 address"),
        ({"clientIP": "2001:db8::1"}, r"config\.clientIP: must be the IPv4 address"),
    ],
)
def test_a_bad_config(config: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        namecheap.build(Fields({**CONFIG, **config}, PATH), SECRETS)


def test_the_sandbox() -> None:
    built = namecheap.build(Fields({**CONFIG, "sandbox": True}, PATH), SECRETS)
    assert built._api.endpoint.url == "https://api.sandbox.namecheap.com/xml.response"
