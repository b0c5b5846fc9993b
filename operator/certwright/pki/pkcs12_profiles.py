"""PKCS#12 (RFC 7292) in the four profiles that cert-manager has.

The library lays out keys and certificates and knows two of the profiles. LegacyRC2 and Modern2026 are made from these:
the one by encrypting the certificates anew as old programs expect it, the other by another MAC (RFC 9579).
"""

from __future__ import annotations

import hmac
import os
from hashlib import pbkdf2_hmac, sha1
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat, pkcs12

from certwright.pki import rc2

LEGACY_RC2, LEGACY_DES, MODERN_2023, MODERN_2026 = "LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"
ITERATIONS = 2048
_OID = x509.ObjectIdentifier
_ENCRYPTED_DATA = _OID("1.2.840.113549.1.7.6")
_RC2_40 = _OID("1.2.840.113549.1.12.1.6")
_SHA1, _PBMAC1, _PBKDF2 = _OID("1.3.14.3.2.26"), _OID("1.2.840.113549.1.5.14"), _OID("1.2.840.113549.1.5.12")
_HMAC_SHA256 = _OID("1.2.840.113549.2.9")
_KEY, _IV, _MAC = 1, 2, 3
"""What a key is derived for (RFC 7292 appendix B.3)."""


@asn1.sequence
class _Content:
    """ContentInfo (RFC 5652 section 3)."""

    kind: x509.ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class _Safe:
    """AuthenticatedSafe (RFC 7292 section 4.1) as the library writes it: certificates, then the key if there is one."""

    certificates: _Content
    key: _Content | None


@asn1.sequence
class _Pfx:
    """PFX (RFC 7292 section 4)."""

    version: int
    safe: _Content
    mac: asn1.TLV


@asn1.sequence
class _Algorithm:
    """AlgorithmIdentifier (RFC 5280 section 4.1.1.2)."""

    oid: x509.ObjectIdentifier
    parameters: asn1.TLV


@asn1.sequence
class _PbeParameters:
    """pkcs-12PbeParams (RFC 7292 appendix C)."""

    salt: bytes
    iterations: int


@asn1.sequence
class _EncryptedContent:
    """EncryptedContentInfo (RFC 5652 section 6.1)."""

    kind: x509.ObjectIdentifier
    algorithm: _Algorithm
    encrypted: Annotated[bytes, asn1.Implicit(0)]


@asn1.sequence
class _EncryptedData:
    """EncryptedData (RFC 5652 section 8)."""

    version: int
    content: _EncryptedContent


@asn1.sequence
class _Pbkdf2Parameters:
    """PBKDF2-params (RFC 8018 appendix A.2), with the length of the key, as RFC 9579 section 4 demands it."""

    salt: bytes
    iterations: int
    length: int
    prf: _Algorithm


@asn1.sequence
class _Pbmac1Parameters:
    """PBMAC1-params (RFC 8018 appendix A.5)."""

    derivation: _Algorithm
    scheme: _Algorithm


@asn1.sequence
class _Digest:
    """DigestInfo (RFC 8017 section 9.2)."""

    algorithm: _Algorithm
    digest: bytes


@asn1.sequence
class _MacData:
    """MacData (RFC 7292 section 4)."""

    mac: _Digest
    salt: bytes
    iterations: Annotated[int, asn1.Default(1)]


def encryption(profile: str, password: str) -> KeySerializationEncryption:
    """What the library is to encrypt with; `finished` brings what it makes to the profile.

    Args:
        profile: One of the four.
        password: Not empty.
    """
    legacy = profile in {LEGACY_RC2, LEGACY_DES}
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ITERATIONS)
    builder = builder.key_cert_algorithm(
        pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC if legacy else pkcs12.PBES.PBESv2SHA256AndAES256CBC
    )
    digest = hashes.SHA1() if legacy else hashes.SHA256()  # noqa: S303 - what such programs understand
    return builder.hmac_hash(digest).build(password.encode())


def finished(profile: str, password: str, made: bytes) -> bytes:
    """A file of a profile out of what the library made with `encryption`."""
    if profile not in {LEGACY_RC2, MODERN_2026}:
        return made
    pfx = asn1.decode_der(_Pfx, made)
    safe = asn1.decode_der(bytes, _encoded(pfx.safe.content))
    if profile == MODERN_2026:
        mac = _modern_mac(password, safe)
    else:
        safe = _with_rc2(password, safe)
        mac = _legacy_mac(password, safe)
    content = _Content(kind=pfx.safe.kind, content=_element(asn1.encode_der(safe)))
    return asn1.encode_der(_Pfx(version=pfx.version, safe=content, mac=_element(asn1.encode_der(mac))))


def _with_rc2(password: str, safe_der: bytes) -> bytes:
    """The same content with its certificates encrypted by RC2 in place of triple DES."""
    safe = asn1.decode_der(_Safe, safe_der)
    data = asn1.decode_der(_EncryptedData, _encoded(safe.certificates.content))
    old = asn1.decode_der(_PbeParameters, _encoded(data.content.algorithm.parameters))
    key = _derived(password, old.salt, old.iterations, purpose=_KEY, length=24)
    iv = _derived(password, old.salt, old.iterations, purpose=_IV, length=rc2.BLOCK)
    decryptor = Cipher(TripleDES(key), CBC(iv)).decryptor()
    plain = decryptor.update(data.content.encrypted) + decryptor.finalize()
    salt = os.urandom(8)
    key = _derived(password, salt, ITERATIONS, purpose=_KEY, length=5)
    iv = _derived(password, salt, ITERATIONS, purpose=_IV, length=rc2.BLOCK)
    parameters = asn1.encode_der(_PbeParameters(salt=salt, iterations=ITERATIONS))
    content = _EncryptedContent(
        kind=data.content.kind,
        algorithm=_Algorithm(oid=_RC2_40, parameters=_element(parameters)),
        encrypted=rc2.encrypt(key, iv, plain[: -plain[-1]]),
    )
    encrypted = _element(asn1.encode_der(_EncryptedData(version=data.version, content=content)))
    certificates = _Content(kind=_ENCRYPTED_DATA, content=encrypted)
    return asn1.encode_der(_Safe(certificates=certificates, key=safe.key))


def _legacy_mac(password: str, safe: bytes) -> _MacData:
    salt = os.urandom(8)
    key = _derived(password, salt, ITERATIONS, purpose=_MAC, length=20)
    digest = _Digest(algorithm=_algorithm(_SHA1), digest=hmac.digest(key, safe, "sha1"))
    return _MacData(mac=digest, salt=salt, iterations=ITERATIONS)


def _modern_mac(password: str, safe: bytes) -> _MacData:
    """PBMAC1 (RFC 9579): salt and iterations are in its parameters, those of MacData say nothing."""
    salt = os.urandom(16)
    key = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS, 32)
    scheme = _algorithm(_HMAC_SHA256)
    derivation = _Pbkdf2Parameters(salt=salt, iterations=ITERATIONS, length=len(key), prf=scheme)
    parameters = _Pbmac1Parameters(
        derivation=_Algorithm(oid=_PBKDF2, parameters=_element(asn1.encode_der(derivation))), scheme=scheme
    )
    algorithm = _Algorithm(oid=_PBMAC1, parameters=_element(asn1.encode_der(parameters)))
    return _MacData(
        mac=_Digest(algorithm=algorithm, digest=hmac.digest(key, safe, "sha256")), salt=b"NOT USED", iterations=1
    )


def _derived(password: str, salt: bytes, iterations: int, *, purpose: int, length: int) -> bytes:
    """A key of PKCS#12's own derivation with SHA-1 (RFC 7292 appendix B.2)."""
    size = 64
    secret = password.encode("utf-16-be") + b"\0\0"
    table = bytearray(_filled(salt, size) + _filled(secret, size))
    out = b""
    while True:
        block = bytes([purpose]) * size + table
        for _ in range(iterations):
            block = sha1(block).digest()  # noqa: S324 - what such programs understand
        out += block
        if len(out) >= length:
            return out[:length]
        increment = int.from_bytes(_filled(block, size)[:size]) + 1
        for start in range(0, len(table), size):
            added = int.from_bytes(table[start : start + size]) + increment
            table[start : start + size] = (added % (1 << size * 8)).to_bytes(size)


def _filled(value: bytes, size: int) -> bytes:
    """A value repeated to a multiple of a size."""
    wanted = -(-len(value) // size) * size
    return (value * (wanted // len(value) + 1))[:wanted]


def _algorithm(oid: x509.ObjectIdentifier) -> _Algorithm:
    return _Algorithm(oid=oid, parameters=_element(b"\x05\x00"))


def _element(der: bytes) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, der)


def _encoded(element: asn1.TLV) -> bytes:
    return asn1.encode_der(element)
