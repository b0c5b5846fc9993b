"""Certificates that go away while an order is under way: nothing is left of it, and nobody else is kept waiting."""

import re

import pytest
from waits import (
    NAMES,
    Holding,
    client,
    fetch_certificate,
    next_key_secrets,
    secret,
    until,
    wait_order,
    wait_ready,
)

from certwright.kube.faults import NotFound
from certwright.kube.paths import CORE, path
from cluster.environment import Environment
from cluster.manifests import apply, certificate
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]


def under_way(env: Environment, namespace: str, host: str) -> str:
    """Apply the Certificate `web`, and return the name of its record when that is there."""
    name = f"_acme-challenge.{host}"
    apply(env, certificate(namespace, "web", host))
    wait_order(env, namespace, "web")
    until(lambda: env.bind.txt(name), 10, "the record is there")
    return name


def delete(env: Environment, namespace: str) -> None:
    kube = client(env.kubeconfig)
    kube.request("DELETE", path(kube.group_path, "certificates", namespace, "web"))


def namespace_is_gone(env: Environment, namespace: str) -> bool:
    try:
        client(env.kubeconfig).request("GET", path(CORE, "namespaces", "", namespace))
    except NotFound:
        return True
    return False


def test_a_certificate_is_deleted_in_the_middle_of_its_order(env: Environment, acme: str, holding: Holding) -> None:
    with holding():
        name = under_way(env, acme, "deleted.example.test")
        delete(env, acme)
        until(lambda: not env.bind.txt(name), 10, "the record is removed")

    assert fetch_certificate(env, acme, "web") == {}
    assert not next_key_secrets(env, acme)
    assert secret(env, acme, "web-tls") is None


def test_a_certificate_is_deleted_and_made_anew_at_once(env: Environment, acme: str, holding: Holding) -> None:
    """The record of the first one's order goes, though there is a Certificate of that name."""
    with holding():
        name = under_way(env, acme, "anew.example.test")
        (old,) = env.bind.txt(name)
        delete(env, acme)
        apply(env, certificate(acme, "web", "anew.example.test"))
        until(lambda: env.bind.txt(name) not in ([], [old]), 15, "the second one's record is there")

    wait_ready(env, acme, "web")
    until(lambda: not env.bind.txt(name), 5, "no record is left", lambda: (old, env.bind.txt(name)))


@pytest.mark.needs("controllers")
def test_a_namespace_is_deleted_in_the_middle_of_an_order(
    env: Environment, operator: Operator, acme: str, holding: Holding
) -> None:
    with holding():
        name = under_way(env, acme, "namespace.example.test")
        env.kubectl("delete", "namespace", acme, "--wait=false")
        until(lambda: not env.bind.txt(name), 30, "the record is removed")
        until(lambda: namespace_is_gone(env, acme), 30, "the namespace is gone")

    until(lambda: "certwright_queue_depth 0.0" in operator.metrics(), 5, "nothing is waited for")
    assert operator.child.running
    assert "Traceback" not in operator.log()
    assert NAMES.next_key_label not in env.kubectl("get", "secrets", "-A", "-o", "jsonpath={..labels}", "-n", acme)


@pytest.mark.needs("controllers", "outages")
def test_no_order_is_made_in_a_namespace_that_goes(env: Environment, operator: Operator, acme: str) -> None:
    """Secrets may be deleted before their Certificates: that is no reason to issue them anew."""
    controllers = env.require("controllers").controllers
    assert controllers
    apply(env, certificate(acme, "web", "going.example.test"))
    wait_ready(env, acme, "web")
    controllers.stop()  # so that the order in which things go is ours
    try:
        env.kubectl("delete", "namespace", acme, "--wait=false")
        mark, looks = env.pebble.mark(), reconciles(operator)
        client(env.kubeconfig).request("DELETE", path(CORE, "secrets", acme, "web-tls"))
        until(lambda: reconciles(operator) > looks, 10, "the loss is noticed")
        apply(env, certificate(acme, "web", "going.example.test", renewBeforePercentage=20))
        until(lambda: reconciles(operator) > looks + 1, 10, "the Certificate is looked at again")
    finally:
        controllers.start()

    until(lambda: namespace_is_gone(env, acme), 30, "the namespace is gone")
    assert env.pebble.requests(mark) == []


def reconciles(operator: Operator) -> float:
    """How often a Certificate was looked at."""
    found = re.findall(r'^certwright_reconciles_total{kind="Certificate".*} (\S+)$', operator.metrics(), re.MULTILINE)
    return sum(float(value) for value in found)
