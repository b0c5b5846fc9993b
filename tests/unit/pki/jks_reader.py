"""Reads JKS keystores, for tests of what writes them; keytool reads them in the tests that have it."""

from __future__ import annotations

from hashlib import sha1
from hmac import compare_digest
from io import BytesIO
from typing import TYPE_CHECKING

from cryptography.hazmat import asn1

from certwright.pki.jks_format import (
    _DIGEST,
    _KEY,
    _TRUSTED,
    _U2,
    _U4,
    _U8,
    MAGIC,
    VERSION,
    Entry,
    Keystore,
    _mixed,
    _Protected,
    _seal,
    _secret,
)

if TYPE_CHECKING:
    from struct import Struct


class UnreadableError(Exception):
    """It is damaged, or the password is another one."""


def read(data: bytes, password: str) -> Keystore:
    """Open a file.

    Raises:
        UnreadableError: It is damaged, or the password is another one.
    """
    secret = _secret(password)
    body, seal = data[:-_DIGEST], data[-_DIGEST:]
    if not compare_digest(_seal(body, secret), seal):
        raise UnreadableError
    try:
        return _entries(BytesIO(body), secret)
    except (ValueError, EOFError):
        raise UnreadableError from None


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


def _reveal(protected: bytes, secret: bytes) -> bytes:
    encrypted = asn1.decode_der(_Protected, protected).encrypted
    salt, check = encrypted[:_DIGEST], encrypted[-_DIGEST:]
    key = _mixed(encrypted[_DIGEST:-_DIGEST], salt, secret)
    if not compare_digest(sha1(secret + key).digest(), check):  # noqa: S324 - the format's
        raise ValueError("the key has another password")
    return key


def _read_certificate(source: BytesIO) -> bytes:
    _read_text(source)
    return _take(source, _number(source, _U4))


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
