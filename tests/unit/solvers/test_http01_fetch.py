import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.solvers.http01.check.fetch import MAX_BODY, Failure, Fault, Page, Request, fetch
from unit.solvers.fake_web import FakeWeb, full, page, self_signed

HERE = "127.8.0.1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def web(certificate: Path) -> Iterator[FakeWeb]:
    with FakeWeb(certificate) as made:
        yield made


def get(
    web: FakeWeb, address: str = HERE, *, total: float = 20, host: str = "www.example.com", tls: bool = False
) -> Page | Failure:
    port = web.ports.https if tls else web.ports.http
    return fetch(Request(address, port, host, "/a?b=c", tls, {"X-More": "1"}), connect=10, total=total)


def test_what_is_asked_and_what_comes(web: FakeWeb) -> None:
    web.serve(HERE, page(200, "token.thumb", kind="Text/Plain; charset=utf-8"))
    assert get(web) == Page(200, "text/plain", b"token.thumb")
    (asked,) = web.asked
    assert (asked.host, asked.target, asked.headers["x-more"]) == ("www.example.com", "/a?b=c", "1")
    assert asked.headers["accept"] == "*/*"
    assert asked.headers["user-agent"].startswith("certwright/")
    assert not {"cookie", "authorization", "proxy-authorization"} & set(asked.headers)


def test_no_redirect_is_followed_here(web: FakeWeb) -> None:
    web.serve(HERE, page(301, location="http://elsewhere.example/"))
    assert get(web) == Page(301, location="http://elsewhere.example/")
    assert len(web.asked) == 1


def test_any_certificate_will_do_and_the_name_goes_along(web: FakeWeb) -> None:
    web.serve(HERE, page(200, "x"), tls=True)
    assert get(web, tls=True) == Page(200, body=b"x")
    assert web.asked[0].sni == "www.example.com"


def test_tls_to_an_address_names_nobody(web: FakeWeb) -> None:
    web.serve("::1", page(200, "x"), tls=True)
    assert get(web, "::1", host="[::1]", tls=True) == Page(200, body=b"x")
    assert (web.asked[0].host, web.asked[0].sni) == ("[::1]", "")


def test_proxies_of_the_environment_are_not_asked(web: FakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serve(HERE, page(200, "direct"))
    web.serve("127.8.0.2", page(200, "by the proxy"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.8.0.2:{web.ports.http}")
    assert get(web) == Page(200, body=b"direct")


def test_a_huge_body_is_read_no_further(web: FakeWeb) -> None:
    sent = []

    def endless(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                sent.append(sock.send(b"x" * 65536))

    web.serve(HERE, lambda _: endless)
    answer = get(web)
    assert isinstance(answer, Page)
    assert len(answer.body) == MAX_BODY + 1


def test_a_body_in_chunks(web: FakeWeb) -> None:
    web.serve(HERE, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert get(web) == Page(200, body=b"abc")


def test_a_compressed_body_is_not_opened(web: FakeWeb) -> None:
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    web.serve(HERE, bomb)
    assert get(web) == Page(200, body=b"\x1f\x8b\x08")


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"])
def test_a_slow_drip_ends_in_time(web: FakeWeb, start: bytes) -> None:
    def drip(sock: socket.socket) -> None:
        sock.sendall(start)
        while not web.over.wait(0.02):
            sock.sendall(b"x")

    web.serve(HERE, lambda _: drip)
    assert get(web, total=0.5) == Failure(Fault.TIMEOUT, connected=True)


def test_headers_without_end(web: FakeWeb) -> None:
    def many(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(b"X-A: " + b"y" * 1000 + b"\r\n")

    web.serve(HERE, lambda _: many)
    assert get(web) == Failure(Fault.MALFORMED, connected=True)


def test_a_silent_tls_server_ends_in_time(web: FakeWeb) -> None:
    with socket.create_server((HERE, web.ports.https)):
        assert get(web, tls=True, total=0.4) == Failure(Fault.TIMEOUT, connected=True)


def test_nobody_listens(web: FakeWeb) -> None:
    assert get(web) == Failure(Fault.REFUSED, connected=False)


def test_nobody_accepts(web: FakeWeb) -> None:
    with full(HERE, web.ports.http):
        assert get(web, total=0.4) == Failure(Fault.TIMEOUT, connected=False)


def test_no_route(web: FakeWeb) -> None:
    """Linux sends no TCP to a broadcast address, and says so as it does where a route lacks."""
    assert get(web, "255.255.255.255") == Failure(Fault.NO_ROUTE, connected=False)


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"", Fault.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\ntoken", Fault.CLOSED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n90\r\ntoken", Fault.CLOSED),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Fault.CLOSED),
    ],
)
def test_answers_that_are_none(web: FakeWeb, sent: bytes, fault: Fault) -> None:
    web.serve(HERE, sent)
    assert get(web) == Failure(fault, connected=True)


def test_a_port_that_speaks_no_tls(web: FakeWeb) -> None:
    with socket.create_server((HERE, web.ports.https)) as listener:

        def plain() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10)
                connection.sendall(page(400, "this is a plain HTTP port"))

        thread = threading.Thread(target=plain)
        thread.start()
        assert get(web, tls=True) == Failure(Fault.NO_TLS, connected=True)
        thread.join()


@pytest.mark.parametrize("kind", ["text/html<script>", "x" * 90, "text", "\x01/\x02"])
def test_media_types_that_are_none_are_left_out(web: FakeWeb, kind: str) -> None:
    web.serve(HERE, page(200, "x", kind=kind))
    assert get(web) == Page(200, body=b"x")


def test_a_location_without_end_is_left_out(web: FakeWeb) -> None:
    web.serve(HERE, page(302, location="http://x.example/" + "y" * 3000))
    assert get(web) == Page(302)


def test_a_body_is_never_shown(web: FakeWeb) -> None:
    web.serve(HERE, page(200, "secret page"))
    assert "secret" not in repr(get(web))
