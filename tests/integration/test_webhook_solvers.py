"""cert-manager's webhook protocol on a real API server: through the aggregation layer to a solver, and into BIND."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from certwright.errors import InvalidSpec, Retryable
from certwright.issuers.places import Places
from certwright.kube import webhooks
from certwright.kube.client import Kube
from certwright.kube.faults import Forbidden
from certwright.providers import registry
from certwright.providers.base import Provider
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.issuer import Issuer
from certwright.resources.meta import Meta
from certwright.resources.names import CLUSTER_ISSUER, ISSUER, Names, ObjectKey
from certwright.resources.reading import Fields
from cluster.bind import strings
from cluster.environment import Environment
from cluster.webhook import SolverError, Webhook, granted

pytestmark = [pytest.mark.cluster, pytest.mark.needs("aggregation", "users")]

GROUP, SOLVER, USER = "acme.example.com", "bind", "certwright"
AT, ZONE = "spec.acme.solvers[0].dns01", "example.test."
CONFIG = {
    "server": "the test's BIND",
    "tokenSecretRef": {"name": "token", "key": "token"},
    "list": [1, None, {"a": 0.5}],
}


@pytest.fixture(scope="module")
def webhook(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """Our own server: its solver changes TXT records of BIND, each by its value, as the protocol asks."""
    if reason := env.missing("aggregation", "users"):
        pytest.skip(reason)

    def solve(request: Mapping[str, Any]) -> None:
        zone = request["resolvedZone"].rstrip(".")
        if zone not in {known.name for known in env.bind.zones}:
            raise SolverError(f"the account has no zone {zone}")
        item = [(request["resolvedFQDN"], strings(request["key"]))]
        env.bind.update(zone, **({"add": item} if request["action"] == "Present" else {"remove": item}))

    with Webhook(env, tmp_path_factory.mktemp("webhook"), GROUP, {SOLVER: solve, "other": solve}) as running:
        yield running


@pytest.fixture(autouse=True)
def _as_it_was(webhook: Webhook) -> Iterator[None]:
    yield
    webhook.reply, webhook.delay = None, 0.0


@pytest.fixture(scope="module")
def kube(env: Environment) -> Iterator[Kube]:
    """The operator's client, with no right but the one that the protocol needs."""
    with granted(env, USER, GROUP):
        client = Kube(kubeconfig=str(env.kubeconfig_for(USER)), names=Names())
        yield client
        client.close()


def issuer(kind: str = ISSUER, namespace: str = "team-a") -> Issuer:
    metadata = {"name": "acme"} | ({} if kind == CLUSTER_ISSUER else {"namespace": namespace})
    return Issuer(ObjectKey(kind, metadata.get("namespace", ""), "acme"), Meta.of({"metadata": metadata}))


def provider(kube: Kube, of: Issuer | None = None, **changes: object) -> Provider:
    config = Fields({"webhook": {"groupName": GROUP, "solverName": SOLVER, "config": CONFIG} | changes}, AT)
    places, of = Places(kube, "certwright"), of or issuer()
    return registry.build(config, lambda name, key: places.value(of, name, key), places.identity(of))[1]


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(env: Environment, kube: Kube, webhook: Webhook, check: Check) -> None:
    assert webhook.group == GROUP
    check.run(Subject(make=lambda: provider(kube), read_txt=env.bind.txt, zone=ZONE, subzone="sub.example.test."))


def test_the_api_server_asks_in_the_operators_name_and_changes_nothing(kube: Kube, webhook: Webhook) -> None:
    name = f"_acme-challenge.www.{ZONE}"
    provider(kube).add_txt(ZONE, name, VALUES[0])
    assert webhook.users[-1] == USER
    request = webhook.requests[-1]
    assert request.pop("uid")
    assert request == {
        "action": "Present",
        "type": "dns-01",
        "dnsName": "www.example.test",
        "key": VALUES[0],
        "resourceNamespace": "team-a",
        "resolvedFQDN": name,
        "resolvedZone": ZONE,
        "allowAmbientCredentials": False,
        "config": CONFIG,
    }
    provider(kube).remove_txt(ZONE, name, VALUES[0])
    assert webhook.requests[-1]["action"] == "CleanUp"


def test_a_cluster_issuer_has_the_operators_namespace_and_may_use_its_credentials(kube: Kube, webhook: Webhook) -> None:
    made = provider(kube, issuer(CLUSTER_ISSUER))
    made.add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    made.remove_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    for request in webhook.requests[-2:]:
        assert (request["resourceNamespace"], request["allowAmbientCredentials"]) == ("certwright", True)


def test_the_solver_says_no(kube: Kube, webhook: Webhook) -> None:
    with pytest.raises(Retryable) as caught:
        provider(kube).add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])
    assert caught.value.reason == "WebhookRefused"
    assert f"solver {SOLVER} of {GROUP} cannot Present" in caught.value.message
    assert "the account has no zone example.org" in caught.value.message
    assert webhook.requests[-1]["resolvedZone"] == "example.org."


def test_a_right_that_is_missing(env: Environment, webhook: Webhook) -> None:
    before = len(webhook.requests)
    client = Kube(kubeconfig=str(env.kubeconfig_for("nobody-special")), names=Names())
    try:
        with pytest.raises(Forbidden) as caught:
            provider(client).add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    finally:
        client.close()
    assert "nobody-special may not create bind of API group acme.example.com" in caught.value.message
    assert "the rule it takes: apiGroups [acme.example.com], resources [bind], verbs [create]" in caught.value.message
    assert len(webhook.requests) == before


def test_a_solver_that_the_webhook_has_not(kube: Kube, webhook: Webhook) -> None:
    assert sorted(webhook.solvers) == ["bind", "other"]
    with pytest.raises(Retryable, match="has no solver nosuch; it has bind, other; correct solverName"):
        provider(kube, solverName="nosuch").add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])


def test_a_group_that_nothing_serves(env: Environment) -> None:
    with granted(env, USER, "nothing.example.com"):
        client = Kube(kubeconfig=str(env.kubeconfig_for(USER)), names=Names())
        try:
            with pytest.raises(
                Retryable, match=r"there is no APIService v1alpha1\.nothing\.example\.com; install"
            ) as caught:
                provider(client, groupName="nothing.example.com").add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
        finally:
            client.close()
    assert caught.value.reason == "WebhookNotServed"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (201, b"{}", "its answer to Present has no response"),
        (201, b"not json", "its answer to Present has no response"),
        (201, json.dumps({"response": {"success": "yes"}}).encode(), "and does not say why"),
        (500, b"a stack trace with token=0123456789", "gives no answer"),
        (503, b"", "gives no answer"),
    ],
)
def test_answers_that_are_none(kube: Kube, webhook: Webhook, status: int, body: bytes, said: str) -> None:
    webhook.reply = lambda _: (status, body)
    with pytest.raises(Retryable, match=said) as caught:
        provider(kube).add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    assert "0123456789" not in caught.value.message


def test_a_solver_that_hangs(kube: Kube, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.5)
    webhook.delay = 3.0
    with pytest.raises(Retryable, match=f"the webhook behind API group {GROUP} gives no answer") as caught:
        provider(kube).add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    assert caught.value.reason == "WebhookUnavailable"


def test_a_tenant_cannot_reach_another_api(env: Environment, namespace: str) -> None:
    """An administrator's client would be let through; the names are not."""
    client = Kube(kubeconfig=str(env.kubeconfig), names=Names())
    try:
        for group in ("rbac.authorization.k8s.io/v1/clusterroles?x=", "../../api/v1", "a/b"):
            with pytest.raises(InvalidSpec, match="cannot be the name"):
                provider(client, groupName=group).add_txt(ZONE, ZONE, VALUES[0])
            with pytest.raises(InvalidSpec, match="cannot be the name"):
                provider(client, solverName=group).add_txt(ZONE, ZONE, VALUES[0])
        # An API group of the cluster's own does not take the payload for one of its objects.
        with pytest.raises((Retryable, Forbidden, InvalidSpec)):
            provider(client, groupName="certwright.dev", solverName="issuers").add_txt(ZONE, ZONE, VALUES[0])
    finally:
        client.close()
    assert env.kubectl("-n", namespace, "get", "issuers.certwright.dev", "-o", "name") == ""
