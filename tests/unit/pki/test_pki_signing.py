from __future__ import annotations

from base64 import encodebytes
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from pki_examples import (
    EC256,
    KINDS,
    NOW,
    below,
    certificate_text,
    digest_of,
    key,
    needs_openssl,
    openssl,
    root_data,
    signed,
    spec,
)

from certwright.errors import InvalidSpec
from certwright.pki import chain, csr, keys, signing

if TYPE_CHECKING:
    from pathlib import Path

    from certwright.resources.certificate import PrivateKeySpec

ROOT = root_data()
MIDDLE = below(ROOT)
LEAF = spec(common_name="a.test", dns_names=("a.test",))


def _verify(bundle: signing.SignedBundle, folder: Path) -> None:
    (folder / "ca.crt").write_bytes(bundle.ca_pem)
    (folder / "tls.crt").write_bytes(bundle.chain_pem)
    ca, leaf = str(folder / "ca.crt"), str(folder / "tls.crt")
    at = str(int(NOW.timestamp()) + 60)
    done = openssl("verify", "-x509_strict", "-attime", at, "-CAfile", ca, "-untrusted", leaf, leaf)
    assert done.endswith("tls.crt: OK\n")


@needs_openssl
@pytest.mark.parametrize("ca_kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_openssl_accepts_what_every_kind_of_ca_signs_for_every_kind_of_key(
    ca_kind: PrivateKeySpec, kind: PrivateKeySpec, tmp_path: Path
) -> None:
    bundle = signed(root_data(ca_kind), spec(common_name="a.test", dns_names=("a.test",), private_key=kind))
    _verify(bundle, tmp_path)
    assert chain.problem(bundle.chain_pem, digest_of(key(kind)), now=NOW) is None


@needs_openssl
def test_openssl_accepts_a_chain_of_four_with_no_root_in_it(tmp_path: Path) -> None:
    lower = below(MIDDLE, common_name="Lower")
    bundle = signed(lower, LEAF)
    assert [one.subject.rfc4514_string() for one in chain.split(bundle.chain_pem, "x")] == [
        "CN=a.test",
        "CN=Lower",
        "CN=Intermediate",
    ]
    assert bundle.ca_pem == ROOT["tls.crt"]
    _verify(bundle, tmp_path)


def test_without_the_root_the_topmost_is_the_ca() -> None:
    for above in ({}, {"ca.crt": b"rubbish"}, {"ca.crt": root_data()["tls.crt"]}):
        data = {name: value for name, value in MIDDLE.items() if name != "ca.crt"} | above
        bundle = signed(data, LEAF)
        assert bundle.ca_pem == MIDDLE["tls.crt"]
        assert bundle.chain_pem.endswith(MIDDLE["tls.crt"])


@needs_openssl
def test_the_extensions_of_a_leaf() -> None:
    bundle = signed(
        ROOT,
        spec(dns_names=("a.test",), usages=("digital signature", "server auth")),
        crl_distribution_points=("http://crl.test/a", "http://crl.test/b"),
        ocsp_servers=("http://ocsp.test",),
        issuing_certificate_urls=("http://ca.test/ca.crt",),
    )
    text = certificate_text(bundle.chain_pem)
    for part in (
        "Issuer: CN = Root\n",
        "Not Before: Nov 24 12:00:00 2026 GMT",
        "Not After : Feb 22 12:00:00 2027 GMT",
        "X509v3 Subject Alternative Name: critical\n                DNS:a.test\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Subject Key Identifier: \n",
        "URI:http://crl.test/a",
        "URI:http://crl.test/b",
        "OCSP - URI:http://ocsp.test\n",
        "CA Issuers - URI:http://ca.test/ca.crt\n",
    ):
        assert part in text
    assert not bundle.shortened


@needs_openssl
def test_the_extensions_of_a_root() -> None:
    text = certificate_text(ROOT["tls.crt"])
    for part in ("CA:TRUE\n", "Digital Signature, Key Encipherment, Certificate Sign\n", "Subject: CN = Root\n"):
        assert part in text
    assert "Authority Key Identifier" not in text
    assert "Alternative Name" not in text
    assert ROOT["ca.crt"] == ROOT["tls.crt"]


@needs_openssl
def test_what_signs_itself_may_name_where_it_is_revoked() -> None:
    wanted = spec(common_name="alone")
    made = signing.self_sign(wanted, key(), now=NOW, crl_distribution_points=("http://crl.test/a", "http://crl.test/b"))
    text = certificate_text(made.chain_pem)
    assert text.count("Full Name") == 2, "each is a distribution point of its own, as others write them"
    assert "URI:http://crl.test/a" in text
    assert "URI:http://crl.test/b" in text
    assert "CRL Distribution" not in certificate_text(signing.self_sign(wanted, key(), now=NOW).chain_pem)


def test_the_authority_key_identifier_is_the_ca_s_own() -> None:
    own = _ca(
        extensions=[(x509.BasicConstraints(ca=True, path_length=None), True), (x509.SubjectKeyIdentifier(b"id"), False)]
    )
    plain = _ca()
    for data, wanted in ((own, b"id"), (plain, None)):
        leaf = chain.split(signed(data, LEAF).chain_pem, "x")[0]
        found = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        public = keys.load(data["tls.key"], "x").public_key()
        assert found == (wanted or x509.SubjectKeyIdentifier.from_public_key(public).digest)


def test_serial_numbers() -> None:
    first, second, given = (
        chain.split(signed(ROOT, LEAF, serial=serial).chain_pem, "x")[0].serial_number for serial in (None, None, 7)
    )
    assert given == 7
    assert first != second
    assert first > 0
    assert first.bit_length() <= 159


def _ca(
    *,
    extensions: list[tuple[x509.ExtensionType, bool]] | None = None,
    start: timedelta = timedelta(),
    end: timedelta = timedelta(days=1000),
    **other: bytes,
) -> dict[str, bytes]:
    """A CA with just these extensions."""
    own = keys.generate(EC256)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Odd")])
    builder = x509.CertificateBuilder(name, name, own.public_key(), 5, NOW + start, NOW + end)
    for extension, critical in extensions or [(x509.BasicConstraints(ca=True, path_length=None), True)]:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(own, keys.signature_hash(own))
    return {"tls.key": keys.encode(own, "PKCS8"), "tls.crt": chain.bundle([made]).chain_pem, **other}


def _usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{**dict.fromkeys(names.split(), False), **bits})


IS_CA: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=True, path_length=None), True)]
BAD_CAS: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "it has no tls.crt; put the CA's certificate and key there"),
    "no key": ({"tls.crt": ROOT["tls.crt"]}, "it has no tls.key"),
    "bad certificate": ({**ROOT, "tls.crt": b"x"}, ", tls.crt: there is no certificate in PEM"),
    "bad key": ({**ROOT, "tls.key": b"x"}, ", tls.key: there is no private key in PEM"),
    "another key": ({**ROOT, "tls.key": MIDDLE["tls.key"]}, "tls.key is not the key of tls.crt"),
    "expired": (_ca(start=timedelta(days=-9), end=timedelta(0)), "has expired at 2026-11-24T12:00:00Z; renew it"),
    "leaf": (_ca(extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)]), "is not a CA's"),
    "no constraints": (_ca(extensions=[(_usage(key_cert_sign=True), True)]), "is not a CA's"),
    "usage": (_ca(extensions=[*IS_CA, (_usage(digital_signature=True), True)]), "lacks 'cert sign'"),
}


@pytest.mark.parametrize(("data", "text"), BAD_CAS.values(), ids=BAD_CAS)
def test_a_ca_that_cannot_sign_says_why(data: dict[str, bytes], text: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        signing.load_authority(data, where="Secret pki/ca", now=NOW)
    assert caught.value.message.startswith("Secret pki/ca")
    assert text in caught.value.message
    assert caught.value.reason == "InvalidCA"


def test_a_ca_with_the_right_key_usage_signs() -> None:
    assert signed(_ca(extensions=[*IS_CA, (_usage(key_cert_sign=True), True)]), LEAF).chain_pem


def test_an_authority_does_not_show_its_key() -> None:
    authority = signing.load_authority(ROOT, where="Secret pki/ca", now=NOW)
    assert "key" not in repr(authority).lower().replace("keyusage", "")


def test_nothing_outlives_the_cas_above_it() -> None:
    short = below(root_data(duration=timedelta(days=30)))
    bundle = signed(short, LEAF)
    assert bundle.shortened
    assert bundle.not_after == NOW + timedelta(days=30)
    leaf = chain.split(bundle.chain_pem, "x")[0]
    assert leaf.not_valid_after_utc == bundle.not_after


def test_nothing_begins_before_its_ca_does() -> None:
    later = _ca(start=timedelta(minutes=5))
    leaf = chain.split(signed(later, LEAF).chain_pem, "x")[0]
    assert leaf.not_valid_before_utc == NOW + timedelta(minutes=5)


def _authority(*data: dict[str, bytes]) -> signing.Authority:
    certificates = tuple(chain.split(item["tls.crt"], "x")[0] for item in data)
    return signing.Authority(certificates, keys.load(data[0]["tls.key"], "x"), "Secret pki/ca")


def test_an_intermediate_above_that_has_expired_is_named_and_a_root_is_not() -> None:
    request, late = csr.make_csr(LEAF, key()), NOW + timedelta(days=30)
    with pytest.raises(InvalidSpec, match="above the CA's own has expired at 2026-12-24T12:00:00Z; renew it"):
        signing.sign(request, LEAF, _authority(MIDDLE, below(ROOT, duration=timedelta(days=30))), now=late)
    bundle = signing.sign(request, LEAF, _authority(MIDDLE, root_data(duration=timedelta(days=30))), now=late)
    assert not bundle.shortened


@pytest.mark.parametrize("duration", [timedelta(days=365 * 9000), timedelta.max])
def test_a_duration_beyond_all_calendars_is_refused(duration: timedelta) -> None:
    for make in (
        lambda wanted: signed(ROOT, wanted),
        lambda wanted: signing.self_sign(wanted, key(), now=NOW),
    ):
        with pytest.raises(InvalidSpec, match="year 9999"):
            make(spec(common_name="a", duration=duration))


@pytest.mark.parametrize(("limit", "depth", "allowed"), [(None, 0, True), (0, 0, False), (1, 0, True), (1, 1, False)])
def test_path_lengths(limit: int | None, depth: int, allowed: bool) -> None:  # noqa: FBT001 - a column of the table
    data = _ca(extensions=[(x509.BasicConstraints(ca=True, path_length=limit), True)])
    for _ in range(depth):
        data = below(data)
    wanted = spec(common_name="Sub", is_ca=True)
    assert signed(data, LEAF).chain_pem
    if allowed:
        assert signed(data, wanted).chain_pem
    else:
        with pytest.raises(InvalidSpec, match=f"its path length \\({limit}\\) lets no further CA stand below it"):
            signed(data, wanted)


@pytest.mark.parametrize("option", ["crl_distribution_points", "ocsp_servers", "issuing_certificate_urls"])
def test_a_url_that_cannot_be_encoded_is_named(option: str) -> None:
    options: dict[str, Any] = {option: ("http://ü",)}
    with pytest.raises(InvalidSpec, match=r"the issuer's .*'http://ü' cannot be in a certificate"):
        signed(ROOT, LEAF, **options)


def test_of_a_request_no_more_than_key_subject_and_names_is_taken() -> None:
    own = keys.generate(EC256)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True), critical=True)
    der = builder.sign(own, keys.signature_hash(own)).public_bytes(chain.Encoding.DER)
    authority = signing.load_authority(ROOT, where="Secret pki/ca", now=NOW)
    leaf = chain.split(signing.sign(der, LEAF, authority, now=NOW).chain_pem, "x")[0]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def _garbled(certificate_pem: bytes, good: bytes, bad: bytes) -> bytes:
    der = x509.load_pem_x509_certificate(certificate_pem).public_bytes(chain.Encoding.DER)
    assert good in der
    encoded = encodebytes(der.replace(good, bad, 1))
    return b"-----BEGIN CERTIFICATE-----\n" + encoded + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (
            b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01",
            b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x07",
        ),
        (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x77"),
    ],
    ids=["basic constraints", "curve"],
)
def test_a_ca_certificate_with_odd_insides_is_told(good: bytes, bad: bytes) -> None:
    odd = {**ROOT, "tls.crt": _garbled(ROOT["tls.crt"], good, bad)}
    with pytest.raises(InvalidSpec, match="cannot be read"):
        signing.load_authority(odd, where="Secret pki/ca", now=NOW)


def test_a_request_with_odd_names_is_told() -> None:
    own = keys.generate(EC256)
    odd = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x01")
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(odd, critical=False)
    der = builder.sign(own, keys.signature_hash(own)).public_bytes(chain.Encoding.DER)
    authority = signing.load_authority(ROOT, where="Secret pki/ca", now=NOW)
    with pytest.raises(InvalidSpec, match="the certificate signing request cannot be read"):
        signing.sign(der, LEAF, authority, now=NOW)


def test_the_right_one_of_several_certificates_is_the_ca() -> None:
    data = {**MIDDLE, "tls.crt": root_data()["tls.crt"] + ROOT["tls.crt"] + MIDDLE["tls.crt"], "ca.crt": b""}
    bundle = signed(data, LEAF)
    assert bundle.chain_pem.endswith(MIDDLE["tls.crt"])
    assert bundle.ca_pem == ROOT["tls.crt"]


def test_a_signature_that_does_not_hold_never_leaves() -> None:
    authority = signing.load_authority(ROOT, where="Secret pki/ca", now=NOW)
    damaged = signing.Authority(authority.chain, keys.generate(EC256), "Secret pki/ca")
    with pytest.raises(InvalidSpec, match=r"Secret pki/ca: tls\.key is damaged"):
        signing.sign(csr.make_csr(LEAF, key()), LEAF, damaged, now=NOW)
