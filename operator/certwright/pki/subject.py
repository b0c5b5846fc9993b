"""Who a certificate is for: its distinguished name and its alternative names, written and read.

The spec was validated before; what the encoding itself forbids is caught here all the same, with the field it is in.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from certwright.errors import InvalidSpec
from certwright.resources.certificate import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certwright.resources.certificate import CertificateSpec

COMMON_NAME_LIMIT = 64
"""Characters (RFC 5280 appendix A.1, ub-common-name); of other letters than ASCII the library takes fewer."""
# In the order in which cert-manager writes them, so that certificates of both look alike.
ATTRIBUTES = {
    "countries": NameOID.COUNTRY_NAME,
    "provinces": NameOID.STATE_OR_PROVINCE_NAME,
    "localities": NameOID.LOCALITY_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCodes": NameOID.POSTAL_CODE,
    "organizations": NameOID.ORGANIZATION_NAME,
    "organizationalUnits": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
_FIELD_OF_OID = {oid: field for field, oid in ATTRIBUTES.items()}
_NO_SUBJECT = Subject()
# RFC 5280 appendix A.1 gives these two a PrintableString, which has an alphabet of its own (X.680 41.4).
_PRINTABLE_ONLY = {NameOID.COUNTRY_NAME, NameOID.SERIAL_NUMBER}
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
_T = TypeVar("_T")


def distinguished_name(spec: CertificateSpec, *, common_name: bool = True) -> x509.Name:
    """The subject of a spec; the values of one attribute type stand side by side in one RDN.

    Args:
        spec: The Certificate's spec.
        common_name: Whether the common name is put in; one that is too long never is.

    Raises:
        InvalidSpec: A value cannot be in a name; says which.
    """
    sets = [(f"spec.subject.{field}", oid, getattr(spec.subject, field)) for field, oid in ATTRIBUTES.items()]
    if common_name and spec.common_name and len(spec.common_name) <= COMMON_NAME_LIMIT:
        sets.append(("spec.commonName", NameOID.COMMON_NAME, (spec.common_name,)))
    if spec.subject.serialNumber:
        sets.append(("spec.subject.serialNumber", NameOID.SERIAL_NUMBER, (spec.subject.serialNumber,)))
    return x509.Name(
        x509.RelativeDistinguishedName([encodable(field, _attribute, oid, value) for value in dict.fromkeys(values)])
        for field, oid, values in sets
        if values
    )


def alternative_names(spec: CertificateSpec) -> list[x509.GeneralName]:
    """The alternative names of a spec (RFC 5280 4.2.1.6), each once, DNS names first.

    Raises:
        InvalidSpec: One is not what its field is for; says which.
    """
    return [
        *_each("spec.dnsNames", x509.DNSName, spec.dns_names),
        *_each("spec.emailAddresses", x509.RFC822Name, spec.email_addresses),
        *_each("spec.ipAddresses", _ip_name, spec.ip_addresses),
        *_each("spec.uris", x509.UniformResourceIdentifier, spec.uris),
    ]


def normal_ip(text: str) -> str:
    """An address as RFC 5952 writes it; IPv4 mapped into IPv6 counts as IPv4. Raises ValueError."""
    return str(_address(text))


def read_name(name: x509.Name) -> tuple[str, Subject]:
    """The common name and the subject fields that a name holds; attributes that a spec has no field for are left."""
    common_name, serial = "", ""
    values: dict[str, list[str]] = {}
    for attribute in name:
        value = attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
        if attribute.oid == NameOID.COMMON_NAME:
            common_name = value
        elif attribute.oid == NameOID.SERIAL_NUMBER:
            serial = value
        elif attribute.oid in _FIELD_OF_OID:
            values.setdefault(_FIELD_OF_OID[attribute.oid], []).append(value)
    if not values and not serial:
        return common_name, _NO_SUBJECT  # most have none: one object for all of them
    return common_name, Subject(**{field: tuple(texts) for field, texts in values.items()}, serialNumber=serial)


def encodable(field: str, make: Callable[..., _T], *arguments: object) -> _T:
    """What `make` gives for the arguments, the last of which is the value of a field.

    Raises:
        InvalidSpec: Naming the field, when the value cannot be encoded.
    """
    value = str(arguments[-1])
    try:
        if not value:
            raise ValueError("it is empty")  # noqa: TRY301 - one message for all
        value.encode()  # JSON may hold half a character
        return make(*arguments)
    except (ValueError, TypeError) as fault:
        raise InvalidSpec(f"{field}: {value[:80]!r} cannot be in a certificate: {str(fault)[:120]}") from None


def _attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    if oid in _PRINTABLE_ONLY and not _PRINTABLE.fullmatch(value):
        raise ValueError("it may have letters, digits, spaces and '()+,-./:=? only")
    return x509.NameAttribute(oid, value)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError("a certificate cannot hold a zone")
    return getattr(address, "ipv4_mapped", None) or address


def _ip_name(text: str) -> x509.IPAddress:
    return x509.IPAddress(_address(text))


def _each(field: str, make: Callable[[str], x509.GeneralName], values: Iterable[str]) -> list[x509.GeneralName]:
    return list(dict.fromkeys(encodable(f"{field}[{index}]", make, value) for index, value in enumerate(values)))
