"""What a certificate says, small enough to be kept for each of a hundred thousand; never the certificate itself."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING

from cryptography import x509

from certwright.errors import InvalidSpec
from certwright.pki import chain
from certwright.pki.constraints import described
from certwright.pki.csr import MUST_STAPLE
from certwright.pki.keys import public_digest
from certwright.pki.subject import layout, other_name_text, read_name
from certwright.pki.usages import names_in

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.resources.certificate import Subject


_known_usages: dict[tuple[str, ...], tuple[str, ...]] = {}
"""Sets of usages repeat from certificate to certificate: each is kept once."""
_KNOWN_USAGES_LIMIT = 256


@dataclass(frozen=True, slots=True)
class RareFacts:
    """What may be kept of a certificate, apart since few have it.

    Args:
        layout: See `subject.layout`.
        other_names: See `subject.other_name_text`.
        constraints: See `constraints.described`.
        must_staple: Whether a server must staple.
    """

    layout: str = ""
    other_names: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    must_staple: bool = False


NOTHING_RARE = RareFacts()


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What may be kept of a certificate.

    Args:
        serial: In hex.
        not_before: Aware, UTC.
        not_after: Aware, UTC.
        common_name: Empty when there is none.
        subject: The other attributes, as a spec has them.
        dns_names: As the certificate spells them.
        ip_addresses: As RFC 5952 writes them.
        uris: As the certificate spells them.
        emails: As the certificate spells them.
        is_ca: As the basic constraints say.
        usages: Canonical names; the number where there is no name.
        public_key_digest: As KeyFacts has it.
        issuer: Its issuer's name (RFC 4514).
        rare: What few certificates have; None when it has none of it.
    """

    serial: str
    not_before: datetime
    not_after: datetime
    common_name: str
    subject: Subject
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    uris: tuple[str, ...]
    emails: tuple[str, ...]
    is_ca: bool
    usages: tuple[str, ...]
    public_key_digest: str
    issuer: str
    rare: RareFacts | None = None


def parse_chain(pem: bytes, where: str = "tls.crt") -> tuple[CertificateFacts, int]:
    """Describe the first certificate of a chain.

    Args:
        pem: The chain, leaf first.
        where: Where it was found, for the message.

    Returns:
        The facts of the leaf, and how many certificates there are.

    Raises:
        InvalidSpec: It cannot be read; says what is wrong.
    """
    certificates = chain.split(pem, where)
    return read_certificate(certificates[0], where), len(certificates)


def read_certificate(certificate: x509.Certificate, where: str) -> CertificateFacts:
    """Describe one certificate.

    Raises:
        InvalidSpec: Its insides cannot be read.
    """
    try:
        return _read(certificate)
    except chain.UNREADABLE as fault:
        raise InvalidSpec(f"{where}: the certificate cannot be read: {str(fault)[:120]}") from None


def _read(certificate: x509.Certificate) -> CertificateFacts:
    found = {type(extension.value): extension.value for extension in certificate.extensions}
    names = found.get(x509.SubjectAlternativeName, ())
    common_name, subject = read_name(certificate.subject)
    constraints = found.get(x509.BasicConstraints)
    limits = found.get(x509.NameConstraints)
    rare = RareFacts(
        layout=layout(certificate.subject),
        other_names=tuple(other_name_text(name) for name in names if isinstance(name, x509.OtherName)),
        constraints=described(limits, critical=bool(limits) and _is_critical(certificate, x509.NameConstraints)),
        must_staple=found.get(x509.TLSFeature) == MUST_STAPLE,
    )
    usages = names_in(found.get(x509.KeyUsage), found.get(x509.ExtendedKeyUsage))
    if len(_known_usages) < _KNOWN_USAGES_LIMIT:
        usages = _known_usages.setdefault(usages, usages)
    return CertificateFacts(
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        common_name=common_name,
        subject=subject,
        dns_names=_texts(names, x509.DNSName),
        ip_addresses=tuple(
            str(getattr(name.value, "ipv4_mapped", None) or name.value)
            for name in names
            if isinstance(name, x509.IPAddress)
        ),
        uris=_texts(names, x509.UniformResourceIdentifier),
        emails=_texts(names, x509.RFC822Name),
        is_ca=bool(constraints and constraints.ca),
        usages=usages,
        public_key_digest=public_digest(certificate.public_key()),
        issuer=intern(certificate.issuer.rfc4514_string()),
        rare=None if rare == NOTHING_RARE else rare,
    )


def _is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return certificate.extensions.get_extension_for_class(kind).critical


def _texts(names: x509.SubjectAlternativeName, kind: type[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(str(name.value) for name in names if isinstance(name, kind))
