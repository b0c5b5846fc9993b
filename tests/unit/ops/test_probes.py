"""Probes and metrics over HTTP, as Kubernetes and Prometheus ask for them."""

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from certwright.errors import Terminal
from certwright.ops import probes
from certwright.ops.metrics import CertificateSample, Metrics
from certwright.ops.probes import HttpServer, either, metrics_app, parse_address, probes_app

Serve = Callable[..., HttpServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[HttpServer] = []

    def start(app: object, address: str = "127.0.0.1:0") -> HttpServer:
        server = HttpServer(address, app)  # type: ignore[arg-type]
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def fetch(server: HttpServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def failing() -> bool:
    raise RuntimeError


def test_probes(serve: Serve) -> None:
    state = {"watch": True, "synced": False}
    server = serve(
        probes_app(
            health={"watch": lambda: state["watch"]},
            ready={"watch": lambda: state["watch"], "synced": lambda: state["synced"]},
        )
    )
    assert fetch(server, "/healthz") == (200, "ok\n")
    assert fetch(server, "/readyz") == (503, "failing: synced\n")
    state.update(watch=False)
    assert fetch(server, "/livez") == (503, "failing: watch\n")
    assert fetch(server, "/readyz") == (503, "failing: watch, synced\n")
    assert fetch(server, "/metrics")[0] == 404
    assert fetch(serve(probes_app(health={"x": failing}, ready={})), "/healthz") == (503, "failing: x\n")


def test_metrics(serve: Serve) -> None:
    samples = [
        CertificateSample("shop", "web", "Issuer", "ca", "True", 2e9, 1.9e9),
        CertificateSample("shop", "new", "ClusterIssuer", "le", "False"),
        CertificateSample("shop", "odd", "Issuer", "ca", "strange"),
    ]
    metrics = Metrics(version="1.2", certificates=lambda: samples, queue_depth=lambda: 7, leading=lambda: True)
    metrics.reconciled("Certificate", "waits", 0.02)
    for verb, code in (("create", 201), ("create", 409), ("get", 200), ("patch", 0)):
        metrics.api_request(verb, "secrets", code, 0.01)
    metrics.acme_request("newOrder", 201)
    metrics.issued("acme", 3.5)
    metrics.failed("acme", "CAARefused")
    status, text = fetch(serve(either(probes_app(health={}, ready={}), metrics_app(metrics))), "/metrics")
    assert status == 200
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    expected = {
        ("certwright_reconciles_total", "Certificate", "waits"): 1,
        ("certwright_reconcile_seconds_count",): 1,
        ("certwright_queue_depth",): 7,
        ("certwright_leader",): 1,
        ("certwright_certificates", "True"): 1,
        ("certwright_certificates", "False"): 1,
        ("certwright_certificates", "Unknown"): 1,
        ("certwright_certificate_expiration_timestamp_seconds", "Issuer", "ca", "shop", "web"): 2e9,
        ("certwright_certificate_renewal_timestamp_seconds", "Issuer", "ca", "shop", "web"): 1.9e9,
        ("certwright_acme_requests_total", "201", "newOrder"): 1,
        ("certwright_api_requests_total", "201", "create", "secrets"): 1,
        ("certwright_api_requests_total", "0", "patch", "secrets"): 1,
        ("certwright_api_writes_total", "create", "secrets"): 1,
        ("certwright_api_request_seconds_count", "create"): 2,
        ("certwright_issuances_total", "acme", "issued"): 1,
        ("certwright_issuances_total", "acme", "failed"): 1,
        ("certwright_issuance_failures_total", "CAARefused", "acme"): 1,
        ("certwright_issuance_seconds_sum", "acme"): 3.5,
        ("certwright_build_info", "1.2"): 1,
    }
    assert expected.items() <= found.items()
    assert ("process_resident_memory_bytes",) in found
    assert not [
        key for key in found if key[0] == "certwright_certificate_expiration_timestamp_seconds" and "new" in key
    ]
    own = {key[0] for key in found} - {key[0] for key in found if key[0].startswith("process_")}
    assert all(name.startswith("certwright_") for name in own)


def test_only_metrics_at_the_address_for_metrics(serve: Serve) -> None:
    assert fetch(serve(metrics_app(Metrics(version="1"))), "/healthz")[0] == 404


def test_the_number_of_threads_is_fixed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes._Handler, "timeout", 0.2)
    server = serve(probes_app(health={}, ready={}))
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    time.sleep(0.3)
    assert threading.active_count() - before <= probes.THREADS
    deadline = time.monotonic() + 20
    while True:  # those who say nothing are dropped, and then it answers again
        try:
            assert fetch(server, "/healthz") == (200, "ok\n")
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    for connection in idle:
        connection.close()


def test_garbage_does_no_harm(serve: Serve) -> None:
    server = serve(probes_app(health={}, ready={}))
    for data in (
        b"\x00\xff\r\n\r\n",
        b"GET " + b"x" * 70_000,
        b"POST /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert fetch(server, "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("address", "parts"),
    [(":8080", ("", 8080)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:2", ("::1", 2)), ("host:3", ("host", 3))],  # noqa: S104
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert parse_address(address) == parts


@pytest.mark.parametrize("address", ["", "8080", "host:", "host:x", "::1:80", "host:70000", ":-1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Terminal, match="write host:port"):
        parse_address(address)


def test_an_address_in_use(serve: Serve) -> None:
    server = serve(probes_app(health={}, ready={}))
    with pytest.raises(Terminal, match=f"cannot listen at 127.0.0.1:{server.port}: "):
        HttpServer(f"127.0.0.1:{server.port}", probes_app(health={}, ready={}))
