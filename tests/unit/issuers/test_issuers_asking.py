"""Requests that somebody else made: taken from a Secret, read, and sent to a CA as they are."""

import base64
import ipaddress
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certwright.errors import InvalidSpec
from certwright.issuers import asking
from certwright.issuers.base import Issued, Request
from certwright.issuers.ca import Ca
from certwright.issuers.next_key import NextKeys
from certwright.issuers.places import Places
from certwright.issuers.self_signed import SelfSigned
from certwright.pki import keys
from certwright.pki.certificate import parse_chain
from certwright.resources.certificate import Certificate, parse_certificate
from certwright.resources.issuer import parse_issuer
from unit.core.factories import data_for, make_spec
from unit.issuers.fake_ca import a_request
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import certificate_body

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAMED: dict[str, Any] = {"csrSecretRef": {"name": "request"}, "dnsNames": [], "privateKey": {}}


WEB = a_request(x509.DNSName("web.example.com"), x509.DNSName("*.Example.com"), common_name="web.example.com")


def put(kube: FakeKube, pem: bytes | None, *, key: str = "tls.csr", namespace: str = "shop") -> None:
    data = {} if pem is None else {key: base64.b64encode(pem).decode()}
    kube.put("secrets", {"metadata": {"namespace": namespace, "name": "request"}, "data": data})


def put_certificate(kube: FakeKube, **changes: Any) -> Certificate:
    return parse_certificate(kube.put("certificates", certificate_body(**{**NAMED, **changes})))


@pytest.fixture
def kube() -> Any:
    return FakeKube()


def test_a_named_request_is_sent_as_it_is(kube: Any) -> None:
    put(kube, WEB)
    certificate, next_keys = put_certificate(kube), NextKeys(kube, kube.names)
    sent = x509.load_pem_x509_csr(WEB)
    for ask in (asking.at_once, asking.to_finalize, asking.finalized):
        asked = ask(next_keys, certificate)
        assert asked
        assert asked.request == sent.public_bytes(Encoding.DER)
        assert (asked.key, asked.key_digest) == (None, keys.public_digest(sent.public_key()))
    assert asking.names_to_order(next_keys, certificate) == ["web.example.com", "*.example.com"]
    assert not kube.writes, "no key of ours is made"


def test_without_one_a_request_is_made(kube: Any) -> None:
    body = kube.put("certificates", certificate_body(commonName="cn.example.com"))
    certificate, next_keys = parse_certificate(body), NextKeys(kube, kube.names)
    asked = asking.to_finalize(next_keys, certificate)
    assert asked.key
    assert x509.load_der_x509_csr(asked.request).public_key() == asked.key.public_key()
    again = asking.finalized(next_keys, certificate)
    assert again
    assert again.key_digest == asked.key_digest
    next_keys.drop(certificate)
    assert asking.finalized(next_keys, certificate) is None
    assert asking.names_to_order(next_keys, certificate) == ["web.example.com", "cn.example.com"]
    assert "PRIVATE" not in repr(asked)


def test_addresses_and_a_lone_common_name_are_ordered_too(kube: Any) -> None:
    addresses = (x509.IPAddress(ipaddress.ip_address("192.0.2.1")), x509.IPAddress(ipaddress.ip_address("2001:db8::1")))
    put(kube, a_request(*addresses, common_name="Host.Example.com"))
    names = asking.names_to_order(NextKeys(kube, kube.names), put_certificate(kube))
    assert names == ["host.example.com", "192.0.2.1", "2001:db8::1"]
    put(kube, a_request(common_name="alone.example.com"))
    assert asking.names_to_order(NextKeys(kube, kube.names), put_certificate(kube)) == ["alone.example.com"]


def _tampered() -> bytes:
    der = bytearray(x509.load_pem_x509_csr(WEB).public_bytes(Encoding.DER))
    der[der.index(b"web.example") : der.index(b"web.example") + 3] = b"bad"
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n"


NOT_READ: dict[str, tuple[bytes | None, str, str]] = {
    "no such entry": (None, "SecretNotFound", "Secret request has no value under 'tls.csr'; the keys it has: none"),
    "no PEM": (b"x", "InvalidSpec", "there is no certificate signing request in PEM"),
    "too much": (b"-----BEGIN" + b"A" * (2 << 20), "InvalidSpec", "there is no certificate signing request in PEM"),
    "another thing in PEM": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "InvalidSpec",
        "the certificate signing request cannot be read",
    ),
    "another's signature": (_tampered(), "InvalidSpec", "is not signed by the key it names"),
}


@pytest.mark.parametrize(("pem", "reason", "says"), NOT_READ.values(), ids=NOT_READ)
def test_a_request_cannot_be_sent_because(kube: Any, pem: bytes | None, reason: str, says: str) -> None:
    put(kube, pem)
    with pytest.raises(InvalidSpec) as caught:
        asking.at_once(NextKeys(kube, kube.names), put_certificate(kube))
    assert caught.value.message.startswith("spec.csrSecretRef: ")
    assert says in caught.value.message
    assert caught.value.reason == reason


def test_a_request_of_another_namespace_is_not_read(kube: Any) -> None:
    put(kube, WEB, namespace="elsewhere")
    with pytest.raises(InvalidSpec, match="there is no Secret request in namespace shop; create it with the certif"):
        asking.at_once(NextKeys(kube, kube.names), put_certificate(kube))


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (a_request(x509.RFC822Name("a@b.test")), "an ACME CA certifies no RFC822Name; make a request without it"),
        (a_request(x509.DNSName("a..b")), "the request's name 'a..b' has an empty label"),
        (a_request(common_name="not a name"), "the request's name 'not a name' is not a DNS name"),
    ],
)
def test_an_acme_ca_is_not_asked_for_what_it_cannot_certify(kube: Any, pem: bytes, says: str) -> None:
    put(kube, pem)
    with pytest.raises(InvalidSpec) as caught:
        asking.names_to_order(NextKeys(kube, kube.names), put_certificate(kube))
    assert caught.value.message.startswith(f"spec.csrSecretRef: {says}")


def test_a_ca_signs_a_named_request(kube: Any) -> None:
    root = data_for(make_spec(isCA=True, commonName="root", dnsNames=None), begin=NOW)
    encoded = {name: base64.b64encode(value).decode() for name, value in root.items()}
    kube.put("secrets", {"metadata": {"namespace": "shop", "name": "root"}, "data": encoded})
    put(kube, WEB)
    body = {"kind": "Issuer", "metadata": {"namespace": "shop", "name": "it"}, "spec": {"ca": {"secretName": "root"}}}
    issuer = parse_issuer(body)
    certificate = put_certificate(kube, usages=["server auth"], duration="5h")
    backend = Ca(kube, NextKeys(kube, kube.names), Places(kube, "certwright"))
    outcome = backend.advance(issuer, Request(certificate, "digest", NOW))
    assert isinstance(outcome, Issued)
    assert outcome.key is None
    facts, _ = parse_chain(outcome.chain)
    assert facts.dns_names == ("web.example.com", "*.Example.com")
    assert facts.public_key_digest == keys.public_digest(x509.load_pem_x509_csr(WEB).public_key())
    assert (facts.usages, facts.is_ca) == (("server auth",), False)


def test_nothing_signs_itself_without_its_key(kube: Any) -> None:
    put(kube, WEB)
    body = {"kind": "Issuer", "metadata": {"namespace": "shop", "name": "it"}, "spec": {"selfSigned": {}}}
    backend = SelfSigned(NextKeys(kube, kube.names))
    with pytest.raises(InvalidSpec, match=r"spec\.csrSecretRef: a selfSigned issuer needs the key itself"):
        backend.advance(parse_issuer(body), Request(put_certificate(kube), "digest", NOW))
