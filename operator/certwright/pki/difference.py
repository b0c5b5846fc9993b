"""Whether a certificate is still what its spec asks for. Compares; does not say what follows from it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from certwright.pki.subject import ATTRIBUTES, COMMON_NAME_LIMIT, encodable, normal_ip
from certwright.pki.usages import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.pki.certificate import CertificateFacts
    from certwright.resources.certificate import CertificateSpec

DIGEST_LENGTH = 20
_SHOWN = 3


def describe_difference(spec: CertificateSpec, facts: CertificateFacts, *, fuzzy: bool) -> str | None:
    """Which field of a spec a certificate does not satisfy; None when it satisfies all.

    Not compared are the key (see `keys.mismatch`), the issuer and the duration: a certificate does not tell them, or
    another than the one that was asked for is no fault of the spec's.

    Args:
        spec: The Certificate's spec.
        facts: The certificate.
        fuzzy: Compare only what an ACME CA proves, DNS names and addresses (RFC 8555 7.1.4, RFC 8738), wherever the
            common name went: such a CA drops subject, usages and other names, and asking again changes nothing.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    return _proven(spec, facts) if fuzzy else _exact(spec, facts)


def request_digest(spec: CertificateSpec) -> str:
    """A short hash of all that a certificate is asked for by, the same for specs that ask for the same.

    The encoding, the Secret's template and the time of renewal are no part of a request. The issuer's group is left
    out because an empty one and our own mean the same; where names stand in their list and their case do not count.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    key, issuer = spec.private_key, spec.issuer_ref
    request = {
        "commonName": spec.common_name,
        "dnsNames": sorted(_folded(spec.dns_names)),
        "ipAddresses": sorted(_addresses(spec.ip_addresses)),
        "uris": sorted(set(spec.uris)),
        "emailAddresses": sorted(set(spec.email_addresses)),
        "subject": {field: sorted(set(getattr(spec.subject, field))) for field in ATTRIBUTES},
        "serialNumber": spec.subject.serialNumber,
        "isCA": spec.is_ca,
        "usages": sorted(canonical(spec.usages, is_ca=spec.is_ca)),
        "encodeUsages": spec.encode_usages,
        "duration": spec.duration.total_seconds() if spec.duration_set else None,
        "key": [key.algorithm, 0 if key.algorithm == "Ed25519" else key.size],
        "issuer": [issuer.kind, issuer.name],
    }
    return sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def _exact(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    common_name = spec.common_name if len(spec.common_name) <= COMMON_NAME_LIMIT else ""
    if common_name != facts.common_name:
        return f"spec.commonName: it has {facts.common_name or 'none'}"
    rows: list[tuple[str, Iterable[str], Iterable[str]]] = [
        ("dnsNames", _folded(spec.dns_names), _folded(facts.dns_names)),
        ("ipAddresses", _addresses(spec.ip_addresses), facts.ip_addresses),
        ("uris", spec.uris, facts.uris),
        ("emailAddresses", spec.email_addresses, facts.emails),
        *((f"subject.{field}", getattr(spec.subject, field), getattr(facts.subject, field)) for field in ATTRIBUTES),
        ("subject.serialNumber", {spec.subject.serialNumber} - {""}, {facts.subject.serialNumber} - {""}),
        ("usages", canonical(spec.usages, is_ca=spec.is_ca), facts.usages),
    ]
    for field, wanted, found in rows:
        difference = _told(field, set(wanted) - set(found), set(found) - set(wanted))
        if difference:
            return difference
    if spec.is_ca != facts.is_ca:
        return f"spec.isCA: it is {'a CA' if facts.is_ca else 'no CA'}"
    return None


def _proven(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    """A CA may take the common name from among the names, put it among them, or drop it."""
    asked, got = spec.common_name.lower(), facts.common_name.lower()
    names, addresses = _folded(facts.dns_names), set(facts.ip_addresses)
    wanted_names, wanted_addresses = _folded(spec.dns_names), _addresses(spec.ip_addresses)
    return (
        _told("commonName", {asked} - {"", got} - names - addresses, set())
        or _told("dnsNames", wanted_names - names - {got}, names - wanted_names - {asked})
        or _told("ipAddresses", wanted_addresses - addresses - {got}, addresses - wanted_addresses - {asked})
    )


def _told(field: str, missing: set[str], unasked: set[str]) -> str | None:
    for names, verb in ((missing, "lacks"), (unasked, "has, unasked,")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            return f"spec.{field}: it {verb} {', '.join(sorted(names)[:_SHOWN])}{more}"
    return None


def _folded(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _addresses(texts: Iterable[str]) -> set[str]:
    return {encodable("spec.ipAddresses", normal_ip, text) for text in texts}
