"""Route 53 against a fake that keeps the documented rules; tests/integration has it against moto's server."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api, aws_ambient, aws_api, aws_regions, route53
from certwright.providers.base import Identity, add_many, remove_many
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.providers.route53 import Route53
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.fake_api import Answer, Request
from unit.providers.fake_route53 import KEY, SECRET, FakeRoute53
from unit.providers.vendors import secrets_of

AT = "spec.acme.solvers[0].dns01.route53"
ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
CONFIG = {"accessKeyID": KEY, "secretAccessKeySecretRef": {"name": "dns", "key": "secret"}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = standing()
    set_standing(Guard(allow_loopback=True))
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    yield
    set_standing(before)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRoute53]:
    with FakeRoute53() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", running.url)
        yield running


def build(secret: str = SECRET, **config: object) -> Route53:
    return route53.build(Fields(CONFIG | config, AT), secrets_of({"secret": secret}))


@pytest.mark.parametrize("size", [2, 100], ids=["small pages", "whole pages"])
@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(fake: FakeRoute53, size: int, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [datetime.now(UTC)]

    def make() -> Route53:
        clock[0] += timedelta(seconds=aws_api.PAUSE + 1)
        return build()

    def expired() -> Route53:
        fake.expired = True
        return make()

    monkeypatch.setattr(api, "_now", lambda: clock[0])
    monkeypatch.setattr(route53, "ZONES", size)
    monkeypatch.setattr(route53, "PAGE", size)
    check.run(
        Subject(
            make=make,
            read_txt=fake.txt,
            zone=ZONE,
            subzone="sub.example.com.",
            throttled=fake.throttling,
            expired=expired,
            credentials=(SECRET,),
            stranger=fake.put,
            elsewhere=other_process.of_config({"route53": CONFIG}, SECRET),
        )
    )
    assert all({"NS", "SOA"} <= {kind for _, kind in sets} for sets in fake.sets.values())


def test_many_names_take_three_requests(fake: FakeRoute53) -> None:
    items = [(f"_acme-challenge.n{number}.example.com.", VALUES[number % 3]) for number in range(100)]
    add_many(build(), ZONE, items)
    assert [request.method for request in fake.requests] == ["GET", "GET", "POST"]
    assert all(fake.txt(name) == [value] for name, value in items)
    remove_many(build(), ZONE, items)
    assert len(fake.requests) == 6
    assert not [kind for _, kind in fake.sets["ZEXAMPLECOM"] if kind == "TXT"]


def test_zones_of_all_names_take_one_request(fake: FakeRoute53) -> None:
    provider = build()
    found = {provider.find_zone(f"_acme-challenge.n{number}.sub.example.com.") for number in range(20)}
    assert (found, len(fake.requests)) == ({"sub.example.com."}, 1)


def test_of_many_zones_only_those_around_a_name_are_read(fake: FakeRoute53, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        fake.add_zone(f"ZN{number}", f"n{number}.org")
    fake.add_zone("ZD", "deep.sub.example.com")
    monkeypatch.setattr(route53, "ZONES", 10)
    provider = build()
    assert provider.find_zone("_acme-challenge.x.deep.sub.example.com.") == "deep.sub.example.com."
    assert provider.find_zone("_acme-challenge.y.example.com.") == "example.com."
    assert provider.find_zone("_acme-challenge.example.net.") is None
    assert [request.query.get("dnsname") for request in fake.requests] == [None, "example.com", "example.net"]


def test_a_large_batch_is_cut_at_the_limits(fake: FakeRoute53) -> None:
    items = [(f"_acme-challenge.n{number}.example.com.", "x" * 200) for number in range(400)]
    add_many(build(), ZONE, items)
    posts = [request for request in fake.requests if request.method == "POST"]
    assert len(posts) == 3
    assert all(fake.txt(name) == [value] for name, value in items)


def test_what_others_put_there_stays_as_it_is(fake: FakeRoute53) -> None:
    place = ("_acme-challenge.www.example.com", "TXT")
    foreign = '"v=x; " "caf\\303\\251 \\"quoted\\""'
    fake.sets["ZEXAMPLECOM"][place] = (3600, [foreign])
    build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.sets["ZEXAMPLECOM"][place] == (3600, [foreign, f'"{VALUES[0]}"'])
    build().remove_txt(ZONE, NAME, VALUES[0])
    assert fake.sets["ZEXAMPLECOM"][place] == (3600, [foreign])
    build().remove_txt(ZONE, NAME, 'v=x; café "quoted"')
    assert place not in fake.sets["ZEXAMPLECOM"]


def between_reading_and_writing(fake: FakeRoute53, act: Callable[[], object], times: int = 1) -> None:
    """Let something happen just before a batch arrives."""
    left = [times]

    def override(request: Request) -> Answer | None:
        if request.method == "POST" and left[0]:
            left[0] -= 1
            act()
        return None

    fake.override = override


@pytest.mark.parametrize("there", [[], ["of a person"]], ids=["a new set", "an old set"])
def test_a_change_of_somebody_else_at_the_same_moment_is_kept(fake: FakeRoute53, there: list[str]) -> None:
    for value in there:
        fake.put(NAME, value)
    between_reading_and_writing(fake, lambda: fake.put(NAME, "at the last moment"))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert sorted(fake.txt(NAME)) == sorted([*there, "at the last moment", VALUES[0]])
    between_reading_and_writing(fake, lambda: fake.put(NAME, "and again"))
    build().remove_txt(ZONE, NAME, VALUES[0])
    assert sorted(fake.txt(NAME)) == sorted([*there, "at the last moment", "and again"])


def test_a_set_that_is_taken_away_meanwhile_is_made_anew(fake: FakeRoute53) -> None:
    fake.put(NAME, "old")
    between_reading_and_writing(fake, lambda: fake.sets["ZEXAMPLECOM"].pop((NAME.rstrip("."), "TXT")))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_who_never_comes_first_tries_again_later(fake: FakeRoute53) -> None:
    count = iter(range(100))
    between_reading_and_writing(fake, lambda: fake.put(NAME, f"{next(count)}"), times=100)
    with pytest.raises(
        Retryable, match=r"somebody else changes _acme-challenge\.www\.example\.com\. in example\.com\."
    ) as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "ProviderConflict"
    assert VALUES[0] not in fake.txt(NAME)


def test_private_zones_are_no_zones(fake: FakeRoute53) -> None:
    fake.add_zone("ZPRIVATE", "www.example.com", private=True)
    assert build().find_zone(NAME) == ZONE
    build().add_txt(ZONE, NAME, VALUES[0])
    assert ("_acme-challenge.www.example.com", "TXT") in fake.sets["ZEXAMPLECOM"]


def test_two_zones_of_one_name_need_an_id(fake: FakeRoute53) -> None:
    fake.add_zone("ZTWIN", "example.com")
    with pytest.raises(InvalidSpec, match=r"several public zones example\.com \(ZEXAMPLECOM ZTWIN\); set hostedZoneID"):
        build().find_zone(NAME)
    with pytest.raises(InvalidSpec, match="several public zones"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert build().find_zone("_acme-challenge.sub.example.com.") == "sub.example.com."
    build(hostedZoneID="ZTWIN").add_txt(ZONE, NAME, VALUES[0])
    assert ("_acme-challenge.www.example.com", "TXT") in fake.sets["ZTWIN"]


@pytest.mark.parametrize("known", ["ZEXAMPLECOM", "/hostedzone/ZEXAMPLECOM", " ZEXAMPLECOM "])
def test_a_zone_by_its_id_needs_no_right_to_list_zones(fake: FakeRoute53, known: str) -> None:
    provider = build(hostedZoneID=known)
    assert [provider.find_zone(name) for name in (NAME, ZONE, "not-example.com.")] == [ZONE, ZONE, None]
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert not [request for request in fake.requests if "byname" in request.path]
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.usefixtures("fake")
def test_a_zone_id_that_is_wrong() -> None:
    provider = build(hostedZoneID="ZNOSUCH")
    with pytest.raises(Terminal, match=r"answers 404: NoSuchHostedZone: .*ZNOSUCH; correct hostedZoneID") as caught:
        provider.add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "ZoneNotInAccount"
    with pytest.raises(Terminal, match=r"is not permitted in zone beta\.test"):
        build(hostedZoneID="ZBETATEST").add_txt(ZONE, NAME, VALUES[0])


@pytest.mark.usefixtures("fake")
def test_a_zone_that_is_not_in_the_account() -> None:
    assert build().find_zone("_acme-challenge.example.org.") is None
    with pytest.raises(Terminal, match=r"has no zone example\.org .*or allow the credentials route53:List") as caught:
        build().add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])
    assert caught.value.reason == "ZoneNotInAccount"
    assert f"{AT}.secretAccessKeySecretRef: the entry secret of Secret dns" in caught.value.message


@pytest.mark.parametrize("extra", ["<SetIdentifier>a</SetIdentifier><Weight>1</Weight>", "<AliasTarget/>"])
def test_sets_with_a_routing_policy_are_left_alone(fake: FakeRoute53, extra: str) -> None:
    fake.put(NAME, "one of many")
    fake.extra = extra
    with pytest.raises(Terminal, match="have a routing policy or are an alias"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == ["one of many"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (400, "Throttling", Throttled, "RateLimited"),
        (400, "PriorRequestNotComplete", Retryable, "ProviderConflict"),
        (403, "InvalidClientTokenId", Terminal, "CredentialsRefused"),
        (403, "SignatureDoesNotMatch", Terminal, "CredentialsRefused"),
        (403, "ExpiredToken", Terminal, "CredentialsRefused"),
        (403, "AccessDenied", Terminal, "NotAllowed"),
        (500, "InternalFailure", Retryable, "ProviderUnavailable"),
        (503, "ServiceUnavailable", Retryable, "ProviderUnavailable"),
        (400, "InvalidInput", Terminal, "RequestRefused"),
    ],
)
def test_codes_say_what_follows(fake: FakeRoute53, status: int, code: str, kind: type[Any], reason: str) -> None:
    fake.override = lambda _request: fake.error(status, code, f"Because of <{code}> & {SECRET}")
    with pytest.raises(kind, match=rf"Route 53 answers {status}: {code}: Because of <{code}> & \[redacted\]") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert (type(caught.value), caught.value.reason) == (kind, reason)


def test_a_wrong_clock_is_said_without_the_time(fake: FakeRoute53) -> None:
    text = "Signature expired: 20261125T120000Z is now earlier than 20261125T121500Z (20261125T122000Z - 5 min.)"
    fake.override = lambda _request: fake.error(403, "SignatureDoesNotMatch", text)
    with pytest.raises(Terminal, match="the signature's time is not AWS's; set the operator's clock right") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert "2026" not in caught.value.message


def test_a_throttled_account_is_left_alone(fake: FakeRoute53) -> None:
    with fake.throttling(), pytest.raises(Throttled) as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.until - datetime.now(UTC) <= timedelta(seconds=aws_api.PAUSE)
    asked = len(fake.requests)
    with pytest.raises(Throttled, match="has asked to be left alone"):
        build().remove_txt(ZONE, NAME, VALUES[0])
    assert len(fake.requests) == asked


@pytest.mark.parametrize("body", ["<html>Welcome</html", "", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', '{"a": 1}'])
def test_replies_that_are_not_xml(fake: FakeRoute53, body: str) -> None:
    fake.override = lambda _request: Answer(200, body)
    with pytest.raises(Retryable, match="the reply is not XML"):
        build().add_txt(ZONE, NAME, VALUES[0])
    fake.override = lambda _request: Answer(403, body)
    with pytest.raises(Terminal, match=r"Route 53 answers 403; allow the credentials"):
        build().add_txt(ZONE, NAME, VALUES[0])


@pytest.mark.usefixtures("fake")
def test_wrong_keys_are_found_by_the_signature() -> None:
    with pytest.raises(Terminal, match=r"SignatureDoesNotMatch.*; the credentials are wrong or have expired: check"):
        build(secret=f"{SECRET}x").add_txt(ZONE, NAME, VALUES[0])
    with pytest.raises(Terminal, match="InvalidClientTokenId"):
        build(accessKeyID="AKIAOTHER").add_txt(ZONE, NAME, VALUES[0])


def test_a_wildcard_name(fake: FakeRoute53) -> None:
    fake.put("*.example.com", "a wildcard's")
    provider = build()
    provider.add_txt(ZONE, "*.example.com.", VALUES[0])
    assert sorted(fake.txt("*.example.com")) == sorted(["a wildcard's", VALUES[0]])


def test_no_secret_in_texts(fake: FakeRoute53, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = build()
    texts = [repr(provider), repr(provider._api), repr(provider._api.endpoint)]
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert SECRET in provider._api.endpoint.secrets
    fake.expired = True
    with pytest.raises(CertwrightError) as caught:
        provider.add_txt(ZONE, NAME, VALUES[1])
    texts += [repr(caught.value), caplog.text]
    assert not [text for text in texts if SECRET in text]


@pytest.mark.parametrize(
    ("config", "entries", "message"),
    [
        ({"hostedZoneID": "../x"}, {}, r"hostedZoneID: '\.\./x' cannot be the ID of a hosted zone"),
        ({"region": "eu-west-1.evil.test/#"}, {}, r"region: .* cannot be the name of an AWS region"),
        ({"accessKeyID": "AK IA"}, {}, "accessKeyID: cannot be an access key ID"),
        (
            {"accessKeyIDSecretRef": {"name": "dns", "key": "id"}},
            {"id": KEY},
            "accessKeyID: excludes accessKeyIDSecretRef",
        ),
        ({"secretAccessKeySecretRef": {"name": ""}}, {}, "needs secretAccessKeySecretRef"),
        (
            {"secretAccessKeySecretRef": {"name": "x", "key": "y"}},
            {},
            r"secretAccessKeySecretRef: Secret ns/x has no value",
        ),
        ({"role": "dns"}, {}, "role: 'dns' is not a role's ARN"),
        ({"externalID": "x"}, {}, "externalID: goes with a role"),
        ({"auth": {"kubernetes": {"serviceAccountRef": {"name": "a"}}}}, {}, "auth: excludes access keys"),
    ],
)
def test_configs_that_are_wrong(config: dict[str, object], entries: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        route53.build(Fields(CONFIG | config, AT), secrets_of({"secret": SECRET} | entries))
    assert caught.value.message.startswith(AT)


ROLE = "arn:aws:iam::123456789012:role/dns"
ACCOUNT = {"kubernetes": {"serviceAccountRef": {"name": "solver"}}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "route53: names no credentials; only credentials from a Secret can be used here"),
        ({"auth": ACCOUNT}, "role: must be the role that ServiceAccount solver is to assume"),
        ({"auth": ACCOUNT, "role": ROLE}, r"serviceAccountRef: only credentials from a Secret"),
        (
            {"auth": ACCOUNT, "role": ROLE, "externalID": "x"},
            "externalID: AWS takes none with a ServiceAccount's token",
        ),
        ({"auth": {}, "role": ROLE}, r"auth\.kubernetes\.serviceAccountRef\.name: must name a ServiceAccount"),
    ],
)
def test_logins_that_cannot_be(config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        route53.build(Fields(config, AT), secrets_of({}))


def test_credentials_by_entries_of_a_plugins_secret(fake: FakeRoute53) -> None:
    config = Fields({"secretRef": {"name": "dns"}}, AT)
    provider = route53.build(config, secrets_of({"accessKeyID": KEY, "secretAccessKey": SECRET}))
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.parametrize(
    ("region", "url", "signing", "sts"),
    [
        ("", "https://route53.amazonaws.com", "us-east-1", "https://sts.us-east-1.amazonaws.com"),
        ("eu-central-1", "https://route53.amazonaws.com", "us-east-1", "https://sts.eu-central-1.amazonaws.com"),
        ("cn-north-1", "https://route53.amazonaws.com.cn", "cn-northwest-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        (
            "us-gov-east-1",
            "https://route53.us-gov.amazonaws.com",
            "us-gov-west-1",
            "https://sts.us-gov-east-1.amazonaws.com",
        ),
        ("eusc-de-east-1", "https://route53.amazonaws.eu", "eusc-de-east-1", "https://sts.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_endpoints_of_regions(region: str, url: str, signing: str, sts: str) -> None:
    provider = build(region=region)
    assert provider._api.endpoint.url == url
    login: Any = provider._api.endpoint.login
    assert login._region == signing
    assert aws_regions.sts(region or aws_regions.DEFAULT_REGION).url == sts


def test_the_operators_region_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    assert build()._api.endpoint.url == "https://route53.amazonaws.com.cn"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert build()._api.endpoint.url == "https://route53.amazonaws.com"
    monkeypatch.setenv("AWS_REGION", "nowhere!")
    with pytest.raises(InvalidSpec, match="AWS_REGION of the operator's environment: 'nowhere!' cannot be"):
        build()


def test_every_field_is_explained() -> None:
    assert all(field.help.endswith(".") for field in route53.PROVIDER.fields)


def test_the_operators_own_credentials_are_for_those_who_may(
    fake: FakeRoute53, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_ambient.operators_keys.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    provider = route53.build(Fields({}, AT), secrets_of({}), Identity(ambient=lambda: None))
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    fake.expired = True
    with pytest.raises(Terminal, match="check the operator's own AWS credentials") as caught:
        provider.add_txt(ZONE, NAME, VALUES[1])
    assert SECRET not in caught.value.message
    aws_ambient.operators_keys.cache_clear()
