"""Account keys and the signatures ACME is spoken with (RFC 8555 6.2, RFC 7515).

A key is parsed once and then signs any number of requests, from any thread. Nothing here prints or writes a key, or
keeps more of one than the library's handle on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from josepy.b64 import b64decode, b64encode
from josepy.jwa import ES256, ES384, ES512, HS256, RS256, JWASignature
from josepy.jwk import JWK, JWKEC, JWKRSA

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MIN_RSA_BITS = 2048
_CURVES = {"secp256r1": ES256, "secp384r1": ES384, "secp521r1": ES512}


def b64(data: bytes) -> str:
    """Encode as base64url without padding (RFC 8555 6.1)."""
    return b64encode(data).decode("ascii")


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _flattened(
    protected: Mapping[str, Any], payload: bytes, algorithm: JWASignature, key: _Private | bytes
) -> dict[str, str]:
    """Sign; the flattened JSON serialization of RFC 7515 7.2.2."""
    head, body = b64(_compact(protected)), b64(payload)
    return {"protected": head, "payload": body, "signature": b64(algorithm.sign(key, f"{head}.{body}".encode()))}


@dataclass(frozen=True, slots=True)
class ExternalAccountBinding:
    """What ties a new ACME account to one a person has at the CA (RFC 8555 7.3.4); the key never prints."""

    key_id: str
    mac_key: bytes = field(repr=False)

    @classmethod
    def from_text(cls, key_id: str, encoded: str) -> ExternalAccountBinding:
        """Read the MAC key as CAs hand it out: base64url or base64, padded or not.

        Raises:
            InvalidSpec: It is empty or not base64.
        """
        text = "".join(encoded.split()).translate(str.maketrans("+/", "-_")).rstrip("=")
        try:
            mac_key = b64decode(text)
        except ValueError:
            mac_key = b""
        # The decoder skips what is not of its alphabet; a key with a typing error must not pass.
        if not mac_key or b64(mac_key)[:-1] != text[:-1]:
            raise InvalidSpec(
                "spec.acme.externalAccountBinding: the Secret's MAC key is not base64url as the CA gave it"
            )
        return cls(key_id, mac_key)

    def sign(self, jwk: Mapping[str, str], *, url: str) -> dict[str, str]:
        """Bind the account key `jwk`; for the newAccount request to `url`."""
        protected = {"alg": "HS256", "kid": self.key_id, "url": url}
        return _flattened(protected, _compact(jwk), HS256, self.mac_key)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """An account's private key with its public half ready for use; the private half never prints.

    Attributes:
        jwk: The public key (RFC 7517).
        thumbprint: RFC 7638, base64url of SHA-256.
    """

    jwk: Mapping[str, str]
    thumbprint: str
    _algorithm: JWASignature = field(repr=False)
    _private: _Private = field(repr=False)

    @classmethod
    def from_pem(cls, pem: bytes) -> AccountKey:
        """Parse an unencrypted private key: PKCS#8, SEC1 or PKCS#1; ECDSA P-256, P-384, P-521 or RSA.

        Raises:
            InvalidSpec: It is no such key, encrypted, or an RSA key under 2048 bits.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
            raise InvalidSpec("the account key's Secret holds no unencrypted private key in PEM") from None
        public: JWK
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
            algorithm, public = _CURVES[key.curve.name], JWKEC(key=key.public_key())
        elif isinstance(key, rsa.RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
            algorithm, public = RS256, JWKRSA(key=key.public_key())
        else:
            raise InvalidSpec("the account key must be ECDSA P-256, P-384 or P-521, or RSA of 2048 bits or more")
        return cls(public.to_json(), b64(public.thumbprint()), algorithm, key)

    def key_authorization(self, token: str) -> str:
        """Answer a challenge's token (RFC 8555 8.1)."""
        return f"{token}.{self.thumbprint}"

    def sign(self, payload: bytes, *, url: str, nonce: str, kid: str | None) -> bytes:
        """Sign one request (RFC 8555 6.2).

        Args:
            payload: JSON, or empty for POST-as-GET.
            url: Where the request goes.
            nonce: An unused nonce.
            kid: The account's URL; None names the key by itself, for newAccount.

        Returns:
            The request's body.
        """
        who = {"jwk": self.jwk} if kid is None else {"kid": kid}
        return _compact(
            _flattened(
                {"alg": self._algorithm.name, **who, "nonce": nonce, "url": url},
                payload,
                self._algorithm,
                self._private,
            )
        )
