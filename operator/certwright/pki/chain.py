"""Chains of certificates: split, put in order, and checked for being one. Trusts nobody; that is the client's part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from certwright.errors import InvalidSpec
from certwright.pki.keys import PEM_LIMIT, public_digest
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LENGTH_LIMIT = 32
"""Certificates; real chains have two to four."""
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InternalError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a damaged or odd certificate or request, some of it only when a part is looked at."""
_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A chain as it goes into a Secret, PEM.

    Args:
        chain_pem: Leaf first, without the root, which clients have or must not take from here (RFC 8446 4.4.2).
        ca_pem: The topmost certificate.
    """

    chain_pem: bytes
    ca_pem: bytes


def split(pem: bytes, where: str) -> list[x509.Certificate]:
    """The certificates in a text, in its order; at least one.

    Raises:
        InvalidSpec: There is none, there are too many, or one is damaged.
    """
    count = pem.count(_BEGIN)
    if count == 0:
        raise InvalidSpec(f"{where}: there is no certificate in PEM")
    if len(pem) > PEM_LIMIT or count > LENGTH_LIMIT:
        raise InvalidSpec(f"{where}: {count} certificates in {len(pem)} bytes are more than a chain can have")
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE:  # the library's words do not tell a person more
        raise InvalidSpec(f"{where}: a certificate in it is damaged") from None


def climb(leaf: x509.Certificate, pool: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The chain from a leaf as far up as the certificates of a pool reach, in whatever order they are.

    Each link is one name and one signature (RFC 5280 6.1.3 a); dates are not looked at.
    """
    found = [leaf]
    while not is_self_signed(found[-1]):
        parent = next((one for one in pool if one not in found and issued(one, found[-1])), None)
        if parent is None:
            break
        found.append(parent)
    return found


def issued(parent: x509.Certificate, child: x509.Certificate) -> bool:
    """Whether a certificate has another's issuer name and has signed it."""
    if parent.subject != child.issuer:
        return False
    try:
        child.verify_directly_issued_by(parent)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether it is its own issuer, as a root is."""
    return issued(certificate, certificate)


def bundle(chain: Sequence[x509.Certificate]) -> Bundle:
    """Write a chain that is in order; a root that stands alone is chain and CA at once."""
    blocks = [certificate.public_bytes(Encoding.PEM) for certificate in chain]
    shown = blocks[:-1] if len(chain) > 1 and is_self_signed(chain[-1]) else blocks
    return Bundle(b"".join(shown), blocks[-1])


def problem(pem: bytes, key_digest: str, *, now: datetime) -> str | None:
    """Why a CA's answer cannot be used with a key; None when it can.

    Args:
        pem: The chain as the CA gave it, leaf first (RFC 8555 9.1).
        key_digest: Of the public key that the request was made with, see `keys.public_digest`.
        now: The moment, UTC.
    """
    try:
        leaf, *others = split(pem, "the chain")
        digest, end = public_digest(leaf.public_key()), leaf.not_valid_after_utc
    except InvalidSpec as fault:
        return fault.message
    except UNREADABLE:
        return "the first certificate cannot be read"
    if digest != key_digest:
        return "the first certificate is not for the key of the request"
    if end <= now:
        return f"the certificate has expired at {format_time(end)}"
    if others and len(climb(leaf, others)) == 1:
        return "none of the other certificates has signed the first one"
    return None
