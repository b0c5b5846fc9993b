"""Google Cloud DNS against a fake, with tokens of a service account's key and of the metadata service."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api, cloud_dns, google_login
from certwright.providers.base import Identity, add_many, remove_many
from certwright.providers.cloud_dns import CloudDNS
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.fake_api import Answer, Request
from unit.providers.fake_cloud_dns import EMAIL, NODE, PROJECT, SCOPE, FakeCloudDNS, service_account_key
from unit.providers.vendors import secrets_of

AT = "spec.acme.solvers[0].dns01.cloudDNS"
ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
PLACE = (NAME, "TXT")
CONFIG = {"project": PROJECT, "serviceAccountSecretRef": {"name": "dns", "key": "key.json"}}
OWN = {"project": PROJECT}
ANYBODY = Identity(ambient=lambda: None)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = standing()
    set_standing(Guard(allow_loopback=True))
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    google_login.by_environment.cache_clear()
    yield
    google_login.by_environment.cache_clear()
    set_standing(before)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudDNS]:
    with FakeCloudDNS() as running:
        monkeypatch.setattr(google_login, "TOKEN_URL", f"{running.base}/token")
        monkeypatch.setattr(cloud_dns, "URL", running.url)
        monkeypatch.setattr(cloud_dns, "URL_FIELD", "url")
        yield running


def build(key: object = None, **config: object) -> CloudDNS:
    content = key if isinstance(key, str) else json.dumps(key or service_account_key())
    return cloud_dns.build(Fields(CONFIG | config, AT), secrets_of({"key.json": content}))


@pytest.mark.parametrize("size", [2, 1000], ids=["small pages", "whole pages"])
@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(fake: FakeCloudDNS, size: int, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [datetime.now(UTC)]

    def make() -> CloudDNS:
        clock[0] += timedelta(seconds=api.DEFAULT_PAUSE + 1)
        return build()

    def expired() -> CloudDNS:
        fake.expired = True
        return make()

    monkeypatch.setattr(api, "_now", lambda: clock[0])
    monkeypatch.setattr(cloud_dns, "PAGE", size)
    key = str(service_account_key()["private_key"])
    check.run(
        Subject(
            make=make,
            read_txt=fake.txt,
            zone=ZONE,
            subzone="sub.example.com.",
            throttled=fake.throttling,
            expired=expired,
            credentials=(key, *key.splitlines()[1:-1], "ya29."),
            stranger=fake.put,
            elsewhere=other_process.of_config(
                {"cloudDNS": CONFIG},
                json.dumps(service_account_key()),
                places={
                    "certwright.providers.google_login:TOKEN_URL": f"{fake.base}/token",
                    "certwright.providers.cloud_dns:URL": fake.url,
                    "certwright.providers.cloud_dns:URL_FIELD": "url",
                },
            ),
        )
    )
    assert all(kind in {"NS", "TXT"} for sets in fake.sets.values() for _, kind in sets)


def api_requests(fake: FakeCloudDNS) -> list[str]:
    return [request.method for request in fake.requests if request.path.startswith("/dns/")]


def test_many_names_take_three_requests_and_one_token(fake: FakeCloudDNS) -> None:
    items = [(f"_acme-challenge.n{number}.example.com.", VALUES[number % 3]) for number in range(100)]
    add_many(build(), ZONE, items)
    assert (api_requests(fake), len(fake.assertions)) == (["GET", "GET", "POST"], 1)
    assert all(fake.txt(name) == [value] for name, value in items)
    remove_many(build(), ZONE, items)
    assert not [kind for _, kind in fake.sets["example-com"] if kind == "TXT"]


def test_a_large_batch_is_cut_at_the_limits(fake: FakeCloudDNS) -> None:
    add_many(build(), ZONE, [(f"_acme-challenge.n{number}.example.com.", VALUES[0]) for number in range(1500)])
    assert len([method for method in api_requests(fake) if method == "POST"]) == 2
    assert len([kind for _, kind in fake.sets["example-com"] if kind == "TXT"]) == 1500


def test_what_others_put_there_stays_as_it_is(fake: FakeCloudDNS) -> None:
    foreign = '"v=x; " "caf\\195\\169"'
    fake.sets["example-com"][PLACE] = {"name": NAME, "type": "TXT", "ttl": 7200, "rrdatas": [foreign]}
    build().add_txt(ZONE, NAME, VALUES[0])
    rrset = fake.sets["example-com"][PLACE]
    assert (rrset["ttl"], rrset["rrdatas"]) == (7200, [foreign, f'"{VALUES[0]}"'])
    build().remove_txt(ZONE, NAME, VALUES[0])
    assert fake.sets["example-com"][PLACE]["rrdatas"] == [foreign]
    build().remove_txt(ZONE, NAME, "v=x; café")
    assert PLACE not in fake.sets["example-com"]


def between_reading_and_writing(fake: FakeCloudDNS, act: Callable[[], object], times: int = 1) -> None:
    left = [times]

    def override(request: Request) -> Answer | None:
        if request.path.endswith("/changes") and left[0]:
            left[0] -= 1
            act()
        return None

    fake.override = override


@pytest.mark.parametrize("there", [[], ["of a person"]], ids=["a new set", "an old set"])
def test_a_change_of_somebody_else_at_the_same_moment_is_kept(fake: FakeCloudDNS, there: list[str]) -> None:
    for value in there:
        fake.put(NAME, value)
    between_reading_and_writing(fake, lambda: fake.put(NAME, "at the last moment"))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert sorted(fake.txt(NAME)) == sorted([*there, "at the last moment", VALUES[0]])


def test_a_set_that_is_taken_away_meanwhile_is_made_anew(fake: FakeCloudDNS) -> None:
    fake.put(NAME, "old")
    between_reading_and_writing(fake, lambda: fake.sets["example-com"].pop(PLACE))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_who_never_comes_first_tries_again_later(fake: FakeCloudDNS) -> None:
    count = iter(range(100))
    between_reading_and_writing(fake, lambda: fake.put(NAME, f"{next(count)}"), times=100)
    with pytest.raises(Retryable, match="somebody else changes") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "ProviderConflict"


def test_private_zones_are_no_zones(fake: FakeCloudDNS) -> None:
    fake.add_zone("inside", "www.example.com", "private")
    assert build().find_zone(NAME) == ZONE
    build().add_txt(ZONE, NAME, VALUES[0])
    assert PLACE in fake.sets["example-com"]


def test_two_zones_of_one_name_need_a_choice(fake: FakeCloudDNS) -> None:
    fake.add_zone("twin", "example.com")
    with pytest.raises(
        InvalidSpec, match=r"several public zones example\.com \(example-com twin\); set hostedZoneName"
    ):
        build().find_zone(NAME)
    build(hostedZoneName="twin").add_txt(ZONE, NAME, VALUES[0])
    assert PLACE in fake.sets["twin"]


def test_a_zone_by_its_name_needs_no_right_to_list_zones(fake: FakeCloudDNS) -> None:
    provider = build(hostedZoneName="example-com")
    assert [provider.find_zone(name) for name in (NAME, ZONE, "not-example.com.")] == [ZONE, ZONE, None]
    provider.add_txt(ZONE, NAME, VALUES[0])
    assert not [request for request in fake.requests if request.path.endswith("managedZones")]


@pytest.mark.usefixtures("fake")
def test_zones_that_are_not_there() -> None:
    absent = build(hostedZoneName="absent")
    for act in (lambda: absent.find_zone(NAME), lambda: absent.add_txt(ZONE, NAME, VALUES[0])):
        with pytest.raises(Terminal, match=r"'absent' does not exist\.; correct project and hostedZoneName$") as caught:
            act()
        assert caught.value.reason == "ZoneNotInAccount"
    assert build().find_zone("_acme-challenge.example.org.") is None
    with pytest.raises(Terminal, match=r"has no zone example\.org .*roles/dns\.admin") as caught:
        build().add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])
    assert caught.value.reason == "ZoneNotInAccount"
    assert f"{AT}.serviceAccountSecretRef: the entry key.json of Secret dns" in caught.value.message


def test_sets_with_a_routing_policy_are_left_alone(fake: FakeCloudDNS) -> None:
    rrset = {"name": NAME, "type": "TXT", "ttl": 60, "routingPolicy": {"wrr": {}}}
    fake.sets["example-com"][PLACE] = rrset
    with pytest.raises(Terminal, match="have a routing policy"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.sets["example-com"][PLACE] is rrset


@pytest.mark.parametrize(
    ("status", "reason", "kind", "told"),
    [
        (403, "userRateLimitExceeded", Throttled, "RateLimited"),
        (403, "quotaExceeded", Throttled, "RateLimited"),
        (403, "forbidden", Terminal, "NotAllowed"),
        (401, "authError", Terminal, "CredentialsRefused"),
        (429, "x", Throttled, "RateLimited"),
        (503, "backendError", Retryable, "ProviderUnavailable"),
        (400, "invalid", Terminal, "RequestRefused"),
    ],
)
def test_reasons_say_what_follows(fake: FakeCloudDNS, status: int, reason: str, kind: type[Any], told: str) -> None:
    fake.override = lambda request: fake.error(status, reason, "Because") if request.path != "/token" else None
    with pytest.raises(kind, match=rf"Google Cloud DNS answers {status}: Because") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert (type(caught.value), caught.value.reason) == (kind, told)


def test_replies_that_are_not_json(fake: FakeCloudDNS) -> None:
    for status, kind in ((200, Retryable), (403, Terminal)):
        fake.override = lambda request, status=status: None if request.path == "/token" else Answer(status, "<html>")
        with pytest.raises(kind):
            build().add_txt(ZONE, NAME, VALUES[0])


def test_a_token_is_kept_while_it_is_good(fake: FakeCloudDNS) -> None:
    provider = build()
    for number in range(3):
        provider.add_txt(ZONE, NAME, VALUES[number])
    assert [claims["iss"] for claims in fake.assertions] == [EMAIL]
    login: Any = provider._api.endpoint.login
    login._credentials.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=1)
    provider.remove_txt(ZONE, NAME, VALUES[0])
    assert len(fake.assertions) == 2


@pytest.mark.usefixtures("fake")
def test_a_key_that_google_does_not_know() -> None:
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(Terminal, match=r"gives no token: .*Invalid JWT Signature.*check .*Secret dns") as caught:
        build(service_account_key(private_key=other.decode())).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "CredentialsRefused"
    with pytest.raises(Terminal, match="account not found"):
        build(service_account_key(client_email="gone@my-project.iam.gserviceaccount.com")).find_zone(NAME)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_endpoint_that_fails_is_asked_again_later(fake: FakeCloudDNS, status: int) -> None:
    fake.override = lambda _request: Answer(status, "<html>")
    with pytest.raises(Retryable, match=rf"POST http://127.*/token: Google answers {status}"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert len(fake.requests) == 1


def test_a_token_endpoint_that_does_not_answer(fake: FakeCloudDNS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_login, "TOKEN_URL", "http://127.0.0.1:9/token")
    with pytest.raises(Retryable, match="/token: the connection is refused"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.requests == []


def test_the_key_does_not_say_where_its_tokens_are_from(fake: FakeCloudDNS) -> None:
    build(service_account_key(token_uri="http://169.254.169.254/token")).add_txt(ZONE, NAME, VALUES[0])
    assert fake.requests[0].path == "/token"
    assert fake.assertions[0]["scope"] == SCOPE


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "has no value under 'key.json'"),
        ("{", "is not the key of a service account"),
        ("[]", "is not the key of a service account"),
        ('{"type": "service_account"}', "is not the key of a service account"),
        (
            service_account_key(private_key="-----BEGIN PRIVATE KEY-----\nsecret\n"),
            "is not the key of a service account",
        ),
        (service_account_key(private_key=7), "is not the key of a service account"),
        (
            service_account_key(type="authorized_user"),
            "of the type 'authorized_user'; put the key of a service account",
        ),
        (service_account_key(universe_domain="example.test"), "of another cloud than googleapis.com"),
        (
            {
                "type": "external_account",
                "credential_source": {"file": "/var/run/secrets/token"},
                "token_url": "http://x",
            },
            "of the type 'external_account'",
        ),
    ],
)
def test_keys_that_are_none(key: object, message: str) -> None:
    content = {"key.json": key if isinstance(key, str) else json.dumps(key)} if key else {}
    with pytest.raises(InvalidSpec, match=message) as caught:
        cloud_dns.build(Fields(CONFIG, AT), secrets_of(content))
    assert caught.value.message.startswith(f"{AT}.serviceAccountSecretRef: ")
    assert "BEGIN" not in caught.value.message


def test_a_project_is_needed() -> None:
    with pytest.raises(InvalidSpec, match=r"cloudDNS\.project: must be the ID"):
        cloud_dns.build(Fields({"serviceAccountSecretRef": {"name": "dns", "key": "k"}}, AT), secrets_of({}))


def test_the_real_api_is_the_default() -> None:
    assert build()._api.endpoint.url == "https://dns.googleapis.com/dns/v1"
    assert google_login.TOKEN_URL == "https://oauth2.googleapis.com/token"


def test_no_secret_in_texts(fake: FakeCloudDNS, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = build()
    texts = [repr(provider), repr(provider._api), repr(provider._api.endpoint)]
    provider.add_txt(ZONE, NAME, VALUES[0])
    (token,) = fake.tokens
    assert provider._api.endpoint.secrets == ("", token)
    fake.override = lambda request: fake.error(400, "invalid", f"Bad token {token}") if "dns" in request.path else None
    with pytest.raises(CertwrightError, match=r"Bad token \[redacted\]") as caught:
        provider.add_txt(ZONE, NAME, VALUES[1])
    texts += [repr(caught.value), caplog.text, repr(provider._api.endpoint.login)]
    assert not [text for text in texts if token in text or "PRIVATE" in text]


@pytest.fixture
def metadata(fake: FakeCloudDNS, monkeypatch: pytest.MonkeyPatch) -> FakeCloudDNS:
    from google.auth.compute_engine import _metadata  # noqa: PLC0415 - it reads the environment when it is imported

    host = fake.base.removeprefix("http://")
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setenv("GCE_METADATA_IP", host)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    return fake


def own() -> CloudDNS:
    return cloud_dns.build(Fields(OWN, AT), secrets_of({}), ANYBODY)


def test_the_operators_workload_identity(metadata: FakeCloudDNS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # for the API; the metadata service needs no such word
    own().add_txt(ZONE, NAME, VALUES[0])
    assert metadata.txt(NAME) == [VALUES[0]]
    assert [token.startswith("ya29.node-") for token in metadata.tokens] == [True]
    asked = len(metadata.requests)
    own().add_txt(ZONE, NAME, VALUES[0])
    assert len(metadata.requests) == asked + 2  # the zones and the set; the token is shared
    assert NODE not in repr(own()._api.endpoint)


def test_the_operators_key_file(fake: FakeCloudDNS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(service_account_key(token_uri=f"{fake.base}/token")))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    own().add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    fake.expired = True
    with pytest.raises(Terminal, match="check the operator's own Google credentials"):
        own().add_txt(ZONE, NAME, VALUES[1])


def test_an_operator_without_credentials(metadata: FakeCloudDNS, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata.on_gce = False
    with pytest.raises(InvalidSpec, match=r"no Google credentials of its own: .*; give it some, or name") as caught:
        own().find_zone(NAME)
    assert caught.value.reason == "NoAmbientCredentials"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(InvalidSpec, match="no usable file in GOOGLE_APPLICATION_CREDENTIALS"):
        own().find_zone(NAME)
    metadata.on_gce = True
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert own().find_zone(NAME) == ZONE  # that there were none once is not remembered


def test_the_operators_credentials_are_for_those_who_may() -> None:
    with pytest.raises(InvalidSpec, match="cloudDNS: names no credentials; only credentials from a Secret"):
        cloud_dns.build(Fields(OWN, AT), secrets_of({}))


def test_every_field_is_explained() -> None:
    assert all(field.help.endswith(".") for field in cloud_dns.PROVIDER.fields)
