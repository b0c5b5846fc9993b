"""What the CRDs' rules refuse at `kubectl apply`, and what the operator does with such objects from before the rules.

The same table for both: once against the CRDs as they are, and once in an environment whose CRDs let anything in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bad_input_support import authority_pair, crds_without_rules, leaks, secret, watched
from waits import fetch_certificate, wait_condition, wait_ready

from cluster.environment import Environment
from cluster.manifests import Manifest, acme_issuer, apply, certificate, issuer, tsig_secret
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]

SPACE = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """A spec that is wrong.

    Attributes:
        spec: Beyond name, Secret and issuer `ca`.
        refused: What the API server says; empty where its schema cannot know.
        said: What the operator says where it gets in.
        names: Its dnsNames.
    """

    spec: dict[str, Any]
    refused: str
    said: str
    names: tuple[str, ...] = ("web.example.test",)


ROWS = {
    "common-name-too-long": Row(
        {"commonName": "x" * 65}, "at most 64 characters; leave it out", "spec.commonName: has 65"
    ),
    "no-names": Row({}, "a certificate needs a name", "spec.dnsNames: no name is asked for", names=()),
    "both-renewals": Row(
        {"renewBefore": "1h", "renewBeforePercentage": 20},
        "renewBefore and renewBeforePercentage exclude each other",
        "contradicts spec.renewBeforePercentage; keep one",
    ),
    "renewed-before-it-begins": Row(
        {"duration": "1h", "renewBefore": "2h"}, "renewBefore must be less than duration", "less than spec.duration"
    ),
    "no-duration": Row(
        {"duration": "90 days"}, "write it like 2160h", "'90 days' is not a duration; write hours, minutes and seconds"
    ),
    "too-short": Row({"duration": "10m"}, "duration must be at least 1h", "less than an hour cannot be renewed"),
    "size-of-no-rsa-key": Row(
        {"privateKey": {"algorithm": "RSA", "size": 1024}}, "2048 to 8192", "1024 bits is not a size of RSA"
    ),
    "size-of-no-curve": Row(
        {"privateKey": {"algorithm": "ECDSA", "size": 257}}, "256, 384 or 521", "257 bits is not a size of ECDSA"
    ),
    "no-algorithm": Row({"privateKey": {"algorithm": "DSA"}}, "Unsupported value", "'DSA' is none of"),
    "no-kind-of-issuer": Row(
        {"issuerRef": {"name": "ca", "kind": "Isuer"}}, "must be Issuer or ClusterIssuer", "neither Issuer nor Cluster"
    ),
    "no-name-of-a-secret": Row({"secretName": "Not_A_Name"}, "must be a Secret's name", "not a name a Secret can have"),
    "our-own-annotation": Row(
        {"secretTemplate": {"annotations": {"certwright.dev/issuer-name": "x"}}},
        "must not begin with certwright.dev/",
        "certwright.dev/issuer-name is set by the operator itself",
    ),
    "names-are-a-text": Row({"dnsNames": "web.example.test"}, "dnsNames", "dnsNames: must be a list"),
    "duration-is-a-number": Row({"duration": 90}, "duration", "spec.duration: must be a string"),
    "usage-unknown": Row({"usages": ["flying"]}, "Unsupported value", "flying"),
    "two-subjects": Row(
        {"literalSubject": "CN=x", "commonName": "x"},
        "exclude each other",
        "literalSubject: contradicts spec.commonName",
    ),
    # What only the operator can tell: the rules would cost the API server too much.
    "no-dns-name": Row({}, "", "'under score..test' has an empty label", names=("under score..test",)),
    "name-with-a-space": Row({}, "", "is not a DNS name", names=("two words.test",)),
    "name-beyond-ascii": Row({}, "", "write it in its xn-- form", names=("köln.example.test",)),
    "name-is-an-address": Row({}, "", "put it under spec.ipAddresses", names=("192.0.2.1",)),
    "wildcard-within": Row({}, "", "may have a * as its whole leftmost label", names=("a.*.example.test",)),
    "address-is-a-name": Row({"ipAddresses": ["localhost"]}, "", "'localhost' is not an IP address"),
    "no-uri": Row({"uris": ["no uri"]}, "", "spec.uris[0]"),
    "no-email": Row({"emailAddresses": ["nobody"]}, "", "spec.emailAddresses[0]"),
    "country-of-three-letters": Row({"subject": {"countries": ["DEU"]}}, "", "spec.subject.countries"),
}


def _body(namespace: str, name: str) -> Manifest:
    row = ROWS[name]
    return certificate(namespace, name, *row.names, **{"issuer": "ca", **row.spec})


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.refused])
def test_a_rule_refuses_it(env: Environment, name: str) -> None:
    with pytest.raises(RuntimeError) as refusal:
        apply(env, _body(SPACE, name))
    assert ROWS[name].refused in str(refusal.value)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Environment, Operator]]:
    """An environment without rules, in which all of the table is stored, and an operator that meets it."""
    folder = tmp_path_factory.mktemp("before")
    crt, key = authority_pair()
    with Environment(folder / "state", crds=crds_without_rules(folder / "crds")) as env:
        apply(
            env,
            watched(secret(SPACE, "ca", tls_crt=crt, tls_key=key)),
            issuer(SPACE, "ca", ca={"secretName": "ca"}),
            tsig_secret(env, SPACE),
            acme_issuer(env, SPACE),
            certificate(SPACE, "good", "good.example.test"),
            *(_body(SPACE, name) for name in ROWS),
            *(issuer(SPACE, name, **spec) for name, (spec, _) in ISSUERS.items()),
        )
        operator = Operator(env, folder)
        operator.start()
        yield env, operator
        operator.stop()


ISSUERS: dict[str, tuple[dict[str, Any], str]] = {
    "two-types": ({"ca": {"secretName": "x"}, "selfSigned": {"crlDistributionPoints": []}}, "exactly one of"),
    "of-no-type": ({}, "exactly one of acme, ca, selfSigned must be set, not none"),
    "server-is-no-url": (
        {"acme": {"server": "acme.example.test", "privateKeySecretRef": {"name": "k"}}},
        "neither an https URL nor one of letsencrypt",
    ),
    "server-without-tls": (
        {"acme": {"server": "http://acme.example.test/dir", "privateKeySecretRef": {"name": "k"}}},
        "must be https",
    ),
    "account-has-no-secret": ({"acme": {"server": "letsencrypt"}}, "privateKeySecretRef.name: missing"),
    "solvers-are-a-text": (
        {"acme": {"privateKeySecretRef": {"name": "k"}, "solvers": "dns01"}},
        "spec.acme.solvers: must be a list",
    ),
    "solver-is-empty": (
        {"acme": {"privateKeySecretRef": {"name": "k"}, "solvers": [{}]}},
        "solvers[0]: exactly one of dns01",
    ),
    "bundle-is-no-base64": (
        {"acme": {"privateKeySecretRef": {"name": "k"}, "caBundle": "-----BEGIN"}},
        "caBundle: is not base64",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_was_stored_before_is_explained(before: tuple[Environment, Operator], name: str) -> None:
    env, _ = before
    row = ROWS[name]
    said = wait_condition(env, SPACE, name, "Ready", "False", reason="InvalidSpec", timeout=20)
    assert row.said in said["message"]


@pytest.mark.parametrize("name", ISSUERS)
def test_an_issuer_that_was_stored_before_is_explained(before: tuple[Environment, Operator], name: str) -> None:
    env, _ = before
    said = wait_condition(env, SPACE, name, "Ready", "False", resource="issuers", reason="InvalidSpec", timeout=20)
    assert ISSUERS[name][1] in said["message"]


def test_all_heal_at_once_and_nothing_else_noticed(before: tuple[Environment, Operator]) -> None:
    """Each is replaced by what can be issued; the good one among them is as it was, and no secret or fault is told."""
    env, operator = before
    good = wait_ready(env, SPACE, "good")
    for name in ROWS:
        wait_condition(env, SPACE, name, "Ready", "False", timeout=20)
    env.kubectl("delete", "certificates.certwright.dev", *ROWS, "-n", SPACE)
    apply(env, *(certificate(SPACE, name, f"{name}.example.test", issuer="ca") for name in ROWS))
    for name in ROWS:
        wait_ready(env, SPACE, name, 20)
    assert fetch_certificate(env, SPACE, "good")["metadata"]["resourceVersion"] == good["metadata"]["resourceVersion"]
    assert not leaks(env, [SPACE], operator.log(), [env.bind.tsig_secret])


def test_a_spec_that_could_not_be_read_heals_by_an_edit(before: tuple[Environment, Operator]) -> None:
    """The other way to mend it: the object stays and its spec changes."""
    env, _ = before
    broken = certificate(SPACE, "edited", issuer="ca", dnsNames="web.example.test")
    apply(env, broken)
    wait_condition(env, SPACE, "edited", "Ready", "False", reason="InvalidSpec", timeout=20)
    apply(env, certificate(SPACE, "edited", "web.example.test", issuer="ca"))
    wait_ready(env, SPACE, "edited", 20)
