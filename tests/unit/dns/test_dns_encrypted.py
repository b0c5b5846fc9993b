"""Resolvers by DNS over TLS and over HTTPS, by real connections."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.name
import pytest
from dns.rdatatype import TXT, A

from certwright.dns import encrypted
from certwright.dns.propagation import Mode, Propagation, check
from certwright.dns.resolvers import Resolvers, Server
from certwright.dns.transport import Limits, hold
from certwright.dns.wire import Endpoint, Scheme
from certwright.dns.zone import Zones
from certwright.errors import Retryable
from certwright.resources.order import Record
from unit.dns.fake_dns import FakeDns
from unit.dns.secure_dns import SecureDns, certificate

WWW = dns.name.from_text("www.example.com.")
LIMITS = Limits(udp=0.4, tcp=0.4, tls=1.5, total=5)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = certificate(tmp_path, "127.0.0.1", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    encrypted._context.cache_clear()
    yield file
    encrypted._context.cache_clear()


@pytest.fixture(params=[False, True], ids=["tls", "https"])
def server(request: pytest.FixtureRequest, world: FakeDns, trusted: Path) -> Iterator[SecureDns]:
    with SecureDns(world, trusted, https=request.param) as running:
        running.https = request.param  # type: ignore[attr-defined]
        yield running


def setting(server: SecureDns, host: str = "127.0.0.1") -> str:
    https = server.https  # type: ignore[attr-defined]
    return f"https://{host}:{server.port}/dns-query" if https else f"tls://{host}:{server.port}"


def resolvers(*texts: str) -> Resolvers:
    return Resolvers([Server.of(text) for text in texts], limits=LIMITS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_answer(server: SecureDns, host: str) -> None:
    answer = resolvers(setting(server, host)).ask(WWW, A)
    assert answer.answer[0][0].address == "192.0.2.1"
    if server.https:  # type: ignore[attr-defined]
        assert server.requests == ["POST /dns-query HTTP/1.1"]


def test_a_long_answer(server: SecureDns, world: FakeDns) -> None:
    world.add_txt("many.example.com.", *(f"{number:03}" + "x" * 200 for number in range(200)))
    assert len(resolvers(setting(server)).ask(dns.name.from_text("many.example.com."), TXT).answer[0]) == 200


def test_a_whole_zone_is_found_by_few_connections(server: SecureDns, world: FakeDns) -> None:
    zone = Zones(resolvers(setting(server)), authoritative_port=world.port).find_zone("a.b.www.example.com")
    assert zone.name == "example.com."
    assert len(zone.addresses) == 2
    assert server.connections <= 3


def test_a_connection_that_the_server_closed_meanwhile(server: SecureDns, world: FakeDns) -> None:
    server.fault = "closes"
    assert Zones(resolvers(setting(server)), authoritative_port=world.port).find_zone("www.example.com").addresses
    assert server.connections > 3


def test_plain_and_encrypted_ones_side_by_side(server: SecureDns, world: FakeDns) -> None:
    name, value = "_acme-challenge.www.example.com.", "value"
    world.add_txt(name, value)
    both = resolvers(f"127.7.0.53:{world.port}", setting(server))
    zones = Zones(both, authoritative_port=world.port)
    (verdict,) = check([Record(name, "example.com.", "p", value)], zones, Propagation(mode=Mode.BOTH))
    assert verdict.summary == "4 of 4 addresses of the servers asked hold the record"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent", "no answer"),
        ("half", "connection refused"),
        ("liar", "a malformed answer"),
    ],
)
def test_what_may_go_wrong(server: SecureDns, fault: str, words: str) -> None:
    server.fault = fault
    with pytest.raises(Retryable, match=words) as caught:
        resolvers(setting(server)).ask(WWW, A)
    assert setting(server) in caught.value.message


@pytest.mark.parametrize("fault", ["status", "html", "endless"])
def test_what_is_no_dns(world: FakeDns, trusted: Path, fault: str) -> None:
    with SecureDns(world, trusted, https=True) as server:
        server.fault = fault
        started = time.monotonic()
        with pytest.raises(Retryable, match="a malformed answer"):
            resolvers(f"https://127.0.0.1:{server.port}/").ask(WWW, A)
        assert time.monotonic() - started < LIMITS.tls


def test_chunks(world: FakeDns, trusted: Path) -> None:
    with SecureDns(world, trusted, https=True) as server:
        server.fault = "chunked"
        assert resolvers(f"https://127.0.0.1:{server.port}").ask(WWW, A).answer


def test_a_certificate_for_another_name(world: FakeDns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certificate(tmp_path, "dns.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    encrypted._context.cache_clear()
    with SecureDns(world, file, https=False) as server:
        with pytest.raises(Retryable, match="its certificate is not trusted"):
            resolvers(f"tls://127.0.0.1:{server.port}").ask(WWW, A)
        # and the next one is asked
        found = resolvers(f"tls://127.0.0.1:{server.port}", f"127.7.0.53:{world.port}").ask(WWW, A)
        assert found.answer
    encrypted._context.cache_clear()


def test_a_certificate_of_nobody_known(world: FakeDns, tmp_path: Path) -> None:
    encrypted._context.cache_clear()
    with (
        SecureDns(world, certificate(tmp_path, "127.0.0.1"), https=False) as server,
        pytest.raises(Retryable, match="its certificate is not trusted"),
    ):
        resolvers(f"tls://127.0.0.1:{server.port}").ask(WWW, A)


def test_no_tls_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"220 mail.example ESMTP\r\n")
                while connection.recv(1024):
                    pass

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(Retryable, match="no TLS connection"):
            resolvers(f"tls://127.0.0.1:{listener.getsockname()[1]}").ask(WWW, A)
        thread.join()


def test_nobody_listens() -> None:
    with pytest.raises(Retryable, match="connection refused"):
        resolvers("tls://127.0.0.1:1").ask(WWW, A)


def test_no_socket_is_left_open(server: SecureDns, world: FakeDns) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    Zones(resolvers(setting(server)), authoritative_port=world.port).find_zone("www.example.com")
    ours = [sock for sock in server._open if isinstance(sock, ssl.SSLSocket)]
    assert len(os.listdir("/proc/self/fd")) <= before + len(ours)  # noqa: PTH208


def test_many_questions_to_a_dead_server_cost_its_time_out_once(server: SecureDns, world: FakeDns) -> None:
    server.fault = "silent"
    started = time.monotonic()
    both = resolvers(setting(server), f"127.7.0.53:{world.port}")
    assert Zones(both, authoritative_port=world.port).find_zone("www.example.com").addresses
    assert time.monotonic() - started < 2 * LIMITS.tls + 1
    assert server.connections <= 4


def test_who_waits_for_a_connection_to_a_dead_server_goes_on_with_the_rest(server: SecureDns, world: FakeDns) -> None:
    server.fault = "silent"
    both = resolvers(setting(server), f"127.7.0.53:{world.port}")
    questions = [(dns.name.from_text(f"w{number}.example.com."), A) for number in range(12)]
    started = time.monotonic()
    answers = hold(both.asking_all(questions), limits=LIMITS)
    assert not any(isinstance(answer, Retryable) for answer in answers)
    assert time.monotonic() - started < 2 * LIMITS.tls
    assert server.connections == 3


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("tls://dns.example", Server("dns.example", 853, Scheme.TLS)),
        ("TLS://[2001:db8::1]:8853", Server("2001:db8::1", 8853, Scheme.TLS)),
        ("https://dns.example", Server("dns.example", 443, Scheme.HTTPS, "/dns-query")),
        ("https://dns.example/dns-query{?dns}", Server("dns.example", 443, Scheme.HTTPS, "/dns-query")),
        ("https://192.0.2.1:8443/a/b", Server("192.0.2.1", 8443, Scheme.HTTPS, "/a/b")),
    ],
)
def test_settings(text: str, server: Server) -> None:
    assert Server.of(text) == server
    assert Server.of(str(server)) == server


@pytest.mark.parametrize(
    "received",
    [
        b"x" * 20000,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_answers_that_are_none(received: bytes) -> None:
    with pytest.raises(encrypted.NotDNSError):
        encrypted._unframed(Endpoint("192.0.2.1", 443, Scheme.HTTPS, "a", "/"), received)
