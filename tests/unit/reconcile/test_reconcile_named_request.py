"""The Secret of a Certificate whose request somebody else made: it holds no key, and its type needs none."""

import base64
from typing import Any

import pytest

from certwright.issuers.base import Issued
from certwright.pki import keys, signing
from certwright.resources.certificate import PrivateKeySpec
from unit.core.factories import make_spec
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import START, Operator, certificate_body, issuer_body

NAMED: dict[str, Any] = {"csrSecretRef": {"name": "request"}, "dnsNames": [], "privateKey": {}}
CHAIN = signing.self_sign(make_spec(), keys.generate(PrivateKeySpec("ECDSA", 256)), now=START).chain_pem


def start(kube: FakeKube | None = None) -> Operator:
    kube = kube or FakeKube()
    kube.put("issuers", issuer_body())
    kube.put("certificates", certificate_body(**NAMED))
    it = Operator(kube)
    it.ca.script = [Issued(CHAIN, b"", None)]
    return it


def data(it: Operator) -> dict[str, bytes]:
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


def test_the_secret_holds_the_certificate_alone() -> None:
    it = start()
    it.settle()
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    assert secret["type"] == "Opaque"
    assert data(it) == {"tls.crt": CHAIN}
    assert it.conditions() == {"Ready": ("True", "Ready")}
    assert it.kube.writes == ["patch secrets shop/web-tls", "patch certificates/status shop/web", "create events shop"]
    writes = list(it.kube.writes)
    again = Operator(it.kube, it.world, now=it.now)
    again.settle()
    assert it.kube.writes == writes


@pytest.mark.parametrize("kind", ["kubernetes.io/tls", "Opaque", "example.com/other"])
def test_a_key_that_its_owner_put_there_stays(kind: str) -> None:
    kube = FakeKube()
    key = base64.b64encode(b"theirs").decode()
    kube.put("secrets", {"metadata": {"namespace": "shop", "name": "web-tls"}, "type": kind, "data": {"tls.key": key}})
    it = start(kube)
    it.settle()
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    assert secret["type"] == kind
    assert data(it) == {"tls.crt": CHAIN, "tls.key": b"theirs"}
    assert it.conditions() == {"Ready": ("True", "Ready")}


def test_its_labels_are_repaired_without_a_key() -> None:
    it = start()
    it.settle()
    body = certificate_body(**NAMED, secretTemplate={"labels": {"team": "web"}})
    it.kube.put("certificates", {**body, "status": it.status()})
    it.settle()
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    assert secret["metadata"]["labels"]["team"] == "web"
    assert data(it) == {"tls.crt": CHAIN}
    assert it.status()["revision"] == 1


def test_an_order_for_it_names_no_next_key() -> None:
    it = start()
    it.ca.script = []
    it.reconcile()
    assert it.status()["order"]
    assert "nextPrivateKeySecretName" not in it.status()
