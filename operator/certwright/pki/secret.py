"""The data of a TLS Secret: written from what was issued, and read into facts. The facts hold nothing of a key."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from certwright.errors import InvalidSpec
from certwright.pki import certificate, formats, keys
from certwright.resources.outputs import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.pki.certificate import CertificateFacts
    from certwright.pki.keys import KeyFacts, PrivateKey
    from certwright.resources.certificate import CertificateSpec

KEY, CHAIN, CA = "tls.key", "tls.crt", "ca.crt"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What may be kept of a TLS Secret's data.

    Args:
        has_key: Whether there is anything under `tls.key`.
        has_certificate: Whether there is anything under `tls.crt`.
        problem: What of it cannot be read, by the name of the data's key; None when all can.
        certificate: The first certificate; None where there is none that can be read.
        key: The key; None where there is none that can be read.
        key_matches_certificate: Whether the two belong together.
        digest: Of certificates, and of the key what `key` tells of it; the same as long as they are.
        has_ca: Whether there is anything under `ca.crt`.
        extras: The further entries that are there, of those that follow from key and certificates.
        worn: Those of them that do not follow from the present ones; of keystores nothing is known here.
    """

    has_key: bool
    has_certificate: bool
    problem: str | None
    certificate: CertificateFacts | None
    key: KeyFacts | None
    key_matches_certificate: bool
    digest: str
    has_ca: bool = False
    extras: tuple[str, ...] = ()
    worn: tuple[str, ...] = ()


def tls_secret_data(
    spec: CertificateSpec, key: PrivateKey | None, *, chain_pem: bytes, ca_pem: bytes = b""
) -> dict[str, bytes]:
    """The data of a TLS Secret but for its keystores; `ca.crt` only where the issuer gave one.

    Args:
        spec: Says how the key is encoded, and what is wanted beside PEM.
        key: The certificate's key; None where somebody else has it.
        chain_pem: Leaf first.
        ca_pem: Empty when there is none.
    """
    data = {CHAIN: chain_pem}
    if key:
        key_pem = keys.encode(key, spec.private_key.encoding)
        data |= {KEY: key_pem, **formats.entries(spec.outputs.formats, key_pem, chain_pem)}
    return {**data, CA: ca_pem} if ca_pem else data


def read_tls_secret(data: Mapping[str, bytes]) -> SecretFacts:
    """Describe a TLS Secret, whatever is in it; never raises."""
    key_pem, chain_pem = data.get(KEY) or b"", data.get(CHAIN) or b""
    key, key_problem = _attempt(keys.read, key_pem, KEY)
    parsed, chain_problem = _attempt(certificate.parse_chain, chain_pem, CHAIN)
    facts = parsed[0] if parsed else None
    digest = sha256(repr((key, chain_pem, data.get(CA))).encode())
    return SecretFacts(
        has_key=bool(key_pem),
        has_certificate=bool(chain_pem),
        problem=chain_problem or key_problem,
        certificate=facts,
        key=key,
        key_matches_certificate=bool(key and facts and key.public_key_digest == facts.public_key_digest),
        digest=digest.hexdigest()[:32],
        has_ca=bool(data.get(CA)),
        extras=tuple(name for name in ENTRIES if data.get(name)),
        worn=formats.worn(data, key_pem, chain_pem),
    )


def _attempt(read: Callable[[bytes, str], _T], value: bytes, where: str) -> tuple[_T | None, str | None]:
    if not value:
        return None, None
    try:
        return read(value, where), None
    except InvalidSpec as fault:
        return None, fault.message
