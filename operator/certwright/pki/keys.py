"""Private keys: made, written, read and described. Keeps none, and puts nothing of one into a message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from certwright.resources.certificate import PrivateKeySpec

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Hash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

PEM_LIMIT = 1 << 20
"""Bytes; a Secret cannot hold more."""
RSA_SIZES = range(2048, 8193)
CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
SIGNATURE_ALGORITHMS: dict[str, tuple[str, Hash | None]] = {
    "SHA256WithRSA": ("RSA", hashes.SHA256()),
    "SHA384WithRSA": ("RSA", hashes.SHA384()),
    "SHA512WithRSA": ("RSA", hashes.SHA512()),
    "ECDSAWithSHA256": ("ECDSA", hashes.SHA256()),
    "ECDSAWithSHA384": ("ECDSA", hashes.SHA384()),
    "ECDSAWithSHA512": ("ECDSA", hashes.SHA512()),
    "PureEd25519": ("Ed25519", None),
}
"""`spec.signatureAlgorithm`: the kind of key it is for, and its hash."""
_SIZE_OF_CURVE = {curve.name: size for size, curve in CURVES.items()}
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_PEM_LABELS = {b"PRIVATE KEY": "PKCS8", b"RSA PRIVATE KEY": "PKCS1", b"EC PRIVATE KEY": "PKCS1"}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be kept of a key.

    Args:
        algorithm: RSA, ECDSA or Ed25519.
        size: Bits; 0 for Ed25519, as in a spec.
        encoding: PKCS1 or PKCS8; empty where it was not read from PEM.
        public_key_digest: See `public_digest`.
    """

    algorithm: str
    size: int
    encoding: str
    public_key_digest: str


def generate(spec: PrivateKeySpec) -> PrivateKey:
    """Make a key.

    Raises:
        InvalidSpec: There is no such algorithm or size.
    """
    if spec.algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if spec.algorithm == "ECDSA" and spec.size in CURVES:
        return ec.generate_private_key(CURVES[spec.size])
    if spec.algorithm == "RSA" and spec.size in RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65537, key_size=spec.size)
    raise InvalidSpec(f"spec.privateKey: there is no {spec.algorithm[:40]} key of {spec.size} bits")


def encode(key: PrivateKey, encoding: str) -> bytes:
    """Write a key as PEM.

    Args:
        key: The key.
        encoding: PKCS1 (RFC 8017 A.1.2; for ECDSA the form of RFC 5915) or PKCS8 (RFC 5958), the only one of Ed25519.
    """
    traditional = encoding == "PKCS1" and not isinstance(key, ed25519.Ed25519PrivateKey)
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def load(pem: bytes, where: str) -> PrivateKey:
    """Read a key to sign with.

    Args:
        pem: PEM; other blocks, such as the EC PARAMETERS that openssl writes first, are passed over.
        where: The object and field it was found in, for the message.

    Raises:
        InvalidSpec: It is no key, has a passphrase, is damaged, or is of a kind that is not served.
    """
    key = _load(pem, where)[0]
    if isinstance(key, rsa.RSAPrivateKey) and not _signs(key):
        raise InvalidSpec(f"{where}: the numbers of the private key do not belong together; restore or replace it")
    return key


def read(pem: bytes, where: str) -> KeyFacts:
    """Describe a key, for comparing: that it signs is not tried.

    Raises:
        InvalidSpec: As `load`.
    """
    key, label = _load(pem, where)
    return facts(key, _PEM_LABELS[label])


def facts(key: PrivateKey | PublicKey, encoding: str = "") -> KeyFacts:
    """Describe a key."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    if isinstance(public, rsa.RSAPublicKey):
        algorithm, size = "RSA", public.key_size
    elif isinstance(public, ec.EllipticCurvePublicKey):
        algorithm, size = "ECDSA", public.key_size
    else:
        algorithm, size = "Ed25519", 0
    return KeyFacts(algorithm, size, encoding, public_digest(public))


def public_digest(key: CertificatePublicKeyTypes) -> str:
    """What a key pair and its certificate have in common: 128 bits of SHA-256 over SubjectPublicKeyInfo, in hex."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:32]


def mismatch(spec: PrivateKeySpec, key: KeyFacts) -> str | None:
    """How a key differs from what the spec asks for; None when it does not. The encoding is no part of a key."""
    wanted_size = 0 if spec.algorithm == "Ed25519" else spec.size
    if (key.algorithm, key.size) == (spec.algorithm, wanted_size):
        return None
    if spec.secret_ref and spec.algorithm in {"", key.algorithm} and wanted_size in {0, key.size}:
        return None
    return f"the key is {_called(key.algorithm, key.size)} and {_called(spec.algorithm, wanted_size)} is asked for"


def signature_hash(key: PrivateKey, asked: str = "") -> Hash | None:
    """The hash to sign with: the one that was asked for, else one as strong as the key; None for Ed25519.

    Args:
        key: The key that signs.
        asked: A `spec.signatureAlgorithm` that fits the key; empty leaves it to the key.

    Raises:
        InvalidSpec: It does not fit the key.
    """
    if asked:
        algorithm, chosen = SIGNATURE_ALGORITHMS.get(asked, ("", None))
        have = facts(key).algorithm
        if algorithm != have:
            raise InvalidSpec(f"spec.signatureAlgorithm: {asked[:40]!r} is not for keys of {have}; leave it out")
        return chosen
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None  # it brings its own
    # Bits from which on SHA-384 and SHA-512 are used.
    middle, strong = (3072, 4096) if isinstance(key, rsa.RSAPrivateKey) else (384, 521)
    if key.key_size >= strong:
        return hashes.SHA512()
    return hashes.SHA384() if key.key_size >= middle else hashes.SHA256()


def _called(algorithm: str, size: int) -> str:
    return f"{algorithm or 'a key'} of {size} bits" if size else algorithm


def _signs(key: rsa.RSAPrivateKey) -> bool:
    """Whether the public half accepts what the private half signs."""
    message, form, digest = b"trial", padding.PKCS1v15(), hashes.SHA256()
    try:
        key.public_key().verify(key.sign(message, form, digest), message, form, digest)
    except (ValueError, InvalidSignature, InternalError):
        return False
    return True


def _load(pem: bytes, where: str) -> tuple[PrivateKey, bytes]:
    if len(pem) > PEM_LIMIT:
        raise InvalidSpec(f"{where}: {len(pem)} bytes are more than a key can have")
    block = _BLOCK.search(pem)
    if block is None:
        raise InvalidSpec(f"{where}: there is no private key in PEM; put one there, from BEGIN line to END line")
    label = block[1]
    if b"ENCRYPTED" in block[0]:
        raise InvalidSpec(f"{where}: the private key has a passphrase; store it without one")
    if label not in _PEM_LABELS:
        raise InvalidSpec(f"{where}: a {label.decode()} is not served; use RSA, ECDSA or Ed25519 in PKCS1 or PKCS8")
    try:
        # The library's own check looks for primes anew, 40 to 400 ms; whoever signs tries the key instead, see `load`.
        key = load_pem_private_key(block[0], None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # their text may tell of the content
        raise InvalidSpec(f"{where}: the private key is damaged or of a kind that is not served") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _SIZE_OF_CURVE:
        raise InvalidSpec(f"{where}: the curve {key.curve.name} is not served; use P-256, P-384 or P-521")
    if not isinstance(key, PrivateKey):
        raise InvalidSpec(f"{where}: this kind of key is not served; use RSA, ECDSA or Ed25519")
    return key, label
