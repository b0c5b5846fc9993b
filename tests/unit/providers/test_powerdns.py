"""What a real server cannot be made to do; the rest is in tests/integration/test_providers_powerdns.py."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import changes, powerdns
from certwright.providers.api import Api
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer, FakeApi, Request, Route
from unit.providers.vendors import PATH, secrets_of

NAME = "_acme-challenge.example.com."
BASE = "/api/v1/servers/localhost/zones"


class FakePowerDNS(FakeApi):
    """One RRset; `meddle` is called after each write; `new` since 4.9.12."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self.kind = "Native"
        self.new = False
        self.meddle: Callable[[], None] = lambda: None

    def routes(self) -> list[Route]:
        return [
            ("GET", BASE, lambda _: Answer(200, [{"id": "example.com.", "name": "example.com.", "kind": self.kind}])),
            ("GET", f"{BASE}/example.com.", self._zone),
            ("PATCH", f"{BASE}/example.com.", self._patch),
            ("PUT", f"{BASE}/example.com./notify", lambda _: Answer(422, {"error": "not a primary"})),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == "key"

    def _zone(self, _request: Request) -> Answer:
        other = {"name": "other.example.com.", "type": "TXT", "records": [{"content": '"x"', "disabled": False}]}
        return Answer(200, {"rrsets": [other, {"name": NAME, "type": "TXT", "records": self.records}]})

    def _patch(self, request: Request) -> Answer:
        (change,) = request.body["rrsets"]
        assert change["name"] == NAME
        if change["changetype"] == "REPLACE":
            self.records = change["records"]
        elif not self.new:
            return Answer(422, {"error": "Changetype not understood"})
        else:
            (record,) = change["records"]
            self.records = [each for each in self.records if each["content"] != record["content"]]
            self.records += [record] if change["changetype"] == "EXTEND" else []
        self.meddle()
        return Answer(204)


@pytest.fixture
def fake() -> Iterator[FakePowerDNS]:
    with FakePowerDNS() as running:
        yield running


def provider(fake: FakePowerDNS) -> powerdns.PowerDNS:
    config = Fields({"host": fake.url, "secretRef": {"name": "dns"}}, PATH)
    endpoint = powerdns.endpoint(config, secrets_of({"apiKey": "key"}))
    return powerdns.PowerDNS(Api(endpoint, guard=Guard(allow_loopback=True)), "localhost")


def test_disabled_records_stay_as_they_are(fake: FakePowerDNS) -> None:
    fake.records = [{"content": '"old"', "disabled": True}, {"content": '"other"', "disabled": False}]
    provider(fake).add_txt("example.com.", NAME, "old")
    assert fake.records == [
        {"content": '"old"', "disabled": True},
        {"content": '"other"', "disabled": False},
        {"content": '"old"', "disabled": False},
    ]
    provider(fake).remove_txt("example.com.", NAME, "old")
    assert fake.records == [{"content": '"old"', "disabled": True}, {"content": '"other"', "disabled": False}]


def test_what_another_process_overwrote_is_written_again(fake: FakePowerDNS) -> None:
    meddled: list[object] = []

    def meddle() -> None:
        if len(meddled) < 2:
            meddled.append(fake.records)
            fake.records = [{"content": '"theirs"', "disabled": False}]

    fake.meddle = meddle
    provider(fake).add_txt("example.com.", NAME, "ours")
    assert [record["content"] for record in fake.records] == ['"theirs"', '"ours"']


def test_a_race_that_is_lost_again_and_again(fake: FakePowerDNS) -> None:
    def meddle() -> None:
        fake.records = []

    fake.meddle = meddle
    with pytest.raises(Retryable, match="somebody else changes _acme-challenge"):
        provider(fake).add_txt("example.com.", NAME, "ours")
    kinds = [request.body["rrsets"][0]["changetype"] for request in fake.requests if request.method == "PATCH"]
    assert kinds == ["EXTEND", *["REPLACE"] * changes.ATTEMPTS]


def test_a_new_server_changes_single_records(fake: FakePowerDNS) -> None:
    fake.new = True
    made = provider(fake)
    made.add_many("example.com.", [(NAME, "one"), (NAME, "two"), (NAME, "one")])
    assert [record["content"] for record in fake.records] == ['"one"', '"two"']
    made.remove_many("example.com.", [(NAME, "one")])
    assert [record["content"] for record in fake.records] == ['"two"']
    assert [request.method for request in fake.requests] == ["GET", "PATCH", "PATCH", "PATCH"]


def test_another_refusal_is_not_taken_for_an_old_server(fake: FakePowerDNS) -> None:
    refusal = Answer(422, {"error": "RRset is in the way of a CNAME"})
    fake.override = lambda request: refusal if request.method == "PATCH" else None
    with pytest.raises(Terminal, match="answers 422: RRset is in the way of a CNAME"):
        provider(fake).add_txt("example.com.", NAME, "one")


def test_a_primary_notifies(fake: FakePowerDNS) -> None:
    provider(fake).add_txt("example.com.", NAME, "one")
    assert not [request for request in fake.requests if request.method == "PUT"]
    fake.kind = "Primary"
    provider(fake).add_txt("example.com.", NAME, "two")
    assert [request.path for request in fake.requests if request.method == "PUT"] == [f"{BASE}/example.com./notify"]


@pytest.mark.parametrize("host", [None, "pdns:8081", "ftp://pdns"])
def test_a_bad_host(host: str | None) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.host: is not an https:// URL"):
        powerdns.build(Fields({"host": host, "secretRef": {"name": "dns"}}, PATH), secrets_of({"apiKey": "key"}))
