"""Renewal windows, and renewals that are turned off: short lives and real clocks, nothing is set by hand."""

import secrets as random
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from bad_input_support import authority_pair, secret
from waits import fetch_certificate, renew, until, wait_condition, wait_ready

from certwright.resources.values import parse_time
from cluster.environment import Environment
from cluster.manifests import Manifest, acme_issuer, apply, certificate, condition, issuer, tsig_secret
from cluster.operator import Operator
from cluster.pebble import Pebble, PebbleOptions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

LIFETIME = 24
"""Seconds; renewed after two thirds of it where any time will do."""
RENEWALS: dict[str, Manifest] = {
    "disabled": {"policy": "Disabled"},
    "open": {"windows": [{"cron": "* * * * *", "windowDuration": "1m"}]},
    "far": {"windows": [{"cron": "0 0 29 2 *", "windowDuration": "1h"}]},
}
PLANNED: dict[str, Manifest] = {
    "night": {"windows": [{"cron": "0 2 * * *", "windowDuration": "3h", "timezone": "Europe/Berlin"}]},
    "weekend": {
        "policy": "RenewBefore",
        "windows": [
            {"cron": "0 6 * * SAT", "windowDuration": "10h"},
            {"cron": "0 6 * * SUN", "windowDuration": "10h"},
        ],
    },
    "never": {"policy": "Disabled"},
}


@pytest.fixture(scope="module")
def space(env: Environment, operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace with certificates of a CA that lets them live for seconds, and some that live for long."""
    assert operator.child.running
    name = f"windows-{random.token_hex(3)}"
    options = PebbleOptions(dns_server=env.bind.resolver, profiles={"default": LIFETIME}, retry_after_order=0)
    crt, key = authority_pair()
    with Pebble(tmp_path_factory.mktemp("short-lived"), options) as pebble:
        apply(
            env,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
            tsig_secret(env, name),
            acme_issuer(env, name, pebble=pebble),
            secret(name, "ca", tls_crt=crt, tls_key=key),
            issuer(name, "ca", ca={"secretName": "ca"}),
            *(certificate(name, word, f"{word}.example.test", renewal=how) for word, how in RENEWALS.items()),
            *(
                certificate(name, word, "web.example.test", issuer="ca", duration="720h", renewal=how)
                for word, how in PLANNED.items()
            ),
        )
        yield name
        env.kubectl("delete", "namespace", name, "--wait=false", check=False)


def test_a_renewal_waits_for_its_window_but_not_for_its_end(env: Environment, space: str) -> None:
    """One that is open all the time changes nothing; one that opens in a leap year is not waited for."""
    for name in ("open", "far"):
        first = wait_ready(env, space, name, 20)
        planned = parse_time(first["status"]["renewalTime"])
        begin, end = (parse_time(first["status"][field]) for field in ("notBefore", "notAfter"))
        assert planned
        assert begin
        assert end
        share = (planned - begin) / (end - begin)
        assert 0.6 < share < 0.7 if name == "open" else 0.85 < share < 0.95
        until(
            lambda name=name: fetch_certificate(env, space, name)["status"]["revision"] > 1,  # type: ignore[misc]
            LIFETIME + 10,
            f"{name} is renewed",
            lambda name=name: fetch_certificate(env, space, name)["status"],
        )
        assert condition(fetch_certificate(env, space, name), "Ready")["status"] == "True"


def test_what_is_not_renewed_expires_and_says_so(env: Environment, space: str) -> None:
    ready = wait_condition(env, space, "disabled", "Ready", "False", reason="Expired", timeout=LIFETIME + 20)
    assert "spec.renewal.policy is Disabled" in ready["message"]
    body = fetch_certificate(env, space, "disabled")
    assert (body["status"]["revision"], "renewalTime" in body["status"]) == (1, False)
    renew(env, space, "disabled")
    until(lambda: fetch_certificate(env, space, "disabled")["status"]["revision"] == 2, 20, "it is issued by hand")


@pytest.mark.parametrize("name", PLANNED)
def test_the_time_of_renewal_is_in_a_window(env: Environment, space: str, name: str) -> None:
    planned = parse_time(wait_ready(env, space, name)["status"].get("renewalTime"))
    if name == "never":
        assert planned is None
        return
    assert planned
    if name == "night":
        assert 2 <= planned.astimezone(ZoneInfo("Europe/Berlin")).hour < 5
    else:
        assert planned.weekday() in {5, 6}
        assert 6 <= planned.hour < 16
