"""The HTTP-01 solver's server, as it runs in its pod: over real sockets, and as a process of its own."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from certwright.resources.meta import Meta
from certwright.resources.names import Names
from certwright.resources.reading import Fields
from certwright.solvers.http01.answer import Answer
from certwright.solvers.http01.config import Http01Config
from certwright.solvers.http01.objects import Image, Manifests
from certwright.solvers.http01.server import serving
from certwright.solvers.http01.server.command import listen
from certwright.solvers.http01.server.serving import CONNECTIONS, PATH, Log, Server

COMMAND = Path(sys.executable).with_name("certwright-http-solver")
THUMBPRINT = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
OTHER = "DGyRejmCefe7v4NfDGDKfA"
ANSWERS = {
    ("shop.example.com", TOKEN): f"{TOKEN}.{THUMBPRINT}".encode(),
    ("shop.example.com", OTHER): f"{OTHER}.{THUMBPRINT}".encode(),
    ("203.0.113.7", TOKEN): f"{TOKEN}.{THUMBPRINT}".encode(),
    ("2001:db8::7", TOKEN): f"{TOKEN}.{THUMBPRINT}".encode(),
}
#: Each takes more than its share of 300 ms and 25 MB.
HEAVY = {"asyncio", "dataclasses", "email", "http", "inspect", "ipaddress", "json", "logging", "ssl", "typing"}


class Running:
    """A server in a thread."""

    def __init__(self, header: str = "Host") -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        self.port = listener.getsockname()[1]
        self._stop, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=Server(listener, ANSWERS, header).run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._wake.send(b"x")
        self._thread.join()
        self._stop.close()
        self._wake.close()

    def ask(self, *lines: str, path: str = PATH + TOKEN, method: str = "GET") -> tuple[int, str]:
        """Send a request with these header lines; return the status and the body."""
        head, body = self.raw("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()).split("\r\n\r\n", 1)
        return int(head.split()[1]), body

    def raw(self, data: bytes) -> str:
        """Send bytes, return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(data)
            return everything(client)


def everything(client: socket.socket) -> str:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts).decode()


def send_now_and_then(client: socket.socket) -> None:
    for _ in range(200):
        client.sendall(b"x")
        time.sleep(0.1)


@pytest.fixture
def server() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["X-Forwarded-Host", "Forwarded"])
def behind_proxy(request: pytest.FixtureRequest) -> Iterator[tuple[str, Running]]:
    running = Running(request.param)
    yield request.param, running
    running.stop()


def test_it_answers_with_the_key_authorization(server: Running) -> None:
    answer = server.raw(f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode())

    head, body = answer.split("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nContent-Type: application/octet-stream\r\n" in head
    assert f"\r\nContent-Length: {len(body)}\r\n" in head
    assert "\r\nConnection: close" in head
    assert re.search(r"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", head)
    assert body == f"{TOKEN}.{THUMBPRINT}"


def test_head_has_the_same_head_and_no_body(server: Running) -> None:
    get, head = (
        server.raw(f"{method} {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode())
        for method in ("GET", "HEAD")
    )

    without_date = re.compile("Date: [^\r]*")
    assert without_date.sub("", head) == without_date.sub("", get.removesuffix(f"{TOKEN}.{THUMBPRINT}"))
    assert server.ask("Host: shop.example.com", path="/", method="HEAD") == (404, "")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example.com", 200),
        ("SHOP.Example.com", 200),
        ("shop.example.com:80", 200),
        ("shop.example.com.", 200),
        ("shop.example.com.:8080", 200),
        ("shop.example.com:", 200),
        ("203.0.113.7", 200),
        ("203.0.113.7:80", 200),
        ("[2001:db8::7]", 200),
        ("[2001:DB8:0:0::7]:80", 200),
        ("2001:db8::7", 404),
        ("[203.0.113.7]", 404),
        ("[2001:db8::8]", 404),
        ("[::ffff:203.0.113.7]", 404),
        ("example.com", 404),
        ("www.shop.example.com", 404),
        ("shop.example.com..", 404),
        ("shop.example.com:port", 404),
        ("shop.example.com:123456", 404),
        ("user@shop.example.com", 404),
        ("shop.example.com,other.test", 404),
        ("shop example com", 404),
        ("", 404),
    ],
)
def test_it_answers_for_its_hosts_only(server: Running, host: str, status: int) -> None:
    answered, body = server.ask(f"Host: {host}")

    assert answered == status
    assert body == (f"{TOKEN}.{THUMBPRINT}" if status == 200 else "Not Found\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (PATH + OTHER, 200),
        (f"http://shop.example.com{PATH}{TOKEN}", 200),
        (f"HTTP://SHOP.example.com:80{PATH}{TOKEN}", 200),
        (f"http://other.test{PATH}{TOKEN}", 404),
        ("http://shop.example.com", 404),
        ("/", 404),
        ("*", 404),
        (PATH, 404),
        (PATH + TOKEN[:-1], 404),
        (PATH + TOKEN.lower(), 404),
        (PATH + TOKEN + "/", 404),
        (PATH + TOKEN + "?", 404),
        (f"/.well-known//acme-challenge/{TOKEN}", 404),
        (f"/.well-known/x/../acme-challenge/{TOKEN}", 404),
        (PATH + "%65" + TOKEN[1:], 404),
        ("/" + TOKEN, 404),
        (TOKEN, 404),
    ],
)
def test_it_answers_at_its_paths_only(server: Running, path: str, status: int) -> None:
    assert server.ask("Host: shop.example.com", path=path)[0] == status


def test_a_token_is_not_answered_for_another_host_of_the_order(server: Running) -> None:
    assert server.ask("Host: 203.0.113.7", path=PATH + OTHER)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get", "X" * 500])
def test_other_methods_are_refused(server: Running, method: str) -> None:
    answer = server.raw(f"{method} {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode())

    assert answer.startswith("HTTP/1.1 405 ")
    assert "\r\nAllow: GET, HEAD\r\n" in answer


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("shop.example.com", 200),
        ("SHOP.example.com.:80", 200),
        ("shop.example.com, inner.test", 200),
        (" shop.example.com ,inner.test", 200),
        ("[2001:db8::7]", 200),
        ("inner.test, shop.example.com", 404),
        (",shop.example.com", 404),
        ("", 404),
    ],
)
def test_the_first_element_of_x_forwarded_host_counts(value: str, status: int) -> None:
    running = Running("X-Forwarded-Host")
    try:
        assert running.ask("Host: 10.0.0.1", f"x-forwarded-host: {value}")[0] == status
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("host=shop.example.com", 200),
        ("Host=shop.example.com", 200),
        ('host="shop.example.com"', 200),
        ('host="shop.example.com:80"', 200),
        ("host=shop.example.com:80", 200),
        ('host="shop\\.example.com"', 200),
        ('host="[2001:db8::7]:80"', 200),
        ("for=192.0.2.60;proto=http;host=shop.example.com;by=203.0.113.43", 200),
        ("for=192.0.2.60; proto=http ; host=shop.example.com", 200),
        ('for="[2001:db8::1]";host=shop.example.com, host=inner.test', 200),
        ('for="_a,host=inner.test";host=shop.example.com', 200),
        ("host=shop.example.com;", 200),
        (";;host=shop.example.com", 200),
        (", host=shop.example.com", 200),
        ("host=inner.test, host=shop.example.com", 404),
        ("for=192.0.2.60, host=shop.example.com", 404),
        ("host=shop.example.com;host=shop.example.com", 404),
        ("xhost=shop.example.com", 404),
        ("host = shop.example.com", 404),
        ('host="shop.example.com', 404),
        ("host=", 404),
        ("shop.example.com", 404),
        ('for="host=shop.example.com"', 404),
        ("", 404),
    ],
)
def test_host_of_the_first_element_of_forwarded_counts(value: str, status: int) -> None:
    running = Running("Forwarded")
    try:
        assert running.ask("Host: 10.0.0.1", f"Forwarded: {value}")[0] == status
    finally:
        running.stop()


def test_behind_a_proxy_nothing_but_its_header_counts(behind_proxy: tuple[str, Running]) -> None:
    header, running = behind_proxy
    mine, theirs = ("host=shop.example.com", "host=inner.test") if header == "Forwarded" else ("shop.example.com", "x")

    assert running.ask("Host: shop.example.com")[0] == 404
    assert running.ask("Host: shop.example.com", f"{header}: {theirs}")[0] == 404
    assert running.ask("Host: a.test", f"{header}: {mine}", f"{header}: {theirs}")[0] == 200  # one list, in two lines
    assert running.ask("Host: a.test", f"{header}: {theirs}", f"{header}: {mine}")[0] == 404


@pytest.mark.parametrize("separator", [b"\r\n", b"\n"])
def test_a_client_of_old_is_understood(server: Running, separator: bytes) -> None:
    lines = [f"GET {PATH}{TOKEN} HTTP/1.0".encode(), b"Host: shop.example.com", b"", b""]

    assert server.raw(separator.join(lines)).startswith("HTTP/1.1 200 ")
    assert server.raw(b"GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop\x00.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\n: shop.example.com\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(server: Running, data: bytes) -> None:
    assert server.raw(data).startswith("HTTP/1.1 400 ")


def test_the_largest_head_is_read_and_a_larger_one_refused(server: Running) -> None:
    start = f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\nX: ".encode()
    most = start + b"x" * (8192 - len(start))

    assert server.raw(most + b"\r\n\r\n").startswith("HTTP/1.1 200 ")
    assert server.raw(most + b"x\r\n\r\n").startswith("HTTP/1.1 431 ")
    assert server.raw(b"GET /" + b"x" * 300_000).startswith("HTTP/1.1 431 ")


def test_a_body_that_nobody_reads_does_not_cost_the_answer(server: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 500000\r\n\r\n"

    assert server.raw(head + b"x" * 500_000).startswith("HTTP/1.1 405 ")


def test_an_endless_body_is_cut_off(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            client.sendall(b"x" * 50_000_000)


def test_a_request_may_come_in_small_pieces(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode():
            client.sendall(bytes([byte]))
        assert everything(client).endswith(THUMBPRINT)


def test_a_client_that_is_too_slow_is_told_and_a_silent_one_is_not(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "TIMEOUT", 0.3)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent,
    ):
        slow.sendall(b"GET / HT")
        assert everything(slow).startswith("HTTP/1.1 408 ")
        assert everything(silent) == ""


def test_a_client_that_stays_after_its_answer_is_left(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LINGER", 0.1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        everything(client)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            send_now_and_then(client)


def test_clients_that_go_away_or_reset_do_no_harm(server: Running) -> None:
    for data in (b"", b"GET / H", f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode()):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.sendall(data)
        client.close()  # by a reset

    assert server.ask("Host: shop.example.com")[0] == 200


def test_many_idle_clients_keep_nobody_out(server: Running) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(CONNECTIONS + 20)]
    try:
        assert server.ask("Host: shop.example.com")[0] == 200
        assert everything(idle[0]) == ""  # the oldest had to give way
        idle[-1].sendall(f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n".encode())
        assert everything(idle[-1]).endswith(THUMBPRINT)
    finally:
        for client in idle:
            client.close()


def test_answers_are_told_and_no_line_is_the_clients(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    server.ask("Host: shop.example.com")
    server.ask("Host: shop.example.com", "X: \x1b[31m", path="/\x1b")
    server.ask("Host: a\tanswered host=x")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"answered host=shop.example.com token={TOKEN[:8]} client=127.0.0.1"
    assert lines[1] == "refused status=400 no request line of HTTP/1 client=127.0.0.1"
    assert lines[2] == f"refused status=404 host=? path={PATH}{TOKEN} client=127.0.0.1"
    assert THUMBPRINT not in "".join(lines)


def test_the_log_stays_short_whatever_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(now=0.0)
    for _ in range(1000):
        log.answered("a.test", TOKEN, "192.0.2.1")
        log.refused(404, "host=b.test path=/", "192.0.2.1", now=1.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == Log.ANSWERS + Log.REFUSALS
    assert [line for line in lines if line.endswith("; no more lines for it")] == [
        f"answered host=a.test token={TOKEN[:8]} client=192.0.2.1; no more lines for it"
    ]

    log.refused(404, "host=b.test path=/", "192.0.2.1", now=1.0 + Log.PAUSE)

    assert capsys.readouterr().err.endswith(f"; {1000 - Log.REFUSALS} more before it\n")


def test_it_listens_by_both_protocols() -> None:
    with closing(listen(0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            client = listener.accept()[0]
            client.close()
        if listener.family == socket.AF_INET6 and has_ipv6_loopback():
            with socket.create_connection(("::1", port), timeout=20):
                listener.accept()[0].close()


def test_without_ipv6_it_listens_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def without_ipv6(address: tuple[str, int], *, family: int = socket.AF_INET, **options: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(address, family=family, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_server", without_ipv6)

    with closing(listen(0)) as listener:
        assert listener.family == socket.AF_INET


def has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); import certwright.solvers.http01.server.command;"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert "certwright.solvers.http01.server.serving" in loaded
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("certwright")} <= {
        "certwright",
        "certwright.solvers",
        "certwright.solvers.http01",
        "certwright.solvers.http01.server",
        *(f"certwright.solvers.http01.server.{part}" for part in ("command", "request", "serving", "webroot")),
    }


class Process:
    """The command as its pod runs it."""

    def __init__(self, *arguments: str) -> None:
        command = [COMMAND, "--listen-port=0", f"--thumbprint={THUMBPRINT}", *arguments]
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self.child.stderr
        self.first = self.child.stderr.readline()
        found = re.search(r"port=(\d+)", self.first)
        self.port = int(found[1]) if found else 0

    def ask(self, host: str, token: str = TOKEN) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(f"GET {PATH}{token} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            return everything(client)

    def resident(self) -> int:
        """Its resident memory in kB."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found
        return int(found[1])

    def end(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signal it; return its exit code and what it said."""
        self.child.send_signal(by)
        _, said = self.child.communicate(timeout=30)
        return self.child.returncode, self.first + said


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_the_command_answers_in_little_memory_and_ends_when_told(by: signal.Signals) -> None:
    hosts = [f"n{number}.example.com" for number in range(100)]
    process = Process(*(f"{host}={TOKEN[:-3]}{index:03}" for index, host in enumerate(hosts)), f"2001:db8::7={TOKEN}")
    try:
        for index, host in enumerate(hosts):
            assert process.ask(host, f"{TOKEN[:-3]}{index:03}").endswith(f"\r\n{TOKEN[:-3]}{index:03}.{THUMBPRINT}")
        assert process.ask("[2001:db8::7]").startswith("HTTP/1.1 200 ")
        assert process.ask("n1.example.com").startswith("HTTP/1.1 404 ")
        idle = [socket.create_connection(("127.0.0.1", process.port), timeout=20) for _ in range(CONNECTIONS)]
        resident = process.resident()
    finally:
        code, said = process.end(by)
    for client in idle:
        client.close()

    assert resident < 25_000
    assert code == 0
    assert said.startswith(f"answering port={process.port} hosts=101 tokens=101\n")
    assert f"answered host=2001:db8::7 token={TOKEN[:8]} client=127.0.0.1\n" in said


def test_one_host_may_have_several_tokens() -> None:
    process = Process(f"shop.example.com={TOKEN}", f"Shop.Example.com.={OTHER}")
    try:
        for token in (TOKEN, OTHER):
            assert process.ask("shop.example.com", token).endswith(f"{token}.{THUMBPRINT}")
    finally:
        process.end()


def test_it_takes_what_the_solver_gives_its_pod() -> None:
    fields = Fields({"proxyHeader": "Forwarded", "ingress": {}}, "spec.acme.solvers[0].http01")
    meta = Meta.of({"metadata": {"namespace": "shop", "name": "web", "uid": "u-1"}})
    made = Manifests(Http01Config.of(fields, meta, Names()), meta, Names(), Image("localhost/certwright:dev"))
    answers = [Answer(host, TOKEN, f"{TOKEN}.{THUMBPRINT}", "bundle") for host in ("shop.example.com", "2001:db8::7")]
    (container,) = made.pod("bundle", answers)["spec"]["containers"]

    assert container["command"] == [COMMAND.name]
    process = Process(*container["args"], "--listen-port=0")
    try:
        for answer, host in zip(answers, ("shop.example.com", '"[2001:db8::7]"'), strict=True):
            with socket.create_connection(("127.0.0.1", process.port), timeout=20) as client:
                client.sendall(f"GET {answer.path} HTTP/1.1\r\nHost: a\r\nForwarded: host={host}\r\n\r\n".encode())
                assert everything(client).endswith(f"\r\n\r\n{answer.key_authorization}")
    finally:
        process.end()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: HOST=TOKEN"),
        (["shop.example.com"], "'shop.example.com': give HOST=TOKEN"),
        (["=abc"], "'=abc': give HOST=TOKEN"),
        (["*.example.com=abc"], "HOST a DNS name or an address"),
        (["bücher.example=abc"], "HOST a DNS name or an address"),
        (["[2001:db8::7]=abc"], "an address without brackets"),
        (["fe80::1%eth0=abc"], "HOST a DNS name or an address"),
        (["a." * 126 + "toolong=abc"], "HOST a DNS name or an address"),
        (["shop.example.com="], "the token is not base64url"),
        (["shop.example.com=../../etc/passwd"], "the token is not base64url"),
        (["shop.example.com=a+b"], "the token is not base64url"),
        (["shop.example.com=" + "a" * 513], "the token is not base64url"),
        (["--listen-port=80a", "a.test=abc"], "'80a' is no port"),
        (["--listen-port=65536", "a.test=abc"], "'65536' is no port"),
        (["--thumbprint=a.b", "a.test=abc"], "'a.b' is not base64url"),
        (["--proxy-header=X-Real-Host", "a.test=abc"], "invalid choice: 'X-Real-Host'"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], said: str) -> None:
    command = [COMMAND, f"--thumbprint={THUMBPRINT}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with closing(listen(0)) as taken:
        port = str(taken.getsockname()[1])
        process = Process("--listen-port", port, "--webroot", str(tmp_path), f"a.test={TOKEN}")
        assert process.child.wait(timeout=30) == 1
        process.child.communicate()

    assert process.first.startswith(f"error: --listen-port {port}: Address already in use")
    assert not list(tmp_path.iterdir())


class TestWebroot:
    def start(self, folder: Path, *more: str) -> Process:
        return Process("--webroot", str(folder), f"shop.example.com={TOKEN}", f"www.example.com={OTHER}", *more)

    def test_it_holds_the_answers_for_as_long_as_the_server_runs(self, tmp_path: Path) -> None:
        process = self.start(tmp_path)
        try:
            folder = tmp_path / ".well-known" / "acme-challenge"
            files = {file.name: file for file in folder.iterdir()}
            assert {name: file.read_text() for name, file in files.items()} == {
                TOKEN: f"{TOKEN}.{THUMBPRINT}",
                OTHER: f"{OTHER}.{THUMBPRINT}",
            }
            assert {file.stat().st_mode & 0o7777 for file in files.values()} == {0o644}
            assert folder.stat().st_mode & 0o777 == 0o755
            assert process.ask("shop.example.com").startswith("HTTP/1.1 200 ")
        finally:
            code, said = process.end()

        assert (code, list(tmp_path.iterdir())) == (0, [])
        assert "error" not in said

    def test_what_is_not_its_own_stays(self, tmp_path: Path) -> None:
        folder = tmp_path / ".well-known" / "acme-challenge"
        folder.mkdir(parents=True)
        (folder / "another").write_text("another's")
        (folder / TOKEN).write_text("of a run that was killed")
        process = self.start(tmp_path)
        try:
            assert (folder / TOKEN).read_text() == f"{TOKEN}.{THUMBPRINT}"
            (folder / OTHER).unlink()
            (folder / OTHER).write_text("a successor's")
        finally:
            code, _ = process.end()

        assert code == 0
        assert {file.name: file.read_text() for file in folder.iterdir()} == {
            "another": "another's",
            OTHER: "a successor's",
        }

    def test_a_folder_that_somebody_else_uses_by_now_stays(self, tmp_path: Path) -> None:
        process = self.start(tmp_path)
        (tmp_path / ".well-known" / "security.txt").touch()
        process.end()

        assert [path.name for path in tmp_path.rglob("*")] == [".well-known", "security.txt"]

    def test_what_is_gone_already_is_no_fault(self, tmp_path: Path) -> None:
        process = self.start(tmp_path)
        for file in (tmp_path / ".well-known" / "acme-challenge").iterdir():
            file.unlink()
        code, said = process.end()

        assert (code, list(tmp_path.iterdir())) == (0, [])
        assert "not removed" not in said

    @pytest.mark.parametrize("link", [".well-known", ".well-known/acme-challenge"])
    def test_no_link_is_followed_out_of_it(self, tmp_path: Path, link: str) -> None:
        root, outside = tmp_path / "root", tmp_path / "outside"
        outside.mkdir()
        (root / link).parent.mkdir(parents=True)
        (root / link).symlink_to(outside)
        process = self.start(root)
        assert process.child.wait(timeout=30) == 1
        process.child.communicate()

        name = Path(link).name
        assert process.first == f"error: --webroot {root}: {name}: it must be a folder, and no symbolic link\n"
        assert not list(outside.iterdir())
        assert (root / link).is_symlink()

    def test_a_link_in_the_place_of_a_file_is_replaced(self, tmp_path: Path) -> None:
        folder, outside = tmp_path / "root" / ".well-known" / "acme-challenge", tmp_path / "outside"
        folder.mkdir(parents=True)
        outside.write_text("untouched")
        (folder / TOKEN).symlink_to(outside)
        process = self.start(tmp_path / "root")
        try:
            assert not (folder / TOKEN).is_symlink()
            assert (folder / TOKEN).read_text() == f"{TOKEN}.{THUMBPRINT}"
        finally:
            process.end()

        assert outside.read_text() == "untouched"
        assert not list(folder.iterdir())

    def test_one_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        process = self.start(tmp_path / "missing")
        assert process.child.wait(timeout=30) == 1
        process.child.communicate()

        missing = tmp_path / "missing"
        assert process.first == f"error: --webroot {missing}: {missing}: No such file or directory\n"

    def test_a_file_that_cannot_be_written_takes_back_what_was(self, tmp_path: Path) -> None:
        folder = tmp_path / ".well-known" / "acme-challenge"
        (folder / OTHER).mkdir(parents=True)
        process = self.start(tmp_path)
        assert process.child.wait(timeout=30) == 1
        process.child.communicate()

        assert "Is a directory" in process.first
        assert [path.name for path in folder.iterdir()] == [OTHER]
