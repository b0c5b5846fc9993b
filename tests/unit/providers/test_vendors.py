"""What holds for every vendor's provider, against its fake."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api
from certwright.providers.base import add_many
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.fake_api import Answer, FakeApi
from unit.providers.vendors import PATH, VENDORS, Vendor, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    chosen: Vendor = request.param
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    if hasattr(chosen.module, "PAGE"):
        monkeypatch.setattr(chosen.module, "PAGE", 2)  # so that every list has several pages
    return chosen


@pytest.fixture
def fake(vendor: Vendor) -> Iterator[FakeApi]:
    with vendor.fake() as running:
        yield running


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(vendor: Vendor, fake: FakeApi, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [datetime.now(UTC)]

    def make() -> object:
        clock[0] += timedelta(seconds=2)  # longer than any fake asks to be left alone
        return vendor.provider(fake)

    def expired() -> object:
        fake.expired = True
        return make()

    monkeypatch.setattr(api, "_now", lambda: clock[0])
    before = fake.foreign()
    check.run(
        Subject(
            make=make,  # type: ignore[arg-type]
            read_txt=fake.txt,
            zone=ZONE,
            subzone=vendor.subzone,
            throttled=fake.throttling,
            expired=expired,  # type: ignore[arg-type]
            credentials=tuple(vendor.entries.values()),
            stranger=fake.put,
            elsewhere=other_process.of_vendor(vendor.name, fake.url),
        )
    )
    assert fake.foreign() == before


def test_a_zone_that_is_not_in_the_account(vendor: Vendor, fake: FakeApi) -> None:
    provider = vendor.provider(fake)
    assert provider.find_zone("_acme-challenge.example.org.") is None
    with pytest.raises(Terminal, match=r"has no zone example\.org.*; create the zone there, or allow") as caught:
        provider.add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])
    assert caught.value.reason == "ZoneNotInAccount"
    assert f"{PATH}.secretRef: the entry {next(iter(vendor.entries))} of Secret dns" in caught.value.message


def test_missing_rights(vendor: Vendor, fake: FakeApi) -> None:
    fake.override = lambda _request: Answer(403, {"message": f"no, {next(iter(vendor.entries.values()))}"})
    with pytest.raises(Terminal, match=r"answers 403.*; allow the credentials \(.*secretRef") as caught:
        vendor.provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "NotAllowed"
    assert not [text for text in vendor.entries.values() if text in caught.value.message]


@pytest.mark.parametrize(("status", "headers", "after"), [(500, {}, None), (503, {"Retry-After": "7"}, 7)])
def test_a_fault_of_the_vendor(
    vendor: Vendor, fake: FakeApi, status: int, headers: dict[str, str], after: float | None
) -> None:
    fake.override = lambda _request: Answer(status, "<html>Oh no</html>", headers)
    with pytest.raises(Retryable, match=rf"https?://.*: .* answers {status}$") as caught:
        vendor.provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.after == after


def test_an_account_that_is_throttled_is_left_alone_by_all(vendor: Vendor, fake: FakeApi) -> None:
    with fake.throttling(), pytest.raises(Throttled, match=r"answers (429|405)"):
        vendor.provider(fake).add_txt(ZONE, NAME, VALUES[0])
    asked = len(fake.requests)
    with pytest.raises(Throttled, match="has asked to be left alone"):
        vendor.provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert len(fake.requests) == asked


def test_malformed_replies(vendor: Vendor, fake: FakeApi) -> None:
    fake.override = lambda _request: Answer(200, "<html>Welcome</html>")
    with pytest.raises(Retryable, match=r"the reply is not (JSON|as .* documents it)"):
        vendor.provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_few_requests(vendor: Vendor, fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(vendor.module, "PAGE"):
        monkeypatch.setattr(vendor.module, "PAGE", 50)
    add_many(vendor.provider(fake), ZONE, [(NAME, VALUES[0]), (NAME, VALUES[1])])
    # The zone, and for each value reading and writing; or, where the API replaces sets, reading twice.
    assert len(fake.requests) <= vendor.requests


def test_no_secret_in_texts(vendor: Vendor, fake: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = vendor.provider(fake)
    texts = [repr(provider), repr(provider._api), repr(provider._api.endpoint)]
    provider.add_txt(ZONE, NAME, VALUES[0])
    fake.expired = True
    with pytest.raises(CertwrightError) as caught:
        provider.add_txt(ZONE, NAME, VALUES[1])
    texts += [repr(caught.value), caplog.text]
    assert not [text for text in texts for secret in vendor.entries.values() if secret in text]


def test_the_real_api_is_the_default(vendor: Vendor) -> None:
    provider = vendor.module.build(vendor.fields, secrets_of(vendor.entries))
    url = vendor.url or vendor.module.URL
    assert provider._api.endpoint.url == url
    assert url.startswith("https://")


def test_credentials_by_field(vendor: Vendor) -> None:
    config = vendor.config | {f"{name}SecretRef": {"name": "dns", "key": f"my-{name}"} for name in vendor.entries}
    secrets = secrets_of({f"my-{name}": value for name, value in vendor.entries.items()})
    endpoint = vendor.module.endpoint(Fields(config, PATH), secrets)
    assert endpoint.headers == vendor.module.endpoint(vendor.fields, secrets_of(vendor.entries)).headers


def test_credentials_that_lack(vendor: Vendor) -> None:
    name = next(iter(vendor.entries))
    with pytest.raises(InvalidSpec, match=rf"needs {name}SecretRef with .*, or a Secret with an entry {name} in"):
        vendor.module.build(Fields(vendor.config, PATH), secrets_of({}))
    with pytest.raises(InvalidSpec, match=rf"config\.secretRef: Secret ns/dns has no value under '{name}'"):
        vendor.module.build(vendor.fields, secrets_of({}))


@pytest.mark.parametrize("content", [" ", "two\nlines", "ü", "\x00"])
def test_credentials_that_no_header_can_hold(vendor: Vendor, content: str) -> None:
    secrets = secrets_of(dict.fromkeys(vendor.entries, content))
    with pytest.raises(InvalidSpec, match="is not a line of printable ASCII text") as caught:
        vendor.module.build(vendor.fields, secrets)
    assert not content.strip() or content not in caught.value.message


def test_every_field_is_explained(vendor: Vendor) -> None:
    fields = vendor.module.PROVIDER.fields
    assert all(field.help.endswith(".") for field in fields)
    assert {field.name for field in fields if field.secret} >= {f"{name}SecretRef" for name in vendor.entries}
