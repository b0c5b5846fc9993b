from collections.abc import Iterator
from dataclasses import replace

import pytest

from certwright.errors import InvalidSpec, Terminal
from certwright.providers import api, cloudflare
from certwright.providers.api import Api
from certwright.providers.conformance import VALUES
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_api import Request
from unit.providers.fake_cloudflare import EMAIL, KEY, TOKEN, FakeCloudflare
from unit.providers.vendors import secrets_of

PATH = "spec.acme.solvers[0].dns01.cloudflare"
ENTRIES = {"apiToken": TOKEN, "apiKey": KEY}
BY_TOKEN: dict[str, object] = {"apiTokenSecretRef": {"name": "dns", "key": "apiToken"}}
BY_KEY: dict[str, object] = {"apiKeySecretRef": {"name": "dns", "key": "apiKey"}, "email": EMAIL}
ZONE, NAME = "example.com.", "_acme-challenge.example.com."


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudflare]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with FakeCloudflare() as running:
        yield running


def provider(fake: FakeCloudflare, config: dict[str, object], **entries: str) -> cloudflare.Cloudflare:
    endpoint = cloudflare.endpoint(Fields(config, PATH), secrets_of(ENTRIES | entries))
    return cloudflare.Cloudflare(
        Api(replace(endpoint, url=fake.url, url_field="url"), guard=Guard(allow_loopback=True))
    )


@pytest.mark.parametrize("config", [BY_TOKEN, BY_KEY, BY_TOKEN | {"email": EMAIL}], ids=["token", "key", "both"])
def test_as_cert_manager_spells_it(fake: FakeCloudflare, config: dict[str, object]) -> None:
    provider(fake, config).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.parametrize("email", [None, "", "two\nlines", "\u00fc@example.com"])
def test_a_key_needs_an_address(email: str | None) -> None:
    with pytest.raises(InvalidSpec, match=r"cloudflare\.email: must be the e-mail address"):
        cloudflare.build(Fields(BY_KEY | {"email": email}, PATH), secrets_of(ENTRIES))


def test_a_reference_without_key() -> None:
    with pytest.raises(InvalidSpec, match=r"cloudflare\.apiTokenSecretRef\.key: must name the entry of Secret dns"):
        cloudflare.build(Fields({"apiTokenSecretRef": {"name": "dns"}}, PATH), secrets_of(ENTRIES))


def test_without_any() -> None:
    with pytest.raises(InvalidSpec, match=r"cloudflare: needs apiTokenSecretRef with the name of a Secret") as caught:
        cloudflare.build(Fields({}, PATH), secrets_of(ENTRIES))
    assert "secretRef beside" not in caught.value.message


def test_credentials_that_are_refused_with_another_status(fake: FakeCloudflare) -> None:
    with pytest.raises(Terminal, match="Invalid access token; the credentials are wrong or have expired") as caught:
        provider(fake, BY_TOKEN, apiToken="an-old-token").add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "CredentialsRefused"
    fake.override = lambda _: fake.error(403, 10000, "Authentication error")
    with pytest.raises(Terminal, match="DNS:Edit") as caught:
        provider(fake, BY_TOKEN).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "NotAllowed"


def test_a_record_that_somebody_else_adds_meanwhile(fake: FakeCloudflare) -> None:
    def meanwhile(request: Request) -> None:
        if request.method == "POST":
            fake.put(NAME, VALUES[0])

    fake.override = meanwhile
    provider(fake, BY_TOKEN).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_the_active_zone_of_several(fake: FakeCloudflare) -> None:
    made = provider(fake, BY_TOKEN)
    assert made._zone_id(ZONE) == "id-example.com"
