"""Tokens of ServiceAccounts: what is asked for, and what an API server may answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stub import Answer, Stub

from certwright.errors import InvalidSpec, Retryable
from certwright.kube import tokens
from certwright.kube.client import Kube
from certwright.kube.faults import Forbidden
from certwright.resources.names import Names


@pytest.fixture
def kube(stub: Stub, tmp_path: Path) -> Iterator[Kube]:
    client = Kube(kubeconfig=stub.kubeconfig(tmp_path), names=Names())
    yield client
    client.close()


def test_a_token_for_ten_minutes_and_its_audiences(stub: Stub, kube: Kube) -> None:
    stub.answer = lambda _: Answer(201, {"status": {"token": "a.b.c"}})
    assert tokens.make(kube, "shop", "solver", ["sts.amazonaws.com"]) == "a.b.c"
    (request,) = stub.requests
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/shop/serviceaccounts/solver/token")
    assert request.body["spec"] == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}


@pytest.mark.parametrize(
    "body", [{}, {"status": {}}, {"status": {"token": ""}}, {"status": {"token": 7}}, {"status": None}]
)
def test_an_answer_without_a_token(stub: Stub, kube: Kube, body: dict[str, object]) -> None:
    stub.answer = lambda _: Answer(201, body)
    with pytest.raises(Retryable, match="made no token for ServiceAccount shop/solver"):
        tokens.make(kube, "shop", "solver", [])


def test_a_service_account_that_is_not_there(stub: Stub, kube: Kube) -> None:
    details = {"name": "solver", "kind": "serviceaccounts"}
    stub.answer = lambda _: Answer(404, {"reason": "NotFound", "details": details})
    with pytest.raises(InvalidSpec, match="no ServiceAccount solver in namespace shop; create it") as caught:
        tokens.make(kube, "shop", "solver", [])
    assert caught.value.reason == "ServiceAccountNotFound"


def test_a_right_that_lacks_is_named(stub: Stub, kube: Kube) -> None:
    text = 'serviceaccounts "solver" is forbidden: User "op" cannot create resource "serviceaccounts/token"'
    stub.answer = lambda _: Answer(403, {"reason": "Forbidden", "message": text})
    with pytest.raises(Forbidden, match="op may not create serviceaccounts/token in namespace shop; grant it by RBAC"):
        tokens.make(kube, "shop", "solver", [])
