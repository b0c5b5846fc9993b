"""What a certificate costs in requests: counted by the API server's audit log and by the CA's, never by a clock."""

import json
import time
from typing import Any

import pytest

from cluster.manifests import GROUP, certificate

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit"), pytest.mark.timeout(120)]

DNS01 = [
    "create events",
    "create secrets",
    "delete secrets",
    "patch certificates/status",
    "patch certificates/status",
    "patch secrets",
]
"""The journal, the next key, the TLS Secret, the final status, the next key's removal, the Event."""
AT_ONCE = ["create events", "patch certificates/status", "patch secrets"]
"""Of an issuer that answers at once: the TLS Secret, the status, the Event."""
NEW_CERTIFICATE = 9
"""ACME requests of a new certificate of one name: the order, its authorization, the challenge, the state until it is
proven and finalized, the chain."""

FIFTY = tuple(f"host-{number}.fifty.example.test" for number in range(50))
NAMES = {
    "one": ("one.example.test",),
    "apex-and-wildcard": ("example.test", "*.example.test"),
    "fifty": FIFTY,
}


def _kinds(writes: list[str]) -> list[str]:
    return sorted(" ".join(write.split()[:2]) for write in writes)


@pytest.mark.parametrize("names", NAMES)
def test_writes_of_a_certificate_by_dns01(counted: Any, names: str) -> None:
    mark = counted.env.audit_mark()
    counted.apply(certificate(counted.namespace, f"dns-{names}", *NAMES[names]))
    counted.wait_ready()
    writes = counted.writes(mark)
    assert _kinds(writes) == DNS01, writes


def test_writes_of_a_certificate_from_a_ca(counted: Any) -> None:
    mark = counted.env.audit_mark()
    counted.apply(certificate(counted.namespace, "by-ca", "ca.example.test", issuer="ca"))
    counted.wait_ready()
    writes = counted.writes(mark)
    assert _kinds(writes) == AT_ONCE, writes


def test_writes_of_a_renewal(counted: Any) -> None:
    """No more than for a first certificate, whether the key is a new one or kept."""
    kept = {"algorithm": "ECDSA", "rotationPolicy": "Never"}
    counted.apply(
        certificate(counted.namespace, "renewed", "renewed.example.test"),
        certificate(counted.namespace, "renewed-kept", "kept.example.test", privateKey=kept),
    )
    counted.wait_ready()
    for name in ("renewed", "renewed-kept"):
        mark = counted.env.audit_mark()
        _renew(counted, name)
        while _revision(counted, name) < 2:
            time.sleep(0.2)
        counted.wait_ready()
        writes = counted.writes(mark)
        assert len(writes) <= len(DNS01), writes


def test_requests_to_the_ca_for_a_new_certificate(counted: Any) -> None:
    """The account is known, and each nonce comes with the reply before."""
    counted.apply(certificate(counted.namespace, "before", "before.example.test"))
    counted.wait_ready()
    mark = counted.env.pebble.mark()
    counted.apply(certificate(counted.namespace, "counted", "counted.example.test"))
    counted.wait_ready()
    requests = counted.env.pebble.requests(mark)
    assert len(requests) <= NEW_CERTIFICATE, requests
    assert not [place for verb, place in requests if "nonce" in place or "sign-me-up" in place or place == "/dir"]


def test_nothing_is_written_for_what_is_only_applied_again(counted: Any) -> None:
    body = certificate(counted.namespace, "again", "again.example.test", issuer="ca")
    counted.apply(body)
    counted.wait_ready()
    counted.writes(counted.env.audit_mark())
    mark = counted.env.audit_mark()
    counted.apply(body)
    counted.apply({**body, "metadata": {**body["metadata"], "labels": {"only": "a-label"}}})
    assert counted.writes(mark) == []


def test_nothing_is_written_at_a_restart(counted: Any) -> None:
    """Nor is the CA asked for anything."""
    counted.apply(
        certificate(counted.namespace, "stays-dns", "stays.example.test"),
        certificate(counted.namespace, "stays-ca", "stays.example.test", issuer="ca"),
    )
    counted.wait_ready()
    counted.writes(counted.env.audit_mark())
    mark, pebble = counted.env.audit_mark(), counted.env.pebble.mark()
    counted.operator.stop()
    counted.operator.start()
    assert counted.writes(mark) == []
    assert counted.env.pebble.requests(pebble) == []


def _renew(counted: Any, name: str) -> None:
    asked = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by a test"}
    asked["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    body = next(body for body in counted.certificates() if body["metadata"]["name"] == name)
    change = {"status": {"conditions": [*body["status"]["conditions"], asked]}}
    where = (f"certificates.{GROUP}", name, "-n", counted.namespace)
    counted.env.kubectl("patch", *where, "--subresource=status", "--type=merge", "-p", json.dumps(change))


def _revision(counted: Any, name: str) -> int:
    body = next(body for body in counted.certificates() if body["metadata"]["name"] == name)
    return int(body["status"]["revision"])
