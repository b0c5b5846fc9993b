"""Calls of webhooks: where they go, and what each kind of answer means to a person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stub import Answer, Request, Stub

from certwright.errors import InvalidSpec, Retryable, Throttled
from certwright.kube import webhooks
from certwright.kube.client import Kube
from certwright.kube.faults import Forbidden
from certwright.resources.names import Names

GROUP, SOLVER = "acme.example.com", "mine"
DISCOVERY = f"/apis/{GROUP}/v1alpha1"


class Counted(list[tuple[str, str, int]]):
    def add(self, verb: str, resource: str, code: int, _seconds: float) -> None:
        self.append((verb, resource, code))


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def kube(stub: Stub, tmp_path: Path, counted: Counted) -> Iterator[Kube]:
    client = Kube(kubeconfig=stub.kubeconfig(tmp_path), names=Names(), on_request=counted.add)
    yield client
    client.close()


def status(code: int, message: str, **more: Any) -> Answer:
    return Answer(code, {"kind": "Status", "status": "Failure", "code": code, "message": message, **more})


def test_the_payload_is_posted_and_the_answer_comes_back(kube: Kube, stub: Stub, counted: Counted) -> None:
    stub.answer = lambda request: Answer(201, {**request.body, "response": {"success": True}})
    assert webhooks.call(kube, GROUP, SOLVER, {"a": 1}) == {"a": 1, "response": {"success": True}}
    (request,) = stub.requests
    assert (request.method, request.path, request.body) == ("POST", f"{DISCOVERY}/{SOLVER}", {"a": 1})
    # a tenant chooses the name: it makes no new counter
    assert counted == [("create", "webhook", 201)]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?b", "A", "a b", "v1/namespaces/default/secrets", "x" * 300])
def test_a_name_cannot_lead_elsewhere(kube: Kube, stub: Stub, name: str) -> None:
    for group, solver in ((name, SOLVER), (GROUP, name)):
        with pytest.raises(InvalidSpec, match="cannot be the name"):
            webhooks.call(kube, group, solver, {})
    assert stub.requests == []


def test_a_missing_right_is_the_rule_to_grant(kube: Kube, stub: Stub) -> None:
    stub.answer = lambda _: status(
        403,
        f'{SOLVER}.{GROUP} is forbidden: User "system:serviceaccount:certwright:certwright" cannot create resource '
        f'"{SOLVER}" in API group "{GROUP}" at the cluster scope',
        reason="Forbidden",
    )
    with pytest.raises(Forbidden) as caught:
        webhooks.call(kube, GROUP, SOLVER, {})
    assert caught.value.message == (
        f"system:serviceaccount:certwright:certwright may not create {SOLVER} of API group {GROUP} in the whole "
        f"cluster; grant it by RBAC; the rule it takes: apiGroups [{GROUP}], resources [{SOLVER}], verbs [create]"
    )


def test_a_group_that_nothing_serves(kube: Kube, stub: Stub) -> None:
    stub.answer = lambda _: Answer(404, b"404 page not found\n")
    with pytest.raises(Retryable) as caught:
        webhooks.call(kube, GROUP, SOLVER, {})
    assert caught.value.reason == "WebhookNotServed"
    assert f"there is no APIService v1alpha1.{GROUP}; install the webhook" in caught.value.message


@pytest.mark.parametrize(
    ("resources", "listed"), [([{"name": "b"}, {"name": "a"}], "a, b"), ([], "none"), (None, "none"), (["?"], "none")]
)
def test_a_solver_that_the_group_has_not(kube: Kube, stub: Stub, resources: object, listed: str) -> None:
    def answer(request: Request) -> Answer:
        return Answer(200, {"resources": resources}) if request.path == DISCOVERY else Answer(404, b"not found")

    stub.answer = answer
    with pytest.raises(Retryable) as caught:
        webhooks.call(kube, GROUP, SOLVER, {})
    assert f"has no solver {SOLVER}; it has {listed}; correct solverName" in caught.value.message


@pytest.mark.parametrize("code", [500, 503, 504])
def test_a_webhook_that_is_down(kube: Kube, stub: Stub, code: int) -> None:
    stub.answer = lambda _: Answer(code, b"service unavailable\n")
    with pytest.raises(Retryable) as caught:
        webhooks.call(kube, GROUP, SOLVER, {})
    assert caught.value.reason == "WebhookUnavailable"
    assert f"look at the APIService v1alpha1.{GROUP} and at the webhook's pods" in caught.value.message


def test_one_that_never_answers(kube: Kube, stub: Stub, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.3)
    stub.answer = lambda _: Answer(delay=2)
    with pytest.raises(Retryable, match=f"the webhook behind API group {GROUP} gives no answer"):
        webhooks.call(kube, GROUP, SOLVER, {})
    assert counted == [("create", "webhook", 0)]


def test_an_overloaded_api_server_is_obeyed(kube: Kube, stub: Stub) -> None:
    stub.answer = lambda _: Answer(429, {"kind": "Status"}, {"Retry-After": "7"})
    with pytest.raises(Throttled):
        webhooks.call(kube, GROUP, SOLVER, {})


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"7"])
def test_an_answer_that_is_no_object_is_empty(kube: Kube, stub: Stub, body: bytes) -> None:
    stub.answer = lambda _: Answer(201, body)
    assert webhooks.call(kube, GROUP, SOLVER, {}) == {}
