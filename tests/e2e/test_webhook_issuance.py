"""A certificate by a webhook solver: the whole operator, with the right that it takes and without."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from waits import status, until, wait_condition, wait_issuer, wait_ready

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate
from cluster.operator import Operator
from cluster.webhook import SolverError, Webhook, granted

pytestmark = [pytest.mark.cluster, pytest.mark.needs("aggregation", "users"), pytest.mark.timeout(180)]

GROUP, USER = "acme.company.example", "certwright-with-webhook"
CONFIG = {"account": 7, "tokenSecretRef": {"name": "token", "key": "token"}}


@pytest.fixture
def webhook(env: Environment, tmp_path: Path) -> Iterator[Webhook]:
    def solve(request: Mapping[str, Any]) -> None:
        if request["config"] != CONFIG:
            raise SolverError("account 7 is not configured")
        change = "add" if request["action"] == "Present" else "remove"
        env.bind.update(request["resolvedZone"].rstrip("."), **{change: [(request["resolvedFQDN"], request["key"])]})

    with Webhook(env, tmp_path, GROUP, {"bind": solve}) as running:
        yield running


@pytest.fixture
def operator(env: Environment, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """One that may do everything in its namespace, and nothing at the webhook yet."""
    user = f"{USER}-{secrets.token_hex(3)}"
    env.kubectl("-n", namespace, "create", "rolebinding", "it", "--clusterrole=cluster-admin", f"--user={user}")
    running = Operator(
        env, tmp_path, options=(f"--namespaces={namespace}",), kubeconfig=env.kubeconfig_for(user), name=user
    )
    running.start()
    yield running
    running.stop()


def solver(**config: object) -> dict[str, Any]:
    webhook = {"groupName": GROUP, "solverName": "bind", "config": {**CONFIG, **config}}
    return {"dns01": {"webhook": webhook, "propagation": {"interval": "1s"}}}


def test_a_certificate(env: Environment, namespace: str, operator: Operator, webhook: Webhook) -> None:
    with granted(env, operator.child.name, GROUP):
        apply(env, acme_issuer(env, namespace, solvers=[solver()]))
        wait_issuer(env, namespace)
        names = ["webhook.example.test", "*.webhook.example.test", "alias.example.test"]
        apply(env, certificate(namespace, "web", *names))
        wait_ready(env, namespace, "web", 90)
        until(lambda: len(webhook.requests) >= 6, 20, "the clean-up of three values")

    assert [request["action"] for request in webhook.requests] == ["Present"] * 3 + ["CleanUp"] * 3
    assert {request["resourceNamespace"] for request in webhook.requests} == {namespace}
    assert {request["resolvedFQDN"] for request in webhook.requests} == {
        "_acme-challenge.webhook.example.test.",
        "alias.validation.test.",
    }
    assert env.bind.txt("_acme-challenge.webhook.example.test") == []
    assert env.bind.txt("alias.validation.test") == []


def test_a_right_that_is_missing_is_in_the_status(
    env: Environment, namespace: str, operator: Operator, webhook: Webhook
) -> None:
    apply(env, acme_issuer(env, namespace, solvers=[solver()]))
    wait_issuer(env, namespace)
    apply(env, certificate(namespace, "web", "forbidden.example.test"))
    rule = f"apiGroups [{GROUP}], resources [bind], verbs [create]"
    until(lambda: rule in str(status(env, namespace, "web")), 60, rule, lambda: status(env, namespace, "web"))
    assert f"{operator.child.name} may not create bind" in str(status(env, namespace, "web"))
    assert webhook.requests == []


def test_the_solvers_words_are_in_the_status(
    env: Environment, namespace: str, operator: Operator, webhook: Webhook
) -> None:
    with granted(env, operator.child.name, GROUP):
        apply(env, acme_issuer(env, namespace, solvers=[solver(account=8)]))
        wait_issuer(env, namespace)
        apply(env, certificate(namespace, "web", "refused.example.test"))
        said = wait_condition(env, namespace, "web", "Issuing", says="account 7 is not configured", timeout=60)
    assert f"the solver bind of {GROUP} cannot Present" in said["message"]
    assert webhook.requests
