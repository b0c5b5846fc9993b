"""Verifies what the operator stored as a TLS client would: from the certificate in the Secret to the CA's own root."""

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import verification

from cluster.demo_manifests import Manifest


class ChainError(Exception):
    """A chain that a client would refuse; the message says why."""


def verify(certificate: Manifest, data: dict[str, str], roots: list[x509.Certificate]) -> x509.Certificate:
    """Return the certificate of a TLS Secret after checking it.

    The key must be the certificate's, and every name that the Certificate asks for must verify, through the stored
    intermediates, up to one of the roots.

    Args:
        certificate: The Certificate.
        data: The Secret's data, base64.
        roots: Whom to trust.

    Raises:
        ChainError: It does not hold.
    """
    try:
        leaf, *intermediates = x509.load_pem_x509_certificates(base64.b64decode(data["tls.crt"]))
        key = load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    except (KeyError, ValueError) as error:
        raise ChainError(f"the Secret cannot be read: {error!r}") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise ChainError("tls.key is not the certificate's key")
    if certificate["spec"].get("isCA"):
        _authority(leaf, roots)
    for name in certificate["spec"].get("dnsNames", []):
        _name(name, leaf, intermediates, roots)
    return leaf


def _authority(leaf: x509.Certificate, roots: list[x509.Certificate]) -> None:
    """A root is not the end of a chain that a TLS client builds; its own signature is what there is to check."""
    try:
        leaf.verify_directly_issued_by(leaf)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ChainError(f"it is not signed by its own key: {error}") from error
    if leaf not in roots or not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise ChainError("it is not a certificate authority")


def _name(
    name: str, leaf: x509.Certificate, intermediates: list[x509.Certificate], roots: list[x509.Certificate]
) -> None:
    # A client asks for a name below a wildcard, never for the wildcard itself.
    subject = x509.DNSName(name.replace("*", "any"))
    builder = verification.PolicyBuilder().store(verification.Store(roots)).time(datetime.now(UTC))
    try:
        builder.build_server_verifier(subject).verify(leaf, intermediates)
    except verification.VerificationError as error:
        raise ChainError(f"{name}: {error}") from error
