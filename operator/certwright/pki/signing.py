"""Signs certificates (RFC 5280 4): by a CA's key, or each by its own. Decides what is in them; trusts no request.

Of a request only the key, the subject and the alternative names are taken; all else follows from the terms and the CA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from certwright.errors import InvalidSpec
from certwright.pki import chain, constraints, keys, usages
from certwright.pki.authority import Authority, key_identifier, load_authority, must_allow_ca
from certwright.pki.csr import MUST_STAPLE, alternative_names, load_csr, make_csr
from certwright.pki.values import encodable
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.other_names import NameConstraints

__all__ = ["Authority", "SignedBundle", "Terms", "load_authority", "self_sign", "sign"]

Extensions = list[tuple[x509.ExtensionType, bool]]


class Terms(Protocol):
    """What is granted beside the names; a CertificateSpec says it all."""

    @property
    def duration(self) -> timedelta:
        """How long it is valid from now on."""

    @property
    def is_ca(self) -> bool:
        """Whether it may sign others."""

    @property
    def usages(self) -> tuple[str, ...]:
        """Names of usages."""

    @property
    def name_constraints(self) -> NameConstraints:
        """What a CA may sign for."""

    @property
    def must_staple(self) -> bool:
        """Whether a server must staple."""


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """What was signed.

    Args:
        chain_pem: See chain.Bundle.
        ca_pem: See chain.Bundle.
        not_after: Its end, UTC.
        shortened: Whether that is earlier than what was asked for, because a CA above it ends then.
    """

    chain_pem: bytes
    ca_pem: bytes
    not_after: datetime
    shortened: bool = False


def sign(
    csr_der: bytes,
    terms: Terms,
    authority: Authority,
    *,
    now: datetime,
    serial: int | None = None,
    crl_distribution_points: Sequence[str] = (),
    ocsp_servers: Sequence[str] = (),
    issuing_certificate_urls: Sequence[str] = (),
) -> SignedBundle:
    """Sign a request by a CA.

    Args:
        csr_der: The request.
        terms: What is granted.
        authority: The CA.
        now: The moment from which on it is valid, UTC. It ends with the first of the CAs above it at the latest, the
            root apart, since what outlives those is not accepted anyway.
        serial: Random when None.
        crl_distribution_points: URLs (RFC 5280 4.2.1.13).
        ocsp_servers: URLs (RFC 5280 4.2.2.1).
        issuing_certificate_urls: URLs (RFC 5280 4.2.2.1).

    Raises:
        InvalidSpec: The request is bad, or the CA may not grant it.
    """
    own = authority.chain[0]
    if terms.is_ca:
        must_allow_ca(authority)
    begin = max(now, own.not_valid_before_utc).replace(microsecond=0)
    asked = _end(now, terms.duration)
    # A root above is the client's to judge (RFC 5280 6.1.1 d), and the one known here may be an older one of its key.
    path = [own, *(one for one in authority.chain[1:] if not chain.is_self_signed(one))]
    end = min(asked, *(one.not_valid_after_utc for one in path))
    if end <= begin:
        raise InvalidSpec(
            f"{authority.where}: a certificate above the CA's own has expired at {format_time(end)}; renew it"
        )
    extensions: Extensions = [(key_identifier(authority), False), *_revocation(crl_distribution_points)]
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for name, method, urls in (
            ("spec.ca.ocspServers", AuthorityInformationAccessOID.OCSP, ocsp_servers),
            ("spec.ca.issuingCertificateURLs", AuthorityInformationAccessOID.CA_ISSUERS, issuing_certificate_urls),
        )
        for url in _urls(name, urls)
    ]
    if access:
        extensions.append((x509.AuthorityInformationAccess(access), False))
    request = load_csr(csr_der)
    builder = _begun(request, terms, own.subject, serial).not_valid_before(begin).not_valid_after(end)
    certificate = _signed(builder, extensions, authority.key)
    if not chain.issued(own, certificate):  # a damaged key would give itself away by what it signs
        raise InvalidSpec(f"{authority.where}: tls.key is damaged; store the key that belongs to tls.crt")
    bundle = chain.bundle([certificate, *authority.chain])
    return SignedBundle(bundle.chain_pem, bundle.ca_pem, end, shortened=end < asked)


def self_sign(
    spec: CertificateSpec,
    key: PrivateKey,
    *,
    now: datetime,
    serial: int | None = None,
    crl_distribution_points: Sequence[str] = (),
) -> SignedBundle:
    """Sign a certificate by its own key.

    Args:
        spec: The Certificate's spec.
        key: Its key.
        now: The moment from which on it is valid, UTC.
        serial: Random when None.
        crl_distribution_points: URLs.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    request = load_csr(make_csr(spec, key))
    begin, end = now.replace(microsecond=0), _end(now, spec.duration)
    builder = _begun(request, spec, request.subject, serial).not_valid_before(begin).not_valid_after(end)
    certificate = _signed(builder, _revocation(crl_distribution_points), key, spec.signature_algorithm)
    bundle = chain.bundle([certificate])
    return SignedBundle(bundle.chain_pem, bundle.ca_pem, end)


def _begun(
    request: x509.CertificateSigningRequest, terms: Terms, issuer: x509.Name, serial: int | None
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=request.subject,
        public_key=request.public_key(),
        serial_number=x509.random_serial_number() if serial is None else serial,
    )
    names = alternative_names(request)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not request.subject.rdns)
    extensions: Extensions = [
        (x509.BasicConstraints(ca=terms.is_ca, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(request.public_key()), False),
        *usages.extensions(usages.canonical(terms.usages, is_ca=terms.is_ca)),
    ]
    if terms.name_constraints:
        extensions.append((constraints.extension(terms.name_constraints), terms.name_constraints.critical))
    if terms.must_staple:
        extensions.append((MUST_STAPLE, False))
    return _with(builder, extensions)


def _with(builder: x509.CertificateBuilder, extensions: Extensions) -> x509.CertificateBuilder:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _signed(
    builder: x509.CertificateBuilder, extensions: Extensions, key: PrivateKey, algorithm: str = ""
) -> x509.Certificate:
    try:
        return _with(builder, extensions).sign(key, keys.signature_hash(key, algorithm))
    except chain.UNREADABLE as fault:  # the library encodes only here, the CA's name too
        raise InvalidSpec(f"the certificate cannot be encoded: {str(fault)[:120]}") from None


def _end(now: datetime, duration: timedelta) -> datetime:
    try:
        return (now + duration).replace(microsecond=0)
    except OverflowError:
        raise InvalidSpec("spec.duration: it reaches beyond the year 9999; ask for less") from None


def _revocation(urls: Iterable[str]) -> Extensions:
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
        for url in _urls("crlDistributionPoints", urls)
    ]
    return [(x509.CRLDistributionPoints(points), False)] if points else []


def _urls(name: str, urls: Iterable[str]) -> list[str]:
    for url in urls:
        encodable(f"the issuer's {name}", x509.UniformResourceIdentifier, url)
    return list(dict.fromkeys(urls))
