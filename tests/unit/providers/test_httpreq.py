"""The protocol as lego documents it, run against a server of its own that keeps what it is told."""

import base64
from collections.abc import Iterator

import pytest

from certwright.errors import InvalidSpec, Terminal
from certwright.providers import api, httpreq
from certwright.providers.api import Api
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard
from certwright.resources.reading import Fields
from unit.providers import other_process
from unit.providers.fake_api import Answer, FakeApi, Request, Route
from unit.providers.vendors import PATH, secrets_of

USER, PASSWORD = "lego", "httpreq-password-0123"
CONFIG: dict[str, object] = {"username": USER}
PROVIDER: dict[str, object] = {"name": "httpreq", "secretRef": {"name": "dns"}}


class HttpReqServer(FakeApi):
    prefix = "/hooks"

    def routes(self) -> list[Route]:
        return [("POST", "/present", self._present), ("POST", "/cleanup", self._cleanup)]

    def authorized(self, request: Request) -> bool:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {wanted}"

    def unauthorized(self) -> Answer:
        return Answer(401, "who are you?", {"WWW-Authenticate": "Basic"})

    def too_many(self) -> Answer:
        return Answer(429, "slow down", {"Retry-After": "0"})

    def _present(self, request: Request) -> Answer:
        assert set(request.body) == {"fqdn", "value"}
        assert request.body["fqdn"].endswith(".")
        if request.body["value"] not in self.txt(request.body["fqdn"]):
            self.put(request.body["fqdn"], request.body["value"])
        return Answer(200, "done")

    def _cleanup(self, request: Request) -> Answer:
        name = request.body["fqdn"].rstrip(".")
        for record in self.at(self.zone_of(name), name):
            if record.value == request.body["value"]:
                self.drop(self.zone_of(name), record.id)
        return Answer(204)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReqServer]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    with HttpReqServer() as running:
        yield running


def provider(url: str, **changes: object) -> httpreq.HttpReq:
    config = {"endpoint": url, **CONFIG, "secretRef": {"name": "dns"}} | changes
    endpoint = httpreq.endpoint(Fields(config, PATH), secrets_of({"password": PASSWORD}))
    return httpreq.HttpReq(Api(endpoint, guard=Guard(allow_loopback=True)))


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(server: HttpReqServer, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: provider(server.url),
            read_txt=server.txt,
            zone="example.com.",
            subzone="sub.example.com.",
            throttled=server.throttling,
            expired=lambda: provider(server.url, username="gone"),
            credentials=(PASSWORD,),
            stranger=server.put,
            elsewhere=other_process.of_config(
                {"provider": PROVIDER | {"config": CONFIG | {"endpoint": server.url}}}, PASSWORD
            ),
        )
    )


def test_without_credentials(server: HttpReqServer) -> None:
    with pytest.raises(Terminal, match=r"answers 401: who are you\?; the credentials are wrong.*check the account"):
        provider(server.url, username=None, secretRef=None).add_txt("example.com.", "x.example.com.", VALUES[0])
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, r"config\.endpoint: is not an https:// URL"),
        ({"endpoint": "https://x", "secretRef": {"name": "dns"}}, r"config\.username: must be"),
        ({"endpoint": "https://x", "username": "a:b"}, r"config\.username: must be"),
        ({"endpoint": "https://x", "username": "a"}, "needs passwordSecretRef"),
    ],
)
def test_a_bad_config(config: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        httpreq.build(Fields(config, PATH), secrets_of({"password": PASSWORD}))


def test_addresses_that_a_tenant_must_not_reach() -> None:
    built = httpreq.build(Fields({"endpoint": "http://169.254.169.254/latest"}, PATH), secrets_of({}))
    with pytest.raises(InvalidSpec, match=r"config\.endpoint: the host 169\.254\.169\.254 is not connected to"):
        built.add_txt("example.com.", "x.example.com.", VALUES[0])
