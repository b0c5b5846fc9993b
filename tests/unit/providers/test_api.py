import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import api, http
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.credentials import Credential
from certwright.providers.guard import Guard
from unit.providers.fake_api import Answer, FakeApi, Request

SECRET = "s3cret-of-the-account"
FIELD = "spec.acme.solvers[0].dns01.provider.config.host"


class Echo(FakeApi):
    """Answers whatever `override` says, else nothing."""

    def routes(self) -> list[object]:  # type: ignore[override]
        return []

    def authorized(self, request: Request) -> bool:
        return "authorization" in request.headers

    def unknown(self) -> Answer:
        return Answer(200, {"ok": True})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_pauses", api._Pauses())


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as running:
        yield running


def client(url: str, guard: Guard = Guard(allow_loopback=True), **changes: object) -> Api:  # noqa: B008 - frozen
    settings: dict[str, object] = {
        "rights": "to write",
        "headers": {"Authorization": f"Bearer {SECRET}"},
        "credentials": (Credential(SECRET, "the entry token of Secret dns"),),
        "url_field": FIELD,
    }
    return Api(Endpoint("Vendor", url, **(settings | changes)), guard=guard)  # type: ignore[arg-type]


def test_what_is_sent(server: Echo) -> None:
    assert client(server.url).get("/a%2Fb/c", {"name": "x y", "none": None}) == {"ok": True}
    client(server.url).send("PATCH", "/d", body={"k": ["ü"]}, headers={"If-Match": "1"})
    first, second = server.requests
    assert (first.method, first.path, first.query) == ("GET", "/a%2Fb/c", {"name": "x y"})
    assert first.headers["authorization"] == f"Bearer {SECRET}"
    assert first.headers["user-agent"] == "certwright"
    assert (second.method, second.body, second.headers["if-match"]) == ("PATCH", {"k": ["ü"]}, "1")


def test_connections_are_kept(server: Echo) -> None:
    made = client(server.url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: made.get(f"/{number}"), range(40)))
    assert len(server.requests) == 40


@pytest.mark.parametrize(
    ("status", "kind", "reason", "words"),
    [
        (400, Terminal, "RequestRefused", r"^GET http://127.0.0.1:\d+/x: Vendor answers 400: bad thing$"),
        (401, Terminal, "CredentialsRefused", "wrong or have expired: check the entry token of Secret dns"),
        (403, Terminal, "NotAllowed", r"allow the credentials \(the entry token of Secret dns\) to write"),
        (404, Terminal, "RequestRefused", "404"),
        (408, Retryable, "ProviderUnavailable", "408"),
        (409, Retryable, "ProviderConflict", "409"),
        (412, Retryable, "ProviderConflict", "412"),
        (422, Terminal, "RequestRefused", "422"),
        (423, Retryable, "ProviderConflict", "423"),
        (500, Retryable, "ProviderUnavailable", "500"),
        (503, Retryable, "ProviderUnavailable", "503"),
    ],
)
def test_statuses(server: Echo, status: int, kind: type[Terminal], reason: str, words: str) -> None:
    server.override = lambda _: Answer(status, {"message": "bad thing"})
    with pytest.raises(kind, match=words) as caught:
        client(server.url).get("/x", {"token": "in the query"})
    assert caught.value.reason == reason
    assert "in the query" not in caught.value.message


def test_a_status_that_the_caller_judges(server: Echo) -> None:
    server.override = lambda _: Answer(404, {"message": "none"})
    assert client(server.url).send("GET", "/x", allow={404}).status == 404


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), (None, 60), ("nonsense", 60), ("999999999", 86400), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_throttling(server: Echo, monkeypatch: pytest.MonkeyPatch, header: str | None, seconds: int) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr(api, "_now", lambda: now)
    server.override = lambda _: Answer(429, {}, {"Retry-After": header} if header else {})
    with pytest.raises(Throttled) as caught:
        client(server.url).get("/x")
    assert caught.value.until == now + timedelta(seconds=seconds)


def test_retry_after_as_a_date(server: Echo) -> None:
    there = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=90)
    server.override = lambda _: Answer(503, {}, {"Retry-After": format_datetime(there, usegmt=True)})
    with pytest.raises(Retryable) as caught:
        client(server.url).get("/x")
    assert caught.value.after == pytest.approx(90, abs=3)


def test_accounts_are_throttled_each_for_itself(server: Echo) -> None:
    server.throttled = True
    with pytest.raises(Throttled):
        client(server.url).get("/x")
    server.throttled = False
    other = client(server.url, credentials=(Credential("other", "elsewhere"),))
    assert other.get("/x") == {"ok": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"errors": [{"code": 7, "message": "first", "error_chain": [{"message": "second"}]}]}, ": first; second"),
        ({"error": {"code": "x", "message": "inner"}}, ": x; inner"),
        ({"ttl": ["too small"]}, ": too small"),
        ([{}, {"records": ["no quotes"]}], ": no quotes"),
        ({"code": 400, "errors": [{"location": "body", "name": "ttl", "description": "min"}]}, ": body; ttl; min"),
        ("plain text\n of a server", ": plain text of a server"),
        ("<html><h1>Bad gateway</h1>", ""),
        ({"message": "l" * 500}, ": " + "l" * 200 + "…"),
        ({"message": f"the token {SECRET} is bad"}, ": the token [redacted] is bad"),
        ({"message": "a\x1b[31m\nb"}, ": a [31m b"),
        (None, ""),
        ("null", ""),
    ],
)
def test_the_apis_own_words(server: Echo, body: object, words: str) -> None:
    server.override = lambda _: Answer(400, body)
    with pytest.raises(Terminal) as caught:
        client(server.url).get("/x")
    assert caught.value.message.partition("answers 400")[2] == words


def test_redirects_within_the_host_are_followed_by_get_only(server: Echo) -> None:
    server.override = lambda request: Answer(301, None, {"Location": "/new"}) if request.path == "/old" else None
    assert client(server.url).get("/old") == {"ok": True}
    with pytest.raises(
        Terminal, match=r"answers 301; the redirect to http://127\.0\.0\.1:\d+ is not followed: correct "
    ):
        client(server.url).send("POST", "/old", body={})
    assert [request.method for request in server.requests] == ["GET", "GET", "POST"]


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest", "https://127.0.0.1/", "//other.example/x", "", "https://[::1", "http://a b"],
)
def test_redirects_to_elsewhere_are_not(server: Echo, target: str) -> None:
    server.override = lambda _: Answer(302, None, {"Location": target})
    with pytest.raises(Terminal, match="is not followed"):
        client(server.url).get("/x")


def test_a_loop_of_redirects_ends(server: Echo) -> None:
    server.override = lambda _: Answer(307, None, {"Location": "/x"})
    with pytest.raises(Terminal, match="is not followed"):
        client(server.url).get("/x")
    assert len(server.requests) == api.MAX_REDIRECTS


def test_pages(server: Echo) -> None:
    server.override = lambda request: Answer(200, [int(request.query.get("page", 1))])

    def following(reply: Reply) -> dict[str, object] | None:
        (page,) = reply.json()
        return {"page": page + 1} if page < 3 else None

    assert list(client(server.url).pages("/x", {"a": "b"}, following=following)) == [[1], [2], [3]]
    assert all(request.query["a"] == "b" for request in server.requests)
    with pytest.raises(Terminal, match="more than 200 pages"):
        list(client(server.url).pages("/x", {}, following=lambda _: {"page": 1}))


@pytest.mark.parametrize("url", ["http://api.example", "ftp://x", "api.example", "https://", ""])
def test_a_vendors_url_is_https(url: str) -> None:
    with pytest.raises(InvalidSpec, match="is not an https:// URL"):
        client(url, url_field="")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw@x/",
        "https://x/?a=b",
        "https://x/#f",
        "ftp://x",
        "https://[::1",
        "https://x:0",
        "https://x:y",
        "https://a b",
    ],
)
def test_a_tenants_url(url: str) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.host") as caught:
        client(url)
    assert "pw" not in caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]"])
def test_addresses_that_a_tenant_must_not_reach(server: Echo, host: str) -> None:
    port = server.url.rpartition(":")[2]
    for scheme in ("http", "https"):
        with pytest.raises(InvalidSpec, match=r"config\.host: the host .* is not connected to") as caught:
            client(f"{scheme}://{host}:{port}", Guard()).get("/")
        assert caught.value.reason == "AddressRefused"
    assert not server.requests


def test_nor_through_a_proxy(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_environment_proxies", lambda _: {"http": server.url})
    with pytest.raises(InvalidSpec, match="is not connected to"):
        client("http://169.254.169.254", Guard()).get("/latest")
    # What does not resolve here is the proxy's affair.
    assert client("http://only-the-proxy-knows.invalid", Guard()).get("/x") == {"ok": True}
    assert server.requests[0].path.endswith("/x")


def test_no_bundle_of_the_environment_counts(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nonexistent")
    assert client(server.url).get("/x") == {"ok": True}


def serve(reply: Callable[[socket.socket], None]) -> str:
    """One connection, answered as told; the URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                reply(connection)

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_reply_that_is_too_long() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    url = serve(lambda connection: connection.sendall(head + b"x" * (http.MAX_BODY + 70_000)))
    with pytest.raises(Retryable, match="longer than 1048576 bytes"):
        client(url).get("/x")


def test_a_reply_that_is_cut_short() -> None:
    url = serve(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"))
    with pytest.raises(Retryable, match=r"GET http://127\.0\.0\.1:\d+/x: .*; check spec.*config\.host and the network"):
        client(url).get("/x")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_a_server_that_dribbles_meets_the_deadline(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.4)

    def dribble(connection: socket.socket) -> None:
        connection.sendall(head or b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(40):
            time.sleep(0.05)
            try:
                connection.sendall(b"x")
            except OSError:
                return

    started = time.monotonic()
    with pytest.raises(Retryable, match="no whole reply in time"):
        client(serve(dribble)).get("/x")
    assert time.monotonic() - started < 1.5


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Retryable, match="the connection is refused"):
        client(f"http://127.0.0.1:{port}").get("/x")
    with pytest.raises(Retryable, match="the host name does not resolve"):
        client("https://nowhere.invalid").get("/x")


def test_a_server_without_tls(server: Echo) -> None:
    with pytest.raises(Retryable, match=r"the server does not speak TLS|connection was cut"):
        client(server.url.replace("http:", "https:")).get("/x")


def test_a_bundle_that_is_none(server: Echo) -> None:
    with pytest.raises(InvalidSpec, match="caBundle: is not a list of certificates"):
        client(server.url, ca_bundle="nonsense").get("/x")
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context(cadata="nonsense")
