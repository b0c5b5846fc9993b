"""Azure DNS against a fake, with tokens of a secret, of a workload identity and of managed identities."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api, azure_dns, azure_login
from certwright.providers.azure_dns import AzureDNS
from certwright.providers.azure_login import Cloud
from certwright.providers.base import Identity, add_many
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.fake_api import Answer, Request
from unit.providers.fake_azure import (
    CLIENT,
    GROUP,
    MANAGED,
    RESOURCE,
    SECRET,
    SUBSCRIPTION,
    TENANT,
    WORKLOAD,
    FakeAzure,
    FakeEntra,
    federated_token,
)
from unit.providers.self_signed import self_signed
from unit.providers.vendors import secrets_of

AT = "spec.acme.solvers[0].dns01.azureDNS"
ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
BARE = NAME.rstrip(".")
PLACE = {"subscriptionID": SUBSCRIPTION, "resourceGroupName": GROUP}
PRINCIPAL = {"tenantID": TENANT, "clientID": CLIENT, "clientSecretSecretRef": {"name": "dns", "key": "secret"}}
ANYBODY = Identity(ambient=lambda: None)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("entra"))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = standing()
    set_standing(Guard(allow_loopback=True))
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    for name in ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    azure_login.by_environment.cache_clear()
    yield
    azure_login.by_environment.cache_clear()
    set_standing(before)


@pytest.fixture
def fake() -> Iterator[FakeAzure]:
    with FakeAzure() as running:
        yield running


@pytest.fixture
def entra(fake: FakeAzure, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEntra]:
    with FakeEntra(fake, certificate) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        cloud = Cloud(running.host, fake.url, "url")
        monkeypatch.setitem(azure_login.CLOUDS, "AzurePublicCloud", cloud)  # type: ignore[misc]
        yield running


def build(secret: str = SECRET, **config: object) -> AzureDNS:
    return azure_dns.build(Fields(PLACE | PRINCIPAL | config, AT), secrets_of({"secret": secret}))


def own(**config: object) -> AzureDNS:
    return azure_dns.build(Fields(PLACE | config, AT), secrets_of({}), ANYBODY)


@pytest.mark.parametrize("zone_type", ["AzurePublicZone", "AzurePrivateZone"])
@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(
    *, fake: FakeAzure, entra: FakeEntra, zone_type: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [datetime.now(UTC)]
    fake.kind = "dnsZones" if zone_type == "AzurePublicZone" else "privateDnsZones"

    def make() -> AzureDNS:
        clock[0] += timedelta(seconds=2)
        return build(zoneType=zone_type)

    def expired() -> AzureDNS:
        fake.expired = True
        return make()

    monkeypatch.setattr(api, "_now", lambda: clock[0])
    check.run(
        Subject(
            make=make,
            read_txt=fake.txt,
            zone=ZONE,
            subzone="sub.example.com.",
            throttled=fake.throttling,
            expired=expired,
            credentials=(SECRET, "eyJ0."),
            stranger=fake.put,
            elsewhere=other_process.of_config(
                {"azureDNS": {**PLACE, **PRINCIPAL, "zoneType": zone_type}},
                SECRET,
                places={"certwright.providers.azure_login:CLOUDS": {"AzurePublicCloud": [entra.host, fake.url, "url"]}},
            ),
        )
    )
    (other,) = {"dnsZones", "privateDnsZones"} - {fake.kind}
    assert not any(fake.sets[other].values())


def test_few_requests_and_one_token(fake: FakeAzure, entra: FakeEntra) -> None:
    add_many(build(), ZONE, [(NAME, VALUES[0]), (NAME, VALUES[1])])
    assert [request.method for request in fake.requests] == ["GET", "PUT"]
    assert [request.method for request in entra.requests] == ["GET", "POST"]
    assert entra.scopes == [f"{fake.url}/.default"]


@pytest.mark.usefixtures("entra")
def test_what_others_put_there_stays_as_it_is(fake: FakeAzure) -> None:
    foreign = ["v=x; ", 'café "quoted"']
    rrset = {"ttl": 7200, "records": [foreign], "metadata": {"owner": "mail"}, "etag": "0"}
    fake.sets["dnsZones"]["example.com"][BARE] = dict(rrset)
    build().add_txt(ZONE, NAME, VALUES[0])
    there = fake.sets["dnsZones"]["example.com"][BARE]
    assert there | {"etag": "0"} == rrset | {"records": [foreign, [VALUES[0]]]}
    build().remove_txt(ZONE, NAME, VALUES[0])
    assert fake.sets["dnsZones"]["example.com"][BARE] | {"etag": "0"} == rrset
    build().remove_txt(ZONE, NAME, 'v=x; café "quoted"')
    assert BARE not in fake.sets["dnsZones"]["example.com"]


@pytest.mark.usefixtures("entra")
def test_a_long_value_is_cut(fake: FakeAzure) -> None:
    build().add_txt(ZONE, NAME, "x" * 600)
    assert [len(part) for part in fake.sets["dnsZones"]["example.com"][BARE]["records"][0]] == [255, 255, 90]
    build().remove_txt(ZONE, NAME, "x" * 600)
    assert fake.txt(NAME) == []


def between_reading_and_writing(fake: FakeAzure, act: Callable[[], object], times: int = 1) -> None:
    left = [times]

    def override(request: Request) -> Answer | None:
        if request.method in {"PUT", "DELETE"} and left[0]:
            left[0] -= 1
            act()
        return None

    fake.override = override


@pytest.mark.usefixtures("entra")
@pytest.mark.parametrize("there", [[], ["of a person"]], ids=["a new set", "an old set"])
def test_a_change_of_somebody_else_at_the_same_moment_is_kept(fake: FakeAzure, there: list[str]) -> None:
    for value in there:
        fake.put(NAME, value)
    between_reading_and_writing(fake, lambda: fake.put(NAME, "at the last moment"))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert sorted(fake.txt(NAME)) == sorted([*there, "at the last moment", VALUES[0]])
    for value in [*there, "at the last moment"]:
        build().remove_txt(ZONE, NAME, value)
    between_reading_and_writing(fake, lambda: fake.put(NAME, "instead of a deletion"))
    build().remove_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == ["instead of a deletion"]


@pytest.mark.usefixtures("entra")
def test_a_set_that_is_taken_away_meanwhile_is_made_anew(fake: FakeAzure) -> None:
    fake.put(NAME, "old")
    between_reading_and_writing(fake, lambda: fake.sets["dnsZones"]["example.com"].pop(BARE))
    build().add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.usefixtures("entra")
def test_who_never_comes_first_tries_again_later(fake: FakeAzure) -> None:
    count = iter(range(100))
    between_reading_and_writing(fake, lambda: fake.put(NAME, f"{next(count)}"), times=100)
    with pytest.raises(Retryable, match="somebody else changes") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "ProviderConflict"


@pytest.mark.usefixtures("entra")
def test_of_many_names_only_those_that_clash_are_written_again(fake: FakeAzure) -> None:
    names = [f"_acme-challenge.n{number}.example.com." for number in range(4)]
    between_reading_and_writing(fake, lambda: fake.put(names[0], "at the last moment"))
    add_many(build(), ZONE, [(name, VALUES[0]) for name in names])
    assert [request.method for request in fake.requests] == ["GET"] * 4 + ["PUT"] * 4 + ["GET", "PUT"]
    assert sorted(fake.txt(names[0])) == sorted(["at the last moment", VALUES[0]])


@pytest.mark.usefixtures("entra")
def test_the_zone_is_the_configs_else_what_the_dns_tells(fake: FakeAzure) -> None:
    assert build().find_zone(NAME) is None
    provider = build(hostedZoneName="Example.com.")
    assert [provider.find_zone(name) for name in (NAME, ZONE, "not-example.com.")] == [ZONE, ZONE, None]
    provider.add_txt("www.example.com.", NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    with pytest.raises(InvalidSpec, match=r"is not in the zone example\.com"):
        provider.add_txt("beta.test.", "_acme-challenge.beta.test.", VALUES[0])


@pytest.mark.usefixtures("entra")
@pytest.mark.parametrize(
    ("config", "zone", "code"),
    [
        ({}, "example.org.", "Parent resource 'example.org' not found"),
        ({"resourceGroupName": "other/x"}, ZONE, "Resource group 'other/x' could not be found"),
        ({"subscriptionID": "../.."}, ZONE, "The subscription could not be found"),
    ],
)
def test_a_zone_that_is_not_there(config: dict[str, object], zone: str, code: str) -> None:
    with pytest.raises(
        Terminal, match=rf"answers 404: \w+; .*{code}.; create the zone, or correct subscriptionID"
    ) as caught:
        build(**config).add_txt(zone, f"_acme-challenge.{zone}", VALUES[0])
    assert caught.value.reason == "ZoneNotInAccount"
    build(**config).remove_txt(zone, f"_acme-challenge.{zone}", VALUES[0])


@pytest.mark.usefixtures("entra")
@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (409, "ScopeLocked", Terminal, "RequestRefused"),
        (409, "AnotherOperationInProgress", Retryable, "ProviderConflict"),
        (403, "AuthorizationFailed", Terminal, "NotAllowed"),
        (401, "ExpiredAuthenticationToken", Terminal, "CredentialsRefused"),
        (429, "TooManyRequests", Throttled, "RateLimited"),
        (503, "ServiceUnavailable", Retryable, "ProviderUnavailable"),
        (400, "BadRequest", Terminal, "RequestRefused"),
    ],
)
def test_what_answers_mean(fake: FakeAzure, status: int, code: str, kind: type[Any], reason: str) -> None:
    fake.override = lambda _request: fake.error(status, code, f"Because {SECRET}")
    with pytest.raises(kind, match=rf"Azure answers {status}: {code}; Because \[redacted\]") as caught:
        build().add_txt(ZONE, NAME, VALUES[0])
    assert (type(caught.value), caught.value.reason) == (kind, reason)


@pytest.mark.usefixtures("entra")
def test_replies_that_are_not_json(fake: FakeAzure) -> None:
    fake.override = lambda _request: Answer(200, "<html>")
    with pytest.raises(Retryable, match="the reply is not JSON"):
        build().add_txt(ZONE, NAME, VALUES[0])


@pytest.mark.usefixtures("entra")
@pytest.mark.parametrize(
    ("config", "secret", "message"),
    [
        ({}, "another-secret", "AADSTS7000215: Invalid client secret provided"),
        ({"clientID": "00000000-0000-0000-0000-000000000000"}, SECRET, "AADSTS700016: The application was not found"),
        ({"tenantID": "00000000-0000-0000-0000-000000000000"}, SECRET, "Unable to get authority configuration"),
    ],
)
def test_a_principal_that_is_refused(config: dict[str, object], secret: str, message: str) -> None:
    texts = set()
    for _ in range(2):
        with pytest.raises(Terminal, match=rf"gives no token: .*{message}.*check .*\.clientSecretSecretRef") as caught:
            build(secret, **config).add_txt(ZONE, NAME, VALUES[0])
        assert caught.value.reason == "CredentialsRefused"
        assert secret not in caught.value.message
        texts.add(caught.value.message)
    assert len(texts) == 1  # without what differs each time


@pytest.mark.parametrize("status", [429, 503])
def test_a_login_service_that_fails_is_asked_again_later(fake: FakeAzure, entra: FakeEntra, status: int) -> None:
    entra.override = lambda request: Answer(status, {"error": "temporarily"}) if request.method == "POST" else None
    with pytest.raises(Retryable, match=f"POST .*/oauth2/v2.0/token: Azure answers {status}"):
        build().add_txt(ZONE, NAME, VALUES[0])
    assert len(entra.requests) == 2
    assert fake.requests == []


def test_a_login_service_that_does_not_answer(fake: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud("127.0.0.1:9", fake.url, "url")
    monkeypatch.setitem(azure_login.CLOUDS, "AzurePublicCloud", cloud)  # type: ignore[misc]
    with pytest.raises(Retryable, match=r"GET https://127\.0\.0\.1:9/.*: no reply"):
        build().add_txt(ZONE, NAME, VALUES[0])


@pytest.fixture
def workload(entra: FakeEntra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What the webhook of Azure's workload identity puts into a pod."""
    file = tmp_path / "token"
    file.write_text(federated_token())
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    monkeypatch.setenv("AZURE_CLIENT_ID", WORKLOAD)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{entra.url}/")
    return file


@pytest.mark.usefixtures("workload")
def test_a_workload_identity(fake: FakeAzure, entra: FakeEntra) -> None:
    own().add_txt(ZONE, NAME, VALUES[0])
    own().add_txt(ZONE, NAME, VALUES[1])
    assert sorted(fake.txt(NAME)) == sorted(VALUES[:2])
    assert len(fake.tokens) == len(entra.scopes) == 1  # shared by both


@pytest.mark.usefixtures("fake")
def test_another_workload_identity_than_the_environments(workload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000")
    monkeypatch.setenv("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000")
    own(managedIdentity={"clientID": WORKLOAD, "tenantID": TENANT}).add_txt(ZONE, NAME, VALUES[0])
    with pytest.raises(Terminal, match="check the operator's own Azure identity"):
        own().add_txt(ZONE, NAME, VALUES[0])
    workload.write_text(federated_token("system:serviceaccount:other:other"))
    azure_login.by_environment.cache_clear()
    with pytest.raises(Terminal, match="AADSTS700213: No matching federated identity record") as caught:
        own(managedIdentity={"clientID": WORKLOAD, "tenantID": TENANT}).add_txt(ZONE, NAME, VALUES[0])
    assert workload.read_text() not in caught.value.message


def test_a_workload_identity_that_is_incomplete(workload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSpec, match=r"managedIdentity: a workload identity has no resource ID"):
        own(managedIdentity={"resourceID": RESOURCE})
    workload.unlink()
    with pytest.raises(InvalidSpec, match="AZURE_FEDERATED_TOKEN_FILE of the operator's environment: the file cannot"):
        own().add_txt(ZONE, NAME, VALUES[0])
    monkeypatch.delenv("AZURE_CLIENT_ID")
    azure_login.by_environment.cache_clear()
    with pytest.raises(InvalidSpec, match=r"managedIdentity: .*Missing required arguments: 'client_id'"):
        own()


@pytest.fixture
def instance(fake: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> FakeAzure:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    cloud = Cloud("127.0.0.1:9", fake.url, "url")
    monkeypatch.setitem(azure_login.CLOUDS, "AzurePublicCloud", cloud)  # type: ignore[misc]
    return fake


@pytest.mark.parametrize(
    ("managed", "prefix"),
    [({}, "system"), ({"clientID": MANAGED}, "user"), ({"resourceID": RESOURCE}, "resource")],
)
def test_a_managed_identity(
    instance: FakeAzure, managed: dict[str, str], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"managedIdentity": managed} if managed else {}
    login: Any = own(**config)._api.endpoint.login
    assert login.headers("GET", "", None, {})["Authorization"].startswith(f"Bearer eyJ0.{prefix}.")
    monkeypatch.delenv("HTTP_PROXY")
    own(**config).add_txt(ZONE, NAME, VALUES[0])
    assert instance.txt(NAME) == [VALUES[0]]
    assert len(instance.tokens) == 1


@pytest.mark.usefixtures("instance")
def test_a_managed_identity_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSpec, match=r"no Azure identity of its own.*; give it a workload identity") as caught:
        own(managedIdentity={"clientID": CLIENT}).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "NoAmbientCredentials"
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    with pytest.raises(Retryable, match=r"GET http://127\.0\.0\.1:9/metadata/identity/oauth2/token: no reply"):
        own().add_txt(ZONE, NAME, VALUES[0])


def test_the_operators_identity_is_for_those_who_may() -> None:
    with pytest.raises(InvalidSpec, match="azureDNS: names no credentials; only credentials from a Secret"):
        azure_dns.build(Fields(PLACE, AT), secrets_of({}))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"subscriptionID": ""}, "subscriptionID: must name what the zone is in"),
        ({"resourceGroupName": " "}, "resourceGroupName: must name what the zone is in"),
        ({"zoneType": "Public"}, "zoneType: 'Public' must be AzurePublicZone or AzurePrivateZone"),
        ({"environment": "AzureGermanCloud"}, "environment: AzureGermanCloud was closed in 2021"),
        ({"environment": "Mars"}, "environment: 'Mars' must be one of AzurePublicCloud, "),
        ({"tenantID": ""}, "clientID, tenantID and clientSecretSecretRef belong together; give all three"),
        ({"clientID": ""}, "clientID, tenantID and clientSecretSecretRef belong together; give all three"),
        ({"clientSecretSecretRef": {"name": ""}}, "needs clientSecretSecretRef"),
        ({"tenantID": "../x"}, "tenantID: Invalid tenant ID provided"),
        ({"managedIdentity": {}}, "managedIdentity: excludes clientID, tenantID and clientSecretSecretRef"),
    ],
)
def test_configs_that_are_wrong(config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        build(**config)
    assert caught.value.message.startswith(AT)


def test_an_identity_by_two_names() -> None:
    with pytest.raises(InvalidSpec, match=r"managedIdentity\.resourceID: excludes clientID and tenantID"):
        own(managedIdentity={"clientID": MANAGED, "resourceID": RESOURCE})


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ("", "https://management.azure.com"),
        ("AzurePublicCloud", "https://management.azure.com"),
        ("AzureChinaCloud", "https://management.chinacloudapi.cn"),
        ("AzureUSGovernmentCloud", "https://management.usgovcloudapi.net"),
    ],
)
def test_the_real_apis_are_the_defaults(environment: str, url: str) -> None:
    assert build(environment=environment)._api.endpoint.url == url


@pytest.mark.usefixtures("entra")
def test_no_secret_in_texts(fake: FakeAzure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = build()
    texts = [repr(provider), repr(provider._api), repr(provider._api.endpoint), repr(provider._api.endpoint.login)]
    provider.add_txt(ZONE, NAME, VALUES[0])
    (token,) = fake.tokens
    assert provider._api.endpoint.secrets == (SECRET, token)
    fake.expired = True
    with pytest.raises(CertwrightError) as caught:
        provider.add_txt(ZONE, NAME, VALUES[1])
    texts += [repr(caught.value), caplog.text]
    assert not [text for text in texts if SECRET in text or token in text]


def test_every_field_is_explained() -> None:
    assert all(field.help.endswith(".") for field in azure_dns.PROVIDER.fields)
