"""The operator goes and comes, alone and with a second one beside it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waits import (
    Holding,
    client,
    fetch_certificate,
    next_key_secrets,
    operator_writes,
    solver,
    status,
    until,
    wait_issuer,
    wait_order,
    wait_ready,
)

from certwright.kube.faults import NotFound
from certwright.kube.paths import LEASES, path
from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, tsig_secret
from cluster.operator import NAMESPACE, Operator

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit"), pytest.mark.timeout(90)]
MANY = 60
LEASE_SECONDS = 15


def metric(operator: Operator, name: str) -> float:
    """The sum of a metric's samples."""
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", operator.metrics(), re.MULTILINE)
    return sum(float(value) for value in found)


def holder(env: Environment) -> str:
    """Who holds the Lease; empty for nobody."""
    try:
        lease = client(env.kubeconfig).request("GET", path(LEASES, "leases", NAMESPACE, "certwright"))
    except NotFound:
        return ""
    return str(lease["spec"].get("holderIdentity") or "")


@pytest.fixture
def pair(env: Environment, namespace: str, tmp_path: Path) -> Iterator[tuple[Operator, Operator]]:
    """Two operators of the test's namespace that elect a leader; not started."""
    only = (f"--namespaces={namespace}",)
    two = tuple(Operator(env, tmp_path, name=name, leader_elect=True, options=only) for name in ("one", "two"))
    yield two[0], two[1]
    for operator in two:
        operator.stop()


def test_an_order_is_taken_up_where_it_was_left(
    env: Environment, own: Operator, acme_of_own: str, holding: Holding
) -> None:
    mark = env.pebble.mark()
    with holding():
        apply(env, certificate(acme_of_own, "web", "resumed.example.test"))
        order = wait_order(env, acme_of_own, "web")
        (value,) = until(lambda: env.bind.txt("_acme-challenge.resumed.example.test"), 10, "the record is there")
        own.stop()
        assert env.bind.txt("_acme-challenge.resumed.example.test") == [value]
        own.start()
        assert wait_order(env, acme_of_own, "web")["url"] == order["url"]

    wait_ready(env, acme_of_own, "web")
    assert env.pebble.request_counts(mark)["POST /order-plz"] == 1
    assert not env.bind.txt("_acme-challenge.resumed.example.test")
    assert not next_key_secrets(env, acme_of_own)


def test_a_restart_writes_nothing_and_asks_no_ca(env: Environment, own: Operator, acme_of_own: str) -> None:
    names = [f"many{number}" for number in range(MANY)]
    apply(env, *(certificate(acme_of_own, name, f"{name}.example.test") for name in names))
    for name in names:
        wait_ready(env, acme_of_own, name, 60)
    until(lambda: metric(own, "certwright_queue_depth") == 0, 10, "the queue is empty")
    own.stop()
    audit, pebble, began = env.audit_mark(), env.pebble.mark(), time.monotonic()

    own.start()

    def idle() -> bool:
        looked_at = metric(own, "certwright_reconciles_total")
        return looked_at > MANY and metric(own, "certwright_queue_depth") == 0

    until(idle, 10, "everything is looked at and nothing waits", own.metrics)
    assert time.monotonic() - began < 15
    assert operator_writes(env, audit) == []
    assert env.pebble.requests(pebble) == []


def test_of_two_operators_one_works_and_the_other_takes_over(
    env: Environment, pair: tuple[Operator, Operator], namespace: str
) -> None:
    one, two = pair
    one.start()
    until(lambda: metric(one, "certwright_leader") == 1, 25, "one leads")
    apply(env, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=[solver(env)]))
    wait_issuer(env, namespace)
    two.start()
    audit, pebble = env.audit_mark(), env.pebble.mark()
    apply(env, certificate(namespace, "first", "first.example.test"))
    wait_ready(env, namespace, "first")
    assert metric(two, "certwright_leader") == 0
    assert env.pebble.request_counts(pebble)["POST /order-plz"] == 1
    assert len(operator_writes(env, audit, namespace)) <= 6

    one.child.kill9()
    audit, before, began = env.audit_mark(), status(env, namespace, "first"), time.monotonic()
    apply(env, certificate(namespace, "second", "second.example.test"))
    wait_ready(env, namespace, "second", LEASE_SECONDS + 10)

    assert time.monotonic() - began < LEASE_SECONDS + 8
    assert metric(two, "certwright_leader") == 1
    assert status(env, namespace, "first") == before
    assert not [write for write in operator_writes(env, audit, namespace) if "first" in write]

    one.start()
    was, began = holder(env), time.monotonic()
    two.stop()
    until(lambda: holder(env) not in ("", was), 10, "the Lease is handed over")
    assert time.monotonic() - began < 5
    apply(env, certificate(namespace, "third", "third.example.test"))
    wait_ready(env, namespace, "third")
    assert fetch_certificate(env, namespace, "first")["status"] == before
