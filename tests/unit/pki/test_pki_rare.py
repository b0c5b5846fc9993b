"""What few certificates have: other names, name constraints, must-staple, a signature algorithm of one's choice.

Each is read back by openssl from the request, from what a CA signed and from what signed itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pki_examples import (
    EC256,
    EC384,
    ED25519,
    KINDS,
    NOW,
    RSA,
    certificate_text,
    key,
    needs_openssl,
    openssl,
    root_data,
    signed,
    spec,
)

from certwright.errors import InvalidSpec
from certwright.pki import chain, csr, keys, signing
from certwright.pki.certificate import RareFacts, parse_chain
from certwright.pki.difference import describe_difference, request_digest
from certwright.pki.subject import other_name_text
from certwright.resources.certificate import parse_spec
from certwright.resources.other_names import NameConstraints, OtherName, Subtrees

if TYPE_CHECKING:
    from pathlib import Path

    from certwright.resources.certificate import CertificateSpec

ROOT = root_data()
UPN = "1.3.6.1.4.1.311.20.2.3"
LIMITS = NameConstraints(
    critical=True,
    permitted=Subtrees(("example.com",), ("10.1.2.3/8", "2001:db8::/32"), ("example.com",), (".example.com",)),
    excluded=Subtrees(dns_domains=("bad.example.com",)),
)


def request_text(wanted: CertificateSpec) -> str:
    der = csr.make_csr(wanted, key(wanted.private_key))
    return openssl("req", "-inform", "DER", "-noout", "-verify", "-text", stdin=der)


def texts(wanted: CertificateSpec) -> dict[str, str]:
    """What openssl says of all three."""
    alone = signing.self_sign(wanted, key(wanted.private_key), now=NOW)
    return {
        "request": request_text(wanted),
        "signed": certificate_text(signed(ROOT, wanted).chain_pem),
        "self-signed": certificate_text(alone.chain_pem),
    }


SAID: dict[str, tuple[CertificateSpec, tuple[str, ...], tuple[str, ...]]] = {
    "otherNames": (
        spec(dns_names=("a.test",), other_names=(OtherName(UPN, "jürgen@example.com"), OtherName("1.2.3.4", "x"))),
        ("DNS:a.test", "othername: UPN:j\u00fcrgen@example.com", "othername: 1.2.3.4:x"),
        (),
    ),
    "otherNames alone": (spec(other_names=(OtherName(UPN, "a@b"),)), ("Alternative Name: critical",), ()),
    "nameConstraints": (
        spec(common_name="Sub", is_ca=True, name_constraints=LIMITS),
        (
            "X509v3 Name Constraints: critical",
            "DNS:example.com",
            "IP:10.0.0.0/255.0.0.0",
            "IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0",
            "email:example.com",
            "URI:.example.com",
            "Excluded:",
            "DNS:bad.example.com",
        ),
        (),
    ),
    "nameConstraints that are not critical": (
        spec(common_name="Sub", is_ca=True, name_constraints=NameConstraints(permitted=Subtrees(("a.test",)))),
        ("X509v3 Name Constraints: \n", "Permitted:"),
        ("Excluded:",),
    ),
    "nameConstraints that constrain nothing": (
        spec(common_name="Sub", is_ca=True, name_constraints=NameConstraints(critical=True)),
        ("CN = Sub",),
        ("Name Constraints",),
    ),
    "mustStaple": (spec(dns_names=("a.test",), must_staple=True), ("TLS Feature: \n", "status_request"), ()),
    "nothing of these": (spec(dns_names=("a.test",)), (), ("TLS Feature", "othername", "Name Constraints")),
    "literalSubject": (spec(literal_subject="OU=b,CN=a,O=c"), ("O = c, CN = a, OU = b",), ("Alternative Name",)),
}


@needs_openssl
@pytest.mark.parametrize(("wanted", "there", "absent"), SAID.values(), ids=SAID)
def test_openssl_sees(wanted: CertificateSpec, there: tuple[str, ...], absent: tuple[str, ...]) -> None:
    for where, text in texts(wanted).items():
        plain = text.replace("::", ":").replace("=", " = ").replace("  ", " ").replace("  ", " ")
        flat = " ".join(plain.split())
        assert [word for word in there if " ".join(word.replace("::", ":").split()) not in flat] == [], (where, text)
        assert [word for word in absent if word in text] == [], (where, text)


@needs_openssl
def test_openssl_heeds_the_constraints(tmp_path: Path) -> None:
    """A leaf outside of them is refused, one within accepted."""
    wanted = spec(common_name="Sub", is_ca=True, name_constraints=LIMITS)
    made = signed(ROOT, wanted)
    middle = {"tls.crt": made.chain_pem, "tls.key": keys.encode(key(), "PKCS8"), "ca.crt": made.ca_pem}
    (tmp_path / "root.pem").write_bytes(ROOT["tls.crt"])
    for name, verdict in (
        ("web.example.com", ": OK"),
        ("example.org", "permitted subtree violation"),
        ("x.bad.example.com", "excluded subtree violation"),
    ):
        (tmp_path / "leaf.pem").write_bytes(signed(middle, spec(dns_names=(name,))).chain_pem)
        leaf = str(tmp_path / "leaf.pem")
        at = ("-attime", str(int(NOW.timestamp()) + 60))
        status = 0 if verdict == ": OK" else 2
        said = openssl("verify", *at, "-CAfile", str(tmp_path / "root.pem"), "-untrusted", leaf, leaf, status=status)
        assert verdict in said


SIGNATURES = {
    "SHA256WithRSA": (RSA, "sha256WithRSAEncryption"),
    "SHA384WithRSA": (RSA, "sha384WithRSAEncryption"),
    "SHA512WithRSA": (RSA, "sha512WithRSAEncryption"),
    "ECDSAWithSHA256": (EC384, "ecdsa-with-SHA256"),
    "ECDSAWithSHA384": (EC256, "ecdsa-with-SHA384"),
    "ECDSAWithSHA512": (EC256, "ecdsa-with-SHA512"),
    "PureEd25519": (ED25519, "ED25519"),
}


@needs_openssl
@pytest.mark.parametrize("algorithm", keys.SIGNATURE_ALGORITHMS)
def test_a_request_is_signed_by_the_algorithm_that_was_asked_for(algorithm: str) -> None:
    """So is what signs itself; what a CA signs is signed by the CA's key, and as that key has it."""
    kind, said = SIGNATURES[algorithm]
    wanted = spec(dns_names=("a.test",), signature_algorithm=algorithm, private_key=kind)
    found = texts(wanted)
    assert f"Signature Algorithm: {said}" in found["request"]
    assert f"Signature Algorithm: {said}" in found["self-signed"]
    assert "Signature Algorithm: ecdsa-with-SHA256" in found["signed"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("algorithm", [*keys.SIGNATURE_ALGORITHMS, "SHA1WithRSA"])
def test_an_algorithm_must_fit_the_key(algorithm: str, kind: Any) -> None:
    fits = keys.SIGNATURE_ALGORITHMS.get(algorithm, ("",))[0] == kind.algorithm
    if fits:
        assert isinstance(keys.signature_hash(key(kind), algorithm), hashes.HashAlgorithm | None)
    else:
        with pytest.raises(InvalidSpec, match=r"spec\.signatureAlgorithm: "):
            keys.signature_hash(key(kind), algorithm)


def test_facts() -> None:
    wanted = spec(
        literal_subject="O=b,CN=a",
        is_ca=True,
        must_staple=True,
        other_names=(OtherName(UPN, "a@b"), OtherName(UPN, "a@b")),
        name_constraints=NameConstraints(permitted=Subtrees(("b.test", "a.test"), ("10.0.0.1/8",))),
    )
    facts = parse_chain(signed(ROOT, wanted).chain_pem)[0]
    assert facts.rare == RareFacts(
        layout="O=b,CN=a",
        other_names=(f"{UPN}=a@b",),
        constraints=(
            "permitted dnsDomains a.test",
            "permitted dnsDomains b.test",
            "permitted ipRanges 10.0.0.0/8",
        ),
        must_staple=True,
    )
    assert describe_difference(wanted, facts, fuzzy=False) is None
    assert parse_chain(signed(ROOT, spec(dns_names=("a",))).chain_pem)[0].rare is None


def test_an_other_name_of_another_kind_is_told_by_its_encoding() -> None:
    assert other_name_text(x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x02\x01\x05")) == "1.2.3=#020105"


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another literal subject": (
        {"literalSubject": "CN=a,O=b"},
        {"literalSubject": "CN=a,O=c"},
        "spec.literalSubject: its subject is another one",
    ),
    "another order": (
        {"literalSubject": "CN=a,O=b"},
        {"literalSubject": "O=b,CN=a"},
        "spec.literalSubject: its subject is another one",
    ),
    "back to the usual order": (
        {"literalSubject": "O=b,CN=a"},
        {"literalSubject": "CN=a,O=b"},
        "spec.literalSubject: its subject is O=b,CN=a",
    ),
    "an RDN more": (
        {"literalSubject": "OU=x,CN=a"},
        {"literalSubject": "OU=x,CN=a,DC=test"},
        "spec.literalSubject: its subject is OU=x,CN=a",
    ),
    "another name beside a literal subject": (
        {"literalSubject": "CN=a"},
        {"literalSubject": "CN=a", "dnsNames": ["b.test"]},
        "spec.dnsNames: it lacks b.test",
    ),
    "an other name": (
        {"commonName": "a"},
        {"commonName": "a", "otherNames": [{"oid": UPN, "utf8Value": "a@b"}]},
        f"spec.otherNames: it lacks {UPN}=a@b",
    ),
    "fewer other names": (
        {"commonName": "a", "otherNames": [{"oid": UPN, "utf8Value": "a@b"}]},
        {"commonName": "a"},
        f"spec.otherNames: it has, unasked, {UPN}=a@b",
    ),
    "must staple": (
        {"commonName": "a"},
        {"commonName": "a", "mustStaple": True},
        "spec.mustStaple: it has not the extension",
    ),
    "need not staple": (
        {"commonName": "a", "mustStaple": True},
        {"commonName": "a"},
        "spec.mustStaple: it has the extension",
    ),
    "constraints": (
        {"commonName": "a", "isCA": True},
        {"commonName": "a", "isCA": True, "nameConstraints": {"excluded": {"dnsDomains": ["x"]}}},
        "spec.nameConstraints: it lacks excluded dnsDomains x",
    ),
    "critical constraints": (
        {"commonName": "a", "isCA": True, "nameConstraints": {"permitted": {"uriDomains": ["x"]}}},
        {"commonName": "a", "isCA": True, "nameConstraints": {"permitted": {"uriDomains": ["x"]}, "critical": True}},
        "spec.nameConstraints: it lacks critical",
    ),
    "a key from a Secret": (
        {"commonName": "a"},
        {"commonName": "a", "privateKey": {"algorithm": "ECDSA", "size": 256, "secretRef": {"name": "own"}}},
        "",
    ),
    "a signature algorithm": (
        {"commonName": "a"},
        {"commonName": "a", "signatureAlgorithm": "ECDSAWithSHA512"},
        "",
    ),
}


def _spec(fields: dict[str, Any]) -> CertificateSpec:
    body = {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "privateKey": {"algorithm": "ECDSA"}, **fields}
    return parse_spec({"spec": body})


@pytest.mark.parametrize(("before", "after", "says"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(before: dict[str, Any], after: dict[str, Any], says: str) -> None:
    """By the certificate where that tells it, and always by the digest of what was asked for."""
    facts = parse_chain(signed(ROOT, _spec(before)).chain_pem)[0]
    assert describe_difference(_spec(before), facts, fuzzy=False) is None
    assert (describe_difference(_spec(after), facts, fuzzy=False) or "") == says
    assert request_digest(_spec(before)) != request_digest(_spec(after))


def test_an_acme_ca_may_take_the_common_name_of_a_literal_subject_into_the_names() -> None:
    facts = parse_chain(signed(ROOT, _spec({"dnsNames": ["a.test"]})).chain_pem)[0]
    assert describe_difference(_spec({"literalSubject": "O=b,CN=a.test"}), facts, fuzzy=True) is None
    assert describe_difference(_spec({"literalSubject": "CN=b.test", "dnsNames": ["a.test"]}), facts, fuzzy=True) == (
        "spec.commonName: it lacks b.test"
    )


def test_the_order_of_other_names_and_constraints_is_no_part_of_a_request() -> None:
    one, two = OtherName(UPN, "a"), OtherName(UPN, "b")
    assert request_digest(spec(other_names=(one, two))) == request_digest(spec(other_names=(two, one, two)))
    ways = (("a.test", "b.test"), ("b.test", "a.test"))
    assert len({request_digest(spec(name_constraints=NameConstraints(excluded=Subtrees(way)))) for way in ways}) == 1


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an oid that is none": ({"other_names": (OtherName("1.x", "a"),)}, "spec.otherNames[0].oid: '1.x' cannot be"),
    "no oid": ({"other_names": (OtherName("", "a"),)}, "spec.otherNames[0].oid: '' cannot be in a certificate"),
    "no value": ({"other_names": (OtherName(UPN, ""),)}, "spec.otherNames[0].utf8Value: '' cannot be"),
    "half a character": ({"other_names": (OtherName(UPN, "\ud800"),)}, "spec.otherNames[0].utf8Value: "),
    "a range that is none": (
        {"name_constraints": NameConstraints(permitted=Subtrees(ip_ranges=("10.0.0.0/99",)))},
        "spec.nameConstraints.permitted.ipRanges: '10.0.0.0/99' cannot be",
    ),
    "a range without a length": (
        {"name_constraints": NameConstraints(excluded=Subtrees(ip_ranges=("10.0.0.0",)))},
        "spec.nameConstraints.excluded.ipRanges: '10.0.0.0' cannot be in a certificate: it has no prefix length",
    ),
    "a domain that is not ASCII": (
        {"name_constraints": NameConstraints(permitted=Subtrees(dns_domains=("ü",)))},
        "spec.nameConstraints.permitted.dnsDomains: 'ü' cannot be",
    ),
    "a domain of no URI": (
        {"name_constraints": NameConstraints(permitted=Subtrees(uri_domains=("ü",)))},
        "spec.nameConstraints.permitted.uriDomains: 'ü' cannot be",
    ),
    "an address of nobody": (
        {"name_constraints": NameConstraints(permitted=Subtrees(email_addresses=("A <a@b>",)))},
        "spec.nameConstraints.permitted.emailAddresses: 'A <a@b>' cannot be",
    ),
}


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_encoded_is_said_with_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        csr.make_csr(spec(common_name="a", is_ca=True, **fields), key())
    assert caught.value.message.startswith(message)


def test_constraints_of_kinds_that_no_spec_has_are_described() -> None:
    """Whoever imported such a CA must not see it reissued for a word, nor a traceback."""
    other = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")]))
    own = keys.generate(EC256)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Odd")])
    builder = x509.CertificateBuilder(name, name, own.public_key(), 5, NOW, NOW.replace(year=2030))
    builder = builder.add_extension(x509.NameConstraints([other], None), critical=True)
    made = builder.sign(own, keys.signature_hash(own))
    facts = parse_chain(chain.bundle([made]).chain_pem)[0]
    assert facts.rare == RareFacts(constraints=("permitted other <Name(CN=a)>", "critical"))
