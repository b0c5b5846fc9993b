"""Renewal when its time has come: short lives and real clocks, nothing is set by hand."""

import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from bad_input_support import authority_pair, secret
from cryptography import x509
from waits import fetch_certificate, until, wait_ready
from waits import secret as read_secret

from certwright.core.renewal import SPREAD
from certwright.resources.values import parse_time
from cluster.environment import Environment
from cluster.manifests import Manifest, acme_issuer, apply, certificate, condition, issuer, tsig_secret
from cluster.operator import Operator
from cluster.pebble import Pebble, PebbleOptions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]

LIFETIME = 24
"""Seconds; renewed after two thirds of it."""
KEYS = {"always": {"algorithm": "ECDSA"}, "never": {"algorithm": "ECDSA", "rotationPolicy": "Never"}}


@pytest.fixture(scope="module")
def space(env: Environment, operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace with certificates of a CA that lets them live for seconds, and some that live for long."""
    assert operator.child.running
    name = f"renewal-{random.token_hex(3)}"
    folder = tmp_path_factory.mktemp("short-lived")
    options = PebbleOptions(dns_server=env.bind.resolver, profiles={"default": LIFETIME}, retry_after_order=0)
    crt, key = authority_pair()
    with Pebble(folder, options) as pebble:
        apply(
            env,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
            tsig_secret(env, name),
            acme_issuer(env, name, pebble=pebble),
            secret(name, "ca", tls_crt=crt, tls_key=key),
            issuer(name, "ca", ca={"secretName": "ca"}),
            *(certificate(name, policy, f"{policy}.example.test", privateKey=key) for policy, key in KEYS.items()),
            *(
                certificate(name, f"{word}-{number}", "web.example.test", issuer="ca", duration="100h", **times)
                for word, times in (
                    ("third", {}),
                    ("before", {"renewBefore": "10h"}),
                    ("percentage", {"renewBeforePercentage": 25}),
                )
                for number in range(4)
            ),
        )
        yield name
        env.kubectl("delete", "namespace", name, "--wait=false", check=False)


@dataclass(slots=True)
class Watched:
    """A certificate through a renewal.

    Attributes:
        first: The Certificate before it.
        before: Its Secret's data.
        states: Every Ready status that was seen.
    """

    first: Manifest
    before: dict[str, bytes]
    states: set[str]


def test_certificates_are_renewed_in_time(env: Environment, space: str) -> None:
    """They stay Ready, the revision counts up, and the key is a new one or the old one as the policy says."""
    all_of_them = {}
    for policy in KEYS:
        first = wait_ready(env, space, policy, 20)
        all_of_them[policy] = Watched(first, read_secret(env, space, f"{policy}-tls") or {}, set())

    def look() -> bool:
        renewed = []
        for policy, one in all_of_them.items():
            body = fetch_certificate(env, space, policy)
            one.states.add(condition(body, "Ready")["status"])
            renewed.append(body["status"]["revision"] == one.first["status"]["revision"] + 1)
        return all(renewed)

    until(look, LIFETIME + 5, "both are renewed")
    for policy, one in all_of_them.items():
        after = read_secret(env, space, f"{policy}-tls") or {}
        assert one.states == {"True"}
        assert (after["tls.key"] == one.before["tls.key"]) == (policy == "never")
        old, new = (x509.load_pem_x509_certificate(data["tls.crt"]) for data in (one.before, after))
        assert old.not_valid_before_utc < new.not_valid_before_utc < old.not_valid_after_utc
        due = parse_time(one.first["status"]["renewalTime"])
        assert due
        assert new.not_valid_before_utc >= due - timedelta(seconds=2)  # Pebble dates back by a second


@pytest.mark.parametrize(("word", "hours"), [("third", 100 / 3), ("before", 10.0), ("percentage", 25.0)])
def test_the_time_of_renewal_is_spread_earlier_only(env: Environment, space: str, word: str, hours: float) -> None:
    moments = set()
    for number in range(4):
        status = wait_ready(env, space, f"{word}-{number}")["status"]
        end, due = parse_time(status["notAfter"]), parse_time(status["renewalTime"])
        assert end
        assert due
        before = (end - due) / timedelta(hours=1)
        assert hours - 0.01 <= before <= hours + 100 * SPREAD + 0.01
        moments.add(round(before, 2))
    assert len(moments) > 1
