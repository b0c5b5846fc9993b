"""What is Akamai's own: its signatures and the package that makes them; the rest is in test_vendors.py."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import akamai, api
from certwright.providers.conformance import VALUES
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_akamai import ACCESS_TOKEN, CLIENT_SECRET, CLIENT_TOKEN, FakeAkamai
from unit.providers.fake_api import Request
from unit.providers.vendors import PATH, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
HOST = "akab-0123456789.luna.akamaiapis.net"
ENTRIES = {"clientToken": CLIENT_TOKEN, "clientSecret": CLIENT_SECRET, "accessToken": ACCESS_TOKEN}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAkamai]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with FakeAkamai() as running:
        yield running


def config(**changes: object) -> Fields:
    return Fields({"serviceConsumerDomain": HOST, "secretRef": {"name": "dns"}, **changes}, PATH)


def provider(fake: FakeAkamai, **entries: str) -> akamai.Akamai:
    endpoint = akamai.endpoint(config(), secrets_of(ENTRIES | entries))
    there = replace(endpoint, url=fake.url)
    return akamai.Akamai(akamai.AkamaiApi(there, guard=Guard(allow_loopback=True)))


def test_a_wrong_secret_makes_a_wrong_signature(fake: FakeAkamai) -> None:
    with pytest.raises(Terminal, match=r"answers 401: The signature does not match; .*the entry clientSecret of") as it:
        provider(fake, clientSecret="another").add_txt(ZONE, NAME, VALUES[0])
    assert it.value.reason == "CredentialsRefused"


def test_bodies_and_queries_are_signed(fake: FakeAkamai, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(akamai, "PAGE", 2)
    provider(fake).add_txt(ZONE, NAME, "ü 日本語")
    provider(fake).add_txt(ZONE, "_acme-challenge.a+b=c.example.com.", VALUES[0])
    assert fake.txt(NAME) == ["ü 日本語"]
    assert fake.txt("_acme-challenge.a+b=c.example.com.") == [VALUES[0]]


def test_the_debug_log_has_no_tokens(fake: FakeAkamai, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="akamai")
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert "signing" not in caplog.text
    assert not [text for text in ENTRIES.values() if text in caplog.text]


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "akamai.edgegrid", None)
    with pytest.raises(Terminal, match=r"package edgegrid-python is missing .*; install certwright\[akamai\]") as it:
        akamai.build(config(), secrets_of(ENTRIES))
    assert it.value.reason == "ExtraMissing"


def test_an_rrset_that_appears_in_between(fake: FakeAkamai) -> None:
    """PUT finds none, and then POST finds one."""

    def meanwhile(request: Request) -> None:
        if request.method == "POST" and not fake.txt(NAME):
            fake.put(NAME, "theirs")

    fake.override = meanwhile
    made = provider(fake)
    with pytest.raises(Retryable, match="answers 409"):
        made.add_txt(ZONE, NAME, VALUES[0])
    made.add_txt(ZONE, NAME, VALUES[0])
    assert sorted(fake.txt(NAME)) == sorted(["theirs", VALUES[0]])


@pytest.mark.parametrize("host", [HOST, f"https://{HOST}", f" https://{HOST}/ "])
def test_the_host_as_people_write_it(host: str) -> None:
    built = akamai.build(config(serviceConsumerDomain=host), secrets_of(ENTRIES))
    assert built._api.endpoint.url == f"https://{HOST}/config-dns/v2"


@pytest.mark.parametrize("host", ["", "https://", f"{HOST}/identity", "user:password@host", "http://host"])
def test_a_bad_host(host: str) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.serviceConsumerDomain: (must be the host|is not an https)"):
        akamai.build(config(serviceConsumerDomain=host), secrets_of(ENTRIES))
