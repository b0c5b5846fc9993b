"""Account keys, their signatures, and external account bindings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from certwright.acme.jws import AccountKey, ExternalAccountBinding
from certwright.errors import InvalidSpec

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, form: str = "PKCS8", password: bytes | None = None) -> bytes:
    encryption: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)


def unb64(text: str) -> bytes:
    assert not set(text) & set("+/=")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
@pytest.mark.parametrize(
    ("curve", "name", "hashed", "width"),
    [
        (ec.SECP256R1(), "ES256", hashes.SHA256(), 32),
        (ec.SECP384R1(), "ES384", hashes.SHA384(), 48),
        (ec.SECP521R1(), "ES512", hashes.SHA512(), 66),
    ],
)
def test_ecdsa(form: str, curve: ec.EllipticCurve, name: str, hashed: hashes.HashAlgorithm, width: int) -> None:
    private = ec.generate_private_key(curve)
    jws = json.loads(AccountKey.from_pem(pem(private, form)).sign(b"{}", url="https://x/", nonce="n", kid="https://k/"))
    assert json.loads(unb64(jws["protected"])) == {"alg": name, "kid": "https://k/", "nonce": "n", "url": "https://x/"}
    assert unb64(jws["payload"]) == b"{}"
    raw = unb64(jws["signature"])
    assert len(raw) == 2 * width
    der = encode_dss_signature(int.from_bytes(raw[:width]), int.from_bytes(raw[width:]))
    private.public_key().verify(der, f"{jws['protected']}.{jws['payload']}".encode(), ec.ECDSA(hashed))


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_rsa(form: str) -> None:
    jws = json.loads(AccountKey.from_pem(pem(RSA, form)).sign(b"", url="https://x/", nonce="n", kid="https://k/"))
    assert json.loads(unb64(jws["protected"]))["alg"] == "RS256"
    assert jws["payload"] == ""
    signed = f"{jws['protected']}.{jws['payload']}".encode()
    RSA.public_key().verify(unb64(jws["signature"]), signed, padding.PKCS1v15(), hashes.SHA256())


def test_a_new_account_is_signed_for_by_the_key_itself() -> None:
    jws = json.loads(AccountKey.from_pem(pem(EC)).sign(b"{}", url="https://x/", nonce="n", kid=None))
    head = json.loads(unb64(jws["protected"]))
    numbers = EC.public_key().public_numbers()
    assert "kid" not in head
    assert head["jwk"]["kty"] == "EC"
    assert head["jwk"]["crv"] == "P-256"
    assert int.from_bytes(unb64(head["jwk"]["x"])) == numbers.x
    assert int.from_bytes(unb64(head["jwk"]["y"])) == numbers.y
    assert "d" not in head["jwk"]


@pytest.mark.parametrize(("key", "members"), [(EC, ["crv", "kty", "x", "y"]), (RSA, ["e", "kty", "n"])])
def test_the_thumbprint_is_that_of_rfc_7638(key: Any, members: list[str]) -> None:
    account = AccountKey.from_pem(pem(key))
    canonical = json.dumps({name: account.jwk[name] for name in members}, separators=(",", ":")).encode()
    assert unb64(account.thumbprint) == hashlib.sha256(canonical).digest()
    assert account.key_authorization("token") == f"token.{account.thumbprint}"


def test_the_private_half_never_prints() -> None:
    shown = repr(AccountKey.from_pem(pem(EC)))
    assert "Private" not in shown
    assert str(EC.private_numbers().private_value) not in shown


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"nonsense",
        b"\xff",
        pem(EC).replace(b"PRIVATE KEY", b"PUBLIC KEY"),
        pem(EC, password=b"secret"),
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - refused, as it should be
    ],
    ids=["empty", "nonsense", "binary", "label", "encrypted", "Ed25519", "other curve", "RSA 1024"],
)
def test_a_key_that_will_not_do(bad: bytes) -> None:
    with pytest.raises(InvalidSpec, match="account key"):
        AccountKey.from_pem(bad)


MAC = bytes(range(200, 240))


@pytest.mark.parametrize(
    "encoded",
    [
        base64.urlsafe_b64encode(MAC).decode(),
        base64.urlsafe_b64encode(MAC).decode().rstrip("="),
        base64.b64encode(MAC).decode(),
        base64.b64encode(MAC).decode().rstrip("="),
        base64.urlsafe_b64encode(MAC).decode() + "\n",
    ],
)
def test_a_mac_key_in_every_spelling(encoded: str) -> None:
    assert ExternalAccountBinding.from_text("kid", encoded).mac_key == MAC


@pytest.mark.parametrize("encoded", ["", "====", "a", "not*base64url", "ä", "abc=def", "\x00\x00"])
def test_a_mac_key_that_is_none(encoded: str) -> None:
    with pytest.raises(InvalidSpec, match="externalAccountBinding"):
        ExternalAccountBinding.from_text("kid", encoded)


def test_a_binding_is_a_signature_over_the_account_key() -> None:
    binding = ExternalAccountBinding("kid", MAC)
    account = AccountKey.from_pem(pem(EC))
    jws = binding.sign(account.jwk, url="https://x/new-account")
    assert json.loads(unb64(jws["protected"])) == {"alg": "HS256", "kid": "kid", "url": "https://x/new-account"}
    assert json.loads(unb64(jws["payload"])) == account.jwk
    expected = hmac.digest(MAC, f"{jws['protected']}.{jws['payload']}".encode(), "sha256")
    assert unb64(jws["signature"]) == expected
    assert "mac" not in repr(binding)
    assert repr(MAC) not in repr(binding)
