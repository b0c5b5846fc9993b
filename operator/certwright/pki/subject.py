"""Who a certificate is for: its distinguished name and its alternative names, written and read.

The spec was validated before; what the encoding itself forbids is caught here all the same, with the field it is in.
"""

from __future__ import annotations

import ipaddress
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from certwright.pki import literal_subject
from certwright.pki.values import attribute, encodable
from certwright.resources.certificate import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.other_names import OtherName

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
_ORDER = [*ATTRIBUTES.values(), NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER]
_FIELD_OF_OID = {oid: field for field, oid in ATTRIBUTES.items()}
_NO_SUBJECT = Subject()


def distinguished_name(spec: CertificateSpec, *, common_name: bool = True) -> x509.Name:
    """The subject of a spec: its literal subject, else one where the values of one attribute type share an RDN.

    Args:
        spec: The Certificate's spec.
        common_name: Whether the common name is put in; one that is too long never is. One in a literal subject always.

    Raises:
        InvalidSpec: A value cannot be in a name; says which.
    """
    if spec.literal_subject:
        return literal_subject.parse(spec.literal_subject)
    sets = [(f"spec.subject.{field}", oid, getattr(spec.subject, field)) for field, oid in ATTRIBUTES.items()]
    if common_name and spec.common_name and len(spec.common_name) <= COMMON_NAME_LIMIT:
        sets.append(("spec.commonName", NameOID.COMMON_NAME, (spec.common_name,)))
    if spec.subject.serialNumber:
        sets.append(("spec.subject.serialNumber", NameOID.SERIAL_NUMBER, (spec.subject.serialNumber,)))
    return x509.Name(
        x509.RelativeDistinguishedName([encodable(field, attribute, oid, value) for value in dict.fromkeys(values)])
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
        *other_names(spec),
    ]


def other_names(spec: CertificateSpec) -> list[x509.OtherName]:
    """The names of a spec that have a type of their own, each once.

    Raises:
        InvalidSpec: One cannot be encoded; says which.
    """
    names = (_other_name(f"spec.otherNames[{index}]", name) for index, name in enumerate(spec.other_names))
    return list(dict.fromkeys(names))


def asked_common_name(spec: CertificateSpec) -> str:
    """The common name that a spec asks for, in whichever field it stands; empty when in none.

    Raises:
        InvalidSpec: The literal subject cannot be read.
    """
    found = distinguished_name(spec).get_attributes_for_oid(NameOID.COMMON_NAME) if spec.literal_subject else ()
    return spec.common_name or next((str(one.value) for one in found), "")


def normal_ip(text: str) -> str:
    """An address as RFC 5952 writes it; IPv4 mapped into IPv6 counts as IPv4. Raises ValueError."""
    return str(_address(text))


def read_name(name: x509.Name) -> tuple[str, Subject]:
    """The common name and the subject fields that a name holds; attributes that a spec has no field for are left."""
    common_name, serial = "", ""
    values: dict[str, list[str]] = {}
    for one in name:
        value = one.value if isinstance(one.value, str) else one.value.hex()
        if one.oid == NameOID.COMMON_NAME:
            common_name = value
        elif one.oid == NameOID.SERIAL_NUMBER:
            serial = value
        elif one.oid in _FIELD_OF_OID:
            values.setdefault(_FIELD_OF_OID[one.oid], []).append(value)
    if not values and not serial:
        return common_name, _NO_SUBJECT  # most have none: one object for all of them
    return common_name, Subject(**{field: tuple(texts) for field, texts in values.items()}, serialNumber=serial)


def layout(name: x509.Name) -> str:
    """How a name differs in its build from what `distinguished_name` makes of fields: the whole name as one text.

    Empty where it does not differ, so that common name and fields tell all of it.
    """
    seen = [{one.oid for one in rdn} for rdn in name.rdns]
    ranks = [_ORDER.index(next(iter(kinds))) for kinds in seen if len(kinds) == 1 and kinds <= set(_ORDER)]
    if len(ranks) == len(seen) and all(first < second for first, second in pairwise(ranks)):
        return ""
    return ",".join("+".join(sorted(one.rfc4514_string() for one in rdn)) for rdn in reversed(name.rdns))


def other_name_text(name: x509.OtherName) -> str:
    """An otherName as one text, its number first; a value that is no UTF8String by its encoding in hex."""
    from cryptography.hazmat import asn1  # noqa: PLC0415 - few certificates have one

    try:
        value = asn1.decode_der(str, name.value)
    except ValueError:
        value = f"#{name.value.hex()}"
    return f"{name.type_id.dotted_string}={value}"


def _other_name(field: str, name: OtherName) -> x509.OtherName:
    from cryptography.hazmat import asn1  # noqa: PLC0415 - few certificates have one

    oid = encodable(f"{field}.oid", x509.ObjectIdentifier, name.oid)
    return x509.OtherName(oid, encodable(f"{field}.utf8Value", asn1.encode_der, name.value))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError("a certificate cannot hold a zone")
    return getattr(address, "ipv4_mapped", None) or address


def _ip_name(text: str) -> x509.IPAddress:
    return x509.IPAddress(_address(text))


def _each(field: str, make: Callable[[str], x509.GeneralName], values: Iterable[str]) -> list[x509.GeneralName]:
    return list(dict.fromkeys(encodable(f"{field}[{index}]", make, value) for index, value in enumerate(values)))
