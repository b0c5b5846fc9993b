"""The names of key usages and what they stand for in a certificate (RFC 5280 4.2.1.3 and 4.2.1.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certwright.errors import InvalidSpec
from certwright.resources.certificate import DEFAULT_USAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

CERT_SIGN = "cert sign"
KEY_USAGES = {
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    CERT_SIGN: "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
"""Usage to the bit's name."""
EXTENDED_USAGES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}
"""Usage to its object identifier."""
SYNONYMS = {"signing": "digital signature", "s/mime": "email protection"}
_NAME_OF_OID = {oid: name for name, oid in EXTENDED_USAGES.items()}


def canonical(usages: Iterable[str], *, is_ca: bool) -> tuple[str, ...]:
    """Each usage once, by its first name, in the order given; the defaults where there is none.

    Args:
        usages: Names, as in `spec.usages`.
        is_ca: Adds `cert sign`, which no CA can do without.

    Raises:
        InvalidSpec: A name is not known, or means nothing without another.
    """
    names = dict.fromkeys(SYNONYMS.get(name, name) for name in tuple(usages) or DEFAULT_USAGES)
    if is_ca:
        names[CERT_SIGN] = None
    for name in names:
        if name not in KEY_USAGES and name not in EXTENDED_USAGES:
            raise InvalidSpec(f"spec.usages: there is no usage {name[:40]!r}")
        if name in {"encipher only", "decipher only"} and "key agreement" not in names:
            raise InvalidSpec(f"spec.usages: {name!r} means nothing without 'key agreement'; add it")
    return tuple(names)


def extensions(usages: Iterable[str]) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions for canonical names, each with whether it is critical; one that would be empty is left out."""
    names = tuple(usages)
    found: list[tuple[x509.ExtensionType, bool]] = []
    if any(name in KEY_USAGES for name in names):
        found.append((x509.KeyUsage(**{bit: name in names for name, bit in KEY_USAGES.items()}), True))
    extended = [EXTENDED_USAGES[name] for name in names if name in EXTENDED_USAGES]
    if extended:
        found.append((x509.ExtendedKeyUsage(extended), False))
    return found


def names_in(key_usage: x509.KeyUsage | None, extended: x509.ExtendedKeyUsage | None) -> tuple[str, ...]:
    """The canonical names of what a certificate holds; an extended usage without a name is given by its number."""
    names: list[str] = []
    if key_usage is not None:
        bits = dict(KEY_USAGES)
        if not key_usage.key_agreement:  # the library refuses to be asked
            del bits["encipher only"], bits["decipher only"]
        names += [name for name, bit in bits.items() if getattr(key_usage, bit)]
    names += [_NAME_OF_OID.get(oid, oid.dotted_string) for oid in extended or ()]
    return tuple(names)
