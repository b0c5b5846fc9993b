"""Certificates that go away while an order is under way: nothing is left of it, and nobody else is kept waiting."""

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
MANY = 30


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


@pytest.mark.needs("controllers")
def test_no_order_is_made_in_a_namespace_that_goes(env: Environment, operator: Operator, acme: str) -> None:
    """Secrets may be deleted before their Certificates: that is no reason to issue them anew."""
    names = [f"going{number}" for number in range(MANY)]
    apply(env, *(certificate(acme, name, f"{name}.example.test") for name in names))
    for name in names:
        wait_ready(env, acme, name, 60)
    mark = env.pebble.mark()

    env.kubectl("delete", "namespace", acme, "--wait=false")
    until(lambda: namespace_is_gone(env, acme), 30, "the namespace is gone")

    until(lambda: "certwright_queue_depth 0.0" in operator.metrics(), 5, "nothing is waited for")
    assert env.pebble.requests(mark) == []
