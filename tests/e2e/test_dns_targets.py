"""A CNAME from one zone into another, whose keys different solvers have."""

import base64

import pytest
from waits import wait_issuer, wait_ready

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, rfc2136, tsig_secret
from cluster.operator import Operator

pytestmark = pytest.mark.cluster


@pytest.mark.usefixtures("operator")
def test_the_solver_that_names_the_targets_zone_writes_there(
    env: Environment, operator: Operator, namespace: str
) -> None:
    """The solver that fits the name has a key that is good for nothing."""
    assert operator.child.running
    wrong = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "wrong", "namespace": namespace},
        "stringData": {"key": base64.b64encode(b"good for nothing").decode()},
    }
    target = {"selector": {"dnsZones": ["validation.test"]}, **rfc2136(env)}
    solvers = [rfc2136(env, secret="wrong"), target]
    apply(env, wrong, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=solvers))
    wait_issuer(env, namespace)

    apply(env, certificate(namespace, "web", "alias.example.test"))

    wait_ready(env, namespace, "web", 60)
    assert not env.bind.txt("alias.validation.test")
