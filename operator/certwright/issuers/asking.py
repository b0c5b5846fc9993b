"""What a CA is sent: a request for the spec of a Certificate, or one that somebody made with a key of theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certwright.core.validation import dns_name_problem
from certwright.errors import InvalidSpec
from certwright.pki import csr, keys
from certwright.pki.subject import asked_common_name

if TYPE_CHECKING:
    from certwright.issuers.next_key import NextKeys
    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import Certificate, CertificateSpec

FIELD = "spec.csrSecretRef"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its key.

    Args:
        request: DER.
        key_digest: Of its public key, see `keys.public_digest`.
        key: None for a request that somebody else made.
    """

    request: bytes
    key_digest: str
    key: PrivateKey | None = field(default=None, repr=False)


def at_once(next_keys: NextKeys, certificate: Certificate) -> Asked:
    """What an issuer is asked by that answers at once.

    Raises:
        InvalidSpec: Key or request are not there, or cannot be used.
    """
    return _named(next_keys, certificate) or _made(certificate.spec, next_keys.passing(certificate))


def to_finalize(next_keys: NextKeys, certificate: Certificate) -> Asked:
    """What an order is finalized by; a key of ours rests in a Secret from then on.

    Raises:
        As `at_once`.
    """
    return _named(next_keys, certificate) or _made(certificate.spec, next_keys.lay(certificate))


def finalized(next_keys: NextKeys, certificate: Certificate) -> Asked | None:
    """What an order was finalized by; None when its key is gone.

    Raises:
        As `at_once`.
    """
    named = _named(next_keys, certificate)
    if named:
        return named
    key = next_keys.find(certificate)
    return Asked(b"", keys.facts(key).public_key_digest, key) if key else None


def ordered_names(spec: CertificateSpec) -> list[str]:
    """The names of an order: DNS names and addresses, and the common name, which CAs take from among them."""
    common_name = asked_common_name(spec)
    common = [common_name] if common_name else []
    return list(dict.fromkeys(name.lower() for name in (*spec.dns_names, *spec.ip_addresses, *common)))


def names_to_order(next_keys: NextKeys, certificate: Certificate) -> list[str]:
    """The same, out of the request where there is one (RFC 8555 7.4: it must ask for just what the order is for).

    Raises:
        InvalidSpec: The request has a name that an ACME CA cannot certify.
    """
    request = next_keys.named_request(certificate)
    if request is None:
        return ordered_names(certificate.spec)
    names = [str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    for one in csr.alternative_names(request):
        if not isinstance(one, x509.DNSName | x509.IPAddress):
            raise InvalidSpec(f"{FIELD}: an ACME CA certifies no {type(one).__name__}; make a request without it")
        names.append(str(one.value))
    for name in names:
        problem = dns_name_problem(name, wildcard=True)
        if problem and not _is_address(name):
            raise InvalidSpec(f"{FIELD}: the request's name {name[:80]!r} {problem}")
    return list(dict.fromkeys(name.lower() for name in names))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _named(next_keys: NextKeys, certificate: Certificate) -> Asked | None:
    request = next_keys.named_request(certificate)
    if request is None:
        return None
    return Asked(request.public_bytes(Encoding.DER), keys.public_digest(request.public_key()))


def _made(spec: CertificateSpec, key: PrivateKey) -> Asked:
    return Asked(csr.make_csr(spec, key), keys.facts(key).public_key_digest, key)
