"""What is OVHcloud's own: its clock, its service accounts, its refresh; the rest is in test_vendors.py."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import api, ovh, ovh_account
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer
from unit.providers.fake_ovh import CLIENT, CLIENT_SECRET, CONSUMER, KEY, SECRET, FakeOvh
from unit.providers.vendors import PATH, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
KEYS = {"applicationKey": KEY, "applicationSecret": SECRET, "consumerKey": CONSUMER}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOvh]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    monkeypatch.setattr(ovh_account, "_clocks", ovh_account._Clocks())
    with FakeOvh() as running:
        yield running


def provider(fake: FakeOvh, entries: dict[str, str] = KEYS, **config: str) -> ovh.Ovh:
    account = ovh.endpoint(Fields({**config, "secretRef": {"name": "dns"}}, PATH), secrets_of(entries))
    token_url = f"{fake.url}/auth/oauth2/token" if account.token_url else ""
    there = replace(account, url=fake.url, url_field="url", token_url=token_url)
    return ovh.Ovh(ovh_account.OvhApi(there, guard=Guard(allow_loopback=True)))


def service_account(fake: FakeOvh, secret: str = CLIENT_SECRET) -> ovh.Ovh:
    return provider(fake, {"clientSecret": secret}, clientID=CLIENT)


def paths(fake: FakeOvh) -> list[str]:
    return [request.path.removeprefix(fake.prefix) for request in fake.requests]


def test_the_clock_is_asked_once_for_all_accounts(fake: FakeOvh) -> None:
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    provider(fake).add_txt(ZONE, NAME, VALUES[1])
    assert paths(fake).count("/auth/time") == 1


def test_a_clock_that_jumped_is_asked_again(fake: FakeOvh) -> None:
    made = provider(fake)
    made.add_txt(ZONE, NAME, VALUES[0])
    fake.ahead -= 600
    made.add_txt(ZONE, NAME, VALUES[1])
    assert sorted(fake.txt(NAME)) == sorted(VALUES[:2])


def test_a_clock_that_cannot_be_told(fake: FakeOvh) -> None:
    fake.override = lambda request: Answer(200, "noon") if request.path.endswith("/auth/time") else None
    with pytest.raises(Retryable, match="reply is not JSON"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    fake.override = lambda request: Answer(200, {"now": 1}) if request.path.endswith("/auth/time") else None
    with pytest.raises(Retryable, match="reply is not JSON with a time"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    fake.override = lambda request: Answer(503) if request.path.endswith("/auth/time") else None
    with pytest.raises(Retryable, match="auth/time: OVH answers 503"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_the_first_wrong_secret_is_said(fake: FakeOvh) -> None:
    with pytest.raises(
        Terminal, match=r"answers 400: Invalid signature; the credentials are wrong.*consumerKey of"
    ) as it:
        provider(fake, {**KEYS, "applicationSecret": "another"}).add_txt(ZONE, NAME, VALUES[0])
    assert it.value.reason == "CredentialsRefused"


def test_keys_that_may_not_list_zones_do(fake: FakeOvh) -> None:
    fake.may_list = False
    made = provider(fake)
    assert made.find_zone(NAME) is None
    assert not made.may_list
    made.add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    assert paths(fake).count("/domain/zone") == 1
    with pytest.raises(Terminal, match=r"answers 404: This service does not exist"):
        made.add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])


def test_another_refusal_is_not_taken_for_a_missing_right(fake: FakeOvh) -> None:
    fake.override = lambda _request: Answer(403, "<html>Go away</html>")
    with pytest.raises(Terminal, match=r"answers 403; allow the credentials"):
        provider(fake).find_zone(NAME)


def test_a_change_whose_refresh_failed_is_served_by_the_next_attempt(fake: FakeOvh) -> None:
    fake.override = lambda request: Answer(500) if request.path.endswith("/refresh") else None
    with pytest.raises(Retryable):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == []
    fake.override = lambda _request: None
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]
    fake.override = lambda request: Answer(500) if request.path.endswith("/refresh") else None
    with pytest.raises(Retryable):
        provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    fake.override = lambda _request: None
    provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == []


def test_many_values_need_one_refresh(fake: FakeOvh) -> None:
    names = [f"_acme-challenge.{number}.example.com." for number in range(5)]
    provider(fake).add_many(ZONE, [(name, value) for name in names for value in VALUES])
    assert sum(path.endswith("/refresh") for path in paths(fake)) == 1


def test_a_record_that_goes_while_it_is_looked_for(fake: FakeOvh) -> None:
    made = provider(fake)
    made.add_txt(ZONE, NAME, VALUES[0])

    def vanish(request: Any) -> Answer | None:
        tail = request.path.rpartition("/")[2]
        if request.method == "GET" and tail.isdecimal():
            fake.drop("example.com", tail)
        return None

    fake.override = vanish
    made.add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance_of_service_accounts(fake: FakeOvh, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: service_account(fake),
            read_txt=fake.txt,
            zone=ZONE,
            subzone="sub.example.com.",
            expired=lambda: service_account(fake, "an-old-secret-0123"),
            credentials=(CLIENT_SECRET, "an-old-secret-0123"),
            stranger=fake.put,
        )
    )


def test_a_token_is_used_as_long_as_it_is_valid(fake: FakeOvh) -> None:
    made = service_account(fake)
    made.add_txt(ZONE, NAME, VALUES[0])
    made.add_txt(ZONE, NAME, VALUES[1])
    assert paths(fake).count("/auth/oauth2/token") == 1
    assert "/auth/time" not in paths(fake)


def test_a_token_that_was_revoked_is_replaced(fake: FakeOvh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "unauthorized", lambda: Answer(401, {"message": "Invalid token"}))
    made = service_account(fake)
    made.add_txt(ZONE, NAME, VALUES[0])
    fake.tokens.clear()
    made.add_txt(ZONE, NAME, VALUES[1])
    assert sorted(fake.txt(NAME)) == sorted(VALUES[:2])


def test_a_service_accounts_secret_that_is_wrong(fake: FakeOvh) -> None:
    with pytest.raises(
        Terminal, match=r"oauth2/token: OVH answers 400: .*the credentials are wrong.*clientSecret"
    ) as it:
        service_account(fake, "another-secret").find_zone(NAME)
    assert it.value.reason == "CredentialsRefused"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"endpoint": "ovh-mars"}, r"config\.endpoint: 'ovh-mars' must be one of ovh-eu, "),
        ({"endpoint": "kimsufi-eu", "clientID": "x"}, r"config\.clientID: kimsufi-eu knows no service accounts"),
    ],
)
def test_a_bad_config(config: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        ovh.build(Fields({**config, "secretRef": {"name": "dns"}}, PATH), secrets_of(KEYS))


def test_each_endpoint_is_an_api() -> None:
    for name, place in ovh_account.ENDPOINTS.items():
        built = ovh.build(Fields({"endpoint": name, "secretRef": {"name": "dns"}}, PATH), secrets_of(KEYS))
        assert built._api.endpoint.url == place.url
