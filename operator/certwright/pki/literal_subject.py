"""Distinguished names as a person writes them (RFC 4514), with their order kept: `CN=web,OU=ops,O=Example`.

The library reads them, too, but allows no space after a comma, has few types and does not say which part is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from certwright.errors import InvalidSpec
from certwright.pki.values import attribute, encodable

if TYPE_CHECKING:
    from collections.abc import Callable

FIELD = "spec.literalSubject"
TYPES = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
}
"""Attribute types by their short names; every other one is written by its number."""
_PART = re.compile(r"((?:\\.|[^\\,;+])*)([,;+]|$)", re.DOTALL)
_OID = re.compile(r"[0-2](\.[0-9]+)+")
_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{2}|[ \"#+,;<=>\\]|)", re.DOTALL)


def parse(text: str) -> x509.Name:
    """Read a name. What stands first in the text stands last in the certificate (RFC 4514 2.1).

    Args:
        text: RDNs between commas, attributes of one RDN between plus signs; spaces around these do not count.

    Raises:
        InvalidSpec: It cannot be read, or has an attribute type without a name here; says which part.
    """
    sets: list[list[x509.NameAttribute[str]]] = [[]]
    end = 0
    for part in _PART.finditer(text):
        if part.start() != end:
            break
        end = part.end()
        sets[-1].append(_read(part[1]))
        if not part[2]:
            break
        if part[2] != "+":
            sets.append([])
    if end != len(text):
        raise InvalidSpec(f"{FIELD}: {text[end : end + 40]!r} has a backslash that escapes nothing; write it as \\\\")
    return x509.Name(encodable(FIELD, x509.RelativeDistinguishedName, one) for one in reversed(sets))


def _read(part: str) -> x509.NameAttribute[str]:
    word, equals, value = part.partition("=")
    word = word.strip()
    if not equals or not word:
        raise InvalidSpec(f"{FIELD}: {part.strip()[:80]!r} is no TYPE=value, like O=Example; write a comma as \\,")
    oid = TYPES.get(word.upper())
    if oid is None:
        dotted = word.upper().removeprefix("OID.")
        if not _OID.fullmatch(dotted):
            raise InvalidSpec(
                f"{FIELD}: the type {word[:40]!r} is not known; use one of {', '.join(TYPES)}, "
                "or its object identifier, like 2.5.4.97"
            )
        oid = encodable(FIELD, x509.ObjectIdentifier, dotted)
    value = _stripped(value)
    if value.startswith("#"):
        return _encoded(oid, value)
    return encodable(FIELD, attribute, oid, _unescaped(value))


def _stripped(value: str) -> str:
    """A value without the spaces around it; one that is escaped is a part of it."""
    bare = value.strip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if escapes % 2 and value.endswith(" ") else bare


def _unescaped(value: str) -> str:
    """A value without its escapes; hex pairs are bytes of UTF-8."""

    def character(escape: re.Match[bytes]) -> bytes:
        if not escape[1]:
            raise InvalidSpec(f"{FIELD}: {value[:80]!r} has a backslash that escapes nothing; write it as \\\\")
        return bytes.fromhex(escape[1].decode()) if len(escape[1]) > 1 else escape[1]

    raw = value.encode(errors="surrogatepass")
    try:
        return _ESCAPE.sub(character, raw).decode()
    except UnicodeDecodeError:
        raise InvalidSpec(f"{FIELD}: {value[:80]!r} is not UTF-8 once its escapes are read") from None


def _encoded(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    """A value that is given by its encoding, `#` and hex (RFC 4514 2.4)."""
    from cryptography.hazmat import asn1  # noqa: PLC0415 - hardly anybody writes names like that

    try:
        der = bytes.fromhex(value[1:])
    except ValueError:
        raise InvalidSpec(f"{FIELD}: {value[:80]!r} is not '#' and the value's encoding in hex") from None
    kinds: tuple[tuple[type, Callable[..., str]], ...] = (
        (str, str),
        (asn1.PrintableString, asn1.PrintableString.as_str),
        (asn1.IA5String, asn1.IA5String.as_str),
    )
    for kind, text in kinds:
        try:
            found = text(asn1.decode_der(kind, der))
        except ValueError:
            continue
        return encodable(FIELD, attribute, oid, found)
    raise InvalidSpec(f"{FIELD}: {value[:80]!r} is the encoding of something else than a text; write the text itself")
