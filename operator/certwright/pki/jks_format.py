"""Java keystores of the old JKS format.

The format is Java's own (`sun.security.provider.JavaKeyStore`): entries, then a digest of them and the password. Its
encryption of keys is weak; whoever may choose takes PKCS#12. See docs/decisions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha1
from struct import Struct
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat import asn1

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAGIC, VERSION = 0xFEEDFEED, 2
_KEY, _TRUSTED = 1, 2
_DIGEST = 20
"""Bytes of SHA-1, and of a salt."""
_WHITENER = b"Mighty Aphrodite"
_CERTIFICATE = "X.509"
_PROTECTOR = x509.ObjectIdentifier("1.3.6.1.4.1.42.2.17.1.1")
_U2, _U4, _U8 = Struct(">H"), Struct(">I"), Struct(">Q")


@asn1.sequence
class _Algorithm:
    """AlgorithmIdentifier whose parameters are NULL."""

    oid: x509.ObjectIdentifier
    parameters: asn1.Null


@asn1.sequence
class _Protected:
    """EncryptedPrivateKeyInfo (RFC 5958 section 3)."""

    algorithm: _Algorithm
    encrypted: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its chain.

    Args:
        key: PKCS#8, DER.
        chain: Certificates in DER, leaf first.
    """

    key: bytes = field(repr=False)
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Keystore:
    """What is in a file, by alias.

    Args:
        keys: Entries with a key.
        trusted: Certificates in DER.
    """

    keys: Mapping[str, Entry]
    trusted: Mapping[str, bytes]


def write(store: Keystore, password: str, *, created: datetime) -> bytes:
    """A file; the same but for the salts of its keys each time.

    Args:
        store: What is in it. Java has aliases in small letters.
        password: Of the file and of each key.
        created: When each entry was made, as the file says.
    """
    secret = _secret(password)
    stamp = _U8.pack(int(created.timestamp() * 1000))
    out = [_U4.pack(MAGIC), _U4.pack(VERSION), _U4.pack(len(store.keys) + len(store.trusted))]
    for alias, entry in store.keys.items():
        protected = _protect(entry.key, secret)
        out += [_U4.pack(_KEY), _text(alias.lower()), stamp, _U4.pack(len(protected)), protected]
        out += [_U4.pack(len(entry.chain)), *(_certificate(one) for one in entry.chain)]
    for alias, der in store.trusted.items():
        out += [_U4.pack(_TRUSTED), _text(alias.lower()), stamp, _certificate(der)]
    body = b"".join(out)
    return body + _seal(body, secret)


def _secret(password: str) -> bytes:
    return password.encode("utf-16-be")


def _seal(body: bytes, secret: bytes) -> bytes:
    return sha1(secret + _WHITENER + body).digest()  # noqa: S324 - the format's


def _protect(key: bytes, secret: bytes) -> bytes:
    salt = os.urandom(_DIGEST)
    check = sha1(secret + key).digest()  # noqa: S324 - the format's
    algorithm = _Algorithm(oid=_PROTECTOR, parameters=asn1.Null())
    return asn1.encode_der(_Protected(algorithm=algorithm, encrypted=salt + _mixed(key, salt, secret) + check))


def _mixed(data: bytes, salt: bytes, secret: bytes) -> bytes:
    """Bytes mixed with a stream of digests, each of the password and the one before; twice is as never."""
    stream, last = bytearray(), salt
    while len(stream) < len(data):
        last = sha1(secret + last).digest()  # noqa: S324 - the format's
        stream += last
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _certificate(der: bytes) -> bytes:
    return _text(_CERTIFICATE) + _U4.pack(len(der)) + der


def _text(value: str) -> bytes:
    """Java's modified UTF-8: what needs two UTF-16 units is written as two characters, and NUL has two bytes."""
    units = value.encode("utf-16-be", "surrogatepass")
    characters = (chr(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))
    encoded = b"".join(b"\xc0\x80" if one == "\0" else one.encode("utf-8", "surrogatepass") for one in characters)
    return _U2.pack(len(encoded)) + encoded
