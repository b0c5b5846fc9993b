"""What is Infoblox's own: views and versions; the rest is in test_vendors.py."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from certwright.errors import InvalidSpec, Terminal
from certwright.providers import api, infoblox
from certwright.providers.api import Api
from certwright.providers.conformance import VALUES
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer
from unit.providers.fake_infoblox import OTHER, PASSWORD, USER, VIEW, FakeInfoblox
from unit.providers.vendors import PATH, secrets_of

ZONE, NAME = "example.com.", "_acme-challenge.www.example.com."
CONFIG = {"host": "https://gm.example.com", "username": USER, "secretRef": {"name": "dns"}}
SECRETS = secrets_of({"password": PASSWORD})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInfoblox]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with FakeInfoblox() as running:
        yield running


def provider(fake: FakeInfoblox, view: str = VIEW) -> infoblox.Infoblox:
    endpoint = infoblox.endpoint(Fields(CONFIG, PATH), SECRETS)
    return infoblox.Infoblox(Api(replace(endpoint, url=fake.url), guard=Guard(allow_loopback=True)), view)


def test_a_view_is_kept_to(fake: FakeInfoblox) -> None:
    provider(fake, OTHER).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == []
    assert [record.value for record in fake.inside["example.com"]] == [VALUES[0]]
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    provider(fake).remove_txt(ZONE, NAME, VALUES[0])
    assert [record.value for record in fake.inside["example.com"]] == [VALUES[0]]
    assert provider(fake).find_zone("x.secret.example.com.") == ZONE
    assert provider(fake, OTHER).find_zone("x.secret.example.com.") == "secret.example.com."


def test_a_view_that_is_not_there(fake: FakeInfoblox) -> None:
    with pytest.raises(Terminal, match=r"answers 404: View nowhere not found"):
        provider(fake, "nowhere").add_txt(ZONE, NAME, VALUES[0])


def test_a_record_that_somebody_makes_in_between(fake: FakeInfoblox) -> None:
    def meanwhile(request: object) -> Answer | None:
        if getattr(request, "method", "") == "POST" and not fake.txt(NAME):
            fake.put(NAME, VALUES[0])
        return None

    fake.override = meanwhile  # type: ignore[assignment]
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    assert fake.txt(NAME) == [VALUES[0]]


def test_another_refusal_says_what_the_grid_says(fake: FakeInfoblox) -> None:
    refusal = fake.refusal(400, "AdmConProtoError", "Client.Ibap.Proto", "The zone is locked by admin.")
    fake.override = lambda request: refusal if request.method == "POST" else None
    with pytest.raises(Terminal, match=r"record:txt: Infoblox answers 400: The zone is locked by admin\.$"):
        provider(fake).add_txt(ZONE, NAME, VALUES[0])


def test_values_need_no_quotes_but_for_spaces(fake: FakeInfoblox) -> None:
    provider(fake).add_txt(ZONE, NAME, VALUES[0])
    provider(fake).add_txt(ZONE, NAME, "two  words")
    sent = [request.body["text"] for request in fake.requests if request.method == "POST"]
    assert sent == [VALUES[0], '"two  words"']
    assert fake.txt(NAME) == [VALUES[0], "two  words"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"host": "gm.example.com"}, r"config\.host: is not an https:// URL"),
        ({"wapiVersion": "latest"}, r"config\.wapiVersion: 'latest' is not a version such as 2\.11"),
        ({"username": "a:b"}, r"config\.username: must be"),
        ({"username": None}, r"config\.username: must be"),
    ],
)
def test_a_bad_config(config: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        infoblox.build(Fields({**CONFIG, **config}, PATH), SECRETS)


def test_the_url_has_the_version() -> None:
    built = infoblox.build(Fields({**CONFIG, "wapiVersion": "2.12.3", "view": "x"}, PATH), SECRETS)
    assert built._api.endpoint.url == "https://gm.example.com/wapi/v2.12.3"
