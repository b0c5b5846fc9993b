"""The client against a server played by the test, reply by reply."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from certwright.acme.authorization import Challenge
from certwright.acme.client import MAX_NONCE_TRIES, AcmeClient
from certwright.acme.jws import AccountKey, ExternalAccountBinding
from certwright.acme.order import Order
from certwright.acme.problem_types import URN, AccountDoesNotExist, AlreadyReplaced, Gone
from certwright.acme.transport import Reply, Transport
from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "https://ca.example"
ACCOUNT = f"{BASE}/acct/1"
DIRECTORY = {"newNonce": f"{BASE}/nonce", "newAccount": f"{BASE}/account", "newOrder": f"{BASE}/order"}


class PlayedServer:
    """Stands in for the transport; replies to a POST come from a list, or from `default` when that is empty."""

    allow_http = False

    def __init__(self) -> None:
        self.replies: list[Reply | Exception] = []
        self.default: Reply | None = None
        self.asked: list[tuple[str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.nonce = 0
        self.with_nonces = True
        self.directory: Reply | Exception = made(200, DIRECTORY)
        self.before_directory: Callable[[], None] = lambda: None

    def get(self, url: str, *, kind: str) -> Reply:
        self.asked.append((kind, url))
        self.before_directory()
        return self._give(self.directory)

    def head(self, url: str, *, kind: str) -> Reply:
        self.asked.append((kind, url))
        return self._give(made(200, b""))

    def post(self, url: str, body: bytes, *, kind: str, accept: str | None = None) -> Reply:
        self.asked.append((kind, url))
        jws = json.loads(body)
        head, payload = (base64.urlsafe_b64decode(jws[part] + "==") for part in ("protected", "payload"))
        self.sent.append({**json.loads(head), "payload": json.loads(payload) if payload else None, "accept": accept})
        default = self.default
        return self._give(self.replies.pop(0) if self.replies or default is None else default)

    def _give(self, reply: Reply | Exception) -> Reply:
        if isinstance(reply, Exception):
            raise reply
        self.nonce += 1
        nonce = {"Replay-Nonce": f"n{self.nonce}"} if self.with_nonces else {}
        return Reply(reply.url, reply.status, {**nonce, **reply.headers}, reply.body, reply.retry_after)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.asked]


def made(status: int, body: Any, *, retry_after: float | None = None, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(f"{BASE}/it", status, headers, content, retry_after)


def refused(code: str, status: int = 400, **headers: str) -> Reply:
    return made(status, {"type": URN + code, "detail": "the CA's words"}, **headers)


def order_for(*names: str, status: str = "pending") -> dict[str, Any]:
    return {
        "status": status,
        "identifiers": [{"type": "dns", "value": name} for name in names],
        "authorizations": [f"{BASE}/authz/{name}" for name in names],
        "finalize": f"{BASE}/finalize/1",
    }


@pytest.fixture
def played() -> PlayedServer:
    return PlayedServer()


@pytest.fixture
def client(played: PlayedServer, account_key: AccountKey) -> AcmeClient:
    return client_of(played, account_key, account_url=ACCOUNT)


def client_of(played: PlayedServer, key: AccountKey, **settings: Any) -> AcmeClient:
    return AcmeClient(directory_url=f"{BASE}/dir", key=key, transport=cast("Transport", played), **settings)


def test_an_order_says_what_was_asked_for(played: PlayedServer, client: AcmeClient) -> None:
    played.replies = [made(201, order_for("a.example", "*.a.example"), retry_after=3.0, Location="/order/1")]
    order = client.new_order(
        ["A.example", "*.a.example", "a.example"],
        not_before=datetime(2026, 3, 1, tzinfo=UTC),
        not_after=datetime(2026, 4, 1, 2, tzinfo=UTC),
        profile="short",
        replaces="aki.serial",
    )
    assert (order.url, order.retry_after) == (f"{BASE}/order/1", 3.0)
    assert played.kinds == ["directory", "newNonce", "newOrder"]
    (sent,) = played.sent
    assert (sent["kid"], sent["url"], sent["nonce"]) == (ACCOUNT, DIRECTORY["newOrder"], "n2")
    assert sent["payload"] == {
        "identifiers": [{"type": "dns", "value": "a.example"}, {"type": "dns", "value": "*.a.example"}],
        "notBefore": "2026-03-01T00:00:00Z",
        "notAfter": "2026-04-01T02:00:00Z",
        "profile": "short",
        "replaces": "aki.serial",
    }


def test_an_order_with_a_name_nobody_asked_for_is_refused(played: PlayedServer, client: AcmeClient) -> None:
    played.replies = [made(201, order_for("a.example", "evil.example"), Location="/order/1")]
    with pytest.raises(Terminal, match=r"evil\.example"):
        client.new_order(["a.example"])


def test_nonces_come_from_the_last_reply(played: PlayedServer, client: AcmeClient) -> None:
    played.default = made(200, order_for("a.example"))
    for _ in range(5):
        client.order(f"{BASE}/order/1")
    assert Counter(played.kinds) == {"directory": 1, "newNonce": 1, "order": 5}
    assert [sent["nonce"] for sent in played.sent] == ["n2", "n3", "n4", "n5", "n6"]
    assert all(sent["payload"] is None for sent in played.sent)


def test_a_refusal_brings_the_next_nonce(played: PlayedServer, client: AcmeClient) -> None:
    played.replies = [refused("rejectedIdentifier", 403), made(200, order_for("a.example"))]
    with pytest.raises(ChallengeFailed):
        client.new_order(["a.example"])
    client.order(f"{BASE}/order/1")
    assert [sent["nonce"] for sent in played.sent] == ["n2", "n3"]


@pytest.mark.parametrize("times", [1, 3, MAX_NONCE_TRIES - 1])
def test_refused_nonces_are_answered_at_once_with_those_they_bring(
    played: PlayedServer, client: AcmeClient, times: int
) -> None:
    played.replies = [*[refused("badNonce")] * times, made(200, order_for("a.example"))]
    client.order(f"{BASE}/order/1")
    assert [sent["nonce"] for sent in played.sent] == [f"n{number}" for number in range(2, times + 3)]
    assert played.kinds.count("newNonce") == 1


def test_a_server_that_refuses_every_nonce_is_left(played: PlayedServer, client: AcmeClient) -> None:
    played.default = refused("badNonce")
    with pytest.raises(Retryable) as caught:
        client.order(f"{BASE}/order/1")
    assert caught.value.reason == "BadNonce"
    assert len(played.sent) == MAX_NONCE_TRIES


def test_slow_refusals_of_nonces_end_too(
    played: PlayedServer, client: AcmeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certwright.acme.client.MAX_NONCE_SECONDS", -1.0)
    played.default = refused("badNonce")
    with pytest.raises(Retryable, match="nonce"):
        client.order(f"{BASE}/order/1")
    assert len(played.sent) == 1


def test_a_reply_without_a_nonce_costs_a_request(played: PlayedServer, client: AcmeClient) -> None:
    played.default = made(200, order_for("a.example"), **{"Replay-Nonce": "not a nonce"})
    for _ in range(2):
        client.order(f"{BASE}/order/1")
    assert played.kinds == ["directory", "newNonce", "order", "newNonce", "order"]


def test_a_server_that_gives_no_nonce(played: PlayedServer, client: AcmeClient) -> None:
    played.with_nonces = False
    with pytest.raises(Retryable, match="Replay-Nonce") as caught:
        client.order(f"{BASE}/order/1")
    assert caught.value.reason == "MalformedReply"


def test_a_lost_reply_is_not_sent_for_again(played: PlayedServer, client: AcmeClient) -> None:
    played.replies = [Retryable("cut", reason="ConnectionLost")]
    with pytest.raises(Retryable):
        client.new_order(["a.example"])
    assert played.kinds.count("newOrder") == 1


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (refused("accountDoesNotExist"), AccountDoesNotExist),
        (refused("alreadyReplaced", 409), AlreadyReplaced),
        (refused("malformed", 404), Gone),
        (refused("rateLimited", 429), Throttled),
        (made(503, b"<html>"), Retryable),
        (made(302, b"", Location="/elsewhere"), Retryable),
        (made(200, b"<html>"), Retryable),
        (made(200, b'{"status": "pend'), Retryable),
    ],
)
def test_a_refusal_has_its_class(
    played: PlayedServer, client: AcmeClient, reply: Reply, fault: type[CertwrightError]
) -> None:
    played.replies = [reply]
    with pytest.raises(fault) as caught:
        client.order(f"{BASE}/order/1")
    assert type(caught.value) is fault


def test_a_limit_counts_from_the_client_s_clock(played: PlayedServer, account_key: AccountKey) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    client = client_of(played, account_key, account_url=ACCOUNT, clock=lambda: now)
    played.replies = [made(429, {"type": URN + "rateLimited"}, retry_after=90.0)]
    with pytest.raises(Throttled) as caught:
        client.new_order(["a.example"])
    assert caught.value.until == now + timedelta(seconds=90)


def test_an_account_is_registered(played: PlayedServer, account_key: AccountKey) -> None:
    client = client_of(played, account_key)
    played.replies = [made(201, {"status": "valid"}, Location=ACCOUNT)]
    binding = ExternalAccountBinding("kid", b"key")
    account = client.register(contact=["mailto:a@b.example"], terms_agreed=True, eab=binding)
    assert (account.created, client.account_url) == (True, ACCOUNT)
    (sent,) = played.sent
    assert sent["jwk"] == account_key.jwk
    assert "kid" not in sent
    assert sent["payload"]["contact"] == ["mailto:a@b.example"]
    assert sent["payload"]["termsOfServiceAgreed"] is True
    assert sent["payload"]["externalAccountBinding"] == binding.sign(account_key.jwk, url=DIRECTORY["newAccount"])
    assert "onlyReturnExisting" not in sent["payload"]


def test_an_account_is_looked_for(played: PlayedServer, account_key: AccountKey) -> None:
    client = client_of(played, account_key)
    played.replies = [refused("accountDoesNotExist")]
    with pytest.raises(AccountDoesNotExist):
        client.register(only_existing=True)
    assert played.sent[0]["payload"] == {"onlyReturnExisting": True}


@pytest.mark.parametrize(
    ("reply", "fault", "said"),
    [
        (made(200, {"status": "deactivated"}, Location=ACCOUNT), Terminal, "deactivated"),
        (made(201, {"status": "valid"}), Retryable, "Location"),
        (refused("unauthorized", 403), Terminal, "externalAccountBinding: the CA's words"),
        (refused("malformed", 400), Terminal, "refuses the account"),
        (refused("externalAccountRequired", 403), InvalidSpec, "externalAccountBinding"),
        (refused("invalidContact", 400), InvalidSpec, r"spec\.acme\.email"),
    ],
)
def test_an_account_that_is_refused(
    played: PlayedServer, account_key: AccountKey, reply: Reply, fault: type[CertwrightError], said: str
) -> None:
    client = client_of(played, account_key)
    played.replies = [reply]
    with pytest.raises(fault, match=said):
        client.register()
    assert client.account_url is None


def test_nothing_is_asked_before_there_is_an_account(played: PlayedServer, account_key: AccountKey) -> None:
    client = client_of(played, account_key)
    with pytest.raises(AccountDoesNotExist):
        client.order(f"{BASE}/order/1")
    with pytest.raises(AccountDoesNotExist):
        client.account()
    assert played.asked == []


def test_an_account_is_read_and_changed(played: PlayedServer, client: AcmeClient) -> None:
    played.default = made(200, {"status": "valid", "contact": ["mailto:b@b.example"]})
    assert client.account().contact == ("mailto:b@b.example",)
    assert client.update_contact(["mailto:b@b.example"]).url == ACCOUNT
    assert [sent["payload"] for sent in played.sent] == [None, {"contact": ["mailto:b@b.example"]}]


def test_the_other_requests(played: PlayedServer, client: AcmeClient, server_pem: Any) -> None:
    order = Order.read(made(200, order_for("a.example", status="ready")), url=f"{BASE}/order/1")
    challenge = {"type": "dns-01", "url": f"{BASE}/c/1", "status": "processing", "token": "t"}
    pem = server_pem.read_bytes().partition(b"-----BEGIN PRIVATE")[0]
    gone = {"status": "deactivated", "identifier": {"type": "dns", "value": "a.example"}}
    played.replies = [
        made(200, challenge, retry_after=3.0),
        made(200, gone),
        made(200, order_for("a.example", status="processing")),
        made(200, pem, Link='</alt>;rel="alternate"'),
    ]
    accepted = client.accept(Challenge("dns-01", f"{BASE}/c/1", "pending", "t"))
    assert (accepted.status, accepted.retry_after) == ("processing", 3.0)
    assert client.deactivate_authorization(f"{BASE}/authz/1").status == "deactivated"
    finalized = client.finalize(order, b"\xff\xfe")
    assert (finalized.url, finalized.status) == (order.url, "processing")
    chain = client.certificate(f"{BASE}/cert/1")
    assert (chain.pem, chain.alternates) == (pem, (f"{BASE}/alt",))
    assert [sent["payload"] for sent in played.sent] == [{}, {"status": "deactivated"}, {"csr": "__4"}, None]
    assert played.sent[-1]["accept"] == "application/pem-certificate-chain"


@pytest.mark.parametrize("threads", [0, 3])
def test_authorizations_are_read_in_order(played: PlayedServer, client: AcmeClient, threads: int) -> None:
    played.default = made(200, {"status": "pending", "identifier": {"type": "dns", "value": "a.example"}})
    urls = [f"{BASE}/authz/{number}" for number in range(5)]
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            found = client.authorizations(urls, executor=executor)
    else:
        found = client.authorizations(urls)
    assert len(found) == 5
    assert sorted(url for kind, url in played.asked if kind == "authorization") == urls


def test_the_directory_is_read_once_and_again_when_it_is_old(played: PlayedServer, account_key: AccountKey) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    client = client_of(played, account_key, clock=lambda: now)
    assert client.directory() is client.directory()
    now += timedelta(hours=7)
    played.directory = made(200, {**DIRECTORY, "newOrder": f"{BASE}/moved"})
    assert client.directory().new_order == f"{BASE}/moved"
    now += timedelta(hours=7)
    played.directory = Retryable("away")
    assert client.directory().new_order == f"{BASE}/moved"
    assert len(played.asked) == 3


def test_threads_share_one_reading_of_the_directory_and_its_failure(
    played: PlayedServer, account_key: AccountKey
) -> None:
    client = client_of(played, account_key)
    entered, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert may_go.wait(10)

    played.before_directory = hold
    played.directory = Retryable("away")
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(client.directory)
        assert entered.wait(10)
        others = [threads.submit(client.directory) for _ in range(3)]
        while not all(one.running() for one in others):
            pass
        threading.Event().wait(0.05)  # each is at the lock now
        may_go.set()
        assert all(isinstance(one.exception(), Retryable) for one in (first, *others))
    assert len(played.asked) == 1
    played.directory = made(200, DIRECTORY)
    assert client.directory().new_order == DIRECTORY["newOrder"]


def test_a_server_that_cannot_be_one_is_refused_at_once(played: PlayedServer, account_key: AccountKey) -> None:
    with pytest.raises(InvalidSpec):
        AcmeClient(directory_url="nonsense", key=account_key, transport=cast("Transport", played))
