"""Java keystores of the old JKS format: written, and opened to see whether one still holds what it should.

The format is Java's own (`sun.security.provider.JavaKeyStore`): entries, then a digest of them and the password. Its
encryption of keys is weak; whoever may choose takes PKCS#12. See docs/decisions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha1
from hmac import compare_digest
from io import BytesIO
from struct import Struct
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat import asn1

from certwright.errors import InvalidSpec

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


def read(data: bytes, password: str) -> Keystore:
    """Open a file.

    Raises:
        InvalidSpec: It is damaged, or the password is another one.
    """
    secret = _secret(password)
    body, seal = data[:-_DIGEST], data[-_DIGEST:]
    if not compare_digest(_seal(body, secret), seal):
        raise InvalidSpec("the keystore is damaged, or its password is another one")
    try:
        return _entries(BytesIO(body), secret)
    except (ValueError, EOFError):
        raise InvalidSpec("the keystore cannot be read") from None


def _entries(source: BytesIO, secret: bytes) -> Keystore:
    if (_number(source, _U4), _number(source, _U4)) != (MAGIC, VERSION):
        raise ValueError("not JKS")
    keys: dict[str, Entry] = {}
    trusted: dict[str, bytes] = {}
    for _ in range(_number(source, _U4)):
        kind, alias = _number(source, _U4), _read_text(source)
        _take(source, _U8.size)
        if kind == _KEY:
            protected = _take(source, _number(source, _U4))
            chain = tuple(_read_certificate(source) for _ in range(_number(source, _U4)))
            keys[alias] = Entry(_reveal(protected, secret), chain)
        elif kind == _TRUSTED:
            trusted[alias] = _read_certificate(source)
        else:
            raise ValueError("an unknown kind of entry")
    return Keystore(keys, trusted)


def _secret(password: str) -> bytes:
    return password.encode("utf-16-be")


def _seal(body: bytes, secret: bytes) -> bytes:
    return sha1(secret + _WHITENER + body).digest()  # noqa: S324 - the format's


def _protect(key: bytes, secret: bytes) -> bytes:
    salt = os.urandom(_DIGEST)
    check = sha1(secret + key).digest()  # noqa: S324 - the format's
    algorithm = _Algorithm(oid=_PROTECTOR, parameters=asn1.Null())
    return asn1.encode_der(_Protected(algorithm=algorithm, encrypted=salt + _mixed(key, salt, secret) + check))


def _reveal(protected: bytes, secret: bytes) -> bytes:
    encrypted = asn1.decode_der(_Protected, protected).encrypted
    salt, check = encrypted[:_DIGEST], encrypted[-_DIGEST:]
    key = _mixed(encrypted[_DIGEST:-_DIGEST], salt, secret)
    if not compare_digest(sha1(secret + key).digest(), check):  # noqa: S324 - the format's
        raise ValueError("the key has another password")
    return key


def _mixed(data: bytes, salt: bytes, secret: bytes) -> bytes:
    """Bytes mixed with a stream of digests, each of the password and the one before; twice is as never."""
    stream, last = b"", salt
    while len(stream) < len(data):
        last = sha1(secret + last).digest()  # noqa: S324 - the format's
        stream += last
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _certificate(der: bytes) -> bytes:
    return _text(_CERTIFICATE) + _U4.pack(len(der)) + der


def _read_certificate(source: BytesIO) -> bytes:
    _read_text(source)
    return _take(source, _number(source, _U4))


def _text(value: str) -> bytes:
    """Java's modified UTF-8: what needs two UTF-16 units is written as two characters, and NUL has two bytes."""
    units = value.encode("utf-16-be", "surrogatepass")
    characters = (chr(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))
    encoded = b"".join(b"\xc0\x80" if one == "\0" else one.encode("utf-8", "surrogatepass") for one in characters)
    return _U2.pack(len(encoded)) + encoded


def _read_text(source: BytesIO) -> str:
    encoded = _take(source, _number(source, _U2)).replace(b"\xc0\x80", b"\0")
    units = encoded.decode("utf-8", "surrogatepass")
    return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be")


def _number(source: BytesIO, form: Struct) -> int:
    return int(form.unpack(_take(source, form.size))[0])


def _take(source: BytesIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise EOFError
    return data
