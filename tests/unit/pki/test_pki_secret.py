from __future__ import annotations

import sys
from base64 import encodebytes
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from pki_examples import KINDS, RSA, certificate_text, key, needs_openssl, openssl, root_data, signed, spec

from certwright.pki import keys
from certwright.pki.secret import SecretFacts, read_tls_secret, tls_secret_data

if TYPE_CHECKING:
    from certwright.resources.certificate import PrivateKeySpec

ROOT = root_data()
SPEC = spec(dns_names=("a.test",))
BUNDLE = signed(ROOT, SPEC)
GOOD = tls_secret_data(SPEC, key(), chain_pem=BUNDLE.chain_pem, ca_pem=BUNDLE.ca_pem)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_written_is_read(kind: PrivateKeySpec) -> None:
    wanted = spec(dns_names=("a.test",), private_key=kind)
    bundle = signed(ROOT, wanted)
    facts = read_tls_secret(tls_secret_data(wanted, key(kind), chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem))
    assert facts.problem is None
    assert facts.has_key
    assert facts.has_certificate
    assert facts.key_matches_certificate
    assert facts.key == keys.facts(key(kind), kind.encoding)
    assert facts.certificate is not None
    assert facts.certificate.dns_names == ("a.test",)


def test_the_ca_is_there_only_where_one_was_given() -> None:
    assert sorted(GOOD) == ["ca.crt", "tls.crt", "tls.key"]
    assert sorted(tls_secret_data(SPEC, key(), chain_pem=BUNDLE.chain_pem)) == ["tls.crt", "tls.key"]


@pytest.mark.parametrize(
    ("change", "problem", "matches"),
    [
        ({"tls.key": b""}, None, False),
        ({"tls.crt": b""}, None, False),
        ({"tls.key": b"x"}, "tls.key: there is no private key in PEM", False),
        ({"tls.crt": b"x"}, "tls.crt: there is no certificate in PEM", False),
        ({"tls.crt": b"x", "tls.key": b"x"}, "tls.crt: there is no certificate in PEM", False),
        ({"tls.crt": BUNDLE.chain_pem[:150]}, "tls.crt: a certificate in it is damaged", False),
        ({"tls.crt": BUNDLE.chain_pem * 50}, "tls.crt: 50 certificates", False),
        ({"tls.crt": b"A" * (2 << 20)}, "tls.crt: there is no certificate", False),
        ({"tls.key": keys.encode(key(RSA), "PKCS1")}, None, False),
        ({"ca.crt": b"x"}, None, True),
        ({"other": b"x"}, None, True),
    ],
)
def test_whatever_is_there_is_described(change: dict[str, bytes], problem: str | None, matches: bool) -> None:  # noqa: FBT001
    facts = read_tls_secret({**GOOD, **change})
    assert facts.problem == problem if problem is None else (facts.problem or "").startswith(problem)
    assert facts.key_matches_certificate is matches
    assert facts.has_key is bool({**GOOD, **change}["tls.key"])


def test_nothing_at_all() -> None:
    facts = read_tls_secret({})
    assert facts == SecretFacts(False, False, None, None, None, False, facts.digest)


def test_the_digest_tells_contents_apart() -> None:
    changes: tuple[dict[str, bytes], ...] = (
        {},
        {"ca.crt": b""},
        {"tls.crt": b"x"},
        {"tls.key": b""},
        {"tls.key": keys.encode(key(), "PKCS1")},
    )
    digests = [read_tls_secret({**GOOD, **change}).digest for change in changes]
    assert len(set(digests)) == len(digests)
    assert read_tls_secret(dict(GOOD)).digest == digests[0]


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_reading_never_raises(chain_pem: bytes, key_pem: bytes) -> None:
    wrapped = (b"-----BEGIN CERTIFICATE-----\n" + chain_pem + b"\n-----END CERTIFICATE-----\n", key_pem)
    for crt, private in ((chain_pem, key_pem), wrapped):
        assert not read_tls_secret({"tls.crt": crt, "tls.key": private}).key_matches_certificate


@pytest.mark.filterwarnings("ignore")  # the library warns of what is odd; that must stop nothing
def test_reading_survives_any_flipped_byte() -> None:
    der = bytearray(der_of(BUNDLE.chain_pem))
    for index in range(len(der)):
        for flip in (0x01, 0x80, 0xFF):
            bad = bytearray(der)
            bad[index] ^= flip
            facts = read_tls_secret({**GOOD, "tls.crt": pem_of(bytes(bad))})
            assert (facts.certificate is None) is (facts.problem is not None)


@pytest.mark.filterwarnings("ignore")
def test_a_negative_serial_number_is_told_or_borne() -> None:
    made = signed(ROOT, SPEC, serial=0x11223344)
    der = der_of(made.chain_pem).replace(b"\x02\x04\x11\x22\x33\x44", b"\x02\x04\x91\x22\x33\x44")
    facts = read_tls_secret({**GOOD, "tls.crt": pem_of(der)})
    assert (facts.certificate is None) is (facts.problem is not None)
    assert facts.certificate is None or facts.certificate.serial.startswith("-")


@needs_openssl
def test_keys_and_certificates_of_openssl_are_read(tmp_path: Any) -> None:
    private = str(tmp_path / "key")
    subject = "/C=DE/O=Example/CN=a.test/DC=test"
    pem = openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", private),
        *("-subj", subject, "-addext", "subjectAltName=DNS:a.test,DNS:b.test,otherName:1.2.3.4;UTF8:x"),
    ).encode()
    facts = read_tls_secret({"tls.crt": pem, "tls.key": (tmp_path / "key").read_bytes()})
    assert facts.key_matches_certificate
    assert facts.certificate is not None
    assert facts.certificate.dns_names == ("a.test", "b.test")
    assert facts.certificate.subject.organizations == ("Example",)
    assert "CA:TRUE" in certificate_text(pem)
    assert facts.certificate.is_ca


def test_facts_hold_no_key_and_are_small() -> None:
    facts = read_tls_secret(GOOD)
    assert "PRIVATE" not in repr(facts)
    assert _size(facts) < 2_000
    assert facts == replace(facts)


def der_of(pem: bytes) -> bytes:

    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def pem_of(der: bytes) -> bytes:

    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _size(value: object) -> int:
    if value in (None, True, False, ()):  # there is one of these for all
        return 0
    if is_dataclass(value):
        return sys.getsizeof(value) + sum(_size(getattr(value, field.name)) for field in fields(value))
    return sys.getsizeof(value) + (sum(map(_size, value)) if isinstance(value, tuple) else 0)
