"""Certificate signing requests (RFC 2986): what is sent to a CA. The one place where a spec becomes a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certwright.errors import InvalidSpec
from certwright.pki import constraints, subject, usages
from certwright.pki.chain import UNREADABLE
from certwright.pki.keys import PEM_LIMIT, signature_hash

if TYPE_CHECKING:
    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import CertificateSpec

MUST_STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])
"""The server must show an OCSP response with the certificate (RFC 7633 4.1)."""


def make_csr(spec: CertificateSpec, key: PrivateKey, *, common_name_in_subject: bool = True) -> bytes:
    """Ask for what a spec says.

    Args:
        spec: The Certificate's spec.
        key: The key that the certificate is for; it signs the request.
        common_name_in_subject: False for a CA that refuses a common name.

    Returns:
        The request in DER.

    Raises:
        InvalidSpec: A value of the spec cannot be in a request.
    """
    name = subject.distinguished_name(spec, common_name=common_name_in_subject)
    builder = x509.CertificateSigningRequestBuilder(subject_name=name)
    alternatives = subject.alternative_names(spec)
    if alternatives:
        # RFC 5280 4.2.1.6: with no subject the alternative names are all there is, so they must be understood.
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not name.rdns)
    wanted = usages.canonical(spec.usages, is_ca=spec.is_ca)
    if spec.encode_usages:
        for extension, critical in usages.extensions(wanted):
            builder = builder.add_extension(extension, critical=critical)
    if spec.name_constraints:
        asked = constraints.extension(spec.name_constraints)
        builder = builder.add_extension(asked, critical=spec.name_constraints.critical)
    if spec.must_staple:
        builder = builder.add_extension(MUST_STAPLE, critical=False)
    try:
        return builder.sign(key, signature_hash(key, spec.signature_algorithm)).public_bytes(Encoding.DER)
    except UNREADABLE as fault:  # the library encodes only here
        raise InvalidSpec(f"spec: a name in it cannot be in a certificate: {str(fault)[:120]}") from None


def load_csr(der: bytes) -> x509.CertificateSigningRequest:
    """Read a request and see that whoever made it has the key.

    Raises:
        InvalidSpec: It cannot be read, or its signature does not hold.
    """
    try:
        request = x509.load_der_x509_csr(der)
        proven = request.is_signature_valid
    except UNREADABLE:
        raise InvalidSpec("the certificate signing request cannot be read") from None
    if not proven:
        raise InvalidSpec("the certificate signing request is not signed by the key it names")
    return request


def load_pem_csr(pem: bytes, where: str) -> x509.CertificateSigningRequest:
    """Read a request that somebody else made, and see that whoever made it has the key.

    Args:
        pem: PEM.
        where: Where it was found, for the message.

    Raises:
        InvalidSpec: It cannot be read, or its signature does not hold.
    """
    begin = pem.find(b"-----BEGIN")
    if begin < 0 or len(pem) > PEM_LIMIT:
        raise InvalidSpec(f"{where}: there is no certificate signing request in PEM; put one there")
    try:
        return load_csr(x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER))
    except UNREADABLE:
        raise InvalidSpec(f"{where}: the certificate signing request cannot be read") from None
    except InvalidSpec as fault:
        raise InvalidSpec(f"{where}: {fault.message}") from None


def alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """The alternative names of a request; none where it has none.

    Raises:
        InvalidSpec: They cannot be read.
    """
    try:
        return list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []
    except UNREADABLE as fault:
        raise InvalidSpec(f"the certificate signing request cannot be read: {str(fault)[:120]}") from None
