"""TLS to a provider's API: whom it trusts, and that the guard and the deadline hold there, too."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certwright.errors import InvalidSpec, Retryable
from certwright.providers import http
from certwright.providers.api import Api, Endpoint
from certwright.providers.guard import Guard
from unit.providers.self_signed import self_signed

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def serve(certificate: Path) -> Iterator[Callable[..., str]]:
    listeners = []

    def start(answer: Callable[[ssl.SSLSocket], None] = lambda sock: sock.sendall(REPLY)) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            try:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    answer(secure)
            except OSError:
                return

        threading.Thread(target=run, daemon=True).start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def client(url: str, ca_bundle: str = "", guard: Guard = Guard(allow_loopback=True)) -> Api:  # noqa: B008 - frozen
    return Api(Endpoint("Vendor", url, "to write", url_field="host", ca_bundle=ca_bundle), guard=guard)


def bundle(certificate: Path) -> str:
    return "-----BEGIN CERT" + certificate.read_text().partition("-----BEGIN CERT")[2]


def test_a_bundle_of_its_own(serve: Callable[..., str], certificate: Path) -> None:
    assert client(serve(), bundle(certificate)).get("/x") == {}


def test_nobody_else_is_trusted(serve: Callable[..., str], certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    with pytest.raises(Retryable, match=r"the server's certificate is not trusted \(self-signed certificate\)"):
        client(serve()).get("/x")


def test_the_name_must_fit(serve: Callable[..., str], certificate: Path) -> None:
    with pytest.raises(Retryable, match=r"not trusted \(Hostname mismatch"):
        client(serve().replace("127.0.0.1", "localhost"), bundle(certificate)).get("/x")


def test_the_guard_holds(serve: Callable[..., str], certificate: Path) -> None:
    with pytest.raises(InvalidSpec, match="host: the host 127"):
        client(serve(), bundle(certificate), Guard()).get("/x")


def test_the_deadline_holds(serve: Callable[..., str], certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.4)

    def dribble(sock: ssl.SSLSocket) -> None:
        for octet in REPLY * 2:
            time.sleep(0.05)
            sock.sendall(bytes([octet]))

    started = time.monotonic()
    with pytest.raises(Retryable, match="no whole reply in time"):
        client(serve(dribble), bundle(certificate)).get("/x")
    assert time.monotonic() - started < 1.5
