from collections.abc import Iterator

import pytest

from certwright.errors import Retryable, Terminal
from certwright.providers import api
from certwright.providers.conformance import VALUES
from unit.providers.fake_api import Answer, Request
from unit.providers.fake_hetzner import FakeHetzner
from unit.providers.vendors import VENDORS

ZONE, NAME = "example.com.", "_acme-challenge.example.com."
(HETZNER,) = (vendor for vendor in VENDORS if vendor.name == "hetzner")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHetzner]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with FakeHetzner() as running:
        yield running


def test_somebody_else_adds_the_value_meanwhile(fake: FakeHetzner) -> None:
    def meanwhile(request: Request) -> None:
        if request.method == "POST":
            fake.put(NAME, VALUES[0], 60)

    fake.override = meanwhile
    HETZNER.provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_somebody_else_removes_the_value_meanwhile(fake: FakeHetzner) -> None:
    fake.put(NAME, VALUES[0], 60)

    def meanwhile(request: Request) -> None:
        if request.method == "POST":
            fake.zones["example.com"].clear()

    fake.override = meanwhile
    HETZNER.provider(fake).remove_txt(ZONE, NAME, VALUES[0])


def test_a_refusal(fake: FakeHetzner) -> None:
    refusal = fake.error(422, "incorrect_zone_mode", "the zone is secondary")
    fake.override = lambda request: refusal if request.method == "POST" else None
    with pytest.raises(Terminal, match="incorrect_zone_mode; the zone is secondary"):
        HETZNER.provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_an_action_that_fails_at_once(fake: FakeHetzner) -> None:
    action = {"id": 1, "status": "error", "error": {"code": "action_failed", "message": "Action failed"}}
    fake.override = lambda request: Answer(201, {"action": action}) if request.method == "POST" else None
    with pytest.raises(Retryable, match="Action failed"):
        HETZNER.provider(fake).add_txt(ZONE, NAME, VALUES[0])
