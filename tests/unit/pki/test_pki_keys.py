from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from pki_examples import EC256, EC384, EC521, ED25519, KINDS, RSA, key, needs_openssl, openssl

from certwright.errors import InvalidSpec
from certwright.pki import keys
from certwright.resources.certificate import PrivateKeySpec
from certwright.resources.meta import SecretRef

LABELS = {
    ("RSA", "PKCS1"): b"BEGIN RSA PRIVATE KEY",
    ("ECDSA", "PKCS1"): b"BEGIN EC PRIVATE KEY",
    ("Ed25519", "PKCS1"): b"BEGIN PRIVATE KEY",
}


@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_key_survives_writing_and_reading(kind: PrivateKeySpec, encoding: str) -> None:
    pem = keys.encode(key(kind), encoding)
    assert LABELS.get((kind.algorithm, encoding), b"BEGIN PRIVATE KEY") in pem
    read = keys.read(pem, "tls.key")
    assert read == keys.facts(keys.load(pem, "tls.key"), read.encoding)
    assert read.encoding == ("PKCS8" if kind.algorithm == "Ed25519" else encoding)
    assert keys.mismatch(kind, read) is None


@pytest.mark.parametrize("size", [3072, 4096])
def test_larger_rsa_keys(size: int) -> None:
    assert keys.facts(key(PrivateKeySpec("RSA", size))).size == size


@needs_openssl
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
def test_openssl_reads_the_keys(kind: PrivateKeySpec, encoding: str) -> None:
    assert "valid" in openssl("pkey", "-noout", "-check", stdin=keys.encode(key(kind), encoding))


@needs_openssl
def test_keys_of_openssl_are_read_even_after_their_parameters() -> None:
    pem = openssl("ecparam", "-name", "prime256v1", "-genkey").encode()
    assert b"BEGIN EC PARAMETERS" in pem
    assert keys.read(pem, "tls.key").algorithm == "ECDSA"


@pytest.mark.parametrize(
    "kind",
    [PrivateKeySpec("RSA", 1024), PrivateKeySpec("RSA", 16384), PrivateKeySpec("ECDSA", 224), PrivateKeySpec("DSA")],
)
def test_kinds_that_are_not_made(kind: PrivateKeySpec) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.privateKey: there is no"):
        keys.generate(kind)


@pytest.mark.parametrize(
    ("wanted", "found", "text"),
    [
        (RSA, PrivateKeySpec("RSA", 3072), "the key is RSA of 3072 bits and RSA of 2048 bits is asked for"),
        (EC256, ED25519, "the key is Ed25519 and ECDSA of 256 bits is asked for"),
        (ED25519, EC521, "the key is ECDSA of 521 bits and Ed25519 is asked for"),
        (PrivateKeySpec("Ed25519", 256), ED25519, None),
        (PrivateKeySpec("", 0, secret_ref=SecretRef("own", "tls.key")), EC521, None),
        (PrivateKeySpec("", 0, secret_ref=SecretRef("own", "tls.key")), ED25519, None),
        (PrivateKeySpec("ECDSA", 0, secret_ref=SecretRef("own", "tls.key")), EC521, None),
        (PrivateKeySpec("", 521, secret_ref=SecretRef("own", "tls.key")), EC521, None),
        (
            PrivateKeySpec("", 384, secret_ref=SecretRef("own", "tls.key")),
            EC521,
            "the key is ECDSA of 521 bits and a key of 384 bits is asked for",
        ),
        (
            PrivateKeySpec("RSA", 0, secret_ref=SecretRef("own", "tls.key")),
            EC521,
            "the key is ECDSA of 521 bits and RSA is asked for",
        ),
    ],
)
def test_mismatch(wanted: PrivateKeySpec, found: PrivateKeySpec, text: str | None) -> None:
    assert keys.mismatch(wanted, keys.facts(key(found))) == text


def _pem(private: object, *, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined]


def _traditional_with_passphrase() -> bytes:
    return key(RSA).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x"))


def _unfitting_numbers() -> bytes:
    one, other = key(RSA), keys.generate(RSA)
    assert isinstance(one, rsa.RSAPrivateKey)
    assert isinstance(other, rsa.RSAPrivateKey)
    n, o = one.private_numbers(), other.private_numbers()
    mixed = rsa.RSAPrivateNumbers(
        p=n.p, q=n.q, d=o.d, dmp1=o.dmp1, dmq1=o.dmq1, iqmp=o.iqmp, public_numbers=n.public_numbers
    )
    return _pem(mixed.private_key(unsafe_skip_rsa_key_validation=True))


BAD = {
    "empty": (b"", "no private key in PEM"),
    "garbage": (b"\x00\xff" * 100, "no private key in PEM"),
    "a certificate": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no private key in PEM"),
    "a public key": (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no private key in PEM"),
    "cut off": (keys.encode(key(EC256), "PKCS8")[:100], "no private key in PEM"),
    "base64 cut": (b"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n", "damaged"),
    "no base64": (b"-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n", "damaged"),
    "huge": (b"-----BEGIN PRIVATE KEY-----\n" * 50_000, "more than a key can have"),
    "passphrase": (_pem(key(EC256), password=b"x"), "has a passphrase; store it without one"),
    "old passphrase": (_traditional_with_passphrase(), "has a passphrase"),
    "openssh": (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "OPENSSH PRIVATE KEY is",
    ),
    "ed448": (_pem(ed448.Ed448PrivateKey.generate()), "this kind of key is not served"),
    "x25519": (_pem(x25519.X25519PrivateKey.generate()), "this kind of key is not served"),
    "curve": (_pem(ec.generate_private_key(ec.SECP256K1())), "the curve secp256k1 is not served"),
    "numbers": (_unfitting_numbers(), "do not belong together"),
}


@pytest.mark.parametrize(("pem", "text"), BAD.values(), ids=BAD)
def test_what_is_no_key_is_said_with_its_place_and_without_its_content(pem: bytes, text: str) -> None:
    with pytest.raises(InvalidSpec, match=text) as caught:
        keys.load(pem, "Secret a/b, tls.key")
    assert caught.value.message.startswith("Secret a/b, tls.key: ")
    assert len(caught.value.message) < 300
    for line in pem.splitlines()[1:-1]:
        assert not line or line.decode("latin-1") not in caught.value.message


def test_no_damage_to_an_rsa_key_does_more_than_be_told() -> None:
    own = key(RSA)
    assert isinstance(own, rsa.RSAPrivateKey)
    numbers = own.private_numbers()
    good = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    for name in ("p", "q", "d"):
        for change in (lambda n: n + 2, lambda n: n >> 1 | 1, lambda _: 3):
            bad = rsa.RSAPrivateNumbers(**{**good, name: change(good[name])}, public_numbers=numbers.public_numbers)
            try:
                pem = _pem(bad.private_key(unsafe_skip_rsa_key_validation=True))
            except ValueError:
                continue
            try:
                keys.load(pem, "tls.key")
            except InvalidSpec:
                continue  # else the damaged number is one that signing does not use


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (RSA, "sha256"),
        (EC256, "sha256"),
        (EC384, "sha384"),
        (EC521, "sha512"),
        (ED25519, None),
        (PrivateKeySpec("RSA", 3072), "sha384"),
        (PrivateKeySpec("RSA", 4096), "sha512"),
    ],
)
def test_the_hash_is_as_strong_as_the_key(kind: PrivateKeySpec, name: str | None) -> None:
    found = keys.signature_hash(key(kind))
    assert (found.name if found else None) == name
