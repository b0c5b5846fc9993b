"""cert-manager's own rfc2136 solver on cert-manager's own webhook server: not our code, as nobody's webhook is."""

import base64
import secrets
from collections.abc import Iterator

import pytest

from certwright.errors import Retryable
from certwright.issuers.places import Places
from certwright.kube.client import Kube
from certwright.providers import registry
from certwright.providers.base import Provider
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.issuer import Issuer
from certwright.resources.meta import Meta
from certwright.resources.names import ISSUER, Names, ObjectKey
from certwright.resources.reading import Fields
from cluster.environment import Environment
from cluster.manifests import apply, tsig_secret
from cluster.webhook import granted
from cluster.webhook_solver import GROUP, RealWebhook

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.needs("aggregation", "users")]

USER, ZONE, NAME = "certwright", "example.test.", "_acme-challenge.example.test."


@pytest.fixture(scope="module")
def webhook(
    env: Environment,
    webhook_solver_program: None,  # noqa: ARG001 - built before the tests
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RealWebhook]:
    if reason := env.missing("aggregation", "users"):
        pytest.skip(reason)
    with RealWebhook(env, tmp_path_factory.mktemp("webhook")) as running:
        yield running


@pytest.fixture(scope="module")
def kube(env: Environment, webhook: RealWebhook) -> Iterator[Kube]:
    """The operator's client: it may read no Secret."""
    assert webhook.process.running
    with granted(env, USER, GROUP):
        client = Kube(kubeconfig=str(env.kubeconfig_for(USER)), names=Names())
        yield client
        client.close()


@pytest.fixture(scope="module")
def tenant(env: Environment) -> Iterator[str]:
    """A namespace with the Secret that the solver reads."""
    name = f"tenant-{secrets.token_hex(3)}"
    env.kubectl("create", "namespace", name)
    apply(env, tsig_secret(env, name))
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false")


def provider(env: Environment, kube: Kube, tenant: str, *, secret: str = "tsig") -> Provider:
    config = {
        "nameserver": env.bind.resolver,
        "tsigKeyName": env.bind.key_name,
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": secret, "key": "key"},
    }
    webhook = {"groupName": GROUP, "solverName": "rfc2136", "config": config}
    meta = Meta.of({"metadata": {"name": "acme", "namespace": tenant}})
    issuer, places = Issuer(ObjectKey(ISSUER, tenant, "acme"), meta), Places(kube, "certwright")
    fields = Fields({"webhook": webhook}, "spec.acme.solvers[0].dns01")
    return registry.build(fields, lambda name, key: places.value(issuer, name, key), places.identity(issuer))[1]


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(env: Environment, kube: Kube, tenant: str, check: Check) -> None:
    if check.name == "values are kept as they are or refused":
        pytest.skip("the solver writes quotes as they are, and does not say that it could not")
    check.run(
        Subject(
            make=lambda: provider(env, kube, tenant),
            read_txt=env.bind.txt,
            zone=ZONE,
            subzone="sub.example.test.",
        )
    )


def test_a_value_of_somebody_else_stays(env: Environment, kube: Kube, tenant: str) -> None:
    made, name = provider(env, kube, tenant), f"_acme-challenge.theirs.{ZONE}"
    env.bind.update("example.test", add=[(name, "theirs")])
    made.add_txt(ZONE, name, VALUES[0])
    assert env.bind.txt(name) == sorted([VALUES[0], "theirs"])
    made.remove_txt(ZONE, name, VALUES[0])
    assert env.bind.txt(name) == ["theirs"]
    env.bind.update("example.test", remove=[(name, "theirs")])


def test_a_secret_that_the_tenant_has_not(env: Environment, kube: Kube, tenant: str) -> None:
    with pytest.raises(Retryable) as caught:
        provider(env, kube, tenant, secret="nosuch").add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "WebhookRefused"
    assert '"nosuch" not found' in caught.value.message


def test_a_wrong_key(env: Environment, kube: Kube, tenant: str) -> None:
    wrong = base64.b64encode(b"wrong").decode()
    metadata = {"name": "wrong", "namespace": tenant}
    apply(env, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": wrong}})
    with pytest.raises(Retryable, match="cannot Present") as caught:
        provider(env, kube, tenant, secret="wrong").add_txt(ZONE, NAME, VALUES[0])
    assert wrong not in caught.value.message
