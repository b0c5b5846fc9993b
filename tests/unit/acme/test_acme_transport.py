"""The transport against servers that misbehave in every way seen so far."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from odd_server import OddServer, Script, reply

from certwright.acme.transport import MAX_BODY, RequestDone, Transport
from certwright.errors import InvalidSpec, Retryable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def transport_for(ca_bundle: bytes | None, **settings: Any) -> Iterator[Transport]:
    transport = Transport(ca_bundle_pem=ca_bundle, **settings)
    try:
        yield transport
    finally:
        transport.close()


@pytest.fixture
def transport(ca_bundle: bytes) -> Iterator[Transport]:
    with transport_for(ca_bundle, timeout=(2, 2), total=0.6, user_agent="certwright/test") as made:
        yield made


def drip(head: bytes) -> Script:
    def script(connection: ssl.SSLSocket, stopping: threading.Event) -> None:
        connection.sendall(head)
        while not stopping.wait(0.05):
            connection.sendall(b"x")

    return script


def test_a_reply_is_handed_over_whole(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(
        201, b"body", Location="/b", Retry_After="7", Link='<https://x.example/1>;rel="alternate"'
    )
    got = transport.post(server.url("/a"), b"{}", kind="newOrder", accept="application/x")
    assert (got.status, got.ok, got.body, got.retry_after) == (201, True, b"body", 7.0)
    assert got.location == server.url("/b")
    assert got.links("alternate") == ("https://x.example/1",)
    sent = server.requests[0]
    assert sent.startswith(b"POST /a HTTP/1.1\r\n")
    assert sent.endswith(b"\r\n\r\n{}")
    for line in (
        b"Content-Type: application/jose+json",
        b"Accept: application/x",
        b"User-Agent: certwright/test",
        b"Content-Length: 2",
        b"Accept-Encoding: identity",
    ):
        assert line in sent


def test_one_connection_serves_many_requests(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(400, b"{}")
    server.scripts["/chunked"] = lambda connection, _: connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    for _ in range(5):
        transport.post(server.url("/a"), b"{}", kind="order")
        assert transport.get(server.url("/chunked"), kind="directory").body == b"hi"
        transport.head(server.url("/a?"), kind="newNonce")
    assert server.connections == 1


def test_a_connection_the_server_closed_meanwhile_is_replaced(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(200, b"ok", close=True)
    for _ in range(3):
        assert transport.post(server.url("/a"), b"{}", kind="order").body == b"ok"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 ",
    ],
    ids=["body", "chunk", "endless", "header", "status line"],
)
def test_a_slow_drip_does_not_hold_a_thread(server: OddServer, transport: Transport, head: bytes) -> None:
    server.scripts["/a"] = drip(head)
    started = time.monotonic()
    with pytest.raises(Retryable, match="no whole reply in time") as caught:
        transport.get(server.url("/a"), kind="directory")
    assert caught.value.reason == "Timeout"
    assert 0.5 < time.monotonic() - started < 2


def test_the_deadline_is_each_request_s_own(server: OddServer, transport: Transport) -> None:
    server.scripts["/slow"] = drip(b"HTTP/1.1 ")
    server.scripts["/a"] = reply(200, b"ok")
    with pytest.raises(Retryable):
        transport.get(server.url("/slow"), kind="directory")
    assert transport.get(server.url("/a"), kind="directory").body == b"ok"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_huge_body_is_not_read(server: OddServer, transport: Transport, *, chunked: bool) -> None:
    def script(connection: ssl.SSLSocket, stopping: threading.Event) -> None:
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 99999999999"
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        while not stopping.is_set():
            connection.sendall((b"10000\r\n" if chunked else b"") + b"x" * 65536 + (b"\r\n" if chunked else b""))

    server.scripts["/a"] = script
    with pytest.raises(Retryable, match=f"longer than {MAX_BODY} bytes"):
        transport.get(server.url("/a"), kind="directory")


def test_a_body_of_the_greatest_length_is_read(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(200, b"x" * MAX_BODY)
    assert len(transport.get(server.url("/a"), kind="directory").body) == MAX_BODY


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["nothing", "in the body", "in a chunk", "other protocol"],
)
def test_a_cut_connection_is_retryable(server: OddServer, transport: Transport, sent: bytes) -> None:
    def script(connection: ssl.SSLSocket, _: threading.Event) -> None:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    server.scripts["/a"] = script
    with pytest.raises(Retryable) as caught:
        transport.post(server.url("/a"), b"{}", kind="newOrder")
    assert caught.value.reason == "ConnectionLost"
    assert len(server.requests) == 1, "a POST is never sent twice by itself"


def test_redirects_of_a_get_are_followed_three_times(server: OddServer, transport: Transport) -> None:
    for step in range(4):
        server.scripts[f"/{step}"] = reply(302, Location=f"/{step + 1}")
    server.scripts["/4"] = reply(200, b"end")
    assert transport.get(server.url("/2"), kind="directory").body == b"end"
    with pytest.raises(Retryable, match="more than 3 times"):
        transport.get(server.url("/0"), kind="directory")


def test_a_redirect_to_http_is_refused(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(301, Location=f"http://localhost:{server.port}/b")
    with pytest.raises(Retryable, match="away from https"):
        transport.get(server.url("/a"), kind="directory")


def test_a_redirect_of_a_post_is_not_followed(server: OddServer, transport: Transport) -> None:
    server.scripts["/a"] = reply(307, Location="/b")
    assert transport.post(server.url("/a"), b"{}", kind="newOrder").status == 307
    assert len(server.requests) == 1


def test_a_server_that_is_not_trusted(server: OddServer) -> None:
    with transport_for(None) as transport, pytest.raises(Retryable, match="caBundle") as caught:
        transport.get(server.url("/"), kind="directory")
    assert caught.value.reason == "ServerUntrusted"
    assert server.url("/") in caught.value.message


def test_verification_can_be_switched_off(server: OddServer) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    with transport_for(None, skip_tls_verify=True) as transport:
        assert transport.get(server.url("/a"), kind="directory").body == b"ok"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_does_not_overrule_the_bundle(
    server: OddServer, server_pem: Path, ca_bundle: bytes, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    monkeypatch.setenv(variable, "/nowhere")
    with transport_for(ca_bundle) as transport:
        assert transport.get(server.url("/a"), kind="directory").body == b"ok"
    monkeypatch.setenv(variable, str(server_pem))
    with transport_for(None) as transport, pytest.raises(Retryable, match="not trusted"):
        transport.get(server.url("/a"), kind="directory")


def test_a_bundle_is_all_that_is_trusted(server: OddServer, ca_bundle: bytes) -> None:
    decoy = ca_bundle[: ca_bundle.index(b"-----END") + len(b"-----END CERTIFICATE-----\n")]
    with transport_for(decoy) as transport, pytest.raises(Retryable, match="not trusted"):
        transport.get(server.url("/a"), kind="directory")


@pytest.mark.parametrize(
    "bundle",
    [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ä".encode()],
    ids=["empty", "nonsense", "not a certificate", "not ASCII"],
)
def test_a_bad_bundle_names_its_field(bundle: bytes) -> None:
    with pytest.raises(InvalidSpec, match="caBundle"):
        Transport(ca_bundle_pem=bundle)


def test_the_server_name_is_asked_for_and_verified(server: OddServer, ca_bundle: bytes) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    with transport_for(ca_bundle) as transport:
        assert transport.get(f"https://127.0.0.1:{server.port}/a", kind="directory").ok
    with transport_for(ca_bundle, server_name="localhost") as transport:
        assert transport.get(f"https://127.0.0.1:{server.port}/a", kind="directory").ok
    with transport_for(ca_bundle, server_name="other.example") as transport:
        with pytest.raises(Retryable, match=r"other\.example") as caught:
            transport.get(server.url("/a"), kind="directory")
        assert caught.value.reason == "ServerUntrusted"


def test_a_name_that_does_not_resolve(transport: Transport) -> None:
    with pytest.raises(Retryable, match="does not resolve") as caught:
        transport.get("https://acme.invalid/directory", kind="directory")
    assert caught.value.reason == "ServerUnknown"


def test_a_port_nobody_listens_on(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Retryable, match="refused") as caught:
        transport.get(f"https://localhost:{port}/", kind="directory")
    assert caught.value.reason == "ConnectionRefused"


def test_a_server_that_does_not_speak_tls(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 plain text here\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Retryable) as caught:
            transport.get(f"https://localhost:{listener.getsockname()[1]}/", kind="directory")
        thread.join()
    assert caught.value.reason in {"TLSFailed", "ConnectionLost"}


def test_a_server_that_accepts_and_says_nothing(ca_bundle: bytes) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        transport_for(ca_bundle, timeout=(0.2, 0.2)) as transport,
        pytest.raises(Retryable) as caught,
    ):
        transport.get(f"https://localhost:{listener.getsockname()[1]}/", kind="directory")
    assert caught.value.reason == "Timeout"


@pytest.mark.parametrize("url", ["http://localhost/", "ftp://localhost/", "nonsense", "data:text/plain,x", ""])
def test_only_https_is_spoken(transport: Transport, url: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.acme\.server"):
        transport.get(url, kind="directory")


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://[::1/",
        "https://a b/",
        "https://host:port/",
        "https://.ä..x/",
        "https://localhost/a b",
        "https://localhost/a\r\nX: y",
    ],
)
def test_a_broken_url_is_a_fault_of_ours(transport: Transport, url: str) -> None:
    with pytest.raises((InvalidSpec, Retryable), match="https"):
        transport.get(url, kind="directory")


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, ca_bundle: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with transport_for(ca_bundle) as transport, pytest.raises(Retryable, match="proxy") as caught:
            transport.get("https://acme.example/directory", kind="directory")
        thread.join()
    assert asked[0].startswith(b"CONNECT acme.example:443 ")
    assert caught.value.reason == "ProxyFailed"


def test_no_proxy_is_obeyed(server: OddServer, monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert transport.get(server.url("/a"), kind="directory").body == b"ok"


def test_each_request_is_reported_after_its_effect(server: OddServer, ca_bundle: bytes) -> None:
    done: list[RequestDone] = []
    server.scripts["/a"] = reply(409)
    with transport_for(ca_bundle, on_request=done.append) as transport:
        transport.post(server.url("/a"), b"{}", kind="newOrder")
        with pytest.raises(Retryable):
            transport.get("https://acme.invalid/", kind="directory")
    assert [(one.method, one.kind, one.status) for one in done] == [
        ("POST", "newOrder", 409),
        ("GET", "directory", None),
    ]
    assert done[0].url == server.url("/a")
    assert 0 < done[0].seconds < 5


def test_plain_http_only_where_it_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        with transport_for(None, allow_http=True) as transport:
            url = f"http://localhost:{listener.getsockname()[1]}/"
            assert transport.get(url, kind="directory").body == b"ok"
        thread.join()


def test_many_threads_share_one_transport(server: OddServer, ca_bundle: bytes) -> None:
    server.scripts["/a"] = reply(200, b"ok")
    bodies: list[bytes] = []
    with transport_for(ca_bundle, pool_size=4) as transport:

        def work() -> None:
            bodies.extend(transport.post(server.url("/a"), b"{}", kind="order").body for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bodies == [b"ok"] * 80
    assert server.connections <= 4


def test_what_is_not_sent_is_not_reported(ca_bundle: bytes) -> None:
    done: list[RequestDone] = []
    with transport_for(ca_bundle, on_request=done.append) as transport, pytest.raises(InvalidSpec):
        transport.get("http://localhost/", kind="directory")
    assert done == []
