"""What is known, what is told, and what a sweep may take for vanished."""

from typing import Any

import pytest

from certwright.kube import lists
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Names
from certwright.watch.feed import ADDED, DELETED, LISTED, MODIFIED, Feed
from certwright.watch.scope import KINDS, Scope
from certwright.watch.sweeper import Sweeper


def body(name: str, namespace: str = "shop") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}}


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def feed(told: list[tuple[str, str, str]]) -> Feed:
    return Feed(lambda kind, event, body: told.append((kind, event, body["metadata"]["name"])), KINDS)


def test_it_tells_and_remembers(feed: Feed, told: list[tuple[str, str, str]]) -> None:
    for event in (LISTED, ADDED, MODIFIED):
        feed.deliver(CERTIFICATE, event, body("a"))
    feed.deliver(CERTIFICATE, ADDED, body("b"))
    feed.deliver(CERTIFICATE, DELETED, body("b"))
    feed.deliver(CERTIFICATE, DELETED, body("never-seen"))
    assert feed.count(CERTIFICATE) == 1
    assert feed.count(ISSUER) == 0
    assert [event for _, event, _ in told] == [LISTED, ADDED, MODIFIED, ADDED, DELETED, DELETED]


@pytest.mark.parametrize("odd", [{}, {"metadata": None}, {"metadata": {}}])
def test_a_body_without_a_name_does_not_stop_it(odd: dict[str, Any]) -> None:
    seen: list[Any] = []
    Feed(lambda *event: seen.append(event), KINDS).deliver(CERTIFICATE, ADDED, odd)
    assert len(seen) == 1


def sweep(feed: Feed, there: list[str], monkeypatch: pytest.MonkeyPatch, meanwhile: Any = None) -> int:
    def of_kind(*_: Any, **__: Any) -> Any:
        yield from (body(name) for name in there)
        if meanwhile:
            meanwhile()

    monkeypatch.setattr(lists, "of_kind", of_kind)
    scope = Scope(Names(), ())
    return Sweeper(None, scope, feed, interval=60).sweep(CERTIFICATE)  # type: ignore[arg-type]


def test_a_sweep(feed: Feed, told: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        feed.deliver(CERTIFICATE, LISTED, body(name))
    feed.deliver(ISSUER, LISTED, body("a"))
    told.clear()
    assert sweep(feed, ["b", "unknown"], monkeypatch) == 2
    assert told == [(CERTIFICATE, DELETED, "a"), (CERTIFICATE, DELETED, "c")]
    assert sweep(feed, ["b"], monkeypatch) == 0
    assert feed.count(ISSUER) == 1


def test_what_was_heard_of_during_a_sweep_has_not_vanished(
    feed: Feed, told: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.deliver(CERTIFICATE, LISTED, body("made-again"))
    assert sweep(feed, [], monkeypatch, lambda: feed.deliver(CERTIFICATE, ADDED, body("made-again"))) == 0
    assert (CERTIFICATE, DELETED, "made-again") not in told
    assert sweep(feed, [], monkeypatch) == 1


@pytest.mark.parametrize(
    ("namespaces", "places"),
    [
        (
            (),
            {
                (lists.SECRET, "", "/api/v1/secrets"),
                (CLUSTER_ISSUER, "", "/apis/g.example/v1/clusterissuers"),
                (ISSUER, "", "/apis/g.example/v1/issuers"),
                (CERTIFICATE, "", "/apis/g.example/v1/certificates"),
            },
        ),
        (
            ("a",),
            {
                (lists.SECRET, "a", "/api/v1/namespaces/a/secrets"),
                (CLUSTER_ISSUER, "", "/apis/g.example/v1/clusterissuers"),
                (ISSUER, "a", "/apis/g.example/v1/namespaces/a/issuers"),
                (CERTIFICATE, "a", "/apis/g.example/v1/namespaces/a/certificates"),
            },
        ),
    ],
)
def test_places(namespaces: tuple[str, ...], places: set[tuple[str, str, str]]) -> None:
    scope = Scope(Names("g.example"), namespaces)
    assert {(place.kind, place.namespace, place.path) for place in scope.places()} == places
    selectors = {place.kind: place.selector for place in scope.places()}
    assert selectors.pop(lists.SECRET) == "controller.g.example/fao=true"
    assert set(selectors.values()) == {""}
    assert CLUSTER_ISSUER not in {place.kind for place in scope.without(CLUSTER_ISSUER).places()}
