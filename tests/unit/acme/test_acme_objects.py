"""The objects of the protocol, read from replies of every quality."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from certwright.acme.account import Account
from certwright.acme.authorization import Authorization, Challenge
from certwright.acme.certificate import CertificateChain
from certwright.acme.identifier import Identifier
from certwright.acme.order import Order
from certwright.acme.problem_types import URN
from certwright.acme.transport import Reply
from certwright.errors import Retryable, Terminal

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://ca.example/it/1"
ORDER = {
    "status": "pending",
    "expires": "2026-03-01T12:00:00Z",
    "notBefore": "2026-03-01T12:00:00.123456789+01:00",
    "notAfter": "2026-03-01T12:00:00",
    "identifiers": [{"type": "dns", "value": "a.example"}, {"type": "ip", "value": "2001:DB8:0::1"}],
    "authorizations": ["https://ca.example/authz/1", 7, "https://ca.example/authz/2"],
    "finalize": "https://ca.example/finalize/1",
    "profile": "default",
    "unheardOf": {"x": 1},
}
AUTHORIZATION = {
    "status": "pending",
    "identifier": {"type": "dns", "value": "A.example"},
    "wildcard": True,
    "challenges": [
        {"type": "dns-01", "url": "https://ca.example/c/1", "token": "tok-_1"},
        {"type": "dns-persist-01", "url": "https://ca.example/c/2", "status": "pending", "accounturi": "x"},
        {"type": "http-01", "url": "https://ca.example/c/3", "token": "../../etc/passwd"},
        {"type": "no-url"},
        "nonsense",
        None,
    ],
}


def reply(body: Any, *, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(URL, status, headers, content, 5.0)


def test_an_order() -> None:
    order = Order.read(reply(ORDER, status=201, Location="/order/9"), url=None)
    assert order.url == "https://ca.example/order/9"
    assert order.identifiers == (Identifier("dns", "a.example"), Identifier("ip", "2001:db8::1"))
    assert order.authorizations == ("https://ca.example/authz/1", "https://ca.example/authz/2")
    assert order.expires == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert order.not_before == datetime(2026, 3, 1, 11, 0, 0, 123456, tzinfo=UTC)
    assert order.not_after == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (order.status, order.finalize, order.profile) == ("pending", "https://ca.example/finalize/1", "default")
    assert (order.certificate, order.error, order.retry_after) == (None, None, 5.0)


def test_an_order_that_failed() -> None:
    failed = {**ORDER, "status": "invalid", "error": {"type": URN + "caa", "detail": "no"}, "expires": "soon"}
    order = Order.read(reply(failed), url=URL)
    assert order.error is not None
    assert order.error.code == "caa"
    assert order.expires is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (ORDER, "Location"),
        (b"", "not JSON"),
        (json.dumps(ORDER).encode()[:-20], "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([], "not a JSON object"),
    ],
    ids=["no Location", "empty", "cut", "HTML", "deep", "array"],
)
def test_a_reply_that_is_no_new_order(body: Any, said: str) -> None:
    with pytest.raises(Retryable, match=said) as caught:
        Order.read(reply(body), url=None)
    assert caught.value.reason == "MalformedReply"
    assert URL in caught.value.message


@pytest.mark.parametrize("name", ["status", "finalize"])
@pytest.mark.parametrize("value", [None, 5, ""])
def test_an_order_lacks_what_it_must_have(name: str, value: object) -> None:
    with pytest.raises(Retryable, match=name):
        Order.read(reply({**ORDER, name: value}), url=URL)


@pytest.mark.parametrize("listed", [None, "a.example", [None, 5, {"type": "dns"}, {"value": "x"}]])
def test_an_order_with_odd_identifiers_has_none(listed: object) -> None:
    order = Order.read(reply({**ORDER, "identifiers": listed, "authorizations": listed}), url=URL)
    assert order.identifiers == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["a.example"], "adds 2001:db8::1"),
        (["a.example", "2001:db8::1", "b.example"], "lacks b.example"),
        (["b.example"], "adds 2001:db8::1, a.example and lacks b.example"),
    ],
)
def test_an_order_for_other_names_is_refused(asked: list[str], said: str) -> None:
    with pytest.raises(Terminal, match=said) as caught:
        Order.read(reply(ORDER), url=URL).require([Identifier.of(name) for name in asked])
    assert caught.value.reason == "IdentifiersDiffer"


def test_an_order_for_the_same_names_in_another_spelling_is_taken() -> None:
    order = Order.read(reply(ORDER), url=URL)
    order.require([Identifier.of("2001:0DB8::0001"), Identifier.of("A.EXAMPLE")])
    assert order.identifiers[1] == Identifier.of("2001:0DB8::0001")


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("A.Example", "dns", "a.example"),
        ("*.a.example", "dns", "*.a.example"),
        ("192.0.2.1", "ip", "192.0.2.1"),
        ("2001:DB8::0", "ip", "2001:db8::"),
        ("300.0.2.1", "dns", "300.0.2.1"),
    ],
)
def test_an_identifier(name: str, kind: str, value: str) -> None:
    assert Identifier.of(name).body() == {"type": kind, "value": value}
    assert Identifier.read({"type": kind, "value": value, "extra": 1}) == Identifier.of(name)


def test_an_identifier_of_another_kind_stays_as_it_is() -> None:
    assert Identifier.read({"type": "email", "value": "A@B"}) == Identifier("email", "A@B")


def test_an_authorization() -> None:
    authorization = Authorization.read(reply(AUTHORIZATION))
    assert (authorization.url, authorization.status, authorization.retry_after) == (URL, "pending", 5.0)
    assert authorization.name == "*.a.example"
    assert [(one.type, one.token, one.status) for one in authorization.challenges] == [
        ("dns-01", "tok-_1", "pending"),
        ("dns-persist-01", None, "pending"),
        ("http-01", None, "pending"),
    ]
    assert authorization.error is None


def test_an_authorization_that_failed_says_why() -> None:
    failed = {"type": "dns-01", "url": "u", "status": "invalid", "error": {"type": URN + "dns", "detail": "SERVFAIL"}}
    body = {**AUTHORIZATION, "wildcard": None, "challenges": [*AUTHORIZATION["challenges"][:1], failed]}
    authorization = Authorization.read(reply(body))
    assert authorization.name == "a.example"
    assert authorization.error is not None
    assert authorization.error.detail == "SERVFAIL"


@pytest.mark.parametrize("broken", [{"identifier": None}, {"identifier": {"type": "dns"}}, {"status": None}])
def test_a_reply_that_is_no_authorization(broken: dict[str, object]) -> None:
    with pytest.raises(Retryable, match=r"'identifier'|'status'"):
        Authorization.read(reply({**AUTHORIZATION, **broken}))


def test_an_authorization_without_challenges() -> None:
    assert Authorization.read(reply({**AUTHORIZATION, "challenges": "none"})).challenges == ()


def test_a_challenge_that_was_accepted() -> None:
    challenge = Challenge.read(reply({"type": "dns-01", "url": "u", "status": "processing", "token": "t"}))
    assert (challenge.status, challenge.retry_after) == ("processing", 5.0)
    with pytest.raises(Retryable, match="no challenge"):
        Challenge.read(reply({"status": "processing"}))


def test_an_account() -> None:
    body = {"status": "valid", "contact": ["mailto:a@b", None], "orders": "https://ca.example/orders"}
    account = Account.read(reply(body, status=201, Location="https://ca.example/acct/1"), url=None)
    assert account == Account("https://ca.example/acct/1", "valid", ("mailto:a@b",), body["orders"], True, 5.0)  # type: ignore[arg-type]
    assert not Account.read(reply({}), url=URL).created
    with pytest.raises(Retryable, match="Location"):
        Account.read(reply(body), url=None)


@pytest.fixture
def certificate(server_pem: Path) -> bytes:
    text = server_pem.read_bytes()
    return text[: text.index(b"-----BEGIN PRIVATE")]


def test_a_chain(certificate: bytes) -> None:
    body = b"subject=leaf\r\n" + certificate.replace(b"\n", b"\r\n") + b"\n\ncomment\n" + certificate.rstrip()
    link = '<https://ca.example/dir>;rel="index", </alt/1>;rel="alternate"'
    chain = CertificateChain.read(reply(body, Link=link))
    assert chain.pem == certificate * 2
    assert chain.alternates == ("https://ca.example/alt/1",)
    assert (chain.url, chain.retry_after) == (URL, 5.0)


def test_a_body_that_is_no_chain(certificate: bytes, server_pem: Path) -> None:
    for body, said in (
        (b"", "0 certificates"),
        (b"<html>", "0 certificates"),
        (certificate * 17, "17 certificates"),
        (server_pem.read_bytes(), "no certificates"),
        (certificate[:-30], "no certificates"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nA=A\n-----END CERTIFICATE-----\n", "cannot be read"),
    ):
        with pytest.raises(Retryable, match=said):
            CertificateChain.read(reply(body))


def test_alternates_are_bounded(certificate: bytes) -> None:
    link = ",".join(f'</{number}>;rel="alternate"' for number in range(500))
    assert len(CertificateChain.read(reply(certificate, Link=link)).alternates) == 16
