"""A CA that refuses nonces, and one that forgets everything: real Pebble."""

from collections.abc import Callable

import pytest
from waits import (
    Holding,
    get,
    next_key_secrets,
    secret,
    solver,
    until,
    wait_issuer,
    wait_order,
    wait_ready,
)

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, tsig_secret
from cluster.operator import Operator
from cluster.pebble import Pebble, PebbleOptions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]
PebbleWith = Callable[[PebbleOptions], Pebble]


def ready_issuer(env: Environment, namespace: str, pebble: Pebble) -> str:
    """Make the Issuer `acme` for one CA, and return its account's URL."""
    issuer = acme_issuer(env, namespace, pebble=pebble, solvers=[solver(env)])
    apply(env, tsig_secret(env, namespace), issuer)
    return str(wait_issuer(env, namespace, timeout=60)["status"]["acme"]["uri"])


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("per_cent", [50, 90])
def test_most_nonces_are_refused(env: Environment, namespace: str, pebble_with: PebbleWith, per_cent: int) -> None:
    pebble = pebble_with(PebbleOptions(nonce_reject=per_cent))
    ready_issuer(env, namespace, pebble)
    names = [f"n{number}.nonce{per_cent}.example.test" for number in range(4)]

    apply(env, certificate(namespace, "web", *names))

    body = wait_ready(env, namespace, "web", 60)
    assert "failedIssuanceAttempts" not in body["status"]
    assert not any(env.bind.txt(f"_acme-challenge.{name}") for name in names)


def test_a_ca_that_forgets_everything_in_the_middle_of_an_order(
    env: Environment, operator: Operator, namespace: str, pebble_with: PebbleWith, holding: Holding
) -> None:
    pebble = pebble_with(PebbleOptions())
    # Numbers of accounts are random, so that the same URL cannot come again.
    account = ready_issuer(env, namespace, pebble)
    name = "_acme-challenge.forgotten.example.test"
    with holding():
        apply(env, certificate(namespace, "web", "forgotten.example.test"))
        order = wait_order(env, namespace, "web")
        (value,) = until(lambda: env.bind.txt(name), 10, "the record is there")
        mark = pebble.mark()
        pebble.restart()

    body = wait_ready(env, namespace, "web", 60)
    assert "failedIssuanceAttempts" not in body["status"]
    registered = str((get(env, "issuers", namespace, "acme") or {})["status"]["acme"]["uri"])
    assert registered != account
    counts = pebble.request_counts(mark)
    assert counts["POST /sign-me-up"] == 1
    assert counts["POST /order-plz"] <= 2  # one may be what the loss of the account was noticed by
    assert order["url"] not in str(body["status"])
    assert value not in env.bind.txt(name)
    assert not env.bind.txt(name)
    assert not next_key_secrets(env, namespace)
    assert secret(env, namespace, "web-tls")
    assert "Traceback" not in operator.log()


def test_a_ca_that_forgot_everything_is_met_with_a_new_account(
    env: Environment, acme: str, pebble_with: PebbleWith
) -> None:
    """Between two orders: the next one registers, and the certificate that is there stays."""
    pebble = pebble_with(PebbleOptions())
    before = ready_issuer(env, acme, pebble)
    pebble.restart()

    apply(env, certificate(acme, "web", "again.example.test"))

    wait_ready(env, acme, "web", 60)
    assert (get(env, "issuers", acme, "acme") or {})["status"]["acme"]["uri"] != before
