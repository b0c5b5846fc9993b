"""Every field of a Certificate, read back from its Secret: by openssl, and by a parser of whole certificates."""

import datetime as dt
import ipaddress
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bad_input_support import authority_pair, secret
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from waits import secret as read_secret
from waits import wait_ready

from cluster.environment import Environment
from cluster.manifests import GROUP, acme_issuer, apply, certificate, issuer, tsig_secret
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

Leaf = x509.Certificate
Look = Callable[[Leaf], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One Certificate: what its spec says, and what is then found in the certificate and the key.

    Attributes:
        spec: Beyond name, Secret and issuer.
        finds: What is looked at, and what must be seen.
        names: Its dnsNames; by default one.
        openssl: What `openssl x509 -text` must print.
        key: What the key's file begins with.
        issuer: Name of the issuer.
    """

    spec: dict[str, Any] = field(default_factory=dict)
    finds: tuple[tuple[Look, object], ...] = ()
    names: tuple[str, ...] = ("web.example.test",)
    openssl: tuple[str, ...] = ()
    key: str = ""
    issuer: str = "ca"


def _san(kind: type[x509.GeneralName]) -> Look:
    def look(leaf: Leaf) -> object:
        return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(kind)

    return look


def _subject(oid: x509.ObjectIdentifier) -> Look:
    return lambda leaf: [item.value for item in leaf.subject.get_attributes_for_oid(oid)]


def _bits(leaf: Leaf) -> object:
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    names = ("digital_signature", "content_commitment", "key_encipherment", "key_cert_sign", "crl_sign")
    return {name for name in names if getattr(usage, name)}


def _extended(leaf: Leaf) -> object:
    return set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def _is_ca(leaf: Leaf) -> object:
    return leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _hours(leaf: Leaf) -> object:
    return (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / dt.timedelta(hours=1)


def _key(leaf: Leaf) -> object:
    key = leaf.public_key()
    return next(kind for kind in (RSA, EC, ED) if isinstance(key, kind)), getattr(key, "key_size", 0)


RSA, EC, ED = rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey
SUBJECT = {
    "organizations": ["Example, Inc.", "Second"],
    "countries": ["DE"],
    "organizationalUnits": ["Web"],
    "localities": ["Köln"],
    "provinces": ["NRW"],
    "streetAddresses": ["Domplatz 1"],
    "postalCodes": ["50667"],
    "serialNumber": "4711",
}

ROWS: dict[str, Row] = {
    "defaults": Row(
        {"privateKey": None},
        (
            (_key, (RSA, 2048)),
            (_hours, 2160.0),
            (_bits, {"digital_signature", "key_encipherment"}),
            (_is_ca, False),
            (_san(x509.DNSName), ["web.example.test"]),
        ),
        openssl=("DNS:web.example.test", "CA:FALSE", "Digital Signature, Key Encipherment"),
        key="-----BEGIN RSA PRIVATE KEY-----",
    ),
    "rsa-3072": Row(
        {"privateKey": {"algorithm": "RSA", "size": 3072, "encoding": "PKCS8"}},
        ((_key, (RSA, 3072)),),
        openssl=("Public-Key: (3072 bit)",),
        key="-----BEGIN PRIVATE KEY-----",
    ),
    "ecdsa": Row(
        {"privateKey": {"algorithm": "ECDSA"}},
        ((_key, (EC, 256)),),
        openssl=("ASN1 OID: prime256v1",),
        key="-----BEGIN EC PRIVATE KEY-----",
    ),
    "ecdsa-384": Row({"privateKey": {"algorithm": "ECDSA", "size": 384}}, ((_key, (EC, 384)),)),
    "ecdsa-521": Row(
        {"privateKey": {"algorithm": "ECDSA", "size": 521, "encoding": "PKCS8"}},
        ((_key, (EC, 521)),),
        key="-----BEGIN PRIVATE KEY-----",
    ),
    "ed25519": Row(
        {"privateKey": {"algorithm": "Ed25519"}},
        ((_key, (ED, 0)),),
        openssl=("ED25519",),
        key="-----BEGIN PRIVATE KEY-----",
    ),
    "names": Row(
        {
            "commonName": "web.example.test",
            "ipAddresses": ["192.0.2.1", "2001:DB8::1"],
            "uris": ["spiffe://cluster.local/ns/a/sa/b"],
            "emailAddresses": ["ops@example.test"],
        },
        (
            (_san(x509.DNSName), ["web.example.test", "*.example.test"]),
            (_san(x509.IPAddress), [ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1")]),
            (_san(x509.UniformResourceIdentifier), ["spiffe://cluster.local/ns/a/sa/b"]),
            (_san(x509.RFC822Name), ["ops@example.test"]),
            (_subject(NameOID.COMMON_NAME), ["web.example.test"]),
        ),
        names=("web.example.test", "*.example.test"),
        openssl=("IP Address:192.0.2.1", "URI:spiffe://", "email:ops@example.test", "CN = web.example.test"),
    ),
    "only-an-address": Row(
        {"ipAddresses": ["192.0.2.7"]}, ((_san(x509.IPAddress), [ipaddress.ip_address("192.0.2.7")]),), names=()
    ),
    "subject": Row(
        {"subject": SUBJECT},
        (
            (_subject(NameOID.ORGANIZATION_NAME), SUBJECT["organizations"]),
            (_subject(NameOID.COUNTRY_NAME), ["DE"]),
            (_subject(NameOID.ORGANIZATIONAL_UNIT_NAME), ["Web"]),
            (_subject(NameOID.LOCALITY_NAME), ["Köln"]),
            (_subject(NameOID.STATE_OR_PROVINCE_NAME), ["NRW"]),
            (_subject(NameOID.STREET_ADDRESS), ["Domplatz 1"]),
            (_subject(NameOID.POSTAL_CODE), ["50667"]),
            (_subject(NameOID.SERIAL_NUMBER), ["4711"]),
        ),
    ),
    "usages": Row(
        {"usages": ["digital signature", "content commitment", "server auth", "client auth"]},
        (
            (_bits, {"digital_signature", "content_commitment"}),
            (_extended, {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
        ),
        openssl=("TLS Web Server Authentication, TLS Web Client Authentication",),
    ),
    "a-ca": Row(
        {"isCA": True, "commonName": "An intermediate", "duration": "48h"},
        ((_is_ca, True), (_bits, {"digital_signature", "key_encipherment", "key_cert_sign"}), (_hours, 48.0)),
        names=(),
        openssl=("CA:TRUE", "Certificate Sign"),
    ),
    "literal-subject": Row(
        {"literalSubject": "CN=web, OU=ops, O=Example, DC=example, DC=test, UID=7"},
        ((lambda leaf: leaf.subject.rfc4514_string(), "CN=web,OU=ops,O=Example,DC=example,DC=test,UID=7"),),
        openssl=("Subject: UID = 7, DC = test, DC = example, O = Example, OU = ops, CN = web",),
    ),
    "other-names": Row(
        {"otherNames": [{"oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "web@example.test"}]},
        openssl=("othername: UPN", ":web@example.test"),
    ),
    "name-constraints": Row(
        {
            "isCA": True,
            "commonName": "A bounded CA",
            "nameConstraints": {
                "critical": True,
                "permitted": {"dnsDomains": ["example.test"], "ipRanges": ["10.0.0.0/8"]},
                "excluded": {"emailAddresses": ["bad.test"], "uriDomains": [".bad.test"]},
            },
        },
        names=(),
        openssl=(
            "X509v3 Name Constraints: critical",
            "Permitted:\n                  DNS:example.test\n                  IP:10.0.0.0/255.0.0.0",
            "Excluded:\n                  email:bad.test\n                  URI:.bad.test",
        ),
    ),
    "signature-algorithm": Row(
        {"signatureAlgorithm": "ECDSAWithSHA512", "commonName": "alone"},
        openssl=("Signature Algorithm: ecdsa-with-SHA512",),
        issuer="self-signed",
    ),
    "must-staple": Row({"mustStaple": True}, openssl=("TLS Feature: \n                status_request",)),
    "usages-not-in-the-request": Row(
        {"encodeUsagesInRequest": False, "usages": ["digital signature", "server auth"]},
        ((_bits, {"digital_signature"}), (_extended, {ExtendedKeyUsageOID.SERVER_AUTH})),
    ),
    "key-from-a-secret": Row(
        {"privateKey": {"secretRef": {"name": "own-key", "key": "own.pem"}}},
        ((_key, (ED, 0)),),
        key="-----BEGIN PRIVATE KEY-----",
    ),
    "acme-with-a-key-from-a-secret": Row(
        {"privateKey": {"algorithm": "RSA", "secretRef": {"name": "own-rsa"}, "encoding": "PKCS8"}},
        ((_key, (RSA, 3072)),),
        names=("own.example.test",),
        key="-----BEGIN PRIVATE KEY-----",
        issuer="acme",
    ),
    "an-hour": Row({"duration": "1h", "renewBefore": "20m"}, ((_hours, 1.0),)),
    "self-signed": Row(
        {"commonName": "alone"},
        ((lambda leaf: leaf.issuer == leaf.subject, True), (_subject(NameOID.COMMON_NAME), ["alone"])),
        openssl=("URI:http://crl.example.test/own.crl",),
        issuer="self-signed",
    ),
    "acme": Row(
        {"commonName": "web.example.test", "privateKey": {"algorithm": "ECDSA", "size": 384, "encoding": "PKCS8"}},
        ((_key, (EC, 384)), (_san(x509.DNSName), ["a.sub.example.test", "web.example.test"])),
        names=("web.example.test", "a.sub.example.test"),
        key="-----BEGIN PRIVATE KEY-----",
        issuer="acme",
    ),
    "acme-rsa-by-cname": Row(
        {"privateKey": None},
        ((_key, (RSA, 2048)), (_san(x509.DNSName), ["*.alias.example.test", "alias.example.test"])),
        names=("alias.example.test", "*.alias.example.test"),
        issuer="acme",
    ),
}


@pytest.fixture(scope="module")
def space(env: Environment, operator: Operator) -> str:
    """A namespace with all Certificates of the table, applied at once."""
    assert operator.child.running
    name = "content"
    crt, key = authority_pair()
    apply(
        env,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        tsig_secret(env, name),
        acme_issuer(env, name),
        secret(name, "ca", tls_crt=crt, tls_key=key),
        secret(name, "own-key", own_pem=_openssl("genpkey", "-algorithm", "ED25519")),
        secret(name, "own-rsa", tls_key=_openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")),
        issuer(
            name,
            "ca",
            ca={
                "secretName": "ca",
                "crlDistributionPoints": ["http://crl.example.test/ca.crl"],
                "ocspServers": ["http://ocsp.example.test"],
                "issuingCertificateURLs": ["http://ca.example.test/ca.crt"],
            },
        ),
        issuer(name, "self-signed", selfSigned={"crlDistributionPoints": ["http://crl.example.test/own.crl"]}),
        *(certificate(name, row, *made.names, issuer=made.issuer, **made.spec) for row, made in ROWS.items()),
    )
    return name


@pytest.mark.parametrize("row", ROWS)
def test_a_field_is_found_in_the_certificate(env: Environment, space: str, row: str) -> None:
    made = ROWS[row]
    body = wait_ready(env, space, row)
    data = read_secret(env, space, f"{row}-tls")
    assert data
    leaf = x509.load_pem_x509_certificates(data["tls.crt"])[0]
    for look, expected in made.finds:
        seen = look(leaf)
        assert (sorted(seen, key=str) if isinstance(seen, list) else seen) == (
            sorted(expected, key=str) if isinstance(expected, list) else expected
        )
    assert data["tls.key"].decode().startswith(made.key)
    pair = load_pem_private_key(data["tls.key"], None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert pair.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)
    printed = _openssl("x509", "-noout", "-text", given=data["tls.crt"])
    for words in made.openssl:
        assert words.replace(" = ", "=") in printed.replace(" = ", "="), printed
    assert body["status"]["notAfter"] == leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert body["status"]["notBefore"] == leaf.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert body["status"]["revision"] == 1


@pytest.mark.parametrize(
    ("row", "source", "entry"),
    [("key-from-a-secret", "own-key", "own.pem"), ("acme-with-a-key-from-a-secret", "own-rsa", "tls.key")],
)
def test_a_key_that_is_named_is_the_one(env: Environment, space: str, row: str, source: str, entry: str) -> None:
    wait_ready(env, space, row)
    found, given = read_secret(env, space, f"{row}-tls"), read_secret(env, space, source)
    assert found
    assert given
    public = [_openssl("pkey", "-pubout", given=one) for one in (found["tls.key"], given[entry])]
    assert public[0] == public[1]


@pytest.mark.parametrize("by", ["ca", "acme"])
def test_a_request_of_somebody_else_s(env: Environment, space: str, tmp_path: Any, by: str) -> None:
    """Made by openssl, with a key that never comes near the cluster."""
    host, key = f"{by}-csr.example.test", tmp_path / "key.pem"
    command = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", str(key)]
    request = _openssl(*command, "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},DNS:www.{host}")
    named = {"csrSecretRef": {"name": f"{by}-csr"}, "usages": ["digital signature", "server auth"]}
    apply(env, secret(space, f"{by}-csr", tls_csr=request), certificate(space, f"{by}-csr", issuer=by, **named))
    body = wait_ready(env, space, f"{by}-csr")
    found = read_secret(env, space, f"{by}-csr-tls")
    assert found
    assert set(found) == ({"tls.crt", "ca.crt"} if by == "ca" else {"tls.crt"})
    assert _openssl("x509", "-noout", "-pubkey", given=found["tls.crt"]) == _openssl("pkey", "-in", str(key), "-pubout")
    printed = _openssl("x509", "-noout", "-text", given=found["tls.crt"])
    assert f"DNS:{host}" in printed
    assert f"DNS:www.{host}" in printed
    assert body["status"]["revision"] == 1
    assert json.loads(env.kubectl("get", "secret", f"{by}-csr-tls", "-n", space, "-o", "json"))["type"] == "Opaque"


def test_a_chain_verifies(env: Environment, space: str, tmp_path: Any) -> None:
    """By openssl, against the root alone: what is between is in the chain."""
    for row, root in (("usages", ""), ("acme", env.pebble.root_pem())):
        wait_ready(env, space, row)
        data = read_secret(env, space, f"{row}-tls")
        assert data
        assert ("ca.crt" in data) == (row != "acme")
        (tmp_path / "root.pem").write_bytes(root.encode() or data["ca.crt"])
        (tmp_path / "chain.pem").write_bytes(data["tls.crt"])
        files = ("-CAfile", str(tmp_path / "root.pem"), "-untrusted", str(tmp_path / "chain.pem"))
        assert ": OK" in _openssl("verify", *files, str(tmp_path / "chain.pem"))


def test_a_ca_issuers_urls_are_in_its_certificates(env: Environment, space: str) -> None:
    wait_ready(env, space, "usages")
    data = read_secret(env, space, "usages-tls")
    assert data
    printed = _openssl("x509", "-noout", "-text", given=data["tls.crt"])
    for url in ("http://crl.example.test/ca.crl", "http://ocsp.example.test", "http://ca.example.test/ca.crt"):
        assert f"URI:{url}" in printed


def test_a_secret_has_the_layout_that_others_read(env: Environment, space: str) -> None:
    """Type, keys, label and annotations as cert-manager writes them, in our group."""
    wait_ready(env, space, "names")
    wait_ready(env, space, "subject")
    body = json.loads(env.kubectl("get", "secret", "names-tls", "-n", space, "-o", "json"))
    assert body["type"] == "kubernetes.io/tls"
    assert set(body["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert body["metadata"]["labels"] == {f"controller.{GROUP}/fao": "true"}
    assert "ownerReferences" not in body["metadata"]
    notes = body["metadata"]["annotations"]
    assert notes.pop(f"{GROUP}/request-digest")
    assert notes == {
        f"{GROUP}/certificate-name": "names",
        f"{GROUP}/issuer-name": "ca",
        f"{GROUP}/issuer-kind": "Issuer",
        f"{GROUP}/issuer-group": GROUP,
        f"{GROUP}/common-name": "web.example.test",
        f"{GROUP}/alt-names": "web.example.test,*.example.test",
        f"{GROUP}/ip-sans": "192.0.2.1,2001:db8::1",
        f"{GROUP}/uri-sans": "spiffe://cluster.local/ns/a/sa/b",
        f"{GROUP}/email-sans": "ops@example.test",
    }
    other = json.loads(env.kubectl("get", "secret", "subject-tls", "-n", space, "-o", "json"))["metadata"][
        "annotations"
    ]
    assert other[f"{GROUP}/ip-sans"] == ""
    assert other[f"{GROUP}/uri-sans"] == ""
    assert other[f"{GROUP}/common-name"] == ""
    assert f"{GROUP}/email-sans" not in other
    # Values of one kind are a set in a certificate, whose encoding decides on the order.
    assert other[f"{GROUP}/subject-organizations"] in {'"Example, Inc.",Second', 'Second,"Example, Inc."'}
    assert other[f"{GROUP}/subject-serialnumber"] == "4711"


def _openssl(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
