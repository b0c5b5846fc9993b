"""acme-dns, against a fake that keeps two values of an account and lets none be removed, as its documentation says."""

import json
from collections.abc import Iterator

import dns.resolver
import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import acme_dns, api
from certwright.providers.conformance import VALUES
from certwright.providers.guard import Guard, set_standing, standing
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer, FakeApi, Request, Route

PATH = "spec.acme.solvers[0].dns01.acmeDNS"
TARGET = "d420c923-bbd7-4056-ab64-c3ca54c9b3cf.auth.example.org"
ACCOUNT = {
    "fulldomain": TARGET,
    "subdomain": TARGET.partition(".")[0],
    "username": "c36f50e8-4632-44f0-83fe-e070fef28a10",
    "password": "htB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z",
    "allowfrom": [],
}
NAME = "_acme-challenge.example.com."


class FakeAcmeDNS(FakeApi):
    def __init__(self) -> None:
        super().__init__()
        self.values = ["", ""]

    def routes(self) -> list[Route]:
        return [("POST", "/update", self._update)]

    def authorized(self, request: Request) -> bool:
        given = (request.headers.get("x-api-user"), request.headers.get("x-api-key"))
        return given == (ACCOUNT["username"], ACCOUNT["password"])

    def unauthorized(self) -> Answer:
        return Answer(401, {"error": "forbidden"})

    def _update(self, request: Request) -> Answer:
        if request.body["subdomain"] != ACCOUNT["subdomain"]:
            return Answer(401, {"error": "forbidden"})
        if len(request.body["txt"]) != 43:
            return Answer(400, {"error": "bad_txt"})
        self.values = [*self.values[1:], request.body["txt"]]
        return Answer(200, {"txt": request.body["txt"]})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAcmeDNS]:
    monkeypatch.setattr(api, "_pauses", api._Pauses())
    before = standing()
    set_standing(Guard(allow_loopback=True))
    with FakeAcmeDNS() as running:
        yield running
    set_standing(before)


def provider(url: str, cname: str | None = None, **changes: object) -> acme_dns.AcmeDNS:
    accounts = json.dumps({"example.com": ACCOUNT | changes})
    config = Fields({"host": url, "accountSecretRef": {"name": "acme-dns", "key": "accounts.json"}}, PATH)
    made = acme_dns.build(config, lambda _name, _key: accounts.encode())
    made._cname_of = lambda _: cname
    return made


def value(number: int) -> str:
    return f"{number:02}{VALUES[0][2:43]}".ljust(43, "x")


def test_two_values_stand(fake: FakeAcmeDNS) -> None:
    provider(fake.url).add_txt("auth.example.org.", f"{TARGET}.", value(1))
    provider(fake.url).add_txt("auth.example.org.", f"{TARGET}.", value(2))
    assert fake.values == [value(1), value(2)]
    provider(fake.url).remove_txt("auth.example.org.", f"{TARGET}.", value(1))
    assert provider(fake.url).find_zone(f"{TARGET}.") is None


@pytest.mark.parametrize("told", ["", "elsewhere.example."])
def test_a_missing_cname_is_named(fake: FakeAcmeDNS, told: str) -> None:
    with pytest.raises(
        Terminal, match=rf"create the CNAME record _acme-challenge\.example\.com\. → {TARGET}\."
    ) as caught:
        provider(fake.url, cname=told).add_txt("example.com.", NAME, value(1))
    assert caught.value.reason == "CNAMEMissing"
    assert told in caught.value.message
    assert not fake.requests


@pytest.mark.parametrize("told", [f"{TARGET}.", None])
def test_a_cname_that_is_not_to_be_followed(fake: FakeAcmeDNS, told: str | None) -> None:
    provider(fake.url, cname=told).add_txt("example.com.", NAME, value(1))
    assert fake.values[1] == value(1)


def test_a_name_without_an_account(fake: FakeAcmeDNS) -> None:
    with pytest.raises(Terminal, match=r"has no acme-dns account for _acme-challenge\.x\.test\..*it has example\.com"):
        provider(fake.url).add_txt("x.test.", "_acme-challenge.x.test.", value(1))


def test_a_password_that_is_wrong(fake: FakeAcmeDNS) -> None:
    with pytest.raises(
        Terminal, match=r"answers 401: forbidden; .*check .*accounts\.json of Secret acme-dns"
    ) as caught:
        provider(fake.url, password="wrong-password").add_txt("z.", f"{TARGET}.", value(1))
    assert "wrong-password" not in caught.value.message
    assert "wrong-password" not in repr(provider(fake.url, password="wrong-password")._by_domain)


def test_throttling(fake: FakeAcmeDNS) -> None:
    fake.throttled = True
    with pytest.raises(Retryable):
        provider(fake.url).add_txt("z.", f"{TARGET}.", value(1))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"x": 1}', b'{"x": {}}', b'{"x": {"fulldomain": 1}}'])
def test_accounts_that_cannot_be_read(content: bytes) -> None:
    config = Fields({"host": "x", "accountSecretRef": {"name": "acme-dns", "key": "k"}}, PATH)
    with pytest.raises(InvalidSpec, match="entry k of Secret acme-dns is not a JSON object of accounts by domain"):
        acme_dns.build(config, lambda _name, _key: content)


def test_a_password_that_no_header_can_hold() -> None:
    with pytest.raises(InvalidSpec, match="is not a JSON object"):
        provider("https://x", password="two\nlines")


def test_a_host_without_scheme_is_https() -> None:
    assert provider("auth.example.org")._endpoint.url == "https://auth.example.org"


def test_where_a_cname_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers(list[object]):
        pass

    outcomes: list[object] = [
        dns.resolver.NXDOMAIN(),  # type: ignore[no-untyped-call]
        dns.resolver.LifetimeTimeout(timeout=1, errors=[]),  # type: ignore[no-untyped-call]
    ]

    def resolve(*_: object, **__: object) -> object:
        outcome = outcomes.pop(0)
        assert isinstance(outcome, Exception)
        raise outcome

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert acme_dns._cname_of("x.test") == ""
    assert acme_dns._cname_of("x.test") is None
