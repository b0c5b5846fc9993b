"""Keystores cost no write of their own, and none at a restart, which has to open them."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from certwright.kube.client import Kube
from certwright.kube.paths import CORE, path
from certwright.resources.names import Names
from cluster.manifests import certificate

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit"), pytest.mark.timeout(120)]

STORE = {"create": True, "passwordSecretRef": {"name": "store-password"}}
WANTED: dict[str, Any] = {
    "keystores": {"jks": STORE, "pkcs12": STORE},
    "additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}],
}
AT_ONCE = ["create events", "patch certificates/status", "patch secrets"]


def _entries(counted: Any, name: str) -> dict[str, bytes]:
    kube = Kube(kubeconfig=str(Path(counted.env.kubeconfig)), names=Names(), user_agent="keystores")
    body = kube.request("GET", path(CORE, "secrets", counted.namespace, name))
    return {key: base64.b64decode(value) for key, value in body["data"].items()}


def test_keystores_cost_no_write_of_their_own_and_none_at_a_restart(counted: Any) -> None:
    meta = {"name": "store-password", "namespace": counted.namespace}
    counted.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"password": "changeit"}})
    mark = counted.env.audit_mark()
    counted.apply(certificate(counted.namespace, "stored", "stored.example.test", issuer="ca", **WANTED))
    counted.wait_ready()
    assert sorted(" ".join(line.split()[:2]) for line in counted.writes(mark)) == AT_ONCE
    before = _entries(counted, "stored-tls")
    assert {"keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12", "key.der"} < set(before)
    mark = counted.env.audit_mark()
    counted.operator.stop()
    counted.operator.start()
    deadline = time.monotonic() + 20
    while not any(entry.name == "store-password" for entry in counted.env.audit(mark)):
        assert time.monotonic() < deadline, "they are not opened"
        time.sleep(0.1)
    assert counted.writes(mark) == []
    assert _entries(counted, "stored-tls") == before
