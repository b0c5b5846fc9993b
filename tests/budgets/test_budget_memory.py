"""Memory of a watched certificate with its Secret: live objects, counted in this process by tracemalloc.

What is counted: a few thousand realistic pairs, parsed from JSON one by one as a watch hands them over, go through the
feed and into the cache, and into the queue's wait for the renewal. The growth of traced memory, garbage collected, is
divided by their number. To this is added what kopf itself keeps of an object that is watched by `on.event`, measured
once by the same means over 20,000 objects. What the allocator keeps beyond that depends on the order in which a list
arrived and is no property of ours.
"""

import base64
import gc
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from certwright.core.desired import secret_annotation_set, secret_labels, stamped_digest
from certwright.core.observation import IssuerState, Observation
from certwright.core.status import issued
from certwright.kube.secrets import parse
from certwright.pki import keys, signing
from certwright.pki.secret import read_tls_secret, tls_secret_data
from certwright.reconcile.cache import Cache
from certwright.reconcile.queue import WorkQueue
from certwright.reconcile.views import secret_view
from certwright.resources.certificate import parse_certificate
from certwright.resources.issuer import issuer_key
from certwright.resources.names import CERTIFICATE, DEFAULT_GROUP, Names
from certwright.watch.feed import LISTED, Feed

NAMES = Names(DEFAULT_GROUP)
PAIRS = 2000
BUDGET = 12_000
KOPF = 2 * 910
"""Bytes that kopf keeps of the two objects."""
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _managed(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}


def _pair(number: int) -> tuple[str, str]:
    """A Certificate and its Secret as the API server sends them, as JSON."""
    name = f"web-{number}"
    meta = {
        "name": name,
        "namespace": f"team-{number % 50}",
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "resourceVersion": str(100_000 + number),
        "generation": 1,
        "creationTimestamp": "2026-11-24T12:00:00Z",
        "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x" * 700},
        "managedFields": [_managed("kubectl", {"f:spec": {f"f:field-{index}": {} for index in range(12)}})],
    }
    body: dict[str, Any] = {
        "apiVersion": NAMES.api_version,
        "kind": CERTIFICATE,
        "metadata": meta,
        "spec": {
            "secretName": f"{name}-tls",
            "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer", "group": NAMES.group},
            "dnsNames": [f"{name}.example.com", f"*.{name}.example.com"],
            "duration": "2160h",
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "key encipherment"],
            "secretTemplate": {"labels": {"app.kubernetes.io/name": name}},
        },
    }
    certificate = parse_certificate(body)
    key = keys.generate(certificate.spec.private_key)
    bundle = signing.self_sign(certificate.spec, key, now=NOW)
    data = tls_secret_data(certificate.spec, key, chain_pem=bundle.chain_pem * 3)  # a leaf and two above it
    facts = read_tls_secret(data)
    assert facts.certificate
    annotations = secret_annotation_set(name, certificate.spec, NAMES, facts.certificate)
    annotations[NAMES.annotation("request-digest")] = stamped_digest(certificate.spec)
    labels = secret_labels(certificate.spec, NAMES)
    owned = {
        "f:data": {f"f:{entry}": {} for entry in data},
        "f:metadata": {
            "f:annotations": {f"f:{word}": {} for word in annotations},
            "f:labels": {f"f:{word}": {} for word in labels},
        },
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": f"{name}-tls",
            "namespace": meta["namespace"],
            "uid": f"11111111-0000-4000-8000-{number:012}",
            "resourceVersion": str(200_000 + number),
            "creationTimestamp": "2026-11-24T12:00:00Z",
            "labels": labels,
            "annotations": annotations,
            "managedFields": [_managed(NAMES.field_manager, owned)],
        },
        "data": {entry: base64.b64encode(value).decode() for entry, value in data.items()},
    }
    view = secret_view(parse(secret, manager=NAMES.field_manager))
    reference = certificate.spec.issuer_ref
    state = IssuerState(issuer_key(reference.kind, "", reference.name), "acme", ready=True)
    body["status"] = issued(Observation(certificate, view, state), NOW)
    return json.dumps(body), json.dumps(secret)


@pytest.mark.timeout(120)
def test_memory_of_a_watched_certificate_with_its_secret() -> None:
    pairs = [_pair(number) for number in range(PAIRS)]
    cache, queue = Cache(NAMES, "certwright"), WorkQueue()

    def news(kind: str, event: str, body: Any) -> None:
        for key in cache.note(kind, event, body):
            queue.add(key)

    feed = Feed(news, (CERTIFICATE, "Secret"))
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for certificate, secret in pairs:
            feed.deliver(CERTIFICATE, LISTED, json.loads(certificate))
            feed.deliver("Secret", LISTED, json.loads(secret))
        while queue.depth():
            key = queue.get()
            assert key
            queue.done(key)
            queue.add_after(key, 3600.0)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    each = grown / PAIRS + KOPF
    print(f"{grown / PAIRS:.0f} bytes of ours and {KOPF} of kopf's for a certificate with its Secret")
    assert len(cache.keys(CERTIFICATE)) == PAIRS
    assert all(cache.secret(f"team-{number % 50}", f"web-{number}-tls") for number in range(PAIRS))
    assert each <= BUDGET
