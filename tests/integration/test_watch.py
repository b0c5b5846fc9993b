"""The watcher against a real API server: what it asks for, what it tells, and what gaps and outages do to it."""

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from certwright.kube import secrets
from certwright.kube.client import Kube
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Names
from certwright.watch.feed import ADDED, DELETED, LISTED, MODIFIED
from certwright.watch.watcher import Watcher, WatchFailed
from cluster.environment import Environment

pytestmark = pytest.mark.cluster
NAMES = Names()
AGENT = "watch-test"
Seen = tuple[str, str, str, str]


class Sink:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.bodies: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, kind: str, event: str, body: Any) -> None:
        metadata = body["metadata"]
        with self._changed:
            self.seen.append((kind, event, metadata.get("namespace", ""), metadata["name"]))
            self.bodies.append(body)
            self._changed.notify_all()

    def wait(self, seen: Seen, timeout: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: seen in self.seen, timeout), f"{seen} not in {self.seen}"


@contextmanager
def running(watcher: Watcher, *, warm: bool = True) -> Iterator[threading.Thread]:
    stop = threading.Event()
    if warm:
        assert watcher.warm(stop)
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def kube(env: Environment) -> Iterator[Kube]:
    client = Kube(kubeconfig=str(env.kubeconfig), names=NAMES, user_agent=AGENT)
    yield client
    client.close()


@pytest.fixture
def sink() -> Sink:
    return Sink()


def issuer(namespace: str, name: str, kind: str = ISSUER) -> str:
    metadata = {"name": name, "namespace": namespace} if kind == ISSUER else {"name": name}
    return json.dumps({"apiVersion": NAMES.api_version, "kind": kind, "metadata": metadata, "spec": {"selfSigned": {}}})


def certificate(namespace: str, name: str) -> str:
    spec = {"secretName": f"{name}-tls", "dnsNames": ["a.example.test"], "issuerRef": {"name": "ca"}}
    metadata = {"namespace": namespace, "name": name}
    return json.dumps({"apiVersion": NAMES.api_version, "kind": CERTIFICATE, "metadata": metadata, "spec": spec})


def eventually(check: Callable[[], bool], timeout: float = 30.0) -> None:
    until = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.needs("audit")
def test_all_kinds_are_told_and_only_labelled_secrets_are_asked_for(
    env: Environment, namespace: str, kube: Kube, sink: Sink
) -> None:
    label = {NAMES.watched_label: "true"}
    cluster_issuer = f"ci-{namespace}"
    env.kubectl("create", "-f", "-", input=issuer(namespace, "early"))
    secrets.create(kube, namespace, "early", data={"a": b"b"}, labels=label)
    secrets.create(kube, namespace, "plain-early", data={"a": b"b"})
    mark = env.audit_mark()
    with running(Watcher(kube=kube, sink=sink, user_agent=AGENT)):
        assert (ISSUER, LISTED, namespace, "early") in sink.seen
        assert ("Secret", LISTED, namespace, "early") in sink.seen
        eventually(lambda: sink.seen.count(("Secret", LISTED, namespace, "early")) == 2)
        time.sleep(0.5)  # from kopf's list to its watch
        env.kubectl("create", "-f", "-", input=certificate(namespace, "web"))
        env.kubectl("create", "-f", "-", input=issuer("", cluster_issuer, CLUSTER_ISSUER))
        secrets.create(kube, namespace, "plain", data={"a": b"b"})
        secrets.create(kube, namespace, "late", data={"a": b"b"}, labels=label)
        sink.wait(("Secret", ADDED, namespace, "late"))
        sink.wait((CERTIFICATE, ADDED, namespace, "web"))
        sink.wait((CLUSTER_ISSUER, ADDED, "", cluster_issuer))
        env.kubectl("-n", namespace, "annotate", "certificates.certwright.dev/web", "touched=yes")
        sink.wait((CERTIFICATE, MODIFIED, namespace, "web"))
        env.kubectl("delete", "clusterissuers.certwright.dev", cluster_issuer)
        sink.wait((CLUSTER_ISSUER, DELETED, "", cluster_issuer))
    assert not [seen for seen in sink.seen if seen[3].startswith("plain")]
    asked = [entry for entry in env.audit(mark) if entry.user_agent == AGENT]
    many = [entry for entry in asked if entry.resource == "secrets" and entry.verb in ("list", "watch")]
    assert {entry.verb for entry in many} == {"list", "watch"}
    queries = [parse_qs(urlsplit(entry.raw["requestURI"]).query) for entry in many]
    assert [query["labelSelector"] for query in queries] == [["controller.certwright.dev/fao=true"]] * len(many)
    ours = [entry for entry in asked if entry.is_write]
    assert {(entry.verb, entry.resource) for entry in ours} == {("create", "secrets")}, "the watch wrote something"


@pytest.mark.needs("audit")
def test_only_the_namespaces_given_are_asked_for(env: Environment, namespace: str, kube: Kube, sink: Sink) -> None:
    secrets.create(kube, "default", f"in-{namespace}", data={}, labels={NAMES.watched_label: "true"})
    mark = env.audit_mark()
    with running(Watcher(kube=kube, namespaces=[namespace], sink=sink, user_agent=AGENT)):
        eventually(lambda: any(e.verb == "watch" and e.resource == "issuers" for e in env.audit(mark)), 40)
        secrets.create(kube, namespace, "here", data={}, labels={NAMES.watched_label: "true"})
        sink.wait(("Secret", ADDED, namespace, "here"))
    secrets.delete(kube, "default", f"in-{namespace}")
    assert {seen[2] for seen in sink.seen if seen[0] != CLUSTER_ISSUER} == {namespace}
    many = [
        e
        for e in env.audit(mark)
        if e.user_agent == AGENT and e.verb in ("list", "watch") and e.resource != "clusterissuers"
    ]
    assert {entry.namespace for entry in many} == {namespace}


@pytest.mark.needs("outages")
def test_an_outage_hides_neither_a_change_nor_a_deletion(
    env: Environment, namespace: str, kube: Kube, sink: Sink
) -> None:
    env.kubectl("create", "-f", "-", input=certificate(namespace, "stays"))
    watcher = Watcher(kube=kube, sink=sink, user_agent=AGENT)
    with running(watcher) as thread:
        eventually(lambda: sink.seen.count((CERTIFICATE, LISTED, namespace, "stays")) == 2)
        time.sleep(1)
        env.require("outages").restart_apiserver()
        env.kubectl("create", "-f", "-", input=certificate(namespace, "after"))
        told = {
            (CERTIFICATE, event, namespace, "after") for event in (ADDED, LISTED)
        }  # LISTED if it forgot its history
        eventually(lambda: bool(told & set(sink.seen)), 40)
        env.kubectl("-n", namespace, "delete", "certificates.certwright.dev", "stays")
        sink.wait((CERTIFICATE, DELETED, namespace, "stays"), 40)
        assert thread.is_alive()
        assert watcher.alive()


def test_what_vanished_between_the_first_list_and_the_watch_is_reported_soon(
    env: Environment, namespace: str, kube: Kube, sink: Sink
) -> None:
    for name in ("goes", "stays"):
        env.kubectl("create", "-f", "-", input=certificate(namespace, name))
    watcher = Watcher(kube=kube, sink=sink, user_agent=AGENT)
    assert watcher.warm(threading.Event())
    env.kubectl("-n", namespace, "delete", "certificates.certwright.dev", "goes")
    with running(watcher, warm=False):
        sink.wait((CERTIFICATE, DELETED, namespace, "goes"))
    assert (CERTIFICATE, DELETED, namespace, "stays") not in sink.seen


def test_a_sweep_finds_what_vanished(env: Environment, namespace: str, kube: Kube, sink: Sink) -> None:
    label = {NAMES.watched_label: "true"}
    for name in ("goes", "stays", "unlabelled"):
        secrets.create(kube, namespace, name, data={"a": b"b"}, labels=label)
    watcher = Watcher(kube=kube, sink=sink, sweep_interval=1.0, user_agent=AGENT)
    with running(watcher):
        eventually(lambda: sink.seen.count(("Secret", LISTED, namespace, "goes")) == 2)
        # As if the watch had missed it: it is known, and not there.
        watcher.feed.deliver("Secret", ADDED, {"metadata": {"namespace": namespace, "name": "phantom"}})
        sink.wait(("Secret", DELETED, namespace, "phantom"))
        env.kubectl("-n", namespace, "label", "secret", "unlabelled", f"{NAMES.watched_label}-")
        sink.wait(("Secret", DELETED, namespace, "unlabelled"))
        time.sleep(1.5)
    assert ("Secret", DELETED, namespace, "stays") not in sink.seen


@pytest.mark.needs("users")
def test_missing_crds_and_rights_are_named_and_waited_for(
    env: Environment, namespace: str, sink: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    absent = Watcher(kube=Kube(kubeconfig=str(env.kubeconfig), names=Names("absent.example")), sink=sink)
    threading.Timer(1.5, stop.set).start()
    assert not absent.warm(stop)
    assert not absent.synced
    assert "clusterissuers.absent.example; install its CustomResourceDefinition" in capsys.readouterr().out

    stop = threading.Event()
    nobody = Kube(kubeconfig=str(env.kubeconfig_for(f"user-{namespace}", [])), names=NAMES)
    watcher = Watcher(kube=nobody, namespaces=[namespace], sink=sink)
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(watcher.warm(stop)))
    thread.start()
    time.sleep(1.5)
    text = capsys.readouterr().out
    assert f"may not list secrets in namespace {namespace}; grant it by RBAC" in text
    grant(env, namespace, f"user-{namespace}")
    thread.join(20)
    assert result == [True]
    assert "ClusterIssuers are not watched" in capsys.readouterr().out
    with running(watcher, warm=False):
        time.sleep(2)
        env.kubectl("create", "-f", "-", input=certificate(namespace, "web"))
        sink.wait((CERTIFICATE, ADDED, namespace, "web"))


def grant(env: Environment, namespace: str, user: str) -> None:
    verbs = "--verb=get,list,watch"
    env.kubectl(
        "-n", namespace, "create", "role", "watch", verbs,
        "--resource=secrets,certificates.certwright.dev,issuers.certwright.dev",
    )  # fmt: skip
    env.kubectl("-n", namespace, "create", "rolebinding", "watch", "--role=watch", f"--user={user}")


@pytest.mark.needs("users")
def test_a_watch_that_cannot_be_ends_the_run(
    env: Environment, namespace: str, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Kube(kubeconfig=str(env.kubeconfig_for(f"other-{namespace}", [])), names=NAMES)
    monkeypatch.setattr("certwright.watch.watcher.BACKOFFS", (0.1,))
    stop = threading.Event()
    with pytest.raises(WatchFailed, match=r"the watch ended: .*forbidden"):
        Watcher(kube=nobody, sink=sink).run(stop)
    assert stop.is_set()
    gc.collect()  # here, and not in the midst of another test: the tasks that failed complain when they are freed


def test_a_sink_that_fails_does_not_end_the_watch(
    env: Environment, namespace: str, kube: Kube, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def sink(_kind: str, _event: str, body: Any) -> None:
        calls.append(body["metadata"]["name"])
        raise ValueError("with hidden-value")

    with running(Watcher(kube=kube, namespaces=[namespace], sink=sink)):
        time.sleep(1.5)
        for name in ("one", "two"):
            env.kubectl("create", "-f", "-", input=certificate(namespace, name))
        eventually(lambda: {"one", "two"} <= set(calls))
    text = capsys.readouterr().out
    assert "an event could not be handled" in text
    assert "ValueError" in text
    assert "hidden-value" not in text
