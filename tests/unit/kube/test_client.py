"""The client against a server that answers what it is told to."""

import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import incluster_config
from stub import Answer, Request, Stub

from certwright.errors import Retryable, Terminal, Throttled
from certwright.kube import client, credentials, lists
from certwright.kube.client import Kube
from certwright.kube.credentials import Login
from certwright.kube.faults import Expired, Unauthorized
from certwright.resources.names import CERTIFICATE, Names


@pytest.fixture
def calls() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def kube(stub: Stub, tmp_path: Path, calls: list[tuple[str, str, int]]) -> Kube:
    return Kube(
        kubeconfig=stub.kubeconfig(tmp_path),
        names=Names(),
        user_agent="tester/1",
        on_request=lambda verb, resource, code, _: calls.append((verb, resource, code)),
    )


def test_a_request(stub: Stub, kube: Kube, calls: list[tuple[str, str, int]]) -> None:
    stub.answer = lambda _: Answer(201, {"got": "it"})
    answer = kube.request("POST", "/api/v1/namespaces/a/secrets", body={"x": 1}, query={"fieldManager": "me & you"})
    assert answer == {"got": "it"}
    request = stub.requests[0]
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/a/secrets?fieldManager=me+%26+you")
    assert request.body == {"x": 1}
    assert request.headers["Authorization"] == "Bearer first"
    assert request.headers["User-Agent"] == "tester/1"
    assert calls == [("create", "secrets", 201)]


@pytest.mark.parametrize(("status", "told"), [(200, 1), (409, 0), (500, 0), (429, 0)])
def test_only_accepted_writes_are_told(stub: Stub, tmp_path: Path, status: int, told: int) -> None:
    writes: list[str] = []
    kube = Kube(kubeconfig=stub.kubeconfig(tmp_path), names=Names(), on_write=writes.append)
    stub.answer = lambda _: Answer(status)
    for method in ("GET", "PUT"):
        with suppress(Retryable):
            kube.request(method, "/api/v1/namespaces/a/secrets/b")
    assert writes == ["update secrets a/b"] * told


def test_429_says_until_when(stub: Stub, kube: Kube) -> None:
    stub.answer = lambda _: Answer(429, {}, {"Retry-After": "30"})
    with pytest.raises(Throttled) as raised:
        kube.request("GET", "/api/v1/secrets")
    assert timedelta(seconds=28) < raised.value.until - datetime.now(UTC) <= timedelta(seconds=30)
    assert len(stub.requests) == 1, "whoever asks decides when it is tried again"


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[1]", b"\xff\xfe"])
def test_what_is_no_answer_of_an_api_server(stub: Stub, kube: Kube, body: bytes) -> None:
    stub.answer = lambda _: Answer(502, body)
    with pytest.raises(Retryable, match="HTTP status 502"):
        kube.request("GET", "/api/v1/secrets")


def test_a_redirect_is_not_followed(stub: Stub, kube: Kube) -> None:
    stub.answer = lambda _: Answer(302, {}, {"Location": "http://127.0.0.1:1/"})
    with pytest.raises(Terminal, match="HTTP status 302"):
        kube.request("GET", "/api/v1/secrets")
    assert len(stub.requests) == 1


def test_nobody_answers(stub: Stub, kube: Kube, calls: list[tuple[str, str, int]]) -> None:
    stub.answer = lambda _: Answer(delay=1.0)
    with pytest.raises(Retryable, match=rf"{stub.url} does not answer: .*timed out"):
        kube.request("PUT", "/api/v1/namespaces/a/secrets/b", timeout=0.1)
    assert calls == [("update", "secrets", 0)]


def test_a_broken_kubeconfig(tmp_path: Path) -> None:
    for name, text in (("absent", None), ("empty", ""), ("yaml", "a: [b"), ("other", "a: b")):
        file = tmp_path / name
        if text is not None:
            file.write_text(text)
        with pytest.raises(Terminal, match=f"cannot log in by kubeconfig .*{name}"):
            Kube(kubeconfig=str(file), names=Names())
    with pytest.raises(Terminal, match="cannot log in by the pod's ServiceAccount"):
        Kube(kubeconfig=None, names=Names())


class TestTokens:
    @pytest.fixture(autouse=True)
    def _asked_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(credentials, "AUTHORIZATION_KEPT", 0.0)

    def test_they_are_not_asked_for_at_each_request(self, kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(credentials, "AUTHORIZATION_KEPT", 60.0)
        asked: list[None] = []
        login = Login(kubeconfig=kube._kubeconfig, pool_size=1)
        login._configuration.refresh_api_key_hook = lambda _: asked.append(None)
        assert {login.authorization() for _ in range(9)} == {"Bearer first"}
        assert len(asked) == 1

    def test_a_refused_token_is_read_again_once(
        self, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "RELOGIN_PAUSE", 0.0)
        token = tmp_path / "token"
        token.write_text("old")
        kube = Kube(kubeconfig=stub.kubeconfig(tmp_path, {"tokenFile": str(token)}), names=Names())
        stub.answer = lambda request: Answer(200 if request.headers["Authorization"] == "Bearer new" else 401)
        token.write_text("new")
        assert kube.request("GET", "/api/v1/secrets") == {}
        assert [request.headers["Authorization"] for request in stub.requests] == ["Bearer old", "Bearer new"]

    def test_a_token_that_stays_bad_is_no_storm(self, stub: Stub, kube: Kube) -> None:
        stub.answer = lambda _: Answer(401)
        for _ in range(3):
            with pytest.raises(Unauthorized):
                kube.request("GET", "/api/v1/secrets")
        assert len(stub.requests) == 3, "not logged in again within seconds"

    def test_in_cluster_tokens_rotate(self, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        token, authority = tmp_path / "token", tmp_path / "ca.crt"
        token.write_text("first")
        authority.write_text("x")
        monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
        host, port = stub.url.removeprefix("http://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        kube = Kube(kubeconfig=None, names=Names())
        assert kube.authorization().lower() == "bearer first"
        token.write_text("second")
        assert kube.authorization().lower() == "bearer first", "a file read a minute is enough"
        later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
        clock = type("Clock", (), {"now": staticmethod(lambda: later)})
        monkeypatch.setattr(incluster_config.datetime, "datetime", clock)
        assert kube.authorization().lower() == "bearer second"

    def test_a_plugin_is_run_again_when_its_token_expires(self, stub: Stub, tmp_path: Path) -> None:
        counter = tmp_path / "runs"
        plugin = tmp_path / "plugin.py"
        plugin.write_text(
            "import json, pathlib, datetime\n"
            f"file = pathlib.Path({str(counter)!r})\n"
            "runs = int(file.read_text()) + 1 if file.exists() else 1\n"
            "file.write_text(str(runs))\n"
            "soon = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)\n"
            "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status':"
            " {'token': f'run-{runs}', 'expirationTimestamp': soon.strftime('%Y-%m-%dT%H:%M:%SZ')}}))\n"
        )
        user = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": sys.executable,
                "args": [str(plugin)],
                "interactiveMode": "Never",
            }
        }
        kube = Kube(kubeconfig=stub.kubeconfig(tmp_path, user), names=Names())
        kube.request("GET", "/api/v1/secrets")
        kube.request("GET", "/api/v1/secrets")
        assert [request.headers["Authorization"] for request in stub.requests] == ["Bearer run-2", "Bearer run-3"]

    def test_they_are_in_no_text(self, stub: Stub, kube: Kube) -> None:
        assert kube.credentials().authorization == "Bearer first"
        assert "first" not in repr(kube.credentials())
        stub.answer = lambda _: Answer(500, {"message": "no"})
        with pytest.raises(Retryable) as raised:
            kube.request("GET", "/api/v1/secrets")
        assert "first" not in str(raised.value)


class TestLists:
    def pages(self, *tokens: str) -> Any:
        """Answer with a page for each token; an empty token ends the list, `410` is one that came too late."""

        def answer(request: Request) -> Answer:
            number = len([1 for other in stubbed.requests if other is not request])
            token = tokens[number]
            if token == "410":
                return Answer(410, {"reason": "Expired"})
            return Answer(200, {"items": [{"n": number}], "metadata": {"continue": token}})

        stubbed = self.stub
        return answer

    @pytest.fixture(autouse=True)
    def _stub(self, stub: Stub) -> None:
        self.stub = stub

    def test_a_page_that_came_too_late_starts_again(self, stub: Stub, kube: Kube) -> None:
        stub.answer = self.pages("a", "410", "b", "")
        assert [item["n"] for item in lists.of_kind(kube, CERTIFICATE)] == [0, 2, 3]
        assert ["continue" in request.path for request in stub.requests] == [False, True, False, True]

    def test_but_not_forever(self, stub: Stub, kube: Kube) -> None:
        stub.answer = self.pages(*["a", "410"] * 9)
        with pytest.raises(Expired):
            list(lists.of_kind(kube, CERTIFICATE))
        assert len(stub.requests) == 8

    def test_metadata_only(self, stub: Stub, kube: Kube) -> None:
        list(lists.of_kind(kube, lists.SECRET, namespace="a", selector="x=y", metadata_only=True))
        assert stub.requests[0].path == "/api/v1/namespaces/a/secrets?limit=500&labelSelector=x%3Dy"
        assert stub.requests[0].headers["Accept"].startswith("application/json;as=PartialObjectMetadataList")


def test_threads_share_it(stub: Stub, kube: Kube) -> None:
    stub.answer = lambda request: Answer(200, {"path": request.path})
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(20):
            path = f"/api/v1/namespaces/n{number}/secrets/s{turn}"
            if kube.request("GET", path)["path"] != path:
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(stub.requests) == 160


def test_a_server_behind_a_path(stub: Stub, tmp_path: Path) -> None:
    stub.url += "/clusters/one"
    Kube(kubeconfig=stub.kubeconfig(tmp_path), names=Names()).request("GET", "/api/v1/secrets")
    assert stub.requests[0].path == "/clusters/one/api/v1/secrets"


def test_plain_http_by_a_proxy_has_whole_urls(stub: Stub, tmp_path: Path) -> None:
    proxy, stub.url = stub.url, "http://cluster.example:8080"
    config = stub.kubeconfig(tmp_path)
    text = Path(config).read_text().replace("    server:", f"    proxy-url: {proxy}\n    server:")
    Path(config).write_text(text)
    Kube(kubeconfig=config, names=Names()).request("GET", "/api/v1/secrets")
    assert stub.requests[0].path == "http://cluster.example:8080/api/v1/secrets"


@pytest.mark.parametrize(
    ("none", "proxy"), [("", "http://192.0.2.9:3128"), ("10.0.0.1,.svc", ""), ("10.0.0.0/24", ""), (".example", "")]
)
def test_the_watches_go_by_a_proxy_when_requests_do(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, none: str, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.9:3128")
    monkeypatch.setenv("NO_PROXY", none)
    stub.url = "https://api.example:6443" if none == ".example" else "https://10.0.0.1:443"

    kube = Kube(kubeconfig=stub.kubeconfig(tmp_path), names=Names())

    assert kube.credentials().proxy == proxy
    assert (kube._login.pool.proxy is not None) == bool(proxy)
