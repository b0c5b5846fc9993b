"""Temporary certificates by annotation: what is in the Secret while the order goes on, and afterwards."""

import base64
from typing import Any

import pytest
from cryptography import x509

from certwright.errors import ChallengeFailed
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import Operator, certificate_body, issuer_body

ISSUER = "CN=temporary certificate"
ASKED = "certwright.dev/issue-temporary-certificate"


def start(value: str = "true", **spec: Any) -> Operator:
    kube = FakeKube()
    kube.put("issuers", issuer_body())
    body = certificate_body(**spec)
    kube.put("certificates", {**body, "metadata": {**body["metadata"], "annotations": {ASKED: value}}})
    return Operator(kube)


def data(it: Operator) -> dict[str, bytes]:
    secret = it.kube.get("secrets", "web-tls") or {"data": {}}
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


def issuer_of(it: Operator) -> str:
    found = data(it)
    return x509.load_pem_x509_certificate(found["tls.crt"]).issuer.rfc4514_string() if found else ""


def test_the_secret_has_a_temporary_certificate_while_the_order_goes_on() -> None:
    it = start()
    it.reconcile()
    assert issuer_of(it) == ISSUER
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    assert secret["type"] == "kubernetes.io/tls"
    notes = secret["metadata"]["annotations"]
    assert notes["certwright.dev/certificate-name"] == "web"
    assert notes["certwright.dev/alt-names"] == "web.example.com"
    assert not [note for note in notes if "issuer" in note or "digest" in note]
    assert it.conditions() == {"Ready": ("False", "DoesNotExist"), "Issuing": ("True", "DoesNotExist")}
    assert ("Normal", "Issuing") in it.events()
    first = data(it)
    it.settle()
    assert issuer_of(it) != ISSUER
    assert data(it)["tls.key"] == first["tls.key"], "it was made for the key of the real one"
    assert it.conditions() == {"Ready": ("True", "Ready")}
    assert it.status()["revision"] == 1
    assert [body["metadata"]["name"] for body in it.kube.all("secrets")] == ["web-tls"]


def test_it_costs_a_write_of_the_secret_and_an_event() -> None:
    it = start()
    it.settle()
    words = [line.split()[:2] for line in it.kube.writes]
    assert words == [
        ["patch", "certificates/status"], ["create", "secrets"], ["patch", "secrets"], ["create", "events"],
        ["patch", "secrets"], ["delete", "secrets"], ["patch", "certificates/status"], ["create", "events"],
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["false", "True", ""])
def test_without_the_annotation_there_is_none(value: str) -> None:
    it = start(value)
    it.reconcile()
    assert it.status()["order"]
    assert data(it) == {}


def test_a_renewal_needs_none() -> None:
    it = start()
    it.settle()
    before = issuer_of(it)
    body = it.kube.get("certificates", "web")
    assert body is not None
    it.kube.put("certificates", {**body, "spec": {**body["spec"], "dnsNames": ["other.example.com"]}})
    it.reconcile()
    assert it.status()["order"]
    assert issuer_of(it) == before


def test_it_stays_while_the_ca_refuses_and_no_other_is_made() -> None:
    it = start()
    it.reconcile()
    first = data(it)
    it.ca.script.append(ChallengeFailed("no"))
    it.reconcile()
    assert it.conditions()["Ready"] == ("False", "IncorrectIssuer")
    assert "revision" not in it.status()
    it.settle(patience=24 * 3600 * 2)
    assert data(it)["tls.crt"] != first["tls.crt"]
    assert len([line for line in it.kube.writes if line == "patch secrets shop/web-tls"]) == 2


def test_a_key_that_is_kept_is_the_temporary_one_s() -> None:
    it = start(privateKey={"algorithm": "ECDSA", "rotationPolicy": "Never"})
    it.reconcile()
    first = data(it)
    it.settle()
    assert data(it)["tls.key"] == first["tls.key"]
    assert issuer_of(it) != ISSUER


def test_it_has_keystores_too() -> None:
    it = start(keystores={"pkcs12": {"create": True, "password": "changeit"}})
    it.reconcile()
    assert issuer_of(it) == ISSUER
    assert set(data(it)) == {"tls.key", "tls.crt", "keystore.p12"}
    first = data(it)["keystore.p12"]
    it.settle(patience=3599)
    assert data(it)["keystore.p12"] != first
    assert it.conditions() == {"Ready": ("True", "Ready")}


def test_an_issuer_that_answers_at_once_needs_none() -> None:
    it = start()
    it.kube.put("issuers", issuer_body({"selfSigned": {}}))
    it.settle()
    assert len([line for line in it.kube.writes if "patch secrets" in line]) == 1
