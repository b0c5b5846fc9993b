"""The CA that signs: read from its Secret, and seen to be one that can. Signs nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509

from certwright.errors import InvalidSpec
from certwright.pki import chain, keys
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.pki.keys import PrivateKey

_E = TypeVar("_E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign.

    Args:
        chain: Its certificate, then those above it as far as they are known.
        key: Its key.
        where: The Secret it is from, for messages.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)
    where: str


def load_authority(data: Mapping[str, bytes], *, where: str, now: datetime) -> Authority:
    """Read a CA from the data of its Secret: `tls.key`, `tls.crt`, and `ca.crt` where that is what signed `tls.crt`.

    Args:
        data: The Secret's data.
        where: The Secret, for messages.
        now: The moment, UTC.

    Raises:
        InvalidSpec: It cannot sign; says why and what to do.
    """
    for name in ("tls.crt", "tls.key"):
        if not data.get(name):
            raise InvalidSpec(f"{where}: it has no {name}; put the CA's certificate and key there", reason="InvalidCA")
    try:
        certificates = chain.split(data["tls.crt"], f"{where}, tls.crt")
        key = keys.load(data["tls.key"], f"{where}, tls.key")
    except InvalidSpec as fault:
        raise InvalidSpec(fault.message, reason="InvalidCA") from None
    try:
        digest = keys.public_digest(key.public_key())
        own = next((one for one in certificates if keys.public_digest(one.public_key()) == digest), None)
        if own is None:
            raise InvalidSpec(
                f"{where}: tls.key is not the key of tls.crt; store the two that belong together", reason="InvalidCA"
            )
        _must_sign(own, where, now)
        return Authority(tuple(chain.climb(own, [*certificates, *_above(data.get("ca.crt", b""))])), key, where)
    except chain.UNREADABLE as fault:
        raise InvalidSpec(f"{where}, tls.crt: the certificate cannot be read: {str(fault)[:120]}") from None


def must_allow_ca(authority: Authority) -> None:
    """See that no certificate above limits how many CAs stand below it to fewer (RFC 5280 4.2.1.9).

    Raises:
        InvalidSpec: One does.
    """
    for below, one in enumerate(authority.chain, 1):
        constraints = _extension(one, x509.BasicConstraints)
        limit = constraints.path_length if constraints else None
        if limit is not None and limit < below:
            raise InvalidSpec(
                f"spec.isCA: {authority.where}: its path length ({limit}) lets no further CA stand below it; "
                "use another issuer, or set isCA to false"
            )


def key_identifier(authority: Authority) -> x509.AuthorityKeyIdentifier:
    """As the CA's certificate has it, since the two are matched by it; made from its key where it has none."""
    identifier = _extension(authority.chain[0], x509.SubjectKeyIdentifier)
    if identifier is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _must_sign(own: x509.Certificate, where: str, now: datetime) -> None:
    constraints = _extension(own, x509.BasicConstraints)
    usage = _extension(own, x509.KeyUsage)
    if own.not_valid_after_utc <= now:
        problem = f"has expired at {format_time(own.not_valid_after_utc)}; renew it"
    elif constraints is None or not constraints.ca:
        problem = "is not a CA's (its basic constraints do not say CA); make one with isCA: true"
    elif usage is not None and not usage.key_cert_sign:
        problem = "may not sign others (its key usage lacks 'cert sign'); make one with that usage"
    else:
        return
    raise InvalidSpec(f"{where}: the certificate in tls.crt {problem}", reason="InvalidCA")


def _above(pem: bytes) -> list[x509.Certificate]:
    """What `ca.crt` adds; signing needs none of it, so that what is unreadable there must not stop it."""
    try:
        return chain.split(pem, "ca.crt")
    except InvalidSpec:
        return []


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except chain.UNREADABLE as fault:
        raise InvalidSpec(f"a certificate of the CA cannot be read: {str(fault)[:120]}", reason="InvalidCA") from None
